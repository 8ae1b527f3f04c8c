//! What each event does to an account.
//!
//! Total, because an event is a fact: what names something that the history does not have (because it
//! has been erased) is an entry without content.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::statement::{Cause, EntryKind, Movement};
use super::{Account, Holding, HoldingStanding, Version};
use crate::event::{Body, Counterpart, Event, EventKind, Opening, erasure_covers};
use crate::ids::{Handle, Position, Timestamp};
use crate::signature::IssuerSignature;
use crate::words::{Achievement, RecordName};

impl Account {
    /// Takes in the next event of the history.
    ///
    /// After an erasure, fold the history again: what was taken in before keeps in its statement what the
    /// erased events said.
    pub fn apply(&mut self, position: Position, at: Timestamp, event: &Event) {
        let Some(chain) = event.learner else { return };
        self.note_event(chain, position, &event.body);
        let cause = |kind, reason: &str| Cause {
            position,
            at,
            kind,
            reason: reason.to_owned(),
        };
        match &event.body {
            Body::LearnerRegistered(registered) => {
                let provisional = matches!(registered.opening, Opening::Provisional(_));
                self.enter(&cause(EntryKind::Registered, ""), chain);
                self.bind(&cause(EntryKind::Registered, ""), chain, !provisional);
            }
            Body::LearnerUpdated(_) => {
                self.enter(&cause(EntryKind::Updated, ""), chain);
                self.bind(&cause(EntryKind::Updated, ""), chain, true);
            }
            Body::IdentityLinked(_) => self.enter(&cause(EntryKind::Linked, ""), chain),
            Body::IdentityUnlinked(_) => self.enter(&cause(EntryKind::Unlinked, ""), chain),
            Body::LearnerMerged(into) => self.close(&cause(EntryKind::Merged, &into.reason), chain),
            Body::LearnerAbsorbed(other) => {
                self.absorb(&cause(EntryKind::Absorbed, &other.reason), chain, other);
            }
            Body::LearnersSeparated(other) => {
                self.give_back(&cause(EntryKind::Separated, &other.reason), other.learner);
            }
            Body::LearnerReopened(from) => {
                self.reopen(&cause(EntryKind::Reopened, &from.reason), chain);
            }
            Body::LearnerErased(_) => self.erase(&cause(EntryKind::Erased, ""), chain),
            Body::LearnerIdentityErased => {
                self.enter(&cause(EntryKind::Erased, ""), chain);
                self.drop_bodies(&self.group(chain), EventKind::LearnerIdentityErased);
            }
            Body::Erased(kind) => self.take_erased(&cause(EntryKind::Erased, ""), chain, *kind),
            _ => self.apply_achievement(position, at, chain, event),
        }
    }

    fn apply_achievement(
        &mut self,
        position: Position,
        at: Timestamp,
        chain: Handle,
        event: &Event,
    ) {
        let cause = |kind, reason: &str| Cause {
            position,
            at,
            kind,
            reason: reason.to_owned(),
        };
        let name = |record_id: &String| RecordName {
            issuer: event.issuer.clone(),
            record_id: record_id.clone(),
        };
        let set = |standing, reason: &str| {
            let reason = reason.to_owned();
            move |held: &mut Holding| (held.standing, held.reason) = (standing, reason)
        };
        match &event.body {
            Body::AchievementRecorded(new) => {
                let (cause, standing) = (cause(EntryKind::Recorded, ""), HoldingStanding::InForce);
                let version = version(&cause, chain, &new.achievement, &new.signature);
                self.arrive(cause, event, version, standing);
            }
            Body::AchievementReceived(received) => {
                let standing = match received.suspended {
                    true => HoldingStanding::Suspended(position),
                    false => HoldingStanding::InForce,
                };
                let cause = cause(EntryKind::Received, "");
                let version = version(&cause, chain, &received.achievement, &received.signature);
                self.arrive(cause, event, version, standing);
            }
            Body::AchievementSuperseded(new) => {
                let cause = cause(EntryKind::Superseded, &new.reason);
                let version = version(&cause, chain, &new.achievement, &new.signature);
                self.alter(&cause, chain, &name(&new.achievement.record_id), |held| {
                    held.reason.clone_from(&version.reason);
                    held.versions.push(version);
                });
            }
            Body::AchievementSuspended(status) => {
                let set = set(HoldingStanding::Suspended(position), &status.reason);
                let cause = cause(EntryKind::Suspended, &status.reason);
                self.alter(&cause, chain, &name(&status.record_id), set);
            }
            Body::AchievementReinstated(status) => {
                let set = set(HoldingStanding::InForce, &status.reason);
                let cause = cause(EntryKind::Reinstated, &status.reason);
                self.alter(&cause, chain, &name(&status.record_id), set);
            }
            Body::AchievementRevoked(status) => {
                let set = set(HoldingStanding::Revoked(position), &status.reason);
                let cause = cause(EntryKind::Revoked, &status.reason);
                self.alter(&cause, chain, &name(&status.record_id), set);
            }
            Body::AchievementReassigned(moved) => {
                let set = set(HoldingStanding::MovedAway(moved.to), &moved.reason);
                let cause = cause(EntryKind::Reassigned, &moved.reason);
                self.alter(&cause, chain, &name(&moved.record_id), set);
            }
            _ => {}
        }
    }

