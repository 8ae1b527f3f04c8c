//! The signed bytes as `ledger-data/README.md` describes them, and what no verifier may accept.

use std::collections::BTreeMap;
use std::path::Path;

use ed25519_dalek::{Signer, SigningKey};
use ledger::words::{LearnerReference, StudentNumber};
use ledger::{IssuerSignature, codec, signature};

use crate::sample_events::{Draw, statement};

/// The lines of the block of that name, by label.
fn vectors() -> BTreeMap<String, Vec<u8>> {
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../ledger-data/README.md");
    let readme = std::fs::read_to_string(readme).unwrap();
    let (_, after) = readme.split_once("```signature-vectors\n").unwrap();
    let (block, _) = after.split_once("```").unwrap();
    let mut vectors: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    let mut label = String::new();
    for line in block.lines() {
        let Some(digits) = line.strip_prefix("  ") else {
            label = line.to_owned();
            continue;
        };
        let bytes = (0..digits.len())
            .step_by(2)
            .map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap());
        vectors.entry(label.clone()).or_default().extend(bytes);
    }
    vectors
}

#[test]
fn the_vectors_of_the_description_hold() {
    let vectors = vectors();
    let bytes = |label: &str| vectors[label].clone();
    let key = SigningKey::from_bytes(&bytes("seed").try_into().unwrap());
    let public_key: [u8; 32] = bytes("public-key").try_into().unwrap();
    assert_eq!(key.verifying_key().to_bytes(), public_key);
    let said = codec::decode_statement(&bytes("statement")).unwrap();
    assert_eq!(said.issuer.as_str(), "hill-university");
    let number = StudentNumber {
        institution: "hill-university".parse().unwrap(),
        number: "2020H-0409".to_owned(),
    };
    assert_eq!(said.learner, LearnerReference::Student(number));
    assert_eq!(said.achievement.record_id, "2026S-ST210-17");
    assert_eq!(said.message(), bytes("signed-bytes"));
    let made: [u8; 64] = bytes("signature").try_into().unwrap();
    assert_eq!(key.sign(&said.message()).to_bytes(), made);
    let signature = IssuerSignature::read("2026".to_owned(), bytes("statement"), made).unwrap();
    assert_eq!(signature.checked_with(&public_key), None);
    assert!(signature.check(&public_key));
    assert_eq!(signature.checked_with(&public_key), Some(true));
    assert_eq!(
        signature.checked_with(&[7; 32]),
        None,
        "checked with another"
    );
}

#[test]
fn no_bit_of_key_statement_or_signature_may_change() {
    let vectors = vectors();
    let key: [u8; 32] = vectors["public-key"].clone().try_into().unwrap();
    let made: [u8; 64] = vectors["signature"].clone().try_into().unwrap();
    let said = &vectors["statement"];
    assert!(signature::is_genuine(&key, said, &made));
    for at in 0..32 {
        let mut other = key;
        other[at] ^= 1;
        assert!(!signature::is_genuine(&other, said, &made), "key {at}");
    }
    for at in 0..64 {
        let mut other = made;
        other[at] ^= 1;
        assert!(!signature::is_genuine(&key, said, &other), "signature {at}");
    }
    for at in 0..said.len() {
        let mut other = said.clone();
        other[at] ^= 1;
        assert!(
            !signature::is_genuine(&key, &other, &made),
            "statement {at}"
        );
    }
}

/// With a key of small order one signature fits every statement (RFC 8032 lets verifiers differ on it).
#[test]
fn a_key_of_small_order_signs_nothing_and_is_no_key() {
    let mut neutral = [0; 32];
    neutral[0] = 1;
    let mut signature = [0; 64];
    signature[0] = 1;
    assert!(!signature::is_genuine(&neutral, b"anything", &signature));
    assert!(signature::public_key_problem(&neutral).is_some());
    // The same point, encoded with its y-coordinate above the field's prime.
    let mut above = [0xff; 32];
    (above[0], above[31]) = (0xee, 0x7f);
    assert!(signature::public_key_problem(&above).is_some());
    let good = SigningKey::from_bytes(&[3; 32]).verifying_key().to_bytes();
    assert_eq!(signature::public_key_problem(&good), None);
}

#[test]
fn a_statement_has_one_encoding_and_says_where_it_differs() {
    let drawn: Vec<u8> = (0..=255).cycle().take(3_000).collect();
    let said = statement(&mut Draw::new(drawn));
    let bytes = codec::encode_statement(&said);
    assert_eq!(codec::decode_statement(&bytes).as_ref(), Ok(&said));
    let unknown = [bytes.as_slice(), &[0xC0, 0x3E, 0x01]].concat();
    assert!(codec::decode_statement(&unknown).is_err());
    assert_eq!(said.differs(&said.issuer, &said.achievement), None);
    let mut other = said.achievement.clone();
    other.tier.push('x');
    assert_eq!(said.differs(&said.issuer, &other), Some("tier"));
    let issuer = "another".parse().unwrap();
    assert_eq!(said.differs(&issuer, &other), Some("issuer_id"));
}
