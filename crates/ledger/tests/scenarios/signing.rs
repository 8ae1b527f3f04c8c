//! Keys and signatures of the scenario language: a key's secret is its name.
//!
//! Apart from the vocabulary because what is signed may be made to say otherwise than what is sent:
//! `signed=k1` signs as it is sent, `secret=k2` with another secret, `for_signed=L2`, `issuer_signed=col` and
//! `code_signed=C9` sign something else.

use std::sync::Arc;

use ed25519_dalek::{Signer, SigningKey};

use ledger::words::{LearnerReference, RecordName};
use ledger::{IssuerSignature, IssuerStatement, codec};

use crate::vocabulary::{Words, achievement, institution, learner};

/// The public key of a secret; `zero` is a point of small order, `none` is no point.
pub(crate) fn public_key(secret: &str) -> [u8; 32] {
    let mut point = [0; 32];
    match secret {
        "zero" => point[0] = 1,
        "none" => point[0] = 2,
        _ => return signing_key(secret).verifying_key().to_bytes(),
    }
    point
}

/// The signature that a line asks for.
pub(crate) fn signature(
    words: &Words<'_>,
    name: &RecordName,
    about: &LearnerReference,
) -> Option<Arc<IssuerSignature>> {
    let key_id = words.option("signed").filter(|key| *key != "required")?;
    let mut content = achievement(words, name);
    if let Some(code) = words.option("code_signed") {
        code.clone_into(&mut content.code);
    }
    let statement = IssuerStatement {
        issuer: words
            .option("issuer_signed")
            .map_or_else(|| name.issuer.clone(), institution),
        learner: words
            .option("for_signed")
            .map_or_else(|| about.clone(), learner),
        achievement: content,
    };
    let key = signing_key(words.option("secret").unwrap_or(key_id));
    let signature = key.sign(&statement.message()).to_bytes();
    let bytes = codec::encode_statement(&statement);
    // A handle of zeros is no reference, so that nothing was signed.
    let read = IssuerSignature::read(key_id.to_owned(), bytes, signature).ok()?;
    Some(Arc::new(read))
}

fn signing_key(secret: &str) -> SigningKey {
    SigningKey::from_bytes(blake3::hash(secret.as_bytes()).as_bytes())
}
