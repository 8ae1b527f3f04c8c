//! Facts: the pieces of which a state consists, to load, forget, compare and walk through.
//!
//! Apart from the state's own questions because decisions never look at facts as such: loaders, caches,
//! tests and the invariants do.

use super::{Learner, Link, RecordFact, Request, State};
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

impl State {
    /// Takes in a loaded fact, replacing what was known.
    pub fn load(&mut self, fact: Fact) {
        match fact {
            Fact::Learner(handle, value) => self.learners.insert_mut(handle, value),
            Fact::Record(key, value) => self.records.insert_mut(key, value),
            Fact::Student(key, value) => self.students.insert_mut(key, value),
            Fact::Document(key, value) => self.documents.insert_mut(key, value),
            Fact::Reference(key, value) => self.references.insert_mut(key, value),
            Fact::Result(key, value) => self.results.insert_mut(key, value),
            Fact::Request(key, value) => self.requests.insert_mut(key, value),
        }
    }

    /// Forgets a fact: a partial state must load it again.
    pub fn forget(&mut self, need: Need) {
        match need {
            Need::Learner(handle) => self.learners.remove_mut(&handle),
            Need::Record(key) => self.records.remove_mut(&key),
            Need::Student(key) => self.students.remove_mut(&key),
            Need::Document(key) => self.documents.remove_mut(&key),
            Need::Reference(key) => self.references.remove_mut(&key),
            Need::Result(key) => self.results.remove_mut(&key),
            Need::Request(key) => self.requests.remove_mut(&key),
        };
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
                Need::Learner(handle) => self.learners.contains_key(&handle),
                Need::Record(key) => self.records.contains_key(&key),
                Need::Student(key) => self.students.contains_key(&key),
                Need::Document(key) => self.documents.contains_key(&key),
                Need::Reference(key) => self.references.contains_key(&key),
                Need::Result(key) => self.results.contains_key(&key),
                Need::Request(key) => self.requests.contains_key(&key),
            }
    }

    /// Every fact that it holds, in order of kind and key.
    pub fn facts(&self) -> impl Iterator<Item = Fact> + '_ {
        let learners = self
            .learners
            .iter()
            .map(|(k, v)| Fact::Learner(*k, v.clone()));
        let records = self
            .records
            .iter()
            .map(|(k, v)| Fact::Record(*k, v.clone()));
        let students = self.students.iter().map(|(k, v)| Fact::Student(*k, *v));
        let documents = self.documents.iter().map(|(k, v)| Fact::Document(*k, *v));
        let references = self.references.iter().map(|(k, v)| Fact::Reference(*k, *v));
        let results = self.results.iter().map(|(k, v)| Fact::Result(*k, *v));
        let requests = self.requests.iter().map(|(k, v)| Fact::Request(*k, *v));
        let of_learners = learners.chain(students).chain(documents).chain(references);
        of_learners.chain(records).chain(results).chain(requests)
    }

    /// The accounts that it knows.
    pub fn learners(&self) -> impl Iterator<Item = (Handle, &Learner)> + '_ {
        self.learners
            .iter()
            .filter_map(|(handle, known)| Some((*handle, known.as_ref()?)))
    }

    /// What it knows under record ids.
    pub fn records(&self) -> impl Iterator<Item = (Key, &RecordFact)> + '_ {
        self.records
            .iter()
            .filter_map(|(key, known)| Some((*key, known.as_ref()?)))
    }

    /// How many facts it holds, for a bound on memory.
    #[must_use]
    pub fn facts_len(&self) -> usize {
        let learner = self.learners.size() + self.students.size() + self.documents.size();
        learner
            + self.references.size()
            + self.requests.size()
            + self.records.size()
            + self.results.size()
    }

    /// Keys of the records that are with one of these accounts, sorted.
    #[must_use]
    pub fn records_with(&self, group: &[Handle]) -> Vec<Key> {
        let with = |fact: &Option<RecordFact>| match fact {
            Some(RecordFact::Held(record)) => group.contains(&record.learner),
            _ => false,
        };
        self.records
            .iter()
            .filter(|(_, fact)| with(fact))
            .map(|(key, _)| *key)
            .collect()
    }
}
