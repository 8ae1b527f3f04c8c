//! Forged events with all hashes made right: only the rules can tell.

use expect_test::{Expect, expect};

use ledger::event::{
    AchievementStatus, AchievementSuperseded, Counterpart, LearnerErased, LearnerRegistered,
    Opening,
};
use ledger::{Action, Body, Event};

use crate::bank::{
    Bank, achievement, by_handle, event, handle, id, institution, merge, number, profile, record,
    register, student, submit, supersede,
};
use crate::image::{Image, findings};

/// Records these events in one block, and an honest one after it; shows what is found.
pub(crate) fn forged(mut bank: Bank, events: &[Event], expected: Expect) {
    bank.force(events);
    bank.force(&[event("uni", Some(handle(60)), registered(60))]);
    expected.assert_eq(&findings(&Image::of(&bank).verify()));
}

pub(crate) fn recorded(record_id: &str, code: &str) -> Body {
    Body::AchievementRecorded(achievement(record_id, code).into())
}

pub(crate) fn status(record_id: &str) -> AchievementStatus {
    AchievementStatus {
        record_id: record_id.to_owned(),
        reason: "a reason".to_owned(),
    }
}

pub(crate) fn other(n: u8) -> Counterpart {
    Counterpart {
        learner: handle(n),
        reason: "a reason".to_owned(),
    }
}

pub(crate) fn registered(n: u8) -> Body {
    let opening = Opening::Person(profile(n));
    Body::LearnerRegistered(LearnerRegistered {
        opening,
        request_id: String::new(),
    })
}

