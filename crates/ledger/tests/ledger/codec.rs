//! One event has one encoding, and bytes that are not an encoding are refused.

use ledger::codec::{self, CodecError};
use ledger::event::{Counterpart, InstitutionStatus, LearnerErased, erasure_covers};
use ledger::{Body, Event, EventKind, Handle};
use proptest::prelude::{any, prop_assert, prop_assert_eq, proptest};

use crate::sample_events::{KINDS, event_of_kind, events, nth_event, nth_signed};

fn decode(event: &Event, body: &[u8]) -> Result<Event, CodecError> {
    let kind = codec::number_of(event.body.kind());
    let (issuer, submitter) = (event.issuer.as_str(), event.submitter.as_str());
    codec::decode(kind, issuer, submitter, event.learner, body)
}

fn decode_kind(kind: EventKind, learner: Option<Handle>, body: &[u8]) -> Result<Event, CodecError> {
    codec::decode(codec::number_of(kind), "a", "b", learner, body)
}

const LEARNER: Option<Handle> = Some(Handle([7; 16]));

proptest! {
    #[test]
    fn an_event_survives_encoding(event in events()) {
        let body = codec::encode(&event.body);
        prop_assert_eq!(decode(&event, &body), Ok(event));
    }

    #[test]
    fn a_glance_at_an_achievement_sees_its_code_and_day(event in events()) {
        if let Body::AchievementRecorded(content) = &event.body {
            let seen = codec::glance(&codec::encode(&event.body));
            prop_assert_eq!(seen, Ok((content.achievement.code.clone(), content.achievement.awarded)));
            let name = codec::glance_record_id(&codec::encode(&event.body));
            prop_assert_eq!(name, Ok(content.achievement.record_id.clone()));
        }
    }

    #[test]
    fn other_bytes_are_refused_or_another_event(
        event in events(),
        at in any::<proptest::sample::Index>(),
        flip in 1_u8..=255,
    ) {
        let mut body = codec::encode(&event.body);
        if !body.is_empty() {
            let at = at.index(body.len());
            body[at] ^= flip;
            if let Ok(other) = decode(&event, &body) {
                prop_assert!(other != event);
                prop_assert_eq!(codec::encode(&other.body), body);
            }
        }
    }

    #[test]
    fn unknown_fields_and_cut_bodies_are_refused(event in events(), cut in any::<proptest::sample::Index>()) {
        let mut body = codec::encode(&event.body);
        if !body.is_empty() {
            let cut = &body[..cut.index(body.len())];
            if let Ok(other) = decode(&event, cut) {
                prop_assert!(other != event);
                prop_assert_eq!(codec::encode(&other.body), cut);
            }
        }
        // Field 1000, a varint.
        body.extend([0xC0, 0x3E, 0x01]);
        prop_assert_eq!(decode(&event, &body), Err(CodecError::NotCanonical));
    }

    #[test]
    fn arbitrary_bytes_never_panic(
        kind in any::<u16>(),
        small in 0_u16..60,
        body in proptest::collection::vec(any::<u8>(), 0..80),
    ) {
        for kind in [kind, small] {
            for learner in [None, LEARNER] {
                if let Ok(event) = codec::decode(kind, "a", "", learner, &body) {
                    prop_assert_eq!(codec::encode(&event.body), body.clone());
                }
            }
        }
    }
}

/// Encodings are for ever: what is hashed must not change with a library or a refactoring.
#[test]
fn the_encodings_of_ten_thousand_events_are_pinned() {
    let mut hasher = blake3::Hasher::new();
    for n in 0..10_000 {
        let event = nth_event(n);
        let body = codec::encode(&event.body);
        assert_eq!(decode(&event, &body).as_ref(), Ok(&event), "event {n}");
        hasher.update(&codec::number_of(event.body.kind()).to_be_bytes());
        hasher.update(&u64::try_from(body.len()).unwrap().to_be_bytes());
        hasher.update(&body);
    }
    expect_test::expect![["5098f07b178aacaa03de6c286d865c5453f0b4187654840ebb0ce29001ea1eff"]]
        .assert_eq(hasher.finalize().to_hex().as_str());
}

