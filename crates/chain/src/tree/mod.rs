//! The Merkle tree over all leaves: its hashes, and the edge that grows.
//!
//! Apart from the chains because they answer another question: a chain shows that nothing was changed
//! to whoever holds all of it, a tree shows it to whoever holds one record. Source: RFC 6962 section 2.1
//! (SHA-256), which every verifier, monitor and witness that others have written speaks.

mod nodes;
mod prove;
mod verify;

use std::fmt;
use std::str::FromStr;

use sha2::{Digest, Sha256};

use crate::error::ParseError;
use crate::hex;

pub use nodes::{Node, Span};
pub use prove::{consistency, inclusion};
pub use verify::{verify_consistency, verify_inclusion};

/// A 32-byte hash of the tree: of a leaf, of a node, or the root. Text form: 64 lower-case hexadecimal
/// digits; in checkpoints and proofs, base64.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TreeHash(pub [u8; 32]);

impl TreeHash {
    /// Length in bytes.
    pub const LEN: usize = 32;

    /// The root of a tree without leaves: SHA-256 of nothing.
    #[must_use]
    pub fn of_nothing() -> TreeHash {
        TreeHash(Sha256::digest([]).into())
    }

    /// The hash of a leaf: SHA-256 of 0x00 and the leaf's bytes.
    #[must_use]
    pub fn of_leaf(leaf: &[u8]) -> TreeHash {
        let hasher = Sha256::new().chain_update([0]).chain_update(leaf);
        TreeHash(hasher.finalize().into())
    }

    /// The hash of a node: SHA-256 of 0x01 and both its children's.
    #[must_use]
    pub fn of_node(left: &TreeHash, right: &TreeHash) -> TreeHash {
        let mut bytes = [1; 1 + 2 * TreeHash::LEN];
        bytes[1..=TreeHash::LEN].copy_from_slice(&left.0);
        bytes[1 + TreeHash::LEN..].copy_from_slice(&right.0);
        TreeHash(Sha256::digest(bytes).into())
    }
}

impl fmt::Display for TreeHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        hex::write(f, &self.0)
    }
}

impl fmt::Debug for TreeHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        hex::write(f, &self.0)
    }
}

impl FromStr for TreeHash {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<TreeHash, ParseError> {
        hex::read(text).map(TreeHash)
    }
}

/// The right edge of a tree: the roots of the complete subtrees of which it consists, which is all that
/// is needed to add leaves and to tell the root.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Frontier {
    size: u64,
    /// Of the largest subtree first; one for every bit of the size that is set.
    roots: Vec<TreeHash>,
}

impl Frontier {
    /// Of a tree of that size, from the roots of its complete subtrees: those of [`Span::nodes`] of
    /// all leaves, in their order. `None` when they are not as many.
    #[must_use]
    pub fn new(size: u64, roots: Vec<TreeHash>) -> Option<Frontier> {
        let expected = usize::try_from(size.count_ones()).ok()?;
        (roots.len() == expected).then_some(Frontier { size, roots })
    }

    /// How many leaves the tree has.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Adds a leaf by its hash. Each subtree that it completes is told in order, the leaf first: level
    /// (0 for a leaf) and hash.
    pub fn push(&mut self, leaf: TreeHash, mut completed: impl FnMut(u32, TreeHash)) {
        let mut hash = leaf;
        completed(0, hash);
        // One subtree per trailing one of the size is as large as what has been completed.
        for level in 1..=self.size.trailing_ones() {
            let left = self.roots.pop().expect("one root a bit that is set");
            hash = TreeHash::of_node(&left, &hash);
            completed(level, hash);
        }
        self.roots.push(hash);
        self.size += 1;
    }

    /// The root.
    #[must_use]
    pub fn root(&self) -> TreeHash {
        join(&self.roots).unwrap_or_else(TreeHash::of_nothing)
    }
}

/// The root over neighbouring complete subtrees, each smaller than the one before it: a lone one on the right is
/// promoted. `None` of none.
pub(crate) fn join(roots: &[TreeHash]) -> Option<TreeHash> {
    let (last, before) = roots.split_last()?;
    let fold = |right: TreeHash, left: &TreeHash| TreeHash::of_node(left, &right);
    Some(before.iter().rev().fold(*last, fold))
}
