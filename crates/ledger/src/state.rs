//! The state: what decisions need to know, and nothing else.
//!
//! A *complete* state has seen every event; what it does not hold does not exist. A *partial* state
//! holds what was loaded into it; asking it for anything else is [`Refusal::Unloaded`], which names what
//! to load. So a server keeps a bounded part in memory and can never decide on a fact it did not read.
//!
//! Facts are found under [`Key`]s, so no name, number or record id stands in memory. There is one state
//! and it changes in place: what may have to be taken back is done after a [`Savepoint`]. A clone copies
//! everything.

use std::hash::Hash;
use std::sync::Arc;

use smallvec::SmallVec;

use crate::event::{Counterpart, LedgerOpened};
use crate::ids::{Date, Handle, InstitutionId, Key, Position, Revision};
use crate::keys::KeySecret;
use crate::registry::Registry;
use crate::rejection::Rejection;
use crate::words::PendingReason;

mod apply;
mod facts;
mod journal;
mod table;

use journal::Journal;
use table::{Seed, Table};

pub use apply::{document_keys, identities};
pub use facts::{Fact, Lead, Need};
pub use journal::Savepoint;

/// Why nothing was decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// The rules say no.
    Rejected(Rejection),
    /// A partial state lacks a fact: load it and ask again.
    Unloaded(Need),
}

impl Refusal {
    /// The one that comes first. What a partial state lacks comes before either: with it the answer may
    /// be another.
    #[must_use]
    pub fn or_earlier(self, other: Refusal) -> Refusal {
        match (self, other) {
            (
                Self::Rejected(Rejection::Malformed(mut all)),
                Self::Rejected(Rejection::Malformed(more)),
            ) => {
                let new = more
                    .into_iter()
                    .filter(|violation| !all.contains(violation));
                all.extend(new.collect::<Vec<_>>());
                Rejection::Malformed(all).into()
            }
            (Self::Rejected(one), Self::Rejected(other)) => one.min(other).into(),
            (Self::Unloaded(need), _) | (_, Self::Unloaded(need)) => Self::Unloaded(need),
        }
    }
}

impl From<Rejection> for Refusal {
    fn from(rejection: Rejection) -> Self {
        Refusal::Rejected(rejection)
    }
}

/// Where a learner's account stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Open.
    Open,
    /// Closed into another.
    Merged(Handle),
    /// Erased and closed.
    Erased,
}

/// A learner's account, as far as decisions need it. Caches and journals copy it often, so a copy shares
/// what is long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Learner {
    /// Where it stands.
    pub standing: Standing,
    /// Set for an account that is bound to no person: why, and whose reference it holds.
    pub provisional: Option<(PendingReason, InstitutionId)>,
    /// The revision that its next event gets.
    pub revision: Revision,
    /// Accounts taken in directly and not given back.
    pub absorbed: Vec<Handle>,
    /// [`KeySecret::document`] of the documents registered now.
    pub documents: Arc<[Key]>,
    /// [`KeySecret::identity`] of every document, name and birth date registered now.
    pub identities: Arc<[Key]>,
    /// Links of this account made before here have been erased.
    pub links_erased: Option<Position>,
}

/// What is known under a record id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RecordFact {
    /// A record.
    Held(Record),
    /// Erased with its learner; may not come back.
    Suppressed,
}

/// A record, as far as decisions need it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// The account it is with, before merges.
    pub learner: Handle,
    /// The account it was first recorded for.
    pub first_learner: Handle,
    /// Its versions, oldest first; never empty, and mostly one.
    pub versions: SmallVec<[Version; 1]>,
    /// Whether it is in force.
    pub standing: RecordStanding,
}

/// A version of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Version {
    /// Where it was recorded.
    pub position: Position,
    /// [`KeySecret::content`] of its content.
    pub content: Key,
    /// [`KeySecret::result`], when it has a code.
    pub result: Option<Key>,
    /// Date awarded, for windows.
    pub awarded: Date,
    /// [`KeySecret::content`] of its issuer's signature, when it came with one.
    pub signature: Option<Key>,
}

/// Whether a record is in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecordStanding {
    /// It is.
    InForce,
    /// Suspended, since here.
    Suspended(Position),
    /// Revoked for good, here.
    Revoked(Position),
}

/// A student number's link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Link {
    /// The account, before merges.
    pub handle: Handle,
    /// Whether it holds now; a former link still recognises what was sent under it.
    pub linked: bool,
    /// Where it was made.
    pub position: Position,
}

/// A request id that was used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Request {
    /// Where.
    pub position: Position,
    /// The learner it made.
    pub learner: Handle,
    /// [`KeySecret::content`] of what it said.
    pub content: Key,
}

