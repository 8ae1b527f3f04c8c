//! The tamper matrix: one byte of every class is flipped, and each time something is found that says where.

use expect_test::{Expect, expect};

use chain::{BLOCK_CHECKSUM_LEN, BLOCK_HEADER_LEN, SEGMENT_HEADER_LEN};

use crate::bank::Bank;
use crate::image::{Image, Layout, findings, first, key, short};

/// Flips one byte at each of the named offsets in turn and shows the first finding.
fn flips(image: &Image, offsets: &[(&str, usize, usize)], expected: Expect) {
    let mut shown = String::new();
    for (class, segment, offset) in offsets {
        let mut tampered = image.clone();
        tampered.segment(*segment)[*offset] ^= 0x10;
        let report = tampered.verify();
        assert!(!report.clean, "{class}: nothing found");
        shown.push_str(&format!("{class}\n{}", first(&report)));
    }
    expected.assert_eq(&shown);
}

#[test]
fn a_flipped_byte_in_a_segment_header_is_found() {
    let offsets = [
        ("magic", 1, 0),
        ("format", 1, 9),
        ("reserved", 1, 10),
        ("alignment", 1, 15),
        ("number", 1, 23),
        ("head size", 1, 31),
        ("head hash", 1, 40),
        ("checksum key", 1, 70),
        ("checksum", 1, 100),
        ("magic of the first", 0, 3),
        ("key of the first", 0, 64),
    ];
    flips(
        &Image::of(&Bank::sample()),
        &offsets,
        expect![[r#"
            magic
              position 14, segment 1, byte 0: a_segment_header_is_sound
                expected the segment magic [43, 42, 53, 45, 47, 4d, 4e, 54]
                found [53, 42, 53, 45, 47, 4d, 4e, 54]
            format
              position 14, segment 1, byte 0: a_segment_header_is_sound
                expected segment format 1
                found 17
            reserved
              position 14, segment 1, byte 0: a_segment_header_is_sound
                expected zero in the reserved field of the segment header
                found 4096
            alignment
              position 14, segment 1, byte 0: a_segment_header_is_sound
                expected header checksum 8172881b..
                found d34ae5b7..
            number
              position 14, segment 1, byte 0: a_segment_carries_the_number_in_its_name
                expected 1
                found 17
              and 1 more
            head size
              position 14, segment 1, byte 0: a_segment_header_is_sound
                expected header checksum 94c890e1..
                found d34ae5b7..
            head hash
              position 14, segment 1, byte 0: a_segment_header_is_sound
                expected header checksum 0194609a..
                found d34ae5b7..
            checksum key
              position 14, segment 1, byte 0: a_segment_header_is_sound
                expected header checksum 2dc74c45..
                found d34ae5b7..
            checksum
              position 14, segment 1, byte 0: a_segment_header_is_sound
                expected header checksum d34ae5b7..
                found d34ae5b7..
            magic of the first
              position 0, segment 0, byte 0: a_segment_header_is_sound
                expected the segment magic [43, 42, 53, 45, 47, 4d, 4e, 54]
                found [43, 42, 53, 55, 47, 4d, 4e, 54]
              note: re-admission stops at position 0: records cannot be read from here on
            key of the first
              position 0, segment 0, byte 0: a_segment_header_is_sound
                expected header checksum d8d32677..
                found c497aac4..
        "#]],
    );
}

/// Block 3 holds positions 11 to 13, three achievements.
const BLOCK: usize = 3;

#[test]
fn a_flipped_byte_in_a_block_header_is_found() {
    let image = Image::of(&Bank::sample());
    let at = image.places[BLOCK];
    let checksum = at.len - BLOCK_CHECKSUM_LEN + 5;
    let fields = [
        ("magic", 0),
        ("format", 5),
        ("reserved", 7),
        ("first position", 15),
        ("count", 19),
        ("bytes of frames", 22),
        ("head hash", 30),
        ("checksum", checksum),
    ];
    let offsets = fields.map(|(class, offset)| (class, at.segment, at.start + offset));
    flips(
        &image,
        &offsets,
        expect![[r#"
            magic
              position 11, segment 0, byte 2915: a_block_is_sound
                expected the block magic [43, 42, 4c, 4b]
                found [53, 42, 4c, 4b]
              note: re-admission stops at position 11: records cannot be read from here on
            format
              position 11, segment 0, byte 2915: a_block_is_sound
                expected block format 1
                found 17
              note: re-admission stops at position 11: records cannot be read from here on
            reserved
              position 11, segment 0, byte 2915: a_block_is_sound
                expected zero in the reserved field of the block header
                found 16
              note: re-admission stops at position 11: records cannot be read from here on
            first position
              position 11, segment 0, byte 2915: a_block_is_sound
                expected block checksum 2b70992a..
                found 493bbc16..; beneath it: expected position 27, found 11
              note: re-admission stops at position 11: records cannot be read from here on
            count
              position 11, segment 0, byte 2915: a_block_is_sound
                expected a block, or zeros to the end of the file
                found expected 19 records in 822 bytes of frames, which do not hold them
              note: re-admission stops at position 11: records cannot be read from here on
            bytes of frames
              position 11, segment 0, byte 2915: a_block_is_sound
                expected at least 5006 bytes of block
                found 1181
              note: re-admission stops at position 11: records cannot be read from here on
            head hash
              position 11, segment 0, byte 2915: a_block_is_sound
                expected block checksum e92387e0..
                found 493bbc16..; beneath it: expected previous hash e47f3978.. at position 11, found e47f3978..
              note: re-admission stops at position 11: records cannot be read from here on
            checksum
              position 11, segment 0, byte 2915: a_block_is_sound
                expected block checksum 493bbc16..
                found 493bbc16..
        "#]],
    );
}

/// Where the second record of that block lies: segment, frame, leaf and salt.
fn second_record(bank: &Bank, image: &Image) -> (usize, usize, usize, usize) {
    let at = image.places[BLOCK];
    let block = &bank.blocks[BLOCK];
    let frame = at.start + block.frame_ranges().nth(1).unwrap().start;
    let leaf = frame + 6;
    let salt = leaf + block.records()[1].leaf.encoded_len();
    (at.segment, frame, leaf, salt)
}

#[test]
fn a_flipped_byte_in_a_leaf_is_found() {
    let bank = Bank::sample();
    let image = Image::of(&bank);
    let (segment, _, leaf, _) = second_record(&bank, &image);
    let fields = [
        ("version", 1),
        ("position", 9),
        ("recorded-at", 17),
        ("kind", 19),
        ("handle", 20),
        ("revision", 43),
        ("learner's previous position", 51),
        ("learner's previous hash", 60),
        ("previous hash", 90),
    ];
    let offsets = fields.map(|(class, offset)| (class, segment, leaf + offset));
    flips(
        &image,
        &offsets,
        expect![[r#"
            version
              position 12, segment 0, byte 2915: a_block_is_sound
                expected block checksum 812cb0bd..
                found 493bbc16..; beneath it: bad leaf at position 12: expected leaf version 1, found 17
              note: re-admission stops at position 11: records cannot be read from here on
            position
              position 12, segment 0, byte 2915: a_block_is_sound
                expected block checksum d75a70e1..
                found 493bbc16..; beneath it: expected position 12, found 28
              note: re-admission stops at position 11: records cannot be read from here on
            recorded-at
              position 12, segment 0, byte 2915: a_block_is_sound
                expected block checksum 3bc8c17e..
                found 493bbc16..; beneath it: expected recorded-at 1795219203000000 at position 12, found 1795219203000016
              note: re-admission stops at position 11: records cannot be read from here on
            kind
              position 13, segment 0, byte 2915: a_block_is_sound
                expected block checksum ef2f1e6e..
                found 493bbc16..; beneath it: expected previous hash 574ac09b.. at position 13, found 4d1afcdd..
              note: re-admission stops at position 11: records cannot be read from here on
            handle
              position 12, segment 0, byte 2915: a_block_is_sound
                expected block checksum f02b483d..
                found 493bbc16..; beneath it: the learner link at position 12 does not match the leaf at 11
              note: re-admission stops at position 11: records cannot be read from here on
            revision
              position 12, segment 0, byte 2915: a_block_is_sound
                expected block checksum 3842b00a..
                found 493bbc16..; beneath it: the learner link at position 12 does not match the leaf at 11
              note: re-admission stops at position 11: records cannot be read from here on
            learner's previous position
              position 12, segment 0, byte 2915: a_block_is_sound
                expected block checksum 62d11780..
                found 493bbc16..; beneath it: bad leaf at position 12: expected the learner's previous record before position 12, found 27
              note: re-admission stops at position 11: records cannot be read from here on
            learner's previous hash
              position 12, segment 0, byte 2915: a_block_is_sound
                expected block checksum f84444ac..
                found 493bbc16..; beneath it: the learner link at position 12 does not match the leaf at 11
              note: re-admission stops at position 11: records cannot be read from here on
            previous hash
              position 12, segment 0, byte 2915: a_block_is_sound
                expected block checksum e29c2655..
                found 493bbc16..; beneath it: expected previous hash f9877a9e.. at position 12, found f9877a9e..
              note: re-admission stops at position 11: records cannot be read from here on
        "#]],
    );
}

#[test]
fn a_flipped_byte_at_the_end_of_a_leaf_is_found() {
    let bank = Bank::sample();
    let image = Image::of(&bank);
    let (segment, _, leaf, _) = second_record(&bank, &image);
    let fields = [
        ("commitment", 120),
        ("length of the issuer", 148),
        ("issuer", 149),
        ("length of the submitter", 152),
        ("submitter", 153),
    ];
    let offsets = fields.map(|(class, offset)| (class, segment, leaf + offset));
    flips(
        &image,
        &offsets,
        expect![[r#"
            commitment
              position 13, segment 0, byte 2915: a_block_is_sound
                expected block checksum afe2fed6..
                found 493bbc16..; beneath it: expected previous hash 936ed059.. at position 13, found 4d1afcdd..
              note: re-admission stops at position 11: records cannot be read from here on
            length of the issuer
              position 12, segment 0, byte 2915: a_block_is_sound
                expected block checksum c3efc166..
                found 493bbc16..; beneath it: bad leaf at position 12: expected at least 168 bytes of leaf, found 156
              note: re-admission stops at position 11: records cannot be read from here on
            issuer
              position 13, segment 0, byte 2915: a_block_is_sound
                expected block checksum 9015174a..
                found 493bbc16..; beneath it: expected previous hash e031efca.. at position 13, found 4d1afcdd..
              note: re-admission stops at position 11: records cannot be read from here on
            length of the submitter
              position 12, segment 0, byte 2915: a_block_is_sound
                expected block checksum b50e0266..
                found 493bbc16..; beneath it: bad leaf at position 12: expected at least 172 bytes of leaf, found 156
              note: re-admission stops at position 11: records cannot be read from here on
            submitter
              position 13, segment 0, byte 2915: a_block_is_sound
                expected block checksum 40e36372..
                found 493bbc16..; beneath it: expected previous hash 1df3f785.. at position 13, found 4d1afcdd..
              note: re-admission stops at position 11: records cannot be read from here on
        "#]],
    );
}

#[test]
fn a_flipped_byte_in_a_frame_beside_the_leaf_is_found() {
    let bank = Bank::sample();
    let image = Image::of(&bank);
    let (segment, frame, _, salt) = second_record(&bank, &image);
    let offsets = [
        ("length of the leaf", segment, frame + 1),
        ("length of the body", segment, frame + 5),
        ("salt", segment, salt + 3),
        ("body", segment, salt + 40),
    ];
    flips(
        &image,
        &offsets,
        expect![[r#"
        length of the leaf
          position 11, segment 0, byte 2915: a_block_is_sound
            expected a block, or zeros to the end of the file
            found expected 3 records in 822 bytes of frames, which do not hold them
          note: re-admission stops at position 11: records cannot be read from here on
        length of the body
          position 11, segment 0, byte 2915: a_block_is_sound
            expected a block, or zeros to the end of the file
            found expected 3 records in 822 bytes of frames, which do not hold them
          note: re-admission stops at position 11: records cannot be read from here on
        salt
          position 12, segment 0, byte 2915: a_body_is_what_its_leaf_commits_to
            expected body commitment 8787417a..
            found body commitment 2d521814..
        body
          position 12, segment 0, byte 2915: a_body_is_what_its_leaf_commits_to
            expected body commitment 8787417a..
            found body commitment de6723cc..
    "#]],
    );
}

#[test]
fn a_flipped_byte_in_the_opening_or_a_registry_record_is_found_and_stops_re_admission() {
    let bank = Bank::sample();
    let image = Image::of(&bank);
    let body_of = |block: usize| {
        let at = image.places[block];
        let start = at.start + BLOCK_HEADER_LEN + 6;
        let leaf = bank.blocks[block].records()[0].leaf.encoded_len();
        (at.segment, start + leaf + 36)
    };
    let mut shown = String::new();
    for (class, block) in [("the opening", 0), ("a framework", 1)] {
        let (segment, offset) = body_of(block);
        let mut tampered = image.clone();
        tampered.segment(segment)[offset] ^= 1;
        let report = tampered.verify();
        shown.push_str(&format!(
            "{class}\n{}{:?}\n",
            findings(&report),
            report.admissions
        ));
    }
    expect![[r#"
        the opening
        position 0, segment 0, byte 128: a_body_is_what_its_leaf_commits_to
          expected body commitment b1d6521d..
          found body commitment e97fd556..
        note: re-admission stops at position 0: its body is damaged and the rules rest on it
        Admissions { admitted: 0, refused: 0, erased: 0, resting_on_erased: 0, damaged: 1, after_stop: 22 }
        a framework
        position 1, segment 0, byte 460: a_body_is_what_its_leaf_commits_to
          expected body commitment dc72e4fa..
          found body commitment 608450af..
        note: re-admission stops at position 1: its body is damaged and the rules rest on it
        Admissions { admitted: 1, refused: 0, erased: 0, resting_on_erased: 0, damaged: 1, after_stop: 21 }
    "#]].assert_eq(&short(&shown));
}

#[test]
fn a_byte_that_should_be_zero_is_found() {
    let layout = Layout {
        align: 512,
        segment_bytes: 6144,
        ..Layout::default()
    };
    let mut image = Image::laid_out(&Bank::sample().blocks, layout);
    image.spare = Some(vec![0; 4096]);
    let end = |index: usize| image.places[index].start + image.places[index].len;
    let last = image.places.iter().rposition(|at| at.segment == 0).unwrap();
    assert!(
        end(last) + 512 < layout.segment_bytes,
        "the first segment has a rest"
    );
    let offsets = [
        ("after a header", 0, SEGMENT_HEADER_LEN + 7),
        ("between blocks", 0, end(0) + 3),
        ("rest of a segment", 0, layout.segment_bytes - 1),
    ];
    flips(
        &image,
        &offsets,
        expect![[r#"
            after a header
              position 0, segment 0, byte 135: what_belongs_to_no_block_is_zero
                expected zeros
                found another byte at 135
            between blocks
              position 1, segment 0, byte 847: what_belongs_to_no_block_is_zero
                expected zeros
                found another byte at 847
            rest of a segment
              position 16, segment 0, byte 6143: what_belongs_to_no_block_is_zero
                expected zeros
                found another byte at 6143
        "#]],
    );

    let mut spare = image.clone();
    spare.spare.as_mut().unwrap()[1000] = 1;
    expect![[r#"
        byte 1000: the_spare_holds_no_record
          expected zeros in log/spare, after a header perhaps
          found another byte at 1000
    "#]]
    .assert_eq(&findings(&spare.verify()));
}

#[test]
fn a_spare_with_a_header_is_as_good_as_one_without() {
    let mut image = Image::of(&Bank::sample());
    let header = image.segment(0)[..SEGMENT_HEADER_LEN].to_vec();
    let mut spare = header.clone();
    spare.resize(4096, 0);
    image.spare = Some(spare);
    assert_eq!(findings(&image.verify()), "");
    image.spare = Some(Vec::new());
    assert_eq!(findings(&image.verify()), "");
}

/// Whatever class a byte is of: a flip is found, unless it lies in the head mark at the very end, which is
/// then a torn tail like any other.
#[test]
fn no_flipped_byte_goes_unseen() {
    let image = Image::of(&Bank::sample());
    let mark = *image.places.last().unwrap();
    for segment in 0..image.segments.len() {
        let len = image.segments[segment].as_ref().map_or(0, Vec::len);
        // A stride that meets every class of byte many times, at other offsets in every record.
        for offset in (0..len).step_by(11) {
            let mut tampered = image.clone();
            tampered.segment(segment)[offset] ^= 0x40;
            let report = tampered.verify_once();
            let in_mark = segment == mark.segment && offset >= mark.start;
            let is_torn = report
                .notes
                .iter()
                .any(|note| note.starts_with("torn tail"));
            assert!(
                !report.clean || (in_mark && is_torn),
                "segment {segment}, byte {offset}"
            );
        }
    }
}

/// Random bytes anywhere in a block, with its checksum made right, so that nothing stops them at the
/// door: whatever is found, both ways of verifying find the same, and neither panics nor hangs.
#[test]
fn garbage_with_the_right_checksum_is_found_alike_at_once_and_in_shares() {
    let image = Image::of(&Bank::sample());
    let mut random = 0x2545_f491_4f6c_dd1d_u64;
    let mut next = |below: usize| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        usize::try_from(random >> 33).unwrap() % below
    };
    let mut n_decoded = 0;
    for _ in 0..300 {
        let mut tampered = image.clone();
        for _ in 0..=next(2) {
            let index = next(image.places.len() - 1);
            let key = key(image.places[index].segment);
            let bytes = tampered.block(index);
            for _ in 0..=next(3) {
                let at = next(bytes.len());
                bytes[at] = u8::try_from(next(256)).unwrap();
            }
            if let Ok(checksum) = chain::block_checksum(bytes, &key) {
                let end = bytes.len() - BLOCK_CHECKSUM_LEN;
                bytes[end..].copy_from_slice(&checksum.0);
                n_decoded += usize::from(chain::decode_block(bytes, &key).is_ok());
            }
        }
        tampered.verify();
    }
    assert!(n_decoded > 50, "only {n_decoded} blocks got past decoding");
}
