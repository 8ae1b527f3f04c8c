//! What the checks of one or more passes have found so far.
//!
//! Apart from the report because it is bounded while it grows, and knows up to which head the ledger is
//! being verified: a running server adds records between two passes, and those are not this report's.

use crate::finding::{Finding, First, Place};
use crate::invariants::Holds;
use crate::report::{Admissions, Signatures};

/// Findings, notes and counts of what needs a learner's or the ledger's past.
#[derive(Debug)]
pub(crate) struct Gathered {
    /// Findings at later positions are dropped.
    pub(crate) limit: Option<u64>,
    pub(crate) findings: First<Finding>,
    pub(crate) notes: First<(u64, String)>,
    /// Where re-admission had to stop, and why: the first of all passes.
    pub(crate) stop: Option<(u64, &'static str)>,
    pub(crate) admissions: Admissions,
    pub(crate) signatures: Signatures,
    pub(crate) erased: u64,
}

impl Gathered {
    pub(crate) fn new() -> Gathered {
        Gathered::up_to(None)
    }

    /// For the passes that follow one that ended at this position.
    pub(crate) fn up_to(limit: Option<u64>) -> Gathered {
        Gathered {
            limit,
            findings: First::new(),
            notes: First::new(),
            stop: None,
            admissions: Admissions::default(),
            signatures: Signatures::default(),
            erased: 0,
        }
    }

    /// Whether records at this position are part of what is verified.
    pub(crate) fn covers(&self, position: u64) -> bool {
        self.limit.is_none_or(|limit| position < limit)
    }

    /// Keeps what is broken.
    pub(crate) fn check(&mut self, place: Place, holds: Holds) {
        if let Err(broken) = holds {
            self.find(Finding::new(place, broken));
        }
    }

    pub(crate) fn find(&mut self, finding: Finding) {
        if finding
            .place
            .position
            .is_none_or(|position| self.covers(position))
        {
            self.findings.put(finding);
        }
    }

    /// Keeps a note about what happens at a position.
    pub(crate) fn note(&mut self, position: u64, text: String) {
        self.notes.put((position, text));
    }

    /// Re-admission had to stop at a position.
    pub(crate) fn stop(&mut self, position: u64, why: &'static str) {
        let stop = (position, why);
        self.stop = Some(self.stop.map_or(stop, |before| before.min(stop)));
    }

    /// Adds what was found elsewhere at the same time.
    pub(crate) fn merge(&mut self, other: Gathered) {
        self.findings.merge(other.findings);
        self.notes.merge(other.notes);
        if let Some((position, why)) = other.stop {
            self.stop(position, why);
        }
        self.admissions.add(other.admissions);
        self.signatures.add(other.signatures);
        self.erased = self.erased.saturating_add(other.erased);
    }

    /// The notes, in order of position.
    pub(crate) fn notes(&mut self) -> Vec<String> {
        if let Some((position, why)) = self.stop.take() {
            let note = format!("re-admission stops at position {position}: {why}");
            self.note(position, note);
        }
        let notes = std::mem::replace(&mut self.notes, First::new());
        notes
            .into_sorted()
            .into_iter()
            .map(|(_, text)| text)
            .collect()
    }
}
