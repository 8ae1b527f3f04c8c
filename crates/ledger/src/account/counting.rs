//! Which holdings count, kept up to date while events come in.
//!
//! The rules, in order; the first that applies is a holding's state:
//!
//! | state | when |
//! | --- | --- |
//! | erased | a version of its content has been erased |
//! | pending | the account is bound to no person |
//! | revoked, suspended | it is |
//! | expired | its last day of validity lies before the day asked for |
//! | no deposit | it is transferred or exempted, or something that it is part of stands for it |
//! | duplicate | a holding that came earlier claims the same result and is not revoked |
//! | recorded | otherwise: it counts |
//!
//! A holding *stands for* its parts, and for their parts, while it is in force and has a size above
//! zero, whether it counts itself or not: so a parent and its parts never both count. Records that are
//! parts of each other in a circle stand for each other and none counts, until one is superseded.
//!
//! All but expiry is independent of the day, so it is kept per holding. A change touches few holdings;
//! what else can change is the next claimant of a result and what is part of the touched ones, and only
//! those are looked at again.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::statement::{Cause, EntryKind, Movement};
use super::{Account, Holding, HoldingStanding, HoldingState};
use crate::amount::Credits;
use crate::ids::Date;
use crate::words::{Achievement, Origin, RecordName};

/// Why a holding does not count, apart from expiry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Why {
    Erased,
    Pending,
    Revoked,
    Suspended,
    NoDeposit(Origin),
    PartOf(RecordName),
    Duplicate(Option<RecordName>),
}

/// What of a holding decides whether its parts are stood for, and it itself.
#[derive(PartialEq, Eq)]
struct Link {
    attached: bool,
    stands: bool,
    part_of: Option<RecordName>,
}

/// A holding whose [`Link`] has changed.
struct Relinked {
    idx: usize,
    /// Whether its parts were stood for, by it or by what stood for it.
    gave: bool,
}

impl Account {
    /// Changes these holdings and whatever follows from it, and writes it to the log: the touched ones
    /// that are or were with the account, in the order given, then those that only follow.
    pub(super) fn change(
        &mut self,
        cause: &Cause,
        touched: &[usize],
        mutate: impl FnOnce(&mut Account),
    ) {
        let before: Vec<(Link, bool)> = touched
            .iter()
            .map(|idx| (self.link(*idx), self.gives(*idx)))
            .collect();
        let mut affected = BTreeSet::new();
        for idx in touched {
            affected.extend(self.detach(*idx));
        }
        mutate(self);
        for idx in touched {
            affected.extend(self.attach(*idx));
        }
        let changed = touched
            .iter()
            .zip(&before)
            .filter(|(idx, b)| self.link(**idx) != b.0);
        let roots: Vec<Relinked> = changed
            .map(|(idx, (_, gave))| Relinked {
                idx: *idx,
                gave: *gave,
            })
            .collect();
        affected.extend(self.settle_parts(&roots));
        for (idx, (link, _)) in touched.iter().zip(before) {
            affected.remove(idx);
            if link.attached || self.holdings[*idx].attached {
                self.recount(*idx, cause, cause.kind);
            }
        }
        for idx in affected {
            self.recount(idx, cause, EntryKind::Adjusted);
        }
    }

    /// Looks at everything again, after a change of the account as a whole.
    pub(super) fn recount_all(&mut self, cause: &Cause) {
        for idx in 0..self.holdings.len() {
            if self.holdings[idx].attached {
                self.recount(idx, cause, EntryKind::Adjusted);
            }
        }
    }

    /// The state on a day; the holding is with the account.
    pub(super) fn state_of(&self, idx: usize, on: Date) -> HoldingState {
        let held = &self.holdings[idx];
        let expired = held
            .achievement()
            .is_some_and(|content| !is_valid(content, on));
        match self.why_not(held) {
            Some(Why::Erased) => HoldingState::Erased,
            Some(Why::Pending) => HoldingState::Pending,
            Some(Why::Revoked) => HoldingState::Revoked,
            Some(Why::Suspended) => HoldingState::Suspended,
            _ if expired => HoldingState::Expired,
            Some(Why::NoDeposit(_) | Why::PartOf(_)) => HoldingState::NoDeposit,
            Some(Why::Duplicate(_)) => HoldingState::Duplicate,
            None => HoldingState::Recorded,
        }
    }

    fn why_not(&self, held: &Holding) -> Option<Why> {
        let Some(content) = held.achievement() else {
            return Some(Why::Erased);
        };
        if self.provisional {
            return Some(Why::Pending);
        }
        match held.standing {
            HoldingStanding::Revoked(_) => return Some(Why::Revoked),
            HoldingStanding::Suspended(_) => return Some(Why::Suspended),
            HoldingStanding::InForce | HoldingStanding::MovedAway(_) => {}
        }
        if !content.origin.is_deposit() {
            return Some(Why::NoDeposit(content.origin));
        }
        if let (true, Some(whole)) = (held.covered, &content.part_of) {
            return Some(Why::PartOf(whole.clone()));
        }
        let claimants = held.result.and_then(|result| self.results.get(&result));
        let first = claimants
            .and_then(BTreeSet::first)
            .map(|(_, idx)| &self.holdings[*idx]);
        // Positions are unique, so comparing arrivals tells whether the first claimant is this one.
        let earlier = first.filter(|first| first.arrived < held.arrived);
        earlier.map(|first| Why::Duplicate(first.name.clone()))
    }

