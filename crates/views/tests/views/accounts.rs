//! Accounts and balances: folded from bodies, summed up, erased.

use std::collections::BTreeSet;

use ledger::account::{Balance, HoldingState};
use ledger::codec::number_of;
use ledger::words::Origin;
use ledger::{Account, Body, Event, EventKind, Handle, Timestamp};
use store::EventStore;
use store::contract::block_on;
use views::Views;

use crate::sample::{
    Log, SECRET, achievement, day, erased, event, handle, history, open, profile, scratch, status,
    superseded,
};

/// Folds what lies below a size on the chains of all accounts ever joined, as the whole log tells.
pub(crate) fn folded(log: &Log, learner: Handle, size: u64) -> Account {
    let records = log.records(0).into_iter();
    let below = records.take_while(|record| record.leaf.position.0 < size);
    let events: Vec<_> = below.map(|record| (event(&record), record.leaf)).collect();
    let only: Vec<Event> = events.iter().map(|(event, _)| event.clone()).collect();
    let joined = joined(&only, learner);
    let of_joined = events
        .into_iter()
        .filter(|(event, _)| event.learner.is_some_and(|on| joined.contains(&on)));
    let events = of_joined.map(|(event, leaf)| {
        let position = ledger::Position(leaf.position.0);
        (position, Timestamp(leaf.recorded_at.0), event)
    });
    Account::fold(learner, events, &SECRET)
}

/// Whether anyone who was ever joined with the account is erased as a whole.
fn is_erased(log: &Log, learner: Handle, size: u64) -> bool {
    let records = log.records(0);
    let below = records
        .iter()
        .filter(|record| record.leaf.position.0 < size);
    let joined = joined(below.map(event).collect::<Vec<_>>().as_slice(), learner);
    let mut erasures = records.iter().filter(|record| {
        record.leaf.position.0 < size && record.leaf.kind == number_of(EventKind::LearnerErased)
    });
    erasures.any(|record| event(record).learner.is_some_and(|on| joined.contains(&on)))
}

/// The account and all that were ever joined with it by these events.
fn joined(events: &[Event], learner: Handle) -> BTreeSet<Handle> {
    let mut joined = BTreeSet::from([learner]);
    let mut before = 0;
    while before < joined.len() {
        before = joined.len();
        for event in events {
            let pair = event.learner.zip(event.body.joined());
            let pair = pair.filter(|(on, _)| joined.contains(on));
            joined.extend(pair.map(|(_, other)| other));
        }
    }
    joined
}

pub(crate) fn balance(log: &Log, views: &Views, learner: Handle, on: &str) -> Balance {
    let answer = block_on(views.balance(&*log.store, learner, log.size(), day(on)));
    answer.unwrap().balance
}

/// Compares with the fold, now and as of earlier sizes.
pub(crate) fn check_balance(log: &Log, views: &Views, learner: Handle) {
    for size in [log.size(), log.size() / 2, log.size(), 1] {
        check_balance_at(log, views, learner, size);
    }
}

/// Asks twice, so that the second answer is from what was stored, and compares with the fold.
pub(crate) fn check_balance_at(log: &Log, views: &Views, learner: Handle, size: u64) {
    let account = folded(log, learner, size);
    let ask = |on: &str| block_on(views.balance(&*log.store, learner, size, day(on))).unwrap();
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
                ask(on).balance,
                expected,
                "{learner} on {on} at {size} of {}",
                log.size()
            );
        }
    }
    let answer = ask("2025-01-01");
    assert_eq!(answer.provisional, account.is_provisional());
    assert_eq!(answer.closed, account.is_closed());
    assert_eq!(answer.revision, account.revision());
    let read = block_on(views.account(&*log.store, learner, size)).unwrap();
    assert_eq!(
        read.statement(day("2025-01-01")),
        account.statement(day("2025-01-01"))
    );
    let is_open =
        !account.is_closed() && account.revision().0 > 0 && !is_erased(log, learner, size);
    let on = day("2025-01-01");
    let open = block_on(views.open_balance(&*log.store, learner, size, on)).unwrap();
    assert_eq!(open, is_open.then_some(answer), "{learner} at {size}");
    let open = block_on(views.open_account(&*log.store, learner, size)).unwrap();
    assert_eq!(
        open.map(|open| open.statement(on)),
        is_open.then(|| account.statement(on))
    );
    for issuer in ["uni-a", "uni-b", "uni-c"] {
        let holds = block_on(views.holds_of(&*log.store, learner, size, issuer)).unwrap();
        let names = account.holdings().filter_map(|held| held.name());
        let expected = names.into_iter().any(|name| name.issuer.as_str() == issuer);
        assert_eq!(holds, expected, "{learner} {issuer}");
    }
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
    log.one(
        "uni-a",
        a,
        Body::AchievementRecorded(expiring.clone().into()),
    );
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
    log.one("uni-a", a, Body::AchievementRecorded(plain.into()));
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

/// Erases every achievement behind the back of the views: who reads one sees it.
fn wipe(log: &mut Log) {
    let records = log.records(0).into_iter().map(|record| record.leaf);
    let recorded = records.filter(|leaf| leaf.kind == number_of(EventKind::AchievementRecorded));
    let positions: Vec<_> = recorded.map(|leaf| leaf.position).collect();
    let through = log.provisional(handle(200));
    block_on(log.store.erase(&positions, through)).unwrap();
}

#[test]
fn a_balance_that_is_up_to_date_reads_no_body() {
    let mut log = Log::new();
    let learner = handle(1);
    log.register(learner);
    log.record("uni-a", learner, "a");
    let (views, dir) = scratch();
    let before = balance(&log, &views, learner, "2025-01-01");
    log.apply_to(&views);
    views.close().unwrap();
    drop(views);
    let size = log.size();
    wipe(&mut log);
    let views = open(dir.path()).0;
    assert_eq!(balance(&log, &views, learner, "2025-01-01"), before);
    let earlier = block_on(views.balance(&*log.store, learner, size, day("2025-01-01")));
    assert_eq!(earlier.unwrap().balance, before);
    block_on(views.forget(&*log.store, &[learner])).unwrap();
    assert_ne!(balance(&log, &views, learner, "2025-01-01"), before);
}

#[test]
fn a_balance_needs_no_views() {
    let mut log = Log::new();
    let learner = handle(1);
    log.register(learner);
    log.record("uni-a", learner, "a");
    let (views, _dir) = scratch();
    check_balance(&log, &views, learner);
    assert_eq!(views.applied(), 0);
    log.record("uni-a", learner, "b");
    views.close().unwrap();
    check_balance(&log, &views, learner);
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
    block_on(views.forget(&*log.store, &[b])).unwrap();
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
    assert_eq!(history(&log, &views, a).len(), 7, "positions stay");
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
    // A log with the same chain that says something else: what is stored of the first would be taken.
    let mut other = Log::new();
    other.register(learner);
    other.record("uni-a", learner, "a");
    other.one("", learner, Body::LearnerUpdated(profile()));
    check_balance_at(&other, &views, learner, other.size());
}
