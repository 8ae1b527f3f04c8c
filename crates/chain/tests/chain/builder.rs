//! The builder makes links that `Block::new` accepts, or leaves the block as it was.

use chain::{
    BLOCK_BYTES_MAX, Block, BlockBuilder, BlockError, Handle, Hash, Head, Institution, LeafError,
    LearnerTip, Position, Salt, Timestamp, commit,
};

const NOBODY: Institution = Institution::OPERATOR;
const SALT: Salt = Salt([5; 32]);

#[test]
fn pushing_links_ledger_and_learner() {
    let prev = Head {
        size: 40,
        hash: Hash([8; 32]),
    };
    let mut builder = BlockBuilder::new(prev, Timestamp(3));
    let learner = Handle([1; 16]);
    let old = LearnerTip {
        revision: 6,
        position: Position(12),
        hash: Hash([4; 32]),
    };
    let first = builder.push(
        50,
        NOBODY,
        NOBODY,
        Some((learner, Some(old))),
        SALT,
        vec![1],
    );
    let first = first.unwrap();
    let tip = first.tip.unwrap();
    assert_eq!(
        (tip.revision, tip.position, tip.hash),
        (7, Position(40), first.hash)
    );
    let second = builder
        .push(16, NOBODY, NOBODY, None, SALT, vec![])
        .unwrap();
    assert_eq!((second.position, second.tip), (Position(41), None));
    let third = builder.push(
        50,
        NOBODY,
        NOBODY,
        Some((learner, first.tip)),
        SALT,
        vec![2],
    );
    let third = third.unwrap();
    assert_eq!(
        builder.head(),
        Head {
            size: 43,
            hash: third.hash
        }
    );

    let len = builder.bytes();
    let (block, leaves) = builder.finish_with_leaves();
    let mut rest = 0;
    for (record, pushed) in block.records().iter().zip([&first, &second, &third]) {
        assert_eq!(leaves[rest..pushed.leaf_end], record.leaf.encode());
        rest = pushed.leaf_end;
    }
    assert_eq!(rest, leaves.len());
    assert_eq!(block.encoded_len(), len);
    assert_eq!(block.recorded_at(), Some(Timestamp(3)));
    assert_eq!(
        Block::new(prev, block.records().to_vec()),
        Ok(block.clone())
    );
    let leaf = block.record(Position(42)).unwrap().leaf;
    let link = leaf.learner.unwrap();
    assert_eq!((link.revision, link.previous_position), (8, Position(40)));
    assert_eq!(
        (link.previous_hash, leaf.previous_hash),
        (first.hash, second.hash)
    );
    assert_eq!(leaf.commitment, commit(&SALT, &[2]));
}

#[test]
fn what_cannot_be_linked_changes_nothing() {
    let prev = Head {
        size: 2,
        hash: Hash([8; 32]),
    };
    let mut builder = BlockBuilder::new(prev, Timestamp(3));
    let position = Position(2);
    let tip = |revision, at, hash| {
        Some(LearnerTip {
            revision,
            position: Position(at),
            hash,
        })
    };
    let some = |tip| Some((Handle([1; 16]), tip));
    let bad_leaf = |source| BlockError::Leaf { position, source };
    let later = LeafError::LearnerPosition {
        position,
        found: position,
    };
    let rows = [
        (0, None, SALT, bad_leaf(LeafError::KindZero)),
        (1, None, Salt::ZERO, BlockError::SaltZero { position }),
        (
            1,
            Some((Handle::ZERO, None)),
            SALT,
            bad_leaf(LeafError::HandleZero),
        ),
        (1, some(tip(0, 2, Hash([1; 32]))), SALT, bad_leaf(later)),
        (
            1,
            some(tip(0, 1, Hash::ZERO)),
            SALT,
            bad_leaf(LeafError::LearnerHashZero { revision: 1 }),
        ),
        (
            1,
            some(tip(u64::MAX, 1, Hash([1; 32]))),
            SALT,
            BlockError::RevisionRange {
                position,
                revision: u64::MAX,
            },
        ),
    ];
    for (kind, learner, salt, expected) in rows {
        let found = builder.push(kind, NOBODY, NOBODY, learner, salt, vec![]);
        assert_eq!(found, Err(expected));
    }
    assert!(!builder.has_room_for(BLOCK_BYTES_MAX));
    let found = builder.push(1, NOBODY, NOBODY, None, SALT, vec![0; BLOCK_BYTES_MAX]);
    assert!(matches!(found, Err(BlockError::Length { .. })));
    assert!(builder.is_empty());
    assert_eq!(builder.finish(), Block::mark(prev));
}

#[test]
fn the_last_position_is_not_given_away() {
    let prev = Head {
        size: u64::MAX,
        hash: Hash([8; 32]),
    };
    let found = BlockBuilder::new(prev, Timestamp(0)).push(1, NOBODY, NOBODY, None, SALT, vec![]);
    assert!(matches!(found, Err(BlockError::PositionRange { .. })));
}

#[test]
fn whatever_has_room_fits() {
    let longest = Institution::try_from(&*"x".repeat(64)).unwrap();
    let mut builder = BlockBuilder::new(Head::EMPTY, Timestamp(0));
    let largest = (0..BLOCK_BYTES_MAX)
        .rev()
        .find(|len| builder.has_room_for(*len))
        .unwrap();
    let pushed = builder.push(1, longest, longest, None, SALT, vec![1; largest]);
    assert!(pushed.is_ok());
    assert_eq!(builder.bytes(), BLOCK_BYTES_MAX);
}
