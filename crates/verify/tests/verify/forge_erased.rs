//! Forged events beside honest erasures: what was erased excuses only what may have rested on it. Apart
//! from `forge`, where every body is there.

use expect_test::expect;

use ledger::event::{
    AchievementReassigned, AchievementReceived, AchievementStatus, Counterpart, LearnerErased,
};
use ledger::{Action, Body, Event, Handle};

use crate::bank::{
    Bank, achievement, by_handle, event, handle, id, merge, number, reassign, record, register,
    student, submit, supersede,
};
use crate::forge::{forged, other, recorded, registered, status};
use crate::image::{Image, findings};

/// Records an erasure and carries it out on these learners' chains.
fn erase(bank: &mut Bank, action: Action, learners: &[u8]) {
    let identity_only = matches!(action, Action::EraseIdentity { .. });
    bank.act("", action);
    carry_out(bank, identity_only, learners);
}

/// Overwrites what the last record, an erasure, covers on these learners' chains.
fn carry_out(bank: &mut Bank, identity_only: bool, learners: &[u8]) {
    let is_covered = |record: &chain::Record| {
        let kind = record.leaf.kind;
        let on_chain = |n: &u8| record.leaf.learner.is_some_and(|l| l.handle.0 == [*n; 16]);
        let is_identity = (30..=33).contains(&kind);
        learners.iter().any(on_chain) && (is_identity || (kind >= 50 && !identity_only))
    };
    let records = bank.blocks.iter().flat_map(|block| block.records());
    let covered: Vec<u64> = records
        .filter(|record| is_covered(record) && !record.is_erased())
        .map(|record| record.leaf.position.0)
        .collect();
    covered.into_iter().for_each(|position| bank.zero(position));
}

fn erase_identity(bank: &mut Bank, learner: u8, learners: &[u8]) {
    let expected = bank.tip_revision(handle(learner));
    let learner = handle(learner);
    erase(bank, Action::EraseIdentity { learner, expected }, learners);
}

fn erase_all(bank: &mut Bank, learner: u8, records: &[&str], learners: &[u8]) {
    let action = Action::EraseLearner {
        learner: handle(learner),
        suppressed: suppressing(bank, records),
        expected: bank.tip_revision(handle(learner)),
    };
    erase(bank, action, learners);
}

fn suppressing(bank: &Bank, records: &[&str]) -> Vec<ledger::Key> {
    let secret = bank.state.secret().unwrap();
    let key = |id: &&str| secret.record_name(&record("uni", id));
    let mut suppressed: Vec<_> = records.iter().map(key).collect();
    suppressed.sort();
    suppressed
}

fn unlink(bank: &mut Bank, text: &str) {
    let student = number("uni", text);
    bank.act("uni", Action::UnlinkIdentity { student });
}

fn separate(bank: &mut Bank, from: u8) {
    let (from, reason) = (handle(from), "two people".to_owned());
    bank.act("", Action::SeparateLearners { from, reason });
}

fn linked(n: u8, text: &str) -> Event {
    let body = Body::IdentityLinked(number("uni", text));
    event("uni", Some(handle(n)), body)
}

/// Clean, and that many events were not judged because of what has been erased.
fn assert_excused(bank: &Bank, resting_on_erased: u64) {
    let report = Image::of(bank).verify();
    assert_eq!(findings(&report), "");
    assert_eq!(report.admissions.resting_on_erased, resting_on_erased);
}

