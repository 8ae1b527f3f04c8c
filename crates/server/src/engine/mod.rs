//! The engine: from commands to durable records, and nothing about gRPC.
//!
//! One direction: a caller's task loads the facts that its commands need (`execute`, `load`), the one
//! writer decides, appends and replies (`writer`), the caller fetches old receipts where a command was
//! a repetition. `questions` are answered without the writer. `open` brings an engine up on a store;
//! `join` is where the ledger's events meet the chain's records.

mod cache;
mod erasure;
mod execute;
mod fault;
mod group;
mod join;
mod known;
mod load;
mod open;
mod outcome;
mod questions;
mod random;
mod settle;
mod signatures;
mod writer;

use std::sync::{Arc, Mutex, PoisonError};

use chain::Head;
use ledger::event::{AchievementRecorded, LedgerOpened};
use ledger::registry::Registry;
use ledger::state::RecordFact;
use ledger::words::{LearnerReference, PendingReason, RecordName};
use ledger::{
    Action, Actor, Body, Command, Handle, KeySecret, Position, Rejection, Revision, State,
    Timestamp,
};
use store::EventStore;
use tokio::sync::{mpsc, watch};

use crate::clock::{Clock, ClockJumped};
use cache::LearnerCache;
pub use execute::Prepared;
pub use fault::EngineFault;
pub use join::LedgerKeys;
pub(crate) use join::event;
use load::Loader;
pub use open::Opened;
pub use outcome::{Done, ErasureScope, Mode, Outcome, Receipt, Refused};
use random::Random;
use writer::Job;
pub use writer::WriterOptions;

/// What a reference leads to: the account's handle, its next revision, and why it is provisional if so.
pub type Found = (Handle, Revision, Option<PendingReason>);

/// Commands in, receipts out.
pub struct Engine<S> {
    inner: Arc<Inner<S>>,
    /// Taken when the engine is closed, which ends the writer once its queue is empty.
    jobs: Mutex<Option<mpsc::Sender<Job>>>,
    writer: Mutex<Option<tokio::task::JoinHandle<()>>>,
}

/// What callers and writer share.
struct Inner<S> {
    store: Arc<S>,
    clock: Arc<Clock>,
    opened: LedgerOpened,
    /// The state of a ledger that has just been opened with it.
    just_opened: State,
    secret: KeySecret,
    random: Random,
    published: watch::Sender<Published>,
    cache: LearnerCache,
    stopped: watch::Sender<Option<String>>,
}

/// What the writer lets callers see: all of it durable.
#[derive(Debug, Clone)]
struct Published {
    /// The registry, and no facts.
    base: State,
    head: Head,
    /// How many erasures have been carried out.
    generation: u64,
    /// Counts publications: who was turned back as outdated waits for the next.
    turn: u64,
}

impl<S> Inner<S> {
    fn published(&self) -> Published {
        self.published.borrow().clone()
    }

    fn publish(&self, base: State, head: Head, generation: u64) {
        self.published.send_modify(|published| {
            *published = Published {
                base,
                head,
                generation,
                turn: published.turn + 1,
            }
        });
    }

    /// Nothing new, but whoever waits for a turn looks again.
    fn pass(&self) {
        self.published.send_modify(|published| published.turn += 1);
    }

    /// Returns once something was published after that turn, or nothing will be any more.
    async fn wait_past_turn(&self, turn: u64) {
        let mut published = self.published.subscribe();
        // The sender is here, so it cannot be gone.
        let _ = published.wait_for(|published| published.turn > turn).await;
    }

    fn stop(&self, reason: &str) {
        self.stopped.send_replace(Some(reason.to_owned()));
        self.pass();
    }
}

impl<S: EventStore> Inner<S> {
    fn loader(&self) -> Loader<'_, S> {
        Loader {
            store: &self.store,
            secret: &self.secret,
            opened: &self.just_opened,
            below: None,
        }
    }
}

impl<S: EventStore> Engine<S> {
    /// The receipt of the record at a position.
    ///
    /// # Errors
    /// When there is none, or the store fails.
    pub async fn receipt(&self, position: chain::Position) -> Result<Receipt, EngineFault> {
        let mut receipts = self.receipts(&[Position(position.0)]).await?;
        Ok(receipts.pop().expect("a store answers every position"))
    }

