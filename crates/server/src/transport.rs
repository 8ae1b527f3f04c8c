//! The network: connections and their bounds, the five services behind the guard, health and reflection.
//!
//! Apart from `run` because everything here will change when callers prove who they are, and nothing
//! there will.

use std::convert::Infallible;
use std::sync::Arc;
use std::task::{self, Poll};
use std::time::Duration;

use api::v1::account_service_server::{self, AccountServiceServer};
use api::v1::audit_service_server::{self, AuditServiceServer};
use api::v1::learner_service_server::{self, LearnerServiceServer};
use api::v1::record_service_server::{self, RecordServiceServer};
use api::v1::registry_service_server::{self, RegistryServiceServer};
use store::EventStore;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tonic::Status;
use tonic::body::Body;
use tonic::codegen::{Service, http};
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic_health::ServingStatus;
use tonic_health::pb::health_server;
use tonic_health::server::HealthReporter;
use tonic_reflection::pb::{v1, v1alpha};

use crate::access::{Answer, guarded, refused};
use crate::causes::chain;
use crate::config::Config;
use crate::metrics::Counted;
use crate::run::StartError;
use crate::services::{Accounts, Audit, Context, Learners, Records, RegistryCalls};
use crate::web::{Origins, for_browsers};

type Request = http::Request<Body>;
type Response = http::Response<Body>;

/// Serves until told to stop, and then until the requests in flight have finished.
///
/// # Errors
/// [`StartError::Reflection`].
pub(crate) fn serve<S: EventStore>(
    config: &Config,
    listener: TcpListener,
    context: Arc<Context<S>>,
    mut stopping: watch::Receiver<bool>,
) -> Result<JoinHandle<Result<(), tonic::transport::Error>>, StartError> {
    let described = || {
        tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(api::FILE_DESCRIPTOR_SET)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
    };
    let reflection = described().build_v1().map_err(StartError::Reflection)?;
    // For clients that have not learnt the newer name.
    let reflection_alpha = described()
        .build_v1alpha()
        .map_err(StartError::Reflection)?;
    let (reporter, health) = tonic_health::server::health_reporter();
    tokio::spawn(report_health(reporter, context.engine.stopped()));

    let metrics = Arc::clone(&context.metrics);
    let max = config.limits.message_bytes_max;
    let origins = Origins::new(&config.web);
    let records = Records(Arc::clone(&context));
    let accounts = Accounts(Arc::clone(&context));
    let registry = RegistryCalls(Arc::clone(&context));
    let learners = Learners(Arc::clone(&context));
    let routes = Routes {
        records: RecordServiceServer::new(records).max_decoding_message_size(max),
        accounts: AccountServiceServer::new(accounts).max_decoding_message_size(max),
        registry: RegistryServiceServer::new(registry).max_decoding_message_size(max),
        learners: LearnerServiceServer::new(learners).max_decoding_message_size(max),
        audit: AuditServiceServer::new(Audit(context)).max_decoding_message_size(max),
        health,
        reflection,
        reflection_alpha,
        message_bytes_max: max,
        origins: origins.clone(),
    };
    let routes = Counted {
        service: routes,
        metrics,
    };
    let routes = for_browsers(&origins, routes);
    let server = bounded(config);
    let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
    let told = async move {
        // Also when nobody is left to tell.
        let _ = stopping.wait_for(|stop| *stop).await;
    };
    Ok(tokio::spawn(async move {
        let served = server
            .serve_with_incoming_shutdown(routes, incoming, told)
            .await;
        if let Err(fault) = &served {
            tracing::error!(fault = chain(fault), "the server stopped listening");
        }
        served
    }))
}

/// The services by name, the five of `creditbank.v1` behind the guard. Health and reflection are open to
/// anyone: they say that the server is there and what its API is, which is public.
struct Routes<S, H, R, A> {
    records: RecordServiceServer<Records<S>>,
    accounts: AccountServiceServer<Accounts<S>>,
    registry: RegistryServiceServer<RegistryCalls<S>>,
    learners: LearnerServiceServer<Learners<S>>,
    audit: AuditServiceServer<Audit<S>>,
    health: H,
    reflection: R,
    reflection_alpha: A,
    message_bytes_max: usize,
    origins: Origins,
}

