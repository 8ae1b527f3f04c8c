//! [`LogStore`]: the [`EventStore`] over the synchronous [`Log`].
//!
//! Apart from the core so that a verifier carries no async code. Three kinds of threads:
//! - one writer owns the [`Log`]: appends, erasures and head marks reach it through a channel, in order;
//! - one background thread fills spares and writes the key index ([`Background::step`]);
//! - reads run on the thread that polls them: they are preads that a warm page cache answers in
//!   microseconds, less than it costs to hand them to another thread. A cold read holds its thread for
//!   one access to the disk, so a server that expects those gives its runtime a thread more.

use std::io;
use std::path::Path;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use chain::{Block, Head, Position, Record};
use durable::Fs;
use store::{AppendError, EventStore, Fault, Key, Keys, ReadError};
use tokio::sync::{oneshot, watch};

use crate::catalog::lock;
use crate::index::Index;
use crate::{Background, Log, OpenError, Options, Reader, RecoveryReport};

/// How long the background waits before it tries again what failed.
const RETRY: Duration = Duration::from_secs(1);

/// A ledger in segment files, as a store. Dropping it marks the head, writes what the index holds in
/// memory and ends its threads; [`LogStore::close`] does so and says what failed.
pub struct LogStore<F: Fs> {
    reader: Reader<F>,
    index: Arc<Index<F>>,
    head: watch::Receiver<Head>,
    erased_through: Arc<Mutex<Option<Position>>>,
    commands: Option<mpsc::Sender<Command>>,
    writer: Option<JoinHandle<io::Result<()>>>,
    background: Option<JoinHandle<()>>,
}

enum Command {
    Append {
        expected: Head,
        block: Block,
        keys: Option<Vec<(Key, Position)>>,
        reply: oneshot::Sender<Result<Head, AppendError>>,
    },
    Erase {
        positions: Vec<Position>,
        through: Position,
        reply: oneshot::Sender<Result<(), Fault>>,
    },
    Mark {
        reply: oneshot::Sender<io::Result<bool>>,
    },
}

/// What the writer's thread owns.
struct Writer<F: Fs> {
    log: Log<F>,
    commands: mpsc::Receiver<Command>,
    head: watch::Sender<Head>,
    erased_through: Arc<Mutex<Option<Position>>>,
    wake_background: mpsc::SyncSender<()>,
}

impl<F: Fs> LogStore<F> {
    /// Opens the ledger in `dir` as [`Log::open`] does, and starts its threads.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub fn open(
        fs: F,
        dir: &Path,
        options: Options,
        keys: Arc<dyn Keys>,
    ) -> Result<(Self, RecoveryReport), OpenError> {
        let (log, report) = Log::open(fs, dir, options, keys)?;
        let (head, head_seen) = watch::channel(log.head());
        let erased_through = Arc::new(Mutex::new(log.erased_through()));
        let (commands, received) = mpsc::channel();
        let (wake_background, woken) = mpsc::sync_channel(1);
        let (reader, index, work) = (log.reader(), log.index(), log.background());
        let writer = Writer {
            log,
            commands: received,
            head,
            erased_through: Arc::clone(&erased_through),
            wake_background,
        };
        let start = |name: &str| thread::Builder::new().name(name.to_owned());
        let threads = |source| OpenError::Thread { source };
        let background = start("log-background")
            .spawn(move || work_ahead(&work, &woken))
            .map_err(threads)?;
        let writer = start("log-writer")
            .spawn(move || writer.run())
            .map_err(threads)?;
        let store = Self {
            reader,
            index,
            head: head_seen,
            erased_through,
            commands: Some(commands),
            writer: Some(writer),
            background: Some(background),
        };
        Ok((store, report))
    }

    /// For reads outside of async code.
    pub fn reader(&self) -> Reader<F> {
        self.reader.clone()
    }

    /// Marks the head now instead of after the idle time; true when there was something to mark.
    ///
    /// # Errors
    /// The writer has stopped, or stops because this failed.
    pub async fn mark(&self) -> Result<bool, Fault> {
        let (reply, replied) = oneshot::channel();
        self.send(Command::Mark { reply }).map_err(|()| stopped())?;
        let marked = replied.await.map_err(|_| stopped())?;
        marked.map_err(|source| Fault::backend("mark the head", source))
    }

    /// Ends the threads, after the head was marked and the index written.
    ///
    /// # Errors
    /// Whatever could not be written. Nothing that was acknowledged is harmed.
    pub fn close(mut self) -> io::Result<()> {
        self.end()
    }

    fn end(&mut self) -> io::Result<()> {
        drop(self.commands.take());
        let panicked = || io::Error::other("a thread of the log panicked");
        let closed = match self.writer.take() {
            Some(writer) => writer.join().map_err(|_| panicked())?,
            None => Ok(()),
        };
        match self.background.take() {
            Some(background) => background.join().map_err(|_| panicked()).and(closed),
            None => closed,
        }
    }

    fn send(&self, command: Command) -> Result<(), ()> {
        self.commands
            .as_ref()
            .ok_or(())?
            .send(command)
            .map_err(|_| ())
    }
}

