//! What erasures have taken from the facts that a learner's events rest on.
//!
//! Apart from the learners' chains because it outlives the accounts: what was erased from one account is
//! still missing when the account has been given back. And finer than they are: an event may go without
//! the facts that were erased, by kind, and must rest on all others.

use std::collections::{HashMap, HashSet};

use chain::Handle;
use ledger::EventKind;

use crate::examine::{Examined, Held};
use crate::groups::Groups;
use crate::invariants as must;
use crate::structure::InPair;

/// What is missing of the records of learners that have to do with each other.
#[derive(Debug, Default)]
pub(crate) struct Missing {
    /// Learners that were ever merged: events about one may lie on the other's chain.
    merged: Erased,
    /// Learners that were ever merged or handed records over: records of one may be with the other.
    tied: Erased,
    /// By root of `tied`: something could not be read, which is a finding of its own.
    damaged: HashSet<Handle>,
}

/// Erased records, by the set of learners on whose chains they lie.
#[derive(Debug, Default)]
struct Erased {
    groups: Groups,
    /// By root of `groups`: each erased kind, and where it was erased last.
    kinds: HashMap<Handle, Vec<(EventKind, u64)>>,
}

impl Missing {
    /// Takes in a record of the learners that are followed.
    pub(crate) fn take(&mut self, record: &Examined<'_>) {
        let Some(link) = record.leaf.learner else {
            return;
        };
        let kind = must::kind_of(record.leaf.kind);
        match (record.in_pair, kind) {
            (
                InPair::Second(before),
                Some(EventKind::LearnerAbsorbed | EventKind::LearnerReopened),
            ) => self.merge(before, link.handle),
            (InPair::Second(before), Some(_)) => self.tie(before, link.handle),
            _ => {}
        }
        match (record.held, kind) {
            (Held::Body, _) => {}
            (Held::Zeros, Some(kind)) => self.erase(link.handle, kind, record.leaf.position.0),
            (Held::Zeros, None) | (Held::Other(_), _) => self.damage(link.handle),
        }
    }

    /// The second learner took the first in, or gave it back.
    pub(crate) fn merge(&mut self, one: Handle, other: Handle) {
        self.merged.join(one, other);
        self.tie(one, other);
    }

    /// The learners had a record in common.
    pub(crate) fn tie(&mut self, one: Handle, other: Handle) {
        let is_damaged = self.is_damaged(one) || self.is_damaged(other);
        self.tied.join(one, other);
        if is_damaged {
            self.damage(one);
        }
    }

    /// A record of that kind is erased.
    pub(crate) fn erase(&mut self, of: Handle, kind: EventKind, position: u64) {
        self.merged.note(of, kind, position);
        self.tied.note(of, kind, position);
    }

    /// A record cannot be read.
    pub(crate) fn damage(&mut self, of: Handle) {
        self.damaged.insert(self.tied.groups.root(of));
    }

    /// Whether a record of the learner, or of one that has to do with it, cannot be read.
    pub(crate) fn is_damaged(&self, of: Handle) -> bool {
        self.damaged.contains(&self.tied.groups.root(of))
    }

    /// Whether the learners were ever merged or handed records over.
    pub(crate) fn are_tied(&self, one: Handle, other: Handle) -> bool {
        self.tied.groups.root(one) == self.tied.groups.root(other)
    }

    /// Whether one of these kinds was erased after that position from the learner's chain or from that of
    /// one it was ever merged with.
    pub(crate) fn of_merged(&self, learner: Handle, kinds: &[EventKind], after: u64) -> bool {
        self.merged.lacks(learner, kinds, after)
    }

    /// The same, also of learners with whom it ever had a record in common.
    pub(crate) fn of_tied(&self, learner: Handle, kinds: &[EventKind], after: u64) -> bool {
        self.tied.lacks(learner, kinds, after)
    }
}

impl Erased {
    fn join(&mut self, one: Handle, other: Handle) {
        let roots = [self.groups.root(one), self.groups.root(other)];
        let kinds = roots.map(|root| self.kinds.remove(&root).unwrap_or_default());
        self.groups.join(one, other);
        for (kind, position) in kinds.into_iter().flatten() {
            self.note(one, kind, position);
        }
    }

    fn note(&mut self, of: Handle, kind: EventKind, position: u64) {
        let kinds = self.kinds.entry(self.groups.root(of)).or_default();
        match kinds.iter_mut().find(|(known, _)| *known == kind) {
            Some((_, last)) => *last = position.max(*last),
            None => kinds.push((kind, position)),
        }
    }

    fn lacks(&self, learner: Handle, kinds: &[EventKind], after: u64) -> bool {
        let erased = self.kinds.get(&self.groups.root(learner));
        erased.is_some_and(|erased| {
            let is_one = |(kind, last): &(EventKind, u64)| kinds.contains(kind) && *last > after;
            erased.iter().any(is_one)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_of_one_is_missing_of_all_it_was_merged_with() {
        let [one, two, three] = [1, 2, 3].map(|n| Handle([n; 16]));
        let unlinked = [EventKind::IdentityUnlinked];
        let mut missing = Missing::default();
        missing.erase(two, EventKind::IdentityUnlinked, 7);
        missing.tie(two, three);
        missing.merge(one, two);
        assert!(missing.of_merged(one, &unlinked, 6));
        assert!(!missing.of_merged(one, &unlinked, 7));
        assert!(!missing.of_merged(one, &[EventKind::AchievementRecorded], 0));
        assert!(!missing.of_merged(three, &unlinked, 0));
        assert!(missing.of_tied(three, &unlinked, 0));
        assert!(missing.are_tied(one, three));
    }

    #[test]
    fn damage_reaches_all_that_are_tied_before_and_after() {
        let [one, two, three] = [1, 2, 3].map(|n| Handle([n; 16]));
        let mut missing = Missing::default();
        missing.tie(one, two);
        missing.damage(two);
        missing.tie(three, one);
        assert!([one, two, three].iter().all(|of| missing.is_damaged(*of)));
        assert!(!missing.is_damaged(Handle([4; 16])));
    }
}
