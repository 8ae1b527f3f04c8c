//! As of when a read answers: how many records it reflects, and the day on which expiry is judged.
//!
//! Apart from the services because all of them mean the same by it. A moment is taken once, at the
//! beginning of a call; later pages of a list go on with that of the first one. Nothing that is recorded
//! later shows in it, and what has been erased since is not shown either.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use api::v1;
use chain::{Head, Position};
use ledger::registry::Registry;
use ledger::{Date, Rejection, Timestamp, Violation};
use store::EventStore;
use tonic::{Code, Status};

use super::{Context, refuse};
use crate::from_proto::malformed;
use crate::status::{self, Explanation};

/// How long a read waits for records that the caller says are there.
const REACHED_WAIT_MAX: Duration = Duration::from_secs(2);

/// Registries of earlier sizes that are kept: those who page through one ask again soon.
const REGISTRIES_MAX: usize = 4;

/// The state that an answer reflects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Moment {
    /// The first so many records and no others.
    pub(super) size: u64,
    /// The day on which expiry is judged.
    pub(super) on: Date,
    /// Whether the caller asked for this state, rather than for the latest.
    pub(super) earlier: bool,
}

impl Moment {
    /// What to read in the store, when not all.
    pub(super) fn below(&self) -> Option<u64> {
        self.earlier.then_some(self.size)
    }

    /// As an answer says it.
    pub(super) fn date(&self) -> String {
        crate::to_proto::date(Some(self.on))
    }
}

/// Registries of earlier sizes, by the number of events that made them; the latest asked for is last.
#[derive(Debug, Default)]
pub struct Registries(Mutex<VecDeque<(usize, Arc<Registry>)>>);

impl<S: EventStore> Context<S> {
    /// The moment that a caller asks for.
    pub(super) async fn moment(&self, wire: Option<v1::AsOf>) -> Result<Moment, Status> {
        let wire = wire.unwrap_or_default();
        let today = self.engine.now().date();
        let date = date(&wire.date, today).map_err(refuse)?;
        self.reached(wire.at_least).await?;
        let head = self.head().await?;
        if wire.size > head.size {
            return Err(past_head(wire.size, head.size));
        }
        let (size, on) = match (wire.size, date) {
            (0, None) => (head.size, today),
            (0, Some(date)) => (self.size_on(date, today, head.size).await?, date),
            (size, Some(date)) => (size, date),
            (size, None) => (size, self.recorded_at(size - 1).await?.date()),
        };
        Ok(Moment {
            size,
            on,
            earlier: wire.size > 0 || date.is_some(),
        })
    }

    /// The same moment when it is an earlier one; else the latest there is now, which is after whatever the
    /// caller has looked up in between.
    pub(super) async fn renewed(&self, moment: Moment) -> Result<Moment, Status> {
        if moment.earlier {
            return Ok(moment);
        }
        let size = self.head().await?.size;
        Ok(Moment { size, ..moment })
    }

    /// Waits a little until there are so many records.
    async fn reached(&self, at_least: u64) -> Result<(), Status> {
        let Some(before) = at_least.checked_sub(1) else {
            return Ok(());
        };
        let reached = self.engine.store().wait_past(Position(before));
        match tokio::time::timeout(REACHED_WAIT_MAX, reached).await {
            Ok(reached) => {
                reached.map_err(|fault| status::faulted(&fault.into()))?;
                Ok(())
            }
            Err(_) => Err(not_reached(at_least, self.head().await?.size)),
        }
    }

    pub(super) async fn head(&self) -> Result<Head, Status> {
        let head = self.engine.head().await;
        head.map_err(|fault| status::faulted(&fault))
    }

    /// How many records had been made by the end of a day in UTC. Times never decrease along the ledger.
    async fn size_on(&self, date: Date, today: Date, size: u64) -> Result<u64, Status> {
        if date >= today {
            return Ok(size);
        }
        let (mut low, mut high) = (0, size);
        while low < high {
            let middle = low + (high - low) / 2;
            if self.recorded_at(middle).await?.date() <= date {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        Ok(low)
    }

    async fn recorded_at(&self, position: u64) -> Result<Timestamp, Status> {
        let records = self.records(&[Position(position)]).await?;
        let record = records.first();
        let record = record.ok_or_else(|| Status::internal("the ledger ends before its head"))?;
        Ok(Timestamp(record.leaf.recorded_at.0))
    }

    /// The registry as of a moment; for the latest with the moment that it reflects.
    pub(super) async fn registry_at(
        &self,
        moment: Moment,
    ) -> Result<(Arc<Registry>, Moment), Status> {
        let (registry, head) = self.engine.registry_and_size();
        if !moment.earlier && moment.size <= head {
            let size = head;
            return Ok((registry, Moment { size, ..moment }));
        }
        let faulted = |fault| status::faulted(&fault);
        let positions = self.engine.registry_positions(moment.size).await;
        let positions = positions.map_err(faulted)?;
        if let Some(known) = self.registries.get(positions.len()) {
            return Ok((known, moment));
        }
        let registry = self.engine.registry_after(&positions).await;
        let registry = registry.map_err(faulted)?;
        self.registries.put(positions.len(), &registry);
        Ok((registry, moment))
    }
}

impl Registries {
    fn get(&self, n_events: usize) -> Option<Arc<Registry>> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let found = known.iter().find(|(events, _)| *events == n_events);
        found.map(|(_, registry)| Arc::clone(registry))
    }

    fn put(&self, n_events: usize, registry: &Arc<Registry>) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.push_back((n_events, Arc::clone(registry)));
        if known.len() > REGISTRIES_MAX {
            known.pop_front();
        }
    }
}

fn date(text: &str, today: Date) -> Result<Option<Date>, Rejection> {
    if text.is_empty() {
        return Ok(None);
    }
    let date = ledger::codec::parse_date(text);
    let date = date.ok_or_else(|| malformed("as_of.date", "is no date such as 2026-11-21"))?;
    if date > today {
        let problem = format!("is {date}, after today, {today} in UTC: leave it out for today");
        return Err(malformed("as_of.date", problem));
    }
    Ok(Some(date))
}

fn past_head(size: u64, head: u64) -> Status {
    let field = "as_of.size".to_owned();
    let problem = format!("is {size}, and the ledger has {head} records");
    let sentence = format!("as_of.size {problem}: leave it out for all");
    Explanation::new(Code::OutOfRange, "PAST_HEAD", sentence)
        .about(vec![Violation { field, problem }])
        .with("size", head)
        .status()
}

fn not_reached(at_least: u64, size: u64) -> Status {
    let sentence = format!(
        "the ledger has {size} records, not yet {at_least}: read again in a moment, or from the server \
         that gave you the receipt"
    );
    let not_reached = Explanation::new(Code::Unavailable, "NOT_REACHED", sentence);
    let retry_after = Some(REACHED_WAIT_MAX);
    Explanation {
        retry_after,
        ..not_reached.with("size", size).with("at_least", at_least)
    }
    .status()
}
