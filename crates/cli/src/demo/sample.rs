//! The sample, embedded: `ledger-data/sample` as this program was built with it.
//!
//! Apart from loading because the program must show itself on a machine that has nothing but the
//! program.

use crate::error::Failure;
use crate::lines;
use crate::wire::{Achievement, RegisterLearner, RegistryFile, Text};

const INSTITUTIONS: &str = include_str!("../../../../ledger-data/sample/institutions.toml");
const COURSES: &str = include_str!("../../../../ledger-data/sample/courses.toml");
const WINDOWS: &str = include_str!("../../../../ledger-data/sample/windows.toml");
const LEARNERS: &str = include_str!("../../../../ledger-data/sample/learners.jsonl");
const ACHIEVEMENTS: &str = include_str!("../../../../ledger-data/sample/achievements.jsonl");

/// Everybody and everything in the sample.
pub(super) struct Cast {
    /// Institutions with delegations, courses, windows.
    pub(super) registry: RegistryFile,
    /// Learners.
    pub(super) learners: Vec<RegisterLearner>,
    /// Achievements, in order.
    pub(super) achievements: Vec<Achievement>,
}

impl Cast {
    /// Reads what was embedded.
    ///
    /// # Errors
    ///
    /// [`Failure::Unexpected`] when it does not read; a test says that it does.
    pub(super) fn read() -> Result<Self, Failure> {
        Ok(Self {
            registry: RegistryFile {
                course: tables(COURSES)?.course,
                window: tables(WINDOWS)?.window,
                ..tables(INSTITUTIONS)?
            },
            learners: all(LEARNERS)?,
            achievements: all(ACHIEVEMENTS)?,
        })
    }

    /// A record of the sample.
    ///
    /// # Errors
    ///
    /// [`Failure::Unexpected`] when the sample has no such record.
    pub(super) fn achievement(
        &self,
        issuer_id: &str,
        record_id: &str,
    ) -> Result<Achievement, Failure> {
        let is = |a: &&Achievement| a.issuer_id == issuer_id && a.record_id == record_id;
        self.achievements.iter().find(is).cloned().ok_or_else(|| {
            Failure::Unexpected(format!(
                "the sample has no record {record_id} of {issuer_id}"
            ))
        })
    }
}

/// The institution that submits for another one, as the sample's README has it.
pub(super) fn submitter(issuer_id: &str) -> &str {
    match issuer_id {
        "village-school" | "township-school" => "county-school",
        other => other,
    }
}

/// All names of somebody: 样春兰 (Chunlan Sample).
pub(super) fn names(names: &[Text]) -> String {
    match names {
        [] => "somebody".to_owned(),
        [only] => only.value.clone(),
        [first, second, ..] => format!("{} ({})", first.value, second.value),
    }
}

fn tables(text: &str) -> Result<RegistryFile, Failure> {
    toml::from_str(text).map_err(|error| Failure::Unexpected(format!("the sample: {error}")))
}

fn all<T: serde::de::DeserializeOwned>(text: &str) -> Result<Vec<T>, Failure> {
    let read = |line| lines::parse(line);
    let all: Result<Vec<T>, lines::Unreadable> = text.lines().map(read).collect();
    all.map_err(|problem| Failure::Unexpected(format!("the sample: {problem}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sample_reads() {
        let cast = Cast::read().unwrap();
        let registry = &cast.registry;
        assert_eq!(registry.institution.len(), 9);
        assert_eq!(registry.delegation.len(), 3);
        assert!(!registry.course.is_empty() && !registry.window.is_empty());
        assert_eq!((cast.learners.len(), cast.achievements.len()), (60, 460));
        assert!(
            cast.achievement("hill-university", "2021S-ST210-00024")
                .is_ok()
        );
    }
}
