//! Proposals of achievement events, and the answer to repetitions.

use std::sync::Arc;

use super::learner::Resolved;
use super::{By, beside};
use crate::admit::achievement::{first_position, held};
use crate::codec;
use crate::command::{Action, Decision};
use crate::event::{
    AchievementReassigned, AchievementReceived, AchievementRecorded, AchievementStatus,
    AchievementSuperseded, Body,
};
use crate::ids::{Handle, InstitutionId};
use crate::keyed::Keyed;
use crate::ready::Ready;
use crate::rejection::{Rejection, Violation};
use crate::shape;
use crate::signature::IssuerSignature;
use crate::state::{Record, RecordFact, RecordStanding, Refusal};
use crate::words::{Achievement, LearnerProfile, LearnerReference, RecordName, StudentNumber};

pub(super) fn propose(
    by: &By<'_>,
    action: &Action,
    ready: Option<Ready>,
) -> Result<Decision, Refusal> {
    match action {
        Action::Submit {
            issuer,
            learner,
            achievement,
            signature,
            fresh,
            register,
        } => {
            let content = Content {
                issuer,
                learner: Some(learner),
                achievement,
                signature: signature.as_ref(),
            };
            let newcomer = match (learner, register) {
                (LearnerReference::Student(student), Some(profile)) => Some(Newcomer {
                    fresh: *fresh,
                    student,
                    profile,
                }),
                _ => None,
            };
            submit(by, content, learner, *fresh, newcomer, ready)
        }
        Action::Supersede {
            issuer,
            learner,
            achievement,
            signature,
            reason,
            ..
        } => {
            let content = Content {
                issuer,
                learner: learner.as_ref(),
                achievement,
                signature: signature.as_ref(),
            };
            supersede(by, content, reason)
        }
        Action::Suspend { name, reason } => change(by, name, reason, Body::AchievementSuspended),
        Action::Reinstate { name, reason } => change(by, name, reason, Body::AchievementReinstated),
        Action::Revoke { name, reason } => change(by, name, reason, Body::AchievementRevoked),
        Action::Reassign {
            name,
            achievement,
            signature,
            to,
            reason,
            ..
        } => {
            let standing = (achievement, signature.as_ref());
            reassign(by, name, standing, to, reason)
        }
        _ => Err(Rejection::OutOfPlace {
            problem: "this action is not the achievements'",
        }
        .into()),
    }
}

/// Whom to register with their first record.
#[derive(Clone, Copy)]
struct Newcomer<'a> {
    fresh: Handle,
    student: &'a StudentNumber,
    profile: &'a LearnerProfile,
}

/// What an institution sends: a content, whose it is, about whom, and signed or not.
#[derive(Clone, Copy)]
struct Content<'a> {
    issuer: &'a InstitutionId,
    learner: Option<&'a LearnerReference>,
    achievement: &'a Arc<Achievement>,
    signature: Option<&'a Arc<IssuerSignature>>,
}

impl Content<'_> {
    /// What the content alone must satisfy, and that its issuer signed it for the learner it is sent for.
    fn rules(&self, by: &By<'_>) -> Result<(), Refusal> {
        let signature = self.signature.map(Arc::as_ref);
        crate::admit::content_rules(by.state, self.issuer, self.achievement, signature, by.at)?;
        if self.is_signed_for_another() {
            return Err(Rejection::SignatureMismatch { field: "learner" }.into());
        }
        Ok(())
    }

    /// Whether the statement names the learner otherwise than the sender does.
    fn is_signed_for_another(&self) -> bool {
        let signed = self
            .signature
            .map(|signature| &signature.statement().learner);
        signed
            .zip(self.learner)
            .is_some_and(|(signed, sent)| signed != sent)
    }

    /// The refusal, or what the content alone is refused for when that comes first.
    fn or_earlier(&self, by: &By<'_>, refusal: Refusal) -> Refusal {
        match self.rules(by) {
            Ok(()) => refusal,
            Err(other) => other.or_earlier(refusal),
        }
    }
}

