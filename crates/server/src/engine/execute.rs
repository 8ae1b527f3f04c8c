//! From commands to outcomes, on the caller's side: load, hand over to the writer, fetch old receipts.
//!
//! Apart from the engine's questions because this is the path that has to be fast: whatever needs no
//! order is done in the caller's task (`prepare`), so that the writer has the less to do.

use std::collections::BTreeSet;
use std::sync::{Arc, PoisonError};

use ledger::state::Need;
use ledger::{Command, Position, Refusal, State, Timestamp};
use store::EventStore;
use tokio::sync::oneshot;

use super::Engine;
use super::fault::EngineFault;
use super::load::Loaded;
use super::outcome::{Done, Mode, Outcome, Receipt, Refused, Written};
use super::signatures;
use super::writer::{Job, Reply, Seen};

/// How often facts may turn out stale or lacking before the caller is told to retry.
pub(super) const RELOADS_MAX: usize = 256;

/// Commands with the facts that deciding them will most likely need.
///
/// It may be kept for as long as one likes: when its facts have become too old, they are loaded again.
#[derive(Debug)]
pub struct Prepared {
    commands: Arc<Vec<Command>>,
    facts: Vec<Loaded>,
    /// When the facts were read.
    seen: Seen,
}

impl Prepared {
    /// How many commands it holds, and so how many outcomes it will have.
    #[must_use]
    pub fn len(&self) -> usize {
        self.commands.len()
    }

    /// Whether it holds no command.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.commands.is_empty()
    }
}

impl<S: EventStore> Engine<S> {
    /// Carries commands out, in order. Durable when it returns; one outcome a command.
    ///
    /// # Errors
    /// A fault: nothing is known to be recorded, and sending the same again is safe.
    pub async fn execute(
        &self,
        commands: Vec<Command>,
        mode: Mode,
    ) -> Result<Vec<Outcome>, EngineFault> {
        let prepared = self.prepare(commands).await?;
        self.execute_prepared(prepared, mode).await
    }

    /// Does everything about commands that needs no order: loads what deciding them will need. It
    /// changes nothing, and may run while other commands, also such as these build on, are carried out:
    /// so a stream prepares its next batch while the one before it commits.
    ///
    /// # Errors
    /// A fault.
    pub async fn prepare(&self, commands: Vec<Command>) -> Result<Prepared, EngineFault> {
        self.load_all(Arc::new(commands), &BTreeSet::new()).await
    }

    /// Carries prepared commands out, in order, after everything whose outcome was known before this
    /// was called. Durable when it returns; one outcome a command.
    ///
    /// # Errors
    /// As of [`execute`](Engine::execute).
    pub async fn execute_prepared(
        &self,
        prepared: Prepared,
        mode: Mode,
    ) -> Result<Vec<Outcome>, EngineFault> {
        let written = self.submit(prepared, mode, BTreeSet::new(), None).await?;
        self.with_old_receipts(written).await
    }

    /// The same for an erasure, whose decision needs `likely`.
    pub(super) async fn execute_erasure(
        &self,
        command: Command,
        likely: BTreeSet<Need>,
        positions: Vec<chain::Position>,
    ) -> Result<Vec<Outcome>, EngineFault> {
        let prepared = self.load_all(Arc::new(vec![command]), &likely).await?;
        let written = self
            .submit(prepared, Mode::Each, likely, Some(positions))
            .await?;
        self.with_old_receipts(written).await
    }

    /// Has the writer decide, and loads what it found lacking or outdated, until it lacks nothing.
    async fn submit(
        &self,
        mut prepared: Prepared,
        mode: Mode,
        mut needed: BTreeSet<Need>,
        erase: Option<Vec<chain::Position>>,
    ) -> Result<Vec<Result<Written, Refused>>, EngineFault> {
        for _ in 0..RELOADS_MAX {
            let (reply, replied) = oneshot::channel();
            let commands = Arc::clone(&prepared.commands);
            let job = Job {
                commands: Arc::clone(&commands),
                mode,
                facts: prepared.facts,
                seen: prepared.seen,
                erase: erase.clone(),
                reply,
            };
            self.send(job).await?;
            match replied.await.map_err(|_| self.gone())?? {
                Reply::Outcomes(outcomes) => return Ok(outcomes),
                Reply::Lacking(need) => drop(needed.insert(need)),
                Reply::Stale => {}
            }
            prepared = self.load_all(commands, &needed).await?;
        }
        Err(EngineFault::Overloaded)
    }

    /// Checks signatures, loads `needed`, and whatever else deciding on the published state turns out to lack.
    async fn load_all(
        &self,
        commands: Arc<Vec<Command>>,
        needed: &BTreeSet<Need>,
    ) -> Result<Prepared, EngineFault> {
        let published = self.inner.published();
        signatures::check(&commands, published.base.registry()).await;
        let seen = Seen {
            size: published.head.size,
            generation: published.generation,
        };
        let mut facts = Vec::new();
        let mut scratch = published.base;
        let mut lacking = needed.clone();
        loop {
            for loaded in self.inner.loader().load(&lacking).await? {
                scratch.load(loaded.fact.clone());
                facts.push(loaded);
            }
            lacking = discover(&scratch, &commands, self.now());
            if lacking.is_empty() {
                return Ok(Prepared {
                    commands,
                    facts,
                    seen,
                });
            }
        }
    }

    async fn send(&self, job: Job) -> Result<(), EngineFault> {
        let jobs = self
            .jobs
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        let jobs = jobs.ok_or_else(|| self.gone())?;
        jobs.send(job).await.map_err(|_| self.gone())
    }

    fn gone(&self) -> EngineFault {
        let reason = self.inner.stopped.borrow().clone();
        EngineFault::Stopped {
            reason: reason.unwrap_or_else(|| "it is shutting down".to_owned()),
        }
    }

    async fn with_old_receipts(
        &self,
        written: Vec<Result<Written, Refused>>,
    ) -> Result<Vec<Outcome>, EngineFault> {
        let wanted = |outcome: &Result<Written, Refused>| {
            outcome.as_ref().ok().and_then(|written| written.already)
        };
        let old: Vec<Position> = written.iter().filter_map(wanted).collect();
        let mut old = self.receipts(&old).await?.into_iter();
        let done = |written: Written| {
            let receipts = if written.already.is_some() {
                old.next().into_iter().collect()
            } else {
                written.receipts
            };
            Done {
                receipts,
                already: written.again,
                learner: written.learner,
                revision: written.revision,
                pending: written.pending,
            }
        };
        let mut done = done;
        Ok(written
            .into_iter()
            .map(|outcome| outcome.map(&mut done))
            .collect())
    }

    pub(super) async fn receipts(
        &self,
        positions: &[Position],
    ) -> Result<Vec<Receipt>, EngineFault> {
        if positions.is_empty() {
            return Ok(Vec::new());
        }
        let positions: Vec<chain::Position> = positions
            .iter()
            .map(|position| chain::Position(position.0))
            .collect();
        let records = self.inner.store.get(&positions).await?;
        Ok(records
            .iter()
            .map(|record| Receipt::of(&record.leaf, record.hash()))
            .collect())
    }
}

/// The facts that the commands still lack, decided one after the other as the writer will.
fn discover(state: &State, commands: &[Command], at: Timestamp) -> BTreeSet<Need> {
    let mut state = state.clone();
    let mut lacking = BTreeSet::new();
    for command in commands {
        if let Err(Refusal::Unloaded(need)) = ledger::carry_out(&mut state, command, at) {
            lacking.insert(need);
        }
    }
    lacking
}
