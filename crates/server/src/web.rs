//! Browsers: gRPC-Web on the same port, and which pages may use it.
//!
//! Apart from `transport` because a browser is the one client that calls on behalf of somebody else, the
//! page it shows. Until callers prove who they are, that page could act as anyone; so a call that a browser
//! marks with an origin is refused unless the operator has named that origin. The mark is looked at here
//! and not left to CORS alone: CORS keeps a page from reading the answer, and says nothing to a page whose
//! name has been pointed at this machine, which the browser takes for our own.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tonic::codegen::http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use tonic::{Code, Status};
use tonic_web::{GrpcWebLayer, GrpcWebService};
use tower_http::cors::{AllowOrigin, Cors, CorsLayer};
use tower_layer::Layer;

use crate::config::Web;
use crate::identity::IDENTITY_KEY;
use crate::status::Explanation;

/// How long a browser may keep in mind what it was told of CORS.
const PREFLIGHT_MAX_AGE: Duration = Duration::from_secs(3600);

/// Pages that may call.
#[derive(Debug, Clone)]
pub(crate) struct Origins(Arc<BTreeSet<HeaderValue>>);

impl Origins {
    /// Those of a configuration that has been checked.
    pub(crate) fn new(web: &Web) -> Self {
        let values = web.allowed_origins.iter();
        Origins(Arc::new(
            values
                .filter_map(|origin| HeaderValue::from_str(origin).ok())
                .collect(),
        ))
    }

    /// Refuses what a browser sends for a page that nobody has named. Other programs send no origin.
    ///
    /// # Errors
    /// PERMISSION_DENIED.
    pub(crate) fn admit(&self, headers: &HeaderMap) -> Result<(), Status> {
        let mut sent = headers.get_all(header::ORIGIN).iter();
        if sent.all(|origin| self.0.contains(origin)) {
            return Ok(());
        }
        tracing::warn!("a page of another origin was denied");
        let sentence = "this page may not call: the operator has to name its origin in the \
                        configuration, [web] allowed_origins";
        let explanation = Explanation::new(Code::PermissionDenied, "ORIGIN_NOT_ALLOWED", sentence);
        Err(explanation.status())
    }
}

/// The same service, for gRPC and gRPC-Web.
pub(crate) fn for_browsers<S>(origins: &Origins, service: S) -> Cors<GrpcWebService<S>> {
    let [status, message, details] = ["grpc-status", "grpc-message", "grpc-status-details-bin"];
    let cors = CorsLayer::new()
        .allow_origin(AllowOrigin::list(origins.0.iter().cloned()))
        .allow_methods([Method::POST])
        .allow_headers([
            header::CONTENT_TYPE,
            HeaderName::from_static("x-grpc-web"),
            HeaderName::from_static("x-user-agent"),
            HeaderName::from_static("grpc-timeout"),
            HeaderName::from_static(IDENTITY_KEY),
        ])
        .expose_headers([status, message, details].map(HeaderName::from_static))
        .max_age(PREFLIGHT_MAX_AGE);
    cors.layer(GrpcWebLayer::new().layer(service))
}