#[test]
fn a_record_by_a_suspended_institution_is_found() {
    let mut bank = Bank::sample();
    let (institution, reason) = (id("college"), "audit".to_owned());
    bank.act(
        "",
        Action::SuspendInstitution {
            institution,
            reason,
        },
    );
    let event = event("college", Some(handle(1)), recorded("c2", "ART-2"));
    forged(
        bank,
        &[event],
        expect![[r#"
        position 24, segment 1, byte 2996: every_event_is_admitted_by_the_rules_of_its_day
          expected an event that the rules admit, not this ACHIEVEMENT_RECORDED
          found INSTITUTION_SUSPENDED: institution college is suspended; ask the operator
    "#]],
    );
}

#[test]
fn a_second_registration_of_a_learner_is_found() {
    forged(
        Bank::sample(),
        &[event("uni", Some(handle(1)), registered(7))],
        expect![[r#"
            position 23, segment 1, byte 2704: a_learners_history_begins_with_its_registration
              expected no second registration
              found LEARNER_REGISTERED at revision 9
            position 23, segment 1, byte 2704: every_event_is_admitted_by_the_rules_of_its_day
              expected an event that the rules admit, not this LEARNER_REGISTERED
              found HANDLE_TAKEN: the handle is taken
        "#]],
    );
}

#[test]
fn a_second_registration_of_an_institution_is_found() {
    let body = Body::InstitutionRegistered(institution("uni"));
    forged(
        Bank::sample(),
        &[event("", None, body)],
        expect![[r#"
        position 23, segment 1, byte 2704: every_event_is_admitted_by_the_rules_of_its_day
          expected an event that the rules admit, not this INSTITUTION_REGISTERED
          found INSTITUTION_EXISTS: institution uni is registered already; update it instead
    "#]],
    );
}

#[test]
fn an_institution_that_registers_another_is_found() {
    let body = Body::InstitutionRegistered(institution("mill"));
    forged(
        Bank::sample(),
        &[event("uni", None, body)],
        expect![[r#"
        position 23, segment 1, byte 2704: every_event_is_admitted_by_the_rules_of_its_day
          expected an event that the rules admit, not this INSTITUTION_REGISTERED
          found NOT_ALLOWED: only the operator may do this
    "#]],
    );
}

#[test]
fn superseding_a_revoked_record_is_found() {
    let mut bank = Bank::sample();
    bank.act(
        "uni",
        Action::Revoke {
            name: record("uni", "r1"),
            reason: "fraud".to_owned(),
        },
    );
    let (achievement, reason) = (achievement("r1", "CS-1"), "again".to_owned());
    let body = Body::AchievementSuperseded(AchievementSuperseded {
        achievement: achievement.into(),
        reason,
        signature: None,
    });
    forged(
        bank,
        &[event("uni", Some(handle(1)), body)],
        expect![[r#"
        position 24, segment 1, byte 2997: every_event_is_admitted_by_the_rules_of_its_day
          expected an event that the rules admit, not this ACHIEVEMENT_SUPERSEDED
          found RECORD_REVOKED: record r1 was revoked at position 23; issue a new record that names it in `replaces`
    "#]],
    );
}

#[test]
fn a_record_id_that_another_learner_has_is_found() {
    forged(
        Bank::sample(),
        &[event("uni", Some(handle(2)), recorded("r1", "CS-8"))],
        expect![[r#"
            position 23, segment 1, byte 2704: every_event_is_admitted_by_the_rules_of_its_day
              expected an event that the rules admit, not this ACHIEVEMENT_RECORDED
              found RECORD_ID_REUSED: record r1 exists at position 11 with other content; supersede it to change it
        "#]],
    );
}

#[test]
fn a_student_number_that_another_learner_has_is_found() {
    let body = Body::IdentityLinked(number("uni", "S1"));
    forged(
        Bank::sample(),
        &[event("uni", Some(handle(2)), body)],
        expect![[r#"
            position 23, segment 1, byte 2704: every_event_is_admitted_by_the_rules_of_its_day
              expected an event that the rules admit, not this IDENTITY_LINKED
              found STUDENT_NUMBER_TAKEN: the student number is linked to another learner; unlink it or merge the accounts
        "#]],
    );
}

#[test]
fn a_suppressed_record_that_comes_back_for_another_learner_is_found() {
    let mut bank = Bank::sample();
    let records = [record("uni", "r1"), record("uni", "r2")];
    bank.erase_learner(handle(1), &records);
    let event = event("uni", Some(handle(2)), recorded("r1", "CS-1"));
    bank.force(&[event]);
    let report = Image::of(&bank).verify();
    expect![[r#"
        position 24, segment 1, byte 3016: every_event_is_admitted_by_the_rules_of_its_day
          expected an event that the rules admit, not this ACHIEVEMENT_RECORDED
          found ERASED: record r1 was erased with its learner and may not come back
        note: the erasure at position 23 has not been carried out: 10 bodies are still there; the next start of the ledger carries it out
    "#]].assert_eq(&findings(&report));
}

#[test]
fn a_reinstatement_of_what_is_not_suspended_is_found() {
    let body = Body::AchievementReinstated(status("r1"));
    forged(
        Bank::sample(),
        &[event("uni", Some(handle(1)), body)],
        expect![[r#"
            position 23, segment 1, byte 2704: every_event_is_admitted_by_the_rules_of_its_day
              expected an event that the rules admit, not this ACHIEVEMENT_REINSTATED
              found RECORD_NOT_SUSPENDED: record r1 is not suspended
        "#]],
    );
}

#[test]
fn half_a_pair_is_found() {
    let merged = event("", Some(handle(2)), Body::LearnerMerged(other(1)));
    let absorbed = event("", Some(handle(1)), Body::LearnerAbsorbed(other(2)));
    forged(
        Bank::sample(),
        std::slice::from_ref(&merged),
        expect![[r#"
        position 23, segment 1, byte 2704: pairs_are_neighbours_in_one_block
          expected LEARNER_ABSORBED after LEARNER_MERGED
          found the end of the block
    "#]],
    );
    forged(
        Bank::sample(),
        std::slice::from_ref(&absorbed),
        expect![[r#"
        position 23, segment 1, byte 2704: pairs_are_neighbours_in_one_block
          expected the first event of the pair before it, in the same block
          found LEARNER_ABSORBED
    "#]],
    );
    let between = event("uni", Some(handle(1)), recorded("r7", "CS-7"));
    forged(
        Bank::sample(),
        &[merged.clone(), between, absorbed.clone()],
        expect![[r#"
            position 24, segment 1, byte 2704: pairs_are_neighbours_in_one_block
              expected LEARNER_ABSORBED after LEARNER_MERGED
              found ACHIEVEMENT_RECORDED
            position 25, segment 1, byte 2704: pairs_are_neighbours_in_one_block
              expected the first event of the pair before it, in the same block
              found LEARNER_ABSORBED
        "#]],
    );
    // In two blocks, each half is by itself.
    let mut bank = Bank::sample();
    bank.force(&[merged]);
    forged(
        bank,
        &[absorbed],
        expect![[r#"
        position 23, segment 1, byte 2704: pairs_are_neighbours_in_one_block
          expected LEARNER_ABSORBED after LEARNER_MERGED
          found the end of the block
        position 24, segment 1, byte 3008: pairs_are_neighbours_in_one_block
          expected the first event of the pair before it, in the same block
          found LEARNER_ABSORBED
    "#]],
    );
}

#[test]
fn a_pair_that_does_not_fit_is_found() {
    let merged = event("", Some(handle(2)), Body::LearnerMerged(other(1)));
    let absorbed = event("", Some(handle(1)), Body::LearnerAbsorbed(other(9)));
    forged(
        Bank::sample(),
        &[merged, absorbed],
        expect![[r#"
        position 24, segment 1, byte 2704: every_event_is_admitted_by_the_rules_of_its_day
          expected an event that the rules admit, not this LEARNER_ABSORBED
          found OUT_OF_PLACE: an event stands where the rules allow none such: the second event of a pair does not fit the first
    "#]],
    );
}

/// The rules rely on merges having no circle; the verifier must not follow one for ever.
#[test]
fn merges_in_a_circle_are_found_and_end() {
    let pair = |from: u8, into: u8| {
        [
            event("", Some(handle(from)), Body::LearnerMerged(other(into))),
            event("", Some(handle(into)), Body::LearnerAbsorbed(other(from))),
        ]
    };
    let mut bank = Bank::opened();
    bank.group(&[("uni", register(1, &[])), ("uni", register(2, &[]))]);
    bank.act("", merge(1, 2));
    // The state of the test must not follow the circle either.
    let honest = bank.state.clone();
    for events in [
        vec![event("uni", Some(handle(1)), registered(1))],
        pair(2, 1).to_vec(),
        vec![event("uni", Some(handle(1)), recorded("r1", "CS-1"))],
        vec![event(
            "",
            Some(handle(2)),
            Body::LearnerErased(LearnerErased { suppressed: vec![] }),
        )],
    ] {
        bank.state = honest.clone();
        bank.force(&events);
    }
    expect![[r#"
        position 11, segment 0, byte 3039: a_learners_history_begins_with_its_registration
          expected no second registration
          found LEARNER_REGISTERED at revision 2
        position 11, segment 0, byte 3039: every_event_is_admitted_by_the_rules_of_its_day
          expected an event that the rules admit, not this LEARNER_REGISTERED
          found HANDLE_TAKEN: the handle is taken
        position 12, segment 0, byte 3367: every_event_is_admitted_by_the_rules_of_its_day
          expected an event that the rules admit, not this LEARNER_MERGED
          found OUT_OF_PLACE: an event stands where the rules allow none such: the account is closed by a merge
        position 13, segment 0, byte 3367: every_event_is_admitted_by_the_rules_of_its_day
          expected an event that the rules admit, not this LEARNER_ABSORBED
          found OUT_OF_PLACE: an event stands where the rules allow none such: the second event of a pair does not fit the first
        position 14, segment 1, byte 128: every_event_is_admitted_by_the_rules_of_its_day
          expected an event that the rules admit, not this ACHIEVEMENT_RECORDED
          found OUT_OF_PLACE: an event stands where the rules allow none such: the account is closed by a merge
        note: the erasure at position 15 has not been carried out: 4 bodies are still there; the next start of the ledger carries it out
    "#]].assert_eq(&findings(&Image::of(&bank).verify()));
}

#[test]
fn parents_in_a_circle_are_found_and_end() {
    let below = |name: &str, parent: &str| {
        let profile = ledger::words::InstitutionProfile {
            parent: Some(id(parent)),
            ..institution(name)
        };
        event("", None, Body::InstitutionUpdated(profile))
    };
    let events = [
        below("uni", "college"),
        below("college", "uni"),
        below("college", "uni"),
    ];
    forged(
        Bank::sample(),
        &events,
        expect![[r#"
        position 24, segment 1, byte 2704: every_event_is_admitted_by_the_rules_of_its_day
          expected an event that the rules admit, not this INSTITUTION_UPDATED
          found PARENT_CIRCLE: institution college would lie below itself
        position 25, segment 1, byte 2704: every_event_is_admitted_by_the_rules_of_its_day
          expected an event that the rules admit, not this INSTITUTION_UPDATED
          found PARENT_CIRCLE: institution college would lie below itself
    "#]],
    );
}

#[test]
fn honest_things_that_look_odd_are_clean() {
    let mut bank = Bank::sample();
    // A student number and a document move on, a merge is undone, a record id is used by two issuers.
    bank.act(
        "uni",
        Action::UnlinkIdentity {
            student: number("uni", "S2"),
        },
    );
    let learner = student("uni", "S1");
    bank.act(
        "uni",
        Action::LinkIdentity {
            learner,
            student: number("uni", "S2"),
        },
    );
    bank.act("", merge(2, 1));
    bank.act(
        "",
        Action::SeparateLearners {
            from: handle(2),
            reason: "two people".to_owned(),
        },
    );
    bank.act("", merge(1, 2));
    bank.act(
        "college",
        submit("college", "r1", "ART-9", by_handle(1), 90),
    );
    bank.act("uni", supersede("r1", "CS-1", "D"));
    bank.act("uni", submit("uni", "r8", "CS-8", student("uni", "S2"), 90));
    assert_eq!(findings(&Image::of(&bank).verify()), "");
}
