//! The whole table of refusals, printed, so that a change of a code or a sentence is seen in review.

use std::fmt::Write;

use expect_test::expect_file;
use ledger::words::Level;
use ledger::{Date, InstitutionId, Position, Revision};

use super::*;
use crate::clock::ClockJumped;

/// The rejection after this one in order of declaration; `None` after the last.
///
/// Exhaustive, so that a new rejection cannot be forgotten here.
#[allow(clippy::too_many_lines, reason = "one line for each rejection")]
fn next(rejection: &Rejection) -> Option<Rejection> {
    let id = || "college-a".parse::<InstitutionId>().unwrap();
    let record_id = || "r-1".to_owned();
    let position = Position(41);
    let day = |day| Date::from_ymd_opt(2026, 7, day).unwrap();
    Some(match rejection {
        Rejection::NotAllowed { .. } => Rejection::UnknownInstitution { id: id() },
        Rejection::UnknownInstitution { .. } => Rejection::InstitutionSuspended { id: id() },
        Rejection::InstitutionSuspended { .. } => Rejection::InstitutionClosed {
            id: id(),
            successor: "college-b".parse().ok(),
        },
        Rejection::InstitutionClosed { .. } => Rejection::NotDelegated {
            issuer: id(),
            submitter: "college-b".parse().unwrap(),
        },
        Rejection::NotDelegated { .. } => Rejection::RecordErased {
            record_id: record_id(),
        },
        Rejection::RecordErased { .. } => Rejection::Malformed(vec![
            Violation {
                field: "size.amount".to_owned(),
                problem: "is negative".to_owned(),
            },
            Violation {
                field: "titles".to_owned(),
                problem: "is required".to_owned(),
            },
        ]),
        Rejection::Malformed(_) => Rejection::UnknownCode {
            field: "size.unit",
            value: "ETCS".to_owned(),
            vocabulary: "credit unit",
        },
        Rejection::UnknownCode { .. } => Rejection::DatesContradict {
            earlier_field: "study_until",
            earlier: day(2),
            later_field: "awarded",
            later: day(1),
        },
        Rejection::DatesContradict { .. } => Rejection::DateInFuture {
            field: "awarded",
            date: day(2),
            today: day(1),
        },
        Rejection::DateInFuture { .. } => Rejection::OutOfScope {
            issuer: id(),
            what: "level",
        },
        Rejection::OutOfScope { .. } => Rejection::SignatureRequired { issuer: id() },
        Rejection::SignatureRequired { .. } => Rejection::SigningKeyUnknown {
            issuer: id(),
            key_id: "2026".to_owned(),
        },
        Rejection::SigningKeyUnknown { .. } => Rejection::SigningKeyEnded {
            issuer: id(),
            key_id: "2026".to_owned(),
            revoked: None,
            from: Some(day(1)),
            until: Some(day(31)),
        },
        Rejection::SigningKeyEnded { .. } => Rejection::SignatureMismatch { field: "code" },
        Rejection::SignatureMismatch { .. } => Rejection::SignatureInvalid {
            issuer: id(),
            key_id: "2026".to_owned(),
        },
        Rejection::SignatureInvalid { .. } => Rejection::UnknownLearner,
        Rejection::UnknownLearner => Rejection::LearnerErased,
        Rejection::LearnerErased => Rejection::LearnerProvisional,
        Rejection::LearnerProvisional => Rejection::UnresolvedLearner,
        Rejection::UnresolvedLearner => Rejection::HandleTaken,
        Rejection::HandleTaken => Rejection::StaleRevision {
            expected: Revision(3),
            actual: Revision(5),
        },
        Rejection::StaleRevision { .. } => Rejection::UnknownRecord {
            issuer: id(),
            record_id: record_id(),
        },
        Rejection::UnknownRecord { .. } => Rejection::RecordOfOtherLearner {
            record_id: record_id(),
            position,
        },
        Rejection::RecordOfOtherLearner { .. } => Rejection::RecordRevoked {
            record_id: record_id(),
            position,
        },
        Rejection::RecordRevoked { .. } => Rejection::RecordIdReused {
            record_id: record_id(),
            position,
        },
        Rejection::RecordIdReused { .. } => Rejection::RequestIdReused {
            request_id: "q-1".to_owned(),
            position,
        },
        Rejection::RequestIdReused { .. } => Rejection::RecordSuspended {
            record_id: record_id(),
            position,
        },
        Rejection::RecordSuspended { .. } => Rejection::RecordNotSuspended {
            record_id: record_id(),
        },
        Rejection::RecordNotSuspended { .. } => Rejection::AlreadyWithLearner {
            record_id: record_id(),
        },
        Rejection::AlreadyWithLearner { .. } => Rejection::WindowFrozen {
            window_id: "summer".to_owned(),
            awarded: day(1),
            from: Some(day(2)),
            until: None,
        },
        Rejection::WindowFrozen { .. } => Rejection::DuplicateResult { position },
        Rejection::DuplicateResult { .. } => Rejection::StudentNumberTaken,
        Rejection::StudentNumberTaken => Rejection::DocumentTaken { index: 1 },
        Rejection::DocumentTaken { .. } => Rejection::NotLinked,
        Rejection::NotLinked => Rejection::SameLearner,
        Rejection::SameLearner => Rejection::NotMerged,
        Rejection::NotMerged => Rejection::IntoProvisional,
        Rejection::IntoProvisional => Rejection::InstitutionExists { id: id() },
        Rejection::InstitutionExists { .. } => Rejection::InstitutionStateUnchanged {
            id: id(),
            state: "closed",
        },
        Rejection::InstitutionStateUnchanged { .. } => Rejection::SigningKeyExists {
            issuer: id(),
            key_id: "2026".to_owned(),
            position,
        },
        Rejection::SigningKeyExists { .. } => Rejection::ParentCircle { id: id() },
        Rejection::ParentCircle { .. } => {
            let level = Level {
                framework: "eqf".to_owned(),
                code: "6".to_owned(),
            };
            Rejection::LevelWithdrawn { level }
        }
        Rejection::LevelWithdrawn { .. } => Rejection::UnitKindChanged {
            code: "ects".to_owned(),
        },
        Rejection::UnitKindChanged { .. } => Rejection::UnknownCodeList {
            code: "colours".to_owned(),
        },
        Rejection::UnknownCodeList { .. } => Rejection::OutOfPlace {
            problem: "an example",
        },
        Rejection::OutOfPlace { .. } => return None,
    })
}

