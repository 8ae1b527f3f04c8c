//! Issuers' signatures and what they sign, to and from their messages.
//!
//! Apart from achievements because a statement is bytes inside a body: they are kept exactly as they were
//! signed, and read as strictly as the body around them.

use std::sync::Arc;

use prost::Message;

use super::CodecError;
use super::achievement::{achievement, read_achievement};
use super::fields::{read_handle, read_institution_id, required};
use super::learner::{document_identity, read_document_identity, read_student, student};
use super::writer::Writer;
use crate::generated as wire;
use crate::generated::learner_reference::Reference;
use crate::signature::{IssuerSignature, IssuerStatement};
use crate::words::LearnerReference;

pub(super) fn statement(statement: &IssuerStatement) -> Vec<u8> {
    let before = wire::IssuerStatement {
        issuer_id: statement.issuer.as_str().to_owned(),
        learner: Some(reference(&statement.learner)),
        achievement: None,
    };
    let mut last = Writer::new();
    last.message(3, |to| achievement(to, &statement.achievement));
    let mut bytes = before.encode_to_vec();
    bytes.extend(last.into_bytes());
    bytes
}

pub(super) fn read_statement(body: wire::IssuerStatement) -> Result<IssuerStatement, CodecError> {
    Ok(IssuerStatement {
        issuer: read_institution_id("issuer_id", &body.issuer_id)?,
        learner: read_reference(required("learner", body.learner)?)?,
        achievement: read_achievement(required("achievement", body.achievement)?)?,
    })
}

pub(super) fn signature(signature: Option<&IssuerSignature>) -> Option<wire::IssuerSignature> {
    signature.map(|signature| wire::IssuerSignature {
        key_id: signature.key_id.clone(),
        statement: signature.statement_bytes().to_vec(),
        signature: signature.signature.to_vec(),
    })
}

pub(super) fn read_signature(
    body: Option<wire::IssuerSignature>,
) -> Result<Option<Arc<IssuerSignature>>, CodecError> {
    let Some(body) = body else { return Ok(None) };
    let signature = body.signature.try_into().map_err(|_| CodecError::Length {
        field: "signature.signature",
    })?;
    let read = IssuerSignature::read(body.key_id, body.statement, signature);
    let error = |error| CodecError::Statement(Box::new(error));
    Ok(Some(Arc::new(read.map_err(error)?)))
}

fn reference(learner: &LearnerReference) -> wire::LearnerReference {
    let reference = match learner {
        LearnerReference::Handle(handle) => Reference::Handle(handle.0.to_vec()),
        LearnerReference::Student(number) => Reference::Student(student(number)),
        LearnerReference::Document(identity) => Reference::Document(document_identity(identity)),
    };
    wire::LearnerReference {
        reference: Some(reference),
    }
}

fn read_reference(body: wire::LearnerReference) -> Result<LearnerReference, CodecError> {
    Ok(match required("learner.reference", body.reference)? {
        Reference::Handle(handle) => {
            LearnerReference::Handle(read_handle("learner.handle", &handle)?)
        }
        Reference::Student(number) => LearnerReference::Student(read_student(number)?),
        Reference::Document(identity) => {
            LearnerReference::Document(read_document_identity(identity)?)
        }
    })
}
