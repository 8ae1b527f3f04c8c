//! The lists of positions: histories, what an institution issued, what is pending.

use chain::Position;
use ledger::{Body, Handle};

use crate::sample::{Log, achievement, erased, handle, history, open, pending, profile, scratch};

#[test]
fn histories_and_lists_are_whole_around_the_length_of_a_chunk() {
    for events in [0_u8, 1, 126, 127, 128, 129, 130, 255] {
        let mut log = Log::new();
        let learner = handle(1);
        let content = || Body::AchievementRecorded(achievement("a"));
        let mut expected = vec![];
        for _ in 0..events {
            // Another learner's and another issuer's lie between.
            let block = vec![
                ("uni-b", handle(2), content()),
                ("uni-a", learner, content()),
            ];
            expected.push(log.append(block)[1].0);
        }
        let (views, dir) = scratch();
        let (early, late): (Vec<_>, Vec<_>) = log
            .records(0)
            .into_iter()
            .partition(|record| record.leaf.position.0 < 250);
        views.apply(&early).unwrap();
        views.apply(&late).unwrap();
        let check = |views: &views::Views| {
            assert_eq!(history(views, learner), expected);
            let issued = views.issued("uni-a", None, usize::MAX).unwrap();
            assert_eq!(issued.iter().map(|p| p.0).collect::<Vec<_>>(), expected);
        };
        check(&views);
        views.close().unwrap();
        drop(views);
        check(&open(dir.path()).0);
    }
}

#[test]
fn pages_of_what_was_issued_join_up_whatever_their_length() {
    let mut log = Log::new();
    let mut expected = vec![];
    for number in 0..300_u32 {
        let issuer = if number % 3 == 0 { "uni-a" } else { "uni-ab" };
        let position = log.record(issuer, handle(u8::try_from(number % 7 + 1).unwrap()), "a");
        expected.extend((number % 3 != 0).then_some(position));
        // Nothing but recordings is listed.
        log.revoke("uni-ab", handle(9), "a");
    }
    let (views, _dir) = scratch();
    log.apply_to(&views);
    for limit in [1, 2, 63, 127, 128, 129, 199, 200, 201, 1_000] {
        let mut found: Vec<Position> = vec![];
        loop {
            let page = views
                .issued("uni-ab", found.last().copied(), limit)
                .unwrap();
            assert!(page.len() <= limit);
            if page.is_empty() {
                break;
            }
            found.extend(page);
        }
        assert_eq!(found, expected, "pages of {limit}");
    }
    let between = views.issued("uni-ab", Some(Position(301)), 1).unwrap();
    assert_eq!(
        between.first(),
        expected.iter().find(|position| position.0 > 301)
    );
    for (issuer, after, limit) in [
        ("uni-ab", Some(Position(u64::MAX)), 9),
        ("uni-ab", None, 0),
        ("uni", None, 9),
        ("", None, 9),
        (&"x".repeat(300), None, 9),
    ] {
        assert_eq!(
            views.issued(issuer, after, limit).unwrap(),
            vec![],
            "{issuer}"
        );
    }
}

#[test]
fn a_history_is_that_of_every_account_ever_joined() {
    let mut log = Log::new();
    let [a, b, c, d] = [1, 2, 3, 4].map(handle);
    for learner in [a, b, c, d] {
        log.register(learner);
    }
    let (views, dir) = scratch();
    log.record("uni-a", a, "a");
    log.apply_to(&views);
    assert_eq!(history(&views, a), [0, 4]);
    log.merge(a, b);
    log.apply_to(&views);
    assert_eq!(history(&views, a), [0, 1, 4, 5, 6]);
    assert_eq!(history(&views, b), history(&views, a));
    // The status of a's record lies on b's chain from now on.
    log.revoke("uni-a", b, "a");
    log.merge(b, c);
    log.separate(a, b);
    log.record("uni-a", a, "b");
    log.apply_to(&views);
    let all = [0, 1, 2, 4, 5, 6, 7, 8, 9, 10, 11, 12];
    for learner in [a, b, c] {
        assert_eq!(history(&views, learner), all);
    }
    assert_eq!(history(&views, d), [3]);
    assert_eq!(history(&views, handle(5)), [0_u64; 0]);
    views.close().unwrap();
    drop(views);
    assert_eq!(history(&open(dir.path()).0, c), all);
}

#[test]
fn what_is_pending_shrinks_when_an_account_is_bound() {
    let mut log = Log::new();
    let [person, p, q, r, s] = [1, 2, 3, 4, 5].map(handle);
    log.register(person);
    for learner in [p, q, r, s] {
        log.provisional(learner);
    }
    let (views, dir) = scratch();
    log.apply_to(&views);
    assert_eq!(pending(&views), [p, q, r, s]);
    let page = views.pending(Some(Position(1)), 2).unwrap();
    assert_eq!(page, [(Position(2), q), (Position(3), r)]);
    assert_eq!(views.pending(Some(Position(4)), 2).unwrap(), []);

    log.merge(q, person);
    log.apply_to(&views);
    assert_eq!(pending(&views), [p, r, s]);
    log.separate(q, person);
    log.apply_to(&views);
    assert_eq!(pending(&views), [p, q, r, s], "given back, it waits again");
    log.one("", q, Body::LearnerUpdated(profile()));
    log.erase(p, &[p], erased());
    log.merge(r, person);
    log.erase(person, &[person, r], Body::LearnerIdentityErased);
    log.apply_to(&views);
    assert_eq!(pending(&views), [s]);
    log.separate(r, person);
    log.apply_to(&views);
    assert_eq!(
        pending(&views),
        [s],
        "nothing tells any more that it was provisional"
    );
    drop(views);

    // From the log as it is now, and from where the mark was, the same.
    let (rebuilt, _other) = scratch();
    log.apply_to(&rebuilt);
    assert_eq!(pending(&rebuilt), [s]);
    let resumed = open(dir.path()).0;
    log.apply_to(&resumed);
    assert_eq!(pending(&resumed), [s]);
}

#[test]
fn half_of_a_pair_is_left_for_next_time() {
    let mut log = Log::new();
    let [a, b] = [1, 2].map(handle);
    log.register(a);
    log.register(b);
    log.merge(a, b);
    let (views, _dir) = scratch();
    let records = log.records(0);
    views.apply(&records[..3]).unwrap();
    assert_eq!(views.applied(), 2);
    assert_eq!(history(&views, a), [0]);
    views.apply(&records[2..]).unwrap();
    assert_eq!(history(&views, a), [0, 1, 2, 3]);
}

#[test]
fn only_what_comes_next_is_applied() {
    let mut log = Log::new();
    let learner: Handle = handle(1);
    log.register(learner);
    log.record("uni-a", learner, "a");
    log.record("uni-a", learner, "b");
    let (views, _dir) = scratch();
    let records = log.records(0);
    views.apply(&records[..1]).unwrap();
    let gap = views.apply(&records[2..]).unwrap_err();
    assert_eq!(
        gap.to_string(),
        "the record at 1 comes next, not the one at 2"
    );
    views.apply(&records).unwrap();
    views.apply(&records).unwrap();
    views.apply(&[]).unwrap();
    assert_eq!(history(&views, learner), [0, 1, 2]);

    let mut other = Log::new();
    for _ in 0..4 {
        other.provisional(learner);
    }
    let fault = views.apply(&other.records(3)).unwrap_err();
    assert!(fault.calls_for_rebuild(), "{fault}");
    assert_eq!(history(&views, learner), [0, 1, 2]);
}
