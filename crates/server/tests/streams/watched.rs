//! A store that is watched and held up.
//!
//! Apart from the tests because it says nothing of streams.

use std::sync::atomic::{AtomicUsize, Ordering};

use chain::{Block, Head, Position, Record};
use store::{AppendError, EventStore, Fault, Key, MemoryStore, ReadError};
use tokio::sync::Semaphore;

/// A memory store that counts what is read from it, and that can be made to keep appends waiting.
pub(crate) struct Watched {
    pub(crate) store: MemoryStore,
    pub(crate) n_read: AtomicUsize,
    /// Taken by every append for as long as it lasts.
    pub(crate) gate: Semaphore,
}

impl EventStore for Watched {
    async fn head(&self) -> Result<Head, Fault> {
        self.store.head().await
    }

    async fn append_keyed(
        &self,
        expected: Head,
        block: Block,
        keys: Option<Vec<(Key, Position)>>,
    ) -> Result<Head, AppendError> {
        let _open = self.gate.acquire().await.unwrap();
        self.store.append_keyed(expected, block, keys).await
    }

    async fn read(&self, from: Position, bytes_max: u64) -> Result<Vec<Record>, ReadError> {
        let records = self.store.read(from, bytes_max).await?;
        self.n_read.fetch_add(records.len(), Ordering::Relaxed);
        Ok(records)
    }

    async fn get(&self, positions: &[Position]) -> Result<Vec<Record>, ReadError> {
        self.store.get(positions).await
    }

    async fn find(&self, keys: &[Key]) -> Result<Vec<Option<Position>>, ReadError> {
        self.store.find(keys).await
    }

    async fn find_all(
        &self,
        key: Key,
        from: Position,
        below: Position,
    ) -> Result<Vec<Position>, ReadError> {
        self.store.find_all(key, from, below).await
    }

    async fn erase(&self, positions: &[Position], through: Position) -> Result<(), Fault> {
        self.store.erase(positions, through).await
    }

    async fn erased_through(&self) -> Result<Option<Position>, Fault> {
        self.store.erased_through().await
    }

    async fn wait_past(&self, position: Position) -> Result<Head, Fault> {
        self.store.wait_past(position).await
    }
}
