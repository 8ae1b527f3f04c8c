//! How views were left, told without opening them.
//!
//! Apart from opening because that takes the lock and may remove what it finds: this may be asked beside a
//! running server.

use std::path::Path;

use crate::fault::{ViewsFault, Why};
use crate::mark::{Mark, Phase};

/// How views were left, as their mark says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Left {
    /// There are none yet.
    Nothing,
    /// They were written by another version of the program.
    OtherVersion {
        /// Its format.
        found: u32,
    },
    /// They do not check, or were being opened when the process ended: built anew by the next start.
    Unusable,
    /// Open, or not closed before the process ended; they reach at least this far.
    Open {
        /// Number of records reflected.
        size: u64,
    },
    /// Closed.
    Closed {
        /// Number of records reflected.
        size: u64,
    },
}

/// Reads the mark of the views in `dir`.
///
/// # Errors
/// A mark that is there and cannot be read.
pub fn look(dir: &Path) -> Result<Left, ViewsFault> {
    Ok(match Mark::read(dir)? {
        Ok(mark) => match mark.phase {
            Phase::Opening | Phase::Damaged => Left::Unusable,
            Phase::Open(reach) => Left::Open { size: reach.size },
            Phase::Closed(reach, _) => Left::Closed { size: reach.size },
        },
        Err(Why::Missing) => Left::Nothing,
        Err(Why::OtherVersion { found }) => Left::OtherVersion { found },
        Err(_) => Left::Unusable,
    })
}
