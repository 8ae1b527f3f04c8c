//! The writer: the one owner of the ledger's head.
//!
//! Order: jobs that wait are gathered into a group of at most about 1 MiB -> each is decided on the
//! state, after a savepoint -> the events become one block -> `append` (durable when it returns) -> the
//! savepoint is settled -> replies. A crash before `append` returns leaves nothing that was
//! acknowledged; a crash after it leaves a block whose submitters will send again and get the same
//! receipts.
//!
//! The writer never reads: a job brings the facts it needs, and one that lacks a fact, or whose facts
//! are older than what the writer has forgotten, goes back to be loaded again. What the writer knows
//! itself is newer than anything a job brings.

use std::collections::HashMap;
use std::sync::Arc;

use chain::{BlockBuilder, Head, LearnerTip, Pushed, Salt};
use ledger::state::Need;
use ledger::{Command, Handle, Keyed, Refusal, Savepoint, State, Timestamp};
use store::{AppendError, EventStore};
use tokio::sync::{mpsc, oneshot};

use super::fault::EngineFault;
use super::load::Loaded;
use super::outcome::{Mode, Receipt, Refused, Written};
use super::{Inner, join};
use crate::causes;

/// Work for the writer.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) commands: Arc<Vec<Command>>,
    pub(crate) mode: Mode,
    /// Facts that the commands need.
    pub(crate) facts: Vec<Loaded>,
    /// When those facts were read.
    pub(crate) seen: Seen,
    /// Set for an erasure: what it covers. It gets a block of its own and ends when the bodies are gone.
    pub(crate) erase: Option<Vec<chain::Position>>,
    pub(crate) reply: oneshot::Sender<Result<Reply, EngineFault>>,
}

/// What a load saw.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Seen {
    /// The head's size before it read.
    pub(crate) size: u64,
    /// How many erasures the writer had completed.
    pub(crate) generation: u64,
}

/// What the writer answers.
#[derive(Debug)]
pub(crate) enum Reply {
    /// One outcome a command.
    Outcomes(Vec<Result<Written, Refused>>),
    /// A fact is missing: load it too.
    Lacking(Need),
    /// The facts are too old: load all again.
    Stale,
}

/// How the writer works; defaults in `Config`.
#[derive(Debug, Clone, Copy)]
pub struct WriterOptions {
    /// Jobs are gathered until a block has about this many bytes.
    pub group_bytes: usize,
    /// Facts kept in memory; beyond, those that were not used lately are forgotten.
    pub facts_max: usize,
}

/// The owner of the head.
pub(crate) struct Writer<S> {
    pub(crate) inner: Arc<Inner<S>>,
    pub(crate) options: WriterOptions,
    pub(crate) head: Head,
    pub(crate) state: State,
    pub(crate) last_at: Timestamp,
    /// Last record of every learner that the state knows and that has one.
    pub(crate) tips: HashMap<Handle, LearnerTip>,
    pub(crate) generation: u64,
}

/// A block in the making, and who waits for it.
struct Group {
    at: Timestamp,
    /// The state before it.
    before: Savepoint,
    builder: BlockBuilder,
    pushed: Vec<Pushed>,
    waiting: Vec<Waiting>,
}

/// A job whose outcomes are known but not yet durable.
struct Waiting {
    outcomes: Vec<Result<Decided, Refused>>,
    reply: oneshot::Sender<Result<Reply, EngineFault>>,
}

/// An outcome whose receipts are in the block: `records.0` up to `records.1`.
struct Decided {
    written: Written,
    records: (usize, usize),
}

impl<S: EventStore> Writer<S> {
    /// Works until every sender is gone, or until a failed append leaves the head in doubt.
    pub(crate) async fn run(mut self, mut jobs: mpsc::Receiver<Job>) {
        let mut held: Option<Job> = None;
        while let Some(first) = match held.take() {
            Some(job) => Some(job),
            None => jobs.recv().await,
        } {
            let mut group = match self.begin() {
                Ok(group) => group,
                Err(fault) => {
                    let _ = first.reply.send(Err(fault));
                    continue;
                }
            };
            let erase = first.erase.clone();
            self.take(&mut group, first);
            // An erasure shares its block with nothing, so that the last block of a log never holds
            // bodies that are legitimately zero.
            while erase.is_none() && group.builder.bytes() < self.options.group_bytes {
                match jobs.try_recv() {
                    Ok(job) if job.erase.is_some() => {
                        held = Some(job);
                        break;
                    }
                    Ok(job) => self.take(&mut group, job),
                    Err(_) => break,
                }
            }
            if let Err(reason) = self.commit(group, erase).await {
                self.refuse_rest(jobs, held, &reason).await;
                return;
            }
        }
    }

