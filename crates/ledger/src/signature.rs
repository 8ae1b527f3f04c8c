//! Issuers' signatures: what exactly is signed, and the one function that checks it.
//!
//! Apart from the rules because a client signs with it, the server and an auditor check with it, and it is
//! the only mathematics in the ledger: Ed25519 (RFC 8032), verified strictly. Everything else about a
//! signature (whose key, on which day, of what) is judged in [`admit`](mod@crate::admit).
//!
//! The check costs more than all the rules together, so it is made where there are many threads, and its
//! outcome stays with the signature. Invariant: only [`IssuerSignature::check`] sets that outcome, and the
//! rules admit nothing that was not checked with the key that is registered.

use std::sync::OnceLock;

use ed25519_dalek::{Signature, VerifyingKey};

use crate::codec::{self, CodecError};
use crate::ids::InstitutionId;
use crate::words::{Achievement, LearnerReference};

/// What stands before a statement in the bytes that are signed, so that a signature can never be taken for
/// one over anything else.
pub const PREFIX: &[u8] = b"creditbank issuer statement v1\0";

/// What an issuer signs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssuerStatement {
    /// The issuing institution.
    pub issuer: InstitutionId,
    /// Who achieved it, as the issuer names the learner.
    pub learner: LearnerReference,
    /// What.
    pub achievement: Achievement,
}

/// A statement, its issuer's signature, and whether that has been checked.
#[derive(Debug, Clone)]
pub struct IssuerSignature {
    /// Which of the issuer's keys.
    pub key_id: String,
    /// Ed25519 signature.
    pub signature: [u8; 64],
    statement_bytes: Vec<u8>,
    statement: IssuerStatement,
    checked: OnceLock<Checked>,
}

/// The outcome of a check.
#[derive(Debug, Clone)]
struct Checked {
    public_key: [u8; 32],
    genuine: bool,
}

/// What was sent and is stored counts, not whether it has been checked yet.
impl PartialEq for IssuerSignature {
    fn eq(&self, other: &Self) -> bool {
        (&self.key_id, &self.signature, &self.statement_bytes)
            == (&other.key_id, &other.signature, &other.statement_bytes)
    }
}

impl Eq for IssuerSignature {}

impl IssuerSignature {
    /// A signature that nobody has checked yet.
    ///
    /// # Errors
    /// When the bytes are not the one encoding of a statement.
    pub fn read(
        key_id: String,
        statement_bytes: Vec<u8>,
        signature: [u8; 64],
    ) -> Result<IssuerSignature, CodecError> {
        let statement = codec::decode_statement(&statement_bytes)?;
        Ok(IssuerSignature {
            key_id,
            signature,
            statement_bytes,
            statement,
            checked: OnceLock::new(),
        })
    }

    /// The exact bytes that were signed, without [`PREFIX`].
    #[must_use]
    pub fn statement_bytes(&self) -> &[u8] {
        &self.statement_bytes
    }

    /// What they say.
    #[must_use]
    pub fn statement(&self) -> &IssuerStatement {
        &self.statement
    }

    /// Whether the key's owner signed the statement. The first key it is checked with is remembered: an
    /// institution never gives one key id to two keys.
    pub fn check(&self, public_key: &[u8; 32]) -> bool {
        let checked = self.checked.get_or_init(|| Checked {
            public_key: *public_key,
            genuine: is_genuine(public_key, &self.statement_bytes, &self.signature),
        });
        checked.public_key == *public_key && checked.genuine
    }

    /// What [`check`](Self::check) with that key has said; `None` when it was not made.
    #[must_use]
    pub fn checked_with(&self, public_key: &[u8; 32]) -> Option<bool> {
        let checked = self.checked.get()?;
        (checked.public_key == *public_key).then_some(checked.genuine)
    }
}

impl IssuerStatement {
    /// The bytes to sign: [`PREFIX`] and the statement.
    #[must_use]
    pub fn message(&self) -> Vec<u8> {
        message(&codec::encode_statement(self))
    }

    /// The first field that the statement says differently, as the achievement's message names it.
    #[must_use]
    pub fn differs(&self, issuer: &InstitutionId, content: &Achievement) -> Option<&'static str> {
        if self.issuer != *issuer {
            return Some("issuer_id");
        }
        if self.achievement == *content {
            return None;
        }
        Some(differing_field(&self.achievement, content))
    }
}

/// The bytes that are signed.
#[must_use]
pub fn message(statement_bytes: &[u8]) -> Vec<u8> {
    [PREFIX, statement_bytes].concat()
}

/// Whether the key's owner signed the statement: Ed25519 after RFC 8032, with neither key nor nonce of small
/// order and no other encoding of either than the one. So every verifier says the same.
#[must_use]
pub fn is_genuine(public_key: &[u8; 32], statement_bytes: &[u8], signature: &[u8; 64]) -> bool {
    let Ok(key) = VerifyingKey::from_bytes(public_key) else {
        return false;
    };
    let signature = Signature::from_bytes(signature);
    key.verify_strict(&message(statement_bytes), &signature)
        .is_ok()
}

/// What is wrong with a public key, if anything is: it must be the one encoding of a point of the group of
/// prime order, and not its neutral element.
#[must_use]
pub fn public_key_problem(public_key: &[u8; 32]) -> Option<&'static str> {
    let Ok(key) = VerifyingKey::from_bytes(public_key) else {
        return Some("is no Ed25519 public key: it names no point of the curve");
    };
    let point = key.to_edwards();
    if key.is_weak() {
        return Some("is no Ed25519 public key: its order is small, so that anyone could sign");
    }
    if point.compress().as_bytes() != public_key || !point.is_torsion_free() {
        return Some("is no Ed25519 public key: not the one encoding of a point of prime order");
    }
    None
}

fn differing_field(signed: &Achievement, content: &Achievement) -> &'static str {
    let same = [
        ("record_id", signed.record_id == content.record_id),
        ("type", signed.achievement_type == content.achievement_type),
        ("code", signed.code == content.code),
        ("titles", signed.titles == content.titles),
        ("size", signed.size == content.size),
        ("level", signed.level == content.level),
        ("field", signed.field == content.field),
        ("source_kind", signed.source_kind == content.source_kind),
        ("delivery", signed.delivery == content.delivery),
        ("origin", signed.origin == content.origin),
        ("source", signed.source == content.source),
        ("part_of", signed.part_of == content.part_of),
        ("offering", signed.offering == content.offering),
        ("attempt", signed.attempt == content.attempt),
        ("results", signed.results == content.results),
        ("study_from", signed.study_from == content.study_from),
        ("study_until", signed.study_until == content.study_until),
        ("awarded", signed.awarded == content.awarded),
        ("expires", signed.expires == content.expires),
        ("tier", signed.tier == content.tier),
        ("outcomes", signed.outcomes == content.outcomes),
        ("evidence", signed.evidence == content.evidence),
        ("replaces", signed.replaces == content.replaces),
    ];
    let differing = same.into_iter().find(|(_, same)| !same);
    differing.map_or("achievement", |(field, _)| field)
}