#[test]
fn the_encodings_of_what_is_signed_are_pinned() {
    let mut hasher = blake3::Hasher::new();
    for n in 0..2_000 {
        let event = nth_signed(n);
        let body = codec::encode(&event.body);
        assert_eq!(decode(&event, &body).as_ref(), Ok(&event), "event {n}");
        hasher.update(&codec::number_of(event.body.kind()).to_be_bytes());
        hasher.update(&u64::try_from(body.len()).unwrap().to_be_bytes());
        hasher.update(&body);
    }
    expect_test::expect!["579d8a496b8edb808183c6b7de7f083eb2ef73f3d87433a78a2f707061b2ea2e"]
        .assert_eq(hasher.finalize().to_hex().as_str());
}

#[test]
fn every_kind_has_a_number_and_a_sample() {
    let mut kinds: Vec<u16> = (0..KINDS)
        .map(|kind| codec::number_of(event_of_kind(kind).body.kind()))
        .collect();
    kinds.sort();
    let known: Vec<u16> = (0..=u16::MAX)
        .filter(|n| codec::kind_of(*n).is_ok())
        .collect();
    assert_eq!(kinds, known);
}

#[test]
fn the_leaf_must_fit_the_kind() {
    let link = [0x0A, 0x06, 0x0A, 0x01, b'a', 0x12, 0x01, b'1'];
    assert!(decode_kind(EventKind::IdentityLinked, LEARNER, &link).is_ok());
    let kind = EventKind::IdentityLinked;
    let missing = decode_kind(kind, None, &link);
    assert_eq!(missing, Err(CodecError::LearnerMissing { kind }));
    let zero = decode_kind(kind, Some(Handle([0; 16])), &link);
    assert_eq!(zero, Err(CodecError::Handle { field: "learner" }));
    let kind = EventKind::FrameworkPublished;
    let unexpected = decode_kind(kind, LEARNER, &[]);
    assert_eq!(unexpected, Err(CodecError::LearnerUnexpected { kind }));
    for kind in [0, 2, 9, 23, 40, 57, u16::MAX] {
        let unknown = codec::decode(kind, "a", "b", LEARNER, &[]);
        assert_eq!(unknown, Err(CodecError::UnknownKind { kind }));
    }
    for (issuer, submitter, field) in [("a b", "b", "issuer"), ("a", "é", "submitter")] {
        let refused = codec::decode(32, issuer, submitter, LEARNER, &link);
        assert_eq!(refused, Err(CodecError::Institution { field }));
    }
}

#[test]
#[allow(clippy::too_many_lines, reason = "a table")]
fn what_a_body_lacks_or_misstates_is_named() {
    let status = |successor: bool| InstitutionStatus {
        institution: "a".parse().unwrap(),
        reason: "why".to_owned(),
        successor: successor.then(|| "b".parse().unwrap()),
    };
    let closed = codec::encode(&Body::InstitutionClosed(status(true)));
    let short_handle = [0x0A, 0x02, 1, 2];
    let zero_handle = [&[0x0A, 16][..], &[0; 16]].concat();
    let other = Counterpart {
        learner: Handle([9; 16]),
        reason: String::new(),
    };
    let merged = codec::encode(&Body::LearnerMerged(other));
    let short_key = [0x0A, 0x01, 1];
    // An achievement without an origin, or with a size of 2^63.
    let origin = [0x0A, 0x02, 0x70, 0x01];
    let huge = [
        0x0A, 0x0F, 0x2A, 0x0B, 0x08, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01,
        0x50, 0x01,
    ];
    let long_date = [
        0x0A, 0x09, 0x1A, 0x07, b'2', b'0', b'2', b'6', b'-', b'1', b'1',
    ];
    let table: [(EventKind, &[u8], &str); 14] = [
        (
            EventKind::InstitutionSuspended,
            &closed,
            "successor_id does not belong here",
        ),
        (
            EventKind::InstitutionClosed,
            &[],
            "institution_id is no institution id",
        ),
        (
            EventKind::InstitutionDelegated,
            &[],
            "delegate_id is no institution id",
        ),
        (
            EventKind::CreditUnitPublished,
            &[],
            "kind is unspecified or unknown",
        ),
        (
            EventKind::LedgerOpened,
            &[],
            "ledger_id has not its fixed length",
        ),
        (EventKind::LearnerRegistered, &[], "opening is missing"),
        (
            EventKind::LearnerUpdated,
            &long_date,
            "birth_date is no date",
        ),
        (
            EventKind::LearnerMerged,
            &short_handle,
            "learner is no learner handle",
        ),
        (
            EventKind::LearnerMerged,
            &zero_handle,
            "learner is no learner handle",
        ),
        (
            EventKind::LearnerErased,
            &short_key,
            "suppressed has not its fixed length",
        ),
        (
            EventKind::AchievementRecorded,
            &[],
            "achievement is missing",
        ),
        (
            EventKind::AchievementRecorded,
            &origin,
            "origin is unspecified or unknown",
        ),
        (
            EventKind::AchievementRecorded,
            &huge,
            "size.thousandths is above the limit",
        ),
        (
            EventKind::LearnerIdentityErased,
            &merged,
            "the body is not encoded canonically",
        ),
    ];
    for (kind, body, problem) in table {
        let learner = LEARNER.filter(|_| codec::is_about_learner(kind));
        let error = decode_kind(kind, learner, body)
            .map(|event| event.body)
            .unwrap_err();
        assert_eq!(error.to_string(), problem, "{kind:?}");
    }
}

