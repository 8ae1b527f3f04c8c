//! Admission of achievement events: what may be recorded, replaced, suspended, revoked and moved.

use super::learner::open;
use super::{out_of_place, published, published_level, published_unit, well_formed};
use crate::codec;
use crate::event::{AchievementReceived, AchievementSuperseded, Body, Event};
use crate::ids::{Date, Handle, InstitutionId, Key, Position, Timestamp};
use crate::rejection::{Rejection, Violation};
use crate::shape;
use crate::state::{Awaited, Record, RecordFact, RecordStanding, Refusal, State};
use crate::words::{Achievement, FIELD_LIST, SOURCE_KIND_LIST};

/// First day that a date may name; earlier ones are mistakes in some column.
const DATE_MIN: Date = Date::from_ymd_opt(1900, 1, 1).expect("a calendar date");

pub(super) fn admit(
    state: &State,
    event: &Event,
    handle: Handle,
    at: Timestamp,
) -> Result<(), Refusal> {
    state
        .registry()
        .acting_for(&event.issuer, &event.submitter, at.date())?;
    match &event.body {
        Body::AchievementRecorded(content) => recorded(state, event, handle, content, at),
        Body::AchievementSuperseded(new) => superseded(state, event, handle, new, at),
        Body::AchievementSuspended(status) => {
            let record = changeable(state, event, handle, &status.record_id, &status.reason)?;
            let record_id = status.record_id.clone();
            match record.standing {
                RecordStanding::Suspended(position) => Err(Rejection::RecordSuspended {
                    record_id,
                    position,
                }
                .into()),
                _ => Ok(()),
            }
        }
        Body::AchievementReinstated(status) => {
            let record = changeable(state, event, handle, &status.record_id, &status.reason)?;
            let record_id = status.record_id.clone();
            match record.standing {
                RecordStanding::Suspended(_) => Ok(()),
                _ => Err(Rejection::RecordNotSuspended { record_id }.into()),
            }
        }
        Body::AchievementRevoked(status) => {
            changeable(state, event, handle, &status.record_id, &status.reason).map(|_| ())
        }
        Body::AchievementReassigned(reassigned) => {
            let record_id = &reassigned.record_id;
            changeable(state, event, handle, record_id, &reassigned.reason)?;
            open(state, reassigned.to)?;
            if reassigned.to == handle {
                return Err(Rejection::AlreadyWithLearner {
                    record_id: record_id.clone(),
                }
                .into());
            }
            Ok(())
        }
        Body::AchievementReceived(received) => self::received(state, event, handle, received),
        _ => out_of_place("this kind of event belongs elsewhere"),
    }
}

/// What the content alone must satisfy: form, published codes, dates and the issuer's scopes.
///
/// # Errors
/// The first rule that says no.
pub fn content_rules(
    state: &State,
    issuer: &InstitutionId,
    content: &Achievement,
    at: Timestamp,
) -> Result<(), Refusal> {
    content_rules_beside(state, issuer, content, at, Vec::new())
}

/// The same, reporting what else is malformed with it.
fn content_rules_beside(
    state: &State,
    issuer: &InstitutionId,
    content: &Achievement,
    at: Timestamp,
    beside: Vec<Violation>,
) -> Result<(), Refusal> {
    let mut violations = shape::achievement(issuer, content);
    violations.extend(too_old(content));
    violations.extend(beside);
    well_formed(violations)?;
    if let Some(size) = &content.size {
        published_unit(state, "size.unit", &size.unit)?;
    }
    if let Some(level) = &content.level {
        published_level(state, ["level.framework", "level.code"], level)?;
    }
    published(state, "field", FIELD_LIST, "ISCED-F field", &content.field)?;
    published(
        state,
        "source_kind",
        SOURCE_KIND_LIST,
        "source kind",
        &content.source_kind,
    )?;
    dates(content, at)?;
    let issuer = state.registry().institutions.get(issuer);
    let issuer = issuer.ok_or(Rejection::OutOfPlace {
        problem: "the issuer is unknown",
    })?;
    state.registry().in_scope(issuer, content)?;
    Ok(())
}

fn too_old(content: &Achievement) -> Option<Violation> {
    let named = [
        ("study_from", content.study_from),
        ("study_until", content.study_until),
        ("awarded", Some(content.awarded)),
    ];
    let (field, _) = named
        .into_iter()
        .find(|(_, date)| date.is_some_and(|d| d < DATE_MIN))?;
    Some(Violation {
        field: field.to_owned(),
        problem: format!("is before {DATE_MIN}"),
    })
}

/// Study lies before the award, validity after it, and nothing that has happened in the future.
fn dates(content: &Achievement, at: Timestamp) -> Result<(), Rejection> {
    let awarded = ("awarded", Some(content.awarded));
    let study_from = ("study_from", content.study_from);
    let study_until = ("study_until", content.study_until);
    let orders = [
        (study_from, study_until),
        (study_from, awarded),
        (study_until, awarded),
        (awarded, ("expires", content.expires)),
    ];
    for ((earlier_field, earlier), (later_field, later)) in orders {
        if let (Some(earlier), Some(later)) = (earlier, later)
            && earlier > later
        {
            return Err(Rejection::DatesContradict {
                earlier_field,
                earlier,
                later_field,
                later,
            });
        }
    }
    // Study lies before the award, so the award alone can be in the future.
    let today = at.date_latest();
    if content.awarded > today {
        return Err(Rejection::DateInFuture {
            field: "awarded",
            date: content.awarded,
            today,
        });
    }
    Ok(())
}

