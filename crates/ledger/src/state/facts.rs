//! Facts: the pieces of which a state consists, to load, forget, compare and walk through.
//!
//! Apart from the state's own questions because decisions never look at facts as such: loaders, caches,
//! tests and the invariants do.

use super::{Learner, Link, RecordFact, Request, Standing, State};
use crate::ids::{Handle, Key};

/// A fact that a decision needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Need {
    /// A learner.
    Learner(Handle),
    /// A record, by [`crate::KeySecret::record`].
    Record(Key),
    /// A student number, by [`crate::KeySecret::student`].
    Student(Key),
    /// A document, by [`crate::KeySecret::document`].
    Document(Key),
    /// A pending document reference, by [`crate::KeySecret::reference`].
    Reference(Key),
    /// A result, by [`crate::KeySecret::result`].
    Result(Key),
    /// A request id, by [`crate::KeySecret::request`].
    Request(Key),
}

/// What [`Need`] asks for, as loaded; `None` inside says that it does not exist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fact {
    /// A learner.
    Learner(Handle, Option<Learner>),
    /// A record.
    Record(Key, Option<RecordFact>),
    /// A student number.
    Student(Key, Option<Link>),
    /// A document: who carries it.
    Document(Key, Option<Handle>),
    /// A pending document reference: its provisional account.
    Reference(Key, Option<Handle>),
    /// A result: the key of the record that claimed it last.
    Result(Key, Option<Key>),
    /// A request id.
    Request(Key, Option<Request>),
}

impl Fact {
    /// That there is no such thing.
    #[must_use]
    pub fn absent(need: Need) -> Fact {
        match need {
            Need::Learner(handle) => Self::Learner(handle, None),
            Need::Record(key) => Self::Record(key, None),
            Need::Student(key) => Self::Student(key, None),
            Need::Document(key) => Self::Document(key, None),
            Need::Reference(key) => Self::Reference(key, None),
            Need::Result(key) => Self::Result(key, None),
            Need::Request(key) => Self::Request(key, None),
        }
    }

    /// What it answers.
    #[must_use]
    pub fn need(&self) -> Need {
        match self {
            Self::Learner(handle, _) => Need::Learner(*handle),
            Self::Record(key, _) => Need::Record(*key),
            Self::Student(key, _) => Need::Student(*key),
            Self::Document(key, _) => Need::Document(*key),
            Self::Reference(key, _) => Need::Reference(*key),
            Self::Result(key, _) => Need::Result(*key),
            Self::Request(key, _) => Need::Request(*key),
        }
    }
}

/// What a fact leads to, as far as guessing ahead asks: where a fact is copied, this is cheap.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lead {
    /// There is no such thing.
    Nothing,
    /// An account.
    Account {
        /// Where it stands.
        standing: Standing,
        /// Whether it is bound to no person.
        provisional: bool,
        /// What it has taken in.
        absorbed: Vec<Handle>,
    },
    /// To an account, from a number or a document.
    To(Handle),
    /// A record that is there.
    Record {
        /// The account it was first recorded for.
        first: Handle,
        /// The account it is with, before merges.
        with: Handle,
    },
    /// A record that may not come back.
    Suppressed,
    /// A result, claimed by the record of that key.
    Claimed(Key),
    /// A request that made this learner.
    Request(Handle),
}

impl Fact {
    /// What it leads to.
    #[must_use]
    pub fn lead(&self) -> Lead {
        let to = |handle: Option<Handle>| handle.map_or(Lead::Nothing, Lead::To);
        match self {
            Self::Learner(_, None) => Lead::Nothing,
            Self::Learner(_, Some(learner)) => Lead::Account {
                standing: learner.standing,
                provisional: learner.provisional.is_some(),
                absorbed: learner.absorbed.clone(),
            },
            Self::Record(_, None) => Lead::Nothing,
            Self::Record(_, Some(RecordFact::Suppressed)) => Lead::Suppressed,
            Self::Record(_, Some(RecordFact::Held(record))) => Lead::Record {
                first: record.first_learner,
                with: record.learner,
            },
            Self::Student(_, link) => to(link.map(|link| link.handle)),
            Self::Document(_, handle) | Self::Reference(_, handle) => to(*handle),
            Self::Result(_, claimer) => claimer.map_or(Lead::Nothing, Lead::Claimed),
            Self::Request(_, request) => {
                request.map_or(Lead::Nothing, |request| Lead::Request(request.learner))
            }
        }
    }
}

impl State {
    /// Takes in a loaded fact, replacing what was known.
    pub fn load(&mut self, fact: Fact) {
        self.put(fact);
    }

    /// Takes in a loaded fact unless it is known; whether it was not. A complete state knows everything.
    pub fn learn(&mut self, fact: Fact) -> bool {
        !self.complete && self.put_new(fact)
    }

