//! Signing what an institution submits: with its private key, on its own machine.
//!
//! Apart from submitting because a private key never leaves the program that holds it: what is sent is
//! the statement and its signature. The statement is in the ledger's own encoding, which knows one
//! spelling of everything (`02.50` is `2.5`), and says what the server will read in the message beside it.

use std::fmt;

use api::v1;
use api::v1::learner_reference::Reference;
use ed25519_dalek::pkcs8::DecodePrivateKey;
use ed25519_dalek::{Signer as _, SigningKey};
use ledger::words::{
    Achievement, AchievementResult, Document, DocumentIdentity, Evidence, LearnerReference, Level,
    Origin, RecordName, Size, StudentNumber, Text,
};
use ledger::{Date, InstitutionId, IssuerStatement, codec};

pub use ledger::signature::message;

/// Why nothing was signed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SigningError {
    /// The text holds no key.
    #[error("no Ed25519 private key: PKCS#8 as PEM, without a passphrase")]
    Key,
    /// Nobody is named that could sign.
    #[error("{0:?} is no institution id")]
    Institution(String),
    /// The server would refuse the achievement for the same reason.
    #[error("{field} {problem}")]
    Unreadable {
        /// Path of the field, such as `size.amount`.
        field: &'static str,
        /// What is wrong there.
        problem: &'static str,
    },
}

/// Signs achievements with an institution's key, which it has registered under a name
/// (`creditbank institution key add`).
#[derive(Clone)]
pub struct Signer {
    key: SigningKey,
    key_id: String,
    acting: InstitutionId,
}

/// Without the key.
impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signer")
            .field("key_id", &self.key_id)
            .field("acting", &self.acting)
            .finish_non_exhaustive()
    }
}

impl Signer {
    /// A signer for `institution`, which acts, with the private key in `pem`: what
    /// `creditbank institution key generate` or `openssl genpkey -algorithm ed25519` has written.
    ///
    /// # Errors
    /// [`SigningError::Key`] and [`SigningError::Institution`].
    pub fn from_pem(pem: &str, key_id: &str, institution: &str) -> Result<Self, SigningError> {
        Ok(Self {
            key: SigningKey::from_pkcs8_pem(pem).map_err(|_| SigningError::Key)?,
            key_id: key_id.to_owned(),
            acting: acting(institution)?,
        })
    }

    /// Puts the issuer's signature into an achievement, in place of any that is there. Sign last: what is
    /// changed afterwards no longer fits.
    ///
    /// # Errors
    /// [`SigningError::Unreadable`]; the achievement is then unsigned.
    pub fn sign(&self, achievement: &mut v1::Achievement) -> Result<(), SigningError> {
        achievement.signature = None;
        let statement = encoded(achievement, &self.acting)?;
        let signature = self.key.sign(&message(&statement)).to_bytes();
        achievement.signature = Some(v1::IssuerSignature {
            key_id: self.key_id.clone(),
            statement,
            signature: signature.to_vec(),
        });
        Ok(())
    }
}

/// The statement that an achievement makes when `institution` submits it, for keys that lie elsewhere, such as
/// in a hardware module: sign [`message`] of it, and put key id, statement and signature into
/// [`v1::Achievement::signature`].
///
/// # Errors
/// [`SigningError::Institution`] and [`SigningError::Unreadable`].
pub fn statement(
    achievement: &v1::Achievement,
    institution: &str,
) -> Result<Vec<u8>, SigningError> {
    encoded(achievement, &acting(institution)?)
}

fn acting(institution: &str) -> Result<InstitutionId, SigningError> {
    let id = institution.parse();
    id.map_err(|_| SigningError::Institution(institution.to_owned()))
}

fn encoded(wire: &v1::Achievement, acting: &InstitutionId) -> Result<Vec<u8>, SigningError> {
    Ok(codec::encode_statement(&IssuerStatement {
        issuer: id("issuer_id", &wire.issuer_id, acting)?,
        learner: learner(wire.learner.as_ref(), acting)?,
        achievement: content(wire.clone(), acting)?,
    }))
}

