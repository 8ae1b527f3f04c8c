//! Background work on the index, in pieces: spilling tables, merging runs.
//!
//! Apart from the index because it is a machine of its own: each piece is short, a piece that fails is
//! begun again from its inputs, and a simulation counts the pieces.

use std::io;
use std::sync::Arc;

use durable::{File, Fs};

use super::Index;
use super::entry::{Entry, POSITIONS_MAX};
use super::run::{Hand, Run, RunError};
use super::table::Table;
use super::write::RunWriter;
use crate::catalog::{exclusive, shared};
use crate::width::offset;

/// Entries that one piece of work moves: about a MiB.
const PIECE_ENTRIES: usize = 1 << 15;
/// Runs of a tier that are merged at once.
const FAN_IN: usize = 4;
/// Runs that are merged at once when so many wait.
const FAN_IN_MAX: usize = 16;

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

/// A run that is being merged.
struct Source<F: Fs> {
    run: Arc<Run<F::File>>,
    /// How far its first position is from that of the merged one.
    moved_by: u64,
    hand: Hand,
    next_page: u64,
    /// Of the page before, as entries of the merged run.
    entries: std::vec::IntoIter<Entry>,
    front: Option<Entry>,
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
                Err((index, error)) => return self.mend(&merge, index, error).map(|()| None),
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
        let source = |run: &Arc<Run<F::File>>| Source {
            run: Arc::clone(run),
            moved_by: run.header.from - first.header.from,
            hand: Hand::empty(),
            next_page: 0,
            entries: Vec::new().into_iter(),
            front: None,
        };
        Ok(Some(Merge {
            sources: chosen.iter().map(source).collect(),
            writer,
        }))
    }

    /// Deals with a source that could not be read; the merge is begun again.
    fn mend(&self, merge: &Merge<F>, index: usize, error: RunError) -> io::Result<()> {
        match error {
            RunError::Io(error) => Err(error),
            RunError::Damaged => {
                let damaged = &merge.sources[index].run;
                self.repair(damaged).map_err(io::Error::other)
            }
        }
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
    runs.iter().map(|run| run.filter_bytes()).sum()
}

/// The next runs to merge: four or more of one tier, the smallest first, with smaller ones between them
/// and none larger. A tier is a factor of four in entries. Where many wait, because blocks came faster
/// than they could be merged, they are merged at once, which spares them the tiers between.
fn choose<R: File>(runs: &[Arc<Run<R>>], table_keys_max: usize) -> &[Arc<Run<R>>] {
    let tier_of = |run: &Arc<Run<R>>| {
        let n_tables = run.header.n_entries / offset(table_keys_max);
        n_tables.max(1).ilog2() / 2
    };
    let tiers: Vec<u32> = runs.iter().map(tier_of).collect();
    for tier in 0..=tiers.iter().copied().max().unwrap_or(0) {
        let mut of_tier: Vec<usize> = Vec::new();
        for (index, found) in tiers.iter().enumerate() {
            let is_too_wide = of_tier
                .first()
                .is_some_and(|first| positions_of(&runs[*first..=index]) >= POSITIONS_MAX);
            if *found > tier || is_too_wide || of_tier.len() == FAN_IN_MAX {
                if of_tier.len() >= FAN_IN {
                    break;
                }
                of_tier.clear();
            }
            if *found == tier {
                of_tier.push(index);
            }
        }
        if of_tier.len() >= FAN_IN
            && let (Some(first), Some(last)) = (of_tier.first(), of_tier.last())
        {
            return &runs[*first..=*last];
        }
    }
    &[]
}

/// How many positions runs cover that follow each other.
fn positions_of<R: File>(runs: &[Arc<Run<R>>]) -> u64 {
    match (runs.first(), runs.last()) {
        (Some(first), Some(last)) => last.header.to.size - first.header.from,
        _ => 0,
    }
}

/// The smallest entry of all sources. An error names the source.
fn next_of<F: Fs>(sources: &mut [Source<F>]) -> Result<Option<Entry>, (usize, RunError)> {
    let mut smallest: Option<(Entry, usize)> = None;
    for (index, source) in sources.iter_mut().enumerate() {
        if source.next_page == 0 {
            source.advance().map_err(|error| (index, error))?;
        }
        if let Some(front) = source.front
            && smallest.is_none_or(|(entry, _)| front < entry)
        {
            smallest = Some((front, index));
        }
    }
    let Some((entry, index)) = smallest else {
        return Ok(None);
    };
    sources[index].advance().map_err(|error| (index, error))?;
    Ok(Some(entry))
}

impl<F: Fs> Source<F> {
    /// Puts the next entry to the front.
    fn advance(&mut self) -> Result<(), RunError> {
        self.front = self.entries.next();
        if self.front.is_none() && self.next_page < self.run.header.n_entry_pages() {
            let mut entries = self.run.entry_page(self.next_page, &mut self.hand)?;
            let moved_by = self.moved_by;
            entries
                .iter_mut()
                .for_each(|entry| *entry = entry.moved(moved_by));
            self.next_page += 1;
            self.entries = entries.into_iter();
            self.front = self.entries.next();
        }
        Ok(())
    }
}
