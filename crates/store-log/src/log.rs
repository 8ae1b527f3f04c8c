//! The log: one writer that appends blocks, marks the head, rolls segments over and erases bodies.
//!
//! Apart from the readers because there is exactly one of it, guarded by a lock on the directory.
//!
//! Order of a commit:
//! 1. the head is compared, keys are derived, and a segment with room is found (a crash changes nothing);
//! 2. the block and its checksum are written with one write (a crash leaves a torn tail, or the block,
//!    whole: recovery keeps it then, and nobody was told either way);
//! 3. fdatasync. Durability: only now the block may be acknowledged;
//! 4. keys become findable, then the head moves, then the append returns.
//!
//! Order of a roll-over:
//! 1. the spare is full of synced zeros (a crash leaves a spare, which is removed);
//! 2. the header is written into it and synced (a crash leaves a spare);
//! 3. the spare is renamed to its number (a crash leaves the spare or an empty last segment);
//! 4. the directory is synced. Durability: only now blocks may go there.
//!
//! A head mark is an empty block, written and synced like any other when nothing else was for a while.
//! A failed write or sync stops the writer for good: a sync that failed once may lie the second time.

use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, RwLock};

use chain::{
    BLOCK_OVERHEAD_LEN, Block, ChecksumKey, Head, Position, Record, SEGMENT_HEADER_LEN,
    SegmentHeader,
};
use durable::{File, Fs};
use store::{AppendError, Fault, Key, ReadError};

use crate::catalog::{Catalog, OpenSegment, exclusive, lock};
use crate::index::Index;
use crate::offsets::Offsets;
use crate::reader::Reader;
use crate::spare::{Spare, is_full};
use crate::width::offset;
use crate::{Options, erase, layout};

/// An open ledger, for its one writer.
pub struct Log<F: Fs> {
    pub(crate) catalog: Arc<Catalog<F>>,
    pub(crate) reader: Reader<F>,
    pub(crate) index: Arc<Index<F>>,
    pub(crate) spare: Arc<Mutex<Spare<F>>>,
    pub(crate) options: Options,
    /// Where the last block or mark in the active segment ends.
    pub(crate) end: u64,
    pub(crate) needs_mark: bool,
    pub(crate) dead: Option<String>,
    pub(crate) erased_through: Option<Position>,
    pub(crate) buffer: Vec<u8>,
    pub(crate) _lock: F::Lock,
}

/// The work that need not hold up an append: filling the spare, writing runs of the key index and
/// offsets of sealed segments.
pub struct Background<F: Fs> {
    catalog: Arc<Catalog<F>>,
    index: Arc<Index<F>>,
    spare: Arc<Mutex<Spare<F>>>,
}

impl<F: Fs> Background<F> {
    /// Does one piece of work, of a few milliseconds; false when there was none.
    ///
    /// # Errors
    /// Whatever the file system returns. Nothing that was acknowledged is harmed; call again later.
    pub fn step(&self) -> io::Result<bool> {
        if lock(&self.spare).step()? {
            return Ok(true);
        }
        if self.index.step()? {
            return Ok(true);
        }
        self.catalog.save_offsets()
    }
}

impl<F: Fs> Log<F> {
    /// For readers, on any thread.
    pub fn reader(&self) -> Reader<F> {
        self.reader.clone()
    }

    /// For the thread that works ahead, or for a simulation that steps it.
    pub fn background(&self) -> Background<F> {
        Background {
            catalog: Arc::clone(&self.catalog),
            index: Arc::clone(&self.index),
            spare: Arc::clone(&self.spare),
        }
    }

    /// The head after the last acknowledged block.
    pub fn head(&self) -> Head {
        self.catalog.head()
    }

    /// The options it was opened with.
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// Appends a block after `expected`; on `Ok` it is durable, can be read and found.
    ///
    /// # Errors
    /// See [`AppendError`]. After [`AppendError::Unknown`] or [`AppendError::Dead`] nothing more can be
    /// appended on this handle; reads keep working.
    pub fn append(&mut self, expected: Head, block: &Block) -> Result<Head, AppendError> {
        self.append_keyed(expected, block, None)
    }

    /// [`Log::append`] with the block's keys, for whoever has them at hand.
    ///
    /// # Errors
    /// As [`Log::append`]; see [`store::EventStore::append_keyed`] for what the keys must be.
    pub fn append_keyed(
        &mut self,
        expected: Head,
        block: &Block,
        keys: Option<Vec<(Key, Position)>>,
    ) -> Result<Head, AppendError> {
        self.check(expected, block)?;
        self.index.make_room().map_err(|source| AppendError::Full {
            source: source.into(),
        })?;
        let at = self.room_for(block)?;
        let keys = match keys {
            Some(keys) => self.index.given(keys, block.records()),
            None => self.index.keys_of(block.records()),
        };
        if let Err(source) = self.write(at, block) {
            self.die(&source);
            return Err(AppendError::Unknown {
                source: source.into(),
            });
        }
        self.needs_mark = true;
        exclusive(&self.catalog.active().offsets).note(at, block);
        // Order: whoever sees the head finds the keys.
        self.index
            .insert(&keys, block.head(), || self.catalog.publish(block.head()));
        Ok(block.head())
    }

