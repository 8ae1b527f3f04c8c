//! Erasures: bodies that may be gone, bodies that must be, and what can no longer be judged without them.

use expect_test::expect;
use ledger::Action;

use crate::bank::{
    Bank, achievement, by_document, by_handle, handle, merge, number, reassign, record, register,
    student, submit,
};
use crate::image::{Image, findings};

/// Learner 1 holds two records and took in a provisional account; learner 2 holds one record.
fn bank() -> Bank {
    let mut bank = Bank::opened();
    bank.act("uni", register(1, &[("uni", "S1")]));
    bank.act("uni", register(2, &[("uni", "S2")]));
    bank.act("uni", submit("uni", "r1", "CS-1", student("uni", "S1"), 90));
    bank.act("uni", submit("uni", "r2", "CS-2", student("uni", "S1"), 90));
    bank.act(
        "college",
        submit("college", "c1", "ART-1", student("college", "X9"), 3),
    );
    let link = Action::LinkIdentity {
        learner: by_document(1),
        student: number("college", "X9"),
    };
    bank.act("college", link);
    bank.act("uni", submit("uni", "r3", "CS-3", student("uni", "S2"), 90));
    bank
}

/// Positions of the records on these learners' chains that an erasure of everything covers.
fn covered(bank: &Bank, learners: &[u8]) -> Vec<u64> {
    let kept = 34..=39;
    let records = bank.blocks.iter().flat_map(|block| block.records());
    records
        .filter(|record| {
            let on_chain = |n: &u8| record.leaf.learner.is_some_and(|l| l.handle.0 == [*n; 16]);
            learners.iter().any(on_chain) && !kept.contains(&record.leaf.kind)
        })
        .map(|record| record.leaf.position.0)
        .collect()
}

/// Learner 1 with all it took in is erased, and the bodies are gone.
fn erased() -> (Bank, Image) {
    let mut bank = bank();
    let covered = covered(&bank, &[1, 3]);
    let records = [
        record("uni", "r1"),
        record("uni", "r2"),
        record("college", "c1"),
    ];
    bank.erase_learner(handle(1), &records);
    covered.iter().for_each(|position| bank.zero(*position));
    let mut image = Image::of(&bank);
    image.erased_through = Some(format!("{}\n", bank.head().size - 1));
    (bank, image)
}

