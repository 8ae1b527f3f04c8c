//! Limits of single requests, and what is said beyond them.
//!
//! Apart from the ledger's rules because another server may set others: none of them is recorded.

use crate::from_proto;
use ledger::Rejection;

/// Limits of single requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Most bytes of a message.
    pub message_bytes_max: usize,
    /// Most records of a batch.
    pub batch_records_max: usize,
    /// Most bytes of an achievement as it would be recorded.
    pub achievement_body_bytes_max: usize,
}

/// Limits of streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StreamLimits {
    /// Streams that may be open.
    pub open_max: usize,
    /// Bytes that one answer gathers.
    pub chunk_bytes: u64,
    /// Achievements that a stream of intake is read ahead of those that are being recorded.
    pub ahead_records_max: u32,
    /// Bytes of requests that it is read ahead.
    pub ahead_bytes_max: u32,
    /// Bytes of requests that are recorded together.
    pub together_bytes_max: u64,
}

/// Most entries of a page; the proto files promise it.
pub const PAGE_SIZE_MAX: u32 = 1_000;
/// Entries of a page when the caller does not say.
pub const PAGE_SIZE_DEFAULT: u32 = 100;

/// A request is beyond a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Exceeded {
    /// Too many records at once.
    #[error("the batch has {count} records, at most {max} are taken at once: send several batches")]
    BatchRecords {
        /// How many there are.
        count: usize,
        /// How many there may be.
        max: usize,
    },
    /// Too long an achievement.
    #[error(
        "the achievement has {bytes} bytes, at most {max} are recorded: keep evidence elsewhere and \
         send its digest"
    )]
    AchievementBytes {
        /// How many there are.
        bytes: usize,
        /// How many there may be.
        max: usize,
    },
}

impl Exceeded {
    /// The stable reason for programs.
    #[must_use]
    pub fn reason(self) -> &'static str {
        match self {
            Self::BatchRecords { .. } => "BATCH_TOO_LARGE",
            Self::AchievementBytes { .. } => "ACHIEVEMENT_TOO_LARGE",
        }
    }

    /// What was found, and the limit.
    #[must_use]
    pub fn numbers(self) -> (usize, usize) {
        match self {
            Self::BatchRecords { count, max } => (count, max),
            Self::AchievementBytes { bytes, max } => (bytes, max),
        }
    }
}

/// Entries of a page of a short list when the caller does not say: all that may be asked for.
pub const SHORT_PAGE_SIZE: (u32, u32) = (PAGE_SIZE_MAX, PAGE_SIZE_MAX);
/// The same of a code list, whose entries are small.
pub const CODES_PAGE_SIZE: (u32, u32) = (10_000, 10_000);
/// Entries of a page of any other list: when the caller does not say, and at most.
pub const PAGE_SIZE: (u32, u32) = (PAGE_SIZE_DEFAULT, PAGE_SIZE_MAX);

/// The page size that is meant, of a list with that default and that maximum.
///
/// # Errors
/// [`Rejection::Malformed`] beyond the maximum.
pub fn page_size(asked: u32, (default, max): (u32, u32)) -> Result<usize, Rejection> {
    let size = match asked {
        0 => default,
        _ if asked <= max => asked,
        _ => {
            let problem = format!("is {asked}; from 1 to {max}, or 0 for {default}");
            return Err(from_proto::malformed("page_size", problem));
        }
    };
    Ok(usize::try_from(size).expect("at most ten thousand"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_has_a_size() {
        assert_eq!(page_size(0, PAGE_SIZE), Ok(100));
        assert_eq!(page_size(0, CODES_PAGE_SIZE), Ok(10_000));
        assert_eq!(page_size(1_000, PAGE_SIZE), Ok(1_000));
        let said = page_size(1_001, PAGE_SIZE).unwrap_err().to_string();
        assert_eq!(said, "page_size is 1001; from 1 to 1000, or 0 for 100");
    }
}
