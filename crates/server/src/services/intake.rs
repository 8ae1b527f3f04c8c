//! StreamSubmitRecords: intake for as long as the caller sends.
//!
//! Apart from `records` because three tasks work on one stream, each as far ahead of the next as its
//! bounds allow: one reads requests, one gathers those that wait and loads what deciding them will need,
//! one has them recorded and answers. When the last is busy the others fill up, and then the stream is not
//! read any more, which slows the sender down.
//!
//! Order: requests are recorded and answered in the order of sending; several that wait are recorded
//! together, and still answered one by one. A crash leaves what it leaves of unary calls: what was
//! answered is durable, of the rest a part in order.

use std::sync::Arc;

use api::v1;
use ledger::Command;
use prost::Message;
use store::EventStore;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch};
use tonic::{Request, Response, Status, Streaming};

use super::batch::{Batch, Slots};
use super::feed::{Answers, Feed, Over, told};
use super::records::Records;
use super::{Caller, Context, opened_by_actor};
use crate::access;
use crate::engine::{Mode, Prepared};
use crate::limits::StreamLimits;
use crate::status;

type Answer = v1::StreamSubmitRecordsResponse;

/// What to do when the server stops.
const AGAIN: &str =
    "connect again in a moment, and send again from the first record without an answer";

/// What a task hands on: work, and at last how the stream ends.
type Step<T> = Result<T, Result<(), Over>>;

/// A request that has been read.
struct Taken {
    batch: Batch,
    bytes: u64,
    /// Given back when it is being recorded.
    room: [OwnedSemaphorePermit; 2],
}

/// Requests that are recorded together.
struct Group {
    prepared: Prepared,
    requests: Vec<(Slots, usize)>,
    room: Vec<[OwnedSemaphorePermit; 2]>,
}

impl<S: EventStore> Records<S> {
    /// Carries the stream out.
    pub(super) async fn stream_submit(
        &self,
        request: Request<Streaming<v1::StreamSubmitRecordsRequest>>,
    ) -> Result<Response<Answers<Answer>>, Status> {
        let (caller, incoming) = opened_by_actor(request)?;
        let (feed, answers) = self.0.streams.open()?;
        let limits = self.0.streams.limits;
        // A request has at least one achievement, so that this never fills up before the bounds do.
        let places = usize::try_from(limits.ahead_records_max).unwrap_or(Semaphore::MAX_PERMITS);
        let (taken, requests) = mpsc::channel(places);
        let (prepared, groups) = mpsc::channel(1);
        let reading = Reading {
            records: Records(Arc::clone(&self.0)),
            caller,
            incoming,
            limits,
            ahead: [limits.ahead_records_max, limits.ahead_bytes_max].map(bounded),
            stopping: feed.stopping(),
            taken,
        };
        tokio::spawn(reading.run());
        let context = Arc::clone(&self.0);
        tokio::spawn(async move { prepare(&context, requests, prepared).await });
        let context = Arc::clone(&self.0);
        tokio::spawn(async move {
            let over = record(&context, groups, &feed).await;
            feed.end(over, AGAIN);
        });
        Ok(Response::new(answers))
    }
}

/// What is larger than all the room there is takes all of it.
fn at_most(n: usize, max: u32) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX).min(max)
}

fn bounded(max: u32) -> Arc<Semaphore> {
    let max = usize::try_from(max).unwrap_or(Semaphore::MAX_PERMITS);
    Arc::new(Semaphore::new(max.min(Semaphore::MAX_PERMITS)))
}

/// The task that reads requests.
struct Reading<S> {
    records: Records<S>,
    caller: Caller,
    incoming: Streaming<v1::StreamSubmitRecordsRequest>,
    limits: StreamLimits,
    /// Room for achievements and for bytes.
    ahead: [Arc<Semaphore>; 2],
    stopping: watch::Receiver<bool>,
    taken: mpsc::Sender<Step<Taken>>,
}

impl<S: EventStore> Reading<S> {
    async fn run(mut self) {
        let over = self.take_in().await;
        // What was taken in before is recorded and answered first.
        let _ = self.taken.send(Err(over)).await;
    }

    /// Reads until the caller has sent everything, or the stream is over.
    async fn take_in(&mut self) -> Result<(), Over> {
        loop {
            let message = tokio::select! {
                biased;
                () = told(&mut self.stopping) => return Err(Over::Stopping),
                () = self.taken.closed() => return Err(Over::Gone),
                message = self.incoming.message() => message,
            };
            let max = self.records.0.limits.message_bytes_max;
            let message = message.map_err(|status| access::explained(&status, max));
            let Some(wire) = message.map_err(Over::Refused)? else {
                return Ok(());
            };
            let taken = self.take(wire).await?;
            let sent = self.taken.send(Ok(taken)).await;
            sent.map_err(|_| Over::Gone)?;
        }
    }

