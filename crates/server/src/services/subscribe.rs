//! AuditService.Subscribe: records as they come.

use std::pin::Pin;

use api::v1;
use store::EventStore;
use tokio_stream::Stream;
use tonic::{Request, Response, Status};

use super::audit::Audit;

/// What the stream answers.
pub(super) type Answers = Pin<Box<dyn Stream<Item = Result<v1::SubscribeResponse, Status>> + Send>>;

impl<S: EventStore> Audit<S> {
    /// Begins to send.
    pub(super) async fn subscribe_records(
        &self,
        _: Request<v1::SubscribeRequest>,
    ) -> Result<Response<Answers>, Status> {
        Err(Status::unimplemented("streams"))
    }
}