fn content(wire: v1::Achievement, acting: &InstitutionId) -> Result<Achievement, SigningError> {
    let name = |field, name: Option<v1::RecordName>| {
        name.map(|name| record_name(field, name, acting))
            .transpose()
    };
    Ok(Achievement {
        record_id: wire.record_id,
        achievement_type: wire.r#type,
        code: wire.code,
        titles: wire.titles.into_iter().map(text).collect(),
        size: wire.size.map(size).transpose()?,
        level: wire.level.map(|level| Level {
            framework: level.framework,
            code: level.code,
        }),
        field: wire.field,
        source_kind: wire.source_kind,
        delivery: wire.delivery,
        origin: origin(wire.origin)?,
        source: name("source.issuer_id", wire.source)?,
        part_of: name("part_of.issuer_id", wire.part_of)?,
        offering: wire.offering,
        // As the server reads who does not count attempts.
        attempt: wire.attempt.max(1),
        results: wire.results.into_iter().map(result).collect(),
        study_from: optional_date("study_from", &wire.study_from)?,
        study_until: optional_date("study_until", &wire.study_until)?,
        awarded: date("awarded", &wire.awarded)?,
        expires: optional_date("expires", &wire.expires)?,
        tier: wire.tier,
        outcomes: wire.outcomes,
        evidence: wire.evidence.into_iter().map(evidence).collect(),
        replaces: name("replaces.issuer_id", wire.replaces)?,
    })
}

fn learner(
    wire: Option<&v1::LearnerReference>,
    acting: &InstitutionId,
) -> Result<LearnerReference, SigningError> {
    let reference = wire.and_then(|wire| wire.reference.clone());
    let missing = "is required: a handle, a student number or a document";
    Ok(match reference.ok_or(unreadable("learner", missing))? {
        Reference::Handle(text) => {
            let problem = "is not a handle: 32 hexadecimal digits, not all zero";
            let handle = text.parse();
            LearnerReference::Handle(handle.map_err(|_| unreadable("learner.handle", problem))?)
        }
        Reference::Student(student) => LearnerReference::Student(StudentNumber {
            institution: id(
                "learner.student.institution_id",
                &student.institution_id,
                acting,
            )?,
            number: student.number,
        }),
        Reference::Document(identity) => {
            let document = identity.document.unwrap_or_default();
            LearnerReference::Document(DocumentIdentity {
                document: Document {
                    kind: document.kind,
                    number: document.number,
                },
                name: identity.name,
                birth_date: date("learner.document.birth_date", &identity.birth_date)?,
            })
        }
    })
}

fn unreadable(field: &'static str, problem: &'static str) -> SigningError {
    SigningError::Unreadable { field, problem }
}

/// The institution that a message leaves out is the acting one.
fn id(
    field: &'static str,
    text: &str,
    acting: &InstitutionId,
) -> Result<InstitutionId, SigningError> {
    if text.is_empty() {
        return Ok(acting.clone());
    }
    let id = text.parse();
    id.map_err(|_| unreadable(field, "is no institution id"))
}

fn record_name(
    field: &'static str,
    name: v1::RecordName,
    acting: &InstitutionId,
) -> Result<RecordName, SigningError> {
    Ok(RecordName {
        issuer: id(field, &name.issuer_id, acting)?,
        record_id: name.record_id,
    })
}

fn date(field: &'static str, text: &str) -> Result<Date, SigningError> {
    let date = codec::parse_date(text);
    date.ok_or(unreadable(field, "is not a date such as 2026-11-21"))
}

fn optional_date(field: &'static str, text: &str) -> Result<Option<Date>, SigningError> {
    (!text.is_empty()).then(|| date(field, text)).transpose()
}

fn size(wire: v1::Size) -> Result<Size, SigningError> {
    let amount = wire.amount.parse();
    Ok(Size {
        amount: amount.map_err(|_| unreadable("size.amount", "is no amount such as 2.5"))?,
        unit: wire.unit,
    })
}

fn origin(number: i32) -> Result<Origin, SigningError> {
    Ok(match v1::Origin::try_from(number) {
        Ok(v1::Origin::Unspecified | v1::Origin::Earned) => Origin::Earned,
        Ok(v1::Origin::Assessed) => Origin::Assessed,
        Ok(v1::Origin::Transferred) => Origin::Transferred,
        Ok(v1::Origin::Exempted) => Origin::Exempted,
        Err(_) => return Err(unreadable("origin", "is no Origin")),
    })
}

fn text(wire: v1::Text) -> Text {
    Text {
        value: wire.value,
        language: wire.language,
    }
}

fn result(wire: v1::Result) -> AchievementResult {
    AchievementResult {
        value: wire.value,
        scale: wire.scale,
        subject: wire.subject,
    }
}

fn evidence(wire: v1::Evidence) -> Evidence {
    Evidence {
        uri: wire.uri,
        digest: wire.digest,
    }
}