fn every_rejection() -> impl Iterator<Item = Rejection> {
    std::iter::successors(
        Some(Rejection::NotAllowed {
            allowed: "the operator",
        }),
        next,
    )
}

fn line(table: &mut String, explanation: &Explanation) {
    let Explanation {
        code,
        reason,
        sentence,
        metadata,
        ..
    } = explanation;
    writeln!(table, "{reason} -> {code:?}\n    {sentence}").unwrap();
    for violation in &explanation.violations {
        writeln!(
            table,
            "    field {}: {}",
            violation.field, violation.problem
        )
        .unwrap();
    }
    let metadata: Vec<String> = metadata
        .iter()
        .map(|(key, value)| format!("{key}={value}"))
        .collect();
    if !metadata.is_empty() {
        writeln!(table, "    {}", metadata.join(" ")).unwrap();
    }
}

#[test]
fn every_refusal_reads() {
    let mut table = "The ledger's rejections, in order of precedence\n\n".to_owned();
    for rejection in every_rejection() {
        line(&mut table, &Explanation::from(&rejection));
    }
    table.push_str("\nLimits of the server\n\n");
    for exceeded in [
        Exceeded::BatchRecords {
            count: 1_001,
            max: 1_000,
        },
        Exceeded::AchievementBytes {
            bytes: 16_385,
            max: 16_384,
        },
    ] {
        line(&mut table, &Explanation::from(exceeded));
    }
    table.push_str("\nFaults\n\n");
    let corruption = store::Corruption {
        position: chain::Position(7),
        expected: "a checksum".to_owned(),
        found: "another".to_owned(),
    };
    let by = Duration::from_secs(3_600);
    for fault in [
        EngineFault::NoSpace(store::AppendError::Full {
            source: "no space".into(),
        }),
        EngineFault::Overloaded,
        EngineFault::Stopped {
            reason: "a write failed".to_owned(),
        },
        EngineFault::Clock(ClockJumped { by, forward: true }),
        EngineFault::Store(store::Fault::Corruption(corruption)),
        EngineFault::NotOpened,
        EngineFault::Store(store::Fault::Stopped {
            reason: "a write failed".to_owned(),
        }),
    ] {
        line(&mut table, &Explanation::from(&fault));
    }
    expect_file!["../snapshots/refusals.txt"].assert_eq(&table);
}

#[test]
fn the_table_is_in_order_of_precedence() {
    assert!(every_rejection().is_sorted());
}

#[test]
fn only_a_taken_name_is_already_exists() {
    let taken: Vec<&str> = every_rejection()
        .filter(|rejection| code(rejection) == Code::AlreadyExists)
        .map(|rejection| rejection.reason())
        .collect();
    let expected = [
        "RECORD_OF_OTHER_LEARNER",
        "RECORD_ID_REUSED",
        "REQUEST_ID_REUSED",
        "INSTITUTION_EXISTS",
        "SIGNING_KEY_EXISTS",
    ];
    assert_eq!(taken, expected);
}

#[test]
fn a_status_carries_what_a_record_error_carries() {
    let rejection = Rejection::Malformed(vec![Violation {
        field: "size.amount".to_owned(),
        problem: "is negative".to_owned(),
    }]);
    let status = rejected(&rejection);
    let details = status.get_error_details();
    let info = details.error_info().unwrap();
    assert_eq!(
        (info.reason.as_str(), info.domain.as_str()),
        ("MALFORMED", DOMAIN)
    );
    let fields = &details.bad_request().unwrap().field_violations;
    assert_eq!(fields[0].field, "size.amount");
    let error = Explanation::from(&rejection).record_error();
    assert_eq!(error.reason, info.reason);
    assert_eq!(error.message, status.message());
    assert_eq!(error.code, i32::from(status.code()));
    assert_eq!(error.field, "size.amount");
}

#[test]
fn a_status_fits_into_a_header() {
    let violation = |idx| Violation {
        field: format!("titles[{idx}]"),
        problem: "字".repeat(5_000),
    };
    let status = rejected(&Rejection::Malformed((0..500).map(violation).collect()));
    assert!(
        status.details().len() < 12 * 1_024,
        "{}",
        status.details().len()
    );
    assert!(status.message().len() < 3 * 1_024);
    let retry = faulted(&EngineFault::Overloaded).get_error_details();
    assert!(retry.retry_info().is_some());
}
