//! Zeros: what follows the last block of a segment, and what an erased body is.
//!
//! Apart from the decoders because "not zero" decides where a torn tail ends, for files of any length.

/// A run compared at once: long enough for vector instructions, short enough to find the byte after.
const RUN: [u8; 128] = [0; 128];

/// The index of the first byte that is not zero, if any (`ledger-data/README.md` section 9).
#[must_use]
pub fn first_nonzero(bytes: &[u8]) -> Option<usize> {
    // A prefilled segment is almost all zeros: skip whole runs, then look inside the first other one.
    let zero_runs = bytes
        .chunks_exact(RUN.len())
        .take_while(|run| **run == RUN)
        .count();
    let skipped = zero_runs * RUN.len();
    bytes
        .iter()
        .skip(skipped)
        .position(|byte| *byte != 0)
        .map(|index| skipped + index)
}

/// Whether every byte is zero. True for no bytes.
#[must_use]
pub fn is_zero(bytes: &[u8]) -> bool {
    first_nonzero(bytes).is_none()
}
