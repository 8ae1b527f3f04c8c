//! Admission of keys, and of the signatures made with them.
//!
//! Apart from achievements and the registry because a signature is judged by both: the key by what its
//! institution registered, the statement by the content and the learner that it is recorded for. None of
//! it is costly: what is, [`IssuerSignature::check`] has done before, and says so.

use super::registry::{by_institution_or_operator, by_issuer_or_operator, exists};
use super::well_formed;
use crate::event::{Event, KeyRevocation};
use crate::ids::{Handle, InstitutionId, Timestamp};
use crate::registry::{RegisteredKey, Registry};
use crate::rejection::Rejection;
use crate::shape;
use crate::signature::IssuerSignature;
use crate::state::{Record, Refusal, State};
use crate::words::{Achievement, InstitutionKey, LearnerReference};

/// Whether the content may be recorded with that signature, or without one, on that day. Whom it is
/// recorded for is judged apart, by [`names_the_learner`].
pub(crate) fn signature_rules(
    state: &State,
    issuer: &InstitutionId,
    content: &Achievement,
    signature: Option<&IssuerSignature>,
    at: Timestamp,
) -> Result<(), Rejection> {
    let Some(signature) = signature else {
        let institution = state.registry().institutions.get(issuer);
        if institution.is_some_and(|found| found.profile.signatures_required) {
            let issuer = issuer.clone();
            return Err(Rejection::SignatureRequired { issuer });
        }
        return Ok(());
    };
    let (registered, verdict) = checked(state.registry(), issuer, signature)?;
    let key = &registered.key.value;
    if registered.revoked.is_some() || !key.during.contains(at.date()) {
        return Err(ended(issuer, registered));
    }
    said_and_genuine(issuer, content, signature, verdict)
}

/// Whether a content that moves to another learner takes along a signature of its own: the key may have
/// ended since it signed.
pub(super) fn kept_signature(
    state: &State,
    issuer: &InstitutionId,
    content: &Achievement,
    signature: Option<&IssuerSignature>,
) -> Result<(), Rejection> {
    let Some(signature) = signature else {
        return Ok(());
    };
    let (_, verdict) = checked(state.registry(), issuer, signature)?;
    said_and_genuine(issuer, content, signature, verdict)
}

/// The key, and what the check with it has said. A signature that was not checked with the key is as good as
/// one of an unknown key, which is what it was when it should have been checked.
fn checked<'a>(
    registry: &'a Registry,
    issuer: &InstitutionId,
    signature: &IssuerSignature,
) -> Result<(&'a RegisteredKey, bool), Rejection> {
    let registered = registry.key(issuer, &signature.key_id);
    registered
        .and_then(|key| Some((key, signature.checked_with(&key.key.value.public_key)?)))
        .ok_or_else(|| Rejection::SigningKeyUnknown {
            issuer: issuer.clone(),
            key_id: signature.key_id.clone(),
        })
}

fn said_and_genuine(
    issuer: &InstitutionId,
    content: &Achievement,
    signature: &IssuerSignature,
    verdict: bool,
) -> Result<(), Rejection> {
    if let Some(field) = signature.statement().differs(issuer, content) {
        return Err(Rejection::SignatureMismatch { field });
    }
    if !verdict {
        return Err(Rejection::SignatureInvalid {
            issuer: issuer.clone(),
            key_id: signature.key_id.clone(),
        });
    }
    Ok(())
}

/// Whether the signed statement names the learner on whose chain the content is recorded, now or before:
/// for a new version also the one for whom the record was made first.
pub(super) fn names_the_learner(
    state: &State,
    signature: Option<&IssuerSignature>,
    handle: Handle,
    record: Option<&Record>,
) -> Result<(), Refusal> {
    let Some(signature) = signature else {
        return Ok(());
    };
    let mut meant = vec![handle];
    if let Some(record) = record {
        meant.push(state.resolve(record.first_learner)?.0);
    }
    for named in named(state, &signature.statement().learner)? {
        if meant.contains(&state.resolve(named)?.0) {
            return Ok(());
        }
    }
    Err(Rejection::SignatureMismatch { field: "learner" }.into())
}

/// The accounts to which a reference leads, or has led.
fn named(state: &State, reference: &LearnerReference) -> Result<Vec<Handle>, Refusal> {
    let secret = state.secret()?;
    let identity = match reference {
        LearnerReference::Handle(handle) => {
            // One that nobody has names nobody.
            let known = state.learner(*handle)?.map(|_| *handle);
            return Ok(known.into_iter().collect());
        }
        LearnerReference::Student(student) => {
            let linked = state.once_linked(secret.student(student))?;
            return Ok(linked.into_iter().collect());
        }
        LearnerReference::Document(identity) => identity,
    };
    let mut named = Vec::new();
    named.extend(state.referenced(secret.reference(identity))?);
    named.extend(state.once_carrier(secret.document(&identity.document))?);
    Ok(named)
}

pub(super) fn key_added(
    state: &State,
    event: &Event,
    key: &InstitutionKey,
    at: Timestamp,
) -> Result<(), Refusal> {
    // A delegate submits; that makes it no keeper of another's keys.
    by_institution_or_operator(event)?;
    by_issuer_or_operator(state.registry(), event, at)?;
    well_formed(shape::institution_key(key))?;
    let institution = state.registry().institutions.get(&event.issuer);
    let keys = institution.iter().flat_map(|found| found.keys.values());
    let taken = |known: &&RegisteredKey| {
        let known = &known.key.value;
        known.key_id == key.key_id || known.public_key == key.public_key
    };
    match keys.clone().find(taken) {
        None => Ok(()),
        Some(known) => Err(Rejection::SigningKeyExists {
            issuer: event.issuer.clone(),
            key_id: known.key.value.key_id.clone(),
            position: known.key.position,
        }
        .into()),
    }
}

/// The operator may end a key also of an institution that may not act itself.
pub(super) fn key_revoked(
    state: &State,
    event: &Event,
    revocation: &KeyRevocation,
    at: Timestamp,
) -> Result<(), Refusal> {
    by_institution_or_operator(event)?;
    if event.submitter.is_operator() {
        exists(state.registry(), &event.issuer)?;
    } else {
        by_issuer_or_operator(state.registry(), event, at)?;
    }
    let KeyRevocation { key_id, reason } = revocation;
    well_formed(shape::key_revocation(key_id, reason))?;
    match state.registry().key(&event.issuer, key_id) {
        None => Err(Rejection::SigningKeyUnknown {
            issuer: event.issuer.clone(),
            key_id: key_id.clone(),
        }
        .into()),
        Some(known) if known.revoked.is_some() => Err(ended(&event.issuer, known).into()),
        Some(_) => Ok(()),
    }
}

fn ended(issuer: &InstitutionId, registered: &RegisteredKey) -> Rejection {
    let key = &registered.key.value;
    Rejection::SigningKeyEnded {
        issuer: issuer.clone(),
        key_id: key.key_id.clone(),
        revoked: registered.revoked.as_ref().map(|end| end.position),
        from: key.during.from,
        until: key.during.until,
    }
}
