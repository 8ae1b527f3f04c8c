//! The baseline of what gRPC and a durable log cost alone: the bank's own calls, answered by appending
//! the achievements as they came.
//!
//! Apart from the bank on purpose: it decides nothing, knows no learner and no record id, finds nothing
//! again. What it does is what no ledger on this log can go without: decode the call, hash and chain, write
//! and sync a group of calls together, answer positions. Blocks are built while the one before is synced.

use std::net::SocketAddr;
use std::path::Path;
use std::result::Result;
use std::sync::Arc;

use api::v1::record_service_server::{RecordService, RecordServiceServer};
use api::v1::{
    Achievement, BatchSubmitRecordsRequest, BatchSubmitRecordsResponse, GetRecordRequest,
    GetRecordResponse, ListRecordsRequest, ListRecordsResponse, OutcomeState,
    ReassignRecordRequest, ReassignRecordResponse, Receipt, RecordOutcome, ReinstateRecordsRequest,
    ReinstateRecordsResponse, RevokeRecordsRequest, RevokeRecordsResponse,
    StreamSubmitRecordsRequest, StreamSubmitRecordsResponse, SubmitRecordRequest,
    SubmitRecordResponse, SupersedeRecordRequest, SupersedeRecordResponse, SuspendRecordsRequest,
    SuspendRecordsResponse,
};
use chain::{Block, BlockBuilder, Head, Institution, Record, Salt, Timestamp};
use durable::OsFs;
use prost::Message as _;
use store::{EventStore as _, Key, Keys};
use store_log::{LogStore, Options};
use tokio::sync::{mpsc, oneshot};
use tokio_stream::wrappers::{ReceiverStream, TcpListenerStream};
use tonic::{Request, Response, Status, Streaming};

/// A block of about this many bytes, as the bank's writer makes them.
const GROUP_BYTES: usize = 1 << 20;
/// Requests that wait for a block.
const QUEUE: usize = 1024;

type Store = LogStore<OsFs>;
/// The first position of a request, when it is durable.
type Reply = oneshot::Sender<u64>;

/// A running baseline.
pub struct RawLog {
    address: SocketAddr,
    store: Arc<Store>,
}

struct Submission {
    bodies: Vec<Vec<u8>>,
    reply: Reply,
}

/// Nothing is found again.
struct NoKeys;

impl Keys for NoKeys {
    fn keys_of(&self, _record: &Record) -> Vec<Key> {
        Vec::new()
    }
}

impl RawLog {
    /// Starts it on an empty or earlier log.
    ///
    /// # Panics
    /// When it does not come up.
    pub async fn start(dir: &Path) -> RawLog {
        let (store, _) = LogStore::open(OsFs, dir, Options::default(), Arc::new(NoKeys)).unwrap();
        let store = Arc::new(store);
        let head = store.head().await.unwrap();
        let (submit, submissions) = mpsc::channel(QUEUE);
        let (built, blocks) = mpsc::channel(1);
        tokio::spawn(build(head, submissions, built));
        tokio::spawn(append(Arc::clone(&store), head, blocks));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let service =
            RecordServiceServer::new(Calls { submit }).max_decoding_message_size(16 << 20);
        let serving = tonic::transport::Server::builder()
            .tcp_nodelay(true)
            .serve_with_incoming_shutdown(
                service,
                TcpListenerStream::new(listener),
                std::future::pending(),
            );
        tokio::spawn(serving);
        RawLog { address, store }
    }

    /// Where it listens.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// How many records are durable.
    pub async fn size(&self) -> u64 {
        self.store.head().await.unwrap().size
    }
}

/// Group commit: whatever has come is one block.
async fn build(
    mut head: Head,
    mut submissions: mpsc::Receiver<Submission>,
    built: mpsc::Sender<(Block, Vec<(Reply, u64)>)>,
) {
    let issuer = Institution::try_from("uni").unwrap();
    let mut ahead = None;
    loop {
        let first = match ahead.take() {
            Some(first) => first,
            None => match submissions.recv().await {
                Some(first) => first,
                None => return,
            },
        };
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        let at = u64::try_from(now.unwrap().as_micros()).unwrap();
        let mut block = BlockBuilder::new(head, Timestamp(at));
        let mut replies = Vec::new();
        let mut next = Some(first);
        while let Some(submission) = next {
            let bytes: usize = submission.bodies.iter().map(Vec::len).sum();
            if !block.is_empty() && block.bytes() + bytes > GROUP_BYTES {
                ahead = Some(submission);
                break;
            }
            replies.push((submission.reply, block.head().size));
            for body in submission.bodies {
                block
                    .push(1, issuer, issuer, None, Salt([1; 32]), body)
                    .unwrap();
            }
            next = submissions.try_recv().ok();
        }
        let block = block.finish();
        head = block.head();
        if built.send((block, replies)).await.is_err() {
            return;
        }
    }
}

async fn append(
    store: Arc<Store>,
    mut head: Head,
    mut blocks: mpsc::Receiver<(Block, Vec<(Reply, u64)>)>,
) {
    while let Some((block, replies)) = blocks.recv().await {
        head = store
            .append_keyed(head, block, Some(Vec::new()))
            .await
            .unwrap();
        for (reply, position) in replies {
            // Who asked may be gone.
            let _ = reply.send(position);
        }
    }
}

