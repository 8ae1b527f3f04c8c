//! Admission of achievement events: what may be recorded, replaced, suspended, revoked and moved.

use super::learner::open;
use super::signature::{kept_signature, names_the_learner, signature_rules};
use super::{out_of_place, published, published_level, published_unit, well_formed};
use crate::event::{AchievementReceived, AchievementRecorded, AchievementSuperseded, Body, Event};
use crate::ids::{Date, Handle, InstitutionId, Key, Position, Timestamp};
use crate::keyed::Names;
use crate::rejection::{Rejection, Violation};
use crate::shape;
use crate::signature::IssuerSignature;
use crate::state::{Awaited, Record, RecordFact, RecordStanding, Refusal, State, Version};
use crate::words::{Achievement, FIELD_LIST, SOURCE_KIND_LIST};

/// First day that a date may name; earlier ones are mistakes in some column.
const DATE_MIN: Date = Date::from_ymd_opt(1900, 1, 1).expect("a calendar date");

pub(super) fn admit(
    state: &State,
    event: &Event,
    handle: Handle,
    names: &Names,
    at: Timestamp,
) -> Result<(), Refusal> {
    state
        .registry()
        .acting_for(&event.issuer, &event.submitter, at.date())?;
    let change = Change {
        state,
        event,
        learner: handle,
        names,
        at,
    };
    match &event.body {
        Body::AchievementRecorded(new) => change.recorded(new),
        Body::AchievementSuperseded(new) => change.superseded(new),
        Body::AchievementSuspended(status) => {
            let record = change.changeable(&status.record_id, &status.reason)?;
            match record.standing {
                RecordStanding::Suspended(position) => Err(Rejection::RecordSuspended {
                    record_id: status.record_id.clone(),
                    position,
                }
                .into()),
                _ => Ok(()),
            }
        }
        Body::AchievementReinstated(status) => {
            let record = change.changeable(&status.record_id, &status.reason)?;
            match record.standing {
                RecordStanding::Suspended(_) => Ok(()),
                _ => Err(Rejection::RecordNotSuspended {
                    record_id: status.record_id.clone(),
                }
                .into()),
            }
        }
        Body::AchievementRevoked(status) => {
            change.changeable(&status.record_id, &status.reason)?;
            Ok(())
        }
        Body::AchievementReassigned(reassigned) => {
            let record_id = &reassigned.record_id;
            change.changeable(record_id, &reassigned.reason)?;
            open(state, reassigned.to)?;
            if reassigned.to == handle {
                return Err(Rejection::AlreadyWithLearner {
                    record_id: record_id.clone(),
                }
                .into());
            }
            Ok(())
        }
        Body::AchievementReceived(received) => change.received(received),
        _ => out_of_place("this kind of event belongs elsewhere"),
    }
}

/// What the content alone must satisfy: form, published codes, dates, the issuer's scopes, and that its
/// signature is in order, or that it needs none.
///
/// # Errors
/// The first rule that says no.
pub fn content_rules(
    state: &State,
    issuer: &InstitutionId,
    content: &Achievement,
    signature: Option<&IssuerSignature>,
    at: Timestamp,
) -> Result<(), Refusal> {
    content_rules_beside(state, issuer, (content, signature), at, Vec::new())
}

/// The same, reporting what else is malformed with it.
fn content_rules_beside(
    state: &State,
    issuer_id: &InstitutionId,
    (content, signature): (&Achievement, Option<&IssuerSignature>),
    at: Timestamp,
    beside: Vec<Violation>,
) -> Result<(), Refusal> {
    let mut violations = shape::achievement(issuer_id, content);
    violations.extend(too_old(content));
    violations.extend(signature.into_iter().flat_map(shape::signature));
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
    let issuer = state.registry().institutions.get(issuer_id);
    let issuer = issuer.ok_or(Rejection::OutOfPlace {
        problem: "the issuer is unknown",
    })?;
    state.registry().in_scope(issuer, content)?;
    signature_rules(state, issuer_id, content, signature, at)?;
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

/// An event about an achievement, before it is admitted.
struct Change<'a> {
    state: &'a State,
    event: &'a Event,
    /// On whose chain.
    learner: Handle,
    names: &'a Names,
    at: Timestamp,
}

impl<'a> Change<'a> {
    fn recorded(&self, new: &AchievementRecorded) -> Result<(), Refusal> {
        let (state, issuer) = (self.state, &self.event.issuer);
        let (content, signature) = (&new.achievement, new.signature.as_deref());
        content_rules(state, issuer, content, signature, self.at)?;
        names_the_learner(state, signature, self.learner, None)?;
        open(state, self.learner)?;
        let record_id = || content.record_id.clone();
        match state.record(self.names.record()?)? {
            None => {}
            Some(RecordFact::Suppressed) => {
                return Err(Rejection::RecordErased {
                    record_id: record_id(),
                }
                .into());
            }
            Some(RecordFact::Held(record)) => {
                return Err(Rejection::RecordIdReused {
                    record_id: record_id(),
                    position: first_position(record),
                }
                .into());
            }
        }
        let today = self.at.date();
        state.registry().in_window(issuer, content.awarded, today)?;
        self.not_held_already(content)
    }

