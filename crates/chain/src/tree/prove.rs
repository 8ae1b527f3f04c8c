//! What a proof consists of.
//!
//! Apart from checking because a verifier needs none of it. A proof is named here as spans of leaves, in
//! its order; whoever keeps the hashes reads them. Source: RFC 6962 sections 2.1.1 and 2.1.2.

use super::Span;

/// The parts of the proof that the leaf at `index` is in the tree of `size` leaves: the leaf's sibling
/// first. `None` when there is no such leaf.
#[must_use]
pub fn inclusion(index: u64, size: u64) -> Option<Vec<Span>> {
    if index >= size {
        return None;
    }
    let mut parts = Vec::new();
    let (mut from, mut until) = (0, size);
    while until - from > 1 {
        let middle = from + left_size(until - from);
        if index < middle {
            parts.push(Span {
                from: middle,
                until,
            });
            until = middle;
        } else {
            parts.push(Span {
                from,
                until: middle,
            });
            from = middle;
        }
    }
    parts.reverse();
    Some(parts)
}

/// The parts of the proof that the tree of `old` leaves is the beginning of the one of `new`. Empty when
/// they are the same. `None` when `old` is 0, of which there is none, or greater.
#[must_use]
pub fn consistency(old: u64, new: u64) -> Option<Vec<Span>> {
    if old == 0 || old > new {
        return None;
    }
    let mut parts = Vec::new();
    let (mut from, mut until) = (0, new);
    while until != old {
        let middle = from + left_size(until - from);
        if old <= middle {
            parts.push(Span {
                from: middle,
                until,
            });
            until = middle;
        } else {
            parts.push(Span {
                from,
                until: middle,
            });
            from = middle;
        }
    }
    // The verifier has the root of the old tree; what lies deeper it must be given.
    if from > 0 {
        parts.push(Span { from, until });
    }
    parts.reverse();
    Some(parts)
}

/// The size of the left subtree of a tree of more than one leaf: the largest power of two below its
/// size.
fn left_size(size: u64) -> u64 {
    1 << (size - 1).ilog2()
}
