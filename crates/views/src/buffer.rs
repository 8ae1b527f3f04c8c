//! What has been applied and is not in sled yet: one entry per record, written in order of key.
//!
//! Most batches touch each learner once, and one random write into sled per record would be slower than
//! the log. So links wait here, sorted, up to a bound, and a *sweep* goes round and round through the
//! handles, writing what is due: neighbours in the tree one after the other, and a learner's events of
//! the whole round at once (four times the rate of writing batch by batch; a fifth of the disk).
//!
//! Order: a reader looks here first and then into sled; what is due is written to sled first and then
//! removed here. So it is seen at least once, and whoever merges drops what is seen twice.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::{Mutex, MutexGuard};

use chain::{Institution, Position};
use ledger::Handle;

use crate::chains::{self, Link};
use crate::fault::ViewsFault;
use crate::issued;
use crate::views::{Trees, lock};

/// How many links are put in before a reader gets a turn.
const TURN: usize = 256;

/// Links of learners and positions of issuers that wait.
#[derive(Debug, Default)]
pub(crate) struct Buffer(Mutex<Waiting>);

#[derive(Debug, Default)]
struct Waiting {
    links: BTreeSet<Link>,
    issued: BTreeMap<Institution, Vec<u64>>,
}

impl Buffer {
    /// Puts a batch in.
    pub(crate) fn put(&self, links: &[Link], issued: &BTreeMap<Institution, Vec<u64>>) {
        for turn in links.chunks(TURN) {
            self.lock().links.extend(turn);
        }
        let mut waiting = self.lock();
        for (issuer, positions) in issued {
            let of_issuer = waiting.issued.entry(*issuer).or_default();
            let last = of_issuer.last().copied();
            of_issuer.extend(positions.iter().filter(|position| Some(**position) > last));
        }
    }

    /// Number of links that wait.
    pub(crate) fn len(&self) -> usize {
        self.lock().links.len()
    }

    /// Forgets everything.
    pub(crate) fn clear(&self) {
        *self.lock() = Waiting::default();
    }

    /// The links of a learner that wait, along the chain.
    pub(crate) fn links_of(&self, handle: Handle) -> Vec<Link> {
        let first = Link {
            handle: handle.0,
            revision: 0,
            position: 0,
        };
        let last = Link {
            handle: handle.0,
            revision: u64::MAX,
            position: u64::MAX,
        };
        self.lock().links.range(first..=last).copied().collect()
    }

    /// The first `limit` positions of an issuer after `after` that wait, ascending.
    pub(crate) fn issued_by(
        &self,
        issuer: &str,
        after: Option<Position>,
        limit: usize,
    ) -> Vec<u64> {
        let Ok(issuer) = Institution::try_from(issuer) else {
            return Vec::new();
        };
        let waiting = self.lock();
        let positions = waiting.issued.get(&issuer).map_or(&[][..], Vec::as_slice);
        let from = positions.partition_point(|p| after.is_some_and(|after| *p <= after.0));
        positions.iter().skip(from).take(limit).copied().collect()
    }

    /// Writes the links of the first chunk after the cursor and moves the cursor past them; false at the
    /// end of the round.
    pub(crate) fn write_next(
        &self,
        trees: &Trees,
        cursor: &mut Option<Link>,
    ) -> Result<bool, ViewsFault> {
        let run = self.run_after(*cursor);
        let Some(last) = run.last() else {
            return Ok(false);
        };
        chains::extend(&trees.chains, &run)?;
        let mut waiting = self.lock();
        for link in &run {
            waiting.links.remove(link);
        }
        *cursor = Some(*last);
        Ok(true)
    }

    fn run_after(&self, cursor: Option<Link>) -> Vec<Link> {
        let from = cursor.map_or(Bound::Unbounded, Bound::Excluded);
        let waiting = self.lock();
        let mut after = waiting.links.range((from, Bound::Unbounded)).peekable();
        let first = after.peek().copied().copied();
        let run = after.take_while(|link| first.is_some_and(|first| first.shares_chunk(link)));
        run.copied().collect()
    }

    /// Writes all positions of issuers.
    pub(crate) fn write_issued(&self, trees: &Trees) -> Result<(), ViewsFault> {
        // Only the one who applies puts in, so nothing is added in between.
        let issued = self.lock().issued.clone();
        issued::extend(&trees.issued, &issued)?;
        self.lock().issued.clear();
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        lock(&self.0)
    }
}
