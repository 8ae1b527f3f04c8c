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
use crate::engine::{Mode, Refused};
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
        let mut commands = Vec::with_capacity(items.len());
        let mut slots = Vec::with_capacity(items.len());
        for Item {
            record_id,
            drawn,
            action,
        } in items
        {
            let refusal = match action {
                Ok(action) => {
                    commands.push(Command {
                        actor: caller.actor.clone(),
                        action,
                    });
                    None
                }
                Err(why) => Some(why),
            };
            slots.push((record_id, drawn, refusal));
        }
        let mut outcomes = Vec::new();
        if !commands.is_empty() {
            outcomes = self.execute(commands, manner.mode()).await?;
        }
        let mut outcomes = outcomes.into_iter();
        let answer = |(record_id, drawn, refusal)| match refusal {
            Some(why) => Ok(to_proto::refused(record_id, why)),
            None => {
                let outcome = outcomes.next();
                let outcome = outcome.ok_or_else(|| Status::internal("an outcome is missing"))?;
                Ok(to_proto::outcome(record_id, outcome, drawn))
            }
        };
        slots.into_iter().map(answer).collect()
    }
}

/// What an atomic batch with an unreadable record answers.
fn not_attempted(item: Item) -> v1::RecordOutcome {
    match item.action {
        Ok(_) => to_proto::outcome(item.record_id, Err(Refused::NotAttempted), None),
        Err(why) => to_proto::refused(item.record_id, why),
    }
}
