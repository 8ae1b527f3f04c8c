//! What the writer knows: the working state and, of every learner in it, the last record.
//!
//! Apart from the groups because it outlives them: it reflects every block that was sealed, durable or
//! not yet, and is thrown away as a whole when one of them turns out not to be.
//!
//! Invariant: what is known here is newer than, or the same as, anything that a job brings. A job brings
//! facts that were true at some size from `seen` on; a fact that was changed at or after the floor
//! ([`State::floor`]) is still known here; so a fact that is not known here, brought by a job that saw the floor, has not
//! changed since it was read. Jobs that saw less are turned back.

use std::collections::HashMap;

use chain::LearnerTip;
use ledger::event::Opening;
use ledger::state::Need;
use ledger::words::ProvisionalReference;
use ledger::{Body, Event, Handle, Key, KeySecret, Keyed, Savepoint, State};

use super::load::Loaded;
use super::writer::Seen;

/// The writer's working state.
pub(super) struct Known {
    state: State,
    tips: HashMap<Handle, Tip, foldhash::fast::RandomState>,
    secret: KeySecret,
    facts_max: usize,
    /// How many facts there were after the last ageing.
    aged_len: usize,
    /// How many erasures have been carried out.
    generation: u64,
}

/// A learner's last record.
struct Tip {
    tip: LearnerTip,
    /// Whether it was used since the last ageing.
    touched: bool,
}

impl Known {
    /// Nothing but the registry, after `state.size()` records.
    pub(super) fn new(state: &State, secret: KeySecret, facts_max: usize) -> Self {
        Known {
            state: state.without_facts(),
            tips: HashMap::default(),
            secret,
            facts_max,
            aged_len: 0,
            generation: 0,
        }
    }

    /// Whether facts of a job that saw this may be learned.
    pub(super) fn may_learn(&self, seen: Seen) -> bool {
        seen.size >= self.state.floor() && seen.generation == self.generation
    }

    /// Takes in a fact that is not known; true when loaders could have had it from the cache.
    pub(super) fn learn(&mut self, loaded: Loaded) -> bool {
        let need = loaded.fact.need();
        if let (Need::Learner(handle), Some(tip)) = (need, loaded.tip) {
            let touched = true;
            self.tips.entry(handle).or_insert(Tip { tip, touched });
        }
        self.state.learn(loaded.fact) && !loaded.cached && matches!(need, Need::Student(_))
    }

    /// The state, to decide on.
    pub(super) fn state_mut(&mut self) -> &mut State {
        &mut self.state
    }

    /// Registry and size, without facts.
    pub(super) fn base(&self) -> State {
        self.state.without_facts()
    }

    /// How many erasures have been carried out.
    pub(super) fn generation(&self) -> u64 {
        self.generation
    }

    /// The first learner among those that these events are about whose last record is not known. Facts and
    /// tips are learned together and forgotten apart: an account can stay known for being looked at.
    pub(super) fn lacks_tip<'e>(
        &self,
        events: impl Iterator<Item = &'e Event>,
    ) -> Result<(), Need> {
        let mut opened: Vec<Handle> = Vec::new();
        for event in events {
            let Some(handle) = event
                .learner
                .filter(|handle| !self.tips.contains_key(handle))
            else {
                continue;
            };
            if matches!(event.body, Body::LearnerRegistered(_)) {
                opened.push(handle);
            } else if !opened.iter().rev().any(|opened| *opened == handle) {
                return Err(Need::Learner(handle));
            }
        }
        Ok(())
    }

    /// A learner's last record.
    pub(super) fn tip(&mut self, handle: Handle) -> Option<LearnerTip> {
        let tip = self.tips.get_mut(&handle)?;
        tip.touched = true;
        Some(tip.tip)
    }

    /// A learner has a new last record.
    pub(super) fn set_tip(&mut self, handle: Handle, tip: LearnerTip) {
        let touched = true;
        self.tips.insert(handle, Tip { tip, touched });
    }

    /// The keys under which the store finds an event.
    pub(super) fn keys_of(&self, event: &Keyed) -> Vec<Key> {
        event.keys(&self.secret)
    }

    /// The student number whose link an event changes.
    pub(super) fn student_of(&self, event: &Event) -> Option<Key> {
        match &event.body {
            Body::IdentityLinked(student) | Body::IdentityUnlinked(student) => {
                Some(self.secret.student(student))
            }
            Body::LearnerRegistered(registered) => match &registered.opening {
                Opening::Provisional(ProvisionalReference::Student(student)) => {
                    Some(self.secret.student(student))
                }
                _ => None,
            },
            _ => None,
        }
    }

    /// A fact as it is known, for the cache.
    pub(super) fn tell(&self, need: Need) -> Option<Loaded> {
        let tip = match need {
            Need::Learner(handle) => self.tips.get(&handle).map(|known| known.tip),
            _ => None,
        };
        Some(Loaded {
            fact: self.state.fact(need)?,
            tip,
            cached: true,
        })
    }

    /// Takes back what happens from here on, or keeps it.
    pub(super) fn savepoint(&mut self) -> Savepoint {
        self.state.savepoint()
    }

    /// Keeps what happened since.
    pub(super) fn release(&mut self, savepoint: Savepoint) {
        self.state.release(savepoint);
    }

    /// Goes back.
    pub(super) fn rollback(&mut self, to: Savepoint) {
        self.state.rollback(to);
    }

    /// Forgets what nobody asked for lately when it has become too much.
    pub(super) fn age_when_full(&mut self) {
        let third = self.facts_max / 3;
        if self.state.facts_len() <= self.aged_len + third {
            return;
        }
        self.age();
        // Everything was asked for: that is no reason to keep more than the limit.
        if self.state.facts_len() > 2 * third {
            self.age();
        }
        self.aged_len = self.state.facts_len();
    }

    fn age(&mut self) {
        self.state.age();
        self.tips
            .retain(|_, tip| std::mem::replace(&mut tip.touched, false));
    }

    /// Throws away everything that is not durable, and every fact with it.
    pub(super) fn reset(&mut self, durable: &State) {
        self.state = durable.without_facts();
        self.tips.clear();
        self.aged_len = 0;
    }

    /// An erasure has been carried out: facts that were read beside it may be of either side.
    pub(super) fn erased(&mut self, durable: &State) {
        self.generation += 1;
        self.reset(durable);
    }
}
