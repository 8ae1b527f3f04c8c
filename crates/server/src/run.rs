//! Starting and stopping: what a server consists of, and in which order it comes up and goes down.
//!
//! Apart from the services because only here files, threads and sockets are joined.
//!
//! Order, up: sockets -> log recovered -> engine -> views -> the thread that follows the log -> services and the HTTP port.
//! Nothing is answered before all of it is there. A crash in between leaves what a crash at any other
//! time leaves.
//!
//! Order, down: no new connections and no HTTP port -> requests finish, within a deadline -> the writer ends -> the views
//! are marked -> the log marks its head and closes. A kill in between costs the next start a replay.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use durable::OsFs;
use store::EventStore;
use store_log::{LogStore, OpenError, RecoveryReport};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinHandle;
use views::{Views, ViewsFault};

use crate::causes::chain;
use crate::clock::Clock;
use crate::config::{Config, ConfigError};
use crate::engine::{self, Engine, EngineFault, LedgerKeys, WriterOptions};
use crate::http;
use crate::metrics::{Measured, Metrics};
use crate::reference;
use crate::services::{Context, Registries, Streams};
use crate::transport;

/// How long stopping waits for views that are behind.
const CATCH_UP_MAX: Duration = Duration::from_secs(1);

/// The store that a server runs on.
pub type Store = Measured<LogStore<OsFs>>;

