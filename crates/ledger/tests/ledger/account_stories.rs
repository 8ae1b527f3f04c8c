//! What a learner sees: short histories, and the statement and balance that they give.

use expect_test::{Expect, expect};
use ledger::account::{Entry, EntryKind};
use ledger::event::{
    AchievementReassigned, AchievementReceived, AchievementSuperseded, LearnerErased,
    LearnerRegistered, Opening,
};
use ledger::words::{
    Achievement, LearnerProfile, Origin, ProvisionalReference, Size, StudentNumber,
};
use ledger::{Body, Credits, EventKind, Handle};

use crate::account_history::{ANNA, BOB, CARA, History, course, day, issuer, named};

fn superseded(achievement: Achievement) -> Body {
    let reason = "typing error".to_owned();
    Body::AchievementSuperseded(AchievementSuperseded {
        achievement: achievement.into(),
        reason,
        signature: None,
    })
}

/// The statement and the balance, as a learner would see them.
#[allow(clippy::needless_pass_by_value, reason = "as expect! gives it")]
fn check(history: &History, learner: Handle, today: &str, expected: Expect) {
    let today = day(today);
    let account = history.account(learner);
    let mut shown = String::new();
    for entry in account.statement(today) {
        shown += &line(&entry);
    }
    for (unit, sum) in account.balance(today).totals {
        shown += &format!("= {} {unit} in {}\n", sum.amount, sum.count);
    }
    for (key, sum) in account.balance(today).lines {
        let unit = if key.unit.is_empty() { "-" } else { &key.unit };
        shown += &format!("  {:?} {} {unit} in {}\n", key.state, sum.amount, sum.count);
    }
    expected.assert_eq(&shown);
}

fn line(entry: &Entry) -> String {
    let position = entry
        .position
        .map_or("-".to_owned(), |position| position.0.to_string());
    let amount = |sign, amount: Option<Credits>| {
        amount.map_or(String::new(), |amount| format!(" {sign}{amount}"))
    };
    let record = entry
        .name
        .as_ref()
        .map_or(String::new(), |name| format!(" {}", name.record_id));
    let balance = entry
        .balance
        .map_or(String::new(), |b| format!(" = {b} {}", entry.unit));
    let note = if entry.note.is_empty() {
        String::new()
    } else {
        format!(" ({})", entry.note)
    };
    format!(
        "{} {position} {:?}{record}{}{}{balance}{note}\n",
        entry.at.date(),
        entry.kind,
        amount('-', entry.amount_out),
        amount('+', entry.amount_in),
    )
}

