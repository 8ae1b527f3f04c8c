//! Event bodies as bytes: the protobuf messages of `proto/creditbank/event/v1`, both ways.
//!
//! The only place that knows the encoding, so that everything else speaks [`crate::words`]. A body is
//! accepted only if re-encoding what it decodes to gives the same bytes: fields in order of number,
//! defaults left out, nothing unknown. So every decoder, today's and an auditor's in ten years, sees
//! the same event, and one event has one encoding.
//!
//! Bytes are untrusted here: decoding returns an error and never panics. What a well-encoded event may
//! *say* is judged in [`crate::shape`] and [`crate::admit`](mod@crate::admit); whatever those let pass
//! encodes to bytes that decode again.

mod achievement;
mod error;
mod fields;
mod learner;
mod registry;
mod signature;
mod writer;

use prost::Message;

use crate::event::{Body, Event, EventKind, erasure_covers};
use crate::generated as wire;
use crate::ids::{Date, Handle, InstitutionId};
use crate::signature::IssuerStatement;
use crate::words::Achievement;

pub use error::CodecError;
pub use fields::parse_date;

/// The body's bytes. An erased body has none; nobody stores it, because its zeros are stored already.
#[must_use]
pub fn encode(body: &Body) -> Vec<u8> {
    match body {
        Body::LedgerOpened(opened) => registry::opened(opened).encode_to_vec(),
        Body::InstitutionRegistered(profile) | Body::InstitutionUpdated(profile) => {
            registry::institution(profile).encode_to_vec()
        }
        Body::InstitutionSuspended(status)
        | Body::InstitutionReinstated(status)
        | Body::InstitutionClosed(status) => registry::status(status).encode_to_vec(),
        Body::InstitutionDelegated(delegation) => registry::delegation(delegation).encode_to_vec(),
        Body::FrameworkPublished(framework) => registry::framework(framework).encode_to_vec(),
        Body::CreditUnitPublished(unit) => registry::credit_unit(unit).encode_to_vec(),
        Body::CodeListPublished(list) => registry::code_list(list).encode_to_vec(),
        Body::CoursePublished(course) => registry::course(course).encode_to_vec(),
        Body::IntakeWindowPublished(window) => registry::window(window).encode_to_vec(),
        Body::InstitutionKeyAdded(key) => registry::key(key).encode_to_vec(),
        Body::InstitutionKeyRevoked(ended) => registry::key_revocation(ended).encode_to_vec(),
        Body::LearnerRegistered(registered) => learner::registered(registered).encode_to_vec(),
        Body::LearnerUpdated(profile) => learner::updated(profile).encode_to_vec(),
        Body::IdentityLinked(student) | Body::IdentityUnlinked(student) => {
            learner::link(student).encode_to_vec()
        }
        Body::LearnerMerged(other)
        | Body::LearnerAbsorbed(other)
        | Body::LearnersSeparated(other)
        | Body::LearnerReopened(other) => learner::counterpart(other).encode_to_vec(),
        Body::LearnerErased(erased) => learner::erased(erased).encode_to_vec(),
        Body::AchievementRecorded(content) => achievement::recorded(content),
        Body::AchievementSuperseded(version) => achievement::superseded(version),
        Body::AchievementSuspended(status)
        | Body::AchievementReinstated(status)
        | Body::AchievementRevoked(status) => achievement::status(status).encode_to_vec(),
        Body::AchievementReassigned(moved) => achievement::reassigned(moved).encode_to_vec(),
        Body::AchievementReceived(moved) => achievement::received(moved),
        Body::LearnerIdentityErased | Body::Erased(_) => Vec::new(),
    }
}

/// The bytes of an achievement alone: what two submissions are compared by.
#[must_use]
pub fn encode_achievement(achievement: &Achievement) -> Vec<u8> {
    let mut writer = writer::Writer::new();
    achievement::achievement(&mut writer, achievement);
    writer.into_bytes()
}

/// The bytes of the achievement in the body of an event that carries one: there it is the first field,
/// and as long as it says.
pub(crate) fn achievement_in(body: &[u8]) -> Option<&[u8]> {
    const TAG: u8 = 1 << 3 | 2;
    let mut rest = body.strip_prefix(&[TAG])?;
    let len = prost::decode_length_delimiter(&mut rest).ok()?;
    rest.get(..len)
}

