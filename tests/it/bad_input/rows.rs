//! The table of single submissions that are refused: what is wrong, and what the client must see.

use api::v1::learner_reference::Reference;
use api::v1::*;
use tonic::Code;

use super::UNI;
use crate::bank::achievement;

/// One row: what is wrong, and what the client must see.
pub(super) struct Row {
    pub(super) what: &'static str,
    pub(super) identity: &'static str,
    pub(super) achievement: Achievement,
    pub(super) code: Code,
    pub(super) reason: &'static str,
    pub(super) field: &'static str,
}

fn row(
    what: &'static str,
    change: impl FnOnce(&mut Achievement),
    code: Code,
    reason: &'static str,
    field: &'static str,
) -> Row {
    let mut achievement = achievement("bad");
    change(&mut achievement);
    Row {
        what,
        identity: UNI,
        achievement,
        code,
        reason,
        field,
    }
}

pub(super) fn size(amount: &str, unit: &str) -> Option<Size> {
    Some(Size {
        amount: amount.into(),
        unit: unit.into(),
    })
}

fn level(framework: &str, code: &str) -> Option<Level> {
    Some(Level {
        framework: framework.into(),
        code: code.into(),
    })
}

#[allow(clippy::too_many_lines, reason = "a table, one row a mistake")]
pub(super) fn malformed() -> Vec<Row> {
    let no = |what, change: fn(&mut Achievement), field| {
        row(what, change, Code::InvalidArgument, "MALFORMED", field)
    };
    vec![
        no("no record id", |a| a.record_id.clear(), "record_id"),
        no(
            "record id too long",
            |a| a.record_id = "r".repeat(129),
            "record_id",
        ),
        no("no learner", |a| a.learner = None, "learner"),
        no("no type", |a| a.r#type.clear(), "type"),
        no(
            "a type that is no word",
            |a| a.r#type = "Lesson".into(),
            "type",
        ),
        no("no title", |a| a.titles.clear(), "titles"),
        no(
            "a title too long",
            |a| a.titles[0].value = "x".repeat(1_025),
            "titles[0].value",
        ),
        no(
            "a control character",
            |a| a.titles[0].value = "a\u{7}b".into(),
            "titles[0].value",
        ),
        no(
            "a line separator",
            |a| a.titles[0].value = "a\u{2028}b".into(),
            "titles[0].value",
        ),
        no(
            "a negative size",
            |a| a.size = size("-1", "ects"),
            "size.amount",
        ),
        no(
            "a size too precise",
            |a| a.size = size("1.2345", "ects"),
            "size.amount",
        ),
        no(
            "an absurd size",
            |a| a.size = size("100001", "ects"),
            "size.amount",
        ),
        no(
            "a size in words",
            |a| a.size = size("six", "ects"),
            "size.amount",
        ),
        no(
            "an exponent",
            |a| a.size = size("1e3", "ects"),
            "size.amount",
        ),
        no("no unit", |a| a.size = size("1", ""), "size.unit"),
        no("no date awarded", |a| a.awarded.clear(), "awarded"),
        no(
            "a date that is none",
            |a| a.awarded = "2025-02-29".into(),
            "awarded",
        ),
        no(
            "a date in another order",
            |a| a.awarded = "30/06/2025".into(),
            "awarded",
        ),
        no(
            "a date with a time",
            |a| a.awarded = "2025-06-30T00:00:00Z".into(),
            "awarded",
        ),
        no(
            "a date before 1900",
            |a| a.awarded = "0025-06-30".into(),
            "awarded",
        ),
        no("an unknown enum", |a| a.origin = 99, "origin"),
        no(
            "a handle that is none",
            |a| a.learner = handle("xyz"),
            "learner.handle",
        ),
        no(
            "transferred from nowhere",
            |a| a.origin = Origin::Transferred.into(),
            "source",
        ),
        no(
            "an institution id that is none",
            |a| a.issuer_id = "u n i".into(),
            "issuer_id",
        ),
    ]
}

fn handle(handle: &str) -> Option<LearnerReference> {
    Some(LearnerReference {
        reference: Some(Reference::Handle(handle.into())),
    })
}

pub(super) fn unknown_and_contradictory() -> Vec<Row> {
    let unknown = |what, change: fn(&mut Achievement), field| {
        row(what, change, Code::InvalidArgument, "UNKNOWN_CODE", field)
    };
    let dates = |what, change: fn(&mut Achievement), field| {
        row(
            what,
            change,
            Code::InvalidArgument,
            "DATES_CONTRADICT",
            field,
        )
    };
    vec![
        unknown(
            "framework",
            |a| a.level = level("nqf-atlantis", "6"),
            "level.framework",
        ),
        unknown("level", |a| a.level = level("eqf", "9"), "level.code"),
        unknown("unit", |a| a.size = size("1", "florins"), "size.unit"),
        unknown("field", |a| a.field = "9876".into(), "field"),
        unknown(
            "source kind",
            |a| a.source_kind = "hearsay".into(),
            "source_kind",
        ),
        dates(
            "study ends before it begins",
            |a| {
                a.study_from = "2025-05-01".into();
                a.study_until = "2025-04-01".into();
            },
            "study_from",
        ),
        dates(
            "awarded before study ends",
            |a| a.study_until = "2025-07-01".into(),
            "study_until",
        ),
        dates(
            "expiry before award",
            |a| a.expires = "2025-06-29".into(),
            "awarded",
        ),
        row(
            "in the future",
            |a| a.awarded = "2999-01-01".into(),
            Code::InvalidArgument,
            "DATE_IN_FUTURE",
            "awarded",
        ),
        row(
            "an unknown handle",
            |a| a.learner = handle("0123456789abcdef0123456789abcdef"),
            Code::NotFound,
            "UNKNOWN_LEARNER",
            "",
        ),
    ]
}

pub(super) fn who_may_not() -> Vec<Row> {
    let as_other = |what, identity, code, reason| Row {
        what,
        identity,
        achievement: Achievement {
            issuer_id: String::new(),
            learner: handle_of_nobody(),
            ..achievement("bad")
        },
        code,
        reason,
        field: "",
    };
    vec![
        as_other(
            "unknown institution",
            "institution:nowhere",
            Code::NotFound,
            "UNKNOWN_INSTITUTION",
        ),
        as_other(
            "suspended institution",
            "institution:suspended",
            Code::FailedPrecondition,
            "INSTITUTION_SUSPENDED",
        ),
        as_other(
            "out of scope",
            "institution:college",
            Code::FailedPrecondition,
            "OUT_OF_SCOPE",
        ),
        Row {
            achievement: Achievement {
                issuer_id: "uni".into(),
                ..achievement("bad")
            },
            ..as_other(
                "no delegation",
                "institution:college",
                Code::PermissionDenied,
                "NOT_DELEGATED",
            )
        },
    ]
}

/// A handle that no learner has; who may not submit is told before whom it is about.
fn handle_of_nobody() -> Option<LearnerReference> {
    handle("0123456789abcdef0123456789abcdef")
}
