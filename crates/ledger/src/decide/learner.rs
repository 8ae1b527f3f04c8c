//! Proposals of learner events, and how a reference is resolved to an account.

use super::{By, beside, well_formed};
use crate::admit::learner::may_merge;
use crate::codec;
use crate::command::{Action, Actor, Decision};
use crate::event::{Body, Counterpart, LearnerErased, LearnerRegistered, Opening};
use crate::ids::Handle;
use crate::keyed::Keyed;
use crate::rejection::Rejection;
use crate::shape;
use crate::state::{Refusal, Standing};
use crate::words::{
    DocumentIdentity, LearnerProfile, LearnerReference, PendingReason, ProvisionalReference,
    StudentNumber,
};

pub(super) fn propose(by: &By<'_>, action: &Action) -> Result<Decision, Refusal> {
    match action {
        Action::RegisterLearner {
            fresh,
            profile,
            students,
            request_id,
        } => register(by, *fresh, profile, students, request_id),
        Action::UpdateLearner {
            learner, profile, ..
        } => {
            let handle = by
                .own_learner(learner)
                .map_err(|refusal| beside(refusal, shape::learner_profile(profile, "profile")))?;
            let body = Body::LearnerUpdated(profile.clone());
            Ok(Decision::record(vec![by.own_event(handle, body)]))
        }
        Action::LinkIdentity { learner, student } => link(by, learner, student),
        Action::UnlinkIdentity { student } => {
            by.acting_for(&student.institution, true)?;
            well_formed(shape::student_number(student))?;
            let link = by.state.linked(by.state.secret()?.student(student))?;
            let link = link.ok_or(Rejection::NotLinked)?;
            let (handle, _) = by.state.resolve(link.handle)?;
            let body = Body::IdentityUnlinked(student.clone());
            Ok(Decision::record(vec![by.own_event(handle, body)]))
        }
        Action::MergeLearners {
            from, into, reason, ..
        } => {
            let unknown = |refusal| beside(refusal, shape::reason(reason));
            let (from, account) = by.state.resolve(*from).map_err(unknown)?;
            // Whoever may not merge the one account learns nothing of the other.
            may_merge(by.state, &by.submitter(), account, by.at)?;
            let (into, _) = by.state.resolve(*into).map_err(unknown)?;
            Ok(Decision::record(merge(by, from, into, reason)))
        }
        Action::SeparateLearners { from, reason } => separate(by, *from, reason),
        Action::EraseLearner {
            learner,
            suppressed,
            ..
        } => {
            let erased = LearnerErased {
                suppressed: suppressed.clone(),
            };
            erase(by, *learner, Body::LearnerErased(erased))
        }
        Action::EraseIdentity { learner, .. } => erase(by, *learner, Body::LearnerIdentityErased),
        _ => Err(Rejection::OutOfPlace {
            problem: "this action is not the learner family's",
        }
        .into()),
    }
}

/// What a reference leads to.
pub(super) enum Resolved {
    /// An account: bound, or provisional already.
    Account(Handle, Option<PendingReason>),
    /// Nobody: a provisional account must be opened for it.
    Nobody(ProvisionalReference),
}

