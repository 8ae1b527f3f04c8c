//! The lists of positions: histories, what an institution issued, what is pending.

use chain::Position;
use ledger::{Body, Handle};
use store::contract::block_on;
use views::{Candidates, Search, Views};

use crate::sample::{
    Log, achievement, all_of, day, erased, found, handle, history, issued, open, open_with,
    pending, pending_at, profile, scratch, superseded,
};

#[test]
fn histories_and_lists_are_whole_around_the_length_of_a_chunk() {
    for events in [0_u8, 1, 126, 127, 128, 129, 130, 255] {
        let mut log = Log::new();
        let learner = handle(1);
        let content = || Body::AchievementRecorded(achievement("a").into());
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
        log.apply(&views, &early).unwrap();
        log.apply(&views, &late).unwrap();
        let code = achievement("a").code;
        let of_code = Search {
            code: Some(&code),
            ..all_of("uni-a")
        };
        let check = |views: &Views| {
            assert_eq!(history(&log, views, learner), expected);
            assert_eq!(issued(views, "uni-a"), expected);
            let found = found(views, &of_code, log.size(), 7);
            assert_eq!(found.iter().map(|p| p.0).collect::<Vec<_>>(), expected);
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
        let found = found(&views, &all_of("uni-ab"), log.size(), limit);
        assert_eq!(found, expected, "pages of {limit}");
    }
    for size in [0, 1, 2, 3, 299, 300, 599, 600, 601] {
        let found = found(&views, &all_of("uni-ab"), size, 50);
        let below = expected.iter().filter(|position| position.0 < size);
        assert_eq!(found, below.copied().collect::<Vec<_>>(), "as of {size}");
    }
    let between = views
        .search(&all_of("uni-ab"), Some(Position(301)), u64::MAX, 1)
        .unwrap();
    assert_eq!(
        between.positions.first(),
        expected.iter().find(|position| position.0 > 301)
    );
    for (issuer, after) in [
        ("uni-ab", Some(Position(u64::MAX))),
        ("uni", None),
        ("", None),
        (&*"x".repeat(300), None),
    ] {
        let nothing = Candidates::default();
        let found = views.search(&all_of(issuer), after, u64::MAX, 9);
        assert_eq!(found.unwrap(), nothing, "{issuer}");
    }
}

#[test]
fn erased_achievements_are_under_no_code_and_no_day() {
    let mut log = Log::new();
    let [a, b] = [1, 2].map(handle);
    log.register(a);
    log.register(b);
    let positions = ["a", "b", "c"].map(|id| log.record("uni-a", a, id));
    let kept = log.record("uni-a", b, "a");
    log.one("uni-a", a, superseded(achievement("b")));
    let code = achievement("a").code;
    let searches = [
        Search {
            code: Some(&code),
            ..all_of("uni-a")
        },
        Search {
            awarded_from: Some(day("2000-01-01")),
            ..all_of("uni-a")
        },
    ];
    let (waiting, _dir) = scratch();
    log.apply_to(&waiting);
    let dir = tempfile::tempdir().unwrap();
    let written = open_with(dir.path(), 0);
    log.apply_to(&written);
    for views in [&waiting, &written] {
        let found = found(views, &searches[1], log.size(), 9);
        assert_eq!(found, [&positions[..], &[kept]].concat());
    }
    log.erase(a, &[a], erased());
    // What is known goes with the call, and with the record of the erasure.
    block_on(waiting.forget(&*log.store, &[a])).unwrap();
    log.apply_to(&written);
    let (rebuilt, _other) = scratch();
    log.apply_to(&rebuilt);
    for views in [&waiting, &written, &rebuilt] {
        for search in &searches {
            assert_eq!(found(views, search, log.size(), 9), [kept]);
        }
        assert_eq!(issued(views, "uni-a").len(), 4, "positions stay");
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
    assert_eq!(history(&log, &views, a), [0, 4]);
    log.merge(a, b);
    log.apply_to(&views);
    assert_eq!(history(&log, &views, a), [0, 1, 4, 5, 6]);
    assert_eq!(history(&log, &views, b), history(&log, &views, a));
    // The status of a's record lies on b's chain from now on.
    log.revoke("uni-a", b, "a");
    log.merge(b, c);
    log.separate(a, b);
    log.record("uni-a", a, "b");
    log.apply_to(&views);
    let all = [0, 1, 2, 4, 5, 6, 7, 8, 9, 10, 11, 12];
    for learner in [a, b, c] {
        assert_eq!(history(&log, &views, learner), all);
    }
    assert_eq!(history(&log, &views, d), [3]);
    assert_eq!(history(&log, &views, handle(5)), [0_u64; 0]);
    views.close().unwrap();
    drop(views);
    assert_eq!(history(&log, &open(dir.path()).0, c), all);
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
    let page = views.pending(Some(Position(1)), 2, u64::MAX).unwrap();
    assert_eq!(page.0, [(Position(2), q), (Position(3), r)]);
    let page = views.pending(Some(Position(4)), 2, u64::MAX).unwrap();
    assert_eq!(page, (vec![], None));

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
fn what_was_pending_earlier_is_told_too() {
    // So many that they are no longer looked at one by one.
    for settled in [3_u16, 600] {
        let mut log = Log::new();
        let (person, provisional) = (handle(255), |number: u16| {
            let [high, low] = number.to_be_bytes();
            Handle([1, high, low, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0])
        });
        log.register(person);
        let mut waited = vec![];
        for number in 1..=settled {
            log.provisional(provisional(number));
            waited.push((
                log.size(),
                (1..=number).map(provisional).collect::<Vec<_>>(),
            ));
        }
        for number in (1..=settled).rev() {
            log.merge(provisional(number), person);
            waited.push((log.size(), (1..number).map(provisional).collect()));
        }
        log.separate(provisional(2), person);
        waited.push((log.size(), vec![provisional(2)]));
        let (views, _dir) = scratch();
        log.apply_to(&views);
        for (size, expected) in waited.into_iter().step_by(usize::from(settled / 5).max(1)) {
            for limit in [7, 1_000] {
                assert_eq!(pending_at(&views, size, limit), expected, "as of {size}");
            }
        }
    }
}

#[test]
fn half_of_a_pair_is_left_for_next_time() {
    let mut log = Log::new();
    let [a, b] = [1, 2].map(handle);
    log.provisional(a);
    log.register(b);
    log.merge(a, b);
    let (views, _dir) = scratch();
    let records = log.records(0);
    log.apply(&views, &records[..3]).unwrap();
    assert_eq!(views.applied(), 2);
    assert_eq!(pending(&views), [a]);
    log.apply(&views, &records[2..]).unwrap();
    assert_eq!(pending(&views), []);
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
    log.apply(&views, &records[..1]).unwrap();
    let gap = log.apply(&views, &records[2..]).unwrap_err();
    assert_eq!(
        gap.to_string(),
        "the record at 1 comes next, not the one at 2"
    );
    log.apply(&views, &records).unwrap();
    log.apply(&views, &records).unwrap();
    log.apply(&views, &[]).unwrap();
    assert_eq!(issued(&views, "uni-a"), [1, 2]);

    let mut other = Log::new();
    for _ in 0..4 {
        other.provisional(learner);
    }
    let fault = log.apply(&views, &other.records(3)).unwrap_err();
    assert!(fault.calls_for_rebuild(), "{fault}");
    assert_eq!(issued(&views, "uni-a"), [1, 2]);
}
