//! An [`EventStore`] in memory: the contract in its shortest form, and a store for tests.
//!
//! Apart from the log because it is the reference that the log is compared with.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chain::{Block, Head, Position, Record};
use tokio::sync::watch;

use crate::{AppendError, EventStore, Fault, Key, Keys, ReadError, are_keys_of};

/// What would be on disk.
#[derive(Debug, Default, Clone)]
struct Stored {
    head: Head,
    records: Vec<Record>,
    /// The first position of each block.
    blocks: Vec<Position>,
    erased_through: Option<Position>,
}

/// All records in memory; nothing survives the process.
pub struct MemoryStore {
    stored: Arc<Mutex<Stored>>,
    /// For each key, the positions of the records with it, ascending.
    index: Mutex<BTreeMap<Key, Vec<Position>>>,
    keys: Arc<dyn Keys>,
    head: watch::Sender<Head>,
}

impl MemoryStore {
    /// An empty store.
    pub fn new(keys: Arc<dyn Keys>) -> Self {
        Self::on(Arc::default(), keys)
    }

    /// Another store on the same records, as if the process had restarted.
    pub fn reopen(&self, keys: Arc<dyn Keys>) -> Self {
        Self::on(Arc::clone(&self.stored), keys)
    }

    fn on(stored: Arc<Mutex<Stored>>, keys: Arc<dyn Keys>) -> Self {
        let (head, index) = {
            let stored = lock(&stored);
            let mut index = BTreeMap::new();
            for record in &stored.records {
                insert(&mut index, keyed(keys.as_ref(), record));
            }
            (stored.head, index)
        };
        let (head, _) = watch::channel(head);
        Self {
            stored,
            index: Mutex::new(index),
            keys,
            head,
        }
    }

    fn erase_now(&self, positions: &[Position], through: Position) -> Result<(), Fault> {
        let mut stored = lock(&self.stored);
        check_erasable(&stored, positions, through)?;
        let mut index = lock(&self.index);
        for position in positions {
            let Some(record) = record_mut(&mut stored.records, *position) else {
                continue;
            };
            let before = self.keys.keys_of(record);
            record.erase();
            let after = self.keys.keys_of(record);
            for key in before.iter().filter(|key| !after.contains(key)) {
                if let Some(of_key) = index.get_mut(key) {
                    of_key.retain(|p| p != position);
                }
            }
        }
        stored.erased_through = stored.erased_through.max(Some(through));
        Ok(())
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing here panics while it holds a lock half way through a change.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn keyed(keys: &dyn Keys, record: &Record) -> Vec<(Key, Position)> {
    let with_position = |key| (key, record.leaf.position);
    keys.keys_of(record)
        .into_iter()
        .map(with_position)
        .collect()
}

fn insert(index: &mut BTreeMap<Key, Vec<Position>>, keys: Vec<(Key, Position)>) {
    for (key, position) in keys {
        let of_key = index.entry(key).or_default();
        // A record may give a key twice.
        if of_key.last() != Some(&position) {
            of_key.push(position);
        }
    }
}

fn at(position: Position) -> usize {
    usize::try_from(position.0).unwrap_or(usize::MAX)
}

fn record_mut(records: &mut [Record], position: Position) -> Option<&mut Record> {
    records.get_mut(at(position))
}

fn check_erasable(stored: &Stored, positions: &[Position], through: Position) -> Result<(), Fault> {
    if through.0 >= stored.head.size {
        let reason = "the erasure event is not in the ledger";
        return Err(Fault::NotErasable {
            position: through,
            reason,
        });
    }
    let block_of_through = stored
        .blocks
        .iter()
        .rev()
        .find(|first| **first <= through)
        .copied()
        .unwrap_or_default();
    match positions
        .iter()
        .find(|position| **position >= block_of_through)
    {
        Some(position) => {
            let reason = "it is not in a block before its erasure event";
            Err(Fault::NotErasable {
                position: *position,
                reason,
            })
        }
        None => Ok(()),
    }
}

impl EventStore for MemoryStore {
    async fn head(&self) -> Result<Head, Fault> {
        Ok(lock(&self.stored).head)
    }

    async fn append_keyed(
        &self,
        expected: Head,
        block: Block,
        keys: Option<Vec<(Key, Position)>>,
    ) -> Result<Head, AppendError> {
        let mut stored = lock(&self.stored);
        if stored.head != expected {
            return Err(AppendError::HeadMoved {
                actual: stored.head,
            });
        }
        if block.is_mark() || block.prev() != expected {
            let reason = "it is empty or continues another head".to_owned();
            return Err(AppendError::Invalid { reason });
        }
        let of_record = |record| keyed(self.keys.as_ref(), record);
        let keys = keys.unwrap_or_else(|| block.records().iter().flat_map(of_record).collect());
        if let Some(first) = block.record(Position(0)) {
            // What keys are derived from is in the first record.
            self.keys.keys_of(first);
        }
        debug_assert!(
            are_keys_of(self.keys.as_ref(), block.records(), &keys),
            "keys that the block's records have"
        );
        insert(&mut lock(&self.index), keys);
        stored.blocks.push(expected.next_position());
        stored.head = block.head();
        stored.records.extend(block.into_records());
        self.head.send_replace(stored.head);
        Ok(stored.head)
    }

    async fn read(&self, from: Position, bytes_max: u64) -> Result<Vec<Record>, ReadError> {
        let stored = lock(&self.stored);
        let size = stored.head.size;
        let Some(rest) = stored.records.get(at(from)..) else {
            return Err(ReadError::PastHead {
                position: from,
                size,
            });
        };
        let mut bytes: u64 = 0;
        let fits = |record: &&Record| {
            let first = bytes == 0;
            bytes = bytes.saturating_add(u64::try_from(record.frame_len()).unwrap_or(u64::MAX));
            first || bytes <= bytes_max
        };
        Ok(rest.iter().take_while(fits).cloned().collect())
    }

    async fn get(&self, positions: &[Position]) -> Result<Vec<Record>, ReadError> {
        let stored = lock(&self.stored);
        let size = stored.head.size;
        let one = |position: &Position| {
            let record = stored.records.get(at(*position)).cloned();
            record.ok_or(ReadError::PastHead {
                position: *position,
                size,
            })
        };
        positions.iter().map(one).collect()
    }

    async fn find(&self, keys: &[Key]) -> Result<Vec<Option<Position>>, ReadError> {
        let index = lock(&self.index);
        Ok(keys
            .iter()
            .map(|key| index.get(key).and_then(|of_key| of_key.last().copied()))
            .collect())
    }

    async fn find_all(
        &self,
        key: Key,
        from: Position,
        below: Position,
    ) -> Result<Vec<Position>, ReadError> {
        let index = lock(&self.index);
        let of_key = index.get(&key).map_or(&[][..], Vec::as_slice);
        let is_within = |position: &&Position| (from..below).contains(*position);
        Ok(of_key.iter().filter(is_within).copied().collect())
    }

    async fn erase(&self, positions: &[Position], through: Position) -> Result<(), Fault> {
        self.erase_now(positions, through)
    }

    async fn erased_through(&self) -> Result<Option<Position>, Fault> {
        Ok(lock(&self.stored).erased_through)
    }

    async fn wait_past(&self, position: Position) -> Result<Head, Fault> {
        let mut head = self.head.subscribe();
        let reached = head.wait_for(|head| head.size > position.0).await;
        let stopped = |_| Fault::Stopped {
            reason: "it was dropped".to_owned(),
        };
        reached.map(|head| *head).map_err(stopped)
    }
}
