//! A block is refused unless every covered byte is as it was written.

use std::collections::BTreeSet;

use chain::{
    BLOCK_BYTES_MAX, BLOCK_HEADER_LEN, BLOCK_OVERHEAD_LEN, Block, BlockError, BlockHeader,
    ChecksumKey, Hash, Head, Position, Record, Salt, Timestamp, block_checksum, decode_block,
    peek_block_len,
};
use proptest::prelude::*;

use crate::samples::{Draw, KEY};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_block_decodes_to_itself_and_says_its_length(seed: u64, after in any::<[u8; 9]>()) {
        let block = Draw::new(seed).block(12, 200);
        let bytes = block.encode(&KEY);
        prop_assert_eq!(bytes.len(), block.encoded_len());
        prop_assert_eq!(peek_block_len(&bytes[..BLOCK_HEADER_LEN]), Ok(bytes.len()));
        prop_assert_eq!(block.bad_commitment(), None);
        let followed = [&bytes[..], &after].concat();
        prop_assert_eq!(decode_block(&followed, &KEY), Ok((block.clone(), bytes.len())));
        prop_assert_eq!(Block::new(block.prev(), block.records().to_vec()), Ok(block.clone()));
        prop_assert_eq!(block.head().size - block.prev().size, u64::try_from(block.records().len()).unwrap());
        for (record, range) in block.records().iter().zip(block.frame_ranges()) {
            let (found, len) = Record::decode_frame(&bytes[range.clone()]).unwrap();
            prop_assert_eq!(&found, record);
            prop_assert_eq!(len, range.len());
        }
    }

    #[test]
    fn every_flipped_bit_is_found(seed: u64, flip in 1_u8..) {
        let block = Draw::new(seed).block(5, 40);
        let bytes = block.encode(&KEY);
        let erasable: BTreeSet<usize> = block
            .records()
            .iter()
            .filter_map(|record| block.erasable_range(record.leaf.position))
            .flatten()
            .collect();
        for index in 0..bytes.len() {
            let mut other = bytes.clone();
            other[index] ^= flip;
            match decode_block(&other, &KEY) {
                Ok((found, _)) => {
                    prop_assert!(erasable.contains(&index), "byte {} is covered", index);
                    let holder = block
                        .records()
                        .iter()
                        .map(|record| record.leaf.position)
                        .find(|at| block.erasable_range(*at).unwrap().contains(&index));
                    prop_assert_eq!(found.bad_commitment(), holder);
                    prop_assert_eq!(found.head(), block.head());
                }
                Err(_) => prop_assert!(!erasable.contains(&index), "byte {} is not", index),
            }
            prop_assert!(decode_block(&bytes[..index], &KEY).is_err());
        }
    }

    #[test]
    fn erasing_keeps_chain_and_checksum(seed: u64) {
        let block = Draw::new(seed).block(6, 60);
        let mut erased = block.clone();
        let mut bytes = block.encode(&KEY);
        for position in block.records().iter().map(|record| record.leaf.position) {
            prop_assert!(erased.erase(position));
            bytes[block.erasable_range(position).unwrap()].fill(0);
        }
        prop_assert_eq!(erased.encode(&KEY), bytes.clone());
        prop_assert_eq!(block_checksum(&bytes, &KEY), block_checksum(&block.encode(&KEY), &KEY));
        let (found, _) = decode_block(&bytes, &KEY).unwrap();
        prop_assert_eq!(found.head(), block.head());
        prop_assert_eq!(found.bad_commitment(), None);
        let gone = |record: &Record| record.is_erased() && !record.commitment_holds();
        prop_assert!(found.records().iter().all(gone));
    }

    #[test]
    fn other_keys_make_other_blocks(seed: u64) {
        let bytes = Draw::new(seed).block(3, 20).encode(&KEY);
        let other = ChecksumKey([0x4c; 32]);
        let refused = matches!(decode_block(&bytes, &other), Err(BlockError::Checksum { .. }));
        prop_assert!(refused);
    }
}

/// A block of three records of one learner, at position 0.
fn three() -> Block {
    let mut builder = chain::BlockBuilder::new(Head::EMPTY, Timestamp(5));
    let mut tip = None;
    for _ in 0..3 {
        let learner = Some((chain::Handle([1; 16]), tip));
        let (nobody, salt) = (chain::Institution::OPERATOR, Salt([9; 32]));
        let pushed = builder.push(1, nobody, nobody, learner, salt, vec![1, 2]);
        tip = pushed.expect("three short records").tip;
    }
    builder.finish()
}

/// Links the records again after a test changed one, so that only the tested rule is broken.
fn relink(records: &mut [Record]) {
    let mut previous = Hash::ZERO;
    for record in records {
        record.leaf.previous_hash = previous;
        previous = record.hash();
    }
}

#[test]
fn records_must_follow_each_other() {
    let remake = |change: fn(&mut Vec<Record>)| {
        let mut records = three().into_records();
        change(&mut records);
        Block::new(Head::EMPTY, records)
    };
    assert_eq!(remake(|_| ()), Ok(three()));
    let swapped = remake(|records| records.swap(0, 1));
    let (expected, found) = (Position(0), Position(1));
    assert_eq!(swapped, Err(BlockError::Position { expected, found }));
    let dropped = remake(|records| drop(records.remove(1)));
    let (expected, found) = (Position(1), Position(2));
    assert_eq!(dropped, Err(BlockError::Position { expected, found }));
    let changed = remake(|records| records[1].leaf.kind = 2);
    assert!(matches!(
        changed,
        Err(BlockError::PreviousHash {
            position: Position(2),
            ..
        })
    ));
    let later = remake(|records| {
        records[1].leaf.recorded_at = Timestamp(6);
        relink(records);
    });
    let (position, expected, found) = (Position(1), Timestamp(5), Timestamp(6));
    assert_eq!(
        later,
        Err(BlockError::RecordedAt {
            position,
            expected,
            found
        })
    );
    let kindless = remake(|records| records[2].leaf.kind = 0);
    assert!(matches!(
        kindless,
        Err(BlockError::Leaf {
            position: Position(2),
            ..
        })
    ));
}

