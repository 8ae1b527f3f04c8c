//! Learners' accounts, identities and merges, to and from their messages.
//!
//! Apart from the other nouns because everything here but handles is personal data.

use super::CodecError;
use super::achievement::{read_texts, texts};
use super::fields::{
    date, read_date, read_handle, read_institution_id, read_optional_date, required,
};
use crate::event::{Counterpart, LearnerErased, LearnerRegistered, Opening};
use crate::generated as wire;
use crate::generated::learner_registered::Opening as WireOpening;
use crate::generated::provisional_reference::Reference as WireReference;
use crate::ids::Key;
use crate::words::{
    Document, DocumentIdentity, LearnerProfile, PendingReason, ProvisionalReference, StudentNumber,
};

pub(super) fn registered(registered: &LearnerRegistered) -> wire::LearnerRegistered {
    let opening = match &registered.opening {
        Opening::Person(person) => WireOpening::Profile(profile(person)),
        Opening::Provisional(reference) => WireOpening::Provisional(provisional(reference)),
    };
    wire::LearnerRegistered {
        opening: Some(opening),
        request_id: registered.request_id.clone(),
    }
}

pub(super) fn read_registered(
    body: wire::LearnerRegistered,
) -> Result<LearnerRegistered, CodecError> {
    let opening = match required("opening", body.opening)? {
        WireOpening::Profile(person) => Opening::Person(read_profile(person)?),
        WireOpening::Provisional(reference) => Opening::Provisional(read_provisional(reference)?),
    };
    Ok(LearnerRegistered {
        opening,
        request_id: body.request_id,
    })
}

pub(super) fn updated(attributes: &LearnerProfile) -> wire::LearnerUpdated {
    wire::LearnerUpdated {
        profile: Some(profile(attributes)),
    }
}

pub(super) fn read_updated(body: wire::LearnerUpdated) -> Result<LearnerProfile, CodecError> {
    read_profile(required("profile", body.profile)?)
}

pub(super) fn link(number: &StudentNumber) -> wire::IdentityLink {
    wire::IdentityLink {
        student: Some(student(number)),
    }
}

pub(super) fn read_link(body: wire::IdentityLink) -> Result<StudentNumber, CodecError> {
    read_student(required("student", body.student)?)
}

pub(super) fn counterpart(other: &Counterpart) -> wire::LearnerCounterpart {
    wire::LearnerCounterpart {
        learner: other.learner.0.to_vec(),
        reason: other.reason.clone(),
    }
}

pub(super) fn read_counterpart(body: wire::LearnerCounterpart) -> Result<Counterpart, CodecError> {
    Ok(Counterpart {
        learner: read_handle("learner", &body.learner)?,
        reason: body.reason,
    })
}

pub(super) fn erased(erased: &LearnerErased) -> wire::LearnerErasure {
    wire::LearnerErasure {
        suppressed: erased.suppressed.iter().map(|key| key.0.to_vec()).collect(),
    }
}

/// Their order is the admission's to judge: no decoder can take one for another because of it.
pub(super) fn read_erased(body: wire::LearnerErasure) -> Result<LearnerErased, CodecError> {
    let key = |bytes: Vec<u8>| match bytes.try_into() {
        Ok(key) => Ok(Key(key)),
        Err(_) => Err(CodecError::Length {
            field: "suppressed",
        }),
    };
    Ok(LearnerErased {
        suppressed: body
            .suppressed
            .into_iter()
            .map(key)
            .collect::<Result<_, _>>()?,
    })
}

fn profile(profile: &LearnerProfile) -> wire::LearnerProfile {
    wire::LearnerProfile {
        names: texts(&profile.names),
        documents: profile.documents.iter().map(document).collect(),
        birth_date: date(profile.birth_date),
        region: profile.region.clone(),
    }
}

fn read_profile(body: wire::LearnerProfile) -> Result<LearnerProfile, CodecError> {
    Ok(LearnerProfile {
        names: read_texts(body.names),
        documents: body.documents.into_iter().map(read_document).collect(),
        birth_date: read_optional_date("birth_date", &body.birth_date)?,
        region: body.region,
    })
}

fn provisional(reference: &ProvisionalReference) -> wire::ProvisionalReference {
    let sent = match reference {
        ProvisionalReference::Student(number) => WireReference::Student(student(number)),
        ProvisionalReference::Document(identity, _) => {
            WireReference::Document(document_identity(identity))
        }
    };
    let reason = match reference.reason() {
        PendingReason::Unlinked => wire::PendingReason::Unlinked,
        PendingReason::IdentityMismatch => wire::PendingReason::IdentityMismatch,
    };
    wire::ProvisionalReference {
        reference: Some(sent),
        reason: reason.into(),
    }
}

/// A student number under another reason than UNLINKED re-encodes differently, so it is refused there.
fn read_provisional(body: wire::ProvisionalReference) -> Result<ProvisionalReference, CodecError> {
    let reason = match wire::PendingReason::try_from(body.reason) {
        Ok(wire::PendingReason::Unlinked) => PendingReason::Unlinked,
        Ok(wire::PendingReason::IdentityMismatch) => PendingReason::IdentityMismatch,
        Ok(wire::PendingReason::Unspecified) | Err(_) => {
            return Err(CodecError::Unspecified { field: "reason" });
        }
    };
    Ok(match required("reference", body.reference)? {
        WireReference::Student(number) => ProvisionalReference::Student(read_student(number)?),
        WireReference::Document(identity) => {
            ProvisionalReference::Document(read_document_identity(identity)?, reason)
        }
    })
}

pub(super) fn student(student: &StudentNumber) -> wire::StudentNumber {
    wire::StudentNumber {
        institution_id: student.institution.as_str().to_owned(),
        number: student.number.clone(),
    }
}

pub(super) fn read_student(body: wire::StudentNumber) -> Result<StudentNumber, CodecError> {
    let institution = read_institution_id("student.institution_id", &body.institution_id)?;
    Ok(StudentNumber {
        institution,
        number: body.number,
    })
}

pub(super) fn document_identity(identity: &DocumentIdentity) -> wire::DocumentIdentity {
    wire::DocumentIdentity {
        document: Some(document(&identity.document)),
        name: identity.name.clone(),
        birth_date: date(Some(identity.birth_date)),
    }
}

pub(super) fn read_document_identity(
    body: wire::DocumentIdentity,
) -> Result<DocumentIdentity, CodecError> {
    Ok(DocumentIdentity {
        document: read_document(required("document", body.document)?),
        name: body.name,
        birth_date: read_date("birth_date", &body.birth_date)?,
    })
}

fn document(document: &Document) -> wire::Document {
    wire::Document {
        kind: document.kind.clone(),
        number: document.number.clone(),
    }
}

fn read_document(body: wire::Document) -> Document {
    Document {
        kind: body.kind,
        number: body.number,
    }
}
