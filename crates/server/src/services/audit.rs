//! AuditService: the chain itself.
//!
//! Answers come from the log, never from the views: an auditor trusts what is hashed.

use std::sync::Arc;

use api::v1;
use api::v1::audit_service_server::AuditService;
use ledger::EventKind;
use store::{EventStore, ReadError};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Request, Response, Status};

use super::{Context, opened};
use crate::engine::EngineFault;
use crate::status::{self, Explanation};

/// The service.
pub struct Audit<S>(pub Arc<Context<S>>);

/// Frames that one message of a stream gathers; one that is longer goes alone.
const CHUNK_BYTES_MAX: u64 = 512 << 10;
/// Messages that are read ahead of the client, so that a slow one costs bounded memory.
const CHUNKS_AHEAD: usize = 2;

type Sent = Result<v1::ReadRecordsResponse, Status>;

#[tonic::async_trait]
impl<S: EventStore> AuditService for Audit<S> {
    type ReadRecordsStream = ReceiverStream<Sent>;

    type SubscribeStream = super::feed::Answers<v1::SubscribeResponse>;

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
        let (sender, receiver) = mpsc::channel(CHUNKS_AHEAD);
        let store = Arc::clone(self.0.engine.store());
        let range = Range {
            from: wire.from_position,
            until,
            bodies: wire.include_bodies,
        };
        tokio::spawn(send(store, range, sender));
        Ok(Response::new(ReceiverStream::new(receiver)))
    }
}

struct Range {
    from: u64,
    until: u64,
    bodies: bool,
}

/// Sends the records until all are sent or the client has gone.
async fn send<S: EventStore>(store: Arc<S>, range: Range, sender: mpsc::Sender<Sent>) {
    let mut next = range.from;
    while next < range.until {
        let chunk = read(&*store, next, &range).await;
        let failed = chunk.is_err();
        if let Ok(chunk) = &chunk {
            next += u64::try_from(chunk.records.len()).unwrap_or(u64::MAX);
        }
        if sender.send(chunk).await.is_err() || failed {
            return;
        }
    }
}

async fn read<S: EventStore>(store: &S, from: u64, range: &Range) -> Sent {
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
