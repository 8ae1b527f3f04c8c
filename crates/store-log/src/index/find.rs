//! Looking keys up: in the tables, then in the runs.
//!
//! Apart from the index because it is what callers wait for. Keys come by the thousand, most of them in
//! no run, so all of them go through one run after the other, newest first and in their own order:
//! filters and pages are passed from front to back, and a page that several need is read and checked
//! once. No lock is held but for a look into the tables.

use std::sync::Arc;

use chain::Position;
use durable::{File, Fs};
use store::{Fault, Key, ReadError};

use super::entry::Tag;
use super::run::{Hand, Run, RunError};
use super::table::Table;
use super::work::Work;
use super::{Index, State};
use crate::catalog::{lock, shared};

/// A run that could not be read, and why.
pub(super) type Broken<R> = (Arc<Run<R>>, RunError);

/// Runs, oldest first.
type Runs<R> = [Arc<Run<R>>];

/// A key that no newer table or run has, and the place of its answer.
type Open = (Tag, usize);

impl<F: Fs> Index<F> {
    /// The latest position of each key.
    pub(crate) fn find(&self, keys: &[Key]) -> Result<Vec<Option<Position>>, ReadError> {
        let mut found = vec![None; keys.len()];
        let (mut open, full, runs) = {
            // Order: the table before those that it may become meanwhile. All under one lock, briefly.
            let state = shared(&self.state);
            let open = still_open(&state.table, keys, 0..keys.len(), &mut found);
            (open, state.full.clone(), Arc::clone(&state.runs))
        };
        for table in full.iter().rev() {
            open = still_open(table, keys, open.into_iter(), &mut found);
        }
        let mut open: Vec<Open> = open.into_iter().map(|at| (Tag::of(keys[at]), at)).collect();
        open.sort_unstable();
        if find_in(&runs, &mut open, &mut found).is_err() {
            self.carefully(|state| {
                // What was full meanwhile is in runs; what was found stays found.
                find_in(&state.runs, &mut open.clone(), &mut found)
            })?;
        }
        Ok(found.into_iter().map(|at| at.map(Position)).collect())
    }

    /// The positions of a key in a range, ascending.
    pub(crate) fn find_all(
        &self,
        key: Key,
        from: Position,
        below: Position,
    ) -> Result<Vec<Position>, ReadError> {
        let (from, below) = (from.0, below.0);
        if from >= below {
            return Ok(Vec::new());
        }
        let recent = |state: &State<F>| {
            let tables = state.full.iter().map(AsRef::as_ref);
            let mut recent = Vec::new();
            for table in tables.chain([&state.table]) {
                table.find_all(key, from, below, &mut recent);
            }
            recent
        };
        let (mut recent_found, runs) = {
            let state = shared(&self.state);
            (recent(&state), Arc::clone(&state.runs))
        };
        let older = match find_all_in(&runs, Tag::of(key), from, below) {
            Ok(older) => older,
            Err(_) => self.carefully(|state| {
                recent_found = recent(state);
                find_all_in(&state.runs, Tag::of(key), from, below)
            })?,
        };
        let found = older.into_iter().chain(recent_found);
        Ok(found.map(Position).collect())
    }

    /// Looks again, without anything writing beside it; then with the damaged run made anew.
    fn carefully<T>(
        &self,
        mut look: impl FnMut(&State<F>) -> Result<T, Broken<F::File>>,
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

/// Answers the keys at these places that a table has; the places of the others.
fn still_open(
    table: &Table,
    keys: &[Key],
    places: impl Iterator<Item = usize>,
    found: &mut [Option<u64>],
) -> Vec<usize> {
    let is_open = |at: &usize| {
        found[*at] = table.find(keys[*at]);
        found[*at].is_none()
    };
    places.filter(is_open).collect()
}

/// The newest run that knows a key decides; an error names the run that has it. The keys come ascending,
/// and those that are left are in no run.
fn find_in<R: File>(
    runs: &Runs<R>,
    open: &mut Vec<Open>,
    found: &mut [Option<u64>],
) -> Result<(), Broken<R>> {
    let (mut hand, mut may_hold) = (Hand::empty(), Vec::with_capacity(open.len()));
    for run in runs.iter().rev() {
        if open.is_empty() {
            break;
        }
        find_in_one(run, open, hand.turn(), &mut may_hold, found)
            .map_err(|error| (Arc::clone(run), error))?;
        open.retain(|(_, at)| found[*at].is_none());
    }
    Ok(())
}

fn find_in_one<R: File>(
    run: &Run<R>,
    open: &[Open],
    hand: &mut Hand,
    may_hold: &mut Vec<bool>,
    found: &mut [Option<u64>],
) -> Result<(), RunError> {
    run.may_hold(open.iter().map(|(tag, _)| *tag), hand, may_hold)?;
    for ((tag, at), _) in open.iter().zip(may_hold).filter(|(_, may_hold)| **may_hold) {
        found[*at] = run.find(*tag, hand)?;
    }
    Ok(())
}

/// The positions of a key in the runs that cover a part of the range.
fn find_all_in<R: File>(
    runs: &Runs<R>,
    tag: Tag,
    from: u64,
    below: u64,
) -> Result<Vec<u64>, Broken<R>> {
    let (mut found, mut hand) = (Vec::new(), Hand::empty());
    let covers = |run: &&Arc<Run<R>>| run.header.from < below && run.header.to.size > from;
    for run in runs.iter().filter(covers) {
        run.find_all(tag, from, below, hand.turn(), &mut found)
            .map_err(|error| (Arc::clone(run), error))?;
    }
    Ok(found)
}
