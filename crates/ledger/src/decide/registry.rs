//! Proposals of registry events; publishing what is published already changes nothing.

use super::By;
use crate::admit::registry::DELEGATORS;
use crate::command::{Action, Actor, Decision};
use crate::event::{Body, InstitutionStatus, KeyRevocation};
use crate::ids::{InstitutionId, Position};
use crate::registry::Published;
use crate::rejection::Rejection;
use crate::state::Refusal;
use crate::words::{CodeList, Course, Delegation, InstitutionKey};

pub(super) fn propose(by: &By<'_>, action: &Action) -> Result<Decision, Refusal> {
    let registry = by.state.registry();
    match action {
        Action::RegisterInstitution(profile) => {
            let before = registry.institutions.get(&profile.id);
            let same = before.filter(|before| before.profile == *profile);
            by_operator(
                by,
                Body::InstitutionRegistered(profile.clone()),
                same.map(|i| i.position),
            )
        }
        Action::UpdateInstitution(profile) => {
            let before = registry.institutions.get(&profile.id);
            let same = before.filter(|before| before.profile == *profile);
            by_operator(
                by,
                Body::InstitutionUpdated(profile.clone()),
                same.map(|i| i.position),
            )
        }
        Action::SuspendInstitution {
            institution,
            reason,
        } => {
            let status = status(institution, reason, None);
            by_operator(by, Body::InstitutionSuspended(status), None)
        }
        Action::ReinstateInstitution {
            institution,
            reason,
        } => {
            let status = status(institution, reason, None);
            by_operator(by, Body::InstitutionReinstated(status), None)
        }
        Action::CloseInstitution {
            institution,
            reason,
            successor,
        } => {
            let status = status(institution, reason, successor.clone());
            by_operator(by, Body::InstitutionClosed(status), None)
        }
        Action::PublishFramework(framework) => {
            let same = same(registry.frameworks.get(&framework.code), framework);
            by_operator(by, Body::FrameworkPublished(framework.clone()), same)
        }
        Action::PublishCreditUnit(unit) => {
            let same = same(registry.units.get(&unit.code), unit);
            by_operator(by, Body::CreditUnitPublished(unit.clone()), same)
        }
        Action::PublishCodeList(list) => by_operator(
            by,
            Body::CodeListPublished(list.clone()),
            same_codes(by, list),
        ),
        Action::PublishIntakeWindow(window) => {
            let same = same(registry.windows.get(&window.id), window);
            by_operator(by, Body::IntakeWindowPublished(window.clone()), same)
        }
        _ => propose_own(by, action),
    }
}

/// What an institution does itself, or the operator for it.
fn propose_own(by: &By<'_>, action: &Action) -> Result<Decision, Refusal> {
    match action {
        Action::Delegate { issuer, delegation } => delegate(by, issuer, delegation),
        Action::AddInstitutionKey { issuer, key } => add_key(by, issuer, key),
        Action::RevokeInstitutionKey {
            issuer,
            key_id,
            reason,
        } => revoke_key(by, issuer, key_id, reason),
        Action::PublishCourse { issuer, course } => publish_course(by, issuer, course),
        _ => Err(Rejection::OutOfPlace {
            problem: "this action is not the registry's",
        }
        .into()),
    }
}

fn by_operator(by: &By<'_>, body: Body, same: Option<Position>) -> Result<Decision, Refusal> {
    let event = by.operator_event(body)?;
    Ok(same.map_or_else(
        || Decision::record(vec![event]),
        |position| Decision::already(position, None),
    ))
}

fn by_issuer(
    by: &By<'_>,
    issuer: &InstitutionId,
    body: Body,
    same: Option<Position>,
) -> Result<Decision, Refusal> {
    by.acting_for(issuer, true)?;
    let event = by.event(issuer.clone(), None, body);
    Ok(same.map_or_else(
        || Decision::record(vec![event]),
        |position| Decision::already(position, None),
    ))
}

/// The actor is the institution itself, or the operator.
fn itself_or_operator(by: &By<'_>, issuer: &InstitutionId) -> Result<(), Rejection> {
    if matches!(by.actor, Actor::Institution(id) if id != issuer) {
        return Err(Rejection::NotAllowed {
            allowed: DELEGATORS,
        });
    }
    Ok(())
}

/// Registering the same key again changes nothing, unless it has been revoked since.
fn add_key(by: &By<'_>, issuer: &InstitutionId, key: &InstitutionKey) -> Result<Decision, Refusal> {
    itself_or_operator(by, issuer)?;
    let known = by.state.registry().key(issuer, &key.key_id);
    let known = known.filter(|known| known.revoked.is_none());
    let same = same(known.map(|known| &known.key), key);
    by_issuer(by, issuer, Body::InstitutionKeyAdded(key.clone()), same)
}

/// Revoking again for the same reason changes nothing.
fn revoke_key(
    by: &By<'_>,
    issuer: &InstitutionId,
    key_id: &str,
    reason: &str,
) -> Result<Decision, Refusal> {
    itself_or_operator(by, issuer)?;
    let (key_id, reason) = (key_id.to_owned(), reason.to_owned());
    let known = by.state.registry().key(issuer, &key_id);
    let same = same(known.and_then(|known| known.revoked.as_ref()), &reason);
    let body = Body::InstitutionKeyRevoked(KeyRevocation { key_id, reason });
    by_issuer(by, issuer, body, same)
}

fn delegate(
    by: &By<'_>,
    issuer: &InstitutionId,
    delegation: &Delegation,
) -> Result<Decision, Refusal> {
    itself_or_operator(by, issuer)?;
    let institution = by.state.registry().institutions.get(issuer);
    let before = institution.and_then(|found| found.delegations.get(&delegation.delegate));
    let same = same(before, &delegation.during);
    by_issuer(
        by,
        issuer,
        Body::InstitutionDelegated(delegation.clone()),
        same,
    )
}

fn publish_course(
    by: &By<'_>,
    issuer: &InstitutionId,
    course: &Course,
) -> Result<Decision, Refusal> {
    let key = (issuer.clone(), course.code.clone());
    let same = same(by.state.registry().courses.get(&key), course);
    by_issuer(by, issuer, Body::CoursePublished(course.clone()), same)
}

fn same<T: PartialEq>(before: Option<&Published<T>>, now: &T) -> Option<Position> {
    before
        .filter(|before| before.value == *now)
        .map(|before| before.position)
}

/// The latest position when every code has that label already.
fn same_codes(by: &By<'_>, list: &CodeList) -> Option<Position> {
    let codes = by.state.registry().code_lists.get(&list.code)?;
    if codes.title != list.title || codes.source != list.source || list.entries.is_empty() {
        return None;
    }
    let mut latest = Position(0);
    for (code, label) in &list.entries {
        let before = codes
            .labels
            .get(code)
            .filter(|before| before.value == *label)?;
        latest = latest.max(before.position);
    }
    Some(latest)
}

fn status(
    institution: &InstitutionId,
    reason: &str,
    successor: Option<InstitutionId>,
) -> InstitutionStatus {
    InstitutionStatus {
        institution: institution.clone(),
        reason: reason.to_owned(),
        successor,
    }
}