impl By<'_> {
    /// The open account that a reference leads to, after merges.
    pub(super) fn resolve(&self, reference: &LearnerReference) -> Result<Resolved, Refusal> {
        self.may_name(reference)?;
        well_formed(shape::learner_reference(reference))?;
        match reference {
            LearnerReference::Handle(handle) => self.account(*handle),
            LearnerReference::Student(student) => self.resolve_student(student),
            LearnerReference::Document(identity) => self.resolve_document(identity),
        }
    }

    fn account(&self, handle: Handle) -> Result<Resolved, Refusal> {
        let (handle, learner) = self.state.resolve(handle)?;
        if learner.standing == Standing::Erased {
            return Err(Rejection::LearnerErased.into());
        }
        let reason = learner.provisional.as_ref().map(|(reason, _)| *reason);
        Ok(Resolved::Account(handle, reason))
    }

    fn resolve_student(&self, student: &StudentNumber) -> Result<Resolved, Refusal> {
        match self.state.linked(self.state.secret()?.student(student))? {
            Some(link) => self.account(link.handle),
            None => Ok(Resolved::Nobody(ProvisionalReference::Student(
                student.clone(),
            ))),
        }
    }

    fn resolve_document(&self, identity: &DocumentIdentity) -> Result<Resolved, Refusal> {
        let secret = self.state.secret()?;
        let mut reason = PendingReason::Unlinked;
        if let Some(carrier) = self.state.carrier(secret.document(&identity.document))? {
            let learner = self
                .state
                .learner(carrier)?
                .ok_or(Rejection::UnknownLearner)?;
            if learner.identities.contains(&secret.identity(identity)) {
                return self.account(carrier);
            }
            reason = PendingReason::IdentityMismatch;
        }
        match self.state.referenced(secret.reference(identity))? {
            Some(handle) => self.account(handle),
            None => Ok(Resolved::Nobody(ProvisionalReference::Document(
                identity.clone(),
                reason,
            ))),
        }
    }

    /// The account that a reference leads to, where the actor may change the account itself: the
    /// operator any, an institution those it names by a student number of its own.
    fn own_learner(&self, reference: &LearnerReference) -> Result<Handle, Refusal> {
        let own = matches!(reference, LearnerReference::Student(_));
        if matches!(self.actor, Actor::Institution(_)) && !own {
            let allowed = "the operator, or an institution by its own student number,";
            return Err(Rejection::NotAllowed { allowed }.into());
        }
        match self.resolve(reference)? {
            Resolved::Account(handle, _) => Ok(handle),
            Resolved::Nobody(_) => Err(Rejection::UnresolvedLearner.into()),
        }
    }

    /// The events that register a person under a student number that is bound to nobody. What waits under
    /// the number is bound.
    pub(super) fn open_person(
        &self,
        handle: Handle,
        student: &StudentNumber,
        profile: &LearnerProfile,
    ) -> Result<Vec<Keyed>, Refusal> {
        let registered = LearnerRegistered {
            opening: Opening::Person(profile.clone()),
            request_id: String::new(),
        };
        let mut events = vec![self.own_event(handle, Body::LearnerRegistered(registered))];
        events.extend(bind_and_link(self, handle, student, &mut Vec::new())?);
        Ok(events)
    }

    /// The event that opens a provisional account.
    pub(super) fn open_provisional(&self, handle: Handle, of: ProvisionalReference) -> Keyed {
        let opening = Opening::Provisional(of);
        let registered = LearnerRegistered {
            opening,
            request_id: String::new(),
        };
        self.own_event(handle, Body::LearnerRegistered(registered))
    }
}

fn register(
    by: &By<'_>,
    fresh: Handle,
    profile: &LearnerProfile,
    students: &[StudentNumber],
    request_id: &str,
) -> Result<Decision, Refusal> {
    if let Actor::Institution(id) = by.actor {
        by.state.registry().active(id)?;
    }
    for student in students {
        by.acting_for(&student.institution, true)?;
    }
    let mut violations = shape::learner_profile(profile, "profile");
    students
        .iter()
        .for_each(|student| violations.extend(shape::student_number(student)));
    violations.extend(shape::request_id(request_id));
    well_formed(violations)?;
    let opening = Opening::Person(profile.clone());
    let body = Body::LearnerRegistered(LearnerRegistered {
        opening,
        request_id: request_id.to_owned(),
    });
    let secret = by.state.secret()?;
    if !request_id.is_empty()
        && let Some(before) = by
            .state
            .request(secret.request(&by.submitter(), request_id))?
    {
        let (handle, _) = by.state.resolve(before.learner)?;
        let mut same = before.content == secret.content(&codec::encode(&body));
        for student in students {
            let link = by.state.linked(secret.student(student))?;
            let holder = link.map(|link| by.state.resolve(link.handle)).transpose()?;
            same &= holder.is_some_and(|(holder, _)| holder == handle);
        }
        if !same {
            let (request_id, position) = (request_id.to_owned(), before.position);
            return Err(Rejection::RequestIdReused {
                request_id,
                position,
            }
            .into());
        }
        return Ok(Decision::already(before.position, Some(handle)));
    }
    let mut events = vec![by.own_event(fresh, body)];
    let mut bound = Vec::new();
    for (idx, student) in students.iter().enumerate() {
        // The same number twice in one request is one link.
        if !students[..idx].contains(student) {
            events.extend(bind_and_link(by, fresh, student, &mut bound)?);
        }
    }
    Ok(Decision {
        learner: Some(fresh),
        ..Decision::record(events)
    })
}