impl<F: Fs> Drop for LogStore<F> {
    fn drop(&mut self) {
        // Whatever fails here, recovery does again.
        let _ = self.end();
    }
}

impl<F: Fs> EventStore for LogStore<F> {
    async fn head(&self) -> Result<Head, Fault> {
        Ok(self.reader.head())
    }

    async fn append_keyed(
        &self,
        expected: Head,
        block: Block,
        keys: Option<Vec<(Key, Position)>>,
    ) -> Result<Head, AppendError> {
        let (reply, replied) = oneshot::channel();
        let dead = || AppendError::Dead {
            reason: "the store was closed".to_owned(),
        };
        self.send(Command::Append {
            expected,
            block,
            keys,
            reply,
        })
        .map_err(|()| dead())?;
        let lost = |source: oneshot::error::RecvError| AppendError::Unknown {
            source: source.into(),
        };
        replied.await.map_err(lost)?
    }

    async fn read(&self, from: Position, bytes_max: u64) -> Result<Vec<Record>, ReadError> {
        self.reader.read(from, bytes_max)
    }

    async fn get(&self, positions: &[Position]) -> Result<Vec<Record>, ReadError> {
        self.reader.get(positions)
    }

    async fn find(&self, keys: &[Key]) -> Result<Vec<Option<Position>>, ReadError> {
        self.index.find(keys)
    }

    async fn find_all(
        &self,
        key: Key,
        from: Position,
        below: Position,
    ) -> Result<Vec<Position>, ReadError> {
        self.index.find_all(key, from, below)
    }

    async fn erase(&self, positions: &[Position], through: Position) -> Result<(), Fault> {
        let (reply, replied) = oneshot::channel();
        let positions = positions.to_vec();
        self.send(Command::Erase {
            positions,
            through,
            reply,
        })
        .map_err(|()| stopped())?;
        replied.await.map_err(|_| stopped())?
    }

    async fn erased_through(&self) -> Result<Option<Position>, Fault> {
        Ok(*lock(&self.erased_through))
    }

    async fn wait_past(&self, position: Position) -> Result<Head, Fault> {
        let mut head = self.head.clone();
        let reached = head.wait_for(|head| head.size > position.0).await;
        reached.map(|head| *head).map_err(|_| stopped())
    }
}

fn stopped() -> Fault {
    Fault::Stopped {
        reason: "the store was closed".to_owned(),
    }
}

impl<F: Fs> Writer<F> {
    fn run(mut self) -> io::Result<()> {
        let mark_after = Duration::from_millis(self.log.options().mark_after_ms);
        loop {
            let next = if self.log.needs_mark() {
                self.commands.recv_timeout(mark_after)
            } else {
                self.commands
                    .recv()
                    .map_err(|_| RecvTimeoutError::Disconnected)
            };
            match next {
                Ok(command) => self.carry_out(command),
                Err(RecvTimeoutError::Timeout) => {
                    // A failure stops the writer; the next append tells its caller so.
                    let _ = self.log.mark_if_idle();
                }
                Err(RecvTimeoutError::Disconnected) => return self.log.close(),
            }
        }
    }

    fn carry_out(&mut self, command: Command) {
        // Whoever gave up waiting for a reply finds the outcome in the ledger.
        match command {
            Command::Append {
                expected,
                block,
                keys,
                reply,
            } => {
                let result = self.log.append_keyed(expected, &block, keys);
                if let Ok(head) = result {
                    self.head.send_replace(head);
                }
                let _ = reply.send(result);
                let _ = self.wake_background.try_send(());
            }
            Command::Erase {
                positions,
                through,
                reply,
            } => {
                let result = self.log.erase(&positions, through);
                *lock(&self.erased_through) = self.log.erased_through();
                let _ = reply.send(result);
            }
            Command::Mark { reply } => {
                let _ = reply.send(self.log.mark_if_idle());
            }
        }
    }
}

/// Works until nothing is left, then sleeps until an append; what failed is tried again after a while.
fn work_ahead<F: Fs>(work: &Background<F>, woken: &mpsc::Receiver<()>) {
    loop {
        let slept = match work.step() {
            Ok(true) => match woken.try_recv() {
                Err(mpsc::TryRecvError::Disconnected) => return,
                _ => {
                    // Whoever waits for an answer goes first: nobody waits for this.
                    thread::yield_now();
                    continue;
                }
            },
            Ok(false) => woken.recv().map_err(|_| RecvTimeoutError::Disconnected),
            Err(_) => woken.recv_timeout(RETRY),
        };
        if slept == Err(RecvTimeoutError::Disconnected) {
            return;
        }
    }
}
