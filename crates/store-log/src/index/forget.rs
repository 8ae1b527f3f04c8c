//! Takes entries out of a run, where they lie.
//!
//! Apart from lookups because it is the one change to a run after it was written.
//!
//! A forgotten entry is overwritten with copies of a neighbour, so that nothing moves: the copies are
//! sorted too, and a merge drops them. An entry that was copied itself may fill several pages; they are
//! overwritten from the side that the copies come from, so that at every moment, and so after a crash
//! between two pages, all pages are in order. A crash inside a page leaves a damaged one, and so a run
//! that is made again.

use durable::File;

use super::Entry;
use super::run::{PAGE_LEN, PAGES_PER_FENCE, Run, RunError, first_half, page_of};
use crate::catalog::lock;
use crate::width::offset;

/// What fills a run whose only entry was forgotten.
const NOTHING: Entry = (store::Key([0; 16]), 0);

impl<R: File> Run<R> {
    /// Takes an entry off this disk, durably.
    pub(super) fn forget(&self, entry: Entry) -> Result<(), RunError> {
        let _alone = lock(&self.writing);
        let Some((found, _)) = self.locate(entry)?.filter(|(_, found)| *found == entry) else {
            return Ok(());
        };
        let (mut low, mut high) = (found, found);
        while low > 0 && self.entry_page(low - 1)?.last() == Some(&entry) {
            low -= 1;
        }
        let n_pages = self.header.n_entry_pages();
        while high + 1 < n_pages && self.entry_page(high + 1)?.first() == Some(&entry) {
            high += 1;
        }
        let before = self.entry_page(low)?.first().copied();
        let before = match before.filter(|first| *first < entry) {
            None if low > 0 => self.entry_page(low - 1)?.last().copied(),
            before => before,
        };
        if let Some(before) = before {
            let fill = |filler, index| Ok(self.replace(index, entry, filler)?.1);
            return (low..=high).try_fold(before, fill).map(drop);
        }
        let after = if high + 1 < n_pages {
            self.entry_page(high + 1)?.first().copied()
        } else {
            None
        };
        let fill = |filler, index| Ok(self.replace(index, entry, filler)?.0);
        let mut downwards = (low..=high).rev();
        downwards.try_fold(after.unwrap_or(NOTHING), fill).map(drop)
    }

    /// Overwrites an entry in one page with copies of the one before or after it, or with `filler` when
    /// the page holds no other. Returns the page's first and last entry.
    fn replace(&self, index: u64, entry: Entry, filler: Entry) -> Result<(Entry, Entry), RunError> {
        let mut entries = self.entry_page(index)?;
        let n = entries.len();
        entries.retain(|other| *other != entry);
        let last = entries.last().copied().unwrap_or(filler);
        let first = entries.first().copied().unwrap_or(filler);
        entries.resize(n, last);
        let number = self.header.entry_page(index);
        self.file
            .write_all_at(&page_of(&entries, number), number * offset(PAGE_LEN))?;
        self.file.sync_data()?;
        if index.is_multiple_of(PAGES_PER_FENCE) {
            // Order: after the page. A fence that is too small only makes a lookup longer; one that is
            // too great would hide what the page still holds.
            self.set_fence(index / PAGES_PER_FENCE, first_half(first.0))?;
            self.file.sync_data()?;
        }
        Ok((first, last))
    }
}
