//! Learners' accounts.

use ledger::Handle;
use ledger::words::{
    Document, DocumentIdentity, LearnerProfile, PendingReason, ProvisionalReference, StudentNumber,
};

use super::{date, receipt, texts, time};
use crate::engine::Done;
use api::v1;
use api::v1::learner_reference::Reference;

/// What a change to an account left behind.
#[must_use]
pub fn change(done: &Done) -> v1::AccountChange {
    v1::AccountChange {
        learner_handle: done
            .learner
            .map_or_else(String::new, |learner| learner.to_string()),
        receipts: done.receipts.iter().map(receipt).collect(),
        revision: done.revision.unwrap_or_default(),
        already_so: done.already,
    }
}

/// A learner's attributes.
#[must_use]
pub fn learner_profile(profile: &LearnerProfile) -> v1::LearnerProfile {
    v1::LearnerProfile {
        names: texts(&profile.names),
        documents: profile.documents.iter().map(document).collect(),
        birth_date: date(profile.birth_date),
        region: profile.region.clone(),
    }
}

/// A student number.
#[must_use]
pub fn student_number(student: &StudentNumber) -> v1::StudentNumber {
    v1::StudentNumber {
        institution_id: student.institution.as_str().to_owned(),
        number: student.number.clone(),
    }
}

/// An account that waits to be bound, as its registration shows it.
#[must_use]
pub fn pending_learner(
    handle: Handle,
    reference: &ProvisionalReference,
    registration: &chain::Leaf,
    n_records: u64,
) -> v1::PendingLearner {
    let reason = match reference.reason() {
        PendingReason::Unlinked => "UNLINKED",
        PendingReason::IdentityMismatch => "IDENTITY_MISMATCH",
    };
    let reference = match reference {
        ProvisionalReference::Student(student) => Reference::Student(student_number(student)),
        ProvisionalReference::Document(identity, _) => {
            Reference::Document(document_identity(identity))
        }
    };
    v1::PendingLearner {
        learner_handle: handle.to_string(),
        reference: Some(v1::LearnerReference {
            reference: Some(reference),
        }),
        reason: reason.to_owned(),
        institution_id: registration.submitter.as_str().to_owned(),
        recorded_time: Some(time(registration.recorded_at.0)),
        record_count: n_records,
        candidates: Vec::new(),
    }
}

fn document_identity(identity: &DocumentIdentity) -> v1::DocumentIdentity {
    v1::DocumentIdentity {
        document: Some(document(&identity.document)),
        name: identity.name.clone(),
        birth_date: date(Some(identity.birth_date)),
    }
}

fn document(document: &Document) -> v1::Document {
    v1::Document {
        kind: document.kind.clone(),
        number: document.number.clone(),
    }
}