    /// Moves a record to another learner, with its content as it stands.
    ///
    /// # Errors
    /// A fault.
    pub async fn reassign(
        &self,
        actor: Actor,
        name: RecordName,
        to: LearnerReference,
        reason: String,
        expected: Option<Revision>,
        validate_only: bool,
    ) -> Result<Outcome, EngineFault> {
        let mut tried = None;
        loop {
            let (content, position) = match self.content(&name).await? {
                Ok(content) => content,
                Err(rejection) => return Ok(Err(Refused::Rejected(rejection))),
            };
            let (name, to, reason) = (name.clone(), to.clone(), reason.clone());
            let action = Action::Reassign {
                name,
                achievement: content.achievement,
                signature: content.signature,
                to,
                reason,
                expected,
            };
            let mode = if validate_only {
                Mode::ValidateEach
            } else {
                Mode::Each
            };
            let actor = actor.clone();
            let outcome = self.execute(vec![Command { actor, action }], mode).await?;
            let outcome = outcome.into_iter().next().expect("one outcome a command");
            match outcome {
                // The record got another version between the reading and its turn: read again.
                Err(Refused::Rejected(Rejection::OutOfPlace { .. }))
                    if tried.replace(position) != Some(position) => {}
                outcome => return Ok(outcome),
            }
        }
    }

    /// The content of a record's version in force with its signature, and where it was recorded.
    async fn content(
        &self,
        name: &RecordName,
    ) -> Result<Result<(AchievementRecorded, Position), Rejection>, EngineFault> {
        let key = self.inner.secret.record_name(name);
        let latest = self.inner.ask(|state| match state.record(key)? {
            Some(RecordFact::Held(record)) => Ok(record.versions.last().copied()),
            Some(RecordFact::Suppressed) => Err(Rejection::RecordErased {
                record_id: name.record_id.clone(),
            }
            .into()),
            None => Ok(None),
        });
        let unknown = || Rejection::UnknownRecord {
            issuer: name.issuer.clone(),
            record_id: name.record_id.clone(),
        };
        let version = match latest.await? {
            Ok(Some(version)) => version,
            Ok(None) => return Ok(Err(unknown())),
            Err(rejection) => return Ok(Err(rejection)),
        };
        let position = chain::Position(version.position.0);
        let records = self.inner.store.get(&[position]).await?;
        let record = records.first().expect("a store answers every position");
        let event = join::event(record).map_err(EngineFault::decode(position.0))?;
        Ok(match event.body {
            Body::AchievementRecorded(content) => Ok((content, version.position)),
            Body::AchievementSuperseded(new) => {
                let (achievement, signature) = (new.achievement, new.signature);
                let content = AchievementRecorded {
                    achievement,
                    signature,
                };
                Ok((content, version.position))
            }
            Body::AchievementReceived(received) => {
                let (achievement, signature) = (received.achievement, received.signature);
                let content = AchievementRecorded {
                    achievement,
                    signature,
                };
                Ok((content, version.position))
            }
            Body::Erased(_) => Err(Rejection::RecordErased {
                record_id: name.record_id.clone(),
            }),
            _ => Err(unknown()),
        })
    }

    /// Institutions and vocabulary, as far as durable.
    #[must_use]
    pub fn registry(&self) -> Arc<Registry> {
        Arc::clone(self.inner.published().base.registry())
    }

    /// The head, as far as durable.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn head(&self) -> Result<Head, EngineFault> {
        Ok(self.inner.store.head().await?)
    }

    /// The store.
    #[must_use]
    pub fn store(&self) -> &Arc<S> {
        &self.inner.store
    }

    /// The ledger's key for keys.
    #[must_use]
    pub fn secret(&self) -> &KeySecret {
        &self.inner.secret
    }

    /// The ledger's id.
    #[must_use]
    pub fn ledger_id(&self) -> [u8; 16] {
        self.inner.opened.ledger_id
    }

    /// The time, for reading: the last that was believed when the clock has jumped.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.inner.clock.wall()
    }

    /// By how much the clock has jumped, while commits are refused for it.
    #[must_use]
    pub fn clock_jumped(&self) -> Option<ClockJumped> {
        self.inner.clock.jumped()
    }

    /// A fresh learner handle.
    ///
    /// # Errors
    /// When the system gives no random bytes.
    pub fn fresh_handle(&self) -> Result<Handle, EngineFault> {
        Ok(Handle(self.inner.random.id()?))
    }

    /// Becomes `Some` with the reason when the writer has stopped for good.
    #[must_use]
    pub fn stopped(&self) -> watch::Receiver<Option<String>> {
        self.inner.stopped.subscribe()
    }

    /// Carries out what waits, then ends the writer.
    pub async fn close(&self) {
        drop(
            self.jobs
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .take(),
        );
        let writer = self
            .writer
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(writer) = writer {
            // A writer that panicked has stopped as well.
            let _ = writer.await;
        }
    }
}
