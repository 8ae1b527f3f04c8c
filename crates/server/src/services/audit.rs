//! AuditService: the chain itself.
//!
//! Answers come from the log, never from the views: an auditor trusts what is hashed.

use std::sync::Arc;

use api::v1;
use api::v1::audit_service_server::AuditService;
use ledger::EventKind;
use store::{EventStore, ReadError};
use tonic::{Code, Request, Response, Status};

use super::feed::{Answers, Feed, Over};
use super::{Context, opened};
use crate::engine::EngineFault;
use crate::status::{self, Explanation};

/// The service.
pub struct Audit<S>(pub Arc<Context<S>>);

/// Frames that one message of a stream gathers; one that is longer goes alone.
const CHUNK_BYTES_MAX: u64 = 512 << 10;

/// What to do when the server stops.
const AGAIN: &str = "read again in a moment, from the position after the last record";

#[tonic::async_trait]
impl<S: EventStore> AuditService for Audit<S> {
    type ReadRecordsStream = Answers<v1::ReadRecordsResponse>;

    type SubscribeStream = Answers<v1::SubscribeResponse>;

    async fn subscribe(
        &self,
        request: Request<v1::SubscribeRequest>,
    ) -> Result<Response<Self::SubscribeStream>, Status> {
        self.subscribe_records(request).await
    }

    async fn get_head(
        &self,
        request: Request<v1::GetHeadRequest>,
    ) -> Result<Response<v1::GetHeadResponse>, Status> {
        let (_, wire) = opened(request)?;
        let moment = self.0.moment(wire.as_of).await?;
        let last = moment.size.checked_sub(1).map(chain::Position);
        let last = self.0.records(last.as_slice()).await?;
        let chain_hash = last.last().map(|record| record.hash().0.to_vec());
        Ok(Response::new(v1::GetHeadResponse {
            size: moment.size,
            chain_hash: chain_hash.unwrap_or_else(|| vec![0; 32]),
            ledger_id: self.0.engine.ledger_id().to_vec(),
        }))
    }

    async fn read_records(
        &self,
        request: Request<v1::ReadRecordsRequest>,
    ) -> Result<Response<Self::ReadRecordsStream>, Status> {
        let (_, wire) = opened(request)?;
        let head = self
            .0
            .engine
            .head()
            .await
            .map_err(|fault| status::faulted(&fault))?;
        if wire.from_position > head.size {
            return Err(past_head(wire.from_position, head.size));
        }
        let count = head.size - wire.from_position;
        let count = if wire.limit == 0 {
            count
        } else {
            count.min(wire.limit)
        };
        let until = wire.from_position + count;
        let (feed, answers) = self.0.streams.open()?;
        let store = Arc::clone(self.0.engine.store());
        let range = Range {
            from: wire.from_position,
            until,
            bodies: wire.include_bodies,
        };
        tokio::spawn(async move {
            let mut feed = feed;
            let over = send(&*store, &range, &mut feed).await;
            feed.end(over, AGAIN);
        });
        Ok(Response::new(answers))
    }
}

struct Range {
    from: u64,
    until: u64,
    bodies: bool,
}

/// Sends the records until all are sent or the stream is over before.
async fn send<S: EventStore>(
    store: &S,
    range: &Range,
    feed: &mut Feed<v1::ReadRecordsResponse>,
) -> Result<(), Over> {
    let mut next = range.from;
    while next < range.until {
        // Read only when there is room, so that a slow client costs bounded memory.
        feed.room().await?;
        let chunk = read(store, next, range).await.map_err(Over::Refused)?;
        next += u64::try_from(chunk.records.len()).unwrap_or(u64::MAX);
        feed.send_now(chunk)?;
    }
    Ok(())
}

async fn read<S: EventStore>(
    store: &S,
    from: u64,
    range: &Range,
) -> Result<v1::ReadRecordsResponse, Status> {
    let records = store.read(chain::Position(from), CHUNK_BYTES_MAX).await;
    let records = records.map_err(read_failed)?;
    let wanted = records
        .into_iter()
        .take_while(|record| record.leaf.position.0 < range.until);
    let records: Vec<_> = wanted.map(|record| raw(record, range.bodies)).collect();
    if records.is_empty() {
        return Err(Status::internal("the log ends before its head"));
    }
    Ok(v1::ReadRecordsResponse { records })
}

/// A record as it lies in the ledger. The body of the opening holds the key of all keys and is served to
/// nobody: with it anyone could test student numbers against the suppression lists.
pub(super) fn raw(record: chain::Record, bodies: bool) -> v1::RawRecord {
    let erased = record.is_erased();
    let opening = i32::from(record.leaf.kind) == i32::from(EventKind::LedgerOpened);
    let (salt, body) = match bodies && !erased && !opening {
        true => (record.salt.0.to_vec(), record.body),
        false => (Vec::new(), Vec::new()),
    };
    v1::RawRecord {
        position: record.leaf.position.0,
        leaf: record.leaf.encode(),
        salt,
        body,
        erased,
    }
}

/// What is said when the log could not be read.
pub(super) fn read_failed(error: ReadError) -> Status {
    match error {
        ReadError::PastHead { position, size } => past_head(position.0, size),
        ReadError::Fault(fault) => status::faulted(&EngineFault::Store(fault)),
    }
}

pub(super) fn past_head(position: u64, size: u64) -> Status {
    let sentence = format!("there is no record at position {position}: the ledger has {size}");
    Explanation::new(Code::OutOfRange, "PAST_HEAD", sentence)
        .with("position", position)
        .with("size", size)
        .status()
}
