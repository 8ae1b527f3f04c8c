//! That the tables show every reason for which a command can be refused.

use std::collections::BTreeSet;

use ledger::rejection::Violation;
use ledger::words::Level;
use ledger::{Date, InstitutionId, Position, Rejection, Revision};

use crate::table;

#[test]
fn the_tables_show_every_reason_that_a_command_can_meet() {
    let mut seen = BTreeSet::new();
    for name in table::ALL {
        let table = expect_test::expect_file![format!("tables/{name}.txt")].data();
        seen.extend(table::run(&table).reasons);
    }
    let all: BTreeSet<_> = every().iter().map(Rejection::reason).collect();
    let unseen: Vec<_> = all.difference(&seen).collect();
    // Events are out of place in histories that no command makes: see `out_of_place`.
    assert_eq!(unseen, [&"OUT_OF_PLACE"], "reasons that no table shows");
}

#[test]
fn nearly_every_command_is_decided_on_what_was_guessed_that_it_needs() {
    let (mut n_commands, mut n_guessed) = (0, 0);
    for name in table::ALL {
        let table = expect_test::expect_file![format!("tables/{name}.txt")].data();
        let answers = table::run(&table);
        n_commands += answers.n_commands;
        n_guessed += answers.n_guessed;
    }
    assert!(
        n_guessed * 100 >= n_commands * 95,
        "{n_guessed} of {n_commands}"
    );
}

#[test]
fn the_order_of_precedence_is_the_order_of_comparison() {
    let every = every();
    assert!(every.is_sorted(), "{every:#?}");
    let reasons: BTreeSet<_> = every.iter().map(Rejection::reason).collect();
    assert_eq!(reasons.len(), every.len(), "two rejections have one reason");
}

/// One of each, in order of precedence; [`next`] does not compile without a new one.
fn every() -> Vec<Rejection> {
    let first = Rejection::NotAllowed {
        allowed: "the operator",
    };
    std::iter::successors(Some(first), next).collect()
}

fn next(after: &Rejection) -> Option<Rejection> {
    let id = || -> InstitutionId { "uni".parse().unwrap() };
    let record_id = || "r1".to_owned();
    let day = Date::default();
    Some(match after {
        Rejection::NotAllowed { .. } => Rejection::UnknownInstitution { id: id() },
        Rejection::UnknownInstitution { .. } => Rejection::InstitutionSuspended { id: id() },
        Rejection::InstitutionSuspended { .. } => Rejection::InstitutionClosed {
            id: id(),
            successor: None,
        },
        Rejection::InstitutionClosed { .. } => Rejection::NotDelegated {
            issuer: id(),
            submitter: id(),
        },
        Rejection::NotDelegated { .. } => Rejection::RecordErased {
            record_id: record_id(),
        },
        Rejection::RecordErased { .. } => Rejection::Malformed(vec![Violation {
            field: "code".to_owned(),
            problem: "is required".to_owned(),
        }]),
        Rejection::Malformed(_) => Rejection::UnknownCode {
            field: "field",
            value: String::new(),
            vocabulary: "field",
        },
        Rejection::UnknownCode { .. } => Rejection::DatesContradict {
            earlier_field: "study_from",
            earlier: day,
            later_field: "awarded",
            later: day,
        },
        Rejection::DatesContradict { .. } => Rejection::DateInFuture {
            field: "awarded",
            date: day,
            today: day,
        },
        Rejection::DateInFuture { .. } => Rejection::OutOfScope {
            issuer: id(),
            what: "type",
        },
        Rejection::OutOfScope { .. } => Rejection::SignatureRequired { issuer: id() },
        Rejection::SignatureRequired { .. }
        | Rejection::SigningKeyUnknown { .. }
        | Rejection::SigningKeyEnded { .. }
        | Rejection::SignatureMismatch { .. }
        | Rejection::SignatureInvalid { .. } => return next_of_signatures(after),
        Rejection::UnknownLearner => Rejection::LearnerErased,
        Rejection::LearnerErased => Rejection::LearnerProvisional,
        Rejection::LearnerProvisional => Rejection::UnresolvedLearner,
        Rejection::UnresolvedLearner => Rejection::HandleTaken,
        Rejection::HandleTaken => Rejection::StaleRevision {
            expected: Revision(0),
            actual: Revision(1),
        },
        Rejection::StaleRevision { .. } => Rejection::UnknownRecord {
            issuer: id(),
            record_id: record_id(),
        },
        other => return next_of_records(other),
    })
}

fn next_of_signatures(after: &Rejection) -> Option<Rejection> {
    let id = || -> InstitutionId { "uni".parse().unwrap() };
    Some(match after {
        Rejection::SignatureRequired { .. } => Rejection::SigningKeyUnknown {
            issuer: id(),
            key_id: "k1".to_owned(),
        },
        Rejection::SigningKeyUnknown { .. } => Rejection::SigningKeyEnded {
            issuer: id(),
            key_id: "k1".to_owned(),
            revoked: None,
            from: None,
            until: None,
        },
        Rejection::SigningKeyEnded { .. } => Rejection::SignatureMismatch { field: "code" },
        Rejection::SignatureMismatch { .. } => Rejection::SignatureInvalid {
            issuer: id(),
            key_id: "k1".to_owned(),
        },
        Rejection::SignatureInvalid { .. } => Rejection::UnknownLearner,
        _ => return None,
    })
}

fn next_of_records(after: &Rejection) -> Option<Rejection> {
    let record_id = || "r1".to_owned();
    let position = Position(1);
    Some(match after {
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
            request_id: "q1".to_owned(),
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
            window_id: "w1".to_owned(),
            awarded: Date::default(),
            from: None,
            until: None,
        },
        Rejection::WindowFrozen { .. } => Rejection::DuplicateResult { position },
        other => return next_of_the_rest(other),
    })
}

fn next_of_the_rest(after: &Rejection) -> Option<Rejection> {
    let id = || -> InstitutionId { "uni".parse().unwrap() };
    let code = || "ects".to_owned();
    Some(match after {
        Rejection::DuplicateResult { .. } => Rejection::StudentNumberTaken,
        Rejection::StudentNumberTaken => Rejection::DocumentTaken { index: 0 },
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
            key_id: "k1".to_owned(),
            position: Position(1),
        },
        Rejection::SigningKeyExists { .. } => Rejection::ParentCircle { id: id() },
        Rejection::ParentCircle { .. } => Rejection::LevelWithdrawn {
            level: Level {
                framework: code(),
                code: code(),
            },
        },
        Rejection::LevelWithdrawn { .. } => Rejection::UnitKindChanged { code: code() },
        Rejection::UnitKindChanged { .. } => Rejection::UnknownCodeList { code: code() },
        Rejection::UnknownCodeList { .. } => Rejection::OutOfPlace {
            problem: "an example",
        },
        _ => return None,
    })
}
