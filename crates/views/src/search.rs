//! Searching what an institution recorded: positions that may match, a bounded number at a time.
//!
//! Apart from the trees because an answer takes three places together: what waits in memory, the lists,
//! and what has changed since it was recorded.

use chain::{Institution, Position};
use ledger::Date;

use crate::changed::{self, Change};
use crate::chunk::{Entry, NO_DAY};
use crate::fault::ViewsFault;
use crate::lists::{self, ListKey, Scanned};
use crate::views::{Trees, Views};

/// What to search for: every achievement that satisfies it, and others, which the caller tells by its
/// content and state.
#[derive(Debug, Clone, Copy)]
pub struct Search<'a> {
    /// Who recorded it.
    pub issuer: &'a str,
    /// The code of the course or certificate.
    pub code: Option<&'a str>,
    /// Awarded on this day or later.
    pub awarded_from: Option<Date>,
    /// Awarded before this day.
    pub awarded_until: Option<Date>,
    /// Only what was ever suspended or revoked.
    pub suspended_or_revoked: bool,
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Candidates {
    /// Positions of first recording, ascending.
    pub positions: Vec<Position>,
    /// Where to go on: nothing up to here is missing. `None` when that was all.
    pub until: Option<Position>,
}

impl Views {
    /// Candidates recorded after `after` among the first `size` records, at most `limit`, which is at
    /// least 1. Up to [`Views::applied`] none is missing.
    ///
    /// # Errors
    /// [`ViewsFault::Damaged`], [`ViewsFault::Closed`] or a failure of the database.
    pub fn search(
        &self,
        search: &Search<'_>,
        after: Option<Position>,
        size: u64,
        limit: usize,
    ) -> Result<Candidates, ViewsFault> {
        let from = after.map_or(Some(0), |after| after.0.checked_add(1));
        let (Some(from), Ok(issuer)) = (from, Institution::try_from(search.issuer)) else {
            return Ok(Candidates::default());
        };
        self.with(|trees, applied| {
            let query = self.query(search, issuer, (from, size.min(applied)), limit);
            let listed = match search.suspended_or_revoked {
                true => Scanned::default(),
                false => self.listed(trees, &query)?,
            };
            let changed = query.changed(trees)?;
            Ok(together(listed, changed, limit))
        })
    }

    fn query(
        &self,
        search: &Search<'_>,
        issuer: Institution,
        range: (u64, u64),
        limit: usize,
    ) -> Query {
        let code = search.code.map(|code| lists::hash_of(&self.secret, code));
        let day = |date: Option<Date>| date.map(|date| date.to_epoch_days());
        Query {
            list: ListKey { issuer, code },
            days: (day(search.awarded_from), day(search.awarded_until)),
            standing: search.suspended_or_revoked,
            range,
            bounds: (self.options.look_max, limit),
        }
    }

    /// Order: what waits is read first, see `buffer`; what is seen twice is dropped by `together`.
    fn listed(&self, trees: &Trees, query: &Query) -> Result<Scanned, ViewsFault> {
        let matches = |entry: &Entry| query.matches_day(entry.day);
        let (from, below) = query.range;
        let waiting = self.buffer.entries(&query.list, from, below);
        let mut found = lists::scan(
            &trees.lists,
            &query.list,
            query.range,
            matches,
            query.bounds,
        )?;
        let until = found.until.unwrap_or(u64::MAX);
        let waiting = waiting.iter().filter(|entry| matches(entry));
        let waiting = waiting.map(|entry| entry.position);
        found
            .positions
            .extend(waiting.filter(|position| *position <= until));
        Ok(found)
    }
}

/// A search in the words of the trees.
struct Query {
    list: ListKey,
    days: (Option<i32>, Option<i32>),
    standing: bool,
    range: (u64, u64),
    /// How many to look at, and how many to find.
    bounds: (usize, usize),
}

impl Query {
    fn matches_day(&self, day: i32) -> bool {
        match self.days {
            (None, None) => true,
            (from, until) => {
                day != NO_DAY
                    && from.is_none_or(|from| from <= day)
                    && until.is_none_or(|until| day < until)
            }
        }
    }

    fn changed(&self, trees: &Trees) -> Result<Scanned, ViewsFault> {
        let all = self.list.code.is_none() && self.days == (None, None);
        if all && !self.standing {
            // The list of all has them.
            return Ok(Scanned::default());
        }
        let matches = |change: &Change| match change {
            Change::Standing => self.standing,
            Change::Content { code, day } => {
                !self.standing
                    && self.list.code.is_none_or(|wanted| wanted == *code)
                    && self.matches_day(*day)
            }
        };
        let issuer = self.list.issuer;
        changed::scan(&trees.changed, issuer, self.range, matches, self.bounds)
    }
}

/// What both found, as far as both looked.
fn together(mut one: Scanned, other: Scanned, limit: usize) -> Candidates {
    let mut until = match (one.until, other.until) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    };
    one.positions.extend(other.positions);
    one.positions.sort_unstable();
    one.positions.dedup();
    one.positions
        .retain(|position| until.is_none_or(|until| *position <= until));
    if one.positions.len() > limit {
        one.positions.truncate(limit);
        until = one.positions.last().copied();
    }
    Candidates {
        positions: one.positions.into_iter().map(Position).collect(),
        until: until.map(Position),
    }
}