/// Code and day of award of a recorded or superseding achievement, and nothing else of it: a fraction of
/// the work of [`decode`], for those who go through all records. Says nothing about the rest of the body.
///
/// # Errors
///
/// The bytes are no message, or the date is none.
pub fn glance(body: &[u8]) -> Result<(String, Date), CodecError> {
    let glance: achievement::Glance = message(body)?;
    let content = glance.achievement.unwrap_or_default();
    let awarded = fields::read_date("awarded", &content.awarded)?;
    Ok((content.code, awarded))
}

/// The record id of a recorded or superseding achievement, and nothing else of it. Says nothing about the
/// rest of the body; whatever [`decode`] accepts has one.
///
/// # Errors
///
/// The bytes are no message.
pub fn glance_record_id(body: &[u8]) -> Result<String, CodecError> {
    let glance: achievement::GlanceAtName = message(body)?;
    Ok(glance.achievement.unwrap_or_default().record_id)
}

/// The bytes of a statement: what an issuer signs, after a prefix.
#[must_use]
pub fn encode_statement(statement: &IssuerStatement) -> Vec<u8> {
    signature::statement(statement)
}

/// The statement that these bytes are.
///
/// # Errors
///
/// Whatever keeps the bytes from being the one encoding of a statement, see [`CodecError`].
pub fn decode_statement(bytes: &[u8]) -> Result<IssuerStatement, CodecError> {
    let decoded = signature::read_statement(message(bytes)?)?;
    if encode_statement(&decoded) != bytes {
        return Err(CodecError::NotCanonical);
    }
    Ok(decoded)
}

/// The event from what its leaf shows and its body.
///
/// # Errors
///
/// Whatever keeps the bytes from being the one encoding of an event, see [`CodecError`].
pub fn decode(
    kind: u16,
    issuer: &str,
    submitter: &str,
    learner: Option<Handle>,
    body: &[u8],
) -> Result<Event, CodecError> {
    decode_encoded(kind, issuer, submitter, learner, body).map(|(event, _)| event)
}

/// The same, with the encoding that the body was compared with.
pub(crate) fn decode_encoded(
    kind: u16,
    issuer: &str,
    submitter: &str,
    learner: Option<Handle>,
    body: &[u8],
) -> Result<(Event, Vec<u8>), CodecError> {
    let kind = kind_of(kind)?;
    let decoded = decode_body(kind, body)?;
    // Not only the message is compared but the event, so that nothing that decoding ignores or
    // normalises is accepted.
    let encoded = encode(&decoded);
    if encoded != body {
        return Err(CodecError::NotCanonical);
    }
    Ok((with_leaf(issuer, submitter, learner, decoded)?, encoded))
}

/// The event from what its leaf shows, when its body has been erased.
///
/// # Errors
///
/// When the leaf is ill-formed or no erasure can cover the kind.
pub fn erased(
    kind: u16,
    issuer: &str,
    submitter: &str,
    learner: Option<Handle>,
) -> Result<Event, CodecError> {
    let kind = kind_of(kind)?;
    if !is_about_learner(kind) || !erasure_covers(EventKind::LearnerErased, kind) {
        return Err(CodecError::NotErasable { kind });
    }
    with_leaf(issuer, submitter, learner, Body::Erased(kind))
}

/// The kind with this number.
///
/// # Errors
///
/// [`CodecError::UnknownKind`].
pub fn kind_of(number: u16) -> Result<EventKind, CodecError> {
    match EventKind::try_from(i32::from(number)) {
        Ok(EventKind::Unspecified) | Err(_) => Err(CodecError::UnknownKind { kind: number }),
        Ok(kind) => Ok(kind),
    }
}

/// The kind's number, as the leaf carries it.
#[must_use]
pub fn number_of(kind: EventKind) -> u16 {
    u16::try_from(i32::from(kind)).expect("kinds are small numbers")
}

/// Whether events of this kind lie on a learner's chain; the others never do.
#[must_use]
pub fn is_about_learner(kind: EventKind) -> bool {
    number_of(kind) >= number_of(EventKind::LearnerRegistered)
}

