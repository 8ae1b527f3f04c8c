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

type ByKey<T> = HashMap<Key, T, BuildHasherDefault<KeyHasher>>;

/// The positions of each key among the records of a range of positions.
#[derive(Clone)]
pub(super) struct Table {
    latest: ByKey<u64>,
    /// The positions before the latest, ascending, of the keys that have any: an erasure of the latest
    /// falls back to them.
    earlier: ByKey<Vec<u64>>,
    n_entries: usize,
    /// The first position that it covers.
    pub(super) from: u64,
    /// The head after the last one.
    pub(super) to: Head,
}

impl Table {
    pub(super) fn new(from: Head) -> Self {
        Self {
            latest: HashMap::default(),
            earlier: HashMap::default(),
            n_entries: 0,
            from: from.size,
            to: from,
        }
    }

    /// Keys and positions, each pair counted.
    pub(super) fn len(&self) -> usize {
        self.n_entries
    }

    /// Takes entries in the order of their positions, all later than those before.
    pub(super) fn insert(&mut self, entries: Vec<Entry>, to: Head) {
        self.latest.reserve(entries.len());
        for (key, position) in entries {
            match self.latest.insert(key, position) {
                // A record may give a key twice.
                Some(before) if before == position => continue,
                Some(before) => self.earlier.entry(key).or_default().push(before),
                None => {}
            }
            self.n_entries += 1;
        }
        self.to = to;
    }

    pub(super) fn find(&self, key: Key) -> Option<u64> {
        self.latest.get(&key).copied()
    }

    /// Adds the positions of a key in a range, ascending.
    pub(super) fn find_all(&self, key: Key, from: u64, below: u64, out: &mut Vec<u64>) {
        let earlier = self.earlier.get(&key).into_iter().flatten();
        let of_key = earlier.chain(self.latest.get(&key));
        out.extend(of_key.filter(|position| (from..below).contains(position)));
    }

    pub(super) fn forget(&mut self, entries: &[Entry]) {
        for entry in entries {
            self.n_entries -= usize::from(self.forget_one(*entry));
        }
    }

    /// Whether it was there.
    fn forget_one(&mut self, (key, position): Entry) -> bool {
        let Some(latest) = self.latest.get_mut(&key) else {
            return false;
        };
        let earlier = self.earlier.get_mut(&key);
        if *latest == position {
            match earlier.and_then(Vec::pop) {
                Some(before) => *latest = before,
                None => drop(self.latest.remove(&key)),
            }
            return true;
        }
        let found = earlier.and_then(|earlier| {
            let index = earlier.binary_search(&position).ok()?;
            Some(earlier.remove(index))
        });
        found.is_some()
    }

    /// Hands over what it covers and goes on after it; `None` when it covers nothing.
    pub(super) fn take_full(&mut self) -> Option<Self> {
        if self.from == self.to.size {
            return None;
        }
        Some(std::mem::replace(self, Self::new(self.to)))
    }

    /// By key, then by position.
    pub(super) fn sorted(&self) -> Vec<Entry> {
        let mut entries = Vec::with_capacity(self.n_entries);
        entries.extend(self.latest.iter().map(|(key, position)| (*key, *position)));
        for (key, positions) in &self.earlier {
            entries.extend(positions.iter().map(|position| (*key, *position)));
        }
        entries.sort_unstable();
        entries
    }
}
