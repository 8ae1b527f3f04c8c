//! A table of recent keys in memory, with the range of positions that it covers.
//!
//! Apart from the index because a full one is shared with the work that writes it.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use chain::Head;
use store::Key;

use super::Entry;

/// Keys are keyed hashes: a few of their bits are as good as any hash of them.
#[derive(Default, Clone)]
pub(super) struct KeyHasher(u64);

impl Hasher for KeyHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        if let Some(last) = bytes.last_chunk() {
            self.0 ^= u64::from_ne_bytes(*last);
        }
    }

    fn write_usize(&mut self, _length_prefix: usize) {}
}

/// The latest position of each key among the records of a range of positions.
#[derive(Clone)]
pub(super) struct Table {
    entries: HashMap<Key, u64, BuildHasherDefault<KeyHasher>>,
    /// The first position that it covers.
    pub(super) from: u64,
    /// The head after the last one.
    pub(super) to: Head,
}

impl Table {
    pub(super) fn new(from: Head) -> Self {
        Self {
            entries: HashMap::default(),
            from: from.size,
            to: from,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn insert(&mut self, entries: Vec<Entry>, to: Head) {
        self.entries.extend(entries);
        self.to = to;
    }

    pub(super) fn find(&self, key: Key) -> Option<u64> {
        self.entries.get(&key).copied()
    }

    pub(super) fn forget(&mut self, entries: &[Entry]) {
        for (key, position) in entries {
            if self.find(*key) == Some(*position) {
                self.entries.remove(key);
            }
        }
    }

    /// Hands over what it covers and goes on after it; `None` when it covers nothing.
    pub(super) fn take_full(&mut self) -> Option<Self> {
        if self.from == self.to.size {
            return None;
        }
        Some(std::mem::replace(self, Self::new(self.to)))
    }

    pub(super) fn sorted(&self) -> Vec<Entry> {
        let mut entries: Vec<Entry> = self.entries.iter().map(|(k, p)| (*k, *p)).collect();
        entries.sort_unstable();
        entries
    }
}