    fn superseded(&self, new: &AchievementSuperseded) -> Result<(), Refusal> {
        let (state, issuer) = (self.state, &self.event.issuer);
        let (content, signature) = (&new.achievement, new.signature.as_deref());
        let reason = shape::reason(&new.reason);
        content_rules_beside(state, issuer, (content, signature), self.at, reason)?;
        let record = self.changeable(&content.record_id, &new.reason)?;
        names_the_learner(state, signature, self.learner, Some(record))?;
        let digest = self.names.content()?;
        let is_it = |version: &Version| version.content == digest;
        if record.versions.iter().any(is_it) {
            return out_of_place("a version is superseded by content that the record had before");
        }
        let before = record.versions.last().map(|version| version.awarded);
        let today = self.at.date();
        for awarded in before.into_iter().chain([content.awarded]) {
            state.registry().in_window(issuer, awarded, today)?;
        }
        self.not_held_already(content)
    }

    fn received(&self, received: &AchievementReceived) -> Result<(), Refusal> {
        let (content, signature) = (&received.achievement, received.signature.as_deref());
        kept_signature(self.state, &self.event.issuer, content, signature)?;
        open(self.state, self.learner)?;
        let key = self.names.record()?;
        if let Some(Awaited::Received {
            record: Some(departed),
            ..
        }) = self.state.awaited()
        {
            if *departed != key {
                return out_of_place("another record arrives than the one that left");
            }
            let Some(RecordFact::Held(record)) = self.state.record(key)? else {
                return out_of_place("a record arrives that never was");
            };
            let digest = self.names.content()?;
            let suspended = matches!(record.standing, RecordStanding::Suspended(_));
            let latest = record.versions.last();
            let signed = self.names.signature();
            let is_it =
                |version: &Version| version.content == digest && version.signature == signed;
            let same = latest.is_some_and(is_it);
            if !same || suspended != received.suspended {
                return out_of_place("a record arrives otherwise than it left");
            }
        }
        self.not_held_already(content)
    }

    /// The record, if it is the issuer's, with this learner, and not revoked.
    fn changeable(&self, record_id: &str, reason: &str) -> Result<&'a Record, Refusal> {
        let mut violations = shape::record_id(record_id);
        violations.extend(shape::reason(reason));
        well_formed(violations)?;
        let key = self.names.record()?;
        let record = held_under(self.state, key, &self.event.issuer, record_id)?;
        if let RecordStanding::Revoked(position) = record.standing {
            return Err(Rejection::RecordRevoked {
                record_id: record_id.to_owned(),
                position,
            }
            .into());
        }
        if self.state.resolve(record.learner)?.0 != self.learner {
            return out_of_place("the record is changed on another learner's chain");
        }
        open(self.state, self.learner)?;
        Ok(record)
    }

    /// Invariant: outside of merges, no learner holds one result twice under two record ids.
    fn not_held_already(&self, content: &Achievement) -> Result<(), Refusal> {
        let Some(on_own) = self.names.result() else {
            return Ok(());
        };
        let (state, issuer) = (self.state, &self.event.issuer);
        let (secret, own) = (state.secret()?, self.names.record()?);
        let group = state.group(self.learner)?;
        for member in &group {
            let result = if *member == self.learner {
                Some(on_own)
            } else {
                secret.result(issuer, *member, content)
            };
            let Some(key) = result else { continue };
            let Some(claimer) = state.result(key)?.filter(|claimer| *claimer != own) else {
                continue;
            };
            let Some(RecordFact::Held(record)) = state.record(claimer)? else {
                continue;
            };
            let revoked = matches!(record.standing, RecordStanding::Revoked(_));
            let latest = record.versions.last();
            if let Some(version) = latest.filter(|version| version.result == Some(key))
                && !revoked
                && group.contains(&record.learner)
            {
                let position = version.position;
                return Err(Rejection::DuplicateResult { position }.into());
            }
        }
        Ok(())
    }
}

/// The record of that name.
pub(crate) fn held<'a>(
    state: &'a State,
    issuer: &InstitutionId,
    record_id: &str,
) -> Result<&'a Record, Refusal> {
    let key = state.secret()?.record(issuer, record_id);
    held_under(state, key, issuer, record_id)
}

/// The record of that name, which is found under that key.
fn held_under<'a>(
    state: &'a State,
    key: Key,
    issuer: &InstitutionId,
    record_id: &str,
) -> Result<&'a Record, Refusal> {
    match state.record(key)? {
        Some(RecordFact::Held(record)) => Ok(record),
        Some(RecordFact::Suppressed) => Err(Rejection::RecordErased {
            record_id: record_id.to_owned(),
        }
        .into()),
        None => Err(Rejection::UnknownRecord {
            issuer: issuer.clone(),
            record_id: record_id.to_owned(),
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
