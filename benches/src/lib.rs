//! Benchmarks that print ratios against a baseline in the same run.
//!
//! What they share: servers as processes of their own ([`child`]), a baseline that only appends
//! ([`raw_log`]) and one in SQL ([`postgres`]), callers ([`load`]), and how figures are made and shown
//! ([`figures`]). A benchmark that does not sync measures nothing: syncs are counted and printed.

#![allow(
    clippy::as_conversions,
    clippy::float_arithmetic,
    clippy::unwrap_used,
    reason = "a benchmark prints figures for people, and stops when anything fails"
)]

pub mod child;
pub mod disk;
pub mod figures;
pub mod load;
pub mod plot;
pub mod postgres;
pub mod raw_log;
pub mod sample;

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use durable::{File, Fs, Mode, OsFs};
use mimalloc::MiMalloc;

/// The same as the server's.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// `cargo bench` passes `--bench`: the full size. Anything else, as `cargo test` does: size 1.
#[must_use]
pub fn is_full_size() -> bool {
    std::env::args().any(|argument| argument == "--bench")
}

/// The machine's file system, counting fdatasync.
#[derive(Debug, Clone, Default)]
pub struct CountingFs {
    syncs: Arc<AtomicU64>,
}

impl CountingFs {
    /// How many times a file was synced.
    #[must_use]
    pub fn syncs(&self) -> u64 {
        self.syncs.load(Ordering::Relaxed)
    }
}

/// A file that counts its syncs.
pub struct CountingFile {
    file: <OsFs as Fs>::File,
    syncs: Arc<AtomicU64>,
}

impl Fs for CountingFs {
    type File = CountingFile;
    type Lock = <OsFs as Fs>::Lock;

    fn create_dir_all(&self, dir: &Path) -> io::Result<()> {
        OsFs.create_dir_all(dir)
    }

    fn open(&self, path: &Path, mode: Mode) -> io::Result<CountingFile> {
        let file = OsFs.open(path, mode)?;
        Ok(CountingFile {
            file,
            syncs: Arc::clone(&self.syncs),
        })
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        OsFs.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        OsFs.remove(path)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        OsFs.list(dir)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        OsFs.sync_dir(dir)
    }

    fn lock(&self, path: &Path) -> io::Result<Self::Lock> {
        OsFs.lock(path)
    }
}

impl File for CountingFile {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        self.file.read_at(buf, offset)
    }

    fn write_all_at(&self, buf: &[u8], offset: u64) -> io::Result<()> {
        self.file.write_all_at(buf, offset)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.syncs.fetch_add(1, Ordering::Relaxed);
        self.file.sync_data()
    }

    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }
}

/// The median of several runs: machines are shared and noisy.
#[must_use]
pub fn median(mut runs: Vec<Duration>) -> Duration {
    runs.sort();
    runs[runs.len() / 2]
}

/// How long a thing takes.
pub fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let start = Instant::now();
    let result = work();
    (result, start.elapsed())
}

/// Things per second, for printing.
#[must_use]
pub fn per_second(n: u64, time: Duration) -> f64 {
    n as f64 / time.as_secs_f64().max(1e-9)
}
