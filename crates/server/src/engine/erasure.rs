//! Erasures: what one covers is read from the history, decided, recorded, and carried out.
//!
//! Apart from other commands because an erasure ends only when the bodies are gone, and because opening
//! a ledger carries out what a crash cut off.

use std::collections::BTreeSet;

use chain::Position;
use ledger::event::erasure_covers;
use ledger::state::{Fact, Need, RecordFact};
use ledger::{Action, Actor, Body, Command, EventKind, Handle, Key, Rejection};
use store::EventStore;

use super::Engine;
use super::execute::RELOADS_MAX;
use super::fault::EngineFault;
use super::load::History;
use super::outcome::{ErasureScope, Outcome, Refused};

/// What an erasure does.
struct Erasure {
    action: Action,
    /// Facts that its decision will need.
    likely: BTreeSet<Need>,
    positions: Vec<chain::Position>,
}

impl<S: EventStore> Engine<S> {
    /// Erases a learner: the event is recorded, then salts and bodies are gone, then it returns, with the
    /// number of bodies erased.
    ///
    /// # Errors
    /// A fault. If the event was recorded, opening the ledger again does the rest.
    pub async fn erase(
        &self,
        learner: Handle,
        scope: ErasureScope,
    ) -> Result<(Outcome, u64), EngineFault> {
        for _ in 0..RELOADS_MAX {
            let plan = match self.plan_erasure(learner, scope).await? {
                Ok(plan) => plan,
                Err(rejection) => return Ok((Err(Refused::Rejected(rejection)), 0)),
            };
            let erased = u64::try_from(plan.positions.len()).expect("a count fits 64 bits");
            let command = Command {
                actor: Actor::Operator,
                action: plan.action,
            };
            let mut outcomes = self
                .execute_erasure(command, plan.likely, plan.positions)
                .await?;
            match outcomes.pop() {
                // Somebody added to the account between the plan and its turn: plan again.
                Some(Err(Refused::Rejected(Rejection::StaleRevision { .. }))) => {}
                Some(Ok(done)) => return Ok((Ok(done), erased)),
                Some(refused) => return Ok((refused, 0)),
                None => break,
            }
        }
        Err(EngineFault::Overloaded)
    }

    async fn plan_erasure(
        &self,
        learner: Handle,
        scope: ErasureScope,
    ) -> Result<Result<Erasure, Rejection>, EngineFault> {
        let found = self.inner.ask(|state| {
            let (handle, learner) = state.resolve(learner)?;
            Ok((handle, learner.revision, state.group(handle)?))
        });
        let (learner, expected, group) = match found.await? {
            Ok(found) => found,
            Err(rejection) => return Ok(Err(rejection)),
        };
        let loader = self.inner.loader();
        let history = loader.history(learner).await?;
        let mut likely = BTreeSet::new();
        let action = match scope {
            ErasureScope::Identity => Action::EraseIdentity { learner, expected },
            ErasureScope::All => {
                // A record that was reassigned is with the learner it went to, which only that chain tells.
                let once_here = loader.replay(&history).records_with(&group);
                likely.extend(once_here.into_iter().map(Need::Record));
                let needs: Vec<Need> = likely.iter().copied().collect();
                let facts = loader.load(&needs).await?;
                let suppressed = facts
                    .into_iter()
                    .filter_map(|loaded| held_by(&group, loaded.fact));
                let suppressed = suppressed.collect();
                Action::EraseLearner {
                    learner,
                    suppressed,
                    expected,
                }
            }
        };
        let positions = covered(&history, &group, scope);
        Ok(Ok(Erasure {
            action,
            likely,
            positions,
        }))
    }
}

/// The key of a record that is with one of the group.
fn held_by(group: &[Handle], fact: Fact) -> Option<Key> {
    match fact {
        Fact::Record(key, Some(RecordFact::Held(record))) if group.contains(&record.learner) => {
            Some(key)
        }
        _ => None,
    }
}

/// The positions whose bodies an erasure of the group covers and that still have one.
pub(super) fn covered(history: &History, group: &[Handle], scope: ErasureScope) -> Vec<Position> {
    let erasure = match scope {
        ErasureScope::Identity => EventKind::LearnerIdentityErased,
        ErasureScope::All => EventKind::LearnerErased,
    };
    let group: BTreeSet<Handle> = group.iter().copied().collect();
    let of_group = |handle: Option<Handle>| handle.is_some_and(|handle| group.contains(&handle));
    history
        .events
        .iter()
        .filter(|(_, event)| of_group(event.learner))
        .filter(|(_, event)| erasure_covers(erasure, event.body.kind()))
        .filter(|(_, event)| !matches!(event.body, Body::Erased(_)))
        .map(|(position, _)| Position(position.0))
        .collect()
}
