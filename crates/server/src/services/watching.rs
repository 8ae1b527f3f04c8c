//! AccountService.Watch: entries of a statement as they come.

use std::pin::Pin;

use api::v1;
use store::EventStore;
use tokio_stream::Stream;
use tonic::{Request, Response, Status};

use super::accounts::Accounts;

/// What the stream answers.
pub(super) type Answers = Pin<Box<dyn Stream<Item = Result<v1::WatchResponse, Status>> + Send>>;

impl<S: EventStore> Accounts<S> {
    /// Begins to watch.
    pub(super) async fn watch_account(
        &self,
        _: Request<v1::WatchRequest>,
    ) -> Result<Response<Answers>, Status> {
        Err(Status::unimplemented("streams"))
    }
}
