//! Admission of learner events: opening, identity, merging, separating, erasing.

use super::{out_of_place, well_formed};
use crate::event::{Body, Counterpart, Event, Opening};
use crate::ids::{Handle, InstitutionId, Key, Timestamp};
use crate::rejection::Rejection;
use crate::shape;
use crate::state::{Learner, RecordFact, Refusal, Standing, State, document_keys};
use crate::words::{LearnerProfile, LearnerReference, ProvisionalReference, StudentNumber};

pub(super) fn admit(
    state: &State,
    event: &Event,
    handle: Handle,
    at: Timestamp,
) -> Result<(), Refusal> {
    by_one(event)?;
    match &event.body {
        Body::LearnerRegistered(registered) => {
            by_institution_or_operator(state, event)?;
            well_formed(shape::request_id(&registered.request_id))?;
            match &registered.opening {
                Opening::Person(profile) => {
                    well_formed(shape::learner_profile(profile, "profile"))?;
                    free_handle(state, handle)?;
                    free_documents(state, handle, profile)
                }
                Opening::Provisional(reference) => {
                    provisional(state, event, reference, at)?;
                    free_handle(state, handle)?;
                    unbound(state, reference)
                }
            }
        }
        Body::LearnerUpdated(profile) => {
            by_institution_or_operator(state, event)?;
            well_formed(shape::learner_profile(profile, "profile"))?;
            bound(open(state, handle)?)?;
            free_documents(state, handle, profile)
        }
        Body::IdentityLinked(student) => {
            for_student(state, event, student, at)?;
            bound(open(state, handle)?)?;
            free_for(state, handle, student)
        }
        Body::IdentityUnlinked(student) => {
            for_student(state, event, student, at)?;
            open(state, handle)?;
            let link = state.linked(state.secret()?.student(student))?;
            let link = link.ok_or(Rejection::NotLinked)?;
            if state.resolve(link.handle)?.0 != handle {
                return out_of_place("the student number is unlinked on another learner's chain");
            }
            Ok(())
        }
        Body::LearnerMerged(counterpart) => merged(state, event, handle, counterpart, at),
        // Their place was checked: they directly follow what was admitted with them.
        Body::LearnerAbsorbed(counterpart) | Body::LearnerReopened(counterpart) => {
            well_formed(shape::reason(&counterpart.reason))
        }
        Body::LearnersSeparated(counterpart) => {
            by_operator(event)?;
            well_formed(shape::reason(&counterpart.reason))?;
            if !open(state, handle)?.absorbed.contains(&counterpart.learner) {
                return Err(Rejection::NotMerged.into());
            }
            Ok(())
        }
        Body::LearnerErased(erased) => {
            by_operator(event)?;
            open(state, handle)?;
            every_member_is_known(state, handle)?;
            suppression(state, handle, &erased.suppressed)
        }
        Body::LearnerIdentityErased => {
            by_operator(event)?;
            every_member_is_known(state, handle)?;
            bound(open(state, handle)?)
        }
        _ => out_of_place("this kind of event belongs on no learner's chain"),
    }
}

/// Invariant: an erasure suppresses no record that is with somebody else.
///
/// That it suppresses every record of the learner cannot be judged once the bodies are gone.
fn suppression(state: &State, handle: Handle, suppressed: &[Key]) -> Result<(), Refusal> {
    if !shape::suppression(suppressed).is_empty() {
        return out_of_place("the suppression list is too long or not sorted");
    }
    let group = state.group(handle)?;
    for key in suppressed {
        if let Some(RecordFact::Held(record)) = state.record(*key)?
            && !group.contains(&record.learner)
        {
            return out_of_place("an erasure suppresses a record of another learner");
        }
    }
    Ok(())
}

/// Learner events are statements of whoever sent them.
fn by_one(event: &Event) -> Result<(), Refusal> {
    if event.issuer == event.submitter {
        return Ok(());
    }
    out_of_place("issuer and submitter of a learner event differ")
}

fn by_operator(event: &Event) -> Result<(), Refusal> {
    if event.submitter.is_operator() {
        return Ok(());
    }
    Err(Rejection::NotAllowed {
        allowed: "the operator",
    }
    .into())
}

fn by_institution_or_operator(state: &State, event: &Event) -> Result<(), Refusal> {
    if !event.submitter.is_operator() {
        state.registry().active(&event.submitter)?;
    }
    Ok(())
}

fn for_student(
    state: &State,
    event: &Event,
    student: &StudentNumber,
    at: Timestamp,
) -> Result<(), Refusal> {
    let registry = state.registry();
    if event.submitter.is_operator() {
        registry.active(&student.institution)?;
    } else {
        registry.acting_for(&student.institution, &event.submitter, at.date())?;
    }
    well_formed(shape::student_number(student))
}

