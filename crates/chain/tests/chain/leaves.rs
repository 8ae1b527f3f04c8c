//! A leaf has exactly one encoding.

use chain::{
    Hash, Institution, InstitutionError, LEAF_LEN_MAX, LEAF_LEN_MIN, Leaf, LeafError, LearnerLink,
    Position, chain_hash,
};
use proptest::prelude::*;

use crate::samples::Draw;

proptest! {
    #[test]
    fn a_leaf_decodes_to_itself(seed: u64) {
        let leaf = Draw::new(seed).leaf();
        let bytes = leaf.encode();
        prop_assert_eq!(bytes.len(), leaf.encoded_len());
        prop_assert!((LEAF_LEN_MIN..=LEAF_LEN_MAX).contains(&bytes.len()));
        prop_assert_eq!(Leaf::decode(&bytes), Ok(leaf));
        prop_assert_eq!(leaf.hash(), chain_hash(&bytes));
    }

    #[test]
    fn no_other_bytes_decode_to_a_leaf(seed: u64, flip in 1_u8..) {
        let leaf = Draw::new(seed).leaf();
        let bytes = leaf.encode();
        for index in 0..bytes.len() {
            let mut other = bytes.clone();
            other[index] ^= flip;
            if let Ok(found) = Leaf::decode(&other) {
                prop_assert_ne!(found, leaf);
                prop_assert_eq!(found.encode(), other);
            }
            prop_assert!(Leaf::decode(&bytes[..index]).is_err());
        }
        let mut longer = bytes;
        longer.push(flip);
        prop_assert!(Leaf::decode(&longer).is_err());
    }

    #[test]
    fn any_bytes_are_refused_or_canonical(mut bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        if let Some(version) = bytes.get_mut(..2) {
            version.copy_from_slice(&[0, 1]);
        }
        if let Ok(leaf) = Leaf::decode(&bytes) {
            prop_assert_eq!(leaf.encode(), bytes);
        }
    }
}

/// A leaf that keeps every rule and that the tests below break one rule at a time.
fn leaf() -> Leaf {
    let id = |text| Institution::try_from(text).expect("short and graphic");
    Leaf {
        position: Position(9),
        recorded_at: chain::Timestamp(1),
        kind: 50,
        issuer: id("a"),
        submitter: id("bc"),
        learner: Some(LearnerLink {
            handle: chain::Handle([7; 16]),
            revision: 3,
            previous_position: Position(8),
            previous_hash: Hash([1; 32]),
        }),
        previous_hash: Hash([2; 32]),
        commitment: Hash([3; 32]),
    }
}

#[test]
fn every_canonical_rule_of_a_leaf_is_enforced() {
    let previous_hash = |at, found| LeafError::PreviousHash {
        position: Position(at),
        found,
    };
    let at_zero = Leaf {
        position: Position(0),
        ..leaf()
    };
    let unlinked = Leaf {
        previous_hash: Hash::ZERO,
        ..leaf()
    };
    assert_eq!(leaf().check(), Ok(()));
    refused(Leaf { kind: 0, ..leaf() }, LeafError::KindZero);
    refused(at_zero, previous_hash(0, Hash([2; 32])));
    refused(unlinked, previous_hash(9, Hash::ZERO));
}

#[test]
fn every_canonical_rule_of_a_learner_link_is_enforced() {
    let link = leaf().learner.unwrap();
    let hash = link.previous_hash;
    let linked = |found, hash| LeafError::FirstRevisionLinked {
        found: Position(found),
        hash,
    };
    let later = |found| LeafError::LearnerPosition {
        position: Position(9),
        found,
    };
    let rows = [
        (3, Position(9), hash, later(Position(9))),
        (3, Position(10), hash, later(Position(10))),
        (
            3,
            Position(8),
            Hash::ZERO,
            LeafError::LearnerHashZero { revision: 3 },
        ),
        (0, Position(8), hash, linked(8, hash)),
        (0, Position(8), Hash::ZERO, linked(8, Hash::ZERO)),
        (0, Position(0), hash, linked(0, hash)),
    ];
    for (revision, previous_position, previous_hash, expected) in rows {
        let link = LearnerLink {
            revision,
            previous_position,
            previous_hash,
            ..link
        };
        refused(
            Leaf {
                learner: Some(link),
                ..leaf()
            },
            expected,
        );
    }
    let nobody = LearnerLink {
        handle: chain::Handle::ZERO,
        ..link
    };
    let broken = Leaf {
        learner: Some(nobody),
        ..leaf()
    };
    // Encoded, a handle of zeros reads as no learner at all.
    assert_eq!(broken.check(), Err(LeafError::HandleZero));
    assert_eq!(
        Leaf::decode(&broken.encode()),
        Err(LeafError::LinkWithoutLearner)
    );
}

/// Both who makes a leaf and who reads one is told.
fn refused(broken: Leaf, expected: LeafError) {
    assert_eq!(
        Leaf::decode(&broken.encode()),
        Err(expected.clone()),
        "{broken:?}"
    );
    assert_eq!(broken.check(), Err(expected), "{broken:?}");
}

#[test]
fn each_part_of_a_link_needs_a_handle() {
    let bytes = Leaf {
        learner: None,
        ..leaf()
    }
    .encode();
    assert!(Leaf::decode(&bytes).is_ok());
    for index in 36..84 {
        let mut linked = bytes.clone();
        linked[index] = 1;
        assert_eq!(
            Leaf::decode(&linked),
            Err(LeafError::LinkWithoutLearner),
            "byte {index}"
        );
    }
}

#[test]
fn lengths_and_versions_are_exact() {
    let bytes = leaf().encode();
    let mut other = bytes.clone();
    other[1] = 2;
    assert_eq!(
        Leaf::decode(&other),
        Err(LeafError::Version {
            expected: 1,
            found: 2
        })
    );
    assert_eq!(
        Leaf::decode(&[]),
        Err(LeafError::Truncated {
            needed: 2,
            found: 0
        })
    );
    let (expected, found) = (bytes.len(), bytes.len() + 1);
    other = [&bytes[..], &[0]].concat();
    assert_eq!(
        Leaf::decode(&other),
        Err(LeafError::Trailing { expected, found })
    );
    let mut long = bytes[..148].to_vec();
    long.push(65);
    long.extend_from_slice(&[b'x'; 66]);
    let source = InstitutionError::Length { found: 65, max: 64 };
    assert_eq!(Leaf::decode(&long), Err(LeafError::Issuer(source)));
    let mut blank = bytes;
    blank[151] = b' ';
    let source = InstitutionError::Byte {
        index: 0,
        found: b' ',
    };
    assert_eq!(Leaf::decode(&blank), Err(LeafError::Submitter(source)));
}
