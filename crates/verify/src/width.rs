//! Lengths in memory as offsets in files, and back.
//!
//! Apart from their users so that the one place where the two widths meet has no silent cast.

/// A length in memory as a file offset.
pub(crate) fn offset(len: usize) -> u64 {
    u64::try_from(len).unwrap_or(u64::MAX)
}

/// A file length as a length in memory. Saturates, so that an impossible one is never taken for less.
pub(crate) fn length(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}