    /// Marks the head if a block is the last thing in the log: then a flipped bit in that block cannot
    /// be taken for a torn tail. True when a mark was written.
    ///
    /// # Errors
    /// A failed write or sync, after which the writer is dead; nothing when it is dead already.
    pub fn mark_if_idle(&mut self) -> io::Result<bool> {
        if !self.needs_mark || self.dead.is_some() {
            return Ok(false);
        }
        let header = self.catalog.active().header;
        let at = header.next_block_start(self.end).unwrap_or(u64::MAX);
        match self.write(at, &Block::mark(self.head())) {
            Ok(()) => {
                self.needs_mark = false;
                Ok(true)
            }
            Err(error) => {
                self.die(&error);
                Err(error)
            }
        }
    }

    /// For each key the latest position, up to the head.
    ///
    /// # Errors
    /// A damaged index is made again and is no error; a log that cannot be read is.
    pub fn find(&self, keys: &[Key]) -> Result<Vec<Option<Position>>, ReadError> {
        self.index.find(keys)
    }

    /// The positions in `from..below` of all records with a key, ascending, up to the head.
    ///
    /// # Errors
    /// As [`Log::find`].
    pub fn find_all(
        &self,
        key: Key,
        from: Position,
        below: Position,
    ) -> Result<Vec<Position>, ReadError> {
        self.index.find_all(key, from, below)
    }

    /// Whether a block is the last thing in the log, without a mark.
    pub fn needs_mark(&self) -> bool {
        self.needs_mark && self.dead.is_none()
    }

    /// For lookups beside the writer.
    #[cfg(feature = "async")]
    pub(crate) fn index(&self) -> Arc<Index<F>> {
        Arc::clone(&self.index)
    }

    /// Erases records and remembers how far erasures have come.
    ///
    /// # Errors
    /// See [`store::EventStore::erase`]. After a failed write the writer is dead; erase again after
    /// recovery.
    pub fn erase(&mut self, positions: &[Position], through: Position) -> Result<(), Fault> {
        if let Some(reason) = &self.dead {
            return Err(Fault::Stopped {
                reason: reason.clone(),
            });
        }
        let planned = erase::plan(&self.reader, positions, through)?;
        let through = self.erased_through.max(Some(through)).unwrap_or(through);
        if positions.is_empty() && self.erased_through == Some(through) {
            return Ok(());
        }
        self.forget_keys(positions)?;
        let Catalog { fs, dir, .. } = &*self.catalog;
        let begun = |source| Fault::backend("write down what will be erased", source);
        erase::intend(fs, dir, positions, through).map_err(begun)?;
        self.catalog.begin_erasure(positions);
        let overwritten = self.catalog.erasing(|| erase::overwrite(&planned));
        let done = overwritten
            .and_then(|()| erase::mark(fs, dir, through))
            .and_then(|()| erase::done(fs, dir));
        if let Err(source) = done {
            // The next start finishes it; another erasure must not take its place in the file before.
            self.die(&source);
            return Err(Fault::backend("erase bodies", source));
        }
        self.erased_through = Some(through);
        Ok(())
    }

    /// The greatest position through which erasures were carried out.
    pub fn erased_through(&self) -> Option<Position> {
        self.erased_through
    }

    /// Why the writer has stopped, if it has.
    pub fn dead(&self) -> Option<&str> {
        self.dead.as_deref()
    }

    /// Marks the head and writes what the index holds in memory, so that the next start reads little.
    ///
    /// # Errors
    /// Whatever could not be written. Nothing that was acknowledged is harmed.
    pub fn close(mut self) -> io::Result<()> {
        let marked = self.mark_if_idle();
        self.index.flush()?;
        while self.catalog.save_offsets()? {}
        marked.map(|_| ())
    }

    fn check(&self, expected: Head, block: &Block) -> Result<(), AppendError> {
        if let Some(reason) = &self.dead {
            return Err(AppendError::Dead {
                reason: reason.clone(),
            });
        }
        let actual = self.head();
        if expected != actual {
            return Err(AppendError::HeadMoved { actual });
        }
        if block.is_mark() || block.prev() != expected {
            let reason = "it is empty or continues another head".to_owned();
            return Err(AppendError::Invalid { reason });
        }
        // The builder made the commitments; checking them again here would halve the throughput.
        debug_assert_eq!(
            block.bad_commitment(),
            None,
            "a body that its leaf does not commit to"
        );
        if let Some(record) = block.records().iter().find(|record| record.salt.is_zero()) {
            let reason = format!("the record at {} has no salt", record.leaf.position);
            return Err(AppendError::Invalid { reason });
        }
        let first =
            offset(SEGMENT_HEADER_LEN).next_multiple_of(u64::from(self.options.block_align));
        let bytes = offset(block.encoded_len());
        let bytes_max = self.options.segment_bytes.saturating_sub(
            first + u64::from(self.options.block_align) + offset(BLOCK_OVERHEAD_LEN),
        );
        if bytes > bytes_max {
            return Err(AppendError::TooLarge { bytes, bytes_max });
        }
        Ok(())
    }

