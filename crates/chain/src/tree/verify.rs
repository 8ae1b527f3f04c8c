//! Checking proofs.
//!
//! Apart from making them because this is what an outsider runs, on bytes that nobody vouches for.
//! Source: RFC 9162 sections 2.1.3.2 and 2.1.4.2.

use super::TreeHash;
use crate::error::ProofError;

/// The leaf with that hash is at `index` in the tree of `size` leaves with that root.
///
/// # Errors
/// What does not fit.
pub fn verify_inclusion(
    leaf: &TreeHash,
    index: u64,
    proof: &[TreeHash],
    size: u64,
    root: &TreeHash,
) -> Result<(), ProofError> {
    if index >= size {
        return Err(ProofError::NoSuchLeaf { index, size });
    }
    let (mut node, mut last) = (index, size - 1);
    let mut hash = *leaf;
    for part in proof {
        if last == 0 {
            return Err(ProofError::TooLong);
        }
        if node & 1 == 1 || node == last {
            hash = TreeHash::of_node(part, &hash);
            while node & 1 == 0 && node != 0 {
                (node, last) = (node >> 1, last >> 1);
            }
        } else {
            hash = TreeHash::of_node(&hash, part);
        }
        (node, last) = (node >> 1, last >> 1);
    }
    if last != 0 {
        return Err(ProofError::TooShort);
    }
    same_root(root, hash)
}

/// The tree of `old` leaves with its root is the beginning of the tree of `new` leaves with its root.
///
/// # Errors
/// What does not fit.
pub fn verify_consistency(
    (old, old_root): (u64, &TreeHash),
    (new, new_root): (u64, &TreeHash),
    proof: &[TreeHash],
) -> Result<(), ProofError> {
    if old > new {
        return Err(ProofError::Shrunk { old, new });
    }
    if old == new {
        if !proof.is_empty() {
            return Err(ProofError::TooLong);
        }
        return same_root(new_root, *old_root);
    }
    if old == 0 {
        return Err(ProofError::OfNothing);
    }
    let (mut node, mut last) = (old - 1, new - 1);
    while node & 1 == 1 {
        (node, last) = (node >> 1, last >> 1);
    }
    // A tree of a power of two is a subtree of the new one: its root is the first part.
    let (first, rest) = match proof.split_first() {
        _ if old.is_power_of_two() => (*old_root, proof),
        Some((first, rest)) => (*first, rest),
        None => return Err(ProofError::TooShort),
    };
    let (mut from_old, mut from_new) = (first, first);
    for part in rest {
        if last == 0 {
            return Err(ProofError::TooLong);
        }
        if node & 1 == 1 || node == last {
            from_old = TreeHash::of_node(part, &from_old);
            from_new = TreeHash::of_node(part, &from_new);
            while node & 1 == 0 && node != 0 {
                (node, last) = (node >> 1, last >> 1);
            }
        } else {
            from_new = TreeHash::of_node(&from_new, part);
        }
        (node, last) = (node >> 1, last >> 1);
    }
    if last != 0 {
        return Err(ProofError::TooShort);
    }
    same_root(old_root, from_old)?;
    same_root(new_root, from_new)
}

fn same_root(expected: &TreeHash, found: TreeHash) -> Result<(), ProofError> {
    if *expected == found {
        return Ok(());
    }
    let expected = *expected;
    Err(ProofError::Root { expected, found })
}
