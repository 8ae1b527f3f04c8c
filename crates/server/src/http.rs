//! The HTTP port: metrics, and whether the server lives and is ready, for those who watch over it.
//!
//! Apart from the port of the API because whoever watches speaks plain HTTP, and because it must answer
//! while the API is busy. It says nothing of persons or institutions and changes nothing, and it listens on
//! this machine only until callers prove who they are.

use std::convert::Infallible;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use durable::Space;
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use store::EventStore;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinHandle;

use crate::config::Config;
use crate::metrics::{self, Moment};
use crate::ready::{Needs, Vitals};
use crate::services::Context;

/// Connections that may be open; further ones wait.
const CONNECTIONS_MAX: usize = 32;
/// How long a client may take to say what it wants.
const HEADERS_WAIT_MAX: Duration = Duration::from_secs(5);
/// How long a connection lives.
const CONNECTION_LIFE_MAX: Duration = Duration::from_secs(300);
/// How long the disk may take to say how much room it has.
const SPACE_WAIT_MAX: Duration = Duration::from_secs(2);
/// How long to wait when a connection cannot be taken, such as for want of open files.
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);

/// What the port answers from.
pub(crate) struct Watched<S> {
    context: Arc<Context<S>>,
    data_dir: PathBuf,
    needs: Needs,
    /// Taken for as long as the disk is asked: one that hangs holds up one thread, not one a request.
    asking: Arc<Semaphore>,
}

impl<S> Watched<S> {
    pub(crate) fn new(config: &Config, context: Arc<Context<S>>) -> Self {
        let needs = Needs {
            views_lag_max: config.http.ready_views_lag_max,
            // The next segment is filled ahead of time.
            space_min: config.storage.segment_bytes,
        };
        Watched {
            context,
            data_dir: config.data_dir.clone(),
            needs,
            asking: Arc::new(Semaphore::new(1)),
        }
    }
}

/// Serves until told to stop, and no longer: whoever watches comes again.
pub(crate) fn serve<S: EventStore>(
    listener: TcpListener,
    watched: Watched<S>,
    stopping: watch::Receiver<bool>,
) -> JoinHandle<()> {
    let watched = Arc::new(watched);
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    tokio::spawn(async move {
        let connections = async {
            loop {
                let place = Arc::clone(&places).acquire_owned().await;
                let place = place.expect("nobody closes the semaphore");
                match listener.accept().await {
                    Ok((stream, _)) => {
                        let told = stopping.clone();
                        tokio::spawn(connection(stream, Arc::clone(&watched), told, place));
                    }
                    Err(_) => tokio::time::sleep(ACCEPT_AGAIN).await,
                }
            }
        };
        let mut told = stopping.clone();
        tokio::select! {
            _ = told.wait_for(|stop| *stop) => {}
            () = connections => {}
        }
    })
}

async fn connection<S: EventStore>(
    stream: TcpStream,
    watched: Arc<Watched<S>>,
    mut stopping: watch::Receiver<bool>,
    _place: OwnedSemaphorePermit,
) {
    let service = service_fn(move |request| {
        let watched = Arc::clone(&watched);
        async move { Ok::<_, Infallible>(watched.answer(&request).await) }
    });
    let mut http = hyper::server::conn::http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(HEADERS_WAIT_MAX);
    let served = http.serve_connection(TokioIo::new(stream), service);
    // A client that goes away in the middle is no news; nothing here holds anything up.
    tokio::select! {
        _ = served => {}
        _ = stopping.wait_for(|stop| *stop) => {}
        () = tokio::time::sleep(CONNECTION_LIFE_MAX) => {}
    }
}

impl<S: EventStore> Watched<S> {
    async fn answer(&self, request: &Request<Incoming>) -> Response<Full<Bytes>> {
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            let sentence = "only GET and HEAD are answered here".to_owned();
            let mut response = text(StatusCode::METHOD_NOT_ALLOWED, sentence);
            let methods = hyper::header::HeaderValue::from_static("GET, HEAD");
            response.headers_mut().insert(ALLOW, methods);
            return response;
        }
        match request.uri().path() {
            "/metrics" => {
                let moment = self.moment().await;
                let body = self.context.metrics.render(&self.context, moment);
                typed(StatusCode::OK, metrics::CONTENT_TYPE, body)
            }
            "/healthz" => text(StatusCode::OK, "alive".to_owned()),
            "/readyz" => self.ready().await,
            _ => text(
                StatusCode::NOT_FOUND,
                "there is /metrics, /healthz and /readyz".to_owned(),
            ),
        }
    }

    async fn ready(&self) -> Response<Full<Bytes>> {
        let Moment { head_size, space } = self.moment().await;
        let vitals = Vitals::of(&self.context, head_size, space);
        let obstacles = vitals.obstacles(self.needs);
        match obstacles.is_empty() {
            true => text(StatusCode::OK, "ready".to_owned()),
            false => text(StatusCode::SERVICE_UNAVAILABLE, obstacles.join("\n")),
        }
    }

    async fn moment(&self) -> Moment {
        let head = self.context.engine.head().await;
        Moment {
            head_size: head.ok().map(|head| head.size),
            space: self.space().await,
        }
    }

    /// A disk that does not answer must not keep the port from answering.
    async fn space(&self) -> Option<Space> {
        let (dir, asking) = (self.data_dir.clone(), Arc::clone(&self.asking));
        let asked = async move {
            let turn = asking.acquire_owned().await.ok()?;
            let asked = tokio::task::spawn_blocking(move || {
                let found = durable::space(&dir);
                drop(turn);
                found
            });
            asked.await.ok()?.ok()
        };
        tokio::time::timeout(SPACE_WAIT_MAX, asked).await.ok()?
    }
}

fn text(status: StatusCode, sentence: String) -> Response<Full<Bytes>> {
    typed(status, "text/plain; charset=utf-8", sentence + "\n")
}

fn typed(status: StatusCode, of_type: &'static str, body: String) -> Response<Full<Bytes>> {
    Response::builder()
        .status(status)
        .header(CONTENT_TYPE, of_type)
        .header(CACHE_CONTROL, "no-store")
        .body(Full::from(body))
        .expect("these headers are well-formed")
}
