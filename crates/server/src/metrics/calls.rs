//! Calls, counted as they end: which one, with what code, after how long, and why it was refused.
//!
//! Apart from the services because none of them should have to think of it. It stands between gRPC-Web and
//! the guard, where every answer is plain gRPC, so that calls from pages, calls that the guard refuses and
//! calls that nobody waits for any more are counted as well.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use http_body::Frame;
use tonic::body::Body;
use tonic::codegen::{Service, http};
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use super::Metrics;
use crate::access::{Answer, known};

/// Calls whose answers take as long as somebody listens: their time says nothing.
const STREAMS: [&str; 4] = [
    "AccountService/Watch",
    "AuditService/ReadRecords",
    "AuditService/Subscribe",
    "RecordService/StreamSubmitRecords",
];

/// A service whose calls are counted.
#[derive(Debug, Clone)]
pub(crate) struct Counted<S> {
    pub(crate) service: S,
    pub(crate) metrics: Arc<Metrics>,
}

impl<S> Service<http::Request<Body>> for Counted<S>
where
    S: Service<http::Request<Body>, Response = http::Response<Body>, Error = Infallible>,
    S::Future: Send + 'static,
{
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Answer;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.service.poll_ready(context)
    }

    fn call(&mut self, request: http::Request<Body>) -> Answer {
        let mut open = Open {
            metrics: Arc::clone(&self.metrics),
            call: name(request.uri().path()),
            started: Instant::now(),
            is_over: false,
        };
        let answered = self.service.call(request);
        Box::pin(async move {
            let answer = answered.await?;
            if let Some(status) = Status::from_header_map(answer.headers()) {
                open.end(&status);
                return Ok(answer);
            }
            Ok(answer.map(|body| Body::new(Watched { body, open })))
        })
    }
}

/// A label for a path: one of a closed set.
fn name(path: &str) -> &'static str {
    let path = path.strip_prefix('/').unwrap_or(path);
    if let Some(call) = known(path) {
        return call.strip_prefix("creditbank.v1.").unwrap_or(call);
    }
    match path.split('/').next().unwrap_or_default() {
        "grpc.health.v1.Health" => "health",
        "grpc.reflection.v1.ServerReflection" | "grpc.reflection.v1alpha.ServerReflection" => {
            "reflection"
        }
        _ => "unknown",
    }
}

/// A call that has not ended. Dropped before its end, nobody waited for it any more.
struct Open {
    metrics: Arc<Metrics>,
    call: &'static str,
    started: Instant,
    is_over: bool,
}

impl Open {
    fn end(&mut self, status: &Status) {
        if std::mem::replace(&mut self.is_over, true) {
            return;
        }
        let took = self.took();
        let code = word(status.code());
        self.metrics.called(self.call, code, took);
        let reason = match status.code() {
            Code::Ok => None,
            _ => status.get_details_error_info().map(|info| info.reason),
        };
        let call = self.call;
        tracing::debug!(call, code, reason, ?took, "answered");
        if let Some(reason) = reason {
            self.metrics.refused(reason);
        }
    }

    /// How long it took, unless that says nothing.
    fn took(&self) -> Option<Duration> {
        let is_stream = STREAMS.contains(&self.call) || self.call == "reflection";
        (!is_stream).then(|| self.started.elapsed())
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        if !self.is_over {
            let took = self.took();
            self.metrics.called(self.call, word(Code::Cancelled), took);
            tracing::debug!(call = self.call, code = word(Code::Cancelled), "given up");
        }
    }
}

/// The body of an answer, whose trailers tell how the call ended.
struct Watched {
    body: Body,
    open: Open,
}

impl http_body::Body for Watched {
    type Data = <Body as http_body::Body>::Data;
    type Error = <Body as http_body::Body>::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        match &frame {
            Some(Ok(frame)) => {
                let status = frame.trailers_ref().and_then(Status::from_header_map);
                if let Some(status) = status {
                    self.open.end(&status);
                }
            }
            Some(Err(_)) | None => self.open.end(&Status::unknown("it ended without a status")),
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        // Only trailers end an answer, and they are to be seen.
        self.open.is_over && self.body.is_end_stream()
    }
}

/// A code as the gRPC documents write it.
fn word(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}

#[cfg(test)]
mod tests {
    use prost::Message as _;

    use super::*;

    #[test]
    fn a_path_that_nobody_knows_makes_no_label_of_its_own() {
        assert_eq!(
            name("/creditbank.v1.AuditService/GetHead"),
            "AuditService/GetHead"
        );
        assert_eq!(name("/grpc.health.v1.Health/Check"), "health");
        assert_eq!(name("/creditbank.v1.AuditService/GetHead/Ada"), "unknown");
        assert_eq!(name("/Ada/Lovelace"), "unknown");
        assert_eq!(name(""), "unknown");
    }

    #[test]
    fn the_streams_are_those_of_the_api() {
        let files = prost_types::FileDescriptorSet::decode(api::FILE_DESCRIPTOR_SET).unwrap();
        let mut streams = Vec::new();
        for service in files.file.iter().flat_map(|file| &file.service) {
            for method in &service.method {
                if method.client_streaming() || method.server_streaming() {
                    streams.push(format!("{}/{}", service.name(), method.name()));
                }
            }
        }
        streams.sort();
        assert_eq!(streams, STREAMS);
    }
}
