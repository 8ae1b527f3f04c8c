//! A learner's account as a fold over history: what they hold, what counts, and how it came to that.
//!
//! Apart from [`crate::state`] because decisions need little of it, and because readers fold one learner
//! at a time: views, statements and auditors call the same code. Everything is a function of the events;
//! only expiry also needs a day, which the caller gives.
//!
//! The account of a learner is made of *chains*: the learner's own and those of the accounts taken in.
//! Every achievement lies on the chain for which it was recorded, or to which it was reassigned, and is
//! with the account as long as that chain is. What lies on a chain that is not with the account (not
//! taken in yet, given back) is kept up to date silently, and comes in as it stands when the chain does.
//!
//! [`holding`] says what an achievement in the account is, `counting` which of them count, `apply` what
//! each event does, [`balance`] and [`statement`] are the two answers.

mod apply;
pub mod balance;
mod counting;
pub mod holding;
pub mod statement;

use std::collections::{BTreeMap, BTreeSet};

use crate::event::{Event, EventKind, erasure_covers};
use crate::ids::{Date, Handle, Key, Position, Revision, Timestamp};
use crate::keys::KeySecret;
use crate::words::RecordName;

pub use balance::{Balance, LineKey, Sum};
pub use holding::{Holding, HoldingStanding, HoldingState, Version};
pub use statement::{Entry, EntryKind};

/// A learner's account.
#[derive(Debug, Clone)]
pub struct Account {
    learner: Handle,
    secret: KeySecret,
    /// The learner's own registration is provisional and no update has bound it.
    provisional: bool,
    chains: BTreeMap<Handle, Chain>,
    /// Chains that are with the account now: none while it is closed into another.
    members: BTreeSet<Handle>,
    /// Everything on all chains, in the order in which it was first seen.
    holdings: Vec<Holding>,
    by_name: BTreeMap<RecordName, usize>,
    /// Holdings of the account that claim a result, the earliest first.
    results: BTreeMap<Key, BTreeSet<(Position, usize)>>,
    /// Holdings of the account by the record that they are part of.
    parts: BTreeMap<RecordName, BTreeSet<usize>>,
    log: Vec<statement::Movement>,
}

/// One chain of the history.
#[derive(Debug, Clone, Default)]
struct Chain {
    /// The chain that has taken it in.
    parent: Option<Handle>,
    children: BTreeSet<Handle>,
    /// Number of events.
    len: u64,
    /// Events whose bodies are there.
    bodies: Vec<(Position, EventKind)>,
    holdings: BTreeSet<usize>,
}

impl Account {
    /// The account after a history, sorted by position: all events on the learner's chain and on the
    /// chain of every account ever absorbed into it, transitively.
    ///
    /// When the account was itself closed into another and given back, the history must also have that
    /// other chain: what happened to the account's records in the meantime lies there. Events on other
    /// chains do no harm.
    #[must_use]
    pub fn fold(
        learner: Handle,
        history: impl IntoIterator<Item = (Position, Timestamp, Event)>,
        secret: &KeySecret,
    ) -> Account {
        let mut account = Account::new(learner, secret);
        for (position, at, event) in history {
            account.apply(position, at, &event);
        }
        account
    }

    /// The account before its first event.
    #[must_use]
    pub fn new(learner: Handle, secret: &KeySecret) -> Account {
        Account {
            learner,
            secret: secret.clone(),
            provisional: false,
            chains: BTreeMap::from([(learner, Chain::default())]),
            members: BTreeSet::from([learner]),
            holdings: Vec::new(),
            by_name: BTreeMap::new(),
            results: BTreeMap::new(),
            parts: BTreeMap::new(),
            log: Vec::new(),
        }
    }

    /// Whose it is.
    #[must_use]
    pub fn learner(&self) -> Handle {
        self.learner
    }

    /// Whether it is bound to no person, so that nothing in it counts.
    #[must_use]
    pub fn is_provisional(&self) -> bool {
        self.provisional
    }

    /// Whether it is closed into another account, which then holds everything.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.members.is_empty()
    }

    /// The revision that the next event on the learner's own chain gets.
    #[must_use]
    pub fn revision(&self) -> Revision {
        Revision(self.chains.get(&self.learner).map_or(0, |chain| chain.len))
    }

    /// The learner and all accounts taken in and not given back; nobody while it is closed.
    pub fn members(&self) -> impl Iterator<Item = Handle> {
        self.members.iter().copied()
    }

    /// What is with the account, in the order of first recording.
    pub fn holdings(&self) -> impl Iterator<Item = &Holding> {
        self.holdings.iter().filter(|holding| holding.attached)
    }

    /// A record of the history, whether it is still with the account or not.
    #[must_use]
    pub fn holding(&self, name: &RecordName) -> Option<&Holding> {
        self.by_name
            .get(name)
            .and_then(|idx| self.holdings.get(*idx))
    }

    /// The state of a record on a day; `None` when it is not with the account.
    #[must_use]
    pub fn state(&self, name: &RecordName, on: Date) -> Option<HoldingState> {
        let idx = *self.by_name.get(name)?;
        self.holdings
            .get(idx)?
            .attached
            .then(|| self.state_of(idx, on))
    }

    /// The versions of a record's content, oldest first, since it came to the learner whom it is with;
    /// empty when there is no such record.
    #[must_use]
    pub fn versions(&self, name: &RecordName) -> &[Version] {
        self.holding(name).map_or(&[], |holding| holding.versions())
    }

    /// The names of the records that are with the account, in order: what an erasure suppresses.
    pub fn record_names(&self) -> impl Iterator<Item = &RecordName> {
        let attached = |idx: &usize| self.holdings.get(*idx).is_some_and(|held| held.attached);
        self.by_name
            .iter()
            .filter(move |(_, idx)| attached(idx))
            .map(|(name, _)| name)
    }

    /// The events of the account whose bodies an erasure of that kind, appended now, would cover and that
    /// still have one, in order.
    #[must_use]
    pub fn covered_by(&self, erasure: EventKind) -> Vec<(Position, EventKind)> {
        let chains = self
            .members
            .iter()
            .filter_map(|member| self.chains.get(member));
        let mut covered: Vec<_> = chains
            .flat_map(|chain| chain.bodies.iter().copied())
            .filter(|(_, kind)| erasure_covers(erasure, *kind))
            .collect();
        covered.sort_unstable_by_key(|(position, _)| *position);
        covered
    }

    /// A chain and all that it has taken in. Merges that contradict each other still end.
    fn group(&self, of: Handle) -> BTreeSet<Handle> {
        let mut group = BTreeSet::from([of]);
        let mut open = vec![of];
        while let Some(handle) = open.pop() {
            let children = self
                .chains
                .get(&handle)
                .into_iter()
                .flat_map(|chain| &chain.children);
            open.extend(children.filter(|child| group.insert(**child)));
        }
        group
    }

    /// Holdings on these chains, in the order of first recording.
    fn holdings_on(&self, chains: &BTreeSet<Handle>) -> Vec<usize> {
        let chains = chains.iter().filter_map(|chain| self.chains.get(chain));
        let on: BTreeSet<usize> = chains
            .flat_map(|chain| chain.holdings.iter().copied())
            .collect();
        on.into_iter().collect()
    }
}
