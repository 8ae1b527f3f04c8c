//! Issuers' signatures in a ledger with all hashes right: what a dishonest operator could write beside them.

use std::sync::Arc;

use ed25519_dalek::{Signer, SigningKey};
use ledger::event::{AchievementRecorded, KeyRevocation};
use ledger::words::{InstitutionKey, LearnerReference, Span};
use ledger::{Action, Body, Event, IssuerSignature, IssuerStatement, codec};

use crate::bank::{
    Bank, achievement, by_document, by_handle, event, handle, id, reassign, register, student,
};
use crate::image::{Image, findings};

fn secret(n: u8) -> SigningKey {
    SigningKey::from_bytes(&[n; 32])
}

fn key(key_id: &str, n: u8, during: Span) -> InstitutionKey {
    InstitutionKey {
        key_id: key_id.to_owned(),
        public_key: secret(n).verifying_key().to_bytes(),
        during,
    }
}

/// A statement of uni's about a learner, signed with that secret.
fn signed(key_id: &str, n: u8, learner: LearnerReference, code: &str) -> Arc<IssuerSignature> {
    let statement = IssuerStatement {
        issuer: id("uni"),
        learner,
        achievement: achievement("s1", code),
    };
    let signature = secret(n).sign(&statement.message()).to_bytes();
    let bytes = codec::encode_statement(&statement);
    Arc::new(IssuerSignature::read(key_id.to_owned(), bytes, signature).unwrap())
}

fn submitted(signature: Arc<IssuerSignature>) -> Action {
    let statement = signature.statement().clone();
    Action::Submit {
        issuer: statement.issuer,
        learner: statement.learner,
        achievement: statement.achievement.into(),
        signature: Some(signature),
        fresh: handle(90),
        register: None,
    }
}

/// Recorded for learner 1, whatever was signed.
fn recorded(code: &str, signature: Option<Arc<IssuerSignature>>) -> Event {
    let body = Body::AchievementRecorded(AchievementRecorded {
        achievement: achievement("s1", code).into(),
        signature,
    });
    event("uni", Some(handle(1)), body)
}

/// Two learners, and a key of uni's named k1.
fn bank() -> Bank {
    let mut bank = Bank::opened();
    bank.group(&[
        ("uni", register(1, &[("uni", "S1")])),
        ("uni", register(2, &[("uni", "S2")])),
    ]);
    add(&mut bank, key("k1", 1, Span::default()));
    bank
}

fn add(bank: &mut Bank, key: InstitutionKey) {
    let issuer = id("uni");
    bank.act("uni", Action::AddInstitutionKey { issuer, key });
}

/// The forged event, and nothing else, is found, and why is said.
fn found(mut bank: Bank, forged: Event, why: &str) {
    let position = bank.head().size;
    bank.force(&[forged]);
    let report = Image::of(&bank).verify();
    assert_eq!(report.findings_total, 1, "{report}");
    let [finding] = &report.findings[..] else {
        panic!("one finding");
    };
    assert_eq!(finding.place.position, Some(position));
    assert!(finding.to_string().contains(why), "{finding}");
}

#[test]
fn genuine_signatures_are_counted_and_clean() {
    let mut bank = bank();
    bank.act("uni", submitted(signed("k1", 1, student("uni", "S1"), "A")));
    bank.act("uni", submit_unsigned());
    let ended = Action::RevokeInstitutionKey {
        issuer: id("uni"),
        key_id: "k1".to_owned(),
        reason: "retired".to_owned(),
    };
    bank.act("uni", ended);
    let Action::Reassign {
        name,
        to,
        reason,
        expected,
        ..
    } = reassign("s1", achievement("s1", "A"), 2, "wrong learner")
    else {
        panic!("a reassignment");
    };
    let moved = Action::Reassign {
        name,
        achievement: achievement("s1", "A").into(),
        signature: Some(signed("k1", 1, student("uni", "S1"), "A")),
        to,
        reason,
        expected,
    };
    bank.act("uni", moved);
    // At once and in shares: `Image` compares the two.
    let report = Image::of(&bank).verify();
    assert_eq!(findings(&report), "");
    assert_eq!(
        (report.signatures.signed, report.signatures.genuine),
        (2, 2)
    );
    assert!(
        report
            .to_string()
            .contains("issuer-signed 2, all genuine\n")
    );
}

fn submit_unsigned() -> Action {
    crate::bank::submit("uni", "u1", "U", by_handle(1), 91)
}

#[test]
fn a_forged_signature_is_found() {
    let forged = recorded("A", Some(signed("k1", 2, student("uni", "S1"), "A")));
    found(
        bank(),
        forged,
        "SIGNATURE_INVALID: the signature is not one of key k1 of uni",
    );
}

#[test]
fn a_content_that_was_not_signed_is_found() {
    let forged = recorded("B", Some(signed("k1", 1, student("uni", "S1"), "A")));
    found(
        bank(),
        forged,
        "SIGNATURE_MISMATCH: the signed statement says otherwise than what was sent, in code;",
    );
}

#[test]
fn a_statement_about_another_learner_is_found() {
    for about in [
        student("uni", "S2"),
        by_handle(2),
        by_handle(7),
        by_document(2),
    ] {
        let forged = recorded("A", Some(signed("k1", 1, about, "A")));
        found(
            bank(),
            forged,
            "SIGNATURE_MISMATCH: the signed statement says otherwise than what was sent, in learner;",
        );
    }
}

#[test]
fn a_key_that_nobody_registered_is_found() {
    let forged = recorded("A", Some(signed("k2", 1, student("uni", "S1"), "A")));
    found(bank(), forged, "SIGNING_KEY_UNKNOWN: uni has no key k2");
}

#[test]
fn a_key_outside_its_days_is_found() {
    let mut bank = bank();
    let until = codec::parse_date("2026-11-21");
    add(&mut bank, key("k2", 2, Span { from: None, until }));
    let forged = recorded("A", Some(signed("k2", 2, student("uni", "S1"), "A")));
    found(
        bank,
        forged,
        "SIGNING_KEY_ENDED: key k2 of uni may not be used: it signs what is recorded before 2026-11-21",
    );
}

#[test]
fn a_key_used_after_its_revocation_is_found() {
    let mut bank = bank();
    let ended = KeyRevocation {
        key_id: "k1".to_owned(),
        reason: "stolen".to_owned(),
    };
    bank.force(&[event("uni", None, Body::InstitutionKeyRevoked(ended))]);
    let forged = recorded("A", Some(signed("k1", 1, student("uni", "S1"), "A")));
    found(
        bank,
        forged,
        "SIGNING_KEY_ENDED: key k1 of uni may not be used: it was revoked at position 12",
    );
}

#[test]
fn a_missing_signature_is_found_where_one_is_required() {
    let mut bank = bank();
    let mut profile = crate::bank::institution("uni");
    profile.signatures_required = true;
    bank.act("", Action::UpdateInstitution(profile));
    found(
        bank,
        recorded("A", None),
        "SIGNATURE_REQUIRED: uni requires its signature",
    );
}

#[test]
fn a_statement_that_names_an_erased_identity_condemns_nobody() {
    let mut bank = bank();
    bank.act("uni", submitted(signed("k1", 1, student("uni", "S1"), "A")));
    let expected = bank.tip_revision(handle(1));
    let learner = handle(1);
    bank.act("", Action::EraseIdentity { learner, expected });
    // The registration and the link.
    bank.zero(7);
    bank.zero(8);
    let report = Image::of(&bank).verify();
    assert_eq!(report.findings_total, 0, "{report}");
    assert_eq!(report.admissions.resting_on_erased, 1, "{report}");
}
