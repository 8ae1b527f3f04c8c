//! Files with a durability contract, and a simulator of what a crash leaves.
//!
//! This is the only crate that names `std::fs`. Everything that must survive a crash goes through
//! [`Fs`], so that every crash point can be tried in [`SimFs`] and judged by the verifier.

mod atomic;
mod machine;
mod os;
mod sim;

use std::io;
use std::path::Path;

pub use atomic::{make_dir, read_exact_at, read_file, write_atomic, write_atomic_private};
pub use machine::{FileSystem, Space, lock_holder, space};
pub use os::{OsFile, OsFs, OsLock, syncs};
pub use sim::{Effect, Op, SECTOR_BYTES, SimFile, SimFs, SimLock, Survivors};

/// How a file is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Read only; the file must exist.
    Read,
    /// Read and write; the file must exist.
    Write,
    /// Read and write; the file must not exist and is created empty.
    Create,
    /// The same, for its owner alone (mode 0600): for secrets.
    CreatePrivate,
}

/// A file system as a store sees it: names, bytes, and when each of them survives a power loss.
///
/// Durability: written bytes survive once [`File::sync_data`] on that file returned `Ok`; a created,
/// renamed or removed *name* survives once [`Fs::sync_dir`] on its directory returned `Ok`. After a
/// write or a sync returned an error nothing is known of the bytes of that file that were not yet
/// synced, and a second sync may return `Ok` without having written them: write them again.
///
/// Powersafe overwrite is assumed, as SQLite and PostgreSQL do: after a power loss a sector of 512
/// bytes holds its old or its new content, and bytes next to a write are never harmed by it.
pub trait Fs: Clone + Send + Sync + 'static {
    /// An open file.
    type File: File;
    /// A held lock; released when dropped.
    type Lock: Send + Sync + 'static;

    /// Creates a directory and its parents; no error when it exists. [`make_dir`] makes it durable.
    fn create_dir_all(&self, dir: &Path) -> io::Result<()>;
    /// Opens a file.
    fn open(&self, path: &Path, mode: Mode) -> io::Result<Self::File>;
    /// Renames a file, replacing the target atomically.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Removes a file.
    fn remove(&self, path: &Path) -> io::Result<()>;
    /// Names of the entries of a directory, sorted; `NotFound` when there is none.
    fn list(&self, dir: &Path) -> io::Result<Vec<String>>;
    /// Makes the names of a directory durable.
    fn sync_dir(&self, dir: &Path) -> io::Result<()>;
    /// Takes an exclusive lock, creating the file; `WouldBlock` when it is held elsewhere.
    fn lock(&self, path: &Path) -> io::Result<Self::Lock>;
}

/// An open file: positioned reads and writes, no cursor, shareable between threads.
pub trait File: Send + Sync + 'static {
    /// Reads up to `buf.len()` bytes at `offset`; 0 at or past the end.
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize>;
    /// Writes all of `buf` at `offset`, growing the file as needed.
    fn write_all_at(&self, buf: &[u8], offset: u64) -> io::Result<()>;
    /// Makes written bytes and the length durable (fdatasync).
    fn sync_data(&self) -> io::Result<()>;
    /// Length in bytes.
    fn len(&self) -> io::Result<u64>;
    /// Whether the file has no bytes.
    fn is_empty(&self) -> io::Result<bool> {
        Ok(self.len()? == 0)
    }
}
