//! Admission of registry events: who may register, delegate and publish, and what stays once published.

use super::signature::{key_added, key_revoked};
use super::{out_of_place, published, published_level, published_unit, well_formed};
use crate::event::{Body, Event, InstitutionStatus};
use crate::ids::{InstitutionId, Timestamp};
use crate::registry::{InstitutionStanding, Registry};
use crate::rejection::Rejection;
use crate::shape;
use crate::state::{Refusal, State};
use crate::words::{
    CodeList, Course, CreditUnit, Delegation, FIELD_LIST, Framework, InstitutionProfile,
    IntakeWindow, Level, SOURCE_KIND_LIST,
};

/// Who may let another institution submit, and who keeps its keys.
pub(crate) const DELEGATORS: &str = "the operator, or the institution itself,";

pub(super) fn admit(state: &State, event: &Event, at: Timestamp) -> Result<(), Refusal> {
    let registry = state.registry();
    match &event.body {
        Body::InstitutionDelegated(delegation) => {
            return delegated(registry, event, delegation, at);
        }
        Body::InstitutionKeyAdded(key) => return key_added(state, event, key, at),
        Body::InstitutionKeyRevoked(ended) => return key_revoked(state, event, ended, at),
        Body::CoursePublished(course) => {
            by_issuer_or_operator(registry, event, at)?;
            return self::course(state, course);
        }
        _ => by_operator(event)?,
    }
    match &event.body {
        Body::InstitutionRegistered(profile) => {
            institution(state, profile)?;
            if registry.institutions.contains_key(&profile.id) {
                return Err(Rejection::InstitutionExists {
                    id: profile.id.clone(),
                }
                .into());
            }
            no_circle(registry, profile)
        }
        Body::InstitutionUpdated(profile) => {
            exists(registry, &profile.id)?;
            institution(state, profile)?;
            no_circle(registry, profile)
        }
        Body::InstitutionSuspended(status) => status_change(registry, status, |now| {
            matches!(now, InstitutionStanding::Active)
        }),
        Body::InstitutionReinstated(status) => status_change(registry, status, |now| {
            matches!(now, InstitutionStanding::Suspended)
        }),
        Body::InstitutionClosed(status) => {
            let open =
                |now: &InstitutionStanding| !matches!(now, InstitutionStanding::Closed { .. });
            status
                .successor
                .as_ref()
                .map_or(Ok(()), |successor| exists(registry, successor))?;
            status_change(registry, status, open)?;
            if status.successor.as_ref() == Some(&status.institution) {
                return Err(Rejection::ParentCircle {
                    id: status.institution.clone(),
                }
                .into());
            }
            Ok(())
        }
        Body::FrameworkPublished(framework) => self::framework(registry, framework),
        Body::CreditUnitPublished(unit) => self::unit(registry, unit),
        Body::CodeListPublished(list) => code_list(list),
        Body::IntakeWindowPublished(window) => self::window(registry, window),
        _ => out_of_place("this kind of event belongs on a learner's chain"),
    }
}

fn delegated(
    registry: &Registry,
    event: &Event,
    delegation: &Delegation,
    at: Timestamp,
) -> Result<(), Refusal> {
    // A delegate may submit; that it cannot prolong or pass on what it was lent.
    by_institution_or_operator(event)?;
    by_issuer_or_operator(registry, event, at)?;
    exists(registry, &delegation.delegate)?;
    well_formed(shape::delegation(delegation))?;
    if delegation.delegate == event.issuer {
        return Err(Rejection::ParentCircle {
            id: event.issuer.clone(),
        }
        .into());
    }
    Ok(())
}

/// The institution itself, or the operator; nobody whom it lets submit.
pub(super) fn by_institution_or_operator(event: &Event) -> Result<(), Rejection> {
    if event.submitter.is_operator() || event.submitter == event.issuer {
        return Ok(());
    }
    Err(Rejection::NotAllowed {
        allowed: DELEGATORS,
    })
}

fn by_operator(event: &Event) -> Result<(), Refusal> {
    if event.issuer.is_operator() && event.submitter.is_operator() {
        return Ok(());
    }
    Err(Rejection::NotAllowed {
        allowed: "the operator",
    }
    .into())
}

pub(super) fn by_issuer_or_operator(
    registry: &Registry,
    event: &Event,
    at: Timestamp,
) -> Result<(), Refusal> {
    if event.submitter.is_operator() {
        registry.active(&event.issuer)?;
    } else {
        registry.acting_for(&event.issuer, &event.submitter, at.date())?;
    }
    Ok(())
}

