//! Proposals of achievement events, and the answer to repetitions.

use super::By;
use super::learner::Resolved;
use crate::admit::achievement::{first_position, held};
use crate::codec;
use crate::command::{Action, Decision};
use crate::event::{
    AchievementReassigned, AchievementReceived, AchievementStatus, AchievementSuperseded, Body,
};
use crate::ids::{Handle, InstitutionId, Revision};
use crate::rejection::Rejection;
use crate::shape;
use crate::state::{Record, RecordFact, RecordStanding, Refusal};
use crate::words::{Achievement, LearnerReference, RecordName};

pub(super) fn propose(by: &By<'_>, action: &Action) -> Result<Decision, Refusal> {
    match action {
        Action::Submit { issuer, learner, achievement, fresh } => {
            submit(by, issuer, learner, achievement, *fresh)
        }
        Action::Supersede { issuer, learner, achievement, reason, expected } => {
            supersede(by, issuer, learner.as_ref(), achievement, reason, *expected)
        }
        Action::Suspend { name, reason } => {
            change(by, name, reason, Body::AchievementSuspended)
        }
        Action::Reinstate { name, reason } => {
            change(by, name, reason, Body::AchievementReinstated)
        }
        Action::Revoke { name, reason } => change(by, name, reason, Body::AchievementRevoked),
        Action::Reassign { name, achievement, to, reason, expected } => {
            reassign(by, name, achievement, to, reason, *expected)
        }
        _ => Err(Rejection::OutOfPlace { problem: "this action is not the achievements'" }.into()),
    }
}

fn submit(
    by: &By<'_>,
    issuer: &InstitutionId,
    learner: &LearnerReference,
    achievement: &Achievement,
    fresh: Handle,
) -> Result<Decision, Refusal> {
    by.acting_for(issuer, false)?;
    let key = by.state.secret()?.record(issuer, &achievement.record_id);
    match by.state.record(key)? {
        None => {}
        Some(RecordFact::Suppressed) => {
            let record_id = achievement.record_id.clone();
            return Err(Rejection::RecordErased { record_id }.into());
        }
        Some(RecordFact::Held(record)) => {
            return repeated(by, issuer, record, learner, achievement);
        }
    }
    let resolved = by.resolve(learner).or_else(|refusal| {
        // What the content alone must satisfy is reported before what its learner must; admission
        // looks at it anyway when the learner is found.
        crate::admit::content_rules(by.state, issuer, achievement, by.at)?;
        Err(refusal)
    })?;
    let (handle, pending, mut events) = match resolved {
        Resolved::Account(handle, pending) => (handle, pending, Vec::new()),
        Resolved::Nobody(reference) => {
            let pending = Some(reference.reason());
            (fresh, pending, vec![by.open_provisional(fresh, reference)])
        }
    };
    let body = Body::AchievementRecorded(achievement.clone());
    events.push(by.event(issuer.clone(), Some(handle), body));
    Ok(Decision::record(events).pending(pending))
}

/// The record id exists: with the same content for the same learner it is a repetition.
fn repeated(
    by: &By<'_>,
    issuer: &InstitutionId,
    record: &Record,
    learner: &LearnerReference,
    achievement: &Achievement,
) -> Result<Decision, Refusal> {
    let violations = shape::achievement(issuer, achievement);
    if !violations.is_empty() {
        return Err(Rejection::Malformed(violations).into());
    }
    let record_id = achievement.record_id.clone();
    let position = first_position(record);
    let (handle, account) = by.state.resolve(record.learner)?;
    if !names(by, record, learner)? {
        return Err(Rejection::RecordOfOtherLearner { record_id, position }.into());
    }
    let content = by.state.secret()?.content(&codec::encode_achievement(achievement));
    let version = record.versions.iter().find(|version| version.content == content);
    if let Some(version) = version {
        let pending = account.provisional.as_ref().map(|(reason, _)| *reason);
        return Ok(Decision::already(version.position, Some(handle)).pending(pending));
    }
    if let RecordStanding::Revoked(position) = record.standing {
        return Err(Rejection::RecordRevoked { record_id, position }.into());
    }
    Err(Rejection::RecordIdReused { record_id, position }.into())
}

