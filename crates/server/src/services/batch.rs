//! Batches: several commands, one outcome each, in order.
//!
//! Apart from the records service because every call there that takes many records goes through it.
//! What cannot even be read is answered here; the rest goes to the ledger in one piece, so that it is
//! decided in order and committed together.

use api::v1;
use ledger::{Action, Command, Handle};
use store::EventStore;
use tonic::Status;

use super::{Caller, Context, refuse};
use crate::engine::{Mode, Outcome, Refused};
use crate::from_proto::malformed;
use crate::limits::Exceeded;
use crate::status::Explanation;
use crate::to_proto;

/// One command of a batch.
#[derive(Debug)]
pub(super) struct Item {
    /// The issuer's record id, as sent.
    pub(super) record_id: String,
    /// The handle drawn in case that an account must be opened.
    pub(super) drawn: Option<Handle>,
    /// What is asked, or why it could not be read.
    pub(super) action: Result<Action, Explanation>,
}

/// How a batch is meant.
#[derive(Debug, Clone, Copy)]
pub(super) struct Manner {
    pub(super) atomic: bool,
    pub(super) validate_only: bool,
}

impl Manner {
    fn mode(self) -> Mode {
        match (self.atomic, self.validate_only) {
            (false, false) => Mode::Each,
            (true, false) => Mode::Atomic,
            (false, true) => Mode::ValidateEach,
            (true, true) => Mode::ValidateAtomic,
        }
    }
}

/// A batch on its way to the ledger: what it is asked, and whom the answers are for.
#[derive(Debug)]
pub(super) struct Batch {
    commands: Vec<Command>,
    slots: Slots,
}

/// One place for each record of a batch, in order: its id, the handle drawn for it, and the answer if it
/// could not be read.
#[derive(Debug)]
pub(super) struct Slots(Vec<(String, Option<Handle>, Option<Explanation>)>);

impl Batch {
    /// The commands of the items that could be read, and a place for each item.
    fn of(caller: &Caller, items: Vec<Item>) -> Self {
        let mut commands = Vec::with_capacity(items.len());
        let mut slots = Vec::with_capacity(items.len());
        for item in items {
            let refusal = match item.action {
                Ok(action) => {
                    let actor = caller.actor.clone();
                    commands.push(Command { actor, action });
                    None
                }
                Err(why) => Some(why),
            };
            slots.push((item.record_id, item.drawn, refusal));
        }
        let slots = Slots(slots);
        Batch { commands, slots }
    }

    /// Both parts.
    pub(super) fn parts(self) -> (Vec<Command>, Slots) {
        (self.commands, self.slots)
    }
}

impl Slots {
    /// One answer a record, from one outcome a command.
    pub(super) fn answers(self, outcomes: Vec<Outcome>) -> Result<Vec<v1::RecordOutcome>, Status> {
        let mut outcomes = outcomes.into_iter();
        let answer = |(record_id, drawn, refusal)| match refusal {
            Some(why) => Ok(to_proto::refused(record_id, why)),
            None => {
                let outcome = outcomes.next();
                let outcome = outcome.ok_or_else(|| Status::internal("an outcome is missing"))?;
                Ok(to_proto::outcome(record_id, outcome, drawn))
            }
        };
        self.0.into_iter().map(answer).collect()
    }
}

impl<S: EventStore> Context<S> {
    /// Refuses batches that are empty or too large, before any of it is read.
    pub(super) fn check_count(&self, field: &str, count: usize) -> Result<(), Status> {
        let max = self.limits.batch_records_max;
        if count == 0 {
            return Err(refuse(malformed(
                field,
                format!("is empty: send 1 to {max}"),
            )));
        }
        if count > max {
            return Err(Explanation::from(Exceeded::BatchRecords { count, max }).status());
        }
        Ok(())
    }

    /// The items as a batch; those that could not be read are counted as rejected.
    pub(super) fn taken(&self, caller: &Caller, items: Vec<Item>) -> Batch {
        for refusal in items.iter().filter_map(|item| item.action.as_ref().err()) {
            self.metrics.rejection(refusal.reason);
        }
        Batch::of(caller, items)
    }

    /// Carries a batch out.
    pub(super) async fn batch(
        &self,
        caller: &Caller,
        items: Vec<Item>,
        manner: Manner,
    ) -> Result<Vec<v1::RecordOutcome>, Status> {
        let unread = items.iter().any(|item| item.action.is_err());
        if unread && manner.atomic {
            return Ok(items.into_iter().map(not_attempted).collect());
        }
        let (commands, slots) = self.taken(caller, items).parts();
        let outcomes = match commands.is_empty() {
            true => Vec::new(),
            false => self.execute(commands, manner.mode()).await?,
        };
        slots.answers(outcomes)
    }
}

/// What an atomic batch with an unreadable record answers.
fn not_attempted(item: Item) -> v1::RecordOutcome {
    match item.action {
        Ok(_) => to_proto::outcome(item.record_id, Err(Refused::NotAttempted), None),
        Err(why) => to_proto::refused(item.record_id, why),
    }
}
