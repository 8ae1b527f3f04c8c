//! The handle on the views: its options, its locks, and the questions that need no record.
//!
//! Apart from `account` and `told`, which read from the store, and from `open` and `apply`, which write.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError, RwLock, RwLockWriteGuard};

use chain::Position;
use durable::OsLock;
use ledger::KeySecret;
use tokio::sync::{Notify, watch};

use crate::buffer::Buffer;
use crate::fault::{ViewsFault, Why};
use crate::mark::Reach;
use crate::pending;
use crate::sealed::Sealed;

/// What can be set.
#[derive(Debug, Clone)]
pub struct Options {
    /// How much of its pages sled keeps in memory.
    pub cache_bytes: u64,
    /// How many entries of lists, one or two a record, wait in memory to be written into sled list by list,
    /// 16 bytes each. After a crash as many are replayed.
    pub buffer_entries: usize,
    /// How much of the log [`follow`](crate::follow) reads at once.
    pub read_bytes: u64,
    /// How many entries of each list one search looks at, at least 1. The default takes a few milliseconds.
    pub look_max: usize,
    /// Names the boot of the machine; `None` asks the machine. For tests.
    pub boot_id: Option<String>,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            cache_bytes: 64 << 20,
            buffer_entries: 1 << 18,
            read_bytes: 1 << 20,
            look_max: 1 << 15,
            boot_id: None,
        }
    }
}

/// What was found when the views were opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Opened {
    /// Views that are taken up where they were left.
    Resumed {
        /// Number of records that they reflect.
        applied: u64,
    },
    /// None that could be used; they begin empty.
    Rebuilding {
        /// Why.
        why: Why,
    },
}

/// The read models. Shared behind an `Arc`; readers are as many as you like.
#[derive(Debug)]
pub struct Views {
    pub(crate) dir: PathBuf,
    pub(crate) ledger_id: [u8; 16],
    pub(crate) secret: KeySecret,
    pub(crate) options: Options,
    /// `None` once closed. Written only to close or to build anew.
    ///
    /// Order: `writer`, then `trees`, then `buffer` or `erasures`; none is held across an await.
    pub(crate) trees: RwLock<Option<Trees>>,
    pub(crate) writer: Mutex<Writer>,
    pub(crate) buffer: Buffer,
    pub(crate) applied: watch::Sender<u64>,
    /// Number of erasures taken in: who folds an account from bodies does not store it when this has
    /// changed in between.
    pub(crate) erasures: Mutex<u64>,
    pub(crate) damaged: AtomicBool,
    pub(crate) damage: Notify,
    /// Held until dropped.
    pub(crate) _lock: OsLock,
}

/// What only the one who applies touches.
#[derive(Debug)]
pub(crate) struct Writer {
    /// How far the views reach.
    pub(crate) reach: Reach,
}

/// The open database.
#[derive(Debug)]
pub(crate) struct Trees {
    pub(crate) db: sled::Db,
    pub(crate) meta: Sealed,
    pub(crate) lists: Sealed,
    pub(crate) changed: Sealed,
    pub(crate) provisional: Sealed,
    pub(crate) registered: Sealed,
    pub(crate) pending: Sealed,
    pub(crate) settled: Sealed,
    pub(crate) accounts: Sealed,
}

impl Trees {
    pub(crate) fn pending(&self) -> pending::Trees<'_> {
        pending::Trees {
            provisional: &self.provisional,
            registered: &self.registered,
            pending: &self.pending,
            settled: &self.settled,
        }
    }
}

impl Views {
    /// Number of records reflected.
    #[must_use]
    pub fn applied(&self) -> u64 {
        *self.applied.borrow()
    }

    /// Returns as soon as the first `size` records are reflected.
    pub async fn wait_applied(&self, size: u64) {
        let mut applied = self.applied.subscribe();
        let reached = applied.wait_for(|applied| *applied >= size).await;
        reached
            .map(drop)
            .expect("the sender lives as long as `self`");
    }

    /// Provisional accounts that waited to be bound when the ledger had `size` records, neither merged nor
    /// erased nor given a person's attributes, with the position of their registration, which comes after
    /// `after`; ascending, at most `limit`, which is at least 1. Then where to go on, if that was not all.
    ///
    /// # Errors
    /// [`ViewsFault::Damaged`], [`ViewsFault::Closed`] or a failure of the database.
    pub fn pending(
        &self,
        after: Option<Position>,
        limit: usize,
        size: u64,
    ) -> Result<pending::Page, ViewsFault> {
        self.with(|trees, applied| trees.pending().page(after, limit, size.min(applied)))
    }

    /// Calls `f` with the open database and the size that it reflects, and notes when `f` reports damage.
    ///
    /// The size is read under the lock, because whoever builds the views anew sets it back under it.
    pub(crate) fn with<T>(
        &self,
        f: impl FnOnce(&Trees, u64) -> Result<T, ViewsFault>,
    ) -> Result<T, ViewsFault> {
        let trees = self.trees.read().unwrap_or_else(PoisonError::into_inner);
        let result = f(trees.as_ref().ok_or(ViewsFault::Closed)?, self.applied());
        if matches!(result, Err(ViewsFault::Damaged { .. })) {
            self.damaged.store(true, Ordering::Release);
            self.damage.notify_one();
        }
        result
    }

    /// Returns as soon as someone came across damage.
    pub(crate) async fn wait_damaged(&self) {
        while !self.damaged.load(Ordering::Acquire) {
            self.damage.notified().await;
        }
    }

    pub(crate) fn lock_trees(&self) -> RwLockWriteGuard<'_, Option<Trees>> {
        self.trees.write().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn reach(&self) -> Reach {
        self.lock_writer().reach
    }

    pub(crate) fn lock_writer(&self) -> MutexGuard<'_, Writer> {
        lock(&self.writer)
    }
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What these locks guard is valid after every single step, so a panic elsewhere harms nothing.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