    fn note_event(&mut self, chain: Handle, position: Position, body: &Body) {
        let chain = self.chains.entry(chain).or_default();
        chain.len = chain.len.saturating_add(1);
        if !matches!(body, Body::Erased(_)) {
            chain.bodies.push((position, body.kind()));
        }
    }

    /// An entry about the account, if the chain is with it.
    fn enter(&mut self, cause: &Cause, chain: Handle) {
        if self.members.contains(&chain) {
            self.log.push(Movement::of(cause, cause.kind));
        }
    }

    /// The account is, or is not, bound to a person. Only the learner's own registration decides.
    fn bind(&mut self, cause: &Cause, chain: Handle, bound: bool) {
        if chain == self.learner && self.provisional == bound {
            self.provisional = !bound;
            self.recount_all(cause);
        }
    }

    /// The account is closed into another: what it held is with that one.
    fn close(&mut self, cause: &Cause, chain: Handle) {
        if chain == self.learner {
            self.enter(cause, chain);
            let touched = self.holdings_on(&self.members);
            self.change(&cause.without_reason(), &touched, |account| {
                account.members.clear()
            });
        }
    }

    /// The account goes on by itself; of another one this only confirms that it has been given back.
    fn reopen(&mut self, cause: &Cause, chain: Handle) {
        if chain != self.learner {
            return self.give_back(cause, chain);
        }
        let group = self.group(chain);
        let touched = self.holdings_on(&group);
        self.log.push(Movement::of(cause, cause.kind));
        self.change(&cause.without_reason(), &touched, |account| {
            account.members = group
        });
    }

    fn absorb(&mut self, cause: &Cause, chain: Handle, other: &Counterpart) {
        self.enter(cause, chain);
        let taken_in = self.chains.entry(other.learner).or_default();
        if let Some(former) = taken_in.parent.replace(chain) {
            self.chains
                .entry(former)
                .or_default()
                .children
                .remove(&other.learner);
        }
        self.chains
            .entry(chain)
            .or_default()
            .children
            .insert(other.learner);
        if self.members.contains(&chain) {
            let group = self.group(other.learner);
            let touched = self.holdings_on(&group);
            self.change(&cause.without_reason(), &touched, |account| {
                account.members.extend(group)
            });
        }
    }

    fn give_back(&mut self, cause: &Cause, other: Handle) {
        let given = self.chains.entry(other).or_default();
        let Some(former) = given.parent.take() else {
            return;
        };
        self.chains
            .entry(former)
            .or_default()
            .children
            .remove(&other);
        self.enter(cause, former);
        if self.members.contains(&former) {
            let group = self.group(other);
            let touched = self.holdings_on(&group);
            self.change(&cause.without_reason(), &touched, |account| {
                account.members.retain(|member| !group.contains(member));
            });
        }
    }

