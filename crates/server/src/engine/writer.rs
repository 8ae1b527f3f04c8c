//! The writer: the one owner of the ledger's head.
//!
//! Order: jobs that wait are gathered into a group of at most about 1 MiB -> each is decided on the
//! working state -> the group is sealed into a block -> `append` (durable when it returns) -> what
//! changed goes to the cache -> the head is published -> replies. A crash before `append` returns leaves
//! nothing that was acknowledged; a crash after it leaves a block whose submitters will send again and
//! get the same receipts.
//!
//! While one block is on its way to the disk (`Flight`), the next group is decided on the working
//! state, which reflects the block already. There is never more than one of each, blocks are appended
//! in order, and nobody is answered before the block that the answer rests on is durable: also a
//! repetition or a rejection waits for the block before its group. When an append fails for want of space, the
//! working state and the group in the making are thrown away, and its jobs are decided again; after any
//! other failure the writer stops.
//!
//! The writer never reads: a job brings the facts it needs, and one that lacks a fact, or whose facts
//! are older than what the writer has forgotten, goes back to be loaded again.

use std::pin::Pin;
use std::sync::Arc;

use chain::Head;
use ledger::state::Need;
use ledger::{Command, Timestamp};
use store::{AppendError, EventStore};
use tokio::sync::{mpsc, oneshot};

use super::Inner;
use super::execute::Readied;
use super::fault::EngineFault;
use super::group::{Group, Made, Payload, Sealed, Waiting};
use super::known::Known;
use super::load::Loaded;
use super::outcome::{Mode, Refused, Written};
use crate::causes;

/// Work for the writer.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) commands: Arc<Vec<Command>>,
    /// Of each command what was made of it beforehand; may be shorter.
    pub(super) ready: Vec<Option<Readied>>,
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
    /// Which publication that was.
    pub(crate) turn: u64,
}

/// What the writer answers.
#[derive(Debug)]
pub(crate) enum Reply {
    /// One outcome a command, and the block that their records are in.
    Outcomes(Vec<Result<Written, Refused>>, Arc<Made>),
    /// A fact is missing: load it too.
    Lacking(Need),
    /// The facts are too old: load all again, from the next turn on.
    Stale,
}

/// How the writer works; defaults in `Config`.
#[derive(Debug, Clone, Copy)]
pub struct WriterOptions {
    /// Jobs are gathered until a block has about this many bytes.
    pub group_bytes: usize,
    /// Facts kept in the working state; beyond, those that were not asked for lately are forgotten and
    /// loaded again as needed.
    pub facts_max: usize,
    /// Learners whose facts are kept for loaders; the others are looked up in the store.
    pub learners_max: usize,
}

impl Default for WriterOptions {
    fn default() -> Self {
        WriterOptions {
            group_bytes: 1 << 20,
            facts_max: 1 << 18,
            learners_max: 1 << 20,
        }
    }
}

/// The owner of the head.
pub(crate) struct Writer<S> {
    pub(super) inner: Arc<Inner<S>>,
    pub(super) options: WriterOptions,
    pub(super) known: Known,
    /// The head after everything that was sealed, durable or on its way.
    pub(super) tail: Head,
    pub(super) last_at: Timestamp,
}

/// A block on its way to the disk.
struct Flight {
    append: Pin<Box<dyn Future<Output = Result<Head, AppendError>> + Send>>,
    sealed: Sealed,
}

/// Why the writer must stop.
type Reason = String;

impl<S: EventStore> Writer<S> {
    /// Works until every sender is gone, or until a failed append leaves the head in doubt.
    pub(crate) async fn run(mut self, mut jobs: mpsc::Receiver<Job>) {
        let mut erasure = None;
        if let Err(reason) = self.work(&mut jobs, &mut erasure).await {
            self.refuse_rest(jobs, erasure, &reason).await;
        }
    }

    async fn work(
        &mut self,
        jobs: &mut mpsc::Receiver<Job>,
        erasure: &mut Option<Job>,
    ) -> Result<(), Reason> {
        let mut group: Option<Group> = None;
        let mut flight: Option<Flight> = None;
        let mut open = true;
        loop {
            let room = |group: &Group| group.bytes() < self.options.group_bytes;
            let takes = open && erasure.is_none() && group.as_ref().is_none_or(room);
            if flight.is_none() {
                // With nothing on its way, what has been gathered goes as soon as no job waits.
                if let Some(gathered) = group.take_if(|_| !takes || jobs.is_empty()) {
                    flight = self.launch(gathered);
                    continue;
                }
                if group.is_none() {
                    // An erasure shares its block with nothing, so that the last block of a log never
                    // holds bodies that are legitimately zero, and nothing else is under way meanwhile.
                    if let Some(job) = erasure.take() {
                        self.erase(job).await?;
                        continue;
                    }
                    if !open {
                        return Ok(());
                    }
                }
            }
            tokio::select! {
                biased;
                appended = landing(&mut flight), if flight.is_some() => {
                    let sealed = flight.take().map(|flight| flight.sealed);
                    self.land(appended, sealed, &mut group)?;
                }
                job = jobs.recv(), if takes => match job {
                    Some(job) if job.erase.is_some() => *erasure = Some(job),
                    Some(job) => self.take(&mut group, job),
                    None => open = false,
                },
            }
        }
    }

