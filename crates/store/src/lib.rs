//! The [`EventStore`] contract: everything a back end must promise, its conformance suite, and an
//! in-memory reference.
//!
//! The contract assumes no file: a log of segment files and a database table of blocks both fit.

pub mod contract;
mod error;
mod memory;

use std::future::Future;

use chain::{Block, Head, Position, Record};

pub use error::{AppendError, BoxError, Corruption, Fault, ReadError};
pub use memory::MemoryStore;

/// An opaque 16-byte keyed hash under which a record can be found (see `ledger::keys`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(pub [u8; 16]);

/// Tells a store under which keys each record is found. A pure function of the record and of the record
/// at position 0, which is where a ledger keeps what its keys are derived from.
///
/// Order: whenever a store is opened, and before anything else, it calls this for the record at
/// position 0 if there is one; an appended record 0 comes first too, also when its keys are given. After
/// that records come in any order and as often as the store likes, on any thread. When it erases a
/// record the store asks for the keys before and after, to drop those that are gone: an erased record
/// yields the keys that its leaf alone gives.
pub trait Keys: Send + Sync + 'static {
    /// The keys of one record.
    fn keys_of(&self, record: &Record) -> Vec<Key>;

    /// The number of the way in which keys are made. An index that was made under another number is
    /// made again, so change it whenever the same record would give other keys.
    fn scheme(&self) -> u32 {
        0
    }
}

/// Everything a back end must promise. There is one writer at a time; readers are as many as you like.
pub trait EventStore: Send + Sync + 'static {
    /// The head: size and chain hash after the last durable record.
    fn head(&self) -> impl Future<Output = Result<Head, Fault>> + Send;

    /// Appends a block that continues `expected`; on `Ok` it is durable, can be read and found.
    ///
    /// `keys` are the block's keys where the caller has them at hand, because it has just made the
    /// bodies: for each record, in the order of the records, exactly those that [`Keys::keys_of`] gives,
    /// in any order. The store then decodes no body. With `None` it asks for them itself.
    ///
    /// # Errors
    /// Each variant of [`AppendError`] says whether anything was written.
    fn append_keyed(
        &self,
        expected: Head,
        block: Block,
        keys: Option<Vec<(Key, Position)>>,
    ) -> impl Future<Output = Result<Head, AppendError>> + Send;

    /// [`EventStore::append_keyed`] by whoever has no keys at hand.
    ///
    /// # Errors
    /// Each variant of [`AppendError`] says whether anything was written.
    fn append(
        &self,
        expected: Head,
        block: Block,
    ) -> impl Future<Output = Result<Head, AppendError>> + Send {
        self.append_keyed(expected, block, None)
    }

    /// Records from `from` on, in order: the first whatever its length, and more as long as the sum of
    /// their frames is at most `bytes_max`. None when `from` is the head's size.
    ///
    /// # Errors
    /// [`ReadError::PastHead`] when `from` is greater than the head's size.
    fn read(
        &self,
        from: Position,
        bytes_max: u64,
    ) -> impl Future<Output = Result<Vec<Record>, ReadError>> + Send;

    /// The records at these positions, in the order asked; a position may be asked for twice.
    ///
    /// # Errors
    /// [`ReadError::PastHead`] when there is no record at one of them.
    fn get(
        &self,
        positions: &[Position],
    ) -> impl Future<Output = Result<Vec<Record>, ReadError>> + Send;

    /// For each key, the position of the latest record with that key, up to the head. A key that only
    /// the body of an erased record gave no longer leads to that record.
    fn find(
        &self,
        keys: &[Key],
    ) -> impl Future<Output = Result<Vec<Option<Position>>, ReadError>> + Send;

    /// The positions in `from..below` of all records with a key, ascending, each once, up to the head.
    /// Of erased records as for [`EventStore::find`]. The answer takes 8 bytes a record: ask for a part
    /// of the positions at a time where that may be too much.
    fn find_all(
        &self,
        key: Key,
        from: Position,
        below: Position,
    ) -> impl Future<Output = Result<Vec<Position>, ReadError>> + Send;

    /// Overwrites salt and body of these records with zeros, durably; then remembers durably that
    /// every erasure event up to and including `through` has been carried out. Idempotent; the mark
    /// never goes back.
    ///
    /// # Errors
    /// [`Fault::NotErasable`], and then nothing is changed, when `through` is not below the head or a
    /// position is not in a block before the one that holds `through`.
    fn erase(
        &self,
        positions: &[Position],
        through: Position,
    ) -> impl Future<Output = Result<(), Fault>> + Send;

    /// The greatest `through` of all completed [`EventStore::erase`]; `None` before the first.
    fn erased_through(&self) -> impl Future<Output = Result<Option<Position>, Fault>> + Send;

    /// Returns the head as soon as its size is greater than `position`.
    fn wait_past(&self, position: Position) -> impl Future<Output = Result<Head, Fault>> + Send;
}

/// Whether these are, in the order of the records, the keys that the records have.
#[must_use]
pub fn are_keys_of(keys: &dyn Keys, records: &[Record], given: &[(Key, Position)]) -> bool {
    let of_record = |record: &Record| {
        let position = record.leaf.position;
        let keys = keys.keys_of(record).into_iter();
        keys.map(move |key| (key, position))
    };
    let mut expected: Vec<_> = records.iter().flat_map(of_record).collect();
    let mut sorted = given.to_vec();
    // Within a record the order does not matter; between records it does.
    expected.sort_by_key(|(key, position)| (*position, *key));
    sorted.sort_by_key(|(key, position)| (*position, *key));
    sorted == expected && given.is_sorted_by_key(|(_, position)| *position)
}
