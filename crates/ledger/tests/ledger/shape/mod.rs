//! What is refused as malformed: tables of things, and what is said of each.

mod achievement;
mod learner;
mod registry;

use ledger::words::Text;
use ledger::{Date, InstitutionId, Violation};

pub(crate) fn id(text: &str) -> InstitutionId {
    text.parse().unwrap()
}

pub(crate) fn day(text: &str) -> Date {
    ledger::codec::parse_date(text).unwrap()
}

pub(crate) fn text(value: &str) -> Text {
    Text {
        value: value.to_owned(),
        language: "en".to_owned(),
    }
}

/// The violations, one a line.
pub(crate) fn said(violations: &[Violation]) -> String {
    violations
        .iter()
        .map(|violation| format!("{violation}\n"))
        .collect()
}

/// A heading and the violations below it, for each.
pub(crate) fn listed(cases: Vec<(&str, Vec<Violation>)>) -> String {
    cases
        .iter()
        .map(|(what, violations)| format!("{what}:\n{}", said(violations)))
        .collect()
}