#[test]
fn deposits_corrections_and_revocations() {
    let mut history = History::default();
    let hours = Size {
        amount: Credits::from_thousandths(40_000),
        unit: "h".to_owned(),
    };
    history
        .register(ANNA)
        .record(ANNA, course("r1", "A", 3))
        .record(
            ANNA,
            Achievement {
                size: None,
                ..course("r2", "B", 0)
            },
        )
        .push(ANNA, superseded(course("r1", "A", 4)))
        .status(ANNA, "r1", Body::AchievementSuspended)
        .push(ANNA, superseded(course("r1", "A", 5)))
        .status(ANNA, "r1", Body::AchievementReinstated)
        .push(
            ANNA,
            superseded(Achievement {
                size: Some(hours),
                ..course("r1", "A", 0)
            }),
        )
        .record(ANNA, course("r3", "C", 0))
        .status(ANNA, "r1", Body::AchievementRevoked);
    check(
        &history,
        ANNA,
        "2026-12-31",
        expect![[r#"
        2026-01-01 0 Registered
        2026-01-02 10 Recorded r1 +3 = 3 cr
        2026-01-03 20 Recorded r2
        2026-01-04 30 Superseded r1 -3 +4 = 4 cr (typing error)
        2026-01-05 40 Suspended r1 -4 = 0 cr (as the board decided)
        2026-01-06 50 Superseded r1 = 0 cr (typing error; suspended)
        2026-01-07 60 Reinstated r1 +5 = 5 cr (as the board decided)
        2026-01-08 70 Superseded r1 -5 = 0 cr (typing error)
        2026-01-08 70 Superseded r1 +40 = 40 h (typing error)
        2026-01-09 80 Recorded r3 +0 = 0 cr
        2026-01-10 90 Revoked r1 -40 = 0 h (as the board decided)
        = 0 cr in 1
          Recorded 0 - in 1
          Recorded 0 cr in 1
          Superseded 12 cr in 3
          Revoked 40 h in 1
    "#]],
    );
}

#[test]
fn expiry_is_an_entry_on_the_day_after() {
    let until = |last: &str, content| Achievement {
        expires: Some(day(last)),
        ..content
    };
    let mut history = History::default();
    history
        .record(ANNA, until("2026-01-03", course("first-aid", "FA", 1)))
        .record(ANNA, until("2025-12-31", course("old", "OLD", 2)))
        .record(ANNA, until("2026-03-01", course("long", "L", 4)))
        .record(
            ANNA,
            until(
                "2026-01-05",
                Achievement {
                    size: None,
                    ..course("card", "CARD", 0)
                },
            ),
        )
        .record(ANNA, course("r5", "E", 8))
        .push(
            ANNA,
            superseded(until("2026-06-30", course("first-aid", "FA", 1))),
        )
        .status(ANNA, "first-aid", Body::AchievementRevoked);
    check(
        &history,
        ANNA,
        "2026-03-01",
        expect![[r#"
        2026-01-01 0 Recorded first-aid +1 = 1 cr
        2026-01-02 10 Recorded old = 1 cr (valid until 2025-12-31)
        2026-01-03 20 Recorded long +4 = 5 cr
        2026-01-04 - Expired first-aid -1 = 4 cr (valid until 2026-01-03)
        2026-01-04 30 Recorded card
        2026-01-05 40 Recorded r5 +8 = 12 cr
        2026-01-06 - Expired card (valid until 2026-01-05)
        2026-01-06 50 Superseded first-aid +1 = 13 cr (typing error)
        2026-01-07 60 Revoked first-aid -1 = 12 cr (as the board decided)
        = 12 cr in 2
          Expired 0 - in 1
          Recorded 12 cr in 2
          Revoked 1 cr in 1
          Expired 2 cr in 1
          Superseded 1 cr in 1
    "#]],
    );
    let account = history.account(ANNA);
    let kinds = |today| -> Vec<EntryKind> {
        let expired = |entry: &Entry| entry.kind == EntryKind::Expired;
        account
            .statement(day(today))
            .iter()
            .filter(|e| expired(e))
            .map(|e| e.kind)
            .collect()
    };
    // The day decides: on the last day it is still valid.
    assert_eq!(kinds("2026-01-03").len(), 0);
    assert_eq!(kinds("2026-01-04").len(), 1);
    assert_eq!(kinds("2026-03-01").len(), 2);
    assert_eq!(kinds("2026-03-02").len(), 3);
}

#[test]
fn what_is_no_deposit_or_part_of_a_whole_does_not_count() {
    let part = |id: &str, of: &str, credits| Achievement {
        part_of: Some(named(of)),
        ..course(id, id, credits)
    };
    let exempted = Achievement {
        origin: Origin::Exempted,
        source: Some(named("elsewhere")),
        ..course("exempted", "X", 5)
    };
    let mut history = History::default();
    history
        .record(ANNA, exempted)
        .record(ANNA, part("unit", "module", 1))
        .record(ANNA, part("module", "diploma", 6))
        .record(ANNA, course("diploma", "diploma", 60))
        .status(ANNA, "module", Body::AchievementRevoked)
        .status(ANNA, "diploma", Body::AchievementSuspended)
        .status(ANNA, "diploma", Body::AchievementReinstated)
        .push(ANNA, superseded(course("diploma", "diploma", 0)));
    check(
        &history,
        ANNA,
        "2026-12-31",
        expect![[r#"
            2026-01-01 0 Recorded exempted = 0 cr (exempted: no deposit)
            2026-01-02 10 Recorded unit +1 = 1 cr
            2026-01-03 20 Recorded module +6 = 7 cr
            2026-01-03 20 Adjusted unit -1 = 6 cr (part of module of school and not counted besides it)
            2026-01-04 30 Recorded diploma +60 = 66 cr
            2026-01-04 30 Adjusted module -6 = 60 cr (part of diploma of school and not counted besides it)
            2026-01-05 40 Revoked module = 60 cr (as the board decided)
            2026-01-06 50 Suspended diploma -60 = 0 cr (as the board decided)
            2026-01-06 50 Adjusted unit +1 = 1 cr (counts now)
            2026-01-07 60 Reinstated diploma +60 = 61 cr (as the board decided)
            2026-01-07 60 Adjusted unit -1 = 60 cr (part of module of school and not counted besides it)
            2026-01-08 70 Superseded diploma -60 +0 = 0 cr (typing error)
            2026-01-08 70 Adjusted unit +1 = 1 cr (counts now)
            = 1 cr in 2
              Recorded 1 cr in 2
              Revoked 6 cr in 1
              Superseded 60 cr in 1
              NoDeposit 5 cr in 1
        "#]],
    );
}

#[test]
fn a_part_that_is_superseded_still_does_not_count() {
    let part = |credits| Achievement {
        part_of: Some(named("whole")),
        ..course("part", "P", credits)
    };
    let mut history = History::default();
    history
        .record(ANNA, course("whole", "W", 6))
        .record(ANNA, part(2))
        .push(ANNA, superseded(part(3)));
    check(
        &history,
        ANNA,
        "2026-12-31",
        expect![[r#"
        2026-01-01 0 Recorded whole +6 = 6 cr
        2026-01-02 10 Recorded part = 6 cr (part of whole of school and not counted besides it)
        2026-01-03 20 Superseded part = 6 cr (typing error; part of whole of school and not counted besides it)
        = 6 cr in 1
          Recorded 6 cr in 1
          Superseded 2 cr in 1
          NoDeposit 3 cr in 1
    "#]],
    );
}

#[test]
fn a_merge_brings_everything_in_and_the_later_of_two_equal_results_does_not_count() {
    let mut history = History::default();
    history
        .register(ANNA)
        .register(BOB)
        .record(BOB, course("b1", "A", 3))
        .record(ANNA, course("a1", "A", 3))
        .record(BOB, course("b2", "B", 5))
        .merge(BOB, ANNA)
        .status(ANNA, "b1", Body::AchievementRevoked)
        .record(ANNA, course("a2", "C", 7))
        .separate(ANNA, BOB)
        .record(BOB, course("b3", "D", 9));
    check(
        &history,
        ANNA,
        "2026-12-31",
        expect![[r#"
        2026-01-01 0 Registered
        2026-01-04 30 Recorded a1 +3 = 3 cr
        2026-01-07 60 Absorbed (one person)
        2026-01-07 60 Absorbed b1 +3 = 6 cr
        2026-01-07 60 Absorbed b2 +5 = 11 cr
        2026-01-07 60 Adjusted a1 -3 = 8 cr (the same result as b1 of school)
        2026-01-08 70 Revoked b1 -3 = 5 cr (as the board decided)
        2026-01-08 70 Adjusted a1 +3 = 8 cr (counts now)
        2026-01-09 80 Recorded a2 +7 = 15 cr
        2026-01-10 90 Separated (two persons)
        2026-01-10 90 Separated b1 = 15 cr
        2026-01-10 90 Separated b2 -5 = 10 cr
        = 10 cr in 2
          Recorded 10 cr in 2
    "#]],
    );
    check(
        &history,
        BOB,
        "2026-12-31",
        expect![[r#"
        2026-01-02 10 Registered
        2026-01-03 20 Recorded b1 +3 = 3 cr
        2026-01-05 40 Recorded b2 +5 = 8 cr
        2026-01-06 50 Merged (one person)
        2026-01-06 50 Merged b1 -3 = 5 cr
        2026-01-06 50 Merged b2 -5 = 0 cr
        2026-01-11 100 Reopened (two persons)
        2026-01-11 100 Reopened b1 = 0 cr (revoked)
        2026-01-11 100 Reopened b2 +5 = 5 cr
        2026-01-12 110 Recorded b3 +9 = 14 cr
        = 14 cr in 2
          Recorded 14 cr in 2
          Revoked 3 cr in 1
    "#]],
    );
    let anna = history.account(ANNA);
    assert_eq!(anna.members().collect::<Vec<_>>(), [ANNA]);
    assert_eq!(anna.revision().0, 6);
    assert_eq!(
        anna.record_names().cloned().collect::<Vec<_>>(),
        [named("a1"), named("a2")]
    );
}

#[test]
fn merges_are_transitive() {
    let mut history = History::default();
    history
        .record(CARA, course("c", "C", 1))
        .record(BOB, course("b", "B", 2))
        .merge(CARA, BOB)
        .merge(BOB, ANNA)
        .record(ANNA, course("a", "A", 4))
        .separate(ANNA, BOB);
    check(
        &history,
        ANNA,
        "2026-12-31",
        expect![[r#"
        2026-01-06 50 Absorbed (one person)
        2026-01-06 50 Absorbed c +1 = 1 cr
        2026-01-06 50 Absorbed b +2 = 3 cr
        2026-01-07 60 Recorded a +4 = 7 cr
        2026-01-08 70 Separated (two persons)
        2026-01-08 70 Separated c -1 = 6 cr
        2026-01-08 70 Separated b -2 = 4 cr
        = 4 cr in 1
          Recorded 4 cr in 1
    "#]],
    );
    check(
        &history,
        CARA,
        "2026-12-31",
        expect![[r#"
        2026-01-01 0 Recorded c +1 = 1 cr
        2026-01-03 20 Merged (one person)
        2026-01-03 20 Merged c -1 = 0 cr
    "#]],
    );
    assert!(history.account(CARA).is_closed());
    assert_eq!(
        history.account(BOB).members().collect::<Vec<_>>(),
        [BOB, CARA]
    );
}

#[test]
fn a_reassigned_record_leaves_one_account_and_comes_to_the_other() {
    let moved = AchievementReassigned {
        record_id: "r".to_owned(),
        to: BOB,
        reason: "another person".to_owned(),
    };
    let received = AchievementReceived {
        achievement: course("r", "A", 3).into(),
        from: ANNA,
        suspended: true,
        signature: None,
    };
    let mut history = History::default();
    history
        .record(ANNA, course("r", "A", 2))
        .push(ANNA, superseded(course("r", "A", 3)))
        .status(ANNA, "r", Body::AchievementSuspended)
        .push(ANNA, Body::AchievementReassigned(moved))
        .push(BOB, Body::AchievementReceived(received))
        .status(BOB, "r", Body::AchievementReinstated);
    check(
        &history,
        ANNA,
        "2026-12-31",
        expect![[r#"
        2026-01-01 0 Recorded r +2 = 2 cr
        2026-01-02 10 Superseded r -2 +3 = 3 cr (typing error)
        2026-01-03 20 Suspended r -3 = 0 cr (as the board decided)
        2026-01-04 30 Reassigned r = 0 cr (another person)
    "#]],
    );
    check(
        &history,
        BOB,
        "2026-12-31",
        expect![[r#"
        2026-01-05 40 Received r = 0 cr (suspended)
        2026-01-06 50 Reinstated r +3 = 3 cr (as the board decided)
        = 3 cr in 1
          Recorded 3 cr in 1
    "#]],
    );
    assert_eq!(
        history.account(ANNA).state(&named("r"), day("2026-12-31")),
        None
    );
    assert_eq!(history.account(BOB).versions(&named("r")).len(), 1);
}

#[test]
fn a_provisional_account_holds_nothing_that_counts() {
    let student = StudentNumber {
        institution: issuer(),
        number: "S1".to_owned(),
    };
    let opening = Opening::Provisional(ProvisionalReference::Student(student));
    let request_id = String::new();
    let mut history = History::default();
    history
        .push(
            BOB,
            Body::LearnerRegistered(LearnerRegistered {
                opening,
                request_id,
            }),
        )
        .record(BOB, course("r", "A", 3))
        .register(ANNA)
        .merge(BOB, ANNA);
    let mut before = History {
        events: history.events[..2].to_vec(),
    };
    check(
        &before,
        BOB,
        "2026-12-31",
        expect![[r#"
        2026-01-01 0 Registered
        2026-01-02 10 Recorded r = 0 cr (pending: the account is not bound to a person yet)
          Pending 3 cr in 1
    "#]],
    );
    assert!(before.account(BOB).is_provisional());
    check(
        &history,
        ANNA,
        "2026-12-31",
        expect![[r#"
        2026-01-03 20 Registered
        2026-01-05 40 Absorbed (one person)
        2026-01-05 40 Absorbed r +3 = 3 cr
        = 3 cr in 1
          Recorded 3 cr in 1
    "#]],
    );
    before.push(BOB, Body::LearnerUpdated(LearnerProfile::default()));
    check(
        &before,
        BOB,
        "2026-12-31",
        expect![[r#"
        2026-01-01 0 Registered
        2026-01-02 10 Recorded r = 0 cr (pending: the account is not bound to a person yet)
        2026-01-03 20 Updated
        2026-01-03 20 Adjusted r +3 = 3 cr (counts now)
        = 3 cr in 1
          Recorded 3 cr in 1
    "#]],
    );
}

#[test]
fn an_erasure_leaves_that_something_was() {
    let mut history = History::default();
    history
        .register(ANNA)
        .record(BOB, course("b1", "A", 3))
        .merge(BOB, ANNA)
        .record(ANNA, course("a1", "B", 5));
    let account = history.account(ANNA);
    let positions = |erasure| -> Vec<u64> {
        account
            .covered_by(erasure)
            .into_iter()
            .map(|(position, _)| position.0)
            .collect()
    };
    assert_eq!(positions(EventKind::LearnerErased), [0, 10, 40]);
    assert_eq!(positions(EventKind::LearnerIdentityErased), [0]);
    history.push(
        ANNA,
        Body::LearnerErased(LearnerErased {
            suppressed: Vec::new(),
        }),
    );
    // As long as the bodies are still there, what was in goes out.
    check(
        &history,
        ANNA,
        "2026-12-31",
        expect![[r#"
        2026-01-01 0 Registered
        2026-01-04 30 Absorbed (one person)
        2026-01-04 30 Absorbed b1 +3 = 3 cr
        2026-01-05 40 Recorded a1 +5 = 8 cr
        2026-01-06 50 Erased
        2026-01-06 50 Erased -3 = 5 cr
        2026-01-06 50 Erased -5 = 0 cr
          Erased 0 - in 2
    "#]],
    );
    assert_eq!(
        history.account(ANNA).covered_by(EventKind::LearnerErased),
        []
    );
    for (position, _, event) in &mut history.events {
        if [0, 10, 40].contains(&position.0) {
            event.body = Body::Erased(event.body.kind());
        }
    }
    check(
        &history,
        ANNA,
        "2026-12-31",
        expect![[r#"
            2026-01-01 0 Erased
            2026-01-04 30 Absorbed (one person)
            2026-01-04 30 Absorbed (erased)
            2026-01-05 40 Erased
            2026-01-06 50 Erased
              Erased 0 - in 2
        "#]],
    );
    let account = history.account(ANNA);
    assert_eq!(account.record_names().count(), 0);
    assert_eq!(account.covered_by(EventKind::LearnerErased), []);
}

#[test]
fn an_erased_identity_leaves_the_achievements() {
    let mut history = History::default();
    history
        .register(ANNA)
        .record(ANNA, course("r", "A", 3))
        .push(ANNA, Body::LearnerIdentityErased);
    history.events[0].2.body = Body::Erased(EventKind::LearnerRegistered);
    check(
        &history,
        ANNA,
        "2026-12-31",
        expect![[r#"
        2026-01-01 0 Erased
        2026-01-02 10 Recorded r +3 = 3 cr
        2026-01-03 20 Erased
        = 3 cr in 1
          Recorded 3 cr in 1
    "#]],
    );
}
