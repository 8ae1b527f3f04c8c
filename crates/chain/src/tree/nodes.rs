//! Which subtrees cover a stretch of leaves.
//!
//! Apart from proofs because it is arithmetic on numbers: whoever keeps the hashes reads what is named
//! here, and no more.

use super::{TreeHash, join};

/// A complete subtree: `2^level` leaves, from leaf `index * 2^level` on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Node {
    /// 0 for a leaf; at most 63.
    pub level: u32,
    /// Among the subtrees of its level, from 0.
    pub index: u64,
}

impl Node {
    /// Its first leaf, and the one after its last.
    #[must_use]
    pub fn leaves(&self) -> (u64, u64) {
        let first = self.index << self.level;
        (first, first + (1 << self.level))
    }
}

/// Neighbouring leaves whose hash is a part of a proof: RFC 6962's `MTH(D[from:until])`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// The first leaf.
    pub from: u64,
    /// The leaf after the last.
    pub until: u64,
}

impl Span {
    /// The complete subtrees that cover it, from the left. `from` lies on a boundary of the largest, as
    /// in every part of a proof.
    #[must_use]
    pub fn nodes(&self) -> Vec<Node> {
        let mut nodes = Vec::new();
        let mut from = self.from;
        while let Some(level) = (self.until.saturating_sub(from)).checked_ilog2() {
            let index = from >> level;
            nodes.push(Node { level, index });
            from += 1 << level;
        }
        nodes
    }

    /// Its hash, from those of its nodes. `None` of none.
    #[must_use]
    pub fn hash(&self, nodes: &[TreeHash]) -> Option<TreeHash> {
        join(nodes)
    }
}
