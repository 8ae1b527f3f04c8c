//! One kind of fact, found by key: a hash map that can forget what nobody asks for.
//!
//! Apart from the state because it is the one place of this crate with an unordered map. Whoever walks
//! through a table gets it sorted, so that no order but that of the keys is ever seen.

use std::collections::{HashMap, hash_map};
use std::hash::{BuildHasher, Hash, Hasher};
use std::sync::atomic::{AtomicBool, Ordering};

/// Facts by key; `None` inside says that there is no such thing.
#[derive(Debug, Clone)]
pub(super) struct Table<K, V> {
    entries: HashMap<K, Entry<V>, Seed>,
}

#[derive(Debug)]
struct Entry<V> {
    value: Option<V>,
    /// Whether anybody asked for it since the last [`Table::age`]. It never changes an answer, so a
    /// question needs no more than a shared reference.
    touched: AtomicBool,
}

impl<V> Entry<V> {
    fn new(value: Option<V>) -> Self {
        let touched = AtomicBool::new(true);
        Entry { value, touched }
    }

    fn touch(&self) {
        // Mostly it is set already, and a read leaves the cache line to the other cores.
        if !self.touched.load(Ordering::Relaxed) {
            self.touched.store(true, Ordering::Relaxed);
        }
    }
}

impl<V: Clone> Clone for Entry<V> {
    fn clone(&self) -> Self {
        let touched = AtomicBool::new(self.touched.load(Ordering::Relaxed));
        let value = self.value.clone();
        Entry { value, touched }
    }
}

impl<K: Copy + Ord + Hash, V> Table<K, V> {
    /// Without facts.
    pub(super) fn new(seed: Seed) -> Self {
        let entries = HashMap::with_hasher(seed);
        Table { entries }
    }

    pub(super) fn get(&self, key: &K) -> Option<&Option<V>> {
        let entry = self.entries.get(key)?;
        entry.touch();
        Some(&entry.value)
    }

    pub(super) fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        let entry = self.entries.get_mut(key)?;
        entry.touch();
        entry.value.as_mut()
    }

    /// What was known before.
    pub(super) fn insert(&mut self, key: K, value: Option<V>) -> Option<Option<V>> {
        let before = self.entries.insert(key, Entry::new(value));
        before.map(|entry| entry.value)
    }

    /// Whether it was not known, and now is; what is known stays, and counts as asked for.
    pub(super) fn insert_new(&mut self, key: K, value: Option<V>) -> bool {
        match self.entries.entry(key) {
            hash_map::Entry::Occupied(known) => {
                known.get().touch();
                false
            }
            hash_map::Entry::Vacant(place) => {
                place.insert(Entry::new(value));
                true
            }
        }
    }

    /// What was known.
    pub(super) fn remove(&mut self, key: &K) -> Option<Option<V>> {
        self.entries.remove(key).map(|entry| entry.value)
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Everything, in order of the keys.
    pub(super) fn sorted(&self) -> impl Iterator<Item = (K, &Option<V>)> + use<'_, K, V> {
        let entries = self.entries.iter();
        let mut sorted: Vec<_> = entries.map(|(key, entry)| (*key, &entry.value)).collect();
        sorted.sort_unstable_by_key(|(key, _)| *key);
        sorted.into_iter()
    }

    /// Forgets what has not been touched since the last time.
    pub(super) fn age(&mut self) {
        self.entries
            .retain(|_, entry| std::mem::replace(entry.touched.get_mut(), false));
    }
}

/// How keys are spread in a table. They are keyed hashes and random handles already; the seed comes from
/// the ledger's own secret, so that every run does the same and yet nobody outside can choose handles
/// that meet in one place.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Seed(pub(super) [u64; 2]);

impl BuildHasher for Seed {
    type Hasher = Spread;

    fn build_hasher(&self) -> Spread {
        let Seed([one, other]) = *self;
        Spread { one, other }
    }
}

/// Multiplies both halves of a key of 16 bytes and folds the product.
#[derive(Debug)]
pub(super) struct Spread {
    one: u64,
    other: u64,
}

impl Hasher for Spread {
    fn write(&mut self, key: &[u8]) {
        let half = |bytes: Option<&[u8; 8]>| bytes.map_or(0, |bytes| u64::from_le_bytes(*bytes));
        let one = self.one ^ half(key.first_chunk());
        let other = self.other ^ half(key.last_chunk());
        let product = u128::from(one).wrapping_mul(u128::from(other));
        let bytes = product.to_le_bytes();
        self.one = half(bytes.first_chunk()) ^ half(bytes.last_chunk());
    }

    fn write_usize(&mut self, _len: usize) {
        // All keys of a table are equally long.
    }

    fn finish(&self) -> u64 {
        self.one
    }
}