/// Whether the reference names the learner that the record was first recorded for, or is with now.
/// A student number that has been unlinked since still recognises what was sent under it.
fn names(by: &By<'_>, record: &Record, reference: &LearnerReference) -> Result<bool, Refusal> {
    let named = match by.resolve(reference)? {
        Resolved::Account(handle, _) => Some(handle),
        Resolved::Nobody(_) => former(by, reference)?,
    };
    let Some(named) = named else { return Ok(false) };
    let is = |handle: Handle| by.state.resolve(handle).map(|(found, _)| found == named);
    Ok(is(record.learner)? || is(record.first_learner)?)
}

fn former(by: &By<'_>, reference: &LearnerReference) -> Result<Option<Handle>, Refusal> {
    let LearnerReference::Student(student) = reference else { return Ok(None) };
    let link = by.state.student(by.state.secret()?.student(student))?;
    link.map(|link| by.state.resolve(link.handle).map(|(handle, _)| handle)).transpose()
}

fn supersede(
    by: &By<'_>,
    issuer: &InstitutionId,
    learner: Option<&LearnerReference>,
    achievement: &Achievement,
    reason: &str,
    expected: Option<Revision>,
) -> Result<Decision, Refusal> {
    by.acting_for(issuer, false)?;
    let violations = shape::achievement(issuer, achievement);
    if !violations.is_empty() {
        return Err(Rejection::Malformed(violations).into());
    }
    let record = held(by.state, issuer, &achievement.record_id)?;
    let record_id = achievement.record_id.clone();
    if let Some(learner) = learner
        && !names(by, record, learner)?
    {
        let position = first_position(record);
        return Err(Rejection::RecordOfOtherLearner { record_id, position }.into());
    }
    let (handle, account) = by.state.resolve(record.learner)?;
    let content = by.state.secret()?.content(&codec::encode_achievement(achievement));
    let pending = account.provisional.as_ref().map(|(reason, _)| *reason);
    let version = record.versions.iter().find(|version| version.content == content);
    if let Some(version) = version {
        return Ok(Decision::already(version.position, Some(handle)).pending(pending));
    }
    by.fresh(handle, expected)?;
    let new = AchievementSuperseded { achievement: achievement.clone(), reason: reason.to_owned() };
    let body = Body::AchievementSuperseded(new);
    let event = by.event(issuer.clone(), Some(handle), body);
    Ok(Decision::record(vec![event]).pending(pending))
}

fn change(
    by: &By<'_>,
    name: &RecordName,
    reason: &str,
    body: impl Fn(AchievementStatus) -> Body,
) -> Result<Decision, Refusal> {
    by.acting_for(&name.issuer, false)?;
    let record = held(by.state, &name.issuer, &name.record_id)?;
    let (handle, account) = by.state.resolve(record.learner)?;
    let pending = account.provisional.as_ref().map(|(reason, _)| *reason);
    let status =
        AchievementStatus { record_id: name.record_id.clone(), reason: reason.to_owned() };
    let event = by.event(name.issuer.clone(), Some(handle), body(status));
    Ok(Decision::record(vec![event]).pending(pending))
}

fn reassign(
    by: &By<'_>,
    name: &RecordName,
    achievement: &Achievement,
    to: &LearnerReference,
    reason: &str,
    expected: Option<Revision>,
) -> Result<Decision, Refusal> {
    by.acting_for(&name.issuer, false)?;
    let record = held(by.state, &name.issuer, &name.record_id)?;
    let (from, _) = by.state.resolve(record.learner)?;
    let Resolved::Account(to, pending) = by.resolve(to)? else {
        return Err(Rejection::UnresolvedLearner.into());
    };
    by.fresh(from, expected)?;
    let suspended = matches!(record.standing, RecordStanding::Suspended(_));
    let departure = AchievementReassigned {
        record_id: name.record_id.clone(),
        to,
        reason: reason.to_owned(),
    };
    let arrival = AchievementReceived { achievement: achievement.clone(), from, suspended };
    let issuer = &name.issuer;
    Ok(Decision::record(vec![
        by.event(issuer.clone(), Some(from), Body::AchievementReassigned(departure)),
        by.event(issuer.clone(), Some(to), Body::AchievementReceived(arrival)),
    ])
    .pending(pending))
}