    /// Sets what counts of a holding. A change of the holding itself is always an entry, a consequence
    /// only when it makes a difference.
    fn recount(&mut self, idx: usize, cause: &Cause, kind: EntryKind) {
        let held = &self.holdings[idx];
        let why = if held.attached {
            self.why_not(held)
        } else {
            None
        };
        let counts = held.attached && why.is_none();
        let after = if counts {
            held.achievement().cloned()
        } else {
            None
        };
        let before = held.counted.clone();
        let same = match (&before, &after) {
            (Some(before), Some(after)) => Arc::ptr_eq(before, after),
            (before, after) => before.is_none() && after.is_none(),
        };
        if kind == EntryKind::Adjusted && same {
            return;
        }
        let movement = Movement {
            holding: Some(idx),
            name: held.achievement().and(held.name.clone()),
            shown: held.achievement().cloned(),
            signed: held.is_signed(),
            before,
            after: after.clone(),
            why,
            ..Movement::of(cause, kind)
        };
        self.log.push(movement);
        self.holdings[idx].counted = after;
    }

    /// Takes a holding out of the indexes; gives who claims its result now. Whether it is stood for stays
    /// until that is settled again, which only a changed [`Link`] calls for.
    fn detach(&mut self, idx: usize) -> Option<usize> {
        let held = &mut self.holdings[idx];
        if !std::mem::take(&mut held.attached) {
            return None;
        }
        let arrived = held.arrived;
        let result = held.result.take();
        let part_of = part_of(held).cloned();
        if let Some(parts) = part_of.and_then(|whole| self.parts.get_mut(&whole)) {
            parts.remove(&idx);
        }
        let claimants = self.results.get_mut(&result?)?;
        claimants.remove(&(arrived, idx));
        claimants.first().map(|(_, first)| *first)
    }

    /// Puts a holding into the indexes if it is with the account; gives who loses a result to it.
    fn attach(&mut self, idx: usize) -> Option<usize> {
        let held = &self.holdings[idx];
        let away = matches!(held.standing, HoldingStanding::MovedAway(_));
        if away || !self.members.contains(&held.chain) {
            return None;
        }
        let revoked = matches!(held.standing, HoldingStanding::Revoked(_));
        let claim = match (&held.name, held.achievement()) {
            (Some(name), Some(content)) if !revoked => {
                self.secret.result(&name.issuer, self.learner, content)
            }
            _ => None,
        };
        if let Some(whole) = part_of(held) {
            self.parts.entry(whole.clone()).or_default().insert(idx);
        }
        let held = &mut self.holdings[idx];
        held.attached = true;
        held.result = claim;
        let claimants = self.results.entry(claim?).or_default();
        let first = claimants.first().map(|(_, first)| *first);
        claimants.insert((held.arrived, idx));
        first
    }

    fn link(&self, idx: usize) -> Link {
        let held = &self.holdings[idx];
        Link {
            attached: held.attached,
            stands: stands_for_parts(held),
            part_of: part_of(held).cloned(),
        }
    }

    /// Whether its parts are stood for, by it or by what stands for it.
    fn gives(&self, idx: usize) -> bool {
        let held = &self.holdings[idx];
        held.attached && (stands_for_parts(held) || held.covered)
    }

    /// Settles which holdings are stood for, after these have changed; gives those looked at.
    ///
    /// First all that hung on the changed ones are taken to be stood for no more, then those are found
    /// again that still are. So a circle cannot keep itself up after what stood for it has gone. What
    /// stands for its parts by itself ends both searches: they do not change.
    fn settle_parts(&mut self, roots: &[Relinked]) -> BTreeSet<usize> {
        let mut unsettled: BTreeSet<usize> = roots.iter().map(|root| root.idx).collect();
        let mut open: Vec<usize> = roots
            .iter()
            .filter(|r| r.gave)
            .map(|root| root.idx)
            .collect();
        while let Some(idx) = open.pop() {
            for part in self.parts_of(idx).filter(|part| unsettled.insert(*part)) {
                let held = &self.holdings[part];
                if held.covered && !stands_for_parts(held) {
                    open.push(part);
                }
            }
        }
        for idx in &unsettled {
            self.holdings[*idx].covered = false;
        }
        let whole_gives = |idx: &usize| {
            let whole = part_of(&self.holdings[*idx]).and_then(|whole| self.by_name.get(whole));
            self.holdings[*idx].attached && whole.is_some_and(|whole| self.gives(*whole))
        };
        let mut open: Vec<usize> = unsettled.iter().copied().filter(whole_gives).collect();
        for root in roots.iter().filter(|root| self.gives(root.idx)) {
            open.extend(self.parts_of(root.idx));
        }
        while let Some(idx) = open.pop() {
            unsettled.insert(idx);
            if !std::mem::replace(&mut self.holdings[idx].covered, true)
                && !stands_for_parts(&self.holdings[idx])
            {
                open.extend(self.parts_of(idx));
            }
        }
        unsettled
    }

    fn parts_of(&self, idx: usize) -> impl Iterator<Item = usize> + use<'_> {
        let parts = self.holdings[idx]
            .name
            .as_ref()
            .and_then(|name| self.parts.get(name));
        parts.into_iter().flatten().copied()
    }
}

/// Whether the day is not after the last day of validity.
pub(super) fn is_valid(content: &Achievement, on: Date) -> bool {
    content.expires.is_none_or(|last| last >= on)
}

fn stands_for_parts(held: &Holding) -> bool {
    let size = held.achievement().and_then(|content| content.size.as_ref());
    held.attached
        && held.standing == HoldingStanding::InForce
        && size.is_some_and(|size| size.amount > Credits::ZERO)
}

fn part_of(held: &Holding) -> Option<&RecordName> {
    held.achievement()
        .and_then(|content| content.part_of.as_ref())
}
