//! A file system in memory whose faults are data: which operation crashes or fails, and what survives.
//!
//! The model, in one place:
//! - **names**: a created, renamed or removed name is pending until its directory is synced;
//! - **bytes**: a write is pending until its file is synced; it reaches the disk in sectors of 512
//!   bytes, each of which holds its old or its new content (powersafe overwrite);
//! - **a failed sync** may drop the pending writes of its file for good while reads still show them,
//!   and a later sync returns `Ok` without them, as Linux does: only writing them again helps;
//! - **a crash** stops the machine at one operation: that operation and all later ones return an
//!   error, and [`SimFs::after_crash`] gives what a restart finds, for each kind of [`Survivors`].
//!   The crashing operation itself counts as issued: what it changed is pending, a sync is not done;
//! - **a kill** stops only the process: [`SimFs::after_kill`] keeps the page cache, durable or not.
//!
//! Every call counts as one operation, reads too, in the order of calls, from 0.

mod disk;

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::{File, Fs, Mode};
use disk::Disk;
pub use disk::{SECTOR_BYTES, Survivors};

/// What a failed operation did before it returned its error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// Nothing. A failed sync also loses what it should have made durable.
    Absent,
    /// All of it.
    Present,
}

/// The kind of an operation, for a sweep that wants to skip some.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Op {
    /// Reading bytes, lengths or names; opening without creating.
    Read,
    /// Writing bytes.
    Write,
    /// Creating, renaming or removing a name.
    Name,
    /// Syncing a file.
    Sync,
    /// Syncing a directory.
    SyncDir,
    /// Taking a lock.
    Lock,
}

/// The simulated file system. Clones share the same disk.
#[derive(Clone)]
pub struct SimFs {
    shared: Arc<Mutex<Shared>>,
}

/// An open file of a [`SimFs`].
#[derive(Debug)]
pub struct SimFile {
    fs: SimFs,
    file: u64,
    writable: bool,
}

/// A held lock of a [`SimFs`].
#[derive(Debug)]
pub struct SimLock {
    fs: SimFs,
    path: PathBuf,
}

#[derive(Default)]
struct Shared {
    disk: Disk,
    locks: Vec<PathBuf>,
    log: Vec<Op>,
    crash_at: Option<usize>,
    crashed: bool,
    fail: Option<(usize, Effect)>,
}

impl Default for SimFs {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for SimFs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shared = self.shared();
        f.debug_struct("SimFs")
            .field("ops", &shared.log.len())
            .field("crashed", &shared.crashed)
            .finish_non_exhaustive()
    }
}

impl SimFs {
    /// An empty disk with a root directory and the empty relative path, and no faults.
    pub fn new() -> Self {
        Self::from_disk(Disk::default())
    }

    /// The machine stops at operation `op` (counted from 0).
    pub fn crash_at(&self, op: usize) {
        self.shared().crash_at = Some(op);
    }

    /// Operation `op` (counted from 0) returns an error, once.
    pub fn fail(&self, op: usize, effect: Effect) {
        self.shared().fail = Some((op, effect));
    }

    /// Files may grow by this many more bytes in total; then writes that grow one fail with
    /// `StorageFull`, after as much as fitted.
    pub fn disk_full_after(&self, bytes: u64) {
        self.shared().disk.space = Some(bytes);
    }

    /// Ends [`SimFs::disk_full_after`].
    pub fn disk_has_space(&self) {
        self.shared().disk.space = None;
    }

    /// The number of operations so far.
    pub fn ops(&self) -> usize {
        self.shared().log.len()
    }

    /// The kind of each operation so far.
    pub fn log(&self) -> Vec<Op> {
        self.shared().log.clone()
    }

    /// Whether the crash point has been reached.
    pub fn crashed(&self) -> bool {
        self.shared().crashed
    }

    /// The file system that a restart finds if the machine stopped now.
    pub fn after_crash(&self, survivors: Survivors) -> Self {
        Self::from_disk(self.shared().disk.after_crash(survivors))
    }

    /// The file system that a restart of the process alone finds: reads show what was written, and
    /// what was not durable is still not durable.
    pub fn after_kill(&self) -> Self {
        Self::from_disk(self.shared().disk.clone())
    }

