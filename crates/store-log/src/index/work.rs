//! Background work on the index, in pieces: spilling tables, merging runs.
//!
//! Apart from the index because it is a machine of its own: each piece is short, a piece that fails is
//! begun again from its inputs, and a simulation counts the pieces.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;

use durable::{File, Fs};

use super::run::{Run, RunError};
use super::table::Table;
use super::write::RunWriter;
use super::{Entry, Index};
use crate::catalog::{exclusive, shared};
use crate::width::offset;

/// Entries that one piece of work moves: about a MiB.
const PIECE_ENTRIES: usize = 1 << 15;
/// Runs that are merged at once.
const FAN_IN: usize = 4;

/// What is under way.
pub(super) enum Work<F: Fs> {
    Idle,
    Spill {
        table: Arc<Table>,
        rest: VecDeque<Entry>,
        writer: RunWriter<F>,
    },
    Merge {
        sources: Vec<Source<F>>,
        writer: RunWriter<F>,
    },
}

/// A run that is being merged: older ones first.
pub(super) struct Source<F: Fs> {
    run: Arc<Run<F::File>>,
    next_page: u64,
    entries: VecDeque<Entry>,
}

impl<F: Fs> Index<F> {
    pub(super) fn advance(&self, work: &mut Work<F>) -> io::Result<bool> {
        // Taken out, so that a failed piece leaves nothing half done.
        match std::mem::replace(work, Work::Idle) {
            Work::Idle => {
                *work = self.begin()?;
                Ok(!matches!(work, Work::Idle))
            }
            Work::Spill {
                table,
                mut rest,
                mut writer,
            } => {
                for entry in rest.drain(..rest.len().min(PIECE_ENTRIES)) {
                    writer.push(entry)?;
                }
                if rest.is_empty() {
                    self.install(&[], Some(&table), writer.finish()?)?;
                } else {
                    *work = Work::Spill {
                        table,
                        rest,
                        writer,
                    };
                }
                Ok(true)
            }
            Work::Merge {
                mut sources,
                mut writer,
            } => {
                let damaged = |source: &Source<F>| Arc::clone(&source.run);
                for _ in 0..PIECE_ENTRIES {
                    match next_of(&mut sources) {
                        Ok(Some(entry)) => writer.push(entry)?,
                        Ok(None) => {
                            let runs: Vec<_> = sources.iter().map(damaged).collect();
                            self.install(&runs, None, writer.finish()?)?;
                            return Ok(true);
                        }
                        Err((_, RunError::Io(error))) => return Err(error),
                        Err((index, RunError::Damaged)) => {
                            let run = damaged(&sources[index]);
                            self.repair(&run).map_err(io::Error::other)?;
                            return Ok(true);
                        }
                    }
                }
                *work = Work::Merge { sources, writer };
                Ok(true)
            }
        }
    }

    fn begin(&self) -> io::Result<Work<F>> {
        let (full, runs) = {
            let state = shared(&self.state);
            (state.full.first().cloned(), Arc::clone(&state.runs))
        };
        if let Some(table) = full {
            let rest: VecDeque<Entry> = table.sorted().into();
            let writer = self.writer(table.from, table.to, offset(rest.len()))?;
            return Ok(Work::Spill {
                table,
                rest,
                writer,
            });
        }
        let Some(chosen) = choose(&runs, self.table_keys_max) else {
            return Ok(Work::Idle);
        };
        let (Some(first), Some(last)) = (chosen.first(), chosen.last()) else {
            return Ok(Work::Idle);
        };
        let n_entries = chosen.iter().map(|run| run.header.n_entries).sum();
        let writer = self.writer(first.header.from, last.header.to, n_entries)?;
        let source = |run: &Arc<Run<F::File>>| Source {
            run: Arc::clone(run),
            next_page: 0,
            entries: VecDeque::new(),
        };
        Ok(Work::Merge {
            sources: chosen.iter().map(source).collect(),
            writer,
        })
    }

