//! Background work on the index, in pieces: spilling tables, merging runs.
//!
//! Apart from the index because it is a machine of its own: each piece is short, a piece that fails is
//! begun again from its inputs, and a simulation counts the pieces.

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

/// What is under way. Spills go first, as appends may wait for them.
pub(super) struct Work<F: Fs> {
    spill: Option<Spill<F>>,
    merge: Option<Merge<F>>,
}

struct Spill<F: Fs> {
    table: Arc<Table>,
    rest: std::vec::IntoIter<Entry>,
    writer: RunWriter<F>,
}

struct Merge<F: Fs> {
    sources: Vec<Source<F>>,
    writer: RunWriter<F>,
}

/// A run that is being merged: older ones first.
struct Source<F: Fs> {
    run: Arc<Run<F::File>>,
    next_page: u64,
    entries: Vec<Entry>,
    /// The next one in `entries`.
    at: usize,
}

impl<F: Fs> Work<F> {
    /// Nothing under way; what was is begun again.
    pub(super) const IDLE: Self = Self {
        spill: None,
        merge: None,
    };
}

impl<F: Fs> Index<F> {
    pub(super) fn advance(&self, work: &mut Work<F>) -> io::Result<bool> {
        // Each is taken out, so that a failed piece leaves nothing half done.
        if let Some(spill) = work.spill.take() {
            work.spill = self.spill_piece(spill)?;
            return Ok(true);
        }
        let full = shared(&self.state).full.first().cloned();
        if let Some(table) = full {
            let rest = table.sorted();
            let writer = self.writer(table.from, table.to, offset(rest.len()))?;
            work.spill = Some(Spill {
                table,
                rest: rest.into_iter(),
                writer,
            });
            return Ok(true);
        }
        if let Some(merge) = work.merge.take() {
            work.merge = self.merge_piece(merge)?;
            return Ok(true);
        }
        work.merge = self.begin_merge()?;
        Ok(work.merge.is_some())
    }

    fn spill_piece(&self, mut spill: Spill<F>) -> io::Result<Option<Spill<F>>> {
        for entry in spill.rest.by_ref().take(PIECE_ENTRIES) {
            spill.writer.push(entry)?;
        }
        if spill.rest.len() > 0 {
            return Ok(Some(spill));
        }
        self.install(&[], Some(&spill.table), spill.writer.finish()?)?;
        Ok(None)
    }

    fn merge_piece(&self, mut merge: Merge<F>) -> io::Result<Option<Merge<F>>> {
        for _ in 0..PIECE_ENTRIES {
            match next_of(&mut merge.sources) {
                Ok(Some(entry)) => merge.writer.push(entry)?,
                Ok(None) => {
                    let runs: Vec<_> = merge.sources.into_iter().map(|source| source.run).collect();
                    self.install(&runs, None, merge.writer.finish()?)?;
                    return Ok(None);
                }
                Err((_, RunError::Io(error))) => return Err(error),
                Err((index, RunError::Damaged)) => {
                    let damaged = Arc::clone(&merge.sources[index].run);
                    self.repair(&damaged).map_err(io::Error::other)?;
                    return Ok(None);
                }
            }
        }
        Ok(Some(merge))
    }

    fn begin_merge(&self) -> io::Result<Option<Merge<F>>> {
        let runs = Arc::clone(&shared(&self.state).runs);
        let chosen = choose(&runs, self.table_keys_max);
        let (Some(first), Some(last)) = (chosen.first(), chosen.last()) else {
            return Ok(None);
        };
        let n_entries = chosen.iter().map(|run| run.header.n_entries).sum();
        let writer = self.writer(first.header.from, last.header.to, n_entries)?;
        let source = |run: &Arc<Run<F::File>>| {
            let run = Arc::clone(run);
            Source {
                run,
                next_page: 0,
                entries: Vec::new(),
                at: 0,
            }
        };
        Ok(Some(Merge {
            sources: chosen.iter().map(source).collect(),
            writer,
        }))
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

/// The next runs to merge: four of one tier, the smallest first, with smaller ones between them and
/// none larger. A tier is a factor of four in entries.
fn choose<R: File>(runs: &[Arc<Run<R>>], table_keys_max: usize) -> &[Arc<Run<R>>] {
    let tiers: Vec<u32> = runs
        .iter()
        .map(|run| {
            (run.header.n_entries / offset(table_keys_max))
                .max(1)
                .ilog2()
                / 2
        })
        .collect();
    for tier in 0..=tiers.iter().copied().max().unwrap_or(0) {
        let mut of_tier: Vec<usize> = Vec::new();
        for (index, found) in tiers.iter().enumerate() {
            if *found > tier {
                of_tier.clear();
            } else if *found == tier {
                of_tier.push(index);
            }
            if of_tier.len() == FAN_IN {
                return &runs[of_tier[0]..=index];
            }
        }
    }
    &[]
}

/// The smallest entry of all sources. An error names the source.
fn next_of<F: Fs>(sources: &mut [Source<F>]) -> Result<Option<Entry>, (usize, RunError)> {
    let mut smallest: Option<(Entry, usize)> = None;
    for (index, source) in sources.iter_mut().enumerate() {
        let Some(front) = source.front().map_err(|error| (index, error))? else {
            continue;
        };
        if smallest.is_none_or(|(entry, _)| front < entry) {
            smallest = Some((front, index));
        }
    }
    Ok(smallest.map(|(entry, index)| {
        sources[index].at += 1;
        entry
    }))
}

impl<F: Fs> Source<F> {
    fn front(&mut self) -> Result<Option<Entry>, RunError> {
        if self.at == self.entries.len() {
            if self.next_page == self.run.header.n_entry_pages() {
                return Ok(None);
            }
            self.run.read_entries(self.next_page, &mut self.entries)?;
            self.next_page += 1;
            self.at = 0;
        }
        Ok(self.entries.get(self.at).copied())
    }
}