fn recorded(
    state: &State,
    event: &Event,
    handle: Handle,
    content: &Achievement,
    at: Timestamp,
) -> Result<(), Refusal> {
    content_rules(state, &event.issuer, content, at)?;
    open(state, handle)?;
    let key = state.secret()?.record(&event.issuer, &content.record_id);
    let record_id = content.record_id.clone();
    match state.record(key)? {
        None => {}
        Some(RecordFact::Suppressed) => return Err(Rejection::RecordErased { record_id }.into()),
        Some(RecordFact::Held(record)) => {
            let position = first_position(record);
            return Err(Rejection::RecordIdReused {
                record_id,
                position,
            }
            .into());
        }
    }
    state
        .registry()
        .in_window(&event.issuer, content.awarded, at.date())?;
    not_held_already(state, &event.issuer, handle, content, key)
}

fn superseded(
    state: &State,
    event: &Event,
    handle: Handle,
    new: &AchievementSuperseded,
    at: Timestamp,
) -> Result<(), Refusal> {
    let content = &new.achievement;
    let reason = shape::reason(&new.reason);
    content_rules_beside(state, &event.issuer, content, at, reason)?;
    let record = changeable(state, event, handle, &content.record_id, &new.reason)?;
    let secret = state.secret()?;
    let digest = secret.content(&codec::encode_achievement(content));
    if record
        .versions
        .iter()
        .any(|version| version.content == digest)
    {
        return out_of_place("a version is superseded by content that the record had before");
    }
    let before = record.versions.last().map(|version| version.awarded);
    for awarded in before.into_iter().chain([content.awarded]) {
        state
            .registry()
            .in_window(&event.issuer, awarded, at.date())?;
    }
    let key = secret.record(&event.issuer, &content.record_id);
    not_held_already(state, &event.issuer, handle, content, key)
}

fn received(
    state: &State,
    event: &Event,
    handle: Handle,
    received: &AchievementReceived,
) -> Result<(), Refusal> {
    open(state, handle)?;
    let content = &received.achievement;
    let secret = state.secret()?;
    let key = secret.record(&event.issuer, &content.record_id);
    if let Some(Awaited::Received {
        record: Some(departed),
        ..
    }) = state.awaited()
    {
        if *departed != key {
            return out_of_place("another record arrives than the one that left");
        }
        let Some(RecordFact::Held(record)) = state.record(key)? else {
            return out_of_place("a record arrives that never was");
        };
        let digest = secret.content(&codec::encode_achievement(content));
        let suspended = matches!(record.standing, RecordStanding::Suspended(_));
        let same = record
            .versions
            .last()
            .is_some_and(|version| version.content == digest);
        if !same || suspended != received.suspended {
            return out_of_place("a record arrives otherwise than it left");
        }
    }
    not_held_already(state, &event.issuer, handle, content, key)
}

/// The record, if it is the issuer's, with this learner, and not revoked.
fn changeable<'a>(
    state: &'a State,
    event: &Event,
    handle: Handle,
    record_id: &str,
    reason: &str,
) -> Result<&'a Record, Refusal> {
    let mut violations = shape::record_id(record_id);
    violations.extend(shape::reason(reason));
    well_formed(violations)?;
    let record = held(state, &event.issuer, record_id)?;
    if let RecordStanding::Revoked(position) = record.standing {
        return Err(Rejection::RecordRevoked {
            record_id: record_id.to_owned(),
            position,
        }
        .into());
    }
    if state.resolve(record.learner)?.0 != handle {
        return out_of_place("the record is changed on another learner's chain");
    }
    open(state, handle)?;
    Ok(record)
}

/// The record of that name.
pub(crate) fn held<'a>(
    state: &'a State,
    issuer: &InstitutionId,
    record_id: &str,
) -> Result<&'a Record, Refusal> {
    let key = state.secret()?.record(issuer, record_id);
    let record_id = record_id.to_owned();
    match state.record(key)? {
        Some(RecordFact::Held(record)) => Ok(record),
        Some(RecordFact::Suppressed) => Err(Rejection::RecordErased { record_id }.into()),
        None => Err(Rejection::UnknownRecord {
            issuer: issuer.clone(),
            record_id,
        }
        .into()),
    }
}

/// Where a record began.
pub(crate) fn first_position(record: &Record) -> Position {
    record
        .versions
        .first()
        .map_or(Position(0), |version| version.position)
}

/// Invariant: outside of merges, no learner holds one result twice under two record ids.
fn not_held_already(
    state: &State,
    issuer: &InstitutionId,
    handle: Handle,
    content: &Achievement,
    own: Key,
) -> Result<(), Refusal> {
    let secret = state.secret()?;
    let group = state.group(handle)?;
    for member in &group {
        let Some(key) = secret.result(issuer, *member, content) else {
            return Ok(());
        };
        let Some(claimer) = state.result(key)?.filter(|claimer| *claimer != own) else {
            continue;
        };
        let Some(RecordFact::Held(record)) = state.record(claimer)? else {
            continue;
        };
        let revoked = matches!(record.standing, RecordStanding::Revoked(_));
        let latest = record
            .versions
            .last()
            .filter(|version| version.result == Some(key));
        if let Some(version) = latest
            && !revoked
            && group.contains(&record.learner)
        {
            return Err(Rejection::DuplicateResult {
                position: version.position,
            }
            .into());
        }
    }
    Ok(())
}