fn submit(
    by: &By<'_>,
    content: Content<'_>,
    learner: &LearnerReference,
    fresh: Handle,
    newcomer: Option<Newcomer<'_>>,
    ready: Option<Ready>,
) -> Result<Decision, Refusal> {
    let (issuer, achievement) = (content.issuer, content.achievement);
    by.acting_for(issuer, false)?;
    by.may_name(learner)?;
    let secret = by.state.secret()?;
    let key = match &ready {
        Some(ready) => ready.record,
        None => secret.record(issuer, &achievement.record_id),
    };
    match by.state.record(key)? {
        None => {}
        Some(RecordFact::Suppressed) => {
            let record_id = achievement.record_id.clone();
            return Err(Rejection::RecordErased { record_id }.into());
        }
        Some(RecordFact::Held(record)) => {
            return repeated(by, record, learner, achievement)
                .map_err(|refusal| content.or_earlier(by, refusal))
                .and_then(|decision| settled(by, decision, newcomer));
        }
    }
    let resolved = by
        .resolve(learner)
        .map_err(|refusal| content.or_earlier(by, refusal))?;
    // Admission cannot know which reference was sent; else it judges the content.
    if content.is_signed_for_another() {
        content.rules(by)?;
    }
    let (handle, pending, mut events) = match (resolved, newcomer) {
        (Resolved::Account(handle, None), _) => (handle, None, Vec::new()),
        (_, Some(newcomer)) => {
            // Admission looks at the content after the account that must be opened first.
            content
                .rules(by)
                .map_err(|refusal| beside(refusal, newcomer.malformed()))?;
            (fresh, None, newcomer.events(by)?)
        }
        (Resolved::Account(handle, pending), None) => (handle, pending, Vec::new()),
        (Resolved::Nobody(reference), None) => {
            // Admission looks at the content after the account that must be opened first.
            content.rules(by)?;
            let pending = Some(reference.reason());
            (fresh, pending, vec![by.open_provisional(fresh, reference)])
        }
    };
    events.push(match ready {
        Some(ready) => Keyed::ready(&secret, (issuer.clone(), by.submitter(), handle), ready),
        None => {
            let body = Body::AchievementRecorded(AchievementRecorded {
                achievement: Arc::clone(achievement),
                signature: content.signature.cloned(),
            });
            let event = by.unkeyed(issuer.clone(), Some(handle), body);
            Keyed::about(&secret, key, event)
        }
    });
    Ok(Decision::record(events).pending(pending))
}

impl Newcomer<'_> {
    fn malformed(&self) -> Vec<Violation> {
        shape::learner_profile(self.profile, "profile")
    }

    fn events(&self, by: &By<'_>) -> Result<Vec<Keyed>, Refusal> {
        by.open_person(self.fresh, self.student, self.profile)
    }
}

/// A repetition whose record still waits: the newcomer is registered, which binds it.
fn settled(
    by: &By<'_>,
    decision: Decision,
    newcomer: Option<Newcomer<'_>>,
) -> Result<Decision, Refusal> {
    let (Some(_), Some(newcomer)) = (decision.pending, newcomer) else {
        return Ok(decision);
    };
    let number = LearnerReference::Student(newcomer.student.clone());
    if matches!(by.resolve(&number)?, Resolved::Account(_, None)) {
        return Ok(decision);
    }
    Ok(Decision {
        events: newcomer.events(by)?,
        learner: Some(newcomer.fresh),
        pending: None,
        ..decision
    })
}

/// The record id exists: with the same content for the same learner it is a repetition.
fn repeated(
    by: &By<'_>,
    record: &Record,
    learner: &LearnerReference,
    achievement: &Achievement,
) -> Result<Decision, Refusal> {
    let record_id = achievement.record_id.clone();
    let position = first_position(record);
    let (handle, account) = by.state.resolve(record.learner)?;
    if !names(by, record, learner)? {
        return Err(Rejection::RecordOfOtherLearner {
            record_id,
            position,
        }
        .into());
    }
    let content = by
        .state
        .secret()?
        .content(&codec::encode_achievement(achievement));
    let version = record
        .versions
        .iter()
        .find(|version| version.content == content);
    if let Some(version) = version {
        let pending = account.provisional.as_ref().map(|(reason, _)| *reason);
        return Ok(Decision::already(version.position, Some(handle)).pending(pending));
    }
    if let RecordStanding::Revoked(position) = record.standing {
        return Err(Rejection::RecordRevoked {
            record_id,
            position,
        }
        .into());
    }
    Err(Rejection::RecordIdReused {
        record_id,
        position,
    }
    .into())
}

