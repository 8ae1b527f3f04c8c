//! Lower-case hexadecimal, the one text form of hashes and handles.
//!
//! Written here rather than taken from a crate because it is twenty lines and an auditor reads every
//! dependency of this crate.

use std::fmt;

use crate::error::ParseError;

/// Writes `bytes` as lower-case hexadecimal.
pub(crate) fn write(f: &mut fmt::Formatter<'_>, bytes: &[u8]) -> fmt::Result {
    bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
}

/// Reads exactly `2 * N` lower-case hexadecimal digits.
///
/// Upper case is refused: two spellings of one hash would compare unequal as text.
pub(crate) fn read<const N: usize>(text: &str) -> Result<[u8; N], ParseError> {
    let digits = text.as_bytes();
    if digits.len() != 2 * N {
        return Err(ParseError::HexLength {
            expected: 2 * N,
            found: digits.len(),
        });
    }
    let mut out = [0; N];
    for (index, (byte, pair)) in out.iter_mut().zip(digits.chunks_exact(2)).enumerate() {
        let mut value = 0;
        for (place, digit) in pair.iter().enumerate() {
            let nibble = nibble(*digit).ok_or(ParseError::HexDigit {
                index: 2 * index + place,
            })?;
            value = value << 4 | nibble;
        }
        *byte = value;
    }
    Ok(out)
}

fn nibble(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}