    fn begin(&mut self) -> Result<Group, EngineFault> {
        // Invariant: recorded-at never decreases, also when the clock does.
        let at = self.inner.clock.now()?.max(self.last_at);
        Ok(Group {
            at,
            before: self.state.savepoint(),
            builder: BlockBuilder::new(self.head, join::recorded_at(at)),
            pushed: Vec::new(),
            waiting: Vec::new(),
        })
    }

    /// Decides a job and adds its events to the group, or sends it back.
    fn take(&mut self, group: &mut Group, job: Job) {
        if job.seen.size < self.state.floor() || job.seen.generation != self.generation {
            let _ = job.reply.send(Ok(Reply::Stale));
            return;
        }
        for loaded in job.facts {
            if self.state.knows(loaded.fact.need()) {
                continue;
            }
            if let (Need::Learner(handle), Some(tip)) = (loaded.fact.need(), loaded.tip) {
                self.tips.insert(handle, tip);
            }
            self.state.load(loaded.fact);
        }
        let before = self.state.savepoint();
        let decided = decide_all(&mut self.state, &job.commands, job.mode, group.at);
        if job.mode.validates()
            || !matches!(decided, Ok(Decisions { ref events, .. }) if !events.is_empty())
        {
            self.state.rollback(before);
        } else {
            self.state.release(before);
        }
        match decided {
            Err(need) => {
                let _ = job.reply.send(Ok(Reply::Lacking(need)));
            }
            Ok(decisions) => {
                let first = group.pushed.len();
                if !job.mode.validates() {
                    decisions
                        .events
                        .into_iter()
                        .for_each(|event| self.push(group, event));
                }
                let outcomes = decisions.outcomes;
                let shifted = outcomes.into_iter().map(|outcome| {
                    outcome.map(|(written, (from, until))| {
                        let until = if job.mode.validates() { from } else { until };
                        Decided {
                            written,
                            records: (first + from, first + until),
                        }
                    })
                });
                group.waiting.push(Waiting {
                    outcomes: shifted.collect(),
                    reply: job.reply,
                });
            }
        }
    }

    fn push(&mut self, group: &mut Group, keyed: Keyed) {
        let (event, body) = keyed.into_parts();
        let learner = event
            .learner
            .map(|handle| (handle, self.tips.get(&handle).copied()));
        let pushed = group.builder.push(
            join::kind(&event),
            join::institution(&event.issuer),
            join::institution(&event.submitter),
            learner.map(|(handle, tip)| (join::handle(handle), tip)),
            Salt(self.inner.random.salt()),
            body,
        );
        // Limits on messages and bodies keep a job below the room that a block has left.
        let pushed = pushed.expect("an admitted event makes a record that fits the block");
        if let (Some(handle), Some(tip)) = (event.learner, pushed.tip) {
            self.tips.insert(handle, tip);
        }
        group.pushed.push(pushed);
    }

    /// Makes the group durable and answers. An error says why the writer must stop.
    async fn commit(
        &mut self,
        group: Group,
        erase: Option<Vec<chain::Position>>,
    ) -> Result<(), String> {
        let Group {
            at,
            before,
            builder,
            pushed,
            waiting,
        } = group;
        if pushed.is_empty() {
            self.state.settle();
            answer(waiting, &[]);
            self.forget_when_full();
            return Ok(());
        }
        let block = builder.finish();
        let receipts = receipts(&block, &pushed);
        match self.inner.store.append(self.head, block).await {
            Ok(head) => {
                self.head = head;
                self.state.settle();
                self.last_at = at;
            }
            Err(full @ (AppendError::Full { .. } | AppendError::TooLarge { .. })) => {
                self.state.rollback(before);
                // The tips are those of what was not recorded.
                self.forget();
                refuse(waiting, full, self.head);
                return Ok(());
            }
            Err(error) => {
                let reason = causes::chain(&error);
                stop(waiting, &reason);
                return Err(reason);
            }
        }
        if let Some(positions) = erase
            && let Err(reason) = self.erase(&positions).await
        {
            stop(waiting, &reason);
            return Err(reason);
        }
        self.inner.publish(&self.state, self.head, self.generation);
        answer(waiting, &receipts);
        self.forget_when_full();
        Ok(())
    }

    /// Durability: the event is durable, then the bodies are gone, then the mark says so, then the
    /// reply. After a crash in between, opening the engine does the rest.
    async fn erase(&mut self, positions: &[chain::Position]) -> Result<(), String> {
        let through = chain::Position(self.head.size.saturating_sub(1));
        let erased = self.inner.store.erase(positions, through).await;
        // What was loaded while the bodies went may be of either side.
        self.generation += 1;
        self.forget();
        erased.map_err(|fault| causes::chain(&fault))
    }