/// The institution is registered; that an id is missing is said with what else is malformed.
pub(super) fn exists(registry: &Registry, id: &InstitutionId) -> Result<(), Refusal> {
    if id.is_operator() || registry.institutions.contains_key(id) {
        return Ok(());
    }
    Err(Rejection::UnknownInstitution { id: id.clone() }.into())
}

fn institution(state: &State, profile: &InstitutionProfile) -> Result<(), Refusal> {
    if let Some(parent) = profile
        .parent
        .as_ref()
        .filter(|parent| **parent != profile.id)
    {
        exists(state.registry(), parent)?;
    }
    well_formed(shape::institution(profile))?;
    for scope in &profile.scopes {
        for field in &scope.fields {
            published(state, "scopes.fields", FIELD_LIST, "ISCED-F field", field)?;
        }
        for kind in &scope.source_kinds {
            published(
                state,
                "scopes.source_kinds",
                SOURCE_KIND_LIST,
                "source kind",
                kind,
            )?;
        }
        if let Some(level) = &scope.level_max {
            let fields = ["scopes.level_max.framework", "scopes.level_max.code"];
            published_level(state, fields, level)?;
        }
    }
    Ok(())
}

/// Following the parents ends: what is registered has no circle yet.
fn no_circle(registry: &Registry, profile: &InstitutionProfile) -> Result<(), Refusal> {
    let mut above = profile.parent.as_ref();
    while let Some(parent) = above {
        if *parent == profile.id {
            return Err(Rejection::ParentCircle {
                id: profile.id.clone(),
            }
            .into());
        }
        above = registry
            .institutions
            .get(parent)
            .and_then(|found| found.profile.parent.as_ref());
    }
    Ok(())
}

fn status_change(
    registry: &Registry,
    status: &InstitutionStatus,
    from: impl Fn(&InstitutionStanding) -> bool,
) -> Result<(), Refusal> {
    exists(registry, &status.institution)?;
    well_formed(shape::reason(&status.reason))?;
    let now = registry
        .institutions
        .get(&status.institution)
        .map(|found| &found.standing);
    match now {
        Some(now) if !from(now) => {
            let id = status.institution.clone();
            Err(Rejection::InstitutionStateUnchanged {
                id,
                state: now.word(),
            }
            .into())
        }
        _ => Ok(()),
    }
}

/// Invariant: a level once published stays, and levels never change their order.
fn framework(registry: &Registry, framework: &Framework) -> Result<(), Refusal> {
    well_formed(shape::framework(framework))?;
    let Some(before) = registry.frameworks.get(&framework.code) else {
        return Ok(());
    };
    let mut rest = framework.levels.iter();
    for code in &before.value.levels {
        if !rest.any(|level| level == code) {
            let level = Level {
                framework: framework.code.clone(),
                code: code.clone(),
            };
            return Err(Rejection::LevelWithdrawn { level }.into());
        }
    }
    Ok(())
}

fn unit(registry: &Registry, unit: &CreditUnit) -> Result<(), Refusal> {
    well_formed(shape::credit_unit(unit))?;
    let changed = registry
        .units
        .get(&unit.code)
        .is_some_and(|now| now.value.kind != unit.kind);
    if changed {
        return Err(Rejection::UnitKindChanged {
            code: unit.code.clone(),
        }
        .into());
    }
    Ok(())
}

fn code_list(list: &CodeList) -> Result<(), Refusal> {
    well_formed(shape::code_list(list))?;
    if ![FIELD_LIST, SOURCE_KIND_LIST].contains(&list.code.as_str()) {
        return Err(Rejection::UnknownCodeList {
            code: list.code.clone(),
        }
        .into());
    }
    Ok(())
}

fn course(state: &State, course: &Course) -> Result<(), Refusal> {
    well_formed(shape::course(course))?;
    if let Some(size) = &course.size {
        published_unit(state, "size.unit", &size.unit)?;
    }
    if let Some(level) = &course.level {
        published_level(state, ["level.framework", "level.code"], level)?;
    }
    published(state, "field", FIELD_LIST, "ISCED-F field", &course.field)?;
    Ok(())
}

fn window(registry: &Registry, window: &IntakeWindow) -> Result<(), Refusal> {
    window
        .institutions
        .iter()
        .try_for_each(|id| exists(registry, id))?;
    well_formed(shape::intake_window(window))
}
