//! The connection to the server, and who speaks on it.
//!
//! Apart from the commands so that the identity, the limits and the sentence for "nobody is there" are
//! said once.

use std::time::Duration;

use api::v1;
use api::v1::account_service_client::AccountServiceClient;
use api::v1::audit_service_client::AuditServiceClient;
use api::v1::learner_service_client::LearnerServiceClient;
use api::v1::record_service_client::RecordServiceClient;
use api::v1::registry_service_client::RegistryServiceClient;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request, Status};

use crate::args::value::Identity;
use crate::error::{Failure, root_cause};

/// Longest wait for a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// A page of 1,000 records of 16 KiB with their leaves fits.
const ANSWER_BYTES_MAX: usize = 64 * 1024 * 1024;

/// A channel that says who acts.
pub(crate) type Acting = InterceptedService<Channel, Speaker>;

/// Puts the identity into every request.
#[derive(Debug, Clone)]
pub(crate) struct Speaker(MetadataValue<Ascii>);

impl Interceptor for Speaker {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        request
            .metadata_mut()
            .insert("creditbank-identity", self.0.clone());
        Ok(request)
    }
}

/// A connection, as somebody.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    channel: Channel,
    speaker: Speaker,
}

impl Client {
    /// Connects to `server` and speaks as `identity`.
    ///
    /// # Errors
    ///
    /// [`Failure::Usage`] for an address that is none, [`Failure::NoServer`] when nobody answers.
    pub(crate) async fn connect(server: &str, identity: &Identity) -> Result<Self, Failure> {
        let url = if server.contains("://") {
            server.to_owned()
        } else {
            format!("http://{server}")
        };
        if url.starts_with("https://") {
            return Err(Failure::Usage(
                "https is not supported: let a proxy on this machine speak TLS, and name it here"
                    .to_owned(),
            ));
        }
        let endpoint = Endpoint::from_shared(url.clone())
            .map_err(|_| {
                Failure::Usage(format!(
                    "{server} is no address of a server; say --server http://HOST:PORT"
                ))
            })?
            .connect_timeout(CONNECT_TIMEOUT)
            .http2_keep_alive_interval(Duration::from_secs(30))
            .tcp_nodelay(true);
        let channel = endpoint
            .connect()
            .await
            .map_err(|error| Failure::NoServer {
                server: url,
                cause: root_cause(&error),
            })?;
        Ok(Self {
            channel,
            speaker: speaker(identity)?,
        })
    }

    /// The same connection, as somebody else.
    pub(crate) fn acting_as(&self, identity: &Identity) -> Result<Self, Failure> {
        Ok(Self {
            channel: self.channel.clone(),
            speaker: speaker(identity)?,
        })
    }

    /// Records.
    pub(crate) fn records(&self) -> RecordServiceClient<Acting> {
        RecordServiceClient::with_interceptor(self.channel.clone(), self.speaker.clone())
            .max_decoding_message_size(ANSWER_BYTES_MAX)
    }

    /// Learners.
    pub(crate) fn learners(&self) -> LearnerServiceClient<Acting> {
        LearnerServiceClient::with_interceptor(self.channel.clone(), self.speaker.clone())
            .max_decoding_message_size(ANSWER_BYTES_MAX)
    }

    /// Accounts.
    pub(crate) fn accounts(&self) -> AccountServiceClient<Acting> {
        AccountServiceClient::with_interceptor(self.channel.clone(), self.speaker.clone())
            .max_decoding_message_size(ANSWER_BYTES_MAX)
    }

    /// The registry.
    pub(crate) fn registry(&self) -> RegistryServiceClient<Acting> {
        RegistryServiceClient::with_interceptor(self.channel.clone(), self.speaker.clone())
            .max_decoding_message_size(ANSWER_BYTES_MAX)
    }

    /// The chain.
    pub(crate) fn audit(&self) -> AuditServiceClient<Acting> {
        AuditServiceClient::with_interceptor(self.channel.clone(), self.speaker.clone())
            .max_decoding_message_size(ANSWER_BYTES_MAX)
    }
}

/// Questions that several commands ask.
impl Client {
    /// The head of the ledger. A receipt with a position below its size was there before.
    pub(crate) async fn head(&self) -> Result<v1::GetHeadResponse, Failure> {
        let answer = self
            .audit()
            .get_head(v1::GetHeadRequest {
                ..Default::default()
            })
            .await?;
        Ok(answer.into_inner())
    }
}

/// Whether a call failed because the server was not reached, did not answer, or asked to come back.
///
/// A status with a source was made on this side, out of a broken connection.
pub(crate) fn is_worth_retrying(status: &Status) -> bool {
    let broken = std::error::Error::source(status).is_some();
    status.code() == Code::Unavailable
        || broken
            && matches!(
                status.code(),
                Code::Unknown | Code::Internal | Code::Cancelled
            )
}

fn speaker(identity: &Identity) -> Result<Speaker, Failure> {
    let text = identity.metadata();
    MetadataValue::try_from(text.as_str())
        .map(Speaker)
        .map_err(|_| Failure::Usage(format!("{text} cannot be sent as an identity")))
}