    async fn take(&self, wire: v1::StreamSubmitRecordsRequest) -> Result<Taken, Over> {
        let bytes = wire.encoded_len();
        let items = self
            .records
            .items(&self.caller, wire.achievements, wire.new_learners)
            .map_err(Over::Refused)?;
        let [for_records, for_bytes] = self.ahead.each_ref().map(Arc::clone);
        let n_records = at_most(items.len(), self.limits.ahead_records_max);
        let n_bytes = at_most(bytes, self.limits.ahead_bytes_max);
        let room = async {
            let records = for_records.acquire_many_owned(n_records).await;
            let bytes = for_bytes.acquire_many_owned(n_bytes).await;
            [records, bytes].map(|room| room.expect("nobody closes the semaphore"))
        };
        let room = tokio::select! {
            biased;
            () = self.taken.closed() => return Err(Over::Gone),
            room = room => room,
        };
        Ok(Taken {
            batch: self.records.0.taken(&self.caller, items),
            bytes: u64::try_from(bytes).unwrap_or(u64::MAX),
            room,
        })
    }
}

/// Gathers the requests that wait and prepares them, one group ahead of the one being recorded.
async fn prepare<S: EventStore>(
    context: &Context<S>,
    mut requests: mpsc::Receiver<Step<Taken>>,
    prepared: mpsc::Sender<Step<Group>>,
) {
    let mut held = None;
    // Only what is there when a group can be handed on is gathered into it, so that groups grow with the
    // time that recording takes.
    while let Ok(place) = prepared.reserve().await {
        let first = match held.take() {
            Some(step) => Some(step),
            None => requests.recv().await,
        };
        match first {
            None => return,
            Some(Err(over)) => return place.send(Err(over)),
            Some(Ok(first)) => {
                let (gathered, next) = gather(context, first, &mut requests);
                held = next;
                match gathered.prepared(context).await {
                    Ok(group) => place.send(Ok(group)),
                    Err(status) => return place.send(Err(Err(Over::Refused(status)))),
                }
            }
        }
    }
}

/// Requests that will be recorded together.
#[derive(Default)]
struct Gathered {
    commands: Vec<Command>,
    requests: Vec<(Slots, usize)>,
    room: Vec<[OwnedSemaphorePermit; 2]>,
    bytes: u64,
}

/// The first request and those that wait behind it, as many as fit; and what did not.
fn gather<S: EventStore>(
    context: &Context<S>,
    first: Taken,
    requests: &mut mpsc::Receiver<Step<Taken>>,
) -> (Gathered, Option<Step<Taken>>) {
    let bytes_max = context.streams.limits.together_bytes_max;
    let mut gathered = Gathered::default();
    gathered.add(first);
    loop {
        match requests.try_recv() {
            Ok(Ok(next)) if gathered.bytes.saturating_add(next.bytes) <= bytes_max => {
                gathered.add(next);
            }
            Ok(step) => return (gathered, Some(step)),
            Err(_) => return (gathered, None),
        }
    }
}

impl Gathered {
    fn add(&mut self, taken: Taken) {
        let (mut commands, slots) = taken.batch.parts();
        self.requests.push((slots, commands.len()));
        self.commands.append(&mut commands);
        self.room.push(taken.room);
        self.bytes = self.bytes.saturating_add(taken.bytes);
    }

    async fn prepared<S: EventStore>(self, context: &Context<S>) -> Result<Group, Status> {
        let prepared = context.engine.prepare(self.commands).await;
        Ok(Group {
            prepared: prepared.map_err(|fault| status::faulted(&fault))?,
            requests: self.requests,
            room: self.room,
        })
    }
}

/// Has groups recorded and answers their requests, until the stream is over.
async fn record<S: EventStore>(
    context: &Context<S>,
    mut groups: mpsc::Receiver<Step<Group>>,
    feed: &Feed<Answer>,
) -> Result<(), Over> {
    let mut answered_count = 0;
    while let Some(step) = groups.recv().await {
        let Group {
            prepared,
            requests,
            room,
        } = match step {
            Ok(group) => group,
            Err(over) => return over,
        };
        let permit = context.enter_when_free(prepared.len()).await;
        drop(room);
        let outcomes = context.engine.execute_prepared(prepared, Mode::Each).await;
        drop(permit);
        let outcomes = outcomes.map_err(|fault| Over::Refused(status::faulted(&fault)))?;
        context.metrics.outcomes(&outcomes, false);
        let mut outcomes = outcomes.into_iter();
        for (slots, n_commands) in requests {
            let own = outcomes.by_ref().take(n_commands).collect();
            let outcomes = slots.answers(own).map_err(Over::Refused)?;
            answered_count += u64::try_from(outcomes.len()).unwrap_or(u64::MAX);
            let answer = Answer {
                outcomes,
                answered_count,
            };
            feed.send(answer).await?;
        }
    }
    // Only a task that panicked ends without a word.
    Err(Over::Refused(Status::internal("the stream was cut off")))
}
