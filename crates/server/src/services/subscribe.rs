//! AuditService.Subscribe: records as they come.
//!
//! Apart from `audit`, whose answers end at the head. Records are read when the reader has room for
//! them, never before; of a learner's records the past is found by the index of keys, so that a filter of
//! few learners does not read the whole log.

use std::collections::VecDeque;
use std::sync::Arc;

use api::v1;
use api::v1::subscribe_response::Content;
use chain::{Position, Record};
use store::{EventStore, Key};
use tonic::{Request, Response, Status};

use super::audit::{Audit, past_head, raw, read_failed};
use super::feed::{Answers, Beat, Feed, Over};
use super::{opened, refuse};
use crate::engine::EngineFault;
use crate::from_proto::{self, Filter};
use crate::status;

/// Positions within which a learner's records are found at once: 8 bytes each, if all were theirs.
const FOUND_WITHIN: u64 = 1 << 20;
/// Found records that are read at once; with long bodies half a megabyte.
const READ_TOGETHER: usize = 32;
/// One look-up in the index costs about as much as reading so many records.
const RECORDS_A_LOOKUP: u64 = 32;

/// What to do when the server stops.
const AGAIN: &str = "subscribe again in a moment, from the last next_position";

/// One subscription.
struct Subscriber<S> {
    store: Arc<S>,
    filter: Filter,
    /// The keys of the learners in the filter.
    keys: Vec<Key>,
    bodies: bool,
    chunk_bytes: u64,
    /// Everything below has been sent or filtered out.
    next: u64,
    /// Positions found and not read yet; together they cover everything from `next` to the second.
    found: (VecDeque<Position>, u64),
    caught_up: bool,
    beat: Beat,
    feed: Feed<v1::SubscribeResponse>,
}

impl<S: EventStore> Audit<S> {
    /// Begins to send.
    pub(super) async fn subscribe_records(
        &self,
        request: Request<v1::SubscribeRequest>,
    ) -> Result<Response<Answers<v1::SubscribeResponse>>, Status> {
        let (_, wire) = opened(request)?;
        let beat = Beat::every(wire.heartbeat_seconds).map_err(refuse)?;
        let filter = from_proto::filter(wire.filter.unwrap_or_default()).map_err(refuse)?;
        let engine = &self.0.engine;
        let head = engine.head().await;
        let size = head.map_err(|fault| status::faulted(&fault))?.size;
        if wire.from_position > size {
            return Err(past_head(wire.from_position, size));
        }
        let key = |handle: &ledger::Handle| Key(engine.secret().learner(*handle).0);
        let keys = filter.learners.iter().map(key).collect();
        let (feed, answers) = self.0.streams.open()?;
        let subscriber = Subscriber {
            store: Arc::clone(engine.store()),
            filter,
            keys,
            bodies: wire.include_bodies,
            chunk_bytes: self.0.streams.limits.chunk_bytes,
            next: wire.from_position,
            found: (VecDeque::new(), 0),
            caught_up: false,
            beat,
            feed,
        };
        tokio::spawn(subscriber.run());
        Ok(Response::new(answers))
    }
}

impl<S: EventStore> Subscriber<S> {
    async fn run(mut self) {
        let over = self.send_all().await;
        self.feed.end(over, AGAIN);
    }

    /// Returns only when the stream is over.
    async fn send_all(&mut self) -> Result<(), Over> {
        loop {
            self.feed.room().await?;
            let size = self.store.head().await.map_err(faulted)?.size;
            if self.next < size {
                self.advance(size).await?;
                // A long way without anything to send must not keep others from their turn.
                tokio::task::yield_now().await;
            } else if !std::mem::replace(&mut self.caught_up, true) {
                self.answer(Content::CaughtUp(v1::CaughtUp { size }))?;
            } else {
                self.wait(size).await?;
            }
        }
    }

    /// Waits for more, or for the time to say that there is none.
    async fn wait(&mut self, size: u64) -> Result<(), Over> {
        let Subscriber {
            store, beat, feed, ..
        } = self;
        let more = async {
            tokio::select! {
                biased;
                head = store.wait_past(Position(size)) => head.map(|_| true),
                () = beat.due() => Ok(false),
            }
        };
        match feed.unless_over(more).await?.map_err(faulted)? {
            true => Ok(()),
            false => self.answer(Content::Heartbeat(v1::Heartbeat { size })),
        }
    }

    /// Sends some of what lies below `size`, if the filter lets any of it through.
    async fn advance(&mut self, size: u64) -> Result<(), Over> {
        let ahead = size - self.next;
        let lookups = u64::try_from(self.keys.len()).unwrap_or(u64::MAX);
        let near = ahead <= lookups.saturating_mul(RECORDS_A_LOOKUP);
        let found = self.next < self.found.1;
        let (records, next) = if self.keys.is_empty() || (near && !found) {
            self.read().await?
        } else {
            self.read_found(size).await?
        };
        let wanted = records
            .into_iter()
            .filter(|record| self.filter.lets_through(&record.leaf));
        let records: Vec<_> = wanted.map(|record| raw(record, self.bodies)).collect();
        self.next = next;
        if !records.is_empty() {
            return self.answer(Content::Records(v1::SubscribedRecords { records }));
        }
        if self.beat.is_due().await {
            return self.answer(Content::Heartbeat(v1::Heartbeat { size }));
        }
        Ok(())
    }

    /// The records that come next, and what comes after them.
    async fn read(&self) -> Result<(Vec<Record>, u64), Over> {
        let from = Position(self.next);
        let records = self.store.read(from, self.chunk_bytes).await;
        let records = records.map_err(|error| Over::Refused(read_failed(error)))?;
        let Some(last) = records.last() else {
            let status = Status::internal("the log ends before its head");
            return Err(Over::Refused(status));
        };
        let next = last.leaf.position.0 + 1;
        Ok((records, next))
    }

    /// The same for the learners' records alone.
    async fn read_found(&mut self, size: u64) -> Result<(Vec<Record>, u64), Over> {
        if self.next >= self.found.1 {
            let until = size.min(self.next.saturating_add(FOUND_WITHIN));
            let mut found = Vec::new();
            for key in &self.keys {
                let of_key = self
                    .store
                    .find_all(*key, Position(self.next), Position(until));
                found.extend(of_key.await.map_err(faulted)?);
                tokio::task::yield_now().await;
            }
            found.sort_unstable();
            self.found = (found.into(), until);
        }
        let (found, until) = &mut self.found;
        let together = found.len().min(READ_TOGETHER);
        let positions: Vec<Position> = found.drain(..together).collect();
        let next = found.front().map_or(*until, |next| next.0);
        let records = self.store.get(&positions).await;
        let records = records.map_err(|error| Over::Refused(read_failed(error)))?;
        Ok((records, next))
    }

    fn answer(&mut self, content: Content) -> Result<(), Over> {
        self.beat.sent();
        self.feed.send_now(v1::SubscribeResponse {
            content: Some(content),
            next_position: self.next,
        })
    }
}

fn faulted(fault: impl Into<EngineFault>) -> Over {
    Over::Refused(status::faulted(&fault.into()))
}