struct Calls {
    submit: mpsc::Sender<Submission>,
}

/// Encoded as they are stored, and how to answer them.
fn encoded(achievements: Vec<Achievement>) -> (Vec<Vec<u8>>, Vec<String>) {
    let one = |achievement: Achievement| (achievement.encode_to_vec(), achievement.record_id);
    achievements.into_iter().map(one).unzip()
}

async fn submitted(
    submit: &mpsc::Sender<Submission>,
    achievements: Vec<Achievement>,
) -> Result<(oneshot::Receiver<u64>, Vec<String>), Status> {
    let (bodies, ids) = encoded(achievements);
    let (reply, durable) = oneshot::channel();
    let gone = |_| Status::unavailable("the log has stopped");
    submit
        .send(Submission { bodies, reply })
        .await
        .map_err(gone)?;
    Ok((durable, ids))
}

async fn outcomes(
    durable: oneshot::Receiver<u64>,
    ids: Vec<String>,
) -> Result<Vec<RecordOutcome>, Status> {
    let gone = |_| Status::unavailable("the log has stopped");
    let first = durable.await.map_err(gone)?;
    let outcome = |(position, record_id)| RecordOutcome {
        record_id,
        state: OutcomeState::Recorded.into(),
        receipt: Some(Receipt {
            position,
            ..Receipt::default()
        }),
        ..RecordOutcome::default()
    };
    Ok((first..).zip(ids).map(outcome).collect())
}

fn not_here<T>() -> Result<Response<T>, Status> {
    Err(Status::unimplemented("the raw log only appends"))
}

type Answered<T> = Result<Response<T>, Status>;

#[tonic::async_trait]
impl RecordService for Calls {
    type StreamSubmitRecordsStream = ReceiverStream<Result<StreamSubmitRecordsResponse, Status>>;

    async fn submit_record(
        &self,
        request: Request<SubmitRecordRequest>,
    ) -> Answered<SubmitRecordResponse> {
        let achievements = request.into_inner().achievement.into_iter().collect();
        let (durable, ids) = submitted(&self.submit, achievements).await?;
        let outcome = outcomes(durable, ids).await?.pop();
        Ok(Response::new(SubmitRecordResponse { outcome }))
    }

    async fn batch_submit_records(
        &self,
        request: Request<BatchSubmitRecordsRequest>,
    ) -> Answered<BatchSubmitRecordsResponse> {
        let achievements = request.into_inner().achievements;
        let (durable, ids) = submitted(&self.submit, achievements).await?;
        let outcomes = outcomes(durable, ids).await?;
        Ok(Response::new(BatchSubmitRecordsResponse { outcomes }))
    }

    async fn stream_submit_records(
        &self,
        request: Request<Streaming<StreamSubmitRecordsRequest>>,
    ) -> Answered<Self::StreamSubmitRecordsStream> {
        let mut requests = request.into_inner();
        let submit = self.submit.clone();
        let (taken, mut waiting) = mpsc::channel(64);
        let (answer, answers) = mpsc::channel(64);
        tokio::spawn(async move {
            while let Ok(Some(request)) = requests.message().await {
                let Ok(one) = submitted(&submit, request.achievements).await else {
                    return;
                };
                if taken.send(one).await.is_err() {
                    return;
                }
            }
        });
        tokio::spawn(async move {
            let mut answered_count = 0;
            while let Some((durable, ids)) = waiting.recv().await {
                let answered = outcomes(durable, ids).await.map(|outcomes| {
                    answered_count += outcomes.len() as u64;
                    StreamSubmitRecordsResponse {
                        outcomes,
                        answered_count,
                    }
                });
                if answer.send(answered).await.is_err() {
                    return;
                }
            }
        });
        Ok(Response::new(ReceiverStream::new(answers)))
    }

    async fn get_record(&self, _: Request<GetRecordRequest>) -> Answered<GetRecordResponse> {
        not_here()
    }
    async fn list_records(&self, _: Request<ListRecordsRequest>) -> Answered<ListRecordsResponse> {
        not_here()
    }
    async fn supersede_record(
        &self,
        _: Request<SupersedeRecordRequest>,
    ) -> Answered<SupersedeRecordResponse> {
        not_here()
    }
    async fn revoke_records(
        &self,
        _: Request<RevokeRecordsRequest>,
    ) -> Answered<RevokeRecordsResponse> {
        not_here()
    }
    async fn suspend_records(
        &self,
        _: Request<SuspendRecordsRequest>,
    ) -> Answered<SuspendRecordsResponse> {
        not_here()
    }
    async fn reinstate_records(
        &self,
        _: Request<ReinstateRecordsRequest>,
    ) -> Answered<ReinstateRecordsResponse> {
        not_here()
    }
    async fn reassign_record(
        &self,
        _: Request<ReassignRecordRequest>,
    ) -> Answered<ReassignRecordResponse> {
        not_here()
    }
}
