//! From commands to outcomes, on the caller's side: load, hand over to the writer, fetch old receipts.
//!
//! Apart from the engine's questions because this is the path that has to be fast: whatever needs no
//! order is done in the caller's task (`prepare`), so that the writer has the less to do.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, PoisonError};

use chain::{Commitment, Salt};
use ledger::state::Need;
use ledger::{Command, Position, Ready, Refusal, State, Timestamp};
use store::EventStore;
use tokio::sync::oneshot;

use super::fault::EngineFault;
use super::group::Made;
use super::load::Loaded;
use super::outcome::{Done, Mode, Outcome, Receipt, Refused, Written};
use super::signatures;
use super::writer::{Job, Reply, Seen};
use super::{Engine, Inner};

/// How often facts may turn out stale or lacking before the caller is told to retry.
pub(super) const RELOADS_MAX: usize = 256;

/// Commands with the facts that deciding them will most likely need.
///
/// It may be kept for as long as one likes: when its facts have become too old, they are loaded again.
#[derive(Debug)]
pub struct Prepared {
    commands: Arc<Vec<Command>>,
    /// Of each command what could be made of it beforehand; may be shorter, or empty.
    ready: Vec<Option<Readied>>,
    facts: Vec<Loaded>,
    /// When the facts were read.
    seen: Seen,
}