#[test]
fn an_erased_learner_is_clean_and_counted_apart() {
    let (_, image) = erased();
    let report = image.verify();
    expect![[r#"
        records       20 (ledger 1, registry 6, learner 9, achievement 4)
        institutions  2
        learners      3
        erased bodies 7
        on disk       8,192 bytes; segments 2, blocks 10, head marks 1
        re-admitted   12 of 20
                      7 not judged: erased
                      1 not judged: what they rest on is erased or damaged
        issuer-signed none"#]]
    .assert_eq(
        &report
            .to_string()
            .lines()
            .skip(3)
            .collect::<Vec<_>>()
            .join("\n"),
    );
    assert_eq!(findings(&report), "");
}

#[test]
fn zeros_that_nothing_covers_are_found() {
    let (mut bank, _) = erased();
    let other = covered(&bank, &[2]);
    other.iter().for_each(|position| bank.zero(*position));
    expect![[r#"
        position 9, segment 0, byte 2459: zeros_are_covered_by_a_later_erasure
          expected a body, or a later erasure that covers the record
          found zeros for salt and body of LEARNER_REGISTERED
        position 10, segment 0, byte 2459: zeros_are_covered_by_a_later_erasure
          expected a body, or a later erasure that covers the record
          found zeros for salt and body of IDENTITY_LINKED
        position 18, segment 1, byte 1511: zeros_are_covered_by_a_later_erasure
          expected a body, or a later erasure that covers the record
          found zeros for salt and body of ACHIEVEMENT_RECORDED
    "#]]
    .assert_eq(&findings(&Image::of(&bank).verify()));

    // An erasure covers nothing that comes after it, not even of the same learner.
    let mut bank = self::bank();
    bank.act(
        "",
        Action::EraseIdentity {
            learner: handle(2),
            expected: bank.tip_revision(handle(2)),
        },
    );
    bank.act("uni", submit("uni", "r4", "CS-4", student("uni", "S2"), 4));
    let last = bank.head().size - 1;
    bank.zero(last);
    bank.act("uni", submit("uni", "r5", "CS-5", by_handle(2), 90));
    expect![[r#"
        position 21, segment 1, byte 2149: zeros_are_covered_by_a_later_erasure
          expected a body, or a later erasure that covers the record
          found zeros for salt and body of ACHIEVEMENT_RECORDED
        note: the erasure at position 19 has not been carried out: 2 bodies are still there; the next start of the ledger carries it out
    "#]].assert_eq(&findings(&Image::of(&bank).verify()));
}

#[test]
fn a_registry_record_can_never_be_erased() {
    let (mut bank, _) = erased();
    bank.zero(5);
    expect![[r#"
        position 5, segment 0, byte 460: zeros_are_covered_by_a_later_erasure
          expected a body, or a later erasure that covers the record
          found zeros for salt and body of INSTITUTION_REGISTERED
        note: re-admission stops at position 5: its body is damaged and the rules rest on it
    "#]]
    .assert_eq(&findings(&Image::of(&bank).verify()));
}

#[test]
fn an_erasure_that_was_not_carried_out_is_a_note_until_the_mark_says_it_was() {
    let (bank, image) = erased();
    let mut left = bank.clone();
    // As if the machine had stopped before the last two bodies were overwritten.
    let whole = self::bank();
    for (block, before) in left.blocks.iter_mut().zip(&whole.blocks) {
        if block
            .records()
            .iter()
            .any(|r| [11, 12].contains(&r.leaf.position.0))
        {
            *block = before.clone();
        }
    }
    let mut unmarked = Image::of(&left);
    expect![[r#"
        note: the erasure at position 19 has not been carried out: 2 bodies are still there; the next start of the ledger carries it out
    "#]].assert_eq(&findings(&unmarked.verify()));
    unmarked.erased_through = image.erased_through.clone();
    expect![[r#"
        position 11, segment 0, byte 3003: an_erasure_that_was_carried_out_leaves_no_body
          expected zeros, as the erasure at position 19 was carried out
          found 2 bodies from here on, whole or in part
    "#]]
    .assert_eq(&findings(&unmarked.verify()));
}

#[test]
fn a_half_erased_body_is_a_note_until_the_mark_says_it_was_erased() {
    let mut bank = bank();
    let covered = covered(&bank, &[1, 3]);
    bank.erase_learner(handle(1), &[record("uni", "r1"), record("uni", "r2")]);
    covered
        .iter()
        .skip(1)
        .for_each(|position| bank.zero(*position));
    let mut image = Image::of(&bank);
    let first = chain::Position(covered[0]);
    let index = bank
        .blocks
        .iter()
        .position(|block| block.record(first).is_some())
        .unwrap();
    let range = bank.blocks[index].erasable_range(first).unwrap();
    image.block(index)[range.start..range.start + 40].fill(0);
    expect![[r#"
        note: the erasure at position 19 has not been carried out: 1 body is still there; the next start of the ledger carries it out
    "#]].assert_eq(&findings(&image.verify()));
    image.erased_through = Some(format!("{}\n", bank.head().size - 1));
    expect![[r#"
        position 7, segment 0, byte 1915: an_erasure_that_was_carried_out_leaves_no_body
          expected zeros, as the erasure at position 19 was carried out
          found the body, whole or in part
    "#]]
    .assert_eq(&findings(&image.verify()));
}

#[test]
fn the_mark_must_name_an_erasing_record() {
    let (bank, mut image) = erased();
    for (mark, expected) in [
        (
            format!("{}\n", bank.head().size - 2),
            expect![[r#"
            position 18: the_erased_through_mark_names_an_erasing_record
              expected an erasing record where erased-through points
              found ACHIEVEMENT_RECORDED
        "#]],
        ),
        (
            "400\n".to_owned(),
            expect![[r#"
            position 400: the_erased_through_mark_names_an_erasing_record
              expected an erasing record where erased-through points
              found no record
        "#]],
        ),
        (
            "007\n".to_owned(),
            expect![[r#"
            the data directory: the_erased_through_mark_is_a_position
              expected a decimal number and a line feed in erased-through
              found "007\n"
        "#]],
        ),
        (
            "7".to_owned(),
            expect![[r#"
            the data directory: the_erased_through_mark_is_a_position
              expected a decimal number and a line feed in erased-through
              found "7"
        "#]],
        ),
    ] {
        image.erased_through = Some(mark);
        expected.assert_eq(&findings(&image.verify()));
    }
}

#[test]
fn an_erasing_record_in_the_block_of_what_it_covers_is_found() {
    let mut bank = bank();
    let expected = ledger::Revision(bank.tip_revision(handle(2)).0 + 1);
    bank.group(&[
        ("uni", submit("uni", "r9", "CS-9", student("uni", "S2"), 90)),
        (
            "",
            Action::EraseLearner {
                learner: handle(2),
                suppressed: Vec::new(),
                expected,
            },
        ),
    ]);
    expect![[r#"
        position 20, segment 1, byte 1873: an_erasing_record_shares_no_block_with_what_it_covers
          expected an erasing record in a later block
          found one in the block of position 19, which it covers
        note: the erasure at position 20 has not been carried out: 4 bodies are still there; the next start of the ledger carries it out
    "#]].assert_eq(&findings(&Image::of(&bank).verify()));
}

#[test]
fn an_erased_identity_leaves_the_achievements() {
    let mut bank = bank();
    bank.act(
        "",
        Action::EraseIdentity {
            learner: handle(1),
            expected: bank.tip_revision(handle(1)),
        },
    );
    let mut image = bank.clone();
    for block in &bank.blocks {
        for record in block.records() {
            let of_1_or_3 = record
                .leaf
                .learner
                .is_some_and(|l| [[1; 16], [3; 16]].contains(&l.handle.0));
            if of_1_or_3 && (30..=33).contains(&record.leaf.kind) {
                image.zero(record.leaf.position.0);
            }
        }
    }
    let report = Image::of(&image).verify();
    assert_eq!(findings(&report), "");
    expect!["Admissions { admitted: 15, refused: 0, erased: 4, resting_on_erased: 1, damaged: 0, after_stop: 0 }"].assert_eq(&format!("{:?}", report.admissions));
    // Achievements are not the identity.
    let achievement = covered(&bank, &[1]).into_iter().find(|p| *p > 10).unwrap();
    image.zero(achievement);
    expect![[r#"
        position 11, segment 0, byte 3003: zeros_are_covered_by_a_later_erasure
          expected a body, or a later erasure that covers the record
          found zeros for salt and body of ACHIEVEMENT_RECORDED
    "#]]
    .assert_eq(&findings(&Image::of(&image).verify()));
}

/// A record moves on while its learner is erased: the arrival has its full content, so it stays judged.
#[test]
fn what_was_handed_over_before_an_erasure_stays() {
    let mut bank = bank();
    bank.act(
        "uni",
        reassign("r3", achievement("r3", "CS-3"), 1, "wrong learner"),
    );
    let gone = covered(&bank, &[2]);
    bank.erase_learner(handle(2), &[]);
    bank.act("uni", crate::bank::supersede("r3", "CS-3", "B"));
    gone.iter().for_each(|position| bank.zero(*position));
    let report = Image::of(&bank).verify();
    assert_eq!(findings(&report), "");
    expect!["Admissions { admitted: 19, refused: 0, erased: 4, resting_on_erased: 0, damaged: 0, after_stop: 0 }"].assert_eq(&format!("{:?}", report.admissions));
}

/// Learner 2 was merged into 1 and separated again. Erased alone, it takes with it what later records on
/// the other chain rest on: those cannot be judged, and are not called false.
#[test]
fn what_rests_on_erased_records_is_counted_apart() {
    let mut bank = bank();
    bank.act("", merge(2, 1));
    bank.act("uni", crate::bank::supersede("r3", "CS-3", "B"));
    bank.act(
        "",
        Action::SeparateLearners {
            from: handle(2),
            reason: "two people".to_owned(),
        },
    );
    let gone = covered(&bank, &[2]);
    bank.erase_learner(handle(2), &[]);
    gone.iter().for_each(|position| bank.zero(*position));
    let report = Image::of(&bank).verify();
    assert_eq!(findings(&report), "");
    expect!["Admissions { admitted: 21, refused: 0, erased: 3, resting_on_erased: 1, damaged: 0, after_stop: 0 }"].assert_eq(&format!("{:?}", report.admissions));
}
