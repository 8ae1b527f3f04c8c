//! The services of `creditbank.v1`, one file each, and what they share.
//!
//! A service reads a message, asks the ledger or the views, and writes an answer; it decides nothing
//! that an auditor would have to check. Every read answers as of a moment (`as_of`), the latest unless
//! asked otherwise, so that a client reads its own writes. Only lists across learners come from the views,
//! and wait until these reflect that moment.

mod accounts;
mod as_of;
mod audit;
mod batch;
mod candidates;
mod feed;
mod intake;
mod learners;
mod listing;
mod lookup;
mod paging;
mod place;
mod records;
mod registry;
mod sight;
mod subscribe;
mod waiting;
mod watching;

use std::sync::Arc;
use std::time::Duration;

use ledger::registry::Registry;
use ledger::{Account, Action, Actor, Command, Event, Handle, InstitutionId, Rejection};
use store::EventStore;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, SemaphorePermit, watch};
use tonic::{Code, Request, Status};
use views::{History, Views};

use crate::engine::{self, Done, Engine, EngineFault, Mode, Outcome, Refused};
use crate::identity::Identity;
use crate::limits::Limits;
use crate::metrics::Metrics;
use crate::status::{self, Explanation};

pub use accounts::Accounts;
pub use as_of::Registries;
pub use audit::Audit;
pub use feed::{Answers, Streams};
pub use learners::Learners;
pub use records::Records;
pub use registry::RegistryCalls;

/// How long a read waits for the views. They are milliseconds behind, unless they are built anew.
const VIEWS_WAIT_MAX: Duration = Duration::from_secs(5);

/// What every service works on.
pub struct Context<S> {
    /// Commands, and what decisions know.
    pub engine: Arc<Engine<S>>,
    /// Read models.
    pub views: Arc<Views>,
    /// Set to the reason when the views have stopped following the log.
    pub views_stopped: watch::Receiver<Option<String>>,
    /// Registries of earlier sizes.
    pub registries: Registries,
    /// Limits of single requests.
    pub limits: Limits,
    /// One permit for each command that may be in flight.
    pub in_flight: Arc<Semaphore>,
    /// How many permits there are in all.
    pub in_flight_max: usize,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// Streams, open ones and those that may be.
    pub streams: Streams,
}

/// Who calls a service that only institutions and the operator may call.
#[derive(Debug, Clone)]
struct Caller {
    actor: Actor,
    /// The institution that a message means when it names none.
    acting: InstitutionId,
}

/// Who calls, as the guard has put it into the request, and what they say.
fn opened<M>(request: Request<M>) -> Result<(Identity, M), Status> {
    let (_, extensions, message) = request.into_parts();
    let identity = extensions.get::<Identity>().cloned();
    // Only a service that is not behind the guard could come here.
    let identity = identity.ok_or_else(|| Status::internal("the call has no identity"))?;
    Ok((identity, message))
}

/// The same for services that change the ledger.
fn opened_by_actor<M>(request: Request<M>) -> Result<(Caller, M), Status> {
    let (identity, message) = opened(request)?;
    let acting = identity.acting();
    let actor = identity
        .actor()
        .ok_or_else(|| Status::internal("the call is for actors"))?;
    Ok((Caller { actor, acting }, message))
}

/// The same status for rejections wherever they come from.
fn refuse(rejection: Rejection) -> Status {
    status::rejected(&rejection)
}

/// The same of an earlier state, which is then named: what is asked for may have come since.
fn refuse_then(rejection: &Rejection, below: Option<u64>) -> Status {
    let Some(size) = below else {
        return status::rejected(rejection);
    };
    let mut explanation = Explanation::from(rejection);
    let then = format!(" in the state asked for, which is the ledger's first {size} records");
    explanation.sentence.push_str(&then);
    explanation.status()
}

impl<S: EventStore> Context<S> {
    /// Carries commands out, unless too many are in flight.
    async fn execute(&self, commands: Vec<Command>, mode: Mode) -> Result<Vec<Outcome>, Status> {
        let n_commands = commands.len();
        let execute = |engine: Arc<Engine<S>>| async move { engine.execute(commands, mode).await };
        let outcomes = self.carry_through(n_commands, execute).await?;
        self.metrics.outcomes(&outcomes, mode.validates());
        Ok(outcomes)
    }

    /// Has the engine work on that many commands, unless too many are in flight.
    ///
    /// Invariant: commands are in flight until the writer has answered them, also when the caller has gone:
    /// so whoever sends and goes away, again and again, does not fill the memory.
    async fn carry_through<O, W>(
        &self,
        n_commands: usize,
        work: impl FnOnce(Arc<Engine<S>>) -> W,
    ) -> Result<O, Status>
    where
        O: Send + 'static,
        W: Future<Output = Result<O, EngineFault>> + Send + 'static,
    {
        let permit = self.enter(n_commands)?;
        let work = work(Arc::clone(&self.engine));
        // A task of its own goes on when the call is dropped.
        let worked = tokio::spawn(async move {
            let output = work.await;
            drop(permit);
            output
        });
        let output = worked.await;
        let output = output.map_err(|_| Status::internal("the call was cut off"))?;
        output.map_err(|fault| status::faulted(&fault))
    }