#[test]
fn only_the_canonical_form_of_a_message_is_taken() {
    let erased = LearnerErased {
        suppressed: Vec::new(),
    };
    assert_eq!(codec::encode(&Body::LearnerErased(erased)), []);
    // Fields out of order; a default written out; a length in more bytes than it needs; a span without
    // bounds; a field given twice.
    let table: [(EventKind, &[u8]); 5] = [
        (
            EventKind::FrameworkPublished,
            &[0x12, 0x01, b't', 0x0A, 0x01, b'c'],
        ),
        (
            EventKind::FrameworkPublished,
            &[0x0A, 0x01, b'c', 0x12, 0x00],
        ),
        (EventKind::FrameworkPublished, &[0x0A, 0x81, 0x00, b'c']),
        (
            EventKind::IntakeWindowPublished,
            &[0x0A, 0x01, b'w', 0x1A, 0x00],
        ),
        (
            EventKind::FrameworkPublished,
            &[0x0A, 0x01, b'b', 0x0A, 0x01, b'c'],
        ),
    ];
    for (kind, body) in table {
        assert_eq!(
            decode_kind(kind, None, body),
            Err(CodecError::NotCanonical),
            "{body:?}"
        );
    }
    assert!(decode_kind(EventKind::FrameworkPublished, None, &[0x0A, 0x01, b'c']).is_ok());
}

#[test]
fn dates_have_one_form() {
    for text in ["2026-11-21", "0000-01-01", "9999-12-31", "2024-02-29"] {
        assert_eq!(codec::parse_date(text).unwrap().to_string(), text);
    }
    for text in [
        "",
        "2026-1-2",
        "2026-11-1",
        "+2026-11-1",
        "-026-11-21",
        "2026-13-01",
        "2026-02-29",
        "20261121",
        "2026-11-21 ",
        "2026-11-2é",
        "１026-1-1",
        "10000-01-01",
    ] {
        assert_eq!(codec::parse_date(text), None, "{text}");
    }
}

#[test]
fn only_what_an_erasure_covers_may_be_erased() {
    for number in 0..60 {
        let erased = codec::erased(number, "a", "b", LEARNER);
        let Ok(kind) = codec::kind_of(number) else {
            assert_eq!(erased, Err(CodecError::UnknownKind { kind: number }));
            continue;
        };
        let erasable =
            codec::is_about_learner(kind) && erasure_covers(EventKind::LearnerErased, kind);
        match erased {
            Ok(event) => {
                assert!(erasable, "{kind:?}");
                assert_eq!(event.body, Body::Erased(kind));
                assert_eq!(codec::encode(&event.body), []);
            }
            Err(error) => {
                assert!(!erasable, "{kind:?}");
                assert_eq!(error, CodecError::NotErasable { kind });
            }
        }
    }
    let kind = EventKind::AchievementRecorded;
    let missing = codec::erased(codec::number_of(kind), "a", "b", None);
    assert_eq!(missing, Err(CodecError::LearnerMissing { kind }));
}
