//! Random histories: whatever happens, views agree with the fold, with views built anew, and with views
//! that were left without being closed.

use std::collections::BTreeMap;

use chain::{Position, Record};
use ledger::words::Achievement;
use ledger::{Body, Event, Handle};
use proptest::prelude::*;
use views::{Opened, Search, Views};

use crate::accounts::{check_balance, folded};
use crate::sample::{
    Log, achievement, all_of, day, erased, event, found, handle, issued, open, pending, pending_at,
    person, profile, provisional, scratch, status, superseded,
};

const LEARNERS: u8 = 5;
const CODES: [&str; 3] = ["C-1", "C-2", ""];
const DAYS: [&str; 2] = ["2024-01-10", "2024-06-01"];

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
        let variant = usize::from(*number) + expiry.map_or(2, usize::from);
        content.code = CODES[variant % 3].to_owned();
        content.awarded = day(DAYS[variant % 2]);
        content
    };
    match kind {
        Kind::Updated => Body::LearnerUpdated(profile()),
        Kind::Recorded(n, expiry) => Body::AchievementRecorded(content(n, expiry).into()),
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
        Step::Erase(who, all) => {
            let account = folded(log, learner(*who), log.size());
            let members: Vec<Handle> = account.members().collect();
            let body = match all {
                true => erased(),
                false => Body::LearnerIdentityErased,
            };
            // Of a closed account nothing is erased by itself.
            if !members.is_empty() {
                log.erase(learner(*who), &members, body);
            }
        }
        _ => {}
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, ..ProptestConfig::default() })]

    #[test]
    fn views_agree_with_the_fold_after_any_history(
        bound in prop::array::uniform5(any::<bool>()),
        steps in prop::collection::vec(step(), 1..60),
    ) {
        agree(bound, &steps)?;
    }
}

fn agree(bound: [bool; 5], steps: &[Step]) -> Result<(), TestCaseError> {
    let mut log = Log::new();
    for (number, bound) in (0..LEARNERS).zip(bound) {
        log.one(
            "",
            learner(number),
            if bound { person() } else { provisional() },
        );
    }
    let (mut views, dir) = scratch();
    for step in steps {
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
        check_balance(&log, &views, learner);
        check_balance(&log, &fresh, learner);
    }
    prop_assert_eq!(issued(&views, "uni-a"), issued(&fresh, "uni-a"));
    for size in [log.size(), log.size() / 2] {
        prop_assert_eq!(pending_at(&views, size, 2), pending_at(&fresh, size, 1_000));
    }
    prop_assert_eq!(pending(&views), pending(&fresh));
    for views in [&views, &fresh] {
        check_searches(&log, views);
    }
    Ok(())
}

/// Nonsense, but no excuse: of what comes first about a record only the leaf is left, and another's version
/// of it stays.
#[test]
fn what_is_erased_is_not_found_by_a_version_on_another_account() {
    let steps = [
        Step::Event(1, Kind::Suspended(0)),
        Step::Event(2, Kind::Superseded(0, None)),
        Step::Merge(1, 3),
        Step::Apply,
        Step::Erase(3, true),
    ];
    agree([false; 5], &steps).unwrap();
}

/// Every search finds all that matches, and nothing that was erased, whatever the length of pages.
fn check_searches(log: &Log, views: &Views) {
    for code in [None, Some("C-1"), Some("C-2")] {
        for span in [
            (None, None),
            (Some(DAYS[0]), Some(DAYS[1])),
            (Some(DAYS[1]), None),
        ] {
            let search = Search {
                code,
                awarded_from: span.0.map(day),
                awarded_until: span.1.map(day),
                ..all_of("uni-a")
            };
            let matches = |content: &Achievement| {
                code.is_none_or(|code| content.code == code)
                    && search
                        .awarded_from
                        .is_none_or(|from| from <= content.awarded)
                    && search
                        .awarded_until
                        .is_none_or(|until| content.awarded < until)
            };
            let found = found(views, &search, log.size(), 3);
            check_found(
                log,
                &found,
                matches,
                search.code.is_none() && span == (None, None),
            );
        }
    }
    let search = Search {
        suspended_or_revoked: true,
        ..all_of("uni-a")
    };
    let found = found(views, &search, log.size(), 3);
    for (first, events) in changes(log) {
        let stands = |event: &Event| {
            !matches!(
                event.body,
                Body::AchievementSuspended(_) | Body::AchievementRevoked(_)
            )
        };
        assert!(found.contains(&first) || events.iter().all(stands));
    }
}

fn check_found(log: &Log, found: &[Position], matches: impl Fn(&Achievement) -> bool, all: bool) {
    for record in log.records(0) {
        let (position, event) = (record.leaf.position, event(&record));
        if let Body::AchievementRecorded(content) = &event.body {
            assert!(!matches(&content.achievement) || found.contains(&position));
        }
        assert!(all || !record.is_erased() || !found.contains(&position));
    }
    for (first, events) in changes(log) {
        for event in events {
            if let Body::AchievementSuperseded(new) = &event.body {
                assert!(!matches(&new.achievement) || found.contains(&first));
            }
        }
    }
}

/// The events about each record that begins with being recorded. Once something is erased, nothing tells
/// which of these nonsensical histories began so.
fn changes(log: &Log) -> Vec<(Position, Vec<Event>)> {
    if log.records(0).iter().any(Record::is_erased) {
        return vec![];
    }
    let mut events: BTreeMap<String, Vec<(Position, Event)>> = BTreeMap::new();
    for record in log.records(0) {
        let event = event(&record);
        if let Some(id) = event.body.record_id() {
            let of_record = events.entry(id.to_owned()).or_default();
            of_record.push((record.leaf.position, event));
        }
    }
    let mut changes = vec![];
    for of_record in events.into_values() {
        let recorded = matches!(of_record[0].1.body, Body::AchievementRecorded(_));
        let first = of_record[0].0;
        let later = of_record.into_iter().skip(1).map(|(_, event)| event);
        if recorded {
            changes.push((first, later.collect()));
        }
    }
    changes
}