#[test]
fn a_learner_link_into_the_block_must_hold() {
    type Change = fn(&mut chain::LearnerLink);
    let changes: [(&str, Change); 4] = [
        ("another learner", |link| {
            link.handle = chain::Handle([2; 16])
        }),
        ("a revision left out", |link| link.revision += 1),
        ("the last but one", |link| {
            link.previous_position = Position(0)
        }),
        ("another hash", |link| link.previous_hash = Hash([1; 32])),
    ];
    for (what, change) in changes {
        let mut records = three().into_records();
        change(records[2].leaf.learner.as_mut().unwrap());
        let found = Block::new(Head::EMPTY, records);
        let refused = matches!(
            found,
            Err(BlockError::LearnerLink {
                position: Position(2),
                ..
            })
        );
        assert!(refused, "{what}: {found:?}");
    }
}

#[test]
fn a_resealed_block_is_still_held_to_the_rules() {
    // A writer with the key can make any checksum right; the links must hold all the same.
    let bytes = three().encode(&KEY);
    let first = three().frame_ranges().next().unwrap();
    let mut resealed = bytes.clone();
    let kind_at = first.start + 6 + 19;
    resealed[kind_at] = 2;
    let end = resealed.len() - 32;
    let checksum = block_checksum(&resealed, &KEY).unwrap();
    resealed[end..].copy_from_slice(&checksum.0);
    let found = decode_block(&resealed, &KEY);
    assert!(matches!(
        found,
        Err(BlockError::PreviousHash {
            position: Position(1),
            ..
        })
    ));
}

#[test]
fn impossible_headers_are_refused_before_anything_is_reserved() {
    let mark = Block::mark(Head::EMPTY);
    let bytes = mark.encode(&KEY);
    assert_eq!(bytes.len(), BLOCK_OVERHEAD_LEN);
    assert_eq!(decode_block(&bytes, &KEY), Ok((mark, BLOCK_OVERHEAD_LEN)));
    let with = |at: usize, new: &[u8]| {
        let mut other = bytes.clone();
        other[at..at + new.len()].copy_from_slice(new);
        BlockHeader::decode(&other).unwrap_err()
    };
    let most = [0xff; 4];
    assert!(matches!(with(0, b"CBLX"), BlockError::Magic { .. }));
    assert_eq!(
        with(4, &[0, 2]),
        BlockError::Format {
            expected: 1,
            found: 2
        }
    );
    assert_eq!(with(6, &[0, 1]), BlockError::Reserved { found: 1 });
    assert!(matches!(with(8, &[1]), BlockError::PreviousHead { .. }));
    assert!(matches!(with(24, &[1]), BlockError::PreviousHead { .. }));
    assert_eq!(
        with(16, &most),
        BlockError::Count {
            expected: u32::MAX,
            frames_len: 0
        }
    );
    assert!(matches!(with(20, &most), BlockError::Length { .. }));
    assert_eq!(
        with(23, &[1]),
        BlockError::Count {
            expected: 0,
            frames_len: 1
        }
    );
    assert!(matches!(
        peek_block_len(&bytes[..55]),
        Err(BlockError::Truncated { .. })
    ));
    let last = Head {
        size: u64::MAX,
        hash: Hash([1; 32]),
    };
    let mut full = Block::mark(last).encode(&KEY);
    full[16..24].copy_from_slice(&[0, 0, 0, 1, 0, 0, 1, 0]);
    assert!(matches!(
        BlockHeader::decode(&full),
        Err(BlockError::PositionRange { .. })
    ));
}

#[test]
fn a_block_has_at_most_eight_mebibytes() {
    let mut records = three().into_records();
    let spare = BLOCK_BYTES_MAX - three().encoded_len();
    records[2].body.resize(2 + spare, 1);
    let block = Block::new(Head::EMPTY, records.clone()).unwrap();
    assert_eq!(block.encode(&KEY).len(), BLOCK_BYTES_MAX);
    assert_eq!(block.bad_commitment(), Some(Position(2)));
    records[2].body.push(1);
    let (found, max) = (BLOCK_BYTES_MAX + 1, BLOCK_BYTES_MAX);
    assert_eq!(
        Block::new(Head::EMPTY, records),
        Err(BlockError::Length { found, max })
    );
}

#[test]
fn a_half_erased_record_is_not_erased() {
    let mut block = three();
    assert!(block.all_commitments_hold());
    assert!(block.erase(Position(1)));
    assert_eq!(
        (block.bad_commitment(), block.all_commitments_hold()),
        (None, false)
    );
    assert!(!block.erase(Position(3)));
    assert_eq!(block.record(Position(1)).map(Record::is_erased), Some(true));
    let mut records = block.into_records();
    records[2].salt = Salt::ZERO;
    let block = Block::new(Head::EMPTY, records).unwrap();
    assert_eq!(block.bad_commitments().collect::<Vec<_>>(), [Position(2)]);
}
