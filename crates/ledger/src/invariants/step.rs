//! What holds from one state to the next.

use super::{Broken, held, must};
use crate::event::{Body, Event};
use crate::registry::InstitutionStanding;
use crate::state::{Fact, RecordFact, RecordStanding, Standing, State};

/// Positions are dense: an event adds one.
///
/// # Errors
/// Both sizes.
pub fn every_event_has_the_next_position(before: &State, after: &State) -> Result<(), Broken> {
    let holds = before.size().checked_add(1) == Some(after.size());
    must(
        holds,
        "every_event_has_the_next_position",
        &(before.size(), after.size()),
    )
}

/// An event counts once on the chain that it lies on, and on no other.
///
/// # Errors
/// The account and both revisions.
pub fn revision_counts_the_events_on_the_chain(
    before: &State,
    event: &Event,
    after: &State,
) -> Result<(), Broken> {
    for (handle, learner) in after.learners() {
        let was = match before.learner(handle) {
            Ok(found) => found.map_or(0, |found| found.revision.0),
            Err(_) => continue,
        };
        let more = u64::from(event.learner == Some(handle));
        let holds = was.checked_add(more) == Some(learner.revision.0);
        let found = (handle, was, learner.revision);
        must(holds, "revision_counts_the_events_on_the_chain", &found)?;
    }
    Ok(())
}

/// A revocation is final: only an erasure takes the record away.
///
/// # Errors
/// The record.
pub fn a_revoked_record_stays_revoked(before: &State, after: &State) -> Result<(), Broken> {
    for (key, record) in held(before) {
        if !matches!(record.standing, RecordStanding::Revoked(_)) {
            continue;
        }
        let holds = match after.record(key) {
            Ok(Some(RecordFact::Held(now))) => now == record,
            Ok(Some(RecordFact::Suppressed)) | Err(_) => true,
            Ok(None) => false,
        };
        must(holds, "a_revoked_record_stays_revoked", &key)?;
    }
    Ok(())
}

/// A record id that was erased never comes back.
///
/// # Errors
/// The record.
pub fn a_suppressed_record_stays_suppressed(before: &State, after: &State) -> Result<(), Broken> {
    for (key, fact) in before.records() {
        if *fact != RecordFact::Suppressed {
            continue;
        }
        let holds = matches!(after.record(key), Ok(Some(RecordFact::Suppressed)) | Err(_));
        must(holds, "a_suppressed_record_stays_suppressed", &key)?;
    }
    Ok(())
}

/// What a record said before, it has said for ever.
///
/// # Errors
/// The record.
pub fn versions_are_only_added(before: &State, after: &State) -> Result<(), Broken> {
    for (key, record) in held(before) {
        let Ok(Some(RecordFact::Held(now))) = after.record(key) else {
            continue;
        };
        let holds = now.versions.starts_with(&record.versions)
            && now.versions.len() <= record.versions.len().saturating_add(1)
            && now.first_learner == record.first_learner;
        must(holds, "versions_are_only_added", &key)?;
    }
    Ok(())
}

/// No event opens an account that has been erased.
///
/// # Errors
/// The account.
pub fn an_erased_account_stays_erased(before: &State, after: &State) -> Result<(), Broken> {
    for (handle, learner) in before.learners() {
        let Ok(Some(now)) = after.learner(handle) else {
            continue;
        };
        let holds = learner.standing != Standing::Erased || now == learner;
        must(holds, "an_erased_account_stays_erased", &handle)?;
    }
    Ok(())
}

/// A request id that was used answers the same for ever.
///
/// # Errors
/// The request.
pub fn a_request_keeps_its_answer(before: &State, after: &State) -> Result<(), Broken> {
    for fact in before.facts() {
        let Fact::Request(key, Some(_)) = fact else {
            continue;
        };
        let holds = after.fact(fact.need()).is_none_or(|now| now == fact);
        must(holds, "a_request_keeps_its_answer", &key)?;
    }
    Ok(())
}

/// Levels once published stay, in the same order.
///
/// # Errors
/// The framework.
pub fn a_published_level_keeps_its_place(before: &State, after: &State) -> Result<(), Broken> {
    for (code, framework) in &before.registry().frameworks {
        let now = after.registry().frameworks.get(code);
        let mut levels = now
            .map(|now| now.value.levels.as_slice())
            .unwrap_or_default()
            .iter();
        let holds = framework
            .value
            .levels
            .iter()
            .all(|level| levels.any(|now| now == level));
        must(holds, "a_published_level_keeps_its_place", code)?;
    }
    Ok(())
}

/// A credit unit once published measures the same for ever.
///
/// # Errors
/// The unit.
pub fn a_unit_keeps_what_it_measures(before: &State, after: &State) -> Result<(), Broken> {
    for (code, unit) in &before.registry().units {
        let now = after.registry().units.get(code);
        let holds = now.is_some_and(|now| now.value.kind == unit.value.kind);
        must(holds, "a_unit_keeps_what_it_measures", code)?;
    }
    Ok(())
}

/// An institution that has closed does not open again.
///
/// # Errors
/// The institution.
pub fn a_closed_institution_stays_closed(before: &State, after: &State) -> Result<(), Broken> {
    for (id, institution) in &before.registry().institutions {
        let closed = matches!(institution.standing, InstitutionStanding::Closed { .. });
        let now = after
            .registry()
            .institutions
            .get(id)
            .map(|now| &now.standing);
        let holds = !closed || now == Some(&institution.standing);
        must(holds, "a_closed_institution_stays_closed", id)?;
    }
    Ok(())
}

/// The second event of a pair lies directly after the first and says the same from the other side.
///
/// # Errors
/// The two kinds.
pub fn pairs_are_neighbours(first: &Event, second: Option<&Event>) -> Result<(), Broken> {
    let on = first.learner;
    let answers = |other: &Event| match (&first.body, &other.body) {
        (Body::LearnerMerged(one), Body::LearnerAbsorbed(two))
        | (Body::LearnersSeparated(one), Body::LearnerReopened(two)) => {
            other.learner == Some(one.learner) && on == Some(two.learner)
        }
        (Body::AchievementReassigned(one), Body::AchievementReceived(two)) => {
            other.learner == Some(one.to) && on == Some(two.from)
        }
        _ => false,
    };
    let is_first = matches!(
        first.body,
        Body::LearnerMerged(_) | Body::LearnersSeparated(_) | Body::AchievementReassigned(_)
    );
    let found = (first.body.kind(), second.map(|event| event.body.kind()));
    must(
        !is_first || second.is_some_and(answers),
        "pairs_are_neighbours",
        &found,
    )
}
