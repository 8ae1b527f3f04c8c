//! Histories that are not what a ledger's can be: forged links, times, openings and bodies, and whole
//! suffixes chained anew. Apart from `forge`, where only a rule is broken.

use expect_test::expect;

use chain::{Block, Head};
use creditbank_verify::Options;
use ledger::event::InstitutionStatus;
use ledger::{Body, Event, Handle, codec};

use crate::bank::{Bank, by_handle, event, handle, id, institution, opening, register, submit};
use crate::forge::{forged, recorded};
use crate::image::{Image, findings};

#[test]
fn a_revision_that_is_skipped_or_repeated_is_found() {
    let event = event("uni", Some(handle(2)), recorded("r7", "CS-7"));
    for (change, expected) in [
        (
            1,
            expect![[r#"
        position 23, segment 1, byte 2704: a_learners_history_has_no_gap
          expected revision 4 after position 21 with hash 00468c3d..
          found revision 5 after position 21 with hash 00468c3d..
    "#]],
        ),
        (
            -1,
            expect![[r#"
        position 23, segment 1, byte 2704: a_learners_history_has_no_gap
          expected revision 4 after position 21 with hash 00468c3d..
          found revision 3 after position 21 with hash 00468c3d..
    "#]],
        ),
    ] {
        let mut bank = Bank::sample();
        bank.set_tip(handle(2), |tip| {
            tip.revision = tip.revision.checked_add_signed(change).unwrap();
        });
        forged(bank, std::slice::from_ref(&event), expected);
    }
}

#[test]
fn a_link_to_another_record_than_the_last_is_found() {
    let mut bank = Bank::sample();
    bank.set_tip(handle(2), |tip| tip.hash.0[0] ^= 1);
    forged(
        bank,
        &[event("uni", Some(handle(2)), recorded("r7", "CS-7"))],
        expect![[r#"
            position 23, segment 1, byte 2704: a_learners_history_has_no_gap
              expected revision 4 after position 21 with hash 00468c3d..
              found revision 4 after position 21 with hash 01468c3d..
        "#]],
    );
    let mut bank = Bank::sample();
    bank.set_tip(handle(2), |tip| tip.position.0 -= 1);
    forged(
        bank,
        &[event("uni", Some(handle(2)), recorded("r7", "CS-7"))],
        expect![[r#"
            position 23, segment 1, byte 2704: a_learners_history_has_no_gap
              expected revision 4 after position 21 with hash 00468c3d..
              found revision 4 after position 20 with hash 00468c3d..
        "#]],
    );
}

#[test]
fn a_learner_that_was_never_registered_is_found() {
    forged(
        Bank::sample(),
        &[event("uni", Some(handle(8)), recorded("r7", "CS-7"))],
        expect![[r#"
            position 23, segment 1, byte 2704: a_learners_history_begins_with_its_registration
              expected a registration
              found ACHIEVEMENT_RECORDED at revision 0
            position 23, segment 1, byte 2704: every_event_is_admitted_by_the_rules_of_its_day
              expected an event that the rules admit, not this ACHIEVEMENT_RECORDED
              found UNKNOWN_LEARNER: no learner has this handle; register the learner or send the student number
        "#]],
    );
}

#[test]
fn a_time_that_goes_back_is_found() {
    let mut bank = Bank::sample();
    bank.at -= 3_600_000_000;
    forged(
        bank,
        &[event("uni", Some(handle(2)), recorded("r7", "CS-7"))],
        expect![[r#"
            position 23, segment 1, byte 2704: recorded_at_never_decreases
              expected at least 1795219207000000 us
              found 1795215608000000 us
        "#]],
    );
}

#[test]
fn a_second_opening_is_found() {
    forged(
        Bank::sample(),
        &[event("", None, Body::LedgerOpened(opening()))],
        expect![[r#"
            position 23, segment 1, byte 2704: every_event_is_admitted_by_the_rules_of_its_day
              expected an event that the rules admit, not this LEDGER_OPENED
              found OUT_OF_PLACE: an event stands where the rules allow none such: the ledger is open already
            position 23, segment 1, byte 2704: the_first_record_and_no_other_opens_the_ledger
              expected any other kind
              found LEDGER_OPENED
        "#]],
    );
}

#[test]
fn a_ledger_that_begins_otherwise_is_found() {
    let mut bank = Bank::empty();
    bank.force(&[event(
        "",
        None,
        Body::InstitutionRegistered(institution("uni")),
    )]);
    expect![[r#"
        position 0, segment 0, byte 128: every_event_is_admitted_by_the_rules_of_its_day
          expected an event that the rules admit, not this INSTITUTION_REGISTERED
          found OUT_OF_PLACE: an event stands where the rules allow none such: the ledger has not been opened
        position 0, segment 0, byte 128: the_first_record_and_no_other_opens_the_ledger
          expected the opening of the ledger
          found INSTITUTION_REGISTERED
    "#]].assert_eq(&findings(&Image::of(&bank).verify()));
}

#[test]
fn unknown_formats_and_rules_are_found() {
    for (format_version, rules_version, expected) in [
        (
            2,
            1,
            expect![[r#"
        position 0, segment 0, byte 128: the_format_and_the_rules_are_known
          expected format version 1, rules version 1
          found format version 2, rules version 1
        note: re-admission stops at position 0: this program does not know its rules
        Admissions { admitted: 0, refused: 0, erased: 0, resting_on_erased: 0, damaged: 0, after_stop: 2 }
    "#]],
        ),
        (
            1,
            9,
            expect![[r#"
        position 0, segment 0, byte 128: the_format_and_the_rules_are_known
          expected format version 1, rules version 1
          found format version 1, rules version 9
        note: re-admission stops at position 0: this program does not know its rules
        Admissions { admitted: 0, refused: 0, erased: 0, resting_on_erased: 0, damaged: 0, after_stop: 2 }
    "#]],
        ),
    ] {
        let mut bank = Bank::empty();
        let opened = ledger::event::LedgerOpened {
            format_version,
            rules_version,
            ..opening()
        };
        bank.force(&[event("", None, Body::LedgerOpened(opened))]);
        bank.force(&[event(
            "",
            None,
            Body::InstitutionRegistered(institution("uni")),
        )]);
        let report = Image::of(&bank).verify();
        expected.assert_eq(&format!("{}{:?}\n", findings(&report), report.admissions));
    }
}

#[test]
fn a_body_that_is_no_canonical_event_is_found() {
    let events = [event("uni", Some(handle(2)), recorded("r7", "CS-7"))];
    for (change, expected) in [
        // Field 99, which nobody knows.
        (
            &[0x98, 0x06, 0x01][..],
            expect![[r#"
            position 23, segment 1, byte 2704: a_body_is_the_one_encoding_of_its_event
              expected the canonical encoding of an event of the leaf's kind
              found the body is not encoded canonically
        "#]],
        ),
        // No protobuf at all.
        (
            &[0xff][..],
            expect![[r#"
            position 23, segment 1, byte 2704: a_body_is_the_one_encoding_of_its_event
              expected the canonical encoding of an event of the leaf's kind
              found the body is not the protobuf message of its kind: failed to decode Protobuf message: invalid varint
        "#]],
        ),
    ] {
        let mut bank = Bank::sample();
        bank.force_bytes(&events, |event| {
            [&codec::encode(&event.body), change].concat()
        });
        bank.act("uni", register(60, &[]));
        expected.assert_eq(&findings(&Image::of(&bank).verify()));
    }
}

#[test]
fn a_kind_that_does_not_fit_its_learner_is_found() {
    let body = Body::InstitutionSuspended(InstitutionStatus {
        institution: id("college"),
        reason: "audit".to_owned(),
        successor: None,
    });
    let mut bank = Bank::sample();
    bank.force(&[event("", Some(Handle([2; 16])), body)]);
    expect![[r#"
        position 23, segment 1, byte 2704: a_body_is_the_one_encoding_of_its_event
          expected the canonical encoding of an event of the leaf's kind
          found EVENT_KIND_INSTITUTION_SUSPENDED names a learner
    "#]]
    .assert_eq(&findings(&Image::of(&bank).verify()));
}

/// A suffix chained anew, with everything else honest, is a valid history: only a head that somebody kept
/// shows that it is another one.
#[test]
fn a_forged_suffix_is_seen_by_an_expected_head_alone() {
    let honest = Bank::sample();
    let mut forged = Bank::opened();
    forged.group(&[
        ("uni", register(1, &[("uni", "S1")])),
        ("uni", register(2, &[("uni", "S2")])),
    ]);
    for n in 1..=8 {
        let (record_id, code) = (format!("f{n}"), format!("CS-{n}"));
        forged.act("uni", submit("uni", &record_id, &code, by_handle(1), 90));
    }
    assert!(forged.head().size < honest.head().size);
    let image = Image::of(&forged);
    assert_eq!(findings(&image.verify()), "");
    let kept: Head = honest
        .blocks
        .iter()
        .map(Block::head)
        .find(|head| head.size == 14)
        .unwrap();
    let options = Options {
        expect_head: Some(kept),
        ..Options::default()
    };
    expect![[r#"
        position 13: the_ledger_holds_the_expected_head
          expected head 14:8e44c190..
          found head 14:b7ed087d..
    "#]]
    .assert_eq(&findings(&image.verify_with(&options)));
}

/// The report names so many and counts all.
#[test]
fn findings_beyond_the_limit_are_counted() {
    let mut bank = Bank::sample();
    let events: Vec<Event> = (0..150)
        .map(|_| event("uni", Some(handle(2)), recorded("r1", "CS-1")))
        .collect();
    bank.force(&events);
    let report = Image::of(&bank).verify();
    assert_eq!((report.findings.len(), report.findings_total), (100, 150));
    assert_eq!(
        report.findings[0].place.position,
        Some(bank.head().size - 150)
    );
    let text = report.to_string();
    assert!(text.ends_with("and 50 more\n"), "{text}");
}
