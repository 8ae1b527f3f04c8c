//! The `EventStore` on append-only segment files, the embedded default.
//!
//! The core is synchronous ([`Log`], [`Reader`], [`scan`]), so that the verifier needs no runtime; the
//! server's `LogStore` is behind the feature `async`. It exists apart from `store` because the contract
//! knows no file, and from `durable` because that knows no record.
//!
//! What is on disk is described in `ledger-data/README.md`; what each step leaves behind when the
//! machine stops there is at the head of the module that takes the step: `log` for commits and roll-over,
//! `open` and `recover` for what a restart does, `erase` for erasures, `index` for the key index.

mod catalog;
mod erase;
mod error;
mod index;
mod layout;
mod log;
mod near;
mod offsets;
mod open;
mod reader;
mod recover;
pub mod scan;
mod spare;
#[cfg(feature = "async")]
mod store_impl;
#[cfg(feature = "testing")]
pub mod sweep;
mod visit;
mod width;

pub use error::OpenError;
pub use log::{Background, Log};
pub use open::RecoveryReport;
pub use reader::Reader;
pub use recover::TornTail;
#[cfg(feature = "async")]
pub use store_impl::LogStore;

/// How a log is laid out and how much memory it may use. Nothing here changes the format.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Length of new segments in bytes; a block must fit into one.
    pub segment_bytes: u64,
    /// Alignment of blocks in new segments, a power of two from 1 to 65,536. More than 1 only for a
    /// device without powersafe overwrite.
    pub block_align: u32,
    /// Idle time in milliseconds after which `LogStore` marks the head.
    pub mark_after_ms: u64,
    /// How many recently read sealed segments stay open, each with about 512 KiB of offsets,
    /// and up to 2 MiB where records have blocks of their own.
    pub open_segments_max: usize,
    /// Keys that the index holds in memory before it writes a run; up to four times as many while it
    /// writes. About 40 bytes each.
    pub memtable_keys_max: usize,
    /// Bytes of filters of the key index that are kept in memory; the others are read when needed.
    pub filter_cache_bytes: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            segment_bytes: 64 << 20,
            block_align: chain::BLOCK_ALIGN_DEFAULT,
            mark_after_ms: 100,
            open_segments_max: 256,
            memtable_keys_max: 1 << 18,
            filter_cache_bytes: 64 << 20,
        }
    }
}

impl Options {
    /// Options for small ledgers and tests: segments of 64 KiB, runs of 512 keys.
    pub fn small() -> Self {
        Self {
            segment_bytes: 64 << 10,
            memtable_keys_max: 512,
            filter_cache_bytes: 1 << 20,
            open_segments_max: 2,
            ..Self::default()
        }
    }

    fn check(&self) -> Result<(), OpenError> {
        let refuse = |reason: &str| {
            Err(OpenError::Options {
                reason: reason.to_owned(),
            })
        };
        if self.segment_bytes < 1024 || self.segment_bytes > u64::from(u32::MAX) {
            return refuse("a segment has 1 KiB to 4 GiB");
        }
        if !self.block_align.is_power_of_two() || self.block_align > chain::BLOCK_ALIGN_MAX {
            return refuse("the block alignment is a power of two up to 65,536");
        }
        Ok(())
    }
}