fn decode_body(kind: EventKind, body: &[u8]) -> Result<Body, CodecError> {
    Ok(match kind {
        EventKind::Unspecified => return Err(CodecError::UnknownKind { kind: 0 }),
        EventKind::LedgerOpened => Body::LedgerOpened(registry::read_opened(message(body)?)?),
        EventKind::InstitutionRegistered => {
            Body::InstitutionRegistered(registry::read_institution(message(body)?)?)
        }
        EventKind::InstitutionUpdated => {
            Body::InstitutionUpdated(registry::read_institution(message(body)?)?)
        }
        EventKind::InstitutionSuspended => {
            Body::InstitutionSuspended(registry::read_standing(message(body)?)?)
        }
        EventKind::InstitutionReinstated => {
            Body::InstitutionReinstated(registry::read_standing(message(body)?)?)
        }
        EventKind::InstitutionClosed => {
            Body::InstitutionClosed(registry::read_status(message(body)?)?)
        }
        EventKind::InstitutionDelegated => {
            Body::InstitutionDelegated(registry::read_delegation(message(body)?)?)
        }
        EventKind::FrameworkPublished => {
            Body::FrameworkPublished(registry::read_framework(message(body)?))
        }
        EventKind::CreditUnitPublished => {
            Body::CreditUnitPublished(registry::read_credit_unit(message(body)?)?)
        }
        EventKind::CodeListPublished => {
            Body::CodeListPublished(registry::read_code_list(message(body)?))
        }
        EventKind::CoursePublished => Body::CoursePublished(registry::read_course(message(body)?)?),
        EventKind::IntakeWindowPublished => {
            Body::IntakeWindowPublished(registry::read_window(message(body)?)?)
        }
        EventKind::InstitutionKeyAdded => {
            Body::InstitutionKeyAdded(registry::read_key(message(body)?)?)
        }
        EventKind::InstitutionKeyRevoked => {
            Body::InstitutionKeyRevoked(registry::read_key_revocation(message(body)?))
        }
        _ => return decode_learner_body(kind, body),
    })
}

fn decode_learner_body(kind: EventKind, body: &[u8]) -> Result<Body, CodecError> {
    let student = |body| learner::read_link(message(body)?);
    let other = |body| learner::read_counterpart(message(body)?);
    let status = |body| message(body).map(achievement::read_status);
    Ok(match kind {
        EventKind::LearnerRegistered => {
            Body::LearnerRegistered(learner::read_registered(message(body)?)?)
        }
        EventKind::LearnerUpdated => Body::LearnerUpdated(learner::read_updated(message(body)?)?),
        EventKind::IdentityLinked => Body::IdentityLinked(student(body)?),
        EventKind::IdentityUnlinked => Body::IdentityUnlinked(student(body)?),
        EventKind::LearnerMerged => Body::LearnerMerged(other(body)?),
        EventKind::LearnerAbsorbed => Body::LearnerAbsorbed(other(body)?),
        EventKind::LearnersSeparated => Body::LearnersSeparated(other(body)?),
        EventKind::LearnerReopened => Body::LearnerReopened(other(body)?),
        EventKind::LearnerErased => Body::LearnerErased(learner::read_erased(message(body)?)?),
        EventKind::LearnerIdentityErased => {
            let _: wire::LearnerErasure = message(body)?;
            Body::LearnerIdentityErased
        }
        EventKind::AchievementRecorded => {
            Body::AchievementRecorded(achievement::read_recorded(message(body)?)?)
        }
        EventKind::AchievementSuperseded => {
            Body::AchievementSuperseded(achievement::read_superseded(message(body)?)?)
        }
        EventKind::AchievementSuspended => Body::AchievementSuspended(status(body)?),
        EventKind::AchievementReinstated => Body::AchievementReinstated(status(body)?),
        EventKind::AchievementRevoked => Body::AchievementRevoked(status(body)?),
        EventKind::AchievementReassigned => {
            Body::AchievementReassigned(achievement::read_reassigned(message(body)?)?)
        }
        EventKind::AchievementReceived => {
            Body::AchievementReceived(achievement::read_received(message(body)?)?)
        }
        _ => {
            return Err(CodecError::UnknownKind {
                kind: number_of(kind),
            });
        }
    })
}

fn message<M: Message + Default>(body: &[u8]) -> Result<M, CodecError> {
    M::decode(body).map_err(CodecError::Protobuf)
}

fn with_leaf(
    issuer: &str,
    submitter: &str,
    learner: Option<Handle>,
    body: Body,
) -> Result<Event, CodecError> {
    let kind = body.kind();
    match (is_about_learner(kind), learner) {
        (true, None) => return Err(CodecError::LearnerMissing { kind }),
        (false, Some(_)) => return Err(CodecError::LearnerUnexpected { kind }),
        (_, Some(Handle([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]))) => {
            return Err(CodecError::Handle { field: "learner" });
        }
        _ => {}
    }
    let id = |field, text: &str| text.parse().map_err(|_| CodecError::Institution { field });
    let own = issuer == submitter;
    let issuer: InstitutionId = id("issuer", issuer)?;
    let submitter = if own {
        issuer.clone()
    } else {
        id("submitter", submitter)?
    };
    Ok(Event {
        issuer,
        submitter,
        learner,
        body,
    })
}
