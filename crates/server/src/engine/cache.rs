//! Learners' facts that loaders need not look up again: student number to account, account to its last
//! record.
//!
//! Apart from the writer's state, which nobody else may read, and from the loader, which only reads.
//! Facts about records are not here: a record id that comes for the first time is the usual case, and
//! of what does not exist the store's index says so from memory.
//!
//! Invariant: an entry is never older than the published head. So what a loader finds here is as good as
//! what it finds in the store: true at some size from `seen` on, where `seen` was noted before.
//!
//! Order, which makes it so:
//! 1. the writer seals a block and takes the values that its state has of every learner and student
//!    number that the block changed or that was loaded for it;
//! 2. the block becomes durable;
//! 3. the writer puts those values here ([`LearnerCache::put`]), over whatever older ones there are;
//! 4. the writer publishes the head; what it changed is here by then, or has been evicted, or is newer.
//!
//! Nobody else inserts, and blocks become durable in their order, so no older value comes after a newer
//! one. A loader that reads between 2 and 4 may find the older value and notes the older head: the writer
//! knows the newer value then, and prefers what it knows. A block that does not become durable puts
//! nothing here. A full cache evicts what was not asked for; that never makes an answer wrong, only a
//! look-up necessary.
//!
//! An erasure clears the cache after the bodies are gone and before the next generation is published
//! ([`LearnerCache::clear`]): who read an entry before noted the generation before, and is turned back.

use chain::LearnerTip;
use ledger::state::{Fact, Learner, Link, Need};
use ledger::{Handle, Key};
use quick_cache::sync::Cache;

use super::load::Loaded;

/// Shared by the writer, which alone puts in, and every loader.
pub(super) struct LearnerCache {
    students: Cache<Key, Link>,
    learners: Cache<Handle, (Learner, Option<LearnerTip>)>,
}

impl LearnerCache {
    /// Room for that many learners with a student number each: about 400 bytes a learner.
    pub(super) fn new(learners_max: usize) -> Self {
        LearnerCache {
            students: Cache::new(learners_max),
            learners: Cache::new(learners_max),
        }
    }

    /// The fact, when it is here.
    pub(super) fn get(&self, need: Need) -> Option<Loaded> {
        match need {
            Need::Student(key) => {
                let link = self.students.get(&key)?;
                let fact = Fact::Student(key, Some(link));
                Some(found(fact, None))
            }
            Need::Learner(handle) => {
                let (learner, tip) = self.learners.get(&handle)?;
                let fact = Fact::Learner(handle, Some(learner));
                Some(found(fact, tip))
            }
            _ => None,
        }
    }

    /// For the writer alone: what is durable now, before the head says so.
    pub(super) fn put(&self, facts: Vec<Loaded>) {
        for Loaded { fact, tip, .. } in facts {
            match fact {
                Fact::Student(key, Some(link)) => self.students.insert(key, link),
                Fact::Learner(handle, Some(learner)) => {
                    self.learners.insert(handle, (learner, tip));
                }
                // What does not exist is not kept, and what ceased to must not be found.
                Fact::Student(key, None) => drop(self.students.remove(&key)),
                Fact::Learner(handle, None) => drop(self.learners.remove(&handle)),
                _ => {}
            }
        }
    }

    /// For the writer alone: after an erasure, before its generation is published.
    pub(super) fn clear(&self) {
        self.students.clear();
        self.learners.clear();
    }
}

fn found(fact: Fact, tip: Option<LearnerTip>) -> Loaded {
    let cached = true;
    Loaded { fact, tip, cached }
}
