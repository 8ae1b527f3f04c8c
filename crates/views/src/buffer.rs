//! What has been applied and is not in sled yet: entries of lists, written list by list.
//!
//! One write into sled per record would be slower than the log, and a list's last chunk is the same for
//! many records. So entries wait here, up to a bound, and are then written all at once.
//!
//! Order: a reader looks here first and then into sled; a list is written to sled first and then removed
//! here. So an entry is seen at least once, and whoever merges drops what is seen twice.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard};

use chain::Institution;

use crate::chunk::{Entry, NO_DAY};
use crate::fault::ViewsFault;
use crate::lists::{self, ListKey};
use crate::views::{Trees, lock};

/// Entries that wait.
#[derive(Debug, Default)]
pub(crate) struct Buffer(Mutex<Waiting>);

/// Entries of lists, ascending in each.
pub(crate) type Lists = BTreeMap<ListKey, Vec<Entry>>;

#[derive(Debug, Default)]
struct Waiting {
    lists: Lists,
    len: usize,
}

impl Buffer {
    /// Puts a batch in.
    pub(crate) fn put(&self, new: Lists) {
        for (key, entries) in new {
            // One list at a time, so that readers get a turn.
            let mut waiting = self.lock();
            let list = waiting.lists.entry(key).or_default();
            let (len, last) = (list.len(), list.last().map(|entry| entry.position));
            list.extend(
                entries
                    .into_iter()
                    .filter(|entry| Some(entry.position) > last),
            );
            let added = list.len() - len;
            waiting.len += added;
        }
    }

    /// Number of entries that wait.
    pub(crate) fn len(&self) -> usize {
        self.lock().len
    }

    /// Forgets everything.
    pub(crate) fn clear(&self) {
        *self.lock() = Waiting::default();
    }

    /// The entries of a list that wait, from `from` on and below `below`.
    pub(crate) fn entries(&self, key: &ListKey, from: u64, below: u64) -> Vec<Entry> {
        let waiting = self.lock();
        let list = waiting.lists.get(key).map_or(&[][..], Vec::as_slice);
        let first = list.partition_point(|entry| entry.position < from);
        let rest = list.get(first..).unwrap_or_default().iter();
        rest.take_while(|entry| entry.position < below)
            .copied()
            .collect()
    }

    /// Writes everything.
    pub(crate) fn write(&self, trees: &Trees) -> Result<(), ViewsFault> {
        // Only the one who applies puts in, so nothing is added in between.
        while let Some((key, entries)) = self.first() {
            lists::extend(&trees.lists, &key, &entries)?;
            let mut waiting = self.lock();
            waiting.lists.remove(&key);
            waiting.len = waiting.len.saturating_sub(entries.len());
        }
        Ok(())
    }

    fn first(&self) -> Option<(ListKey, Vec<Entry>)> {
        let waiting = self.lock();
        let (key, entries) = waiting.lists.first_key_value()?;
        Some((*key, entries.clone()))
    }

    /// Takes erased positions of an issuer out, as [`lists::strike`].
    pub(crate) fn strike(&self, issuer: Institution, positions: &[u64]) {
        let mut waiting = self.lock();
        let erased = |entry: &Entry| positions.binary_search(&entry.position).is_ok();
        let mut struck = 0;
        for (key, list) in &mut waiting.lists {
            if key.issuer != issuer {
                continue;
            }
            let len = list.len();
            if key.code.is_some() {
                list.retain(|entry| !erased(entry));
            }
            struck += len - list.len();
            let left = list.iter_mut().filter(|entry| erased(entry));
            left.for_each(|entry| entry.day = NO_DAY);
        }
        waiting.len = waiting.len.saturating_sub(struck);
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        lock(&self.0)
    }
}