    /// Changes a byte as a failing disk would: durably, unnoticed, outside the count of operations.
    ///
    /// # Errors
    /// `NotFound` for a name without a file, `UnexpectedEof` past its end.
    pub fn flip(&self, path: &Path, offset: u64, mask: u8) -> io::Result<()> {
        self.shared().disk.flip(path, offset, mask)
    }

    fn from_disk(disk: Disk) -> Self {
        let shared = Shared {
            disk,
            ..Shared::default()
        };
        Self {
            shared: Arc::new(Mutex::new(shared)),
        }
    }

    fn shared(&self) -> MutexGuard<'_, Shared> {
        // A panic in a test leaves plain data behind, which the next caller may well look at.
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts one operation and carries it out as far as the faults allow.
    fn op<T>(&self, op: Op, act: impl FnOnce(&mut Shared) -> io::Result<T>) -> io::Result<T> {
        let mut shared = self.shared();
        if shared.crashed {
            return Err(crash());
        }
        let n = shared.log.len();
        shared.log.push(op);
        if shared.crash_at == Some(n) {
            shared.crashed = true;
            if matches!(op, Op::Write | Op::Name) {
                // Issued: whether it survives is the business of `after_crash`.
                act(&mut shared)?;
            }
            return Err(crash());
        }
        match shared.fail {
            Some((at, effect)) if at == n => {
                shared.fail = None;
                if effect == Effect::Present {
                    act(&mut shared)?;
                }
                Err(io::Error::other(format!(
                    "simulated failure of operation {n}"
                )))
            }
            _ => act(&mut shared),
        }
    }
}

fn crash() -> io::Error {
    io::Error::other("simulated crash")
}

impl Fs for SimFs {
    type File = SimFile;
    type Lock = SimLock;

    fn create_dir_all(&self, dir: &Path) -> io::Result<()> {
        self.op(Op::Name, |s| s.disk.create_dir_all(dir))
    }

    fn open(&self, path: &Path, mode: Mode) -> io::Result<SimFile> {
        let op = if matches!(mode, Mode::Create | Mode::CreatePrivate) {
            Op::Name
        } else {
            Op::Read
        };
        let file = self.op(op, |s| match mode {
            Mode::Create | Mode::CreatePrivate => s.disk.create(path),
            Mode::Read | Mode::Write => s.disk.file(path),
        })?;
        Ok(SimFile {
            fs: self.clone(),
            file,
            writable: mode != Mode::Read,
        })
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.op(Op::Name, |s| s.disk.rename(from, to))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.op(Op::Name, |s| s.disk.remove(path))
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        self.op(Op::Read, |s| s.disk.list(dir))
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        self.op(Op::SyncDir, |s| s.disk.sync_dir(dir))
    }

    fn lock(&self, path: &Path) -> io::Result<SimLock> {
        self.op(Op::Lock, |s| {
            if s.locks.iter().any(|held| held == path) {
                return Err(io::ErrorKind::WouldBlock.into());
            }
            if s.disk.file(path).is_err() {
                s.disk.create(path)?;
            }
            s.locks.push(path.to_path_buf());
            Ok(())
        })?;
        Ok(SimLock {
            fs: self.clone(),
            path: path.to_path_buf(),
        })
    }
}

impl Drop for SimLock {
    fn drop(&mut self) {
        self.fs.shared().locks.retain(|held| *held != self.path);
    }
}

impl File for SimFile {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        self.fs
            .op(Op::Read, |s| s.disk.read_at(self.file, buf, offset))
    }

    fn write_all_at(&self, buf: &[u8], offset: u64) -> io::Result<()> {
        if !self.writable {
            // What the system answers for a descriptor that was opened for reading (EBADF).
            return Err(io::Error::from_raw_os_error(9));
        }
        self.fs
            .op(Op::Write, |s| s.disk.write_at(self.file, buf, offset))
    }

    fn sync_data(&self) -> io::Result<()> {
        let lost = {
            let shared = self.fs.shared();
            let n = shared.log.len();
            !shared.crashed && shared.fail == Some((n, Effect::Absent))
        };
        let result = self.fs.op(Op::Sync, |s| s.disk.sync(self.file));
        if lost {
            self.fs.shared().disk.lose(self.file);
        }
        result
    }

    fn len(&self) -> io::Result<u64> {
        self.fs.op(Op::Read, |s| s.disk.len(self.file))
    }
}
