//! Writes a run from sorted entries, page by page.
//!
//! Apart from the format because it is an order. Memory does not grow with the run: keys come sorted,
//! so entry pages and filter pages are both filled one after the other.
//!
//! Order:
//! 1. pages are written to `FROM-TO.tmp` and synced now and then (a crash leaves a temporary file, which
//!    is removed);
//! 2. the header is written and the file synced;
//! 3. it is renamed to `FROM-TO.run` (a crash leaves the temporary file or the run);
//! 4. the directory is synced. Only now the records need not be read again at the next start.

use std::io;
use std::path::{Path, PathBuf};

use chain::Head;
use durable::{File, Fs, Mode};

use super::entry::Entry;
use super::run::{
    ENTRIES_PER_PAGE, PAGE_LEN, PAGES_PER_FENCE, Page, Run, RunHeader, fence_pages, filter_page_of,
    filter_pages_for, note_in_filter, page_of, seal,
};
use crate::width::offset;

/// Pages collected before they are written.
const BATCH_PAGES: usize = 256;

/// A run in the making.
pub(super) struct RunWriter<F: Fs> {
    fs: F,
    dir: PathBuf,
    name: String,
    file: F::File,
    header: RunHeader,
    entries: Vec<Entry>,
    last_entry: Option<Entry>,
    batch: Vec<u8>,
    /// The number of the first page in the batch.
    batch_at: u64,
    filter: Box<Page>,
    filter_number: u64,
    fences: Vec<u64>,
}

impl<F: Fs> RunWriter<F> {
    /// Begins a run of at most `n_entries_max` entries for the positions from `from` to the head `to`.
    pub(super) fn create(
        fs: F,
        dir: &Path,
        scheme: u32,
        from: u64,
        to: Head,
        n_entries_max: u64,
    ) -> io::Result<Self> {
        let name = format!("{from:020}-{:020}", to.size);
        let n_filter_pages = filter_pages_for(n_entries_max);
        let temporary = dir.join(format!("{name}.tmp"));
        match fs.remove(&temporary) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
            _ => {}
        }
        let file = fs.open(&temporary, Mode::Create)?;
        let header = RunHeader {
            scheme,
            from,
            to,
            n_entries: 0,
            n_filter_pages,
        };
        Ok(Self {
            fs,
            dir: dir.to_path_buf(),
            name,
            file,
            header,
            entries: Vec::with_capacity(ENTRIES_PER_PAGE),
            last_entry: None,
            batch: Vec::with_capacity(BATCH_PAGES * PAGE_LEN),
            batch_at: 1 + n_filter_pages,
            filter: Box::new([0; PAGE_LEN]),
            filter_number: 0,
            fences: Vec::new(),
        })
    }

    /// Adds the next entry; one that is equal to the last is dropped: it fills a gap that a forgotten key
    /// left.
    pub(super) fn push(&mut self, entry: Entry) -> io::Result<()> {
        debug_assert!(
            self.last_entry.is_none_or(|last| last <= entry),
            "entries come sorted"
        );
        if self.last_entry == Some(entry) {
            return Ok(());
        }
        self.last_entry = Some(entry);
        self.header.n_entries += 1;
        let filter_number = filter_page_of(entry.tag(), self.header.n_filter_pages);
        while self.filter_number < filter_number {
            self.write_filter()?;
        }
        note_in_filter(&mut self.filter, entry.tag());
        self.entries.push(entry);
        if self.entries.len() == ENTRIES_PER_PAGE {
            self.write_entries()?;
        }
        Ok(())
    }

    /// Steps 2 to 4.
    pub(super) fn finish(mut self) -> io::Result<Run<F::File>> {
        if !self.entries.is_empty() {
            self.write_entries()?;
        }
        while self.filter_number < self.header.n_filter_pages {
            self.write_filter()?;
        }
        self.flush()?;
        self.batch = fence_pages(&self.fences, self.batch_at);
        self.flush()?;
        self.file.write_all_at(&self.header.encode(), 0)?;
        self.file.sync_data()?;
        let path = self.dir.join(format!("{}.run", self.name));
        self.fs
            .rename(&self.dir.join(format!("{}.tmp", self.name)), &path)?;
        self.fs.sync_dir(&self.dir)?;
        Ok(Run::new(self.file, path, self.header, self.fences))
    }

    fn write_entries(&mut self) -> io::Result<()> {
        let number = self.batch_at + offset(self.batch.len() / PAGE_LEN);
        let index = number - 1 - self.header.n_filter_pages;
        if let Some(first) = self.entries.first()
            && index.is_multiple_of(PAGES_PER_FENCE)
        {
            self.fences.push(first.first_half());
        }
        self.batch
            .extend_from_slice(&page_of(&self.entries, number));
        self.entries.clear();
        if self.batch.len() >= BATCH_PAGES * PAGE_LEN {
            self.flush()?;
            // Small syncs hold up the log's own less than one large one at the end.
            self.file.sync_data()?;
        }
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        if !self.batch.is_empty() {
            self.file
                .write_all_at(&self.batch, self.batch_at * offset(PAGE_LEN))?;
        }
        self.batch_at += offset(self.batch.len() / PAGE_LEN);
        self.batch.clear();
        Ok(())
    }

    fn write_filter(&mut self) -> io::Result<()> {
        let number = 1 + self.filter_number;
        seal(&mut self.filter, number);
        self.file
            .write_all_at(&self.filter[..], number * offset(PAGE_LEN))?;
        self.filter.fill(0);
        self.filter_number += 1;
        Ok(())
    }
}
