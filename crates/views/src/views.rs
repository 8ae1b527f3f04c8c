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

use crate::buffer::Buffer;
use crate::chains::Link;
use crate::fault::{ViewsFault, Why};
use crate::mark::Reach;
use crate::sealed::Sealed;
use crate::{chains, issued, joins, pending};

/// What can be set.
#[derive(Debug, Clone)]
pub struct Options {
    /// How much of its pages sled keeps in memory.
    pub cache_bytes: u64,
    /// How many records wait in memory to be written into sled in order of learner, some 60 bytes each.
    /// After a crash at most twice as many are replayed.
    pub buffer_records: usize,
    /// How much of the log [`follow`](crate::follow) reads at once.
    pub read_bytes: u64,
    /// Names the boot of the machine; `None` asks the machine. For tests.
    pub boot_id: Option<String>,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            cache_bytes: 64 << 20,
            buffer_records: 1 << 18,
            read_bytes: 1 << 20,
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
    /// How far they reached when the sweep began its round.
    pub(crate) round: Reach,
    /// What the sweep wrote last in this round.
    pub(crate) cursor: Option<Link>,
}

impl Writer {
    pub(crate) fn at(reach: Reach) -> Writer {
        Writer {
            reach,
            round: reach,
            cursor: None,
        }
    }
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
        self.history_now(handle).map(|(positions, _)| positions)
    }

    /// The history and the size that it reflects.
    pub(crate) fn history_now(&self, handle: Handle) -> Result<(Vec<Position>, u64), ViewsFault> {
        self.with(|trees, size| {
            let mut positions = Vec::new();
            for member in joins::component(&trees.joins, handle, size)? {
                let waiting = self.buffer.links_of(member);
                chains::read(&trees.chains, member, &waiting, size, &mut positions)?;
            }
            positions.sort_unstable();
            Ok((positions.into_iter().map(Position).collect(), size))
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
        self.with(|trees, size| {
            let waiting = self.buffer.issued_by(issuer, after, limit);
            issued::page(&trees.issued, issuer, after, limit, size, waiting)
        })
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
        self.with(|trees, size| trees.pending().page(after, limit, size))
    }

    /// After an erasure: drops what is stored of the accounts of these learners and of all that were
    /// ever joined with them. To be called once the bodies are gone; the record of the erasure, when it
    /// is applied, does the same, but the bodies may have been read again in between.
    ///
    /// # Errors
    /// As [`Views::history`].
    pub fn forget(&self, handles: &[Handle]) -> Result<(), ViewsFault> {
        self.with(|trees, _| {
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

    pub(crate) fn lock_writer(&self) -> MutexGuard<'_, Writer> {
        lock(&self.writer)
    }
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What these locks guard is valid after every single step, so a panic elsewhere harms nothing.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
