//! Which learners belong together, and which share of the ledger a pass looks at.
//!
//! Apart from the checks because it is what makes their memory bounded: learners that share no fact can
//! be checked in different passes, each with a state that knows only its own. Learners belong together
//! when they are merged or hand records over, or when any key leads to both of them (a student number
//! that changed hands, a document, a record id that is used twice). So every fact that admitting an event
//! may ask for is in the same share as the event, and the shares together find what one pass would find.

use std::collections::HashMap;

use chain::Handle;

/// Disjoint sets of learners. Only learners that are not alone take memory.
#[derive(Debug, Default, Clone)]
pub(crate) struct Groups {
    /// The next one on the way to the set's root, and for roots an upper bound of the way's length.
    parents: HashMap<Handle, (Handle, u8)>,
}

impl Groups {
    /// The learner that stands for the set.
    pub(crate) fn root(&self, of: Handle) -> Handle {
        let mut current = of;
        // Ends: a set is joined to another by its root, so no way leads back.
        while let Some((parent, _)) = self.parents.get(&current)
            && *parent != current
        {
            current = *parent;
        }
        current
    }

    /// Joins two sets.
    pub(crate) fn join(&mut self, one: Handle, other: Handle) {
        let (one, other) = (self.root(one), self.root(other));
        if one == other {
            return;
        }
        let height = |of| self.parents.get(&of).map_or(0, |(_, height)| *height);
        let (one_height, other_height) = (height(one), height(other));
        // The lower tree goes below the higher, so that ways stay short however sets are joined.
        let (low, high) = if one_height < other_height {
            (one, other)
        } else {
            (other, one)
        };
        let height =
            one_height.max(other_height.saturating_add(u8::from(one_height == other_height)));
        self.parents.insert(low, (high, 0));
        self.parents.insert(high, (high, height));
    }
}

/// One share of several, by a hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Share {
    pub(crate) index: u64,
    pub(crate) of: u64,
}

impl Share {
    /// All of it.
    pub(crate) const ALL: Share = Share { index: 0, of: 1 };

    /// All shares, when there are so many.
    pub(crate) fn each(of: u64) -> impl Iterator<Item = Share> {
        (0..of).map(move |index| Share { index, of })
    }

    pub(crate) fn is_first(self) -> bool {
        self.index == 0
    }

    /// Whether it lies in this share.
    pub(crate) fn holds(self, id: &[u8; 16]) -> bool {
        self.of == 1 || mixed(id).checked_rem(self.of) == Some(self.index)
    }
}

/// Spreads ids that somebody may have chosen. Source: the FNV-1a hash, 64 bits.
fn mixed(id: &[u8; 16]) -> u64 {
    id.iter().fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// To whom each key leads, for one share of the keys: joins learners that have one in common.
///
/// Half of a key is kept. That two keys have the same half by chance puts learners together that need not
/// be, and changes nothing else.
#[derive(Debug)]
pub(crate) struct Holders {
    share: Share,
    first: HashMap<[u8; 8], Handle>,
}

impl Holders {
    pub(crate) fn new(share: Share) -> Holders {
        Holders {
            share,
            first: HashMap::new(),
        }
    }

    /// Takes note that the key leads to the learner.
    pub(crate) fn note(&mut self, key: [u8; 16], learner: Handle, groups: &mut Groups) {
        let (half, _) = key.split_at(8);
        if let (true, Ok(half)) = (self.share.holds(&key), half.try_into()) {
            let first = *self.first.entry(half).or_insert(learner);
            groups.join(first, learner);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn joined_learners_have_one_root_and_others_are_their_own() {
        let handle = |n: u8| Handle([n; 16]);
        let mut groups = Groups::default();
        for n in 1..100 {
            groups.join(handle(n), handle(n + 1));
        }
        let root = groups.root(handle(1));
        assert!((1..=100).all(|n| groups.root(handle(n)) == root));
        assert_eq!(groups.root(handle(200)), handle(200));
        groups.join(handle(7), handle(93));
        assert_eq!(groups.root(handle(50)), root);
    }

    #[test]
    fn shares_are_disjoint_and_cover_everything() {
        for n in 0..=255 {
            let holding = Share::each(7).filter(|share| share.holds(&[n; 16])).count();
            assert_eq!(holding, 1, "{n}");
        }
    }
}
