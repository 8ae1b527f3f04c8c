//! Blocks and segments that are missing, doubled, exchanged or cut, and what a crash may leave.

use expect_test::{Expect, expect};

use chain::Block;
use creditbank_verify::Options;

use crate::bank::Bank;
use crate::image::{Image, Layout, findings, short};

fn found(image: &Image, expected: Expect) {
    let report = image.verify();
    assert!(!report.clean, "nothing found");
    expected.assert_eq(&findings(&report));
}

#[test]
fn two_blocks_exchanged_are_found() {
    let mut blocks = Bank::sample().blocks;
    blocks.swap(3, 4);
    found(
        &Image::laid_out(&blocks, Layout::default()),
        expect![[r#"
        position 11, segment 0, byte 2915: a_block_continues_the_head_before_it
          expected head 11:e47f3978..
          found head 14:8e44c190..
        position 16, segment 1, byte 0: a_segment_continues_the_head_before_it
          expected head 16:3ed09d3d..
          found head 11:e47f3978..
        note: re-admission stops at position 11: records cannot be read from here on
    "#]],
    );
}

#[test]
fn a_missing_block_is_found() {
    let mut blocks = Bank::sample().blocks;
    blocks.remove(3);
    found(
        &Image::laid_out(&blocks, Layout::default()),
        expect![[r#"
        position 11, segment 0, byte 2915: a_block_continues_the_head_before_it
          expected head 11:e47f3978..
          found head 14:8e44c190..
        note: re-admission stops at position 11: records cannot be read from here on
    "#]],
    );
}

#[test]
fn a_block_that_stands_twice_is_found() {
    let mut blocks = Bank::sample().blocks;
    blocks.insert(4, blocks[3].clone());
    found(
        &Image::laid_out(&blocks, Layout::default()),
        expect![[r#"
        position 14, segment 1, byte 0: a_segment_continues_the_head_before_it
          expected head 14:8e44c190..
          found head 11:e47f3978..
    "#]],
    );
}

#[test]
fn an_old_block_at_the_end_is_found() {
    let mut blocks = Bank::sample().blocks;
    blocks.push(blocks[2].clone());
    let layout = Layout {
        mark: false,
        ..Layout::default()
    };
    found(
        &Image::laid_out(&blocks, layout),
        expect![[r#"
        position 23, segment 1, byte 2704: a_block_continues_the_head_before_it
          expected head 23:d109eee5..
          found head 7:f7948e64..
    "#]],
    );
}

#[test]
fn two_records_exchanged_are_found() {
    let bank = Bank::sample();
    let mut image = Image::of(&bank);
    let ranges: Vec<_> = bank.blocks[3].frame_ranges().collect();
    let bytes = image.block(3);
    let (one, other) = (
        bytes[ranges[0].clone()].to_vec(),
        bytes[ranges[1].clone()].to_vec(),
    );
    let exchanged = [other, one].concat();
    bytes[ranges[0].start..ranges[1].end].copy_from_slice(&exchanged);
    found(
        &image,
        expect![[r#"
        position 11, segment 0, byte 2915: a_block_is_sound
          expected block checksum c7c47602..
          found 493bbc16..; beneath it: expected position 11, found 12
        note: re-admission stops at position 11: records cannot be read from here on
    "#]],
    );
}

/// The block is made anew without one record, as if it had never been: every later link shows it.
#[test]
fn a_missing_record_is_found() {
    let bank = Bank::sample();
    let mut blocks = bank.blocks.clone();
    let kept = blocks[3].records()[..2].to_vec();
    blocks[3] = Block::new(blocks[3].prev(), kept).unwrap();
    found(
        &Image::laid_out(&blocks, Layout::default()),
        expect![[r#"
        position 13, segment 1, byte 0: a_segment_continues_the_head_before_it
          expected head 13:4d1afcdd..
          found head 14:8e44c190..
        note: re-admission stops at position 13: records cannot be read from here on
    "#]],
    );
}

#[test]
fn a_missing_segment_is_found() {
    let layout = Layout {
        segment_bytes: 2048,
        ..Layout::default()
    };
    let image = Image::laid_out(&Bank::sample().blocks, layout);
    for (number, expected) in [
        (
            0,
            expect![[r#"
        position 0, segment 1, byte 0: a_segment_continues_the_head_before_it
          expected head 0:00000000..
          found head 7:f7948e64..
        position 0, segment 1, byte 0: segment_numbers_have_no_gap
          expected segment 0
          found segment 1
        note: re-admission stops at position 0: records cannot be read from here on
    "#]],
        ),
        (
            2,
            expect![[r#"
        position 14, segment 3, byte 0: a_segment_continues_the_head_before_it
          expected head 14:8e44c190..
          found head 18:f1452d62..
        position 14, segment 3, byte 0: segment_numbers_have_no_gap
          expected segment 2
          found segment 3
        note: re-admission stops at position 14: records cannot be read from here on
    "#]],
        ),
    ] {
        let mut without = image.clone();
        without.segments[number] = None;
        found(&without, expected);
    }
}

#[test]
fn two_segments_exchanged_are_found() {
    let layout = Layout {
        segment_bytes: 2048,
        ..Layout::default()
    };
    let mut image = Image::laid_out(&Bank::sample().blocks, layout);
    image.segments.swap(1, 2);
    found(
        &image,
        expect![[r#"
        position 7, segment 1, byte 0: a_segment_carries_the_number_in_its_name
          expected 1
          found 2
        position 7, segment 1, byte 0: a_segment_continues_the_head_before_it
          expected head 7:f7948e64..
          found head 14:8e44c190..
        position 18, segment 2, byte 0: a_segment_carries_the_number_in_its_name
          expected 2
          found 1
        position 18, segment 2, byte 0: a_segment_continues_the_head_before_it
          expected head 18:f1452d62..
          found head 7:f7948e64..
        note: re-admission stops at position 7: records cannot be read from here on
    "#]],
    );
}

#[test]
fn a_segment_that_is_cut_short_before_the_last_one_is_found() {
    let layout = Layout {
        segment_bytes: 2048,
        ..Layout::default()
    };
    let mut image = Image::laid_out(&Bank::sample().blocks, layout);
    image.segment(1).truncate(700);
    found(
        &image,
        expect![[r#"
        position 7, segment 1, byte 128: a_block_is_sound
          expected at least 1000 bytes of block
          found 572
        note: re-admission stops at position 7: records cannot be read from here on
    "#]],
    );
}

/// Cut at the end of a block, a ledger is a valid shorter one: only a head from outside shows it.
#[test]
fn a_ledger_cut_at_the_end_of_any_block_is_clean_and_only_an_expected_head_shows_it() {
    let bank = Bank::sample();
    let options = Options {
        expect_head: Some(bank.head()),
        ..Options::default()
    };
    for n_blocks in 1..bank.blocks.len() {
        let image = Image::laid_out(&bank.blocks[..n_blocks], Layout::default());
        assert_eq!(findings(&image.verify()), "", "{n_blocks}");
        let report = image.verify_with(&options);
        assert_eq!(report.findings_total, 1, "{n_blocks}");
        let invariant = report.findings[0].invariant;
        assert_eq!(
            invariant, "the_ledger_holds_the_expected_head",
            "{n_blocks}"
        );
    }
    let image = Image::laid_out(&bank.blocks[..4], Layout::default());
    expect![[r#"
        position 22: the_ledger_holds_the_expected_head
          expected head 23:d109eee5..
          found only 14 records
    "#]]
    .assert_eq(&findings(&image.verify_with(&options)));
}

#[test]
fn a_ledger_that_went_on_after_the_expected_head_is_clean_and_says_so() {
    let bank = Bank::sample();
    let image = Image::of(&bank);
    for block in &bank.blocks {
        let options = Options {
            expect_head: Some(block.head()),
            ..Options::default()
        };
        assert!(image.verify_with(&options).clean);
    }
    let options = Options {
        expect_head: Some(bank.blocks[3].head()),
        ..Options::default()
    };
    expect![[r#"
        note: the ledger has 9 records after the expected head
    "#]]
    .assert_eq(&findings(&image.verify_with(&options)));
    let inside = chain::Head {
        size: 12,
        hash: bank.blocks[3].records()[1].leaf.previous_hash,
    };
    let options = Options {
        expect_head: Some(inside),
        ..Options::default()
    };
    assert!(
        image.verify_with(&options).clean,
        "a head need not be that of a block"
    );
}

#[test]
fn another_history_of_the_same_length_is_clean_and_only_an_expected_head_shows_it() {
    let bank = Bank::sample();
    let mut other = Bank::sample();
    other.at += 1;
    let mut same = bank.clone();
    for bank in [&mut same, &mut other] {
        bank.act("uni", crate::bank::supersede("r1", "CS-1", "C"));
    }
    let image = Image::of(&other);
    assert_eq!(findings(&image.verify()), "");
    let options = Options {
        expect_head: Some(same.head()),
        ..Options::default()
    };
    expect![[r#"
        position 23: the_ledger_holds_the_expected_head
          expected head 24:e82c2b2c..
          found head 24:8d1280ca..
    "#]]
    .assert_eq(&findings(&image.verify_with(&options)));
}

/// Cut anywhere inside the last block, by the loss of everything after: a torn tail, exit 0 with a note.
#[test]
fn a_torn_last_block_is_a_note() {
    let bank = Bank::sample();
    let layout = Layout {
        mark: false,
        ..Layout::default()
    };
    let image = Image::laid_out(&bank.blocks, layout);
    let last = *image.places.last().unwrap();
    let before = bank.blocks[bank.blocks.len() - 2].head().to_string();
    for kept in 1..last.len {
        let mut torn = image.clone();
        torn.segment(last.segment)[last.start + kept..].fill(0);
        let report = torn.verify_once();
        assert!(report.clean, "{kept}: {report}");
        assert_eq!(report.notes.len(), 1, "{kept}: {report}");
        assert_eq!(report.head, before, "{kept}");
    }
    let mut torn = image.clone();
    torn.segment(last.segment)[last.start + 300..].fill(0);
    expect![[r#"
        note: torn tail: 295 bytes from byte 2093 of segment 1 on are the rest of a write that was never acknowledged; the next start of the ledger cuts them
    "#]].assert_eq(&findings(&torn.verify()));
    // The file may also have lost its end.
    torn.segment(last.segment).truncate(last.start + 300);
    expect![[r#"
        note: torn tail: 295 bytes from byte 2093 of segment 1 on are the rest of a write that was never acknowledged; the next start of the ledger cuts them
    "#]].assert_eq(&findings(&torn.verify()));
}

#[test]
fn a_bad_block_with_anything_whole_after_it_is_no_torn_tail() {
    let image = Image::of(&Bank::sample());
    let last = image.places[image.places.len() - 2];
    let mut torn = image.clone();
    torn.segment(last.segment)[last.start + 300..last.start + last.len].fill(0);
    found(
        &torn,
        expect![[r#"
        position 22, segment 1, byte 2093: a_block_is_sound
          expected block checksum 37b1b003..
          found 00000000..; beneath it: bad leaf at position 22: expected a leaf of 150 bytes, found 156
        note: re-admission stops at position 21: records cannot be read from here on
    "#]],
    );
}

#[test]
fn more_than_a_block_after_the_end_is_no_torn_tail() {
    let layout = Layout {
        segment_bytes: 10 << 20,
        ..Layout::default()
    };
    let mut image = Image::laid_out(&Bank::sample().blocks, layout);
    let last = *image.places.last().unwrap();
    let end = last.start + last.len;
    image.segment(0)[end..end + (8 << 20) + 1].fill(1);
    let report = image.verify_once();
    expect![[r#"
          position 23, segment 0, byte 6489: a_torn_tail_is_at_most_one_block_long
            expected at most 8388608 bytes after the last block
            found 8388609 bytes that are neither block nor zero
    "#]]
    .assert_eq(&findings(&report));
    image.segment(0)[end + (8 << 20)..].fill(0);
    let report = image.verify_once();
    assert!(report.clean, "{report}");
    expect!["torn tail: 8388608 bytes from byte 6489 of segment 0 on are the rest of a write that was never acknowledged; the next start of the ledger cuts them"].assert_eq(&short(&report.notes.join("\n")));
}

#[test]
fn a_ledger_without_records_is_clean() {
    let mut image = Image::laid_out(&[], Layout::default());
    assert_eq!(findings(&image.verify()), "");
    // Only the header of the next segment has been written.
    image = Image::of(&Bank::sample());
    let number = image.segments.len();
    let head = Bank::sample().head();
    let header = chain::SegmentHeader {
        number: u64::try_from(number).unwrap(),
        head,
        block_align: 1,
        checksum_key: crate::image::key(number),
    };
    let mut bytes = header.encode().to_vec();
    bytes.resize(4096, 0);
    image.segments.push(Some(bytes));
    assert_eq!(findings(&image.verify()), "");
    assert_eq!(image.verify().head, head.to_string());
}
