//! The head: how many records a ledger has, and the chain hash of the last one.
//!
//! Apart from `block` because it is also what an auditor writes down and compares years later.

use std::fmt;
use std::str::FromStr;

use crate::error::ParseError;
use crate::hash::Hash;
use crate::position::Position;

/// The state of the chain after its last record. Text form: `SIZE:HASH`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Head {
    /// How many records there are; also the position of the next one.
    pub size: u64,
    /// The chain hash of the record at `size - 1`; zero when there is none.
    pub hash: Hash,
}

impl Head {
    /// The head of a ledger without records.
    pub const EMPTY: Head = Head {
        size: 0,
        hash: Hash::ZERO,
    };

    /// The position that the next record will have.
    #[must_use]
    pub fn next_position(&self) -> Position {
        Position(self.size)
    }

    /// Invariant: the hash is zero exactly when there are no records.
    #[must_use]
    pub fn is_consistent(&self) -> bool {
        (self.size == 0) == self.hash.is_zero()
    }
}

impl fmt::Display for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.size, self.hash)
    }
}

impl FromStr for Head {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Head, ParseError> {
        let (size_text, hash_text) = text.split_once(':').ok_or(ParseError::HeadSeparator)?;
        let size: u64 = size_text.parse().map_err(|_| ParseError::HeadSize)?;
        if size.to_string() != size_text {
            // "+5" and "007" parse, but a head has one spelling.
            return Err(ParseError::HeadSize);
        }
        let head = Head {
            size,
            hash: hash_text.parse()?,
        };
        if head.is_consistent() {
            Ok(head)
        } else {
            Err(ParseError::HeadZero { size })
        }
    }
}