    /// Forgets a fact: a partial state must load it again.
    pub fn forget(&mut self, need: Need) {
        self.lose(need);
    }

    /// Forgets the facts that nobody has looked up or changed since it was called last, and keeps the
    /// others, so that memory is bounded and who is busy stays known. Called twice in a row it forgets
    /// everything. A complete state forgets nothing.
    ///
    /// Whoever decides on facts that were loaded earlier must compare [`State::floor`] afterwards.
    pub fn age(&mut self) {
        if self.complete {
            return;
        }
        self.learners.age();
        self.records.age();
        self.students.age();
        self.documents.age();
        self.references.age();
        self.results.age();
        self.requests.age();
        // What is forgotten now was changed, if ever, before the last time.
        self.floor = std::mem::replace(&mut self.aged_at, self.base.size);
    }

    /// The size that a ledger must have had when a fact was read from it, for the fact to be loaded here:
    /// one read earlier may have changed since, and this state may have forgotten that. With
    /// [`State::learn`], because what is known here is newer than anything read.
    #[must_use]
    pub fn floor(&self) -> u64 {
        self.floor
    }

    /// The fact, when it is known.
    #[must_use]
    pub fn fact(&self, need: Need) -> Option<Fact> {
        let fact = match need {
            Need::Learner(handle) => self
                .learner(handle)
                .map(|v| Fact::Learner(handle, v.cloned())),
            Need::Record(key) => self.record(key).map(|v| Fact::Record(key, v.cloned())),
            Need::Student(key) => self.student(key).map(|v| Fact::Student(key, v)),
            Need::Document(key) => self.document(key).map(|v| Fact::Document(key, v)),
            Need::Reference(key) => self.reference(key).map(|v| Fact::Reference(key, v)),
            Need::Result(key) => self.result(key).map(|v| Fact::Result(key, v)),
            Need::Request(key) => self.request(key).map(|v| Fact::Request(key, v)),
        };
        fact.ok()
    }

    /// Whether the fact is known.
    #[must_use]
    pub fn knows(&self, need: Need) -> bool {
        self.complete
            || match need {
                Need::Learner(handle) => self.learners.get(&handle).is_some(),
                Need::Record(key) => self.records.get(&key).is_some(),
                Need::Student(key) => self.students.get(&key).is_some(),
                Need::Document(key) => self.documents.get(&key).is_some(),
                Need::Reference(key) => self.references.get(&key).is_some(),
                Need::Result(key) => self.results.get(&key).is_some(),
                Need::Request(key) => self.requests.get(&key).is_some(),
            }
    }

    /// Every fact that it holds, in order of kind and key.
    pub fn facts(&self) -> impl Iterator<Item = Fact> + '_ {
        let learners = self.learners.sorted();
        let learners = learners.map(|(key, value)| Fact::Learner(key, value.clone()));
        let records = self.records.sorted();
        let records = records.map(|(key, value)| Fact::Record(key, value.clone()));
        let students = self.students.sorted();
        let students = students.map(|(key, value)| Fact::Student(key, *value));
        let documents = self.documents.sorted();
        let documents = documents.map(|(key, value)| Fact::Document(key, *value));
        let references = self.references.sorted();
        let references = references.map(|(key, value)| Fact::Reference(key, *value));
        let results = self.results.sorted();
        let results = results.map(|(key, value)| Fact::Result(key, *value));
        let requests = self.requests.sorted();
        let requests = requests.map(|(key, value)| Fact::Request(key, *value));
        let of_learners = learners.chain(students).chain(documents).chain(references);
        of_learners.chain(records).chain(results).chain(requests)
    }

    /// The accounts that it knows, in order of their handles.
    pub fn learners(&self) -> impl Iterator<Item = (Handle, &Learner)> + '_ {
        let learners = self.learners.sorted();
        learners.filter_map(|(handle, known)| Some((handle, known.as_ref()?)))
    }

    /// What it knows under record ids, in order of their keys.
    pub fn records(&self) -> impl Iterator<Item = (Key, &RecordFact)> + '_ {
        let records = self.records.sorted();
        records.filter_map(|(key, known)| Some((key, known.as_ref()?)))
    }

    /// How many facts it holds, for a bound on memory.
    #[must_use]
    pub fn facts_len(&self) -> usize {
        let learner = self.learners.len() + self.students.len() + self.documents.len();
        let record = self.records.len() + self.results.len();
        learner + self.references.len() + self.requests.len() + record
    }

    /// Keys of the records that are with one of these accounts, sorted.
    #[must_use]
    pub fn records_with(&self, group: &[Handle]) -> Vec<Key> {
        let with = |fact: &RecordFact| match fact {
            RecordFact::Held(record) => group.contains(&record.learner),
            RecordFact::Suppressed => false,
        };
        self.records()
            .filter(|(_, fact)| with(fact))
            .map(|(key, _)| key)
            .collect()
    }
}