    /// Where the block goes: in the active segment, which keeps room for a mark after it, or in the next.
    fn room_for(&mut self, block: &Block) -> Result<u64, AppendError> {
        let bytes = offset(block.encoded_len());
        for _ in 0..2 {
            let active = self.catalog.active();
            let start = active.header.next_block_start(self.end).unwrap_or(u64::MAX);
            let end = start.saturating_add(bytes);
            let mark = active.header.next_block_start(end).unwrap_or(u64::MAX);
            if mark.saturating_add(offset(BLOCK_OVERHEAD_LEN)) <= active.file_len {
                return Ok(start);
            }
            self.roll_over(active.header.number)?;
        }
        let reason = "a new segment has no room for the block".to_owned();
        Err(AppendError::Dead { reason })
    }

    fn write(&mut self, at: u64, block: &Block) -> io::Result<()> {
        let active = self.catalog.active();
        self.buffer.clear();
        block.encode_into(&active.header.checksum_key, &mut self.buffer);
        active.file.write_all_at(&self.buffer, at)?;
        active.file.sync_data()?;
        self.end = at + offset(self.buffer.len());
        Ok(())
    }

    fn roll_over(&mut self, active: u64) -> Result<(), AppendError> {
        let spare = Arc::clone(&self.spare);
        // Held until the spare has its new name, so that no other is made under the old one.
        let mut spare = lock(&spare);
        let file = self.take(&mut spare)?;
        let fs = &self.catalog.fs;
        let made = new_header(active + 1, self.head(), self.options.block_align)
            .and_then(|header| install(fs, &self.catalog.dir, &file, &header).map(|()| header));
        let header = made.map_err(|error| self.die(&error))?;
        let next = OpenSegment {
            header,
            file,
            file_len: self.options.segment_bytes,
            offsets: RwLock::new(Offsets::default()),
            is_scanned: true,
        };
        self.catalog.roll_over(next);
        self.end = offset(SEGMENT_HEADER_LEN);
        self.needs_mark = false;
        Ok(())
    }

    /// The full spare; fills it here and now when the background has not.
    fn take(&mut self, spare: &mut Spare<F>) -> Result<F::File, AppendError> {
        loop {
            if let Some(file) = spare.take() {
                return Ok(file);
            }
            match spare.step() {
                Ok(_) => {}
                Err(source) if is_full(&source) => {
                    return Err(AppendError::Full {
                        source: source.into(),
                    });
                }
                Err(error) => return Err(self.die(&error)),
            }
        }
    }

    fn forget_keys(&self, positions: &[Position]) -> Result<(), Fault> {
        let records = self.reader.get(positions).map_err(erase::fault)?;
        let gone = |record: &Record| {
            let mut erased = record.clone();
            erased.erase();
            let after = self.index.keys_of(std::slice::from_ref(&erased));
            let before = self.index.keys_of(std::slice::from_ref(record));
            before
                .into_iter()
                .filter(move |entry| !after.contains(entry))
        };
        let gone: Vec<_> = records.iter().flat_map(gone).collect();
        let fault = |source| Fault::backend("take keys out of the index", source);
        self.index.forget(&gone).map_err(fault)
    }

    fn die(&mut self, error: &io::Error) -> AppendError {
        let reason = format!("a write or sync failed: {error}");
        let reason = self.dead.get_or_insert(reason).clone();
        AppendError::Dead { reason }
    }
}

/// A header with a fresh key.
pub(crate) fn new_header(number: u64, head: Head, block_align: u32) -> io::Result<SegmentHeader> {
    let mut key = [0; 32];
    getrandom::fill(&mut key).map_err(io::Error::other)?;
    Ok(SegmentHeader {
        number,
        head,
        block_align,
        checksum_key: ChecksumKey(key),
    })
}

/// Steps 2 to 4 of a roll-over.
pub(crate) fn install<F: Fs>(
    fs: &F,
    dir: &Path,
    spare: &F::File,
    header: &SegmentHeader,
) -> io::Result<()> {
    spare.write_all_at(&header.encode(), 0)?;
    spare.sync_data()?;
    let log_dir = layout::log_dir(dir);
    fs.rename(
        &log_dir.join(layout::SPARE),
        &layout::segment_path(dir, header.number),
    )?;
    fs.sync_dir(&log_dir)
}
