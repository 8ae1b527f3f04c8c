//! Lengths of slices as offsets in files, and back.
//!
//! Apart from every user so that the one place where the two widths meet has no silent cast.

/// A length in memory as a file offset.
pub(crate) fn offset(len: usize) -> u64 {
    u64::try_from(len).expect("no machine has more than 64 bits of memory")
}

/// A file length as a length in memory. Saturates, so that an impossible one fails to be allocated or
/// read and is not taken for a shorter one.
pub(crate) fn length(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}
