//! Identifiers and numbers as newtypes, so that none is taken for another.
//!
//! The chain has types of the same names for what it hashes; these are the business's own, because the
//! ledger does not know that it is hashed. Verifier and server convert where they join the two.

use std::fmt;

/// Index of an event in the ledger, from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Position(pub u64);

/// Index of an event within one learner's history, from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Revision(pub u64);

/// A time in microseconds since the Unix epoch, UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(pub u64);

/// A calendar date.
pub type Date = chrono::NaiveDate;

impl Timestamp {
    /// The calendar date in UTC; the last representable one when beyond the calendar.
    #[must_use]
    pub fn date(self) -> Date {
        self.date_at_offset(0)
    }

    /// The calendar date in UTC+14, where it is latest on Earth: what lies after it is in the future
    /// for everyone.
    #[must_use]
    pub fn date_latest(self) -> Date {
        self.date_at_offset(14 * 3600)
    }

    fn date_at_offset(self, offset_s: u64) -> Date {
        let days = (self.0 / 1_000_000).saturating_add(offset_s) / 86_400;
        let epoch = Date::default();
        epoch
            .checked_add_days(chrono::Days::new(days))
            .unwrap_or(Date::MAX)
    }
}

/// A learner's random id: 128 random bits, never zero.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Handle(pub [u8; 16]);

impl fmt::Display for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // In one piece, because every answer about a record names its learner.
        let digit = |nibble: u8| match nibble {
            0..=9 => b'0' + nibble,
            _ => b'a' + nibble - 10,
        };
        let digits = self.0.map(|byte| [digit(byte >> 4), digit(byte & 15)]);
        f.write_str(std::str::from_utf8(digits.as_flattened()).map_err(|_| fmt::Error)?)
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Handle({self})")
    }
}

impl std::str::FromStr for Handle {
    type Err = HandleError;

    fn from_str(text: &str) -> Result<Self, HandleError> {
        let digits = text.as_bytes();
        if digits.len() != 32 {
            return Err(HandleError);
        }
        let mut handle = [0_u8; 16];
        for (byte, pair) in handle.iter_mut().zip(digits.chunks_exact(2)) {
            let pair = std::str::from_utf8(pair).map_err(|_| HandleError)?;
            if pair.starts_with('+') {
                return Err(HandleError);
            }
            *byte = u8::from_str_radix(pair, 16).map_err(|_| HandleError)?;
        }
        if handle == [0; 16] {
            Err(HandleError)
        } else {
            Ok(Handle(handle))
        }
    }
}

/// The text is no handle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a handle is 32 hexadecimal digits, not all zero")]
pub struct HandleError;

/// An institution's id: 1 to 64 characters of `A-Z a-z 0-9 . _ -`, or empty for the operator.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InstitutionId(std::sync::Arc<str>);

impl InstitutionId {
    /// Longest id in bytes.
    pub const LEN_MAX: usize = 64;

    /// The operator's: empty.
    #[must_use]
    pub fn operator() -> Self {
        InstitutionId("".into())
    }

    /// Whether it is the operator's.
    #[must_use]
    pub fn is_operator(&self) -> bool {
        self.0.is_empty()
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for InstitutionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_operator() {
            "the operator"
        } else {
            &self.0
        })
    }
}

impl std::str::FromStr for InstitutionId {
    type Err = InstitutionIdError;

    fn from_str(text: &str) -> Result<Self, InstitutionIdError> {
        let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        if text.len() > Self::LEN_MAX || !text.bytes().all(legal) {
            return Err(InstitutionIdError);
        }
        Ok(InstitutionId(text.into()))
    }
}

/// The text is no institution id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an institution id has 1 to 64 characters of A-Z a-z 0-9 . _ -")]
pub struct InstitutionIdError;

/// The key under which a fact is found: a keyed hash, so that neither an index nor memory holds a
/// student number or a record id. See [`crate::keys`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(pub [u8; 16]);