impl<S, H: Clone, R: Clone, A: Clone> Clone for Routes<S, H, R, A> {
    fn clone(&self) -> Self {
        Routes {
            records: self.records.clone(),
            accounts: self.accounts.clone(),
            registry: self.registry.clone(),
            learners: self.learners.clone(),
            audit: self.audit.clone(),
            health: self.health.clone(),
            reflection: self.reflection.clone(),
            reflection_alpha: self.reflection_alpha.clone(),
            message_bytes_max: self.message_bytes_max,
            origins: self.origins.clone(),
        }
    }
}

impl<S, H, R, A> Service<Request> for Routes<S, H, R, A>
where
    S: EventStore,
    H: Service<Request, Response = Response, Error = Infallible, Future = Answer>,
    R: Service<Request, Response = Response, Error = Infallible, Future = Answer>,
    A: Service<Request, Response = Response, Error = Infallible, Future = Answer>,
{
    type Response = Response;
    type Error = Infallible;
    type Future = Answer;

    fn poll_ready(&mut self, _: &mut task::Context<'_>) -> Poll<Result<(), Infallible>> {
        // None of them ever makes a caller wait here.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request) -> Answer {
        if let Err(status) = self.origins.admit(request.headers()) {
            return refused(status);
        }
        let max = self.message_bytes_max;
        let service = request.uri().path().split('/').nth(1).unwrap_or_default();
        match service {
            record_service_server::SERVICE_NAME => guarded(&mut self.records, request, max),
            account_service_server::SERVICE_NAME => guarded(&mut self.accounts, request, max),
            registry_service_server::SERVICE_NAME => guarded(&mut self.registry, request, max),
            learner_service_server::SERVICE_NAME => guarded(&mut self.learners, request, max),
            audit_service_server::SERVICE_NAME => guarded(&mut self.audit, request, max),
            health_server::SERVICE_NAME => self.health.call(request),
            v1::server_reflection_server::SERVICE_NAME => self.reflection.call(request),
            v1alpha::server_reflection_server::SERVICE_NAME => self.reflection_alpha.call(request),
            _ => refused(Status::unimplemented("there is no such service here")),
        }
    }
}

/// What a connection may use, so that memory under attack stays bounded.
fn bounded(config: &Config) -> Server {
    let transport = &config.transport;
    let ms = Duration::from_millis;
    Server::builder()
        // For gRPC-Web; gRPC itself is HTTP/2.
        .accept_http1(true)
        .timeout(ms(config.limits.timeout_ms))
        .max_concurrent_streams(transport.concurrent_streams_max)
        .http2_max_header_list_size(transport.header_list_bytes_max)
        .http2_keepalive_interval(Some(ms(transport.keepalive_interval_ms)))
        .http2_keepalive_timeout(Some(ms(transport.keepalive_timeout_ms)))
        // A batch of 4 MiB should not wait for window updates in between.
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
}

const STREAM_WINDOW_BYTES: u32 = 1 << 20;
const CONNECTION_WINDOW_BYTES: u32 = 4 << 20;

/// NOT_SERVING as soon as the writer has stopped; reads go on, but whoever asks should look.
async fn report_health(reporter: HealthReporter, mut stopped: watch::Receiver<Option<String>>) {
    let services = [
        "",
        "creditbank.v1.RecordService",
        "creditbank.v1.AccountService",
        "creditbank.v1.RegistryService",
        "creditbank.v1.LearnerService",
        "creditbank.v1.AuditService",
    ];
    for service in services {
        reporter
            .set_service_status(service, ServingStatus::Serving)
            .await;
    }
    // The sender goes when the engine is closed: then nothing is served either.
    let _ = stopped.wait_for(Option::is_some).await;
    for service in services {
        reporter
            .set_service_status(service, ServingStatus::NotServing)
            .await;
    }
}