fn link(
    by: &By<'_>,
    learner: &LearnerReference,
    student: &StudentNumber,
) -> Result<Decision, Refusal> {
    by.acting_for(&student.institution, true)?;
    if matches!(by.actor, Actor::Institution(_)) && matches!(learner, LearnerReference::Handle(_)) {
        // Who merely knows a handle must not get at the account by linking a number of its own to it.
        let allowed = "the operator, or an institution by student number or document,";
        return Err(Rejection::NotAllowed { allowed }.into());
    }
    by.may_name(learner)?;
    well_formed(shape::student_number(student))?;
    let handle = match by.resolve(learner)? {
        Resolved::Account(handle, None) => handle,
        Resolved::Account(_, Some(_)) => return Err(Rejection::LearnerProvisional.into()),
        Resolved::Nobody(_) => return Err(Rejection::UnresolvedLearner.into()),
    };
    if let Some(link) = by.state.linked(by.state.secret()?.student(student))?
        && by.state.resolve(link.handle)?.0 == handle
    {
        return Ok(Decision::already(link.position, Some(handle)));
    }
    Ok(Decision::record(bind_and_link(
        by,
        handle,
        student,
        &mut Vec::new(),
    )?))
}

/// Links a student number; a provisional account that waits under it is merged first, once: `bound` are
/// those that were already, in the same request.
fn bind_and_link(
    by: &By<'_>,
    handle: Handle,
    student: &StudentNumber,
    bound: &mut Vec<Handle>,
) -> Result<Vec<Keyed>, Refusal> {
    let mut events = Vec::new();
    if let Some(link) = by.state.linked(by.state.secret()?.student(student))? {
        let (waiting, learner) = by.state.resolve(link.handle)?;
        if learner.provisional.is_some() && waiting != handle && !bound.contains(&waiting) {
            bound.push(waiting);
            events.extend(merge(by, waiting, handle, "student number linked"));
        }
    }
    events.push(by.own_event(handle, Body::IdentityLinked(student.clone())));
    Ok(events)
}

fn merge(by: &By<'_>, from: Handle, into: Handle, reason: &str) -> Vec<Keyed> {
    let counterpart = |learner| Counterpart {
        learner,
        reason: reason.to_owned(),
    };
    vec![
        by.own_event(from, Body::LearnerMerged(counterpart(into))),
        by.own_event(into, Body::LearnerAbsorbed(counterpart(from))),
    ]
}

fn separate(by: &By<'_>, from: Handle, reason: &str) -> Result<Decision, Refusal> {
    by.operator()?;
    well_formed(shape::reason(reason))?;
    let closed = by.state.learner(from)?.ok_or(Rejection::UnknownLearner)?;
    let Standing::Merged(into) = closed.standing else {
        return Err(Rejection::NotMerged.into());
    };
    let absorber = by.state.learner(into)?.ok_or(Rejection::UnknownLearner)?;
    if matches!(absorber.standing, Standing::Merged(_)) {
        return Err(Rejection::NotMerged.into());
    }
    let counterpart = |learner| Counterpart {
        learner,
        reason: reason.to_owned(),
    };
    Ok(Decision::record(vec![
        by.own_event(into, Body::LearnersSeparated(counterpart(from))),
        by.own_event(from, Body::LearnerReopened(counterpart(into))),
    ]))
}

fn erase(by: &By<'_>, learner: Handle, body: Body) -> Result<Decision, Refusal> {
    by.operator()?;
    let (handle, found) = by.state.resolve(learner)?;
    if found.standing == Standing::Erased {
        return Err(Rejection::LearnerErased.into());
    }
    Ok(Decision::record(vec![by.own_event(handle, body)]))
}
