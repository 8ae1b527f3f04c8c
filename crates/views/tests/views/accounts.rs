//! Accounts and balances: folded from bodies, summed up, erased.

use ledger::account::{Balance, HoldingState};
use ledger::words::Origin;
use ledger::{Account, Body, Handle, Timestamp};
use store::EventStore;
use store::contract::block_on;
use views::Views;

use crate::sample::{
    LEDGER, Log, SECRET, achievement, day, erased, handle, history, options, scratch, status,
    superseded,
};

/// Folds the history as the test knows it.
fn folded(log: &Log, views: &Views, learner: Handle) -> Account {
    let positions = views.history(learner).unwrap();
    let records = block_on(log.store.get(&positions)).unwrap();
    let events = records.iter().map(|record| {
        let leaf = &record.leaf;
        let (issuer, submitter) = (leaf.issuer.as_str(), leaf.submitter.as_str());
        let of = leaf.learner.map(|link| Handle(link.handle.0));
        let event = match record.is_erased() {
            true => ledger::codec::erased(leaf.kind, issuer, submitter, of),
            false => ledger::codec::decode(leaf.kind, issuer, submitter, of, &record.body),
        };
        let position = ledger::Position(leaf.position.0);
        (position, Timestamp(leaf.recorded_at.0), event.unwrap())
    });
    Account::fold(learner, events, &SECRET)
}

pub(crate) fn balance(log: &Log, views: &Views, learner: Handle, on: &str) -> Balance {
    let answer = block_on(views.balance(&*log.store, &SECRET, learner, day(on))).unwrap();
    assert_eq!(answer.size, views.applied());
    answer.balance
}

/// Asks twice, so that the second answer is from what was stored, and compares with the fold.
pub(crate) fn check_balance(log: &Log, views: &Views, learner: Handle) {
    let account = folded(log, views, learner);
    for on in [
        "2024-12-31",
        "2025-01-01",
        "2025-06-30",
        "2025-07-01",
        "2030-01-01",
    ] {
        let expected = account.balance(day(on));
        for _ in 0..2 {
            assert_eq!(
                balance(log, views, learner, on),
                expected,
                "{learner} on {on}"
            );
        }
    }
    let answer = block_on(views.balance(&*log.store, &SECRET, learner, day("2025-01-01")));
    let answer = answer.unwrap();
    assert_eq!(answer.provisional, account.is_provisional());
    assert_eq!(answer.closed, account.is_closed());
    assert_eq!(answer.revision, account.revision());
    let (from_views, size) = block_on(views.account(&*log.store, &SECRET, learner)).unwrap();
    assert_eq!(size, views.applied());
    assert_eq!(
        from_views.balance(day("2025-01-01")),
        account.balance(day("2025-01-01"))
    );
}

#[test]
fn a_balance_follows_the_account_and_the_day() {
    let mut log = Log::new();
    let [a, b] = [1, 2].map(handle);
    let (views, _dir) = scratch();
    let check = |log: &Log| {
        log.apply_to(&views);
        for learner in [a, b, handle(3)] {
            check_balance(log, &views, learner);
        }
    };
    log.register(a);
    log.provisional(b);
    check(&log);
    let mut expiring = achievement("a");
    expiring.expires = Some(day("2024-12-31"));
    log.one("uni-a", a, Body::AchievementRecorded(expiring.clone()));
    log.record("uni-a", b, "b");
    check(&log);
    let on = |log: &Log, day| balance(log, &views, a, day).totals.contains_key("credit");
    assert!(on(&log, "2024-12-31") && !on(&log, "2025-01-01"));
    expiring.expires = Some(day("2025-06-30"));
    log.one("uni-a", a, superseded(expiring));
    check(&log);
    let mut plain = achievement("c");
    (plain.size, plain.level, plain.field) = (None, None, String::new());
    plain.origin = Origin::Assessed;
    log.one("uni-a", a, Body::AchievementRecorded(plain));
    check(&log);
    log.one("uni-a", a, Body::AchievementSuspended(status("a")));
    check(&log);
    log.merge(b, a);
    check(&log);
    log.one("uni-a", a, Body::AchievementReinstated(status("a")));
    log.revoke("uni-a", a, "b");
    check(&log);
    log.separate(b, a);
    check(&log);
    log.reassign("uni-a", "a", a, b);
    check(&log);
}

#[test]
fn a_balance_that_is_up_to_date_reads_no_body() {
    let mut log = Log::new();
    let learner = handle(1);
    log.register(learner);
    log.record("uni-a", learner, "a");
    let (views, dir) = scratch();
    log.apply_to(&views);
    let before = balance(&log, &views, learner, "2025-01-01");
    views.close().unwrap();
    drop(views);
    // Another store: whoever reads it finds nothing there.
    let empty = Log::new();
    let views = Views::open(dir.path(), LEDGER, options()).unwrap().0;
    assert_eq!(balance(&empty, &views, learner, "2025-01-01"), before);
    block_on(views.account(&*empty.store, &SECRET, learner)).unwrap_err();
    views.forget(&[learner]).unwrap();
    let read = views.balance(&*empty.store, &SECRET, learner, day("2025-01-01"));
    block_on(read).unwrap_err();
}

#[test]
fn erased_accounts_are_forgotten_and_folded_from_leaves() {
    let mut log = Log::new();
    let [a, b, c] = [1, 2, 3].map(handle);
    for learner in [a, b, c] {
        log.register(learner);
        log.record("uni-a", learner, &learner.to_string());
    }
    log.merge(a, b);
    let (views, _dir) = scratch();
    log.apply_to(&views);
    for learner in [a, b, c] {
        check_balance(&log, &views, learner);
    }
    log.erase(b, &[a, b], erased());
    log.apply_to(&views);
    views.forget(&[b]).unwrap();
    for learner in [a, b, c] {
        check_balance(&log, &views, learner);
    }
    let of_b = balance(&log, &views, b, "2025-01-01");
    assert!(of_b.totals.is_empty());
    assert!(
        of_b.lines
            .keys()
            .all(|key| key.state == HoldingState::Erased)
    );
    assert_eq!(history(&views, a).len(), 7, "positions stay");
    let of_c = balance(&log, &views, c, "2025-01-01");
    assert_eq!(of_c.totals["credit"].count, 1);
}

#[test]
fn nothing_is_stored_of_an_account_that_is_being_erased() {
    let mut log = Log::new();
    let learner = handle(1);
    log.register(learner);
    log.record("uni-a", learner, "a");
    // The event is there, the bodies still are.
    log.one("", learner, erased());
    let (views, _dir) = scratch();
    log.apply_to(&views);
    balance(&log, &views, learner, "2025-01-01");
    let empty = Log::new();
    let read = views.balance(&*empty.store, &SECRET, learner, day("2025-01-01"));
    block_on(read).unwrap_err();
}