/// A second event that must directly follow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Awaited {
    /// The absorption, on the absorbing account, of the account that the merge closed.
    Absorbed {
        /// On whose chain.
        by: Handle,
        /// Who was closed.
        of: Handle,
    },
    /// The reopening.
    Reopened {
        /// On whose chain.
        of: Handle,
        /// Who gave it back.
        from: Handle,
    },
    /// The arrival of a record; the key is unknown when the departure has been erased.
    Received {
        /// Whose chain it left.
        from: Handle,
        /// On whose chain; unknown after erasure.
        by: Option<Handle>,
        /// Which record; unknown after erasure.
        record: Option<Key>,
    },
}

/// What decisions need to know.
#[derive(Debug, Clone)]
pub struct State {
    base: Base,
    complete: bool,
    /// See [`State::floor`].
    floor: u64,
    /// The size when facts were last forgotten for their age.
    aged_at: u64,
    seed: Seed,
    journal: Journal,
    learners: Table<Handle, Learner>,
    records: Table<Key, RecordFact>,
    students: Table<Key, Link>,
    documents: Table<Key, Handle>,
    references: Table<Key, Handle>,
    results: Table<Key, Key>,
    requests: Table<Key, Request>,
}

/// What a state knows beside its facts: little, and always whole.
#[derive(Debug, Clone, Default)]
struct Base {
    size: u64,
    opened: Option<Arc<LedgerOpened>>,
    registry: Arc<Registry>,
    awaited: Option<Awaited>,
    /// Issuer and submitter of the event that awaits another.
    awaiting: Option<(InstitutionId, InstitutionId)>,
}

impl Default for State {
    fn default() -> Self {
        Self::new()
    }
}

impl State {
    /// The complete state of an empty ledger.
    #[must_use]
    pub fn new() -> Self {
        Self::without(Base::default(), Seed::default(), true)
    }

    /// The same registry and size, with every other fact unknown until loaded.
    #[must_use]
    pub fn without_facts(&self) -> Self {
        Self::without(self.base.clone(), self.seed, false)
    }

    fn without(base: Base, seed: Seed, complete: bool) -> Self {
        State {
            complete,
            floor: base.size,
            aged_at: base.size,
            base,
            seed,
            journal: Journal::default(),
            learners: Table::new(seed),
            records: Table::new(seed),
            students: Table::new(seed),
            documents: Table::new(seed),
            references: Table::new(seed),
            results: Table::new(seed),
            requests: Table::new(seed),
        }
    }

    /// The same, as if that many events had been taken in: for a state made from a part of them.
    #[must_use]
    pub fn at_size(mut self, size: u64) -> Self {
        self.base.size = size;
        (self.floor, self.aged_at) = (size, size);
        self
    }

