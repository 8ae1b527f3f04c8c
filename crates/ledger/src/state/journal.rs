//! Taking back: savepoints, and the journal of what was known before each change since the first of them.
//!
//! Apart from applying because whoever applies an event does not know whether it will stay: a command
//! may be refused at its second event, a batch at its last command, a block by the disk.

use super::{Base, Fact, Learner, Need, Record, RecordFact, State};
use crate::ids::{Handle, Key, Revision};

/// A state that one can go back to: [`State::rollback`].
#[derive(Debug)]
#[must_use = "changes are journaled until the savepoint is rolled back, released, or all are settled"]
pub struct Savepoint {
    base: Base,
    /// The journal's length.
    len: usize,
    /// Whether no savepoint was open before this one.
    outermost: bool,
    /// Which settlement it came after.
    settled: u64,
}

/// What was known before each change, oldest first.
#[derive(Debug, Clone, Default)]
pub(super) struct Journal {
    open: bool,
    before: Vec<Before>,
    /// How often it has been closed.
    settled: u64,
}

/// Small, because most changes are of what was not known at all.
#[derive(Debug, Clone)]
enum Before {
    Known(Box<Fact>),
    Unknown(Need),
    /// Of a learner that has got an event and is the same otherwise: nearly every change is one.
    Revision(Handle, Revision),
}

impl Before {
    fn known(fact: Fact) -> Before {
        Before::Known(Box::new(fact))
    }
}

impl Journal {
    /// Notes what was known before a change.
    fn note(&mut self, before: impl FnOnce() -> Before) {
        if self.open {
            self.before.push(before());
        }
    }

    fn close(&mut self) {
        self.open = false;
        self.before.clear();
        self.settled += 1;
    }
}

impl State {
    /// Remembers how it is now: until the savepoint is rolled back or released, or everything is
    /// settled, it can go back. Savepoints are ended in the reverse order in which they were made.
    pub fn savepoint(&mut self) -> Savepoint {
        let outermost = !std::mem::replace(&mut self.journal.open, true);
        Savepoint {
            base: self.base.clone(),
            len: self.journal.before.len(),
            outermost,
            settled: self.journal.settled,
        }
    }

    /// Goes back: every fact, the registry and the size are as they were. Facts loaded or forgotten since
    /// are as they were too; what [`State::age`] has forgotten since may stay forgotten.
    ///
    /// # Panics
    /// When the savepoint has been settled: a bug of the caller.
    pub fn rollback(&mut self, to: Savepoint) {
        assert_eq!(to.settled, self.journal.settled, "the savepoint is settled");
        while self.journal.before.len() > to.len {
            match self.journal.before.pop() {
                Some(Before::Known(fact)) => drop(self.exchange(*fact)),
                Some(Before::Unknown(need)) => drop(self.take(need)),
                Some(Before::Revision(handle, before)) => {
                    if let Some(learner) = self.learners.get_mut(&handle) {
                        learner.revision = before;
                    }
                }
                None => break,
            }
        }
        self.base = to.base;
        // No fact that was read can be outdated by what has not happened.
        self.aged_at = self.aged_at.min(self.base.size);
        self.floor = self.floor.min(self.base.size);
        if to.outermost {
            self.journal.close();
        }
    }

    /// Keeps what happened since; an earlier savepoint can still take it back.
    pub fn release(&mut self, savepoint: Savepoint) {
        if savepoint.outermost && savepoint.settled == self.journal.settled {
            self.journal.close();
        }
    }

    /// Forgets the journal: nothing that happened so far can be taken back any more, and nothing is
    /// journaled until the next savepoint.
    pub fn settle(&mut self) {
        self.journal.close();
    }

    /// Knows this now, whatever it knew before.
    pub(super) fn put(&mut self, fact: Fact) {
        let need = fact.need();
        let before = self.exchange(fact);
        self.journal
            .note(|| before.map_or(Before::Unknown(need), Before::known));
    }

    /// Knows this now, if it did not know better; whether that is so.
    pub(super) fn put_new(&mut self, fact: Fact) -> bool {
        let need = fact.need();
        let new = match fact {
            Fact::Learner(handle, value) => self.learners.insert_new(handle, value),
            Fact::Record(key, value) => self.records.insert_new(key, value),
            Fact::Student(key, value) => self.students.insert_new(key, value),
            Fact::Document(key, value) => self.documents.insert_new(key, value),
            Fact::Reference(key, value) => self.references.insert_new(key, value),
            Fact::Result(key, value) => self.results.insert_new(key, value),
            Fact::Request(key, value) => self.requests.insert_new(key, value),
        };
        if new {
            self.journal.note(|| Before::Unknown(need));
        }
        new
    }

    /// Does not know it any more.
    pub(super) fn lose(&mut self, need: Need) {
        if let Some(before) = self.take(need) {
            self.journal.note(|| Before::known(before));
        }
    }

    /// Changes a learner that it knows.
    pub(super) fn with_learner(&mut self, handle: Handle, change: impl FnOnce(&mut Learner)) {
        if let Some(learner) = self.learners.get_mut(&handle) {
            let known = || Before::known(Fact::Learner(handle, Some(learner.clone())));
            self.journal.note(known);
            change(learner);
        }
    }

    /// Counts an event on the chain of a learner that it knows.
    pub(super) fn count(&mut self, handle: Handle) {
        if let Some(learner) = self.learners.get_mut(&handle) {
            let before = learner.revision;
            self.journal.note(|| Before::Revision(handle, before));
            learner.revision = Revision(before.0.saturating_add(1));
        }
    }

    /// Changes a record that it knows.
    pub(super) fn with_record(&mut self, key: Key, change: impl FnOnce(&mut Record)) {
        if let Some(RecordFact::Held(record)) = self.records.get_mut(&key) {
            let known = || RecordFact::Held(record.clone());
            self.journal
                .note(|| Before::known(Fact::Record(key, Some(known()))));
            change(record);
        }
    }

    fn exchange(&mut self, fact: Fact) -> Option<Fact> {
        match fact {
            Fact::Learner(handle, value) => {
                let before = self.learners.insert(handle, value)?;
                Some(Fact::Learner(handle, before))
            }
            Fact::Record(key, value) => Some(Fact::Record(key, self.records.insert(key, value)?)),
            Fact::Student(key, value) => {
                Some(Fact::Student(key, self.students.insert(key, value)?))
            }
            Fact::Document(key, value) => {
                let before = self.documents.insert(key, value)?;
                Some(Fact::Document(key, before))
            }
            Fact::Reference(key, value) => {
                let before = self.references.insert(key, value)?;
                Some(Fact::Reference(key, before))
            }
            Fact::Result(key, value) => Some(Fact::Result(key, self.results.insert(key, value)?)),
            Fact::Request(key, value) => {
                Some(Fact::Request(key, self.requests.insert(key, value)?))
            }
        }
    }

    fn take(&mut self, need: Need) -> Option<Fact> {
        Some(match need {
            Need::Learner(handle) => Fact::Learner(handle, self.learners.remove(&handle)?),
            Need::Record(key) => Fact::Record(key, self.records.remove(&key)?),
            Need::Student(key) => Fact::Student(key, self.students.remove(&key)?),
            Need::Document(key) => Fact::Document(key, self.documents.remove(&key)?),
            Need::Reference(key) => Fact::Reference(key, self.references.remove(&key)?),
            Need::Result(key) => Fact::Result(key, self.results.remove(&key)?),
            Need::Request(key) => Fact::Request(key, self.requests.remove(&key)?),
        })
    }
}
