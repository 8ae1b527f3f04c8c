//! Exact decimals: thousandths in an integer, never a float.

use std::fmt;
use std::str::FromStr;

/// An amount of credits, hours or points, in thousandths of its unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Credits(u64);

impl Credits {
    /// Nothing.
    pub const ZERO: Credits = Credits(0);
    /// The most one achievement may be worth; more is a mistake in some column.
    pub const ACHIEVEMENT_MAX: Credits = Credits(100_000 * 1_000);

    /// From thousandths of the unit.
    #[must_use]
    pub const fn from_thousandths(thousandths: u64) -> Self {
        Credits(thousandths)
    }

    /// In thousandths of the unit.
    #[must_use]
    pub const fn thousandths(self) -> u64 {
        self.0
    }

    /// The sum; `None` beyond 2^64 thousandths.
    #[must_use]
    pub fn checked_add(self, other: Credits) -> Option<Credits> {
        self.0.checked_add(other.0).map(Credits)
    }

    /// The difference; `None` below zero.
    #[must_use]
    pub fn checked_sub(self, other: Credits) -> Option<Credits> {
        self.0.checked_sub(other.0).map(Credits)
    }
}

/// Shortest form: `3`, `2.5`, `0.125`.
impl fmt::Display for Credits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, fraction) = (self.0 / 1_000, self.0 % 1_000);
        if fraction == 0 {
            return write!(f, "{whole}");
        }
        let digits = format!("{fraction:03}");
        write!(f, "{whole}.{}", digits.trim_end_matches('0'))
    }
}

/// Why a text is no amount.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CreditsError {
    /// A sign was given.
    #[error("is negative; an amount is 0 or more")]
    Negative,
    /// Not digits with at most one point.
    #[error("is not a decimal such as 3 or 2.5 (no exponent, no thousands separator)")]
    NotDecimal,
    /// More than three places.
    #[error("has more than 3 decimal places")]
    TooPrecise,
    /// Beyond the limit.
    #[error("is more than 100000")]
    TooLarge,
}

impl FromStr for Credits {
    type Err = CreditsError;

    fn from_str(text: &str) -> Result<Self, CreditsError> {
        if text.starts_with('-') {
            return Err(CreditsError::Negative);
        }
        let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
        let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        if !digits(whole) || !digits(fraction) {
            return Err(CreditsError::NotDecimal);
        }
        let fraction = fraction.trim_end_matches('0');
        if fraction.len() > 3 {
            return Err(CreditsError::TooPrecise);
        }
        let whole = whole.trim_start_matches('0');
        if whole.len() > 6 {
            return Err(CreditsError::TooLarge);
        }
        // At most nine digits are left, so neither parse can overflow.
        let parse = |part: &str| {
            if part.is_empty() {
                Ok(0)
            } else {
                part.parse::<u64>()
            }
        };
        let whole = parse(whole).map_err(|_| CreditsError::NotDecimal)?;
        let thousandths =
            parse(&format!("{fraction:0<3}")).map_err(|_| CreditsError::NotDecimal)?;
        let credits = Credits(whole * 1_000 + thousandths);
        if credits > Self::ACHIEVEMENT_MAX {
            Err(CreditsError::TooLarge)
        } else {
            Ok(credits)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_are_read_exactly_or_refused() {
        let read = |text: &str| text.parse::<Credits>().map(|c| c.to_string());
        for (text, shown) in [
            ("3", "3"),
            ("3.0", "3"),
            ("2.50", "2.5"),
            ("0.125", "0.125"),
            ("0", "0"),
        ] {
            assert_eq!(read(text).as_deref(), Ok(shown));
        }
        assert_eq!(read("100000").as_deref(), Ok("100000"));
        assert_eq!(read("007.1000").as_deref(), Ok("7.1"));
        for (text, error) in [
            ("-1", CreditsError::Negative),
            ("", CreditsError::NotDecimal),
            (".5", CreditsError::NotDecimal),
            ("5.", CreditsError::NotDecimal),
            ("1e3", CreditsError::NotDecimal),
            ("+1", CreditsError::NotDecimal),
            ("1,5", CreditsError::NotDecimal),
            ("NaN", CreditsError::NotDecimal),
            ("0.0001", CreditsError::TooPrecise),
            ("100000.001", CreditsError::TooLarge),
            ("99999999999999999999999", CreditsError::TooLarge),
        ] {
            assert_eq!(read(text), Err(error), "{text}");
        }
    }
}