    /// Number of events it reflects: the position of the next one.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.base.size
    }

    /// Institutions and vocabulary.
    #[must_use]
    pub fn registry(&self) -> &Arc<Registry> {
        &self.base.registry
    }

    /// What the ledger opened with; `None` before.
    #[must_use]
    pub fn opened(&self) -> Option<&LedgerOpened> {
        self.base.opened.as_deref()
    }

    /// The event that must come next, when a pair is half done.
    #[must_use]
    pub fn awaited(&self) -> Option<&Awaited> {
        self.base.awaited.as_ref()
    }

    /// Issuer and submitter of the first event of a pair that is half done: the second has the same.
    #[must_use]
    pub fn awaiting(&self) -> Option<&(InstitutionId, InstitutionId)> {
        self.base.awaiting.as_ref()
    }

    /// The key for keys; an unopened ledger has none.
    pub fn secret(&self) -> Result<KeySecret, Rejection> {
        let opened = self.base.opened.as_ref();
        let problem = "the ledger has not been opened";
        opened
            .map(|opened| KeySecret(opened.suppression_key))
            .ok_or(Rejection::OutOfPlace { problem })
    }

    /// The learner under this handle, before merges.
    pub fn learner(&self, handle: Handle) -> Result<Option<&Learner>, Refusal> {
        self.lookup(&self.learners, &handle, Need::Learner)
            .map(Option::as_ref)
    }

    /// What is known under a record's key.
    pub fn record(&self, key: Key) -> Result<Option<&RecordFact>, Refusal> {
        self.lookup(&self.records, &key, Need::Record)
            .map(Option::as_ref)
    }

    /// The link of a student number.
    pub fn student(&self, key: Key) -> Result<Option<Link>, Refusal> {
        self.lookup(&self.students, &key, Need::Student).copied()
    }

    /// Who carries a document.
    pub fn document(&self, key: Key) -> Result<Option<Handle>, Refusal> {
        self.lookup(&self.documents, &key, Need::Document).copied()
    }

    /// The provisional account of a document reference.
    pub fn reference(&self, key: Key) -> Result<Option<Handle>, Refusal> {
        self.lookup(&self.references, &key, Need::Reference)
            .copied()
    }

    /// The record that claimed a result last.
    pub fn result(&self, key: Key) -> Result<Option<Key>, Refusal> {
        self.lookup(&self.results, &key, Need::Result).copied()
    }

    /// What a request id was used for.
    pub fn request(&self, key: Key) -> Result<Option<Request>, Refusal> {
        self.lookup(&self.requests, &key, Need::Request).copied()
    }

    fn lookup<'a, K: Copy + Ord + Hash, V>(
        &self,
        map: &'a Table<K, V>,
        key: &K,
        need: impl Fn(K) -> Need,
    ) -> Result<&'a Option<V>, Refusal> {
        match map.get(key) {
            Some(value) => Ok(value),
            None if self.complete => Ok(&None),
            None => Err(Refusal::Unloaded(need(*key))),
        }
    }

    /// The account to which a student number leads now, before merges; `None` when it is linked to
    /// nobody, or the link or its account has been erased.
    pub fn linked(&self, key: Key) -> Result<Option<Link>, Refusal> {
        let Some(link) = self.student(key)?.filter(|link| link.linked) else {
            return Ok(None);
        };
        let own = self
            .learner(link.handle)?
            .ok_or(Rejection::UnknownLearner)?;
        if own
            .links_erased
            .is_some_and(|erased| link.position < erased)
        {
            return Ok(None);
        }
        let (_, learner) = self.resolve(link.handle)?;
        Ok(Some(link).filter(|_| learner.standing != Standing::Erased))
    }

    /// The account to which a student number led last, linked or not; `None` when that has been erased.
    pub fn once_linked(&self, key: Key) -> Result<Option<Handle>, Refusal> {
        let Some(link) = self.student(key)? else {
            return Ok(None);
        };
        let own = self
            .learner(link.handle)?
            .ok_or(Rejection::UnknownLearner)?;
        let erased = own
            .links_erased
            .is_some_and(|erased| link.position < erased);
        Ok(Some(link.handle).filter(|_| !erased))
    }

    /// The account that carried a document last; `None` when its attributes have been erased.
    pub fn once_carrier(&self, key: Key) -> Result<Option<Handle>, Refusal> {
        let Some(handle) = self.document(key)? else {
            return Ok(None);
        };
        let own = self.learner(handle)?.ok_or(Rejection::UnknownLearner)?;
        Ok(Some(handle).filter(|_| own.links_erased.is_none()))
    }

    /// The account that carries a document now, before merges.
    pub fn carrier(&self, key: Key) -> Result<Option<Handle>, Refusal> {
        let Some(handle) = self.document(key)? else {
            return Ok(None);
        };
        let own = self.learner(handle)?.ok_or(Rejection::UnknownLearner)?;
        if !own.documents.contains(&key) {
            return Ok(None);
        }
        let (_, learner) = self.resolve(handle)?;
        Ok(Some(handle).filter(|_| learner.standing != Standing::Erased))
    }

    /// The provisional account that holds a document reference, before merges.
    pub fn referenced(&self, key: Key) -> Result<Option<Handle>, Refusal> {
        let Some(handle) = self.reference(key)? else {
            return Ok(None);
        };
        let own = self.learner(handle)?.ok_or(Rejection::UnknownLearner)?;
        if own.links_erased.is_some() {
            return Ok(None);
        }
        let (_, learner) = self.resolve(handle)?;
        Ok(Some(handle).filter(|_| learner.standing != Standing::Erased))
    }

    /// Follows merges from a handle to the account that is open or erased.
    pub fn resolve(&self, handle: Handle) -> Result<(Handle, &Learner), Refusal> {
        let mut current = handle;
        loop {
            let learner = self.learner(current)?.ok_or(Rejection::UnknownLearner)?;
            match learner.standing {
                // Merges never form a circle: only an open account takes in or is closed.
                Standing::Merged(into) => current = into,
                Standing::Open | Standing::Erased => return Ok((current, learner)),
            }
        }
    }

    /// The account and all that it has taken in, transitively.
    pub fn group(&self, handle: Handle) -> Result<Vec<Handle>, Refusal> {
        let mut group = vec![handle];
        let mut next = 0;
        while let Some(member) = group.get(next) {
            if let Some(learner) = self.learner(*member)? {
                group.extend(learner.absorbed.iter().copied());
            }
            next += 1;
        }
        Ok(group)
    }
}

/// The awaited event after a merge or a separation.
fn awaited_by(kind_is_merge: bool, on: Handle, counterpart: &Counterpart) -> Awaited {
    if kind_is_merge {
        Awaited::Absorbed {
            by: counterpart.learner,
            of: on,
        }
    } else {
        Awaited::Reopened {
            of: counterpart.learner,
            from: on,
        }
    }
}
