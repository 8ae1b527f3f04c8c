//! StreamSubmitRecords: intake for as long as the caller sends.

use std::pin::Pin;

use api::v1;
use store::EventStore;
use tokio_stream::Stream;
use tonic::{Request, Response, Status, Streaming};

use super::records::Records;

/// What the stream answers.
pub(super) type Answers =
    Pin<Box<dyn Stream<Item = Result<v1::StreamSubmitRecordsResponse, Status>> + Send>>;

impl<S: EventStore> Records<S> {
    /// Carries the stream out.
    pub(super) async fn stream_submit(
        &self,
        _: Request<Streaming<v1::StreamSubmitRecordsRequest>>,
    ) -> Result<Response<Answers>, Status> {
        Err(Status::unimplemented("streams"))
    }
}
