//! Where and when: the global index of a record and the microsecond it was recorded.
//!
//! Apart from `ids` because these are counted, not drawn: they order the ledger.

use std::fmt;

/// Global index of a record, from 0, without gaps (`ledger-data/README.md` section 3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position(pub u64);

impl Position {
    /// The position after this one, or `None` at the end of the number range.
    #[must_use]
    pub fn next(self) -> Option<Position> {
        self.0.checked_add(1).map(Position)
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl From<u64> for Position {
    fn from(index: u64) -> Position {
        Position(index)
    }
}

/// Microseconds since the Unix epoch, UTC, without leap seconds (`ledger-data/README.md` section 3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(pub u64);

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}
