//! A store that is measured: the time of appends, the size of groups, erasures.
//!
//! Apart from the engine so that its writer knows nothing of metrics: it appends, and what it appends to
//! looks at the clock twice.

use std::sync::Arc;
use std::time::Instant;

use chain::{Block, Head, Position, Record};
use store::{AppendError, EventStore, Fault, Key, ReadError};

use super::Metrics;

/// Another store, measured.
pub struct Measured<S> {
    store: S,
    metrics: Arc<Metrics>,
}

impl<S> Measured<S> {
    /// Measures a store.
    #[must_use]
    pub fn new(store: S, metrics: Arc<Metrics>) -> Self {
        Measured { store, metrics }
    }

    /// The store itself.
    #[must_use]
    pub fn into_inner(self) -> S {
        self.store
    }
}

/// A counter counts in 64 bits.
fn wide(n: usize) -> u64 {
    u64::try_from(n).unwrap_or(u64::MAX)
}

impl<S: EventStore> EventStore for Measured<S> {
    async fn head(&self) -> Result<Head, Fault> {
        self.store.head().await
    }

    async fn append_keyed(
        &self,
        expected: Head,
        block: Block,
        keys: Option<Vec<(Key, Position)>>,
    ) -> Result<Head, AppendError> {
        let (n_records, n_bytes) = (block.records().len(), block.encoded_len());
        let started = Instant::now();
        let appended = self.store.append_keyed(expected, block, keys).await;
        let metrics = &self.metrics;
        if appended.is_err() {
            metrics.append_failures.inc();
            return appended;
        }
        let seconds = started.elapsed().as_secs_f64();
        metrics.append_seconds.observe(seconds);
        // A histogram is of floating point numbers; a block's records are few enough for any.
        let n = u32::try_from(n_records).unwrap_or(u32::MAX);
        metrics.block_records.observe(f64::from(n));
        metrics.blocks.inc();
        metrics.records.inc_by(wide(n_records));
        metrics.bytes.inc_by(wide(n_bytes));
        appended
    }

    async fn read(&self, from: Position, bytes_max: u64) -> Result<Vec<Record>, ReadError> {
        self.store.read(from, bytes_max).await
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
        let erased = self.store.erase(positions, through).await;
        if erased.is_ok() && !positions.is_empty() {
            self.metrics.erasures.inc();
            self.metrics.erased_bodies.inc_by(wide(positions.len()));
        }
        erased
    }

    async fn erased_through(&self) -> Result<Option<Position>, Fault> {
        self.store.erased_through().await
    }

    async fn wait_past(&self, position: Position) -> Result<Head, Fault> {
        self.store.wait_past(position).await
    }
}