/// A body made ready, with the commitment that its record will have.
#[derive(Debug)]
pub(super) struct Readied {
    pub(super) ready: Ready,
    pub(super) commitment: Commitment,
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
        let commands = Arc::new(commands);
        let ready = commands.iter().map(|command| self.ready(command)).collect();
        let loaded = self.load_likely(commands).await?;
        Ok(Prepared { ready, ..loaded })
    }

    /// Whatever of a command costs time and hangs on nothing but the command: its body is encoded and
    /// hashed here, in the caller's task, where as many run as there are processors.
    fn ready(&self, command: &Command) -> Option<Readied> {
        let ready = Ready::of(&self.inner.secret, command)?;
        let salt = Salt(self.inner.random.salt());
        let commitment = Commitment::new(salt, ready.encoded());
        Some(Readied { ready, commitment })
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
        let (written, made) = self.submit(prepared, mode, BTreeSet::new(), None).await?;
        self.with_receipts(written, &made).await
    }

    /// The same for an erasure, whose decision needs `likely`.
    pub(super) async fn execute_erasure(
        &self,
        command: Command,
        likely: BTreeSet<Need>,
        positions: Vec<chain::Position>,
    ) -> Result<Vec<Outcome>, EngineFault> {
        let prepared = self.load_all(Arc::new(vec![command]), &likely).await?;
        let (written, made) = self
            .submit(prepared, Mode::Each, likely, Some(positions))
            .await?;
        self.with_receipts(written, &made).await
    }

    /// Has the writer decide, and loads what it found lacking or outdated, until it lacks nothing.
    async fn submit(
        &self,
        mut prepared: Prepared,
        mode: Mode,
        mut needed: BTreeSet<Need>,
        erase: Option<Vec<chain::Position>>,
    ) -> Result<(Vec<Result<Written, Refused>>, Arc<Made>), EngineFault> {
        for _ in 0..RELOADS_MAX {
            let (reply, replied) = oneshot::channel();
            let turn = prepared.seen.turn;
            let commands = Arc::clone(&prepared.commands);
            let job = Job {
                commands: Arc::clone(&commands),
                ready: prepared.ready,
                mode,
                facts: prepared.facts,
                seen: prepared.seen,
                erase: erase.clone(),
                reply,
            };
            self.send(job).await?;
            match replied.await.map_err(|_| self.gone())?? {
                Reply::Outcomes(outcomes, made) => return Ok((outcomes, made)),
                Reply::Lacking(need) => drop(needed.insert(need)),
                // The writer may have forgotten what is not durable yet: only then is it to be read.
                Reply::Stale => self.inner.wait_past_turn(turn).await,
            }
            prepared = if needed.is_empty() {
                self.load_likely(commands).await?
            } else {
                self.load_all(commands, &needed).await?
            };
        }
        Err(EngineFault::Overloaded)
    }

    /// Checks signatures and loads what the commands will most likely need: usually all there is to load, with one look-up in
    /// the cache and one in the store.
    async fn load_likely(&self, commands: Arc<Vec<Command>>) -> Result<Prepared, EngineFault> {
        let mut found = Found::new(&self.inner, commands.len());
        signatures::check(&commands, found.base.registry()).await;
        let mut open: Vec<usize> = (0..commands.len()).collect();
        let mut lacking: Vec<(Need, usize)> = Vec::new();
        while !open.is_empty() {
            for idx in open.drain(..) {
                if let Some(command) = commands.get(idx) {
                    let needs = found.likely_needs(&self.inner, command);
                    lacking.extend(needs.into_iter().map(|need| (need, idx)));
                }
            }
            lacking.sort_unstable();
            let mut needs: Vec<Need> = lacking.iter().map(|(need, _)| *need).collect();
            needs.dedup();
            // In the order of the needs.
            let loaded = self.inner.loader().load(&needs).await?;
            let leads_on = |(need, idx): (Need, usize)| {
                let at = needs.binary_search(&need).ok()?;
                loaded.get(at)?.leads_on().then_some(idx)
            };
            open.extend(lacking.drain(..).filter_map(leads_on));
            open.sort_unstable();
            open.dedup();
            found.add(loaded);
        }
        Ok(found.prepared(commands))
    }

    /// Checks signatures, loads `needed`, and whatever else deciding on the published state turns out to
    /// lack: the slow way, which misses nothing.
    async fn load_all(
        &self,
        commands: Arc<Vec<Command>>,
        needed: &BTreeSet<Need>,
    ) -> Result<Prepared, EngineFault> {
        let mut found = Found::new(&self.inner, commands.len());
        signatures::check(&commands, found.base.registry()).await;
        let mut lacking = needed.clone();
        loop {
            let needs: Vec<Need> = lacking.into_iter().collect();
            found.add(self.inner.loader().load(&needs).await?);
            lacking = discover(found.state(), &commands, self.now());
            if lacking.is_empty() {
                return Ok(found.prepared(commands));
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

    async fn with_receipts(
        &self,
        written: Vec<Result<Written, Refused>>,
        made: &Made,
    ) -> Result<Vec<Outcome>, EngineFault> {
        let before = |outcome: &Result<Written, Refused>| {
            outcome.as_ref().ok().and_then(|written| written.already)
        };
        let old: Vec<Position> = written.iter().filter_map(before).collect();
        let mut old = self.receipts(&old).await?.into_iter();
        let mut done = |written: Written| Done {
            receipts: match written.already {
                Some(_) => old.next().into_iter().collect(),
                None => made.receipts(written.records),
            },
            already: written.again,
            learner: written.learner,
            revision: written.revision,
            pending: written.pending,
        };
        let outcomes = written.into_iter();
        Ok(outcomes.map(|outcome| outcome.map(&mut done)).collect())
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

/// Facts that were found so far, and since when they are true.
struct Found {
    /// They are true at some size from here on.
    seen: Seen,
    facts: Vec<Loaded>,
    /// Where each is among them.
    places: HashMap<Need, usize, foldhash::fast::RandomState>,
    /// The published registry.
    base: State,
}

impl Found {
    /// Order: the head is noted before anything is read.
    fn new<S>(inner: &Inner<S>, commands: usize) -> Self {
        let published = inner.published();
        // A submission to an account that exists needs four.
        let room = 4 * commands;
        Found {
            seen: Seen {
                size: published.head.size,
                generation: published.generation,
                turn: published.turn,
            },
            facts: Vec::with_capacity(room),
            places: HashMap::with_capacity_and_hasher(room, foldhash::fast::RandomState::default()),
            base: published.base,
        }
    }

    fn add(&mut self, loaded: Vec<Loaded>) {
        for loaded in loaded {
            self.places.insert(loaded.fact.need(), self.facts.len());
            self.facts.push(loaded);
        }
    }

    /// A state that knows all of them.
    fn state(&self) -> State {
        let mut state = self.base.clone();
        for loaded in &self.facts {
            state.load(loaded.fact.clone());
        }
        state
    }

    /// What a command will most likely need and neither was found before nor is in the cache.
    fn likely_needs<S>(&mut self, inner: &Inner<S>, command: &Command) -> Vec<Need> {
        let (facts, places) = (&mut self.facts, &mut self.places);
        ledger::likely_needs_of(&inner.secret, command, &mut |need| {
            if let Some(known) = places.get(&need).and_then(|place| facts.get(*place)) {
                return Some(known.fact.lead());
            }
            let loaded = inner.cache.get(need)?;
            let lead = loaded.fact.lead();
            places.insert(need, facts.len());
            facts.push(loaded);
            Some(lead)
        })
    }

    fn prepared(self, commands: Arc<Vec<Command>>) -> Prepared {
        Prepared {
            commands,
            ready: Vec::new(),
            facts: self.facts,
            seen: self.seen,
        }
    }
}

/// The facts that the commands still lack, decided one after the other as the writer will.
fn discover(mut state: State, commands: &[Command], at: Timestamp) -> BTreeSet<Need> {
    let mut lacking = BTreeSet::new();
    for command in commands {
        if let Err(Refusal::Unloaded(need)) = ledger::carry_out(&mut state, command, at) {
            lacking.insert(need);
        }
    }
    lacking
}
