//! A table of recent keys in memory, with the range of positions that it covers.
//!
//! Apart from the index because a full one is shared with the work that writes it.
//!
//! Entries lie in the order in which they came; those of one key are linked from the latest backwards,
//! and the latest is found by hashing. So an insertion touches one slot, appends, and allocates nothing
//! once the table has the size that tables before it had.

use chain::Head;
use store::Key;

use super::Keyed;
use super::entry::{Entry, POSITIONS_MAX, Tag};
use crate::width::{length, offset};

/// Covered positions at which a table counts as full, whatever it holds: half of what it can count.
const COVERED_MAX: u64 = POSITIONS_MAX / 2;

/// The positions of each key among the records of a range of positions.
#[derive(Clone)]
pub(super) struct Table {
    /// In the order of their positions; a forgotten one has the last offset, which no record has.
    entries: Vec<Entry>,
    /// For each entry the number of the one before it with its key; 0 for none. Numbers start at 1.
    before: Vec<u32>,
    /// By the hash of a key: four bytes more of the hash and the number of its latest entry; 0 for none.
    slots: Vec<u64>,
    n_forgotten: usize,
    /// The first position that it covers.
    pub(super) from: u64,
    /// The head after the last one.
    pub(super) to: Head,
}

impl Table {
    pub(super) fn new(from: Head) -> Self {
        Self {
            entries: Vec::new(),
            before: Vec::new(),
            slots: Vec::new(),
            n_forgotten: 0,
            from: from.size,
            to: from,
        }
    }

    /// Whether it holds so many pairs of key and position, or covers as much as one may.
    pub(super) fn is_full(&self, entries_max: usize) -> bool {
        self.entries.len() >= entries_max || self.to.size - self.from >= COVERED_MAX
    }

    /// Takes keys in the order of their positions, all later than those before.
    pub(super) fn insert(&mut self, keys: &[Keyed], to: Head) {
        self.reserve(keys.len());
        for (key, position) in keys {
            self.insert_one(Tag::of(*key), position.0 - self.from);
        }
        self.to = to;
    }

    pub(super) fn find(&self, key: Key) -> Option<u64> {
        self.of_key(Tag::of(key))
            .next()
            .map(|(_, position)| position)
    }

    /// Adds the positions of a key in a range, ascending.
    pub(super) fn find_all(&self, key: Key, from: u64, below: u64, out: &mut Vec<u64>) {
        let n = out.len();
        let of_key = self.of_key(Tag::of(key)).map(|(_, position)| position);
        out.extend(of_key.filter(|position| (from..below).contains(position)));
        out[n..].reverse();
    }

    pub(super) fn forget(&mut self, keys: &[Keyed]) {
        for (key, position) in keys {
            let tag = Tag::of(*key);
            let found = self.of_key(tag).find(|(_, other)| *other == position.0);
            if let Some((index, _)) = found {
                self.entries[index] = tag.at(POSITIONS_MAX);
                self.n_forgotten += 1;
            }
        }
    }

    /// Hands over what it covers and goes on after it; `None` when it covers nothing.
    pub(super) fn take_full(&mut self) -> Option<Self> {
        if self.from == self.to.size {
            return None;
        }
        let mut next = Self::new(self.to);
        next.reserve(self.entries.len());
        Some(std::mem::replace(self, next))
    }

    /// By key, then by position.
    pub(super) fn sorted(&self) -> Vec<Entry> {
        let mut entries = Vec::with_capacity(self.entries.len() - self.n_forgotten);
        let is_there = |entry: &&Entry| entry.offset() < POSITIONS_MAX;
        entries.extend(self.entries.iter().filter(is_there));
        entries.sort_unstable();
        entries
    }

    fn insert_one(&mut self, tag: Tag, offset: u64) {
        let slot = self.slot_of(tag);
        let latest = number_in(self.slots[slot]);
        let entry = tag.at(offset);
        // A record may give a key twice.
        if latest > 0 && self.entries[index_of(latest)] == entry {
            return;
        }
        self.entries.push(entry);
        self.before.push(latest);
        let number = u32::try_from(self.entries.len()).expect("a table is spilled long before");
        self.slots[slot] = mark_of(tag) | u64::from(number);
    }

    /// The entries of a key that were not forgotten, latest first: where they are, and their positions.
    fn of_key(&self, tag: Tag) -> impl Iterator<Item = (usize, u64)> {
        let latest = match self.slots.is_empty() {
            true => 0,
            false => number_in(self.slots[self.slot_of(tag)]),
        };
        let linked = |number: u32| (number > 0).then_some(number);
        let numbers = std::iter::successors(linked(latest), move |number| {
            linked(self.before[index_of(*number)])
        });
        let entries = numbers.map(|number| (index_of(number), self.entries[index_of(number)]));
        let left = entries.filter(|(_, entry)| entry.offset() < POSITIONS_MAX);
        left.map(|(index, entry)| (index, self.from + entry.offset()))
    }

    /// The slot of a key, or the empty one where it goes.
    fn slot_of(&self, tag: Tag) -> usize {
        let mask = self.slots.len() - 1;
        let mut slot = length(tag.last_half() & offset(mask));
        loop {
            let found = self.slots[slot];
            let is_its_own = || self.entries[index_of(number_in(found))].tag() == tag;
            if found == 0 || (found & MARK == mark_of(tag) && is_its_own()) {
                return slot;
            }
            slot = (slot + 1) & mask;
        }
    }

    /// Makes room for so many more entries: every third slot, at least, stays empty.
    fn reserve(&mut self, n_more: usize) {
        self.entries.reserve(n_more);
        self.before.reserve(n_more);
        let n_slots = ((self.entries.len() + n_more) * 3 / 2).next_power_of_two();
        if n_slots <= self.slots.len() {
            return;
        }
        self.slots = vec![0; n_slots];
        for (entry, number) in self.entries.iter().zip(1..) {
            // The latest of a key comes last and stays.
            let tag = entry.tag();
            let slot = self.slot_of(tag);
            self.slots[slot] = mark_of(tag) | number;
        }
    }
}

/// The bits of a slot that are of the hash.
const MARK: u64 = 0xffff_ffff_0000_0000;

fn mark_of(tag: Tag) -> u64 {
    tag.last_half() & MARK
}

fn number_in(slot: u64) -> u32 {
    u32::try_from(slot & !MARK).expect("the other bits were taken off")
}

fn index_of(number: u32) -> usize {
    length(u64::from(number)) - 1
}
