//! Opens the index: keeps the runs that fit the log, and makes the rest again from the records.
//!
//! Apart from the index because here nothing on disk is believed yet.

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, RwLock};

use chain::{Head, Position, Record};
use durable::{File, Fs, Mode, make_dir};
use store::{Fault, Keys, ReadError};

use super::run::{PAGE_LEN, Run, RunError, RunHeader};
use super::table::Table;
use super::work::{Work, filter_bytes};
use super::{Index, State};
use crate::Options;
use crate::catalog::exclusive;
use crate::error::OpenError;
use crate::reader::Reader;

/// Bytes of records read at once when keys are made again.
const READ_BYTES: u64 = 1 << 20;

impl<F: Fs> Index<F> {
    /// Opens the index in `dir` for the log behind `reader`; returns how many records it read again.
    pub(crate) fn open(
        fs: F,
        dir: PathBuf,
        keys: Arc<dyn Keys>,
        options: &Options,
        reader: Reader<F>,
    ) -> Result<(Self, u64), OpenError> {
        let directory = |source| OpenError::Directory {
            path: dir.clone(),
            source,
        };
        let reading = |source| OpenError::Index { source };
        make_dir(&fs, &dir).map_err(directory)?;
        if reader.head().size > 0 {
            // What keys are derived from is in the first record.
            for first in reader.get(&[Position(0)]).map_err(reading)? {
                keys.keys_of(&first);
            }
        }
        let mut kept: Vec<Run<F::File>> = Vec::new();
        let mut covered = Head::EMPTY;
        for found in load(&fs, &dir).map_err(directory)? {
            let run = match found {
                Ok(run)
                    if run.header.from == covered.size && run.header.scheme == keys.scheme() =>
                {
                    run
                }
                Ok(Run { path, .. }) | Err(path) => {
                    fs.remove(&path).map_err(directory)?;
                    continue;
                }
            };
            if !fits(&reader, &run.header).map_err(reading)? {
                fs.remove(&run.path).map_err(directory)?;
                continue;
            }
            covered = run.header.to;
            kept.push(run);
        }
        let state = State {
            table: Table::new(covered),
            full: Vec::new(),
            runs: Arc::default(),
            filter_bytes: 0,
        };
        let index = Self {
            fs,
            dir: dir.clone(),
            keys,
            reader,
            table_keys_max: options.memtable_keys_max.max(1),
            filter_bytes_max: options.filter_cache_bytes,
            state: RwLock::new(state),
            work: Mutex::new(Work::IDLE),
        };
        for run in kept {
            let run = index.with_filter(run);
            let mut state = exclusive(&index.state);
            let runs = state.runs.iter().cloned().chain([Arc::new(run)]).collect();
            state.runs = Arc::new(runs);
            state.filter_bytes = filter_bytes(&state.runs);
        }
        let n_indexed = index.replay(covered.size).map_err(reading)?;
        Ok((index, n_indexed))
    }

    /// Takes the keys of all records from a position on.
    fn replay(&self, from: u64) -> Result<u64, ReadError> {
        let fault = |source| Fault::backend("write the key index", source);
        let size = self.reader.head().size;
        let mut at = from;
        while at < size {
            let records = self.reader.read(Position(at), READ_BYTES)?;
            let Some(last) = records.last() else { break };
            let to = head_after(last);
            self.make_room().map_err(fault)?;
            self.insert(&self.keys_of(&records), to, || ());
            at = to.size;
        }
        Ok(at - from)
    }

    /// Makes a damaged run again, as one or more, and puts them in its place.
    pub(super) fn repair(&self, damaged: &Arc<Run<F::File>>) -> Result<(), ReadError> {
        let fault = |source| Fault::backend("repair the key index", source);
        let mut made: Vec<Arc<Run<F::File>>> = Vec::new();
        let mut table = Table::new(Head {
            size: damaged.header.from,
            ..Head::EMPTY
        });
        let end = damaged.header.to.size;
        while table.to.size < end {
            let mut records = self.reader.read(Position(table.to.size), READ_BYTES)?;
            records.retain(|record| record.leaf.position.0 < end);
            let Some(last) = records.last() else { break };
            table.insert(&self.keys_of(&records), head_after(last));
            if table.is_full(self.table_keys_max) || table.to.size == end {
                let Some(full) = table.take_full() else { break };
                made.push(Arc::new(self.write_table(&full).map_err(fault)?));
            }
        }
        let mut state = exclusive(&self.state);
        let others = state.runs.iter().filter(|run| !Arc::ptr_eq(run, damaged));
        let mut runs: Vec<_> = others.cloned().chain(made.iter().cloned()).collect();
        runs.sort_by_key(|run| run.header.from);
        state.runs = Arc::new(runs);
        state.filter_bytes = filter_bytes(&state.runs);
        drop(state);
        if made.iter().any(|run| run.path == damaged.path) {
            return Ok(());
        }
        Ok(self.fs.remove(&damaged.path).map_err(fault)?)
    }

    fn write_table(&self, table: &Table) -> io::Result<Run<F::File>> {
        let entries = table.sorted();
        let n_entries = crate::width::offset(entries.len());
        let mut writer = self.writer(table.from, table.to, n_entries)?;
        entries
            .into_iter()
            .try_for_each(|entry| writer.push(entry))?;
        writer.finish()
    }
}

/// The runs in the directory by first position, wider ones first; the paths of files that are none.
fn load<F: Fs>(fs: &F, dir: &std::path::Path) -> io::Result<Vec<Result<Run<F::File>, PathBuf>>> {
    let mut found = Vec::new();
    for name in fs.list(dir)? {
        let path = dir.join(&name);
        // For writing, as forgotten keys are overwritten.
        let file = fs.open(&path, Mode::Write)?;
        let mut page = [0; PAGE_LEN];
        let header = match durable::read_exact_at(&file, &mut page, 0) {
            Ok(()) => RunHeader::decode(&page),
            Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => None,
            Err(e) => return Err(e),
        };
        let len = file.len()?;
        let header = header.filter(|header| name.ends_with(".run") && len == header.file_len());
        let run = match header.map(|header| Run::open(file, path.clone(), header)) {
            Some(Ok(run)) => Ok(run),
            Some(Err(RunError::Io(error))) => return Err(error),
            Some(Err(RunError::Damaged)) | None => Err(path),
        };
        found.push(run);
    }
    found.sort_by_key(|found| match found {
        Ok(run) => (run.header.from, u64::MAX - run.header.to.size),
        Err(_) => (u64::MAX, u64::MAX),
    });
    Ok(found)
}

/// Whether a run was made from this log: the record before its end has the hash that it names.
fn fits<F: Fs>(reader: &Reader<F>, header: &RunHeader) -> Result<bool, ReadError> {
    if header.to.size > reader.head().size || header.to.size <= header.from {
        return Ok(false);
    }
    let last = reader.get(&[Position(header.to.size - 1)])?;
    Ok(last.iter().all(|record| head_after(record) == header.to))
}

fn head_after(record: &Record) -> Head {
    Head {
        size: record.leaf.position.0 + 1,
        hash: record.hash(),
    }
}
