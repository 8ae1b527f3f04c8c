//! Decisions: from a command to the events that carry it out, or the reason why not.
//!
//! A decision proposes events and has each admitted by [`admit`](crate::admit()), in turn, before it is
//! taken in, so that the server records nothing an auditor would refuse. It also answers repetitions: what was done before with the
//! same content is not done again, and the answer says where it stands.

mod achievement;
mod learner;
mod registry;

use crate::admit_keyed;
use crate::command::{Action, Actor, Command, Decision};
use crate::event::{Body, Event};
use crate::ids::{Handle, InstitutionId, Position, Revision, Timestamp};
use crate::keyed::Keyed;
use crate::ready::Ready;
use crate::rejection::{Rejection, Violation};
use crate::state::{Refusal, State};
use crate::words::{LearnerReference, PendingReason};

/// Decides on a command at that time and takes in the events that carry it out. The state is as before
/// when there is nothing to append, or a refusal.
///
/// # Errors
/// The first rule that says no, in the order of [`Rejection`]; or what a partial state lacks.
pub fn carry_out(state: &mut State, command: &Command, at: Timestamp) -> Result<Decision, Refusal> {
    carry_out_ready(state, command, None, at)
}

/// The same, with what [`Ready::of`] this command made beforehand.
///
/// # Errors
/// As there.
pub fn carry_out_ready(
    state: &mut State,
    command: &Command,
    ready: Option<Ready>,
    at: Timestamp,
) -> Result<Decision, Refusal> {
    let decision = propose(state, command, ready, at)?;
    let fresh = fresh(state, &command.action, &decision.events);
    let Some((last, before)) = decision.events.split_last() else {
        return fresh.map(|()| decision);
    };
    // An event alone is admitted before anything changes.
    let savepoint = (!before.is_empty()).then(|| state.savepoint());
    let admitted = admitted(state, before, last, at);
    let refusal = match (fresh, admitted) {
        (Ok(()), Ok(())) => {
            state.apply_keyed(last);
            savepoint.into_iter().for_each(|all| state.release(all));
            return Ok(decision);
        }
        (Err(stale), Err(refusal)) => stale.or_earlier(refusal),
        (Err(refusal), Ok(())) | (Ok(()), Err(refusal)) => refusal,
    };
    savepoint.into_iter().for_each(|all| state.rollback(all));
    Err(refusal)
}

/// What [`carry_out`] would answer: on a copy of the state.
///
/// # Errors
/// As there.
pub fn decide(state: &State, command: &Command, at: Timestamp) -> Result<Decision, Refusal> {
    carry_out(&mut state.clone(), command, at)
}

/// Every event may be the next after those before it, which are taken in.
fn admitted(
    state: &mut State,
    before: &[Keyed],
    last: &Keyed,
    at: Timestamp,
) -> Result<(), Refusal> {
    for event in before {
        admit_keyed(state, event, at)?;
        state.apply_keyed(event);
    }
    admit_keyed(state, last, at)
}

/// The caller saw the latest revision of the learner that the command changes, or does not care. A
/// repetition changes nothing.
fn fresh(state: &State, action: &Action, events: &[Keyed]) -> Result<(), Refusal> {
    let (expected, event) = match action {
        Action::UpdateLearner { expected, .. }
        | Action::Supersede { expected, .. }
        | Action::Reassign { expected, .. } => (*expected, events.first()),
        Action::EraseLearner { expected, .. } | Action::EraseIdentity { expected, .. } => {
            (Some(*expected), events.first())
        }
        // The account that takes in is the second's.
        Action::MergeLearners { expected, .. } => (*expected, events.last()),
        _ => return Ok(()),
    };
    let (Some(expected), Some(handle)) = (expected, event.and_then(|event| event.event().learner))
    else {
        return Ok(());
    };
    let actual = state
        .learner(handle)?
        .ok_or(Rejection::UnknownLearner)?
        .revision;
    if actual == expected {
        return Ok(());
    }
    Err(Rejection::StaleRevision { expected, actual }.into())
}

/// The open account that a reference leads to, after merges: its handle, its next revision, and why it is
/// provisional if it is.
///
/// # Errors
/// [`Rejection::UnresolvedLearner`] when it leads to nobody, and what the actor may not ask; or what a
/// partial state lacks.
pub fn find_learner(
    state: &State,
    actor: &Actor,
    reference: &LearnerReference,
    at: Timestamp,
) -> Result<(Handle, Revision, Option<PendingReason>), Refusal> {
    let by = By { state, actor, at };
    match by.resolve(reference)? {
        learner::Resolved::Account(handle, pending) => {
            let found = state.learner(handle)?.ok_or(Rejection::UnknownLearner)?;
            Ok((handle, found.revision, pending))
        }
        learner::Resolved::Nobody(_) => Err(Rejection::UnresolvedLearner.into()),
    }
}