#[test]
fn a_stolen_student_number_is_found_though_an_unlink_elsewhere_is_erased() {
    let mut bank = Bank::sample();
    unlink(&mut bank, "S2");
    erase_identity(&mut bank, 2, &[2]);
    forged(
        bank,
        &[linked(2, "S1")],
        expect![[r#"
        position 25, segment 1, byte 3273: every_event_is_admitted_by_the_rules_of_its_day
          expected an event that the rules admit, not this IDENTITY_LINKED
          found STUDENT_NUMBER_TAKEN: the student number is linked to another learner; unlink it or merge the accounts
    "#]],
    );
}

/// What was unlinked before the number was linked has not freed it.
#[test]
fn a_stolen_student_number_is_found_though_an_earlier_unlink_of_its_holder_is_erased() {
    let mut bank = Bank::sample();
    unlink(&mut bank, "S1");
    erase_identity(&mut bank, 1, &[1, 3]);
    bank.force(&[linked(1, "S5")]);
    forged(
        bank,
        &[linked(2, "S5")],
        expect![[r#"
            position 26, segment 1, byte 3566: every_event_is_admitted_by_the_rules_of_its_day
              expected an event that the rules admit, not this IDENTITY_LINKED
              found STUDENT_NUMBER_TAKEN: the student number is linked to another learner; unlink it or merge the accounts
        "#]],
    );
}

/// Learner 2 was merged into 1 when its number was unlinked: the unlink goes with the identity of 1.
#[test]
fn a_student_number_whose_unlink_is_erased_may_be_linked_again() {
    let mut bank = Bank::sample();
    bank.act("", merge(2, 1));
    unlink(&mut bank, "S2");
    separate(&mut bank, 2);
    erase_identity(&mut bank, 1, &[1, 3]);
    // The college merged its provisional account, which is all that is not judged until here.
    assert_excused(&bank, 1);
    let mut linking = bank.clone();
    linking.force(&[linked(1, "S2")]);
    assert_excused(&linking, 2);
    // The same number opens a provisional account.
    bank.act("uni", submit("uni", "r9", "CS-9", student("uni", "S2"), 91));
    assert_excused(&bank, 2);
}

#[test]
fn a_change_of_a_record_that_never_was_is_found_though_the_identity_is_erased() {
    let changed = |record_id: &str| AchievementStatus {
        reason: "fraud".to_owned(),
        ..status(record_id)
    };
    let mut bank = Bank::sample();
    erase_identity(&mut bank, 1, &[1, 3]);
    let events = [
        Body::AchievementRevoked(changed("r99")),
        Body::AchievementSuspended(changed("r99")),
        Body::AchievementReinstated(changed("r1")),
    ]
    .map(|body| event("uni", Some(handle(1)), body));
    forged(
        bank,
        &events,
        expect![[r#"
            position 24, segment 1, byte 2980: every_event_is_admitted_by_the_rules_of_its_day
              expected an event that the rules admit, not this ACHIEVEMENT_REVOKED
              found UNKNOWN_RECORD: uni has no record r99
            position 25, segment 1, byte 2980: every_event_is_admitted_by_the_rules_of_its_day
              expected an event that the rules admit, not this ACHIEVEMENT_SUSPENDED
              found UNKNOWN_RECORD: uni has no record r99
            position 26, segment 1, byte 2980: every_event_is_admitted_by_the_rules_of_its_day
              expected an event that the rules admit, not this ACHIEVEMENT_REINSTATED
              found RECORD_NOT_SUSPENDED: record r1 is not suspended
        "#]],
    );
}

/// A full erasure excuses nobody who never had anything to do with the learner.
#[test]
fn a_change_of_a_record_that_never_was_is_found_though_another_learner_is_erased() {
    let mut bank = Bank::opened();
    bank.group(&[("uni", register(1, &[])), ("uni", register(2, &[]))]);
    bank.act("uni", submit("uni", "r1", "CS-1", by_handle(1), 90));
    erase_all(&mut bank, 1, &["r1"], &[1]);
    let revoked = Body::AchievementRevoked(status("r99"));
    forged(
        bank,
        &[event("uni", Some(handle(2)), revoked)],
        expect![[r#"
        position 11, segment 0, byte 3161: every_event_is_admitted_by_the_rules_of_its_day
          expected an event that the rules admit, not this ACHIEVEMENT_REVOKED
          found UNKNOWN_RECORD: uni has no record r99
    "#]],
    );
}

/// The record stays with its learner for what follows, so only the erasure is blamed.
#[test]
fn a_suppressed_record_of_another_learner_is_found() {
    for is_carried_out in [false, true] {
        let mut bank = Bank::opened();
        bank.group(&[("uni", register(1, &[])), ("uni", register(2, &[]))]);
        bank.act("uni", submit("uni", "r1", "CS-1", by_handle(1), 90));
        bank.act("uni", submit("uni", "r2", "CS-2", by_handle(2), 90));
        let honest = bank.clone();
        let suppressed = suppressing(&bank, &["r1", "r2"]);
        let erased = Body::LearnerErased(LearnerErased { suppressed });
        bank.force(&[event("", Some(handle(2)), erased)]);
        bank.state = honest.state;
        if is_carried_out {
            carry_out(&mut bank, false, &[2]);
        }
        bank.act("uni", supersede("r1", "CS-1", "B"));
        let found = findings(&Image::of(&bank).verify());
        if is_carried_out {
            expect![[r#"
                position 11, segment 0, byte 3229: every_event_is_admitted_by_the_rules_of_its_day
                  expected an event that the rules admit, not this LEARNER_ERASED
                  found OUT_OF_PLACE: an event stands where the rules allow none such: an erasure suppresses a record of another learner
            "#]].assert_eq(&found);
        } else {
            expect![[r#"
                position 11, segment 0, byte 3229: every_event_is_admitted_by_the_rules_of_its_day
                  expected an event that the rules admit, not this LEARNER_ERASED
                  found OUT_OF_PLACE: an event stands where the rules allow none such: an erasure suppresses a record of another learner
                note: the erasure at position 11 has not been carried out: 2 bodies are still there; the next start of the ledger carries it out
            "#]].assert_eq(&found);
        }
    }
}

/// It was the learner's once: whose it is now is known from its arrival.
#[test]
fn a_suppressed_record_that_was_handed_over_before_is_found() {
    let mut bank = Bank::sample();
    let honest = bank.state.clone();
    let suppressed = suppressing(&bank, &["r3"]);
    let erased = Body::LearnerErased(LearnerErased { suppressed });
    bank.force(&[event("", Some(handle(2)), erased)]);
    bank.state = honest;
    carry_out(&mut bank, false, &[2]);
    expect![[r#"
        position 23, segment 1, byte 2704: every_event_is_admitted_by_the_rules_of_its_day
          expected an event that the rules admit, not this LEARNER_ERASED
          found OUT_OF_PLACE: an event stands where the rules allow none such: an erasure suppresses a record of another learner
    "#]].assert_eq(&findings(&Image::of(&bank).verify()));
}

/// Learner 1's record left it while 1 was merged into 2, for 3. With 2 and 3 erased nothing says so any
/// more: the record seems to be with 1.
#[test]
fn a_suppressed_record_whose_way_is_erased_is_not_called_another_learners() {
    let mut bank = Bank::opened();
    bank.group(&[
        ("uni", register(1, &[])),
        ("uni", register(2, &[])),
        ("uni", register(3, &[])),
    ]);
    bank.act("uni", submit("uni", "r1", "CS-1", by_handle(1), 90));
    bank.act("", merge(1, 2));
    bank.act("uni", reassign("r1", achievement("r1", "CS-1"), 3, "wrong"));
    separate(&mut bank, 1);
    erase_all(&mut bank, 3, &["r1"], &[3]);
    erase_all(&mut bank, 2, &[], &[2]);
    assert_excused(&bank, 1);
}

/// What was done to learner 1's records while 1 was merged into 2 is erased with 2.
#[test]
fn what_may_rest_on_erased_changes_is_excused() {
    let merged = || {
        let mut bank = Bank::opened();
        bank.group(&[("uni", register(1, &[])), ("uni", register(2, &[]))]);
        bank.act("uni", submit("uni", "r1", "CS-1", by_handle(1), 90));
        bank
    };
    let suspend = || Action::Suspend {
        name: record("uni", "r1"),
        reason: "audit".to_owned(),
    };
    // Suspended, reinstated by a record that is gone, and suspended again.
    let mut bank = merged();
    bank.act("uni", suspend());
    bank.act("", merge(1, 2));
    let (name, reason) = (record("uni", "r1"), "cleared".to_owned());
    bank.act("uni", Action::Reinstate { name, reason });
    separate(&mut bank, 1);
    erase_all(&mut bank, 2, &[], &[2]);
    bank.act("uni", suspend());
    assert_excused(&bank, 1);
    // The result became another one, so that a second record may claim the first.
    let mut bank = merged();
    bank.act("", merge(1, 2));
    bank.act("uni", supersede("r1", "CS-2", "B"));
    separate(&mut bank, 1);
    erase_all(&mut bank, 2, &[], &[2]);
    bank.act("uni", submit("uni", "r2", "CS-1", by_handle(1), 90));
    assert_excused(&bank, 1);
}

/// The leaf of an erased record still names who is said to have made it.
#[test]
fn an_erased_record_of_an_institution_that_never_was_is_found() {
    let mut bank = Bank::sample();
    bank.force(&[event("mill", Some(handle(2)), recorded("m1", "ART-1"))]);
    erase_all(&mut bank, 2, &[], &[2]);
    expect![[r#"
        position 23, segment 1, byte 2704: every_event_is_admitted_by_the_rules_of_its_day
          expected an event that the rules admit, not this ACHIEVEMENT_RECORDED
          found UNKNOWN_INSTITUTION: institution mill is not registered; ask the operator to register it
    "#]].assert_eq(&findings(&Image::of(&bank).verify()));
}

fn by(institution: &str, event: Event) -> Event {
    let institution = id(institution);
    Event {
        issuer: institution.clone(),
        submitter: institution,
        ..event
    }
}

fn on(learner: Handle, body: Body) -> Event {
    event("", Some(learner), body)
}

#[test]
fn a_second_event_of_a_pair_by_another_institution_is_found() {
    let merged = on(handle(2), Body::LearnerMerged(other(1)));
    let absorbed = on(handle(1), Body::LearnerAbsorbed(other(2)));
    forged(
        Bank::sample(),
        &[merged, by("uni", absorbed)],
        expect![[r#"
        position 24, segment 1, byte 2704: every_event_is_admitted_by_the_rules_of_its_day
          expected an event that the rules admit, not this LEARNER_ABSORBED
          found OUT_OF_PLACE: an event stands where the rules allow none such: the second event of a pair does not fit the first
    "#]],
    );
    let mut bank = Bank::sample();
    bank.act("", merge(2, 1));
    let separated = on(handle(1), Body::LearnersSeparated(other(2)));
    let reopened = on(handle(2), Body::LearnerReopened(other(1)));
    forged(
        bank,
        &[separated, by("uni", reopened)],
        expect![[r#"
        position 26, segment 1, byte 3238: every_event_is_admitted_by_the_rules_of_its_day
          expected an event that the rules admit, not this LEARNER_REOPENED
          found OUT_OF_PLACE: an event stands where the rules allow none such: the second event of a pair does not fit the first
    "#]],
    );
    let moved = |institution: &str| {
        let departed = Body::AchievementReassigned(AchievementReassigned {
            record_id: "r1".to_owned(),
            to: handle(2),
            reason: "a reason".to_owned(),
        });
        let mut achievement = achievement("r1", "CS-1");
        achievement.tier = "B".to_owned();
        let arrived = Body::AchievementReceived(AchievementReceived {
            signature: None,
            achievement: achievement.into(),
            from: handle(1),
            suspended: false,
        });
        let arrived = Event {
            submitter: id(institution),
            ..event("uni", Some(handle(2)), arrived)
        };
        [event("uni", Some(handle(1)), departed), arrived]
    };
    forged(Bank::sample(), &moved("uni"), expect![""]);
    forged(
        Bank::sample(),
        &moved("college"),
        expect![[r#"
        position 24, segment 1, byte 2704: every_event_is_admitted_by_the_rules_of_its_day
          expected an event that the rules admit, not this ACHIEVEMENT_RECEIVED
          found OUT_OF_PLACE: an event stands where the rules allow none such: the second event of a pair does not fit the first
    "#]],
    );
}

/// What is left of the first says who made it, erased or not.
#[test]
fn an_arrival_by_another_institution_is_found_though_the_departure_is_erased() {
    let mut bank = Bank::sample();
    let departed = Body::AchievementReassigned(AchievementReassigned {
        record_id: "c1".to_owned(),
        to: handle(2),
        reason: "a reason".to_owned(),
    });
    let arrived = Body::AchievementReceived(AchievementReceived {
        signature: None,
        achievement: achievement("c1", "ART-1").into(),
        from: handle(1),
        suspended: false,
    });
    bank.force(&[
        event("college", Some(handle(1)), departed),
        event("uni", Some(handle(2)), arrived),
    ]);
    erase_all(&mut bank, 1, &["r1", "r2", "r3"], &[1, 3]);
    expect![[r#"
        position 24, segment 1, byte 2704: every_event_is_admitted_by_the_rules_of_its_day
          expected an event that the rules admit, not this ACHIEVEMENT_RECEIVED
          found OUT_OF_PLACE: an event stands where the rules allow none such: the second event of a pair does not fit the first
    "#]].assert_eq(&findings(&Image::of(&bank).verify()));
}

#[test]
fn a_second_event_of_a_pair_without_a_reason_is_found() {
    let merged = on(handle(2), Body::LearnerMerged(other(1)));
    let absorbed = Body::LearnerAbsorbed(Counterpart {
        reason: String::new(),
        ..other(2)
    });
    forged(
        Bank::sample(),
        &[merged, on(handle(1), absorbed)],
        expect![[r#"
            position 24, segment 1, byte 2704: every_event_is_admitted_by_the_rules_of_its_day
              expected an event that the rules admit, not this LEARNER_ABSORBED
              found MALFORMED: reason is required
        "#]],
    );
}

/// An erasure of the identity does not open the chain to a second registration either.
#[test]
fn a_second_registration_is_found_though_the_first_is_erased() {
    let mut bank = Bank::sample();
    erase_identity(&mut bank, 2, &[2]);
    forged(
        bank,
        &[event("uni", Some(handle(2)), registered(2))],
        expect![[r#"
            position 24, segment 1, byte 2980: a_learners_history_begins_with_its_registration
              expected no second registration
              found LEARNER_REGISTERED at revision 5
            position 24, segment 1, byte 2980: every_event_is_admitted_by_the_rules_of_its_day
              expected an event that the rules admit, not this LEARNER_REGISTERED
              found HANDLE_TAKEN: the handle is taken
        "#]],
    );
}
