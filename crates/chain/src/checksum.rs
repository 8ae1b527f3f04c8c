//! The keyed checksum of blocks and segment headers, and its key.
//!
//! Apart from `hash` because it proves nothing to anybody: it only tells a block that was written whole
//! from one that was not. It is keyed so that no body, which others choose, can imitate a block.

use std::fmt;

/// The random key of one segment's checksums. It lies in the segment's header and is never served.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct ChecksumKey(pub [u8; 32]);

impl fmt::Debug for ChecksumKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Whoever knows the key could send a body that scans as a block.
        f.write_str("ChecksumKey(..)")
    }
}

/// How much is collected before it is hashed: enough chunks for BLAKE3 to use its widest vectors.
const PENDING_BYTES_MAX: usize = 16 * 1024;

/// A checksum over many short pieces.
///
/// Pieces are copied together first, because hashing 250 bytes at a time leaves the vector units idle
/// and the copy costs a twentieth of what it saves.
pub(crate) struct Checksum {
    hasher: blake3::Hasher,
    pending: Vec<u8>,
}

impl Checksum {
    pub(crate) fn new(key: &ChecksumKey) -> Checksum {
        let pending = Vec::with_capacity(PENDING_BYTES_MAX);
        Checksum {
            hasher: blake3::Hasher::new_keyed(&key.0),
            pending,
        }
    }

    pub(crate) fn update(&mut self, piece: &[u8]) {
        if self.pending.len() + piece.len() > PENDING_BYTES_MAX {
            self.hasher.update(&self.pending);
            self.pending.clear();
        }
        self.pending.extend_from_slice(piece);
    }

    pub(crate) fn finish(mut self) -> [u8; 32] {
        self.hasher.update(&self.pending);
        *self.hasher.finalize().as_bytes()
    }
}