    pub(super) fn writer(
        &self,
        from: u64,
        to: chain::Head,
        n_entries_max: u64,
    ) -> io::Result<RunWriter<F>> {
        let scheme = self.keys.scheme();
        RunWriter::create(self.fs.clone(), &self.dir, scheme, from, to, n_entries_max)
    }

    /// Puts a durable run in the place of what it was made from, then removes that.
    fn install(
        &self,
        replaced: &[Arc<Run<F::File>>],
        spilled: Option<&Arc<Table>>,
        run: Run<F::File>,
    ) -> io::Result<()> {
        let run = self.with_filter(run);
        let mut state = exclusive(&self.state);
        let is_replaced =
            |old: &Arc<Run<F::File>>| replaced.iter().any(|run| Arc::ptr_eq(run, old));
        let mut runs: Vec<_> = state
            .runs
            .iter()
            .filter(|old| !is_replaced(old))
            .cloned()
            .collect();
        let at = runs.partition_point(|old| old.header.from < run.header.from);
        runs.insert(at, Arc::new(run));
        state.runs = Arc::new(runs);
        if let Some(table) = spilled {
            state.full.retain(|full| !Arc::ptr_eq(full, table));
        }
        state.filter_bytes = filter_bytes(&state.runs);
        drop(state);
        replaced
            .iter()
            .try_for_each(|old| self.fs.remove(&old.path))
    }

    pub(super) fn with_filter(&self, mut run: Run<F::File>) -> Run<F::File> {
        let room = self
            .filter_bytes_max
            .saturating_sub(shared(&self.state).filter_bytes);
        // A filter that cannot be read now is read when it is needed, and dealt with then.
        let _ = run.keep_filter(room);
        run
    }
}

pub(super) fn filter_bytes<R: File>(runs: &[Arc<Run<R>>]) -> u64 {
    runs.iter()
        .filter_map(|run| run.filter.as_ref())
        .map(|filter| offset(filter.len()))
        .sum()
}

/// The next runs to merge: neighbours of which none is larger than the others' tier, smallest tier
/// first. A tier is a factor of four in entries.
fn choose<R: File>(runs: &[Arc<Run<R>>], table_keys_max: usize) -> Option<Vec<Arc<Run<R>>>> {
    let tier = |run: &Arc<Run<R>>| {
        let tables = run.header.n_entries / offset(table_keys_max.max(1));
        tables.max(1).ilog2() / 2
    };
    let tier_max = runs.iter().map(tier).max()?;
    for limit in 0..=tier_max {
        let mut neighbours = runs.chunk_by(|a, b| (tier(a) <= limit) == (tier(b) <= limit));
        let found = neighbours.find(|runs| runs.len() >= FAN_IN && tier(&runs[0]) <= limit);
        if let Some(runs) = found {
            return Some(runs[..FAN_IN].to_vec());
        }
    }
    None
}

/// The smallest key of all sources; of equal keys the newest source's. An error names the source.
fn next_of<F: Fs>(sources: &mut [Source<F>]) -> Result<Option<Entry>, (usize, RunError)> {
    for (index, source) in sources.iter_mut().enumerate() {
        source.fill().map_err(|error| (index, error))?;
    }
    let fronts = sources.iter().enumerate();
    let smallest = fronts
        .filter_map(|(index, source)| source.entries.front().map(|entry| (entry.0, index)))
        .min_by(|a, b| a.0.cmp(&b.0).then(b.1.cmp(&a.1)));
    Ok(smallest.and_then(|(_, index)| sources[index].entries.pop_front()))
}

impl<F: Fs> Source<F> {
    fn fill(&mut self) -> Result<(), RunError> {
        if self.entries.is_empty() && self.next_page < self.run.header.n_entry_pages() {
            self.entries = self.run.entry_page(self.next_page)?.into();
            self.next_page += 1;
        }
        Ok(())
    }
}