fn propose(
    state: &State,
    command: &Command,
    ready: Option<Ready>,
    at: Timestamp,
) -> Result<Decision, Refusal> {
    let by = By {
        state,
        actor: &command.actor,
        at,
    };
    match &command.action {
        Action::OpenLedger(opened) => {
            let body = Body::LedgerOpened(opened.clone());
            Ok(Decision::record(vec![by.operator_event(body)?]))
        }
        Action::RegisterLearner { .. }
        | Action::UpdateLearner { .. }
        | Action::LinkIdentity { .. }
        | Action::UnlinkIdentity { .. }
        | Action::MergeLearners { .. }
        | Action::SeparateLearners { .. }
        | Action::EraseLearner { .. }
        | Action::EraseIdentity { .. } => learner::propose(&by, &command.action),
        Action::Submit { .. }
        | Action::Supersede { .. }
        | Action::Suspend { .. }
        | Action::Reinstate { .. }
        | Action::Revoke { .. }
        | Action::Reassign { .. } => achievement::propose(&by, &command.action, ready),
        _ => registry::propose(&by, &command.action),
    }
}

/// Who asks, when, and of what state: what every proposal needs.
struct By<'a> {
    state: &'a State,
    actor: &'a Actor,
    at: Timestamp,
}

impl By<'_> {
    /// An event that only the operator may make.
    fn operator_event(&self, body: Body) -> Result<Keyed, Refusal> {
        self.operator()?;
        Ok(self.event(InstitutionId::operator(), None, body))
    }

    /// The actor is the operator.
    fn operator(&self) -> Result<(), Refusal> {
        match self.actor {
            Actor::Operator => Ok(()),
            Actor::Institution(_) => Err(Rejection::NotAllowed {
                allowed: "the operator",
            }
            .into()),
        }
    }

    /// An event on a learner's chain that is the actor's own statement.
    fn own_event(&self, learner: Handle, body: Body) -> Keyed {
        self.event(self.submitter(), Some(learner), body)
    }

    fn event(&self, issuer: InstitutionId, learner: Option<Handle>, body: Body) -> Keyed {
        let secret = self.state.secret().ok();
        Keyed::new(secret.as_ref(), self.unkeyed(issuer, learner, body))
    }

    fn unkeyed(&self, issuer: InstitutionId, learner: Option<Handle>, body: Body) -> Event {
        Event {
            issuer,
            submitter: self.submitter(),
            learner,
            body,
        }
    }

    fn submitter(&self) -> InstitutionId {
        self.actor.institution()
    }

    /// The actor may act for the institution; the operator may where `operator_too`.
    fn acting_for(&self, id: &InstitutionId, operator_too: bool) -> Result<(), Refusal> {
        match self.actor {
            Actor::Operator if operator_too => Ok(()),
            Actor::Operator => Err(Rejection::NotAllowed {
                allowed: "an institution",
            }
            .into()),
            Actor::Institution(submitter) => {
                self.state
                    .registry()
                    .acting_for(id, submitter, self.at.date())?;
                Ok(())
            }
        }
    }

    /// The actor may name a learner so: by a student number only where it may act for the institution.
    fn may_name(&self, reference: &LearnerReference) -> Result<(), Refusal> {
        match reference {
            LearnerReference::Student(student) => self.acting_for(&student.institution, true),
            LearnerReference::Handle(_) | LearnerReference::Document(_) => Ok(()),
        }
    }
}

/// Nothing, or everything that is malformed.
fn well_formed(violations: Vec<Violation>) -> Result<(), Refusal> {
    if violations.is_empty() {
        Ok(())
    } else {
        Err(Rejection::Malformed(violations).into())
    }
}

/// The refusal, or everything that is malformed when that comes first.
fn beside(refusal: Refusal, violations: Vec<Violation>) -> Refusal {
    match well_formed(violations) {
        Ok(()) => refusal,
        Err(malformed) => refusal.or_earlier(malformed),
    }
}

impl Decision {
    fn record(events: Vec<Keyed>) -> Self {
        let learner = events.last().and_then(|event| event.event().learner);
        Decision {
            events,
            already: None,
            learner,
            pending: None,
        }
    }

    fn already(position: Position, learner: Option<Handle>) -> Self {
        Decision {
            events: Vec::new(),
            already: Some(position),
            learner,
            pending: None,
        }
    }

    fn pending(self, pending: Option<PendingReason>) -> Self {
        Decision { pending, ..self }
    }
}
