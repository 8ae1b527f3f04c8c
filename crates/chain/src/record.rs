//! A record: a leaf with its salt and body, and how it is laid out as a frame.
//!
//! Apart from `leaf` because salt and body can be erased; apart from `block` because a store reads single
//! frames. Frame (`ledger-data/README.md` section 7):
//! `u16 leaf length | u32 body length | leaf | salt [32] | body`.

use crate::block::BLOCK_BYTES_MAX;
use crate::bytes::{Reader, Short};
use crate::commitment::{Salt, commit};
use crate::error::BlockError;
use crate::hash::Hash;
use crate::leaf::{LEAF_LEN_MIN, Leaf};
use crate::position::Position;
use crate::zeros::is_zero;

/// Bytes of the two lengths that open a frame.
pub const FRAME_HEAD_LEN: usize = 6;

/// Bytes of a salt.
pub(crate) const SALT_LEN: usize = 32;

/// Bytes of the shortest frame that can be valid.
pub(crate) const FRAME_LEN_MIN: usize = FRAME_HEAD_LEN + LEAF_LEN_MIN + SALT_LEN;

/// An event's bytes in the log. The leaf is held decoded, because its encoding is canonical.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// What is hashed for ever.
    pub leaf: Leaf,
    /// The key of the commitment; zeros when erased.
    pub salt: Salt,
    /// A message of `proto/creditbank/event/v1`; zeros of the same length when erased.
    pub body: Vec<u8>,
}

impl Record {
    /// Whether salt and body are all zero. Whether they may be is decided by a later erasure event.
    #[must_use]
    pub fn is_erased(&self) -> bool {
        self.salt.is_zero() && is_zero(&self.body)
    }

    /// Whether the body is the one that the leaf commits to. Never true of an erased record: a salt of
    /// zeros is no key.
    #[must_use]
    pub fn commitment_holds(&self) -> bool {
        !self.salt.is_zero() && commit(&self.salt, &self.body) == self.leaf.commitment
    }

    /// The record's chain hash.
    #[must_use]
    pub fn hash(&self) -> Hash {
        self.leaf.hash()
    }

    /// Overwrites salt and body with zeros. The leaf, the chain hash and every proof stay as they are.
    pub fn erase(&mut self) {
        self.salt = Salt::ZERO;
        self.body.fill(0);
    }

    /// Bytes of the record's frame.
    #[must_use]
    pub fn frame_len(&self) -> usize {
        frame_len(self.leaf.encoded_len(), self.body.len())
    }

    /// Appends the record's frame to `out`.
    ///
    /// # Errors
    /// [`BlockError::Length`] if the body would not fit into any block.
    pub fn encode_frame_into(&self, out: &mut Vec<u8>) -> Result<(), BlockError> {
        let too_long = BlockError::Length {
            found: self.frame_len(),
            max: BLOCK_BYTES_MAX,
        };
        if self.frame_len() > BLOCK_BYTES_MAX {
            return Err(too_long);
        }
        let leaf_len = u16::try_from(self.leaf.encoded_len()).map_err(|_| too_long.clone())?;
        let body_len = u32::try_from(self.body.len()).map_err(|_| too_long)?;
        out.extend_from_slice(&leaf_len.to_be_bytes());
        out.extend_from_slice(&body_len.to_be_bytes());
        self.leaf.encode_into(out);
        out.extend_from_slice(&self.salt.0);
        out.extend_from_slice(&self.body);
        Ok(())
    }

    /// Reads one frame from the start of `bytes`; returns the record and the frame's length. For a store
    /// that knows where a frame lies in a block it has checked before; nothing covers a lone frame but
    /// its commitment.
    ///
    /// # Errors
    /// [`BlockError::Truncated`] or [`BlockError::Leaf`]; the latter says position 0, as a frame alone
    /// does not know where it belongs.
    pub fn decode_frame(bytes: &[u8]) -> Result<(Record, usize), BlockError> {
        let mut reader = Reader::new(bytes);
        let frame = FrameBytes::read(&mut reader)?;
        let leaf = Leaf::decode(frame.leaf()).map_err(|source| BlockError::Leaf {
            position: Position(0),
            source,
        })?;
        Ok((frame.record(leaf), reader.offset()))
    }
}

/// Bytes of a frame. Saturates, so that an impossible length fails the limit instead of wrapping.
pub(crate) fn frame_len(leaf_len: usize, body_len: usize) -> usize {
    (FRAME_HEAD_LEN + SALT_LEN)
        .saturating_add(leaf_len)
        .saturating_add(body_len)
}

/// A frame split at its lengths, nothing decoded yet.
pub(crate) struct FrameBytes<'a> {
    /// The lengths and the leaf: the part that the block's checksum covers.
    pub(crate) head_and_leaf: &'a [u8],
    salt: [u8; SALT_LEN],
    body: &'a [u8],
}

impl<'a> FrameBytes<'a> {
    pub(crate) fn read(reader: &mut Reader<'a>) -> Result<FrameBytes<'a>, Short> {
        let (leaf_len, body_len) = reader.peek_frame_head()?;
        let head_and_leaf = reader.slice(FRAME_HEAD_LEN + leaf_len)?;
        let salt = reader.array()?;
        let body = reader.slice(body_len)?;
        Ok(FrameBytes {
            head_and_leaf,
            salt,
            body,
        })
    }

    pub(crate) fn leaf(&self) -> &'a [u8] {
        &self.head_and_leaf[FRAME_HEAD_LEN..]
    }

    pub(crate) fn record(&self, leaf: Leaf) -> Record {
        Record {
            leaf,
            salt: Salt(self.salt),
            body: self.body.to_vec(),
        }
    }
}