/// Why a server did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The configuration is refused.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The address is not to be had.
    #[error("cannot listen on {listen}")]
    Listen {
        /// Which address.
        listen: SocketAddr,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The address for metrics and health is not to be had.
    #[error(
        "cannot listen on {listen} for metrics and health; name another address with --http ADDRESS:PORT, or \
         turn them off with --http off"
    )]
    Http {
        /// Which address.
        listen: SocketAddr,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Another server has the ledger open.
    #[error("the ledger in {} is in use: another process holds its lock; stop that one first", .dir.display())]
    InUse {
        /// Its directory.
        dir: PathBuf,
    },
    /// The ledger could not be opened.
    #[error("cannot open the ledger in {}", .dir.display())]
    Store {
        /// Its directory.
        dir: PathBuf,
        /// Why.
        #[source]
        source: OpenError,
    },
    /// The engine did not come up on it.
    #[error("cannot start on the ledger")]
    Engine(#[from] EngineFault),
    /// The views could not be opened.
    #[error("cannot open the views")]
    Views(#[from] ViewsFault),
    /// The thread that follows the log did not start.
    #[error("cannot start the thread of the views")]
    Thread(#[source] io::Error),
    /// The description of the API does not read.
    #[error("cannot describe the API")]
    Reflection(#[source] tonic_reflection::server::Error),
    /// A step of opening did not end.
    #[error("opening was cut off")]
    CutOff(#[source] tokio::task::JoinError),
}

/// What starting found.
#[derive(Debug, Clone)]
pub struct Recovery {
    /// In the log.
    pub log: RecoveryReport,
    /// In the ledger.
    pub ledger: engine::Opened,
    /// In the views.
    pub views: views::Opened,
}

/// A server that runs.
pub struct Running {
    local_addr: SocketAddr,
    http_addr: Option<SocketAddr>,
    recovery: Recovery,
    stop_timeout: Duration,
    stop: watch::Sender<bool>,
    serving: JoinHandle<Result<(), tonic::transport::Error>>,
    store: Arc<Store>,
    engine: Arc<Engine<Store>>,
    views: Arc<Views>,
    follower: Follower,
    watching: Option<JoinHandle<()>>,
}

/// Starts a server on the machine's clock.
///
/// # Errors
/// As of [`start_on`].
pub async fn start(config: Config) -> Result<Running, StartError> {
    start_on(config, Clock::system()).await
}

/// Starts a server on a clock, which a test may hold the hands of.
///
/// # Errors
/// [`StartError`], with its causes; nothing is left running.
pub async fn start_on(config: Config, clock: Clock) -> Result<Running, StartError> {
    config.check()?;
    let listen = |source| StartError::Listen {
        listen: config.listen,
        source,
    };
    let listener = TcpListener::bind(config.listen).await.map_err(listen)?;
    let local_addr = listener.local_addr().map_err(listen)?;
    let http_listener = listen_http(&config).await?;
    let http_addr = http_listener.as_ref().map(|(_, address)| *address);

    let (store, log) = open_store(&config).await?;
    let metrics = Arc::new(Metrics::new());
    let store = Arc::new(Measured::new(store, Arc::clone(&metrics)));
    let (clock, vocabulary) = (Arc::new(clock), reference::opening_actions());
    let options = writer_options(&config);
    let (engine, ledger) = Engine::open(Arc::clone(&store), clock, options, vocabulary).await?;
    let engine = Arc::new(engine);

    let (views, views_opened) = open_views(&config, &engine).await?;
    let views = Arc::new(views);
    let follower =
        Follower::start(Arc::clone(&store), Arc::clone(&views)).map_err(StartError::Thread)?;

    let recovery = Recovery {
        log,
        ledger,
        views: views_opened,
    };
    say_started(&recovery, local_addr, http_addr);
    let (stop, stopping) = watch::channel(false);
    let context = Arc::new(Context {
        engine: Arc::clone(&engine),
        views: Arc::clone(&views),
        views_stopped: follower.stopped.clone(),
        registries: Registries::default(),
        limits: config.limits(),
        in_flight: Arc::new(Semaphore::new(config.writer.queue_commands_max)),
        in_flight_max: config.writer.queue_commands_max,
        metrics,
        streams: Streams::new(config.stream_limits(), stopping.clone()),
    });
    let watched = http::Watched::new(&config, Arc::clone(&context));
    let serving = transport::serve(&config, listener, context, stopping.clone())?;
    let watching = http_listener.map(|(listener, _)| http::serve(listener, watched, stopping));
    let stop_timeout = config.stop_timeout();
    Ok(Running {
        local_addr,
        http_addr,
        recovery,
        stop_timeout,
        stop,
        serving,
        store,
        engine,
        views,
        follower,
        watching,
    })
}

impl Running {
    /// Where it listens.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// Where it answers for metrics and health, if it does.
    #[must_use]
    pub fn http_addr(&self) -> Option<SocketAddr> {
        self.http_addr
    }

    /// What starting found.
    #[must_use]
    pub fn recovery(&self) -> &Recovery {
        &self.recovery
    }

    /// How many records the views reflect; the head runs ahead of it, by what is called their lag.
    #[must_use]
    pub fn applied(&self) -> u64 {
        self.views.applied()
    }

    /// How many records are durable.
    ///
    /// # Errors
    /// The log has failed.
    pub async fn size(&self) -> Result<u64, store::Fault> {
        Ok(self.store.head().await?.size)
    }

    /// Returns when the server has stopped listening by itself, which it does only when it fails.
    pub async fn failed(&mut self) {
        // What it failed of is in the log already.
        let _ = (&mut self.serving).await;
    }

    /// Stops: requests in flight finish, unless they take too long. What goes wrong is logged; none of
    /// it harms what was acknowledged.
    pub async fn stop(self) {
        let Running {
            stop,
            mut serving,
            store,
            engine,
            views,
            follower,
            watching,
            ..
        } = self;
        stop.send_replace(true);
        if let Some(watching) = watching {
            // It holds nothing that has to end well.
            let _ = watching.await;
        }
        if !serving.is_finished()
            && tokio::time::timeout(self.stop_timeout, &mut serving)
                .await
                .is_err()
        {
            tracing::warn!("requests were cut off");
            serving.abort();
        }
        engine.close().await;
        drop(engine);
        // Then the next start has nothing to apply; views that are far behind go on there.
        let caught_up = async {
            if let Ok(head) = store.head().await {
                views.wait_applied(head.size).await;
            }
        };
        let _ = tokio::time::timeout(CATCH_UP_MAX, caught_up).await;
        follower.stop().await;
        let closed = tokio::task::spawn_blocking(move || {
            if let Err(fault) = views.close() {
                tracing::warn!(fault = chain(&fault), "the views were not closed");
            }
            drop(views);
            close_store(store);
        });
        if let Err(fault) = closed.await {
            tracing::warn!(fault = chain(&fault), "closing was cut off");
        }
        tracing::info!("stopped");
    }
}

/// A connection that was cut off may still hold the store for a moment; then it closes when dropped,
/// which does the same and says less.
fn close_store(store: Arc<Store>) {
    let Some(store) = Arc::into_inner(store) else {
        return;
    };
    if let Err(error) = store.into_inner().close() {
        tracing::warn!(fault = chain(&error), "the log was not closed");
    }
}

fn say_started(recovery: &Recovery, local_addr: SocketAddr, http_addr: Option<SocketAddr>) {
    warn_of_torn_tail(&recovery.log);
    tracing::info!(
        size = recovery.log.head.size,
        ledger = ?recovery.ledger,
        views = ?recovery.views,
        %local_addr,
        http_addr = http_addr.map(tracing::field::display),
        "started"
    );
}

/// Says what a crash or a loss of power left behind, which is no harm.
fn warn_of_torn_tail(log: &RecoveryReport) {
    if let Some(tail) = &log.torn_tail {
        tracing::warn!(
            "the last write before the server went down was cut off: {} bytes at offset {} of {} were \
             never acknowledged to anyone and have been removed",
            tail.bytes,
            tail.offset,
            tail.path.display()
        );
    }
}

async fn listen_http(config: &Config) -> Result<Option<(TcpListener, SocketAddr)>, StartError> {
    let Some(listen) = config.http.listen else {
        return Ok(None);
    };
    let refused = |source| StartError::Http { listen, source };
    let listener = TcpListener::bind(listen).await.map_err(refused)?;
    let address = listener.local_addr().map_err(refused)?;
    Ok(Some((listener, address)))
}

async fn open_store(config: &Config) -> Result<(LogStore<OsFs>, RecoveryReport), StartError> {
    let dir = config.data_dir.clone();
    let storage = &config.storage;
    let options = store_log::Options {
        segment_bytes: storage.segment_bytes,
        mark_after_ms: storage.idle_mark_ms,
        open_segments_max: storage.open_segments_max,
        memtable_keys_max: storage.index_keys_max,
        filter_cache_bytes: storage.index_filter_bytes,
        ..store_log::Options::default()
    };
    let open = move || {
        let opened = LogStore::open(OsFs, &dir, options, Arc::new(LedgerKeys::default()));
        opened.map_err(|source| match source {
            OpenError::Locked { .. } => StartError::InUse { dir },
            source => StartError::Store { dir, source },
        })
    };
    tokio::task::spawn_blocking(open)
        .await
        .map_err(StartError::CutOff)?
}

async fn open_views(
    config: &Config,
    engine: &Engine<Store>,
) -> Result<(Views, views::Opened), StartError> {
    let (dir, ledger_id) = (config.data_dir.join("views"), engine.ledger_id());
    let (secret, options) = (engine.secret().clone(), views::Options::default());
    let open = move || Views::open(&dir, ledger_id, secret, options);
    let opened = tokio::task::spawn_blocking(open)
        .await
        .map_err(StartError::CutOff)?;
    Ok(opened?)
}

fn writer_options(config: &Config) -> WriterOptions {
    WriterOptions {
        group_bytes: usize::try_from(config.writer.group_bytes_max).unwrap_or(usize::MAX),
        facts_max: config.writer.state_facts_max,
        learners_max: config.writer.learners_cached_max,
    }
}

/// The thread that keeps the views up to date.
struct Follower {
    stop: watch::Sender<bool>,
    /// Set to the reason when it ended by itself.
    stopped: watch::Receiver<Option<String>>,
    thread: thread::JoinHandle<()>,
}

impl Follower {
    /// A thread of its own, because applying a batch takes as long as the batch is.
    fn start(store: Arc<Store>, views: Arc<Views>) -> io::Result<Self> {
        let (stop, mut stopping) = watch::channel(false);
        let (report, stopped) = watch::channel(None);
        let runtime = tokio::runtime::Builder::new_current_thread().build()?;
        let follow = move || {
            let told = async move {
                // Also when nobody is left to tell.
                let _ = stopping.wait_for(|stop| *stop).await;
            };
            if let Err(fault) = runtime.block_on(views::follow(store, views, told)) {
                let reason = chain(&fault);
                tracing::error!(fault = reason, "the views follow the log no more");
                report.send_replace(Some(reason));
            }
            // Readers that wait take a dropped sender for a stop as well.
        };
        let thread = thread::Builder::new()
            .name("views-follow".to_owned())
            .spawn(follow)?;
        Ok(Follower {
            stop,
            stopped,
            thread,
        })
    }

    async fn stop(self) {
        self.stop.send_replace(true);
        let joined = tokio::task::spawn_blocking(move || self.thread.join()).await;
        if !matches!(joined, Ok(Ok(()))) {
            tracing::error!("the thread of the views panicked");
        }
    }
}