    /// Decides a job in the group, which is begun when there is none.
    fn take(&mut self, group: &mut Option<Group>, job: Job) {
        let group = match group {
            Some(group) => group,
            None => match self.begin() {
                Ok(begun) => group.insert(begun),
                Err(fault) => {
                    let _ = job.reply.send(Err(fault));
                    return;
                }
            },
        };
        group.take(&mut self.known, &self.inner.random, job);
    }

    fn begin(&self) -> Result<Group, EngineFault> {
        // Invariant: recorded-at never decreases, also when the clock does.
        let at = self.inner.clock.now()?.max(self.last_at);
        Ok(Group::new(self.tail, at))
    }

    /// Sends a group on its way; one that records nothing is answered here and now.
    fn launch(&mut self, group: Group) -> Option<Flight> {
        self.last_at = group.at();
        let (sealed, payload) = group.seal(&self.known);
        self.known.age_when_full();
        let Some(Payload { block, keys }) = payload else {
            self.inner.cache.put(sealed.told);
            answer(sealed.waiting, &sealed.made);
            return None;
        };
        self.tail = block.head();
        let store = Arc::clone(&self.inner.store);
        let append = async move { store.append_keyed(block.prev(), block, Some(keys)).await };
        let append = Box::pin(append);
        Some(Flight { append, sealed })
    }

    /// A block has become durable, or has not.
    fn land(
        &mut self,
        appended: Result<Head, AppendError>,
        sealed: Option<Sealed>,
        next: &mut Option<Group>,
    ) -> Result<(), Reason> {
        let Some(sealed) = sealed else { return Ok(()) };
        match appended {
            Ok(head) => {
                // Order: who sees the head finds nothing older in the cache.
                self.inner.cache.put(sealed.told);
                self.inner
                    .publish(sealed.base, head, self.known.generation());
                answer(sealed.waiting, &sealed.made);
                Ok(())
            }
            Err(full @ (AppendError::Full { .. } | AppendError::TooLarge { .. })) => {
                let durable = self.inner.published();
                self.known.reset(&durable.base);
                self.tail = durable.head;
                self.inner.pass();
                refuse(sealed.waiting, full);
                // What was decided after it rests on it: to be decided again.
                for Waiting { reply, .. } in next.take().into_iter().flat_map(Group::into_waiting) {
                    let _ = reply.send(Ok(Reply::Stale));
                }
                Ok(())
            }
            Err(error) => {
                let reason = causes::chain(&error);
                let rest = next.take().into_iter().flat_map(Group::into_waiting);
                stop(sealed.waiting.into_iter().chain(rest), &reason);
                Err(reason)
            }
        }
    }

    /// Records an erasure and carries it out, with nothing else under way.
    ///
    /// Durability: the event is durable, then the bodies are gone, then the mark says so, then the
    /// reply. After a crash in between, opening the engine does the rest.
    async fn erase(&mut self, mut job: Job) -> Result<(), Reason> {
        let positions = job.erase.take().unwrap_or_default();
        let mut group = None;
        self.take(&mut group, job);
        let Some(flight) = group.and_then(|group| self.launch(group)) else {
            return Ok(());
        };
        let Flight { append, sealed } = flight;
        let head = match append.await {
            Ok(head) => head,
            failed => return self.land(failed, Some(sealed), &mut None),
        };
        let through = chain::Position(head.size.saturating_sub(1));
        if let Err(fault) = self.inner.store.erase(&positions, through).await {
            let reason = causes::chain(&fault);
            stop(sealed.waiting, &reason);
            return Err(reason);
        }
        // Order: what was read while the bodies went may be of either side, so nobody of the new
        // generation may find it.
        self.known.erased(&sealed.base);
        self.inner.cache.clear();
        self.inner
            .publish(sealed.base, head, self.known.generation());
        answer(sealed.waiting, &sealed.made);
        Ok(())
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

async fn landing(flight: &mut Option<Flight>) -> Result<Head, AppendError> {
    match flight {
        Some(flight) => flight.append.as_mut().await,
        None => std::future::pending().await,
    }
}

fn answer(waiting: Vec<Waiting>, made: &Arc<Made>) {
    for Waiting { outcomes, reply } in waiting {
        let _ = reply.send(Ok(Reply::Outcomes(outcomes, Arc::clone(made))));
    }
}

/// Nothing of the group was recorded. Who needed no space is decided again, without those who did: the
/// answer may have rested on what they would have recorded.
fn refuse(waiting: Vec<Waiting>, error: AppendError) {
    let reason = causes::chain(&error);
    tracing::warn!(reason, "nothing was recorded: no space");
    let mut error = Some(error);
    let needs_none = |outcome: &Result<Written, Refused>| {
        let records = outcome.as_ref().map(|written| written.records);
        records.map_or(true, |(from, until)| from == until)
    };
    for Waiting { outcomes, reply } in waiting {
        let _ = reply.send(if outcomes.iter().all(needs_none) {
            Ok(Reply::Stale)
        } else {
            let full = error.take().unwrap_or_else(|| AppendError::Full {
                source: reason.clone().into(),
            });
            Err(EngineFault::NoSpace(full))
        });
    }
}

fn stop(waiting: impl IntoIterator<Item = Waiting>, reason: &str) {
    for Waiting { reply, .. } in waiting {
        let _ = reply.send(Err(EngineFault::Stopped {
            reason: reason.to_owned(),
        }));
    }
}
