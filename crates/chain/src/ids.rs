//! Who: a learner's random handle and an institution's short name, as leaves hold them.
//!
//! Apart from `position` because these are given or drawn, never counted. Neither is personal data.

use std::fmt;
use std::str::FromStr;

use crate::error::{InstitutionError, ParseError};
use crate::hex;

/// A learner's id: 128 random bits. Text form: 32 lower-case hexadecimal digits.
///
/// Zero stands for "no learner" in a leaf and is nobody's handle.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Handle(pub [u8; 16]);

impl Handle {
    /// What a leaf without a learner holds.
    pub const ZERO: Handle = Handle([0; 16]);

    /// Whether this is no learner's handle.
    #[must_use]
    pub fn is_zero(&self) -> bool {
        *self == Handle::ZERO
    }
}

impl fmt::Display for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        hex::write(f, &self.0)
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        hex::write(f, &self.0)
    }
}

impl FromStr for Handle {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Handle, ParseError> {
        hex::read(text).map(Handle)
    }
}

/// The longest institution id in bytes (`ledger-data/README.md` section 3).
pub const INSTITUTION_BYTES_MAX: usize = 64;

/// An institution's id: at most 64 ASCII graphic bytes (0x21 to 0x7e). Empty is the operator.
///
/// Stored inline, so that a leaf is one flat value and decoding one allocates nothing.
// Invariant: bytes from `len` on are zero, and zero is no id byte; so comparing `bytes` first, as the
// derived order does, is comparing the texts.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Institution {
    bytes: [u8; INSTITUTION_BYTES_MAX],
    len: u8,
}

impl Institution {
    /// The empty id: the operator of the ledger.
    pub const OPERATOR: Institution = Institution {
        bytes: [0; INSTITUTION_BYTES_MAX],
        len: 0,
    };

    /// Whether this is the operator.
    #[must_use]
    pub fn is_operator(&self) -> bool {
        self.len == 0
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(self.as_bytes()).expect("only ASCII bytes are ever stored")
    }

    /// The id's bytes, without padding.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }
}

impl Default for Institution {
    fn default() -> Institution {
        Institution::OPERATOR
    }
}

impl TryFrom<&[u8]> for Institution {
    type Error = InstitutionError;

    fn try_from(id: &[u8]) -> Result<Institution, InstitutionError> {
        let too_long = InstitutionError::Length {
            found: id.len(),
            max: INSTITUTION_BYTES_MAX,
        };
        let len = u8::try_from(id.len()).map_err(|_| too_long)?;
        let mut bytes = [0; INSTITUTION_BYTES_MAX];
        bytes
            .get_mut(..id.len())
            .ok_or(too_long)?
            .copy_from_slice(id);
        if let Some(index) = id.iter().position(|byte| !byte.is_ascii_graphic()) {
            return Err(InstitutionError::Byte {
                index,
                found: id[index],
            });
        }
        Ok(Institution { bytes, len })
    }
}

impl TryFrom<&str> for Institution {
    type Error = InstitutionError;

    fn try_from(id: &str) -> Result<Institution, InstitutionError> {
        Institution::try_from(id.as_bytes())
    }
}

impl FromStr for Institution {
    type Err = InstitutionError;

    fn from_str(id: &str) -> Result<Institution, InstitutionError> {
        Institution::try_from(id)
    }
}

impl fmt::Display for Institution {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for Institution {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}