    fn drop_bodies(&mut self, group: &BTreeSet<Handle>, erasure: EventKind) {
        for member in group {
            let chain = self.chains.entry(*member).or_default();
            chain
                .bodies
                .retain(|(_, kind)| !erasure_covers(erasure, *kind));
        }
    }

    /// Everything on the chain and on those it has taken in is erased.
    fn erase(&mut self, cause: &Cause, chain: Handle) {
        self.enter(cause, chain);
        let group = self.group(chain);
        self.drop_bodies(&group, EventKind::LearnerErased);
        let covers =
            |version: &Version| version.achievement.is_some() && group.contains(&version.chain);
        let touched: Vec<usize> = (0..self.holdings.len())
            .filter(|idx| self.holdings[*idx].versions.iter().any(covers))
            .collect();
        self.change(cause, &touched, |account| {
            for idx in &touched {
                let held = &mut account.holdings[*idx];
                let versions = held.versions.iter_mut().filter(|version| covers(version));
                versions.for_each(|version| {
                    version.achievement = None;
                    version.signature = None;
                });
                held.reason.clear();
            }
        });
        for idx in touched {
            if let Some(name) = self.holdings[idx].name.take() {
                self.by_name.remove(&name);
            }
        }
    }

    /// An event of which only the leaf is left: an achievement came, or something else was.
    fn take_erased(&mut self, cause: &Cause, chain: Handle, kind: EventKind) {
        if !matches!(
            kind,
            EventKind::AchievementRecorded | EventKind::AchievementReceived
        ) {
            return self.enter(cause, chain);
        }
        let idx = self.holdings.len();
        let mut held = Holding::new(None, chain, cause.position);
        held.versions.push(Version {
            achievement: None,
            ..empty_version(cause, chain)
        });
        self.holdings.push(held);
        self.chains.entry(chain).or_default().holdings.insert(idx);
        self.change(cause, &[idx], |_| {});
    }

    /// An achievement comes to a chain: recorded there, or from another learner.
    fn arrive(&mut self, cause: Cause, event: &Event, version: Version, standing: HoldingStanding) {
        let chain = version.chain;
        let Some(content) = &version.achievement else {
            return;
        };
        let name = RecordName {
            issuer: event.issuer.clone(),
            record_id: content.record_id.clone(),
        };
        let idx = self
            .by_name
            .get(&name)
            .copied()
            .unwrap_or(self.holdings.len());
        if idx == self.holdings.len() {
            self.holdings
                .push(Holding::new(Some(name.clone()), chain, cause.position));
            self.by_name.insert(name, idx);
        }
        self.change(&cause, &[idx], |account| {
            let held = &mut account.holdings[idx];
            let former = std::mem::replace(&mut held.chain, chain);
            // What it was with another learner is not this one's history.
            held.versions = vec![version];
            held.arrived = cause.position;
            held.standing = standing;
            held.reason.clear();
            account
                .chains
                .entry(former)
                .or_default()
                .holdings
                .remove(&idx);
            account
                .chains
                .entry(chain)
                .or_default()
                .holdings
                .insert(idx);
        });
    }

    /// A record changes. One that is not there has been erased: then this is an entry without content.
    fn alter(
        &mut self,
        cause: &Cause,
        chain: Handle,
        name: &RecordName,
        alter: impl FnOnce(&mut Holding),
    ) {
        let Some(idx) = self.by_name.get(name).copied() else {
            return self.enter(
                &Cause {
                    kind: EntryKind::Erased,
                    ..cause.without_reason()
                },
                chain,
            );
        };
        self.change(cause, &[idx], |account| alter(&mut account.holdings[idx]));
    }
}

fn version(
    cause: &Cause,
    chain: Handle,
    content: &Arc<Achievement>,
    signature: &Option<Arc<IssuerSignature>>,
) -> Version {
    Version {
        achievement: Some(Arc::clone(content)),
        signature: signature.clone(),
        ..empty_version(cause, chain)
    }
}

fn empty_version(cause: &Cause, chain: Handle) -> Version {
    let reason = cause.reason.clone();
    Version {
        position: cause.position,
        recorded_at: cause.at,
        achievement: None,
        signature: None,
        reason,
        chain,
    }
}