/// Whether the reference names the learner that the record was first recorded for, or is with now.
/// A student number that has been unlinked since, and a document whose name has been corrected or whose
/// learner has been registered since, still recognise what was sent under them.
fn names(by: &By<'_>, record: &Record, reference: &LearnerReference) -> Result<bool, Refusal> {
    let is = |named: Handle| -> Result<bool, Refusal> {
        let is = |handle| by.state.resolve(handle).map(|(found, _)| found == named);
        Ok(is(record.learner)? || is(record.first_learner)?)
    };
    if let Resolved::Account(named, _) = by.resolve(reference)?
        && is(named)?
    {
        return Ok(true);
    }
    for former in former(by, reference)? {
        if is(by.state.resolve(former)?.0)? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The accounts to which the reference led before.
fn former(by: &By<'_>, reference: &LearnerReference) -> Result<Vec<Handle>, Refusal> {
    let secret = by.state.secret()?;
    let former = match reference {
        LearnerReference::Handle(_) => vec![],
        LearnerReference::Student(student) => vec![by.state.once_linked(secret.student(student))?],
        LearnerReference::Document(identity) => vec![
            by.state.referenced(secret.reference(identity))?,
            by.state.once_carrier(secret.document(&identity.document))?,
        ],
    };
    Ok(former.into_iter().flatten().collect())
}

fn supersede(by: &By<'_>, content: Content<'_>, reason: &str) -> Result<Decision, Refusal> {
    by.acting_for(content.issuer, false)?;
    content
        .learner
        .map_or(Ok(()), |learner| by.may_name(learner))?;
    next_version(by, content, reason).map_err(|refusal| {
        let refusal = beside(refusal, shape::reason(reason));
        content.or_earlier(by, refusal)
    })
}

fn next_version(by: &By<'_>, content: Content<'_>, reason: &str) -> Result<Decision, Refusal> {
    let Content {
        issuer,
        learner,
        achievement,
        signature,
    } = content;
    let record = held(by.state, issuer, &achievement.record_id)?;
    let record_id = achievement.record_id.clone();
    if let Some(learner) = learner
        && !names(by, record, learner)?
    {
        let position = first_position(record);
        return Err(Rejection::RecordOfOtherLearner {
            record_id,
            position,
        }
        .into());
    }
    let (handle, account) = by.state.resolve(record.learner)?;
    let digest = by
        .state
        .secret()?
        .content(&codec::encode_achievement(achievement));
    let pending = account.provisional.as_ref().map(|(reason, _)| *reason);
    let version = record
        .versions
        .iter()
        .find(|version| version.content == digest);
    if let Some(version) = version {
        return Ok(Decision::already(version.position, Some(handle)).pending(pending));
    }
    if content.is_signed_for_another() {
        content.rules(by)?;
    }
    let new = AchievementSuperseded {
        achievement: Arc::clone(achievement),
        reason: reason.to_owned(),
        signature: signature.cloned(),
    };
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
    let record = held(by.state, &name.issuer, &name.record_id)
        .map_err(|refusal| beside(refusal, name_and_reason(name, reason)))?;
    let (handle, account) = by.state.resolve(record.learner)?;
    let pending = account.provisional.as_ref().map(|(reason, _)| *reason);
    let status = AchievementStatus {
        record_id: name.record_id.clone(),
        reason: reason.to_owned(),
    };
    let event = by.event(name.issuer.clone(), Some(handle), body(status));
    Ok(Decision::record(vec![event]).pending(pending))
}

fn name_and_reason(name: &RecordName, reason: &str) -> Vec<Violation> {
    let mut violations = shape::record_id(&name.record_id);
    violations.extend(shape::reason(reason));
    violations
}

/// A content as it stands, and its signature.
type Standing<'a> = (&'a Arc<Achievement>, Option<&'a Arc<IssuerSignature>>);

fn reassign(
    by: &By<'_>,
    name: &RecordName,
    standing: Standing<'_>,
    to: &LearnerReference,
    reason: &str,
) -> Result<Decision, Refusal> {
    by.acting_for(&name.issuer, false)?;
    by.may_name(to)?;
    departure_and_arrival(by, name, standing, to, reason)
        .map_err(|refusal| beside(refusal, name_and_reason(name, reason)))
}

fn departure_and_arrival(
    by: &By<'_>,
    name: &RecordName,
    (achievement, signature): Standing<'_>,
    to: &LearnerReference,
    reason: &str,
) -> Result<Decision, Refusal> {
    let to = by.resolve(to).and_then(|resolved| match resolved {
        Resolved::Account(to, pending) => Ok((to, pending)),
        Resolved::Nobody(_) => Err(Rejection::UnresolvedLearner.into()),
    });
    let record = held(by.state, &name.issuer, &name.record_id);
    let (record, (to, pending)) = match (record, to) {
        (Ok(record), Ok(to)) => (record, to),
        (Err(unknown), Err(nobody)) => return Err(unknown.or_earlier(nobody)),
        (Err(refusal), Ok(_)) | (Ok(_), Err(refusal)) => return Err(refusal),
    };
    let (from, _) = by.state.resolve(record.learner)?;
    let suspended = matches!(record.standing, RecordStanding::Suspended(_));
    let departure = AchievementReassigned {
        record_id: name.record_id.clone(),
        to,
        reason: reason.to_owned(),
    };
    let arrival = AchievementReceived {
        achievement: Arc::clone(achievement),
        from,
        suspended,
        signature: signature.cloned(),
    };
    let issuer = &name.issuer;
    Ok(Decision::record(vec![
        by.event(
            issuer.clone(),
            Some(from),
            Body::AchievementReassigned(departure),
        ),
        by.event(issuer.clone(), Some(to), Body::AchievementReceived(arrival)),
    ])
    .pending(pending))
}
