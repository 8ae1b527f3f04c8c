//! Random histories: whatever happens, views agree with the fold, with views built anew, and with views
//! that were left without being closed.

use ledger::{Body, Handle};
use proptest::prelude::*;
use views::Opened;

use crate::accounts::check_balance;
use crate::sample::{
    Log, achievement, day, erased, handle, history, open, pending, person, profile, provisional,
    scratch, status, superseded,
};

const LEARNERS: u8 = 5;

/// One step of a history, after the registrations. Not every step makes sense; views have no opinion on that.
#[derive(Debug, Clone)]
enum Step {
    Event(u8, Kind),
    Merge(u8, u8),
    Separate(u8, u8),
    Reassign(u8, u8, u8),
    Erase(u8, bool),
    /// Ends a batch.
    Apply,
    /// Leaves the views as a crash of the process would, and opens them again.
    Crash,
    Close,
}

#[derive(Debug, Clone)]
enum Kind {
    Updated,
    Recorded(u8, Option<u8>),
    Superseded(u8, Option<u8>),
    Suspended(u8),
    Reinstated(u8),
    Revoked(u8),
}

fn kind() -> impl Strategy<Value = Kind> {
    let id = 0..8_u8;
    let expiry = prop::option::of(0..2_u8);
    prop_oneof![
        1 => Just(Kind::Updated),
        6 => (id.clone(), expiry.clone()).prop_map(|(id, expiry)| Kind::Recorded(id, expiry)),
        2 => (id.clone(), expiry).prop_map(|(id, expiry)| Kind::Superseded(id, expiry)),
        1 => id.clone().prop_map(Kind::Suspended),
        1 => id.clone().prop_map(Kind::Reinstated),
        1 => id.prop_map(Kind::Revoked),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let who = 0..LEARNERS;
    prop_oneof![
        12 => (who.clone(), kind()).prop_map(|(who, kind)| Step::Event(who, kind)),
        2 => (who.clone(), who.clone()).prop_map(|(a, b)| Step::Merge(a, b)),
        1 => (who.clone(), who.clone()).prop_map(|(a, b)| Step::Separate(a, b)),
        1 => (0..8_u8, who.clone(), who.clone()).prop_map(|(id, a, b)| Step::Reassign(id, a, b)),
        1 => (who, any::<bool>()).prop_map(|(who, all)| Step::Erase(who, all)),
        3 => Just(Step::Apply),
        1 => Just(Step::Crash),
        1 => Just(Step::Close),
    ]
}

fn body(kind: &Kind) -> Body {
    let id = |id: &u8| id.to_string();
    let content = |number: &u8, expiry: &Option<u8>| {
        let mut content = achievement(&id(number));
        content.expires = expiry.map(|n| day(["2024-12-31", "2025-06-30"][usize::from(n)]));
        content
    };
    match kind {
        Kind::Updated => Body::LearnerUpdated(profile()),
        Kind::Recorded(n, expiry) => Body::AchievementRecorded(content(n, expiry)),
        Kind::Superseded(n, expiry) => superseded(content(n, expiry)),
        Kind::Suspended(n) => Body::AchievementSuspended(status(&id(n))),
        Kind::Reinstated(n) => Body::AchievementReinstated(status(&id(n))),
        Kind::Revoked(n) => Body::AchievementRevoked(status(&id(n))),
    }
}

fn learner(number: u8) -> Handle {
    handle(number + 1)
}

/// Takes a step in the log; two accounts are never the same one.
fn grow(log: &mut Log, step: &Step) {
    match step {
        Step::Event(who, kind) => {
            log.one("uni-a", learner(*who), body(kind));
        }
        Step::Merge(a, b) if a != b => log.merge(learner(*a), learner(*b)),
        Step::Separate(a, b) if a != b => log.separate(learner(*a), learner(*b)),
        Step::Reassign(id, a, b) if a != b => {
            log.reassign("uni-a", &id.to_string(), learner(*a), learner(*b));
        }
        Step::Erase(who, true) => log.erase(learner(*who), &[learner(*who)], erased()),
        Step::Erase(who, false) => {
            log.erase(learner(*who), &[learner(*who)], Body::LearnerIdentityErased);
        }
        _ => {}
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn views_agree_with_the_fold_after_any_history(
        bound in prop::array::uniform5(any::<bool>()),
        steps in prop::collection::vec(step(), 1..60),
    ) {
        let mut log = Log::new();
        for (number, bound) in (0..LEARNERS).zip(bound) {
            log.one("", learner(number), if bound { person() } else { provisional() });
        }
        let (mut views, dir) = scratch();
        for step in &steps {
            grow(&mut log, step);
            match step {
                Step::Apply => {
                    log.apply_to(&views);
                    check_balance(&log, &views, learner(0));
                }
                Step::Crash | Step::Close => {
                    let applied = views.applied();
                    let closed = matches!(step, Step::Close);
                    if closed {
                        views.close().unwrap();
                    }
                    drop(views);
                    let opened;
                    (views, opened) = open(dir.path());
                    let Opened::Resumed { applied: resumed } = opened else {
                        panic!("{opened:?}");
                    };
                    prop_assert!(resumed <= applied);
                    prop_assert!(!closed || resumed == applied);
                }
                _ => {}
            }
        }
        log.apply_to(&views);
        let (fresh, _other) = scratch();
        log.apply_to(&fresh);
        for number in 0..LEARNERS {
            let learner = learner(number);
            prop_assert_eq!(history(&views, learner), history(&fresh, learner));
            check_balance(&log, &views, learner);
            check_balance(&log, &fresh, learner);
        }
        prop_assert_eq!(
            views.issued("uni-a", None, usize::MAX).unwrap(),
            fresh.issued("uni-a", None, usize::MAX).unwrap()
        );
        prop_assert_eq!(pending(&views), pending(&fresh));
    }
}
