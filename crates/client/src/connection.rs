//! The connection to the server, and who speaks on it.
//!
//! Apart from the calls so that the identity, the limits and the sentence for "nobody is there" are said
//! once.

use std::fmt;
use std::sync::Arc;
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
use tonic::{Request, Status};

use crate::calls::Call;
use crate::identity::Identity;
use crate::patience::{Attempt, Patience, retrying};
use crate::refusal::{Refusal, root_cause};

/// Longest wait for a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// A page of 1,000 records of 16 KiB with their leaves fits.
const ANSWER_BYTES_MAX: usize = 64 * 1024 * 1024;

/// A channel that says who acts.
pub type Acting = InterceptedService<Channel, Speaker>;

/// Puts the identity into every request.
#[derive(Debug, Clone)]
pub struct Speaker(MetadataValue<Ascii>);

impl Interceptor for Speaker {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        request
            .metadata_mut()
            .insert("creditbank-identity", self.0.clone());
        Ok(request)
    }
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The address asks for TLS.
    #[error("https is not supported: let a proxy on this machine speak TLS, and name it here")]
    Tls,
    /// The address is none.
    #[error("{0} is no address of a server; say http://HOST:PORT")]
    Address(String),
    /// The identity cannot be sent.
    #[error("{0} cannot be sent as an identity")]
    Identity(String),
    /// Nobody answers.
    #[error("no server answers at {server}: {cause}")]
    NoServer {
        /// Where.
        server: String,
        /// What the system said.
        cause: String,
        /// The whole chain.
        #[source]
        source: tonic::transport::Error,
    },
}

/// What is told of every attempt of a call that is repeated.
type Observer = Arc<dyn Fn(Attempt<'_>) + Send + Sync>;

/// A connection, as somebody, with so much patience. Clones share the connection.
#[derive(Clone)]
pub struct Client {
    channel: Channel,
    speaker: Speaker,
    patience: Patience,
    observer: Option<Observer>,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("speaker", &self.speaker)
            .field("patience", &self.patience)
            .finish_non_exhaustive()
    }
}

impl Client {
    /// Connects to `server`, `http://HOST:PORT` or `HOST:PORT`, and speaks as `identity`. A connection that
    /// is lost later comes back by itself.
    ///
    /// # Errors
    /// [`ConnectError`]: an address that is none, or nobody answers within 5 seconds.
    pub async fn connect(server: &str, identity: &Identity) -> Result<Self, ConnectError> {
        let url = if server.contains("://") {
            server.to_owned()
        } else {
            format!("http://{server}")
        };
        if url.starts_with("https://") {
            return Err(ConnectError::Tls);
        }
        let speaker = speaker(identity)?;
        let endpoint = Endpoint::from_shared(url.clone())
            .map_err(|_| ConnectError::Address(server.to_owned()))?
            .connect_timeout(CONNECT_TIMEOUT)
            .http2_keep_alive_interval(Duration::from_secs(30))
            .tcp_nodelay(true);
        let channel = endpoint
            .connect()
            .await
            .map_err(|source| ConnectError::NoServer {
                server: url,
                cause: root_cause(&source),
                source,
            })?;
        Ok(Self {
            channel,
            speaker,
            patience: Patience::default(),
            observer: None,
        })
    }

    /// The same connection, as somebody else.
    ///
    /// # Errors
    /// [`ConnectError::Identity`] for an id that cannot be sent.
    pub fn acting_as(&self, identity: &Identity) -> Result<Self, ConnectError> {
        Ok(Self {
            speaker: speaker(identity)?,
            ..self.clone()
        })
    }

    /// The same connection, with other deadlines.
    #[must_use]
    pub fn with_patience(&self, patience: Patience) -> Self {
        Self {
            patience,
            ..self.clone()
        }
    }

    /// The same connection; `observer` is told when a call is going to be repeated, and when it has been
    /// answered.
    #[must_use]
    pub fn observed_by(&self, observer: impl Fn(Attempt<'_>) + Send + Sync + 'static) -> Self {
        Self {
            observer: Some(Arc::new(observer)),
            ..self.clone()
        }
    }

    /// How long calls may take.
    #[must_use]
    pub fn patience(&self) -> Patience {
        self.patience
    }

    /// Makes a call, and makes it again while that is safe and worth it: the request decides
    /// ([`Call::repetition`]), and so does what came back ([`Refusal::is_worth_repeating`]).
    ///
    /// # Errors
    /// The last [`Refusal`].
    pub async fn call<C: Call>(&self, request: C) -> Result<C::Answer, Refusal> {
        let request = request.prepared();
        let repetition = request.repetition();
        let attempt = |timeout: Duration| {
            let mut request = Request::new(request.clone());
            request.set_timeout(timeout);
            C::send(self, request)
        };
        retrying(self.patience, repetition, attempt, |attempt| {
            self.tell(attempt)
        })
        .await
    }

    /// Tells the observer.
    pub(crate) fn tell(&self, attempt: Attempt<'_>) {
        if let Some(observer) = &self.observer {
            observer(attempt);
        }
    }

    /// The head of the ledger. A receipt with a position below its size was there before.
    ///
    /// # Errors
    /// [`Refusal`].
    pub async fn head(&self) -> Result<v1::GetHeadResponse, Refusal> {
        self.call(v1::GetHeadRequest::default()).await
    }
}

/// The generated clients, for streams and for who wants a single attempt.
impl Client {
    /// Records.
    #[must_use]
    pub fn records(&self) -> RecordServiceClient<Acting> {
        RecordServiceClient::with_interceptor(self.channel.clone(), self.speaker.clone())
            .max_decoding_message_size(ANSWER_BYTES_MAX)
    }

    /// Learners.
    #[must_use]
    pub fn learners(&self) -> LearnerServiceClient<Acting> {
        LearnerServiceClient::with_interceptor(self.channel.clone(), self.speaker.clone())
            .max_decoding_message_size(ANSWER_BYTES_MAX)
    }

    /// Accounts.
    #[must_use]
    pub fn accounts(&self) -> AccountServiceClient<Acting> {
        AccountServiceClient::with_interceptor(self.channel.clone(), self.speaker.clone())
            .max_decoding_message_size(ANSWER_BYTES_MAX)
    }

    /// The registry.
    #[must_use]
    pub fn registry(&self) -> RegistryServiceClient<Acting> {
        RegistryServiceClient::with_interceptor(self.channel.clone(), self.speaker.clone())
            .max_decoding_message_size(ANSWER_BYTES_MAX)
    }

    /// The chain.
    #[must_use]
    pub fn audit(&self) -> AuditServiceClient<Acting> {
        AuditServiceClient::with_interceptor(self.channel.clone(), self.speaker.clone())
            .max_decoding_message_size(ANSWER_BYTES_MAX)
    }
}

fn speaker(identity: &Identity) -> Result<Speaker, ConnectError> {
    let text = identity.metadata();
    MetadataValue::try_from(text.as_str())
        .map(Speaker)
        .map_err(|_| ConnectError::Identity(text))
}
