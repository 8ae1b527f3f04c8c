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

use super::entry::Entry;
use super::run::{Hand, PAGE_LEN, PAGES_PER_FENCE, Run, RunError, page_of};
use crate::catalog::lock;
use crate::width::offset;

impl<R: File> Run<R> {
    /// Takes an entry off this disk, durably.
    pub(super) fn forget(&self, entry: Entry) -> Result<(), RunError> {
        let _alone = lock(&self.writing);
        let mut hand = Hand::empty();
        let Some((found, _)) = self
            .locate(entry, &mut hand)?
            .filter(|(_, found)| *found == entry)
        else {
            return Ok(());
        };
        let (mut low, mut high) = (found, found);
        while low > 0 && self.entry_page(low - 1, &mut hand)?.last() == Some(&entry) {
            low -= 1;
        }
        let n_pages = self.header.n_entry_pages();
        while high + 1 < n_pages && self.entry_page(high + 1, &mut hand)?.first() == Some(&entry) {
            high += 1;
        }
        let before = self.entry_page(low, &mut hand)?.first().copied();
        let before = match before.filter(|first| *first < entry) {
            None if low > 0 => self.entry_page(low - 1, &mut hand)?.last().copied(),
            before => before,
        };
        if let Some(before) = before {
            let fill = |filler, index| Ok(self.replace(index, entry, filler)?.1);
            return (low..=high).try_fold(before, fill).map(drop);
        }
        let after = if high + 1 < n_pages {
            self.entry_page(high + 1, &mut hand)?.first().copied()
        } else {
            None
        };
        let fill = |filler, index| Ok(self.replace(index, entry, filler)?.0);
        let mut downwards = (low..=high).rev();
        downwards
            .try_fold(after.unwrap_or(Entry::LEAST), fill)
            .map(drop)
    }

    /// Overwrites an entry in one page with copies of the one before or after it, or with `filler` when
    /// the page holds no other. Returns the page's first and last entry.
    fn replace(&self, index: u64, entry: Entry, filler: Entry) -> Result<(Entry, Entry), RunError> {
        let mut entries = self.entry_page(index, &mut Hand::empty())?;
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
            self.set_fence(index / PAGES_PER_FENCE, first.first_half())?;
            self.file.sync_data()?;
        }
        Ok((first, last))
    }
}
