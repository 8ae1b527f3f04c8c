//! Findings: what is wrong, where, what was expected and what is there.
//!
//! Apart from the report because every check makes them, and because the report keeps only so many: the
//! first ones by position, whichever pass over the ledger met them.

use std::collections::BTreeSet;
use std::fmt;

use serde::Serialize;

use crate::invariants::Broken;

/// How many findings a report names; the others are counted.
pub const FINDINGS_MAX: usize = 100;

/// Where something is wrong. What does not apply is left out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Place {
    /// Position of the record; of the next one expected when none can be read there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub position: Option<u64>,
    /// Number of the segment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub segment: Option<u64>,
    /// Offset in bytes, in that segment, of the block or of the bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offset: Option<u64>,
}

impl Place {
    /// A record in the block at `offset` of `segment`.
    #[must_use]
    pub fn new(position: u64, segment: u64, offset: u64) -> Place {
        Place {
            position: Some(position),
            segment: Some(segment),
            offset: Some(offset),
        }
    }

    /// A record, wherever it lies.
    #[must_use]
    pub fn position(position: u64) -> Place {
        Place {
            position: Some(position),
            ..Place::default()
        }
    }

    /// What belongs to no position comes last.
    fn rank(&self) -> [u64; 3] {
        [self.position, self.segment, self.offset].map(|part| part.unwrap_or(u64::MAX))
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = [
            ("position", self.position),
            ("segment", self.segment),
            ("byte", self.offset),
        ];
        let mut separator = "";
        for (word, number) in parts {
            if let Some(number) = number {
                write!(f, "{separator}{word} {number}")?;
                separator = ", ";
            }
        }
        if separator.is_empty() {
            f.write_str("the data directory")
        } else {
            Ok(())
        }
    }
}

/// Something that is not as it must be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Where.
    #[serde(flatten)]
    pub place: Place,
    /// The invariant that is broken: the name of a function in [`crate::invariants`].
    pub invariant: &'static str,
    /// What should be there.
    pub expected: String,
    /// What is there.
    pub found: String,
}

impl Finding {
    pub(crate) fn new(place: Place, broken: Broken) -> Finding {
        let Broken {
            invariant,
            expected,
            found,
        } = broken;
        Finding {
            place,
            invariant,
            expected,
            found,
        }
    }

    fn rank(&self) -> ([u64; 3], &str, &str, &str) {
        (
            self.place.rank(),
            self.invariant,
            &self.expected,
            &self.found,
        )
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "at {}", self.place)?;
        writeln!(f, "  broken:   {}", self.invariant.replace('_', " "))?;
        writeln!(f, "  expected: {}", self.expected)?;
        write!(f, "  found:    {}", self.found)
    }
}

impl Ord for Finding {
    fn cmp(&self, other: &Finding) -> std::cmp::Ordering {
        self.rank().cmp(&other.rank())
    }
}

impl PartialOrd for Finding {
    fn partial_cmp(&self, other: &Finding) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

/// The first so many of what was put in, in order, and how many there were.
#[derive(Debug)]
pub(crate) struct First<T> {
    kept: BTreeSet<T>,
    total: u64,
}

impl<T: Ord> First<T> {
    pub(crate) fn new() -> First<T> {
        First {
            kept: BTreeSet::new(),
            total: 0,
        }
    }

    pub(crate) fn put(&mut self, item: T) {
        self.total = self.total.saturating_add(1);
        self.kept.insert(item);
        if self.kept.len() > FINDINGS_MAX {
            self.kept.pop_last();
        }
    }

    pub(crate) fn merge(&mut self, other: First<T>) {
        self.total = self.total.saturating_add(other.total);
        self.kept.extend(other.kept);
        while self.kept.len() > FINDINGS_MAX {
            self.kept.pop_last();
        }
    }

    pub(crate) fn total(&self) -> u64 {
        self.total
    }

    pub(crate) fn into_sorted(self) -> Vec<T> {
        self.kept.into_iter().collect()
    }
}
