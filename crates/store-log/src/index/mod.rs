//! The key index behind `find`: recent keys in memory, older ones in sorted runs on disk.
//!
//! Apart from the log because it is disposable: whatever is missing or damaged is made again from the
//! records, and no client sees an error for it. Writes are off the acknowledgement path: an append only
//! inserts into memory; the background spills full tables to runs and merges runs of similar size, four
//! at a time, so that few exist. Memory is bounded by options: tables by their number of keys (an append
//! waits when three full ones are not yet written), filters by bytes, merges by a few pages.
//!
//! Every position of a key is kept, not only the latest: an erasure takes away the pair of a key and a
//! position, and the latest one that is left is the answer. So the index has an entry for each key of
//! each record, 16 bytes on disk and 10 bits of filter, and a merge drops none.
//!
//! Order: runs and tables cover ranges of positions that follow each other without a gap. A table
//! leaves memory only when its run is durable, and merged runs are removed only when the merged one is,
//! so a crash leaves at most runs that are contained in another, or positions past the last run, which
//! are read again from the log.

mod entry;
mod find;
mod forget;
mod open;
mod run;
mod table;
mod work;
mod write;

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, RwLock};

use chain::{Head, Position, Record};
use durable::Fs;
use store::{Key, Keys};

use crate::catalog::{exclusive, lock, shared};
use crate::reader::Reader;
use entry::Tag;
use find::Broken;
use run::{Run, RunError};
use table::Table;
use work::Work;

/// A key and the position of a record with it.
pub(crate) type Keyed = (Key, Position);

/// Full tables that wait to be written before an append waits for one of them.
const FULL_TABLES_MAX: usize = 3;

/// What lookups go through, newest first.
struct State<F: Fs> {
    table: Table,
    /// Oldest first.
    full: Vec<Arc<Table>>,
    /// Oldest first. Replaced as a whole.
    runs: Arc<Vec<Arc<Run<F::File>>>>,
    filter_bytes: u64,
}

pub(crate) struct Index<F: Fs> {
    fs: F,
    dir: PathBuf,
    keys: Arc<dyn Keys>,
    reader: Reader<F>,
    table_keys_max: usize,
    filter_bytes_max: u64,
    state: RwLock<State<F>>,
    /// Held for each piece of work, and for whatever must not run beside it.
    work: Mutex<Work<F>>,
}

impl<F: Fs> Index<F> {
    /// The keys of records, with their positions.
    pub(crate) fn keys_of(&self, records: &[Record]) -> Vec<Keyed> {
        let of_record = |record: &Record| {
            let position = record.leaf.position;
            self.keys
                .keys_of(record)
                .into_iter()
                .map(move |key| (key, position))
        };
        let mut entries = Vec::with_capacity(records.len() * 4);
        entries.extend(records.iter().flat_map(of_record));
        entries
    }

    /// Keys that came with records.
    pub(crate) fn given(&self, keys: Vec<Keyed>, records: &[Record]) -> Vec<Keyed> {
        if let Some(first) = records.first().filter(|first| first.leaf.position.0 == 0) {
            // What keys are derived from is in the first record.
            self.keys.keys_of(first);
        }
        debug_assert!(
            store::are_keys_of(self.keys.as_ref(), records, &keys),
            "keys that the block's records have"
        );
        keys
    }

    /// Takes the keys of the records up to `to`, and calls `publish` before any lookup sees them.
    pub(crate) fn insert(&self, keys: &[Keyed], to: Head, publish: impl FnOnce()) {
        let mut state = exclusive(&self.state);
        state.table.insert(keys, to);
        publish();
        if state.table.is_full(self.table_keys_max) {
            state.freeze();
        }
    }

    /// Returns once another table may fill up: writes one itself when too many wait.
    ///
    /// # Errors
    /// Whatever writing returned; nothing is lost.
    pub(crate) fn make_room(&self) -> io::Result<()> {
        while shared(&self.state).full.len() >= FULL_TABLES_MAX {
            self.step()?;
        }
        Ok(())
    }

    /// Does one piece of background work; false when there is none.
    pub(crate) fn step(&self) -> io::Result<bool> {
        let mut work = lock(&self.work);
        self.advance(&mut work)
    }

    /// Writes everything that is in memory.
    pub(crate) fn flush(&self) -> io::Result<()> {
        exclusive(&self.state).freeze();
        while !shared(&self.state).full.is_empty() {
            self.step()?;
        }
        Ok(())
    }

    /// Takes keys of records out of memory and off the disk.
    pub(crate) fn forget(&self, keys: &[Keyed]) -> io::Result<()> {
        if keys.is_empty() {
            return Ok(());
        }
        // A run in the making may hold them already: it is begun again.
        let mut work = lock(&self.work);
        *work = Work::IDLE;
        exclusive(&self.state).forget_in_memory(keys);
        // Durability: a run that was replaced must not come back with what its successor forgets.
        self.fs.sync_dir(&self.dir)?;
        loop {
            let runs = Arc::clone(&shared(&self.state).runs);
            match forget_in(&runs, keys) {
                Ok(()) => return Ok(()),
                Err((_, RunError::Io(error))) => return Err(error),
                // Made again it holds them again: their bodies are still there.
                Err((damaged, RunError::Damaged)) => {
                    self.repair(&damaged).map_err(io::Error::other)?;
                }
            }
        }
    }
}

impl<F: Fs> State<F> {
    fn freeze(&mut self) {
        if let Some(full) = self.table.take_full() {
            self.full.push(Arc::new(full));
        }
    }

    fn forget_in_memory(&mut self, keys: &[Keyed]) {
        self.table.forget(keys);
        for table in &mut self.full {
            Arc::make_mut(table).forget(keys);
        }
    }
}

/// Takes keys out of the runs that cover them; an error names the run that has it.
fn forget_in<R: durable::File>(runs: &[Arc<Run<R>>], keys: &[Keyed]) -> Result<(), Broken<R>> {
    for run in runs {
        let covered = run.header.from..run.header.to.size;
        for (key, position) in keys.iter().filter(|keyed| covered.contains(&keyed.1.0)) {
            run.forget(Tag::of(*key).at(position.0 - covered.start))
                .map_err(|error| (Arc::clone(run), error))?;
        }
    }
    Ok(())
}
