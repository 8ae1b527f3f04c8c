//! Reads blocks from untrusted bytes: the header for scanners, the checksum, the whole.
//!
//! Apart from `block`, which makes them, because this half faces whatever a crash, a bad disk or an
//! attacker left in the file. The layout is shown in `block`.

use crate::block::{
    BLOCK_BYTES_MAX, BLOCK_FORMAT, BLOCK_HEADER_LEN, BLOCK_MAGIC, BLOCK_OVERHEAD_LEN, Block, follow,
};
use crate::bytes::Reader;
use crate::checksum::{Checksum, ChecksumKey};
use crate::error::BlockError;
use crate::hash::Hash;
use crate::head::Head;
use crate::leaf::Leaf;
use crate::position::Position;
use crate::record::{FRAME_LEN_MIN, FrameBytes};

/// What a block says about itself before its frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockHeader {
    /// The head before the block; its size is the first position.
    pub prev: Head,
    /// How many records follow; 0 for a head mark.
    pub count: u32,
    /// Bytes of all frames.
    pub frames_len: u32,
}

impl BlockHeader {
    /// Reads a header from the start of `bytes`. Nothing is authentic before the checksum is checked.
    ///
    /// # Errors
    /// Too few bytes, another magic or format, or numbers that no block can have.
    pub fn decode(bytes: &[u8]) -> Result<BlockHeader, BlockError> {
        let mut reader = Reader::new(bytes);
        let magic = reader.array()?;
        if magic != BLOCK_MAGIC {
            return Err(BlockError::Magic {
                expected: BLOCK_MAGIC,
                found: magic,
            });
        }
        let format = reader.u16()?;
        if format != BLOCK_FORMAT {
            return Err(BlockError::Format {
                expected: BLOCK_FORMAT,
                found: format,
            });
        }
        let reserved = reader.u16()?;
        if reserved != 0 {
            return Err(BlockError::Reserved { found: reserved });
        }
        let first = reader.u64()?;
        let count = reader.u32()?;
        let frames_len = reader.u32()?;
        let prev = Head {
            size: first,
            hash: Hash(reader.array()?),
        };
        if !prev.is_consistent() {
            return Err(BlockError::PreviousHead { found: prev });
        }
        let header = BlockHeader {
            prev,
            count,
            frames_len,
        };
        if header.encoded_len() > BLOCK_BYTES_MAX {
            let found = header.encoded_len();
            return Err(BlockError::Length {
                found,
                max: BLOCK_BYTES_MAX,
            });
        }
        if (count == 0) != (frames_len == 0) || header.count_min_bytes() > u64::from(frames_len) {
            return Err(BlockError::Count {
                expected: count,
                frames_len,
            });
        }
        if first.checked_add(u64::from(count)).is_none() {
            let count = usize::try_from(count).unwrap_or(usize::MAX);
            return Err(BlockError::PositionRange {
                first: Position(first),
                count,
            });
        }
        Ok(header)
    }

    /// Bytes of the whole block; saturates.
    #[must_use]
    pub fn encoded_len(&self) -> usize {
        self.frames_len_usize().saturating_add(BLOCK_OVERHEAD_LEN)
    }

    /// Whether this is the header of a head mark.
    #[must_use]
    pub fn is_mark(&self) -> bool {
        self.count == 0
    }

    fn frames_len_usize(&self) -> usize {
        usize::try_from(self.frames_len).unwrap_or(usize::MAX)
    }

    /// The fewest bytes that so many frames can have. Bounds what a decoder reserves.
    fn count_min_bytes(&self) -> u64 {
        let min = u64::try_from(FRAME_LEN_MIN).unwrap_or(u64::MAX);
        u64::from(self.count).saturating_mul(min)
    }
}

/// The length of the block at the start of `bytes`, according to its header: for scanners that hold at
/// least [`BLOCK_HEADER_LEN`] bytes and want to know how many to read.
///
/// # Errors
/// As [`BlockHeader::decode`].
pub fn peek_block_len(bytes: &[u8]) -> Result<usize, BlockError> {
    BlockHeader::decode(bytes).map(|header| header.encoded_len())
}

/// The checksum that the block at the start of `bytes` should have under `key`, whatever is stored.
///
/// # Errors
/// A bad header, too few bytes, or frames that do not add up.
pub fn block_checksum(bytes: &[u8], key: &ChecksumKey) -> Result<Hash, BlockError> {
    let header = BlockHeader::decode(bytes)?;
    let whole = Reader::new(bytes).slice(header.encoded_len())?;
    let mut reader = Reader::new(whole);
    let mut checksum = Checksum::new(key);
    checksum.update(reader.slice(BLOCK_HEADER_LEN)?);
    let mut frames = Reader::new(reader.slice(header.frames_len_usize())?);
    let mismatch = BlockError::Count {
        expected: header.count,
        frames_len: header.frames_len,
    };
    for _ in 0..header.count {
        let frame = FrameBytes::read(&mut frames).map_err(|_| mismatch.clone())?;
        checksum.update(frame.head_and_leaf);
    }
    if !frames.is_at_end() {
        return Err(mismatch);
    }
    Ok(Hash(checksum.finish()))
}

/// Reads the block at the start of `bytes` and returns it with its encoded length.
///
/// Checks the header, all lengths, the checksum, every leaf and the links among them. Commitments are
/// left to the caller ([`Block::bad_commitment`]), who knows which bodies may be erased; so is whether
/// the block follows the one before it ([`Block::prev`]).
///
/// # Errors
/// The first thing that is wrong. It does not say whether the block is torn or corrupt: that depends on
/// what follows it (`ledger-data/README.md` section 10).
pub fn decode_block(bytes: &[u8], key: &ChecksumKey) -> Result<(Block, usize), BlockError> {
    let header = BlockHeader::decode(bytes)?;
    let len = header.encoded_len();
    let expected = block_checksum(bytes, key)?;
    let mut reader = Reader::new(bytes);
    reader.slice(BLOCK_HEADER_LEN)?;

    let mut records = Vec::with_capacity(usize::try_from(header.count).unwrap_or(0));
    let mut frames = Reader::new(reader.slice(header.frames_len_usize())?);
    let found = Hash(reader.array()?);
    if found != expected {
        return Err(BlockError::Checksum { expected, found });
    }
    let mut head = header.prev;
    while !frames.is_at_end() {
        let position = head.next_position();
        let frame = FrameBytes::read(&mut frames)?;
        let leaf = Leaf::decode(frame.leaf());
        let leaf = leaf.map_err(|source| BlockError::Leaf { position, source })?;
        head = follow(header.prev, &records, head, &leaf, frame.leaf())?;
        records.push(frame.record(leaf));
    }
    Ok((Block::from_checked(header.prev, records, head, len), len))
}
