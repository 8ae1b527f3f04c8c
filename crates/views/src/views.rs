//! The handle on the views: its options, its locks, and the questions that need no record.
//!
//! Apart from `account`, which reads bodies from the store, and from `open` and `apply`, which write.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError, RwLock, RwLockWriteGuard};

use chain::Position;
use durable::OsLock;
use ledger::Handle;
use tokio::sync::{Notify, watch};

use crate::fault::{ViewsFault, Why};
use crate::mark::Reach;
use crate::sealed::Sealed;
use crate::{chains, issued, joins, pending};

/// What can be set.
#[derive(Debug, Clone)]
pub struct Options {
    /// How much of its pages sled keeps in memory.
    pub cache_bytes: u64,
    /// After how many records the mark is written anew: what is replayed after a crash at most.
    pub mark_records: u64,
    /// How much of the log [`follow`](crate::follow) reads at once. A longer batch touches the same
    /// learner more often per write.
    pub read_bytes: u64,
    /// Names the boot of the machine; `None` asks the machine. For tests.
    pub boot_id: Option<String>,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            cache_bytes: 64 << 20,
            mark_records: 1 << 18,
            read_bytes: 4 << 20,
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
    pub(crate) options: Options,
    /// `None` once closed. Written only to close or to build anew.
    ///
    /// Order: `writer`, then `trees`, then `erasures`; none is held across an await.
    pub(crate) trees: RwLock<Option<Trees>>,
    pub(crate) writer: Mutex<Writer>,
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
    /// The size that the mark on disk says.
    pub(crate) marked: u64,
}

/// The open database.
#[derive(Debug)]
pub(crate) struct Trees {
    pub(crate) db: sled::Db,
    pub(crate) meta: Sealed,
    pub(crate) chains: Sealed,
    pub(crate) issued: Sealed,
    pub(crate) joins: Sealed,
    pub(crate) provisional: Sealed,
    pub(crate) pending: Sealed,
    pub(crate) accounts: Sealed,
}

impl Trees {
    pub(crate) fn pending(&self) -> pending::Trees<'_> {
        pending::Trees {
            provisional: &self.provisional,
            pending: &self.pending,
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

    /// Positions of all events on the chains of this account and of every account that was ever joined
    /// with it by merges, either way and transitively, sorted. A record of a merged account is revoked
    /// or superseded on the absorbing account's chain, hence all of them.
    ///
    /// # Errors
    /// [`ViewsFault::Damaged`], [`ViewsFault::Closed`] or a failure of the database.
    pub fn history(&self, handle: Handle) -> Result<Vec<Position>, ViewsFault> {
        self.history_at(handle, self.applied())
    }

    /// The history as of a size that has been applied.
    pub(crate) fn history_at(
        &self,
        handle: Handle,
        size: u64,
    ) -> Result<Vec<Position>, ViewsFault> {
        self.with(|trees| {
            let mut positions = Vec::new();
            for member in joins::component(&trees.joins, handle, size)? {
                chains::read(&trees.chains, member, size, &mut positions)?;
            }
            positions.sort_unstable();
            Ok(positions.into_iter().map(Position).collect())
        })
    }

    /// Positions of the AchievementRecorded records of an issuer after `after`, ascending, at most
    /// `limit`.
    ///
    /// # Errors
    /// As [`Views::history`].
    pub fn issued(
        &self,
        issuer: &str,
        after: Option<Position>,
        limit: usize,
    ) -> Result<Vec<Position>, ViewsFault> {
        let size = self.applied();
        self.with(|trees| issued::page(&trees.issued, issuer, after, limit, size))
    }

    /// Provisional accounts that wait to be bound, neither merged nor erased nor given a person's
    /// attributes, with the position of their registration, which comes after `after`; ascending, at
    /// most `limit`.
    ///
    /// # Errors
    /// As [`Views::history`].
    pub fn pending(
        &self,
        after: Option<Position>,
        limit: usize,
    ) -> Result<Vec<(Position, Handle)>, ViewsFault> {
        let size = self.applied();
        self.with(|trees| trees.pending().page(after, limit, size))
    }

    /// After an erasure: drops what is stored of the accounts of these learners and of all that were
    /// ever joined with them. To be called once the bodies are gone; the record of the erasure, when it
    /// is applied, does the same, but the bodies may have been read again in between.
    ///
    /// # Errors
    /// As [`Views::history`].
    pub fn forget(&self, handles: &[Handle]) -> Result<(), ViewsFault> {
        self.with(|trees| {
            handles
                .iter()
                .try_for_each(|handle| self.forget_component(trees, *handle))
        })
    }

    pub(crate) fn forget_component(&self, trees: &Trees, handle: Handle) -> Result<(), ViewsFault> {
        let component = joins::component(&trees.joins, handle, u64::MAX)?;
        let mut erasures = lock(&self.erasures);
        *erasures = erasures.wrapping_add(1);
        component
            .iter()
            .try_for_each(|member| trees.accounts.remove(&member.0))
    }

    /// Calls `f` with the open database, and notes when it reports damage.
    pub(crate) fn with<T>(
        &self,
        f: impl FnOnce(&Trees) -> Result<T, ViewsFault>,
    ) -> Result<T, ViewsFault> {
        let trees = self.trees.read().unwrap_or_else(PoisonError::into_inner);
        let result = f(trees.as_ref().ok_or(ViewsFault::Closed)?);
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

    pub(crate) fn lock_writer(&self) -> MutexGuard<'_, Writer> {
        lock(&self.writer)
    }
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What these locks guard is valid after every single step, so a panic elsewhere harms nothing.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
