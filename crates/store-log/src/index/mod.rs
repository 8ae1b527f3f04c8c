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
//! each record, 24 bytes on disk, and a merge drops none.
//!
//! Order: runs and tables cover ranges of positions that follow each other without a gap. A table
//! leaves memory only when its run is durable, and merged runs are removed only when the merged one is,
//! so a crash leaves at most runs that are contained in another, or positions past the last run, which
//! are read again from the log.

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
use store::{Fault, Key, Keys, ReadError};

use crate::catalog::{exclusive, lock, shared};
use crate::reader::Reader;
use run::{Run, RunError};
use table::Table;
use work::Work;

/// A key and the position of a record with it.
pub(crate) type Entry = (Key, u64);

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
    pub(crate) fn keys_of(&self, records: &[Record]) -> Vec<Entry> {
        let of_record = |record: &Record| {
            let position = record.leaf.position.0;
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
    pub(crate) fn given(&self, keys: Vec<(Key, Position)>, records: &[Record]) -> Vec<Entry> {
        if let Some(first) = records.first().filter(|first| first.leaf.position.0 == 0) {
            // What keys are derived from is in the first record.
            self.keys.keys_of(first);
        }
        debug_assert!(
            store::are_keys_of(self.keys.as_ref(), records, &keys),
            "keys that the block's records have"
        );
        let entry = |(key, position): (Key, Position)| (key, position.0);
        keys.into_iter().map(entry).collect()
    }

    /// Takes the keys of the records up to `to`, and calls `publish` before any lookup sees them.
    pub(crate) fn insert(&self, entries: Vec<Entry>, to: Head, publish: impl FnOnce()) {
        let mut state = exclusive(&self.state);
        state.table.insert(entries, to);
        publish();
        if state.table.len() >= self.table_keys_max {
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

    /// The latest position of each key.
    pub(crate) fn find(&self, keys: &[Key]) -> Result<Vec<Option<Position>>, ReadError> {
        let mut found = Vec::with_capacity(keys.len());
        let mut open = Vec::new();
        let runs = {
            let state = shared(&self.state);
            for (key, index) in keys.iter().zip(0..) {
                let position = state.find_in_memory(*key);
                if position.is_none() {
                    open.push((*key, index));
                }
                found.push(position.map(Position));
            }
            Arc::clone(&state.runs)
        };
        for (key, index) in open {
            found[index] = match find_in(&runs, key) {
                Ok(position) => position.map(Position),
                Err(_) => self
                    .carefully(|state| find_in(&state.runs, key))?
                    .map(Position),
            };
        }
        Ok(found)
    }

    /// The positions of a key in a range, ascending.
    pub(crate) fn find_all(
        &self,
        key: Key,
        from: Position,
        below: Position,
    ) -> Result<Vec<Position>, ReadError> {
        let (from, below) = (from.0, below.0);
        let all = |state: &State<F>| {
            let tables = state.full.iter().map(AsRef::as_ref);
            let mut recent = Vec::new();
            for table in tables.chain([&state.table]) {
                table.find_all(key, from, below, &mut recent);
            }
            (Arc::clone(&state.runs), recent)
        };
        let (runs, recent) = all(&shared(&self.state));
        let found = match find_all_in(&runs, key, from, below) {
            Ok(older) => [older, recent].concat(),
            Err(_) => {
                let (older, recent) = self.carefully(|state| {
                    let (runs, recent) = all(state);
                    Ok((find_all_in(&runs, key, from, below)?, recent))
                })?;
                [older, recent].concat()
            }
        };
        Ok(found.into_iter().map(Position).collect())
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

    /// Takes entries out of memory and off the disk.
    pub(crate) fn forget(&self, entries: &[Entry]) -> io::Result<()> {
        if entries.is_empty() {
            return Ok(());
        }
        // A run in the making may hold them already: it is begun again.
        let mut work = lock(&self.work);
        *work = Work::IDLE;
        exclusive(&self.state).forget_in_memory(entries);
        loop {
            let runs = Arc::clone(&shared(&self.state).runs);
            match forget_in(&runs, entries) {
                Ok(()) => return Ok(()),
                Err((_, RunError::Io(error))) => return Err(error),
                // Made again it holds them again: their bodies are still there.
                Err((damaged, RunError::Damaged)) => {
                    self.repair(&damaged).map_err(io::Error::other)?;
                }
            }
        }
    }

    /// Again, without anything writing beside it; then with the damaged run made anew.
    fn carefully<T>(
        &self,
        look: impl Fn(&State<F>) -> Result<T, Broken<F::File>>,
    ) -> Result<T, ReadError> {
        let fault = |source| Fault::backend("read the key index", source);
        let mut work = lock(&self.work);
        loop {
            let looked = look(&shared(&self.state));
            match looked {
                Ok(found) => return Ok(found),
                Err((_, RunError::Io(error))) => return Err(fault(error).into()),
                Err((damaged, RunError::Damaged)) => {
                    *work = Work::IDLE;
                    self.repair(&damaged)?;
                }
            }
        }
    }
}

impl<F: Fs> State<F> {
    fn find_in_memory(&self, key: Key) -> Option<u64> {
        let in_full = || self.full.iter().rev().find_map(|table| table.find(key));
        self.table.find(key).or_else(in_full)
    }

    fn freeze(&mut self) {
        if let Some(full) = self.table.take_full() {
            self.full.push(Arc::new(full));
        }
    }

    fn forget_in_memory(&mut self, entries: &[Entry]) {
        self.table.forget(entries);
        for table in &mut self.full {
            Arc::make_mut(table).forget(entries);
        }
    }
}

/// A run that could not be read, and why.
type Broken<R> = (Arc<Run<R>>, RunError);

/// The newest run that knows a key decides; an error names the run that has it.
fn find_in<R: durable::File>(runs: &[Arc<Run<R>>], key: Key) -> Result<Option<u64>, Broken<R>> {
    for run in runs.iter().rev() {
        match run.find(key) {
            Ok(None) => {}
            Ok(found) => return Ok(found),
            Err(error) => return Err((Arc::clone(run), error)),
        }
    }
    Ok(None)
}

/// The positions of a key in the runs that cover a part of the range.
fn find_all_in<R: durable::File>(
    runs: &[Arc<Run<R>>],
    key: Key,
    from: u64,
    below: u64,
) -> Result<Vec<u64>, Broken<R>> {
    let mut found = Vec::new();
    let covers = |run: &&Arc<Run<R>>| run.header.from < below && run.header.to.size > from;
    for run in runs.iter().filter(covers) {
        run.find_all(key, from, below, &mut found)
            .map_err(|error| (Arc::clone(run), error))?;
    }
    Ok(found)
}

/// Takes entries out of the runs that cover them; an error names the run that has it.
fn forget_in<R: durable::File>(runs: &[Arc<Run<R>>], entries: &[Entry]) -> Result<(), Broken<R>> {
    for run in runs {
        let covered = run.header.from..run.header.to.size;
        for entry in entries.iter().filter(|entry| covered.contains(&entry.1)) {
            run.forget(*entry)
                .map_err(|error| (Arc::clone(run), error))?;
        }
    }
    Ok(())
}
