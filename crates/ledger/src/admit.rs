//! Admission: the rules that every event meets before it becomes a fact.
//!
//! The server admits what it is about to append; an auditor admits the same events again, from the
//! ledger alone. So a rule stands here and nowhere else, and [`decide`](fn@crate::decide) only proposes. Rules of
//! old versions stay executable: a later version gets its own branch in [`admit`].

pub(crate) mod achievement;
pub(crate) mod learner;
pub(crate) mod registry;
pub(crate) mod signature;

pub use achievement::content_rules;

use crate::event::{Body, Event, EventKind};
use crate::ids::{InstitutionId, Timestamp};
use crate::keyed::{Keyed, Names};
use crate::rejection::{Rejection, Violation};
use crate::state::{Awaited, Refusal, State};

/// Whether the event may be the ledger's next, recorded at that time.
///
/// An event whose body has been erased can no longer be judged and passes; callers count those apart.
///
/// # Errors
/// The first rule that says no, in the order of [`Rejection`]; or what a partial state lacks.
pub fn admit(state: &State, event: &Event, at: Timestamp) -> Result<(), Refusal> {
    let names = match state.secret() {
        Ok(secret) => Names::of_event(&secret, event),
        Err(_) => Names::default(),
    };
    judge(state, event, &names, at)
}

/// The same, without hashing its keys again.
///
/// # Errors
/// As [`admit`].
pub fn admit_keyed(state: &State, keyed: &Keyed, at: Timestamp) -> Result<(), Refusal> {
    judge(state, keyed.event(), keyed.names(), at)
}

fn judge(state: &State, event: &Event, names: &Names, at: Timestamp) -> Result<(), Refusal> {
    let Some(opened) = state.opened() else {
        return opening(state, event);
    };
    if opened.rules_version != 1 {
        return out_of_place("the rules version is unknown to this program");
    }
    in_its_place(state, event)?;
    match &event.body {
        Body::LedgerOpened(_) => out_of_place("the ledger is open already"),
        Body::Erased(_) => of_known_institutions(state, event),
        _ => match event.learner {
            None => registry::admit(state, event, at),
            Some(handle) if is_achievement(event.body.kind()) => {
                achievement::admit(state, event, handle, names, at)
            }
            Some(handle) => learner::admit(state, event, handle, at),
        },
    }
}

fn opening(state: &State, event: &Event) -> Result<(), Refusal> {
    let Body::LedgerOpened(opened) = &event.body else {
        return out_of_place("the ledger has not been opened");
    };
    if state.size() != 0 || event.learner.is_some() {
        return out_of_place("a ledger opens at position 0 and on no learner's chain");
    }
    if !event.issuer.is_operator() || !event.submitter.is_operator() {
        return Err(Rejection::NotAllowed {
            allowed: "the operator",
        }
        .into());
    }
    if opened.rules_version != crate::RULES_VERSION {
        return out_of_place("the rules version is unknown to this program");
    }
    Ok(())
}

/// What the leaf of an erased record still shows can be judged.
fn of_known_institutions(state: &State, event: &Event) -> Result<(), Refusal> {
    for id in [&event.issuer, &event.submitter] {
        if !id.is_operator() && !state.registry().institutions.contains_key(id) {
            return Err(Rejection::UnknownInstitution { id: id.clone() }.into());
        }
    }
    Ok(())
}

/// Invariant: the two events of a pair are neighbours.
fn in_its_place(state: &State, event: &Event) -> Result<(), Refusal> {
    let kind = event.body.kind();
    let fits = match state.awaited() {
        Some(Awaited::Absorbed { by, of }) => {
            let Body::LearnerAbsorbed(counterpart) = &event.body else {
                return out_of_place("a merge is followed by its absorption");
            };
            event.learner == Some(*by) && counterpart.learner == *of
        }
        Some(Awaited::Reopened { of, from }) => {
            let Body::LearnerReopened(counterpart) = &event.body else {
                return out_of_place("a separation is followed by its reopening");
            };
            event.learner == Some(*of) && counterpart.learner == *from
        }
        Some(Awaited::Received { from, by, .. }) => match &event.body {
            Body::AchievementReceived(received) => {
                by.is_none_or(|by| event.learner == Some(by)) && received.from == *from
            }
            Body::Erased(EventKind::AchievementReceived) => true,
            _ => return out_of_place("a departure is followed by its arrival"),
        },
        None => !matches!(
            kind,
            EventKind::LearnerAbsorbed
                | EventKind::LearnerReopened
                | EventKind::AchievementReceived
        ),
    };
    let both = |(issuer, submitter): &(InstitutionId, InstitutionId)| {
        *issuer == event.issuer && *submitter == event.submitter
    };
    if fits && state.awaiting().is_none_or(both) {
        Ok(())
    } else {
        out_of_place("the second event of a pair does not fit the first")
    }
}

fn is_achievement(kind: EventKind) -> bool {
    matches!(
        kind,
        EventKind::AchievementRecorded
            | EventKind::AchievementSuperseded
            | EventKind::AchievementSuspended
            | EventKind::AchievementReinstated
            | EventKind::AchievementRevoked
            | EventKind::AchievementReassigned
            | EventKind::AchievementReceived
    )
}

fn out_of_place<T>(problem: &'static str) -> Result<T, Refusal> {
    Err(Rejection::OutOfPlace { problem }.into())
}

/// Nothing, or everything that is malformed.
fn well_formed(violations: Vec<Violation>) -> Result<(), Refusal> {
    if violations.is_empty() {
        Ok(())
    } else {
        Err(Rejection::Malformed(violations).into())
    }
}

/// The code is published in the list, or not given.
fn published(
    state: &State,
    field: &'static str,
    list: &'static str,
    vocabulary: &'static str,
    code: &str,
) -> Result<(), Rejection> {
    if code.is_empty() || state.registry().has_code(list, code) {
        return Ok(());
    }
    Err(Rejection::UnknownCode {
        field,
        value: code.to_owned(),
        vocabulary,
    })
}

/// The unit is published.
fn published_unit(state: &State, field: &'static str, unit: &str) -> Result<(), Rejection> {
    if state.registry().units.contains_key(unit) {
        return Ok(());
    }
    Err(Rejection::UnknownCode {
        field,
        value: unit.to_owned(),
        vocabulary: "credit unit",
    })
}

/// Framework and level are published.
fn published_level(
    state: &State,
    fields: [&'static str; 2],
    level: &crate::words::Level,
) -> Result<(), Rejection> {
    let (field, value, vocabulary) = if !state.registry().frameworks.contains_key(&level.framework)
    {
        (fields[0], &level.framework, "framework")
    } else if state.registry().rank(level).is_none() {
        (fields[1], &level.code, "level of that framework")
    } else {
        return Ok(());
    };
    Err(Rejection::UnknownCode {
        field,
        value: value.clone(),
        vocabulary,
    })
}
