//! Bytes to chain: leaves, their two hash chains, commitments, blocks and segment headers.
//!
//! This crate exists apart from `store` and `ledger` because an auditor must be able to read, in one
//! sitting, everything that turns stored bytes into a chain. It is pure: bytes in, values out, no file,
//! no clock, no randomness. It does not know what a record means, only its kind number.
//!
//! The formats are described byte by byte in `ledger-data/README.md`, the only description; constants
//! here cite its numbered sections, and a test reads that file's test vectors.
//!
//! Invariant: decoding untrusted bytes returns an error and never panics, and every value has exactly
//! one encoding: whatever decodes re-encodes to the same bytes.

mod block;
mod builder;
mod bytes;
mod checkpoint;
mod checksum;
mod commitment;
mod decode;
mod error;
mod hash;
mod head;
mod hex;
mod ids;
mod leaf;
mod note;
mod position;
mod receipt;
mod record;
mod segment;
mod tile;
mod tree;
mod zeros;

pub use block::{
    BLOCK_BYTES_MAX, BLOCK_CHECKSUM_LEN, BLOCK_FORMAT, BLOCK_HEADER_LEN, BLOCK_MAGIC,
    BLOCK_OVERHEAD_LEN, Block,
};
pub use builder::{BlockBuilder, LearnerTip, Pushed};
pub use checkpoint::Checkpoint;
pub use checksum::ChecksumKey;
pub use commitment::{Commitment, Salt, commit};
pub use decode::{BlockHeader, block_checksum, decode_block, peek_block_len};
pub use error::{
    BlockError, CheckpointError, InstitutionError, LeafError, NoteError, ParseError, ProofError,
    ReceiptError, SegmentError, TilePathError,
};
pub use hash::{CHAIN_CONTEXT, Hash, chain_hash};
pub use head::Head;
pub use ids::{Handle, INSTITUTION_BYTES_MAX, Institution};
pub use leaf::{LEAF_LEN_MAX, LEAF_LEN_MIN, LEAF_VERSION, Leaf, LearnerLink};
pub use note::{
    KeyType, NOTE_BYTES_MAX, NOTE_SIGNATURES_MAX, Note, NoteSigner, Signed, VerifierKey,
};
pub use position::{Position, Timestamp};
pub use receipt::Receipt;
pub use record::{FRAME_HEAD_LEN, Record};
pub use segment::{
    BLOCK_ALIGN_DEFAULT, BLOCK_ALIGN_MAX, SEGMENT_FORMAT, SEGMENT_HEADER_LEN, SEGMENT_MAGIC,
    SegmentHeader,
};
pub use tile::{TILE_HEIGHT, TILE_WIDTH, Tile, TileKind, bundled_entries, entry_bundle};
pub use tree::{
    Frontier, Node, Span, TreeHash, consistency, inclusion, verify_consistency, verify_inclusion,
};
pub use zeros::{first_nonzero, is_zero};