/// The account, if events may be added to its chain.
pub(super) fn open(state: &State, handle: Handle) -> Result<&Learner, Refusal> {
    let learner = state.learner(handle)?.ok_or(Rejection::UnknownLearner)?;
    match learner.standing {
        Standing::Open => Ok(learner),
        Standing::Erased => Err(Rejection::LearnerErased.into()),
        Standing::Merged(_) => Err(Rejection::OutOfPlace {
            problem: "the account is closed by a merge",
        }
        .into()),
    }
}

fn bound(learner: &Learner) -> Result<(), Refusal> {
    if learner.provisional.is_none() {
        return Ok(());
    }
    Err(Rejection::LearnerProvisional.into())
}

/// An erasure reaches every account taken in: a partial state that does not know one of them would go on
/// believing what it knows of those behind it.
fn every_member_is_known(state: &State, handle: Handle) -> Result<(), Refusal> {
    state.group(handle).map(|_| ())
}

fn free_handle(state: &State, handle: Handle) -> Result<(), Refusal> {
    if state.learner(handle)?.is_none() {
        Ok(())
    } else {
        Err(Rejection::HandleTaken.into())
    }
}

/// Invariant: a document is registered for one learner at a time.
fn free_documents(state: &State, handle: Handle, profile: &LearnerProfile) -> Result<(), Refusal> {
    for (index, key) in document_keys(&state.secret()?, profile)
        .into_iter()
        .enumerate()
    {
        if let Some(carrier) = state.carrier(key)?
            && state.resolve(carrier)?.0 != handle
        {
            return Err(Rejection::DocumentTaken { index }.into());
        }
    }
    Ok(())
}

fn provisional(
    state: &State,
    event: &Event,
    reference: &ProvisionalReference,
    at: Timestamp,
) -> Result<(), Refusal> {
    if event.issuer.is_operator() {
        return Err(Rejection::NotAllowed {
            allowed: "an institution",
        }
        .into());
    }
    match reference {
        ProvisionalReference::Student(student) => for_student(state, event, student, at),
        ProvisionalReference::Document(identity, _) => well_formed(shape::learner_reference(
            &LearnerReference::Document(identity.clone()),
        )),
    }
}

/// Nobody waits under the reference yet. Whether a document matches, and so why it is pending, is not
/// judged again: it rests on attributes of another learner, which may have been erased since.
fn unbound(state: &State, reference: &ProvisionalReference) -> Result<(), Refusal> {
    let secret = state.secret()?;
    let taken = match reference {
        ProvisionalReference::Student(student) => state.linked(secret.student(student))?.is_some(),
        ProvisionalReference::Document(identity, _) => {
            state.referenced(secret.reference(identity))?.is_some()
        }
    };
    if taken {
        return out_of_place("the reference has an account already");
    }
    Ok(())
}

/// Invariant: a student number leads to one learner at a time.
fn free_for(state: &State, handle: Handle, student: &StudentNumber) -> Result<(), Refusal> {
    let Some(link) = state.linked(state.secret()?.student(student))? else {
        return Ok(());
    };
    if state.resolve(link.handle)?.0 == handle {
        return Ok(());
    }
    Err(Rejection::StudentNumberTaken.into())
}

/// The operator may close any account into another; an institution the provisional accounts that hold a
/// reference of its own.
pub(crate) fn may_merge(
    state: &State,
    submitter: &InstitutionId,
    from: &Learner,
    at: Timestamp,
) -> Result<(), Refusal> {
    if submitter.is_operator() {
        return Ok(());
    }
    let Some((_, institution)) = &from.provisional else {
        return Err(Rejection::NotAllowed {
            allowed: "the operator",
        }
        .into());
    };
    state
        .registry()
        .acting_for(institution, submitter, at.date())?;
    Ok(())
}

/// Invariant: merges form no circle, because both accounts are open.
fn merged(
    state: &State,
    event: &Event,
    handle: Handle,
    counterpart: &Counterpart,
    at: Timestamp,
) -> Result<(), Refusal> {
    let from = state.learner(handle)?.ok_or(Rejection::UnknownLearner)?;
    may_merge(state, &event.submitter, from, at)?;
    well_formed(shape::reason(&counterpart.reason))?;
    open(state, handle)?;
    if handle == counterpart.learner {
        return Err(Rejection::SameLearner.into());
    }
    let into = open(state, counterpart.learner)?;
    if into.provisional.is_some() && from.provisional.is_none() {
        return Err(Rejection::IntoProvisional.into());
    }
    Ok(())
}