    /// How many commands are in flight, and how many may be.
    pub(crate) fn in_flight(&self) -> (u64, u64) {
        let wide = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
        let in_flight = self.in_flight_max;
        let free = self.in_flight.available_permits();
        (wide(in_flight.saturating_sub(free)), wide(in_flight))
    }

    /// Room for that many commands; refused rather than waited for, so that memory stays bounded.
    fn enter(&self, n_commands: usize) -> Result<OwnedSemaphorePermit, Status> {
        let n_permits = u32::try_from(n_commands).unwrap_or(u32::MAX);
        let permit = Arc::clone(&self.in_flight).try_acquire_many_owned(n_permits);
        permit.map_err(|_| status::faulted(&EngineFault::Overloaded))
    }

    /// Waits for room for that many commands, or for all the room there is: for streams, which are slowed
    /// down rather than refused.
    async fn enter_when_free(&self, n_commands: usize) -> SemaphorePermit<'_> {
        let n_permits = u32::try_from(n_commands.min(self.in_flight_max)).unwrap_or(u32::MAX);
        let permit = self.in_flight.acquire_many(n_permits).await;
        permit.expect("nobody closes the semaphore")
    }

    /// Carries one command out.
    async fn carry_out(&self, actor: Actor, action: Action) -> Result<Done, Status> {
        let outcomes = self
            .execute(vec![Command { actor, action }], Mode::Each)
            .await?;
        done(outcomes.into_iter().next())
    }

    /// Waits until the views reflect so many records.
    async fn caught_up(&self, size: u64) -> Result<(), Status> {
        let mut stopped = self.views_stopped.clone();
        tokio::select! {
            biased;
            () = self.views.wait_applied(size) => Ok(()),
            () = tokio::time::sleep(VIEWS_WAIT_MAX) => Err(self.behind(size)),
            _ = stopped.wait_for(Option::is_some) => {
                let sentence = "records and waiting accounts cannot be listed until the server is \
                                restarted; its log says why. Records are still taken, and accounts read";
                Err(Explanation::new(Code::Unavailable, "VIEWS_STOPPED", sentence).status())
            }
        }
    }

    /// What is said while the views are built anew, which a large ledger takes minutes for.
    fn behind(&self, size: u64) -> Status {
        let applied = self.views.applied();
        let sentence = format!(
            "the lists are being brought up to date, {applied} of {size} records so far: read again in a \
             moment. Records are taken meanwhile, and accounts read"
        );
        let behind = Explanation::new(Code::Unavailable, "VIEWS_BEHIND", sentence);
        let retry_after = Some(VIEWS_WAIT_MAX);
        Explanation {
            retry_after,
            ..behind.with("applied", applied).with("size", size)
        }
        .status()
    }

    /// An account as of a size; empty when there was no such account.
    async fn account(&self, handle: Handle, size: u64) -> Result<Account, Status> {
        let found = self.views.account(&**self.engine.store(), handle, size);
        found.await.map_err(|fault| status::views_faulted(&fault))
    }

    /// An account's events as of a size.
    async fn history(&self, handle: Handle, size: u64) -> Result<History, Status> {
        let found = self.views.history(&**self.engine.store(), handle, size);
        found.await.map_err(|fault| status::views_faulted(&fault))
    }

    /// The records at these positions.
    async fn records(&self, positions: &[chain::Position]) -> Result<Vec<chain::Record>, Status> {
        let found = self.engine.store().get(positions).await;
        found.map_err(|error| status::faulted(&EngineFault::from(error)))
    }

    /// Refuses a caller who may not act for that institution today.
    fn acting_for(&self, issuer: &InstitutionId, caller: &Caller) -> Result<(), Status> {
        match &caller.actor {
            Actor::Operator => Ok(()),
            Actor::Institution(submitter) => {
                let today = self.engine.now().date();
                let registry: Arc<Registry> = self.engine.registry();
                registry
                    .acting_for(issuer, submitter, today)
                    .map(drop)
                    .map_err(refuse)
            }
        }
    }
}

/// The outcome of a single command.
fn done(outcome: Option<Outcome>) -> Result<Done, Status> {
    match outcome {
        Some(Ok(done)) => Ok(done),
        Some(Err(Refused::Rejected(rejection))) => Err(refuse(rejection)),
        Some(Err(Refused::NotAttempted)) | None => {
            Err(Status::internal("the ledger did not answer the command"))
        }
    }
}

/// The event of a record; an erased body leaves what its leaf tells.
fn event(record: &chain::Record) -> Result<Event, Status> {
    let position = record.leaf.position.0;
    engine::event(record)
        .map_err(|source| status::faulted(&EngineFault::Decode { position, source }))
}