    fn forget_when_full(&mut self) {
        let tips_max = self.options.facts_max;
        if self.state.facts_len() > self.options.facts_max {
            self.state.age();
        }
        // All of it was used lately: then the bound comes first.
        if self.state.facts_len() > self.options.facts_max || self.tips.len() > tips_max {
            self.forget();
        }
    }

    fn forget(&mut self) {
        self.state = self.state.without_facts();
        self.tips.clear();
    }

    async fn refuse_rest(&self, mut jobs: mpsc::Receiver<Job>, held: Option<Job>, reason: &str) {
        tracing::error!(
            reason,
            "the writer has stopped: restart the server to recover"
        );
        self.inner.stop(reason);
        let stopped = || EngineFault::Stopped {
            reason: reason.to_owned(),
        };
        if let Some(job) = held {
            let _ = job.reply.send(Err(stopped()));
        }
        while let Some(job) = jobs.recv().await {
            let _ = job.reply.send(Err(stopped()));
        }
    }
}

/// Events of a job in order, and of each command which of them are its own.
struct Decisions {
    events: Vec<Keyed>,
    outcomes: Vec<Result<Own, Refused>>,
}

/// An outcome and where its events begin and end.
type Own = (Written, (usize, usize));

/// Decides each command on the state that the ones before leave.
fn decide_all(
    state: &mut State,
    commands: &[Command],
    mode: Mode,
    at: Timestamp,
) -> Result<Decisions, Need> {
    let size = state.size();
    let mut decisions = Decisions {
        events: Vec::new(),
        outcomes: Vec::new(),
    };
    let mut rejected = false;
    for command in commands {
        if rejected && mode.is_atomic() {
            decisions.outcomes.push(Err(Refused::NotAttempted));
            continue;
        }
        let decision = match ledger::carry_out(state, command, at) {
            Ok(decision) => decision,
            Err(Refusal::Unloaded(need)) => return Err(need),
            Err(Refusal::Rejected(rejection)) => {
                rejected = true;
                decisions.outcomes.push(Err(Refused::Rejected(rejection)));
                continue;
            }
        };
        let from = decisions.events.len();
        decisions.events.extend(decision.events);
        let revision = decision
            .learner
            .and_then(|handle| state.learner(handle).ok().flatten())
            .map(|learner| learner.revision.0);
        let written = Written {
            receipts: Vec::new(),
            // What was only validated is nowhere, so a repetition of it has no receipt.
            already: decision
                .already
                .filter(|position| !mode.validates() || position.0 < size),
            again: decision.already.is_some(),
            learner: decision.learner,
            revision,
            pending: decision.pending,
        };
        decisions
            .outcomes
            .push(Ok((written, (from, decisions.events.len()))));
    }
    if rejected && mode.is_atomic() {
        decisions.events.clear();
        for outcome in &mut decisions.outcomes {
            if outcome.is_ok() {
                *outcome = Err(Refused::NotAttempted);
            }
        }
    }
    Ok(decisions)
}

fn receipts(block: &chain::Block, pushed: &[Pushed]) -> Vec<Receipt> {
    let records = block.records().iter().zip(pushed);
    records
        .map(|(record, pushed)| Receipt::of(&record.leaf, pushed.hash))
        .collect()
}

fn answer(waiting: Vec<Waiting>, receipts: &[Receipt]) {
    for Waiting { outcomes, reply } in waiting {
        let outcomes = outcomes.into_iter().map(|outcome| {
            outcome.map(
                |Decided {
                     mut written,
                     records: (from, until),
                 }| {
                    written.receipts = receipts.get(from..until).unwrap_or_default().to_vec();
                    written
                },
            )
        });
        let _ = reply.send(Ok(Reply::Outcomes(outcomes.collect())));
    }
}

/// Nothing of the group was recorded: who needed no space is answered all the same.
fn refuse(waiting: Vec<Waiting>, error: AppendError, head: Head) {
    let reason = causes::chain(&error);
    tracing::warn!(reason, "nothing was recorded: no space");
    let mut error = Some(error);
    let needs_none = |outcome: &Result<Decided, Refused>| {
        outcome
            .as_ref()
            .map_or(true, |Decided { written, records }| {
                let known = written
                    .already
                    .is_none_or(|position| position.0 < head.size);
                records.0 == records.1 && known
            })
    };
    for one in waiting {
        if one.outcomes.iter().all(needs_none) {
            answer(vec![one], &[]);
            continue;
        }
        let source = error.take().unwrap_or_else(|| AppendError::Full {
            source: reason.clone().into(),
        });
        let _ = one.reply.send(Err(EngineFault::NoSpace(source)));
    }
}

fn stop(waiting: Vec<Waiting>, reason: &str) {
    for Waiting { reply, .. } in waiting {
        let _ = reply.send(Err(EngineFault::Stopped {
            reason: reason.to_owned(),
        }));
    }
}
