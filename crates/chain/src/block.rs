//! A block: the records of one group commit, the unit of atomicity, and its bytes.
//!
//! Apart from `record` because a block is what is written, synced, cut and checked as a whole. Layout,
//! all integers big-endian (`ledger-data/README.md` section 8):
//!
//! ```text
//!   0 "CBLK"                  8 u64 first position     24 [32] previous head hash
//!   4 u16 format = 1         16 u32 record count       56 frames
//!   6 u16 reserved = 0       20 u32 bytes of frames       [32] checksum
//! ```
//!
//! Invariant: the checksum covers the header and, of each frame, its lengths and its leaf, never salt or
//! body: those are erased in place, and the commitment in the leaf covers them.

use std::ops::Range;

use crate::bytes::Reader;
use crate::checksum::{Checksum, ChecksumKey};
use crate::error::BlockError;
use crate::hash::{Hash, chain_hash};
use crate::head::Head;
use crate::leaf::{LEAF_LEN_MAX, Leaf};
use crate::position::{Position, Timestamp};
use crate::record::{FRAME_HEAD_LEN, FRAME_LEN_MIN, FrameBytes, Record};

/// The first four bytes of a block.
pub const BLOCK_MAGIC: [u8; 4] = *b"CBLK";

/// The version of the block format written and read here.
pub const BLOCK_FORMAT: u16 = 1;

/// Bytes of a block before its frames.
pub const BLOCK_HEADER_LEN: usize = 56;

/// Bytes of a block after its frames.
pub const BLOCK_CHECKSUM_LEN: usize = 32;

/// Bytes of a block without records.
pub const BLOCK_OVERHEAD_LEN: usize = BLOCK_HEADER_LEN + BLOCK_CHECKSUM_LEN;

/// Bytes of the longest block, all included; also how far a torn tail can reach.
pub const BLOCK_BYTES_MAX: usize = 8 * 1024 * 1024;

/// The records of one group commit, with their links checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    prev: Head,
    records: Vec<Record>,
    head: Head,
    len: usize,
}

impl Block {
    /// Makes a block of records that follow `prev`.
    ///
    /// # Errors
    /// Leaves that break a canonical rule, positions that are not dense from `prev.size`, a broken chain,
    /// learner links that contradict another leaf of the block, more than one recorded-at, or too many
    /// bytes. Commitments are not checked: [`bad_commitment`](Block::bad_commitment).
    pub fn new(prev: Head, records: Vec<Record>) -> Result<Block, BlockError> {
        if !prev.is_consistent() {
            return Err(BlockError::PreviousHead { found: prev });
        }
        let frames_len = records
            .iter()
            .fold(0, |sum: usize, r| sum.saturating_add(r.frame_len()));
        let len = frames_len.saturating_add(BLOCK_OVERHEAD_LEN);
        if len > BLOCK_BYTES_MAX {
            return Err(BlockError::Length {
                found: len,
                max: BLOCK_BYTES_MAX,
            });
        }
        let mut head = prev;
        let mut leaf_bytes = Vec::with_capacity(LEAF_LEN_MAX);
        for (record, done) in records.iter().zip(0..) {
            let position = head.next_position();
            record
                .leaf
                .check()
                .map_err(|source| BlockError::Leaf { position, source })?;
            leaf_bytes.clear();
            record.leaf.encode_into(&mut leaf_bytes);
            head = follow(prev, &records[..done], head, &record.leaf, &leaf_bytes)?;
        }
        Ok(Block {
            prev,
            records,
            head,
            len,
        })
    }

    /// An empty block: a head mark. Kept on disk, it shows that the block before it was complete.
    ///
    /// # Panics
    /// If `prev` has a size but no hash, or the reverse.
    #[must_use]
    pub fn mark(prev: Head) -> Block {
        assert!(
            prev.is_consistent(),
            "a head has a hash exactly when it has records: {prev}"
        );
        Block {
            prev,
            records: vec![],
            head: prev,
            len: BLOCK_OVERHEAD_LEN,
        }
    }

    /// For the builder, which makes the links that `new` would check.
    pub(crate) fn from_checked(prev: Head, records: Vec<Record>, head: Head, len: usize) -> Block {
        Block {
            prev,
            records,
            head,
            len,
        }
    }

    /// The head before the block.
    #[must_use]
    pub fn prev(&self) -> Head {
        self.prev
    }

    /// The records, in order.
    #[must_use]
    pub fn records(&self) -> &[Record] {
        &self.records
    }

    /// The head after the block.
    #[must_use]
    pub fn head(&self) -> Head {
        self.head
    }

    /// Takes the records out.
    #[must_use]
    pub fn into_records(self) -> Vec<Record> {
        self.records
    }

    /// Whether this is a head mark.
    #[must_use]
    pub fn is_mark(&self) -> bool {
        self.records.is_empty()
    }

    /// When its records were recorded; `None` for a head mark.
    #[must_use]
    pub fn recorded_at(&self) -> Option<Timestamp> {
        self.records.first().map(|record| record.leaf.recorded_at)
    }

    /// The record at a global position, if the block holds it.
    #[must_use]
    pub fn record(&self, position: Position) -> Option<&Record> {
        self.records.get(self.index_of(position)?)
    }

    /// How many bytes [`encode`](Block::encode) gives.
    #[must_use]
    pub fn encoded_len(&self) -> usize {
        self.len
    }

    /// The block's bytes, with checksums under the key of the segment they go to.
    #[must_use]
    pub fn encode(&self, key: &ChecksumKey) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.len);
        self.encode_into(key, &mut out);
        out
    }

    /// Appends the block's bytes to `out`.
    pub fn encode_into(&self, key: &ChecksumKey, out: &mut Vec<u8>) {
        const FITS: &str = "a block has at most 8 MiB, checked when it was made";
        let mut checksum = Checksum::new(key);
        let start = out.len();
        out.extend_from_slice(&BLOCK_MAGIC);
        out.extend_from_slice(&BLOCK_FORMAT.to_be_bytes());
        out.extend_from_slice(&[0; 2]);
        out.extend_from_slice(&self.prev.size.to_be_bytes());
        out.extend_from_slice(&u32::try_from(self.records.len()).expect(FITS).to_be_bytes());
        let frames_len = u32::try_from(self.len - BLOCK_OVERHEAD_LEN).expect(FITS);
        out.extend_from_slice(&frames_len.to_be_bytes());
        out.extend_from_slice(&self.prev.hash.0);
        checksum.update(&out[start..]);
        for record in &self.records {
            let frame_start = out.len();
            record.encode_frame_into(out).expect(FITS);
            let covered = FRAME_HEAD_LEN + record.leaf.encoded_len();
            checksum.update(&out[frame_start..frame_start + covered]);
        }
        out.extend_from_slice(&checksum.finish());
    }

    /// Where each record's frame lies within the encoded block, in order.
    pub fn frame_ranges(&self) -> impl Iterator<Item = Range<usize>> + '_ {
        self.records.iter().scan(BLOCK_HEADER_LEN, |end, record| {
            let start = *end;
            *end += record.frame_len();
            Some(start..*end)
        })
    }

    /// Where salt and body of a record lie within the encoded block: what an erasure overwrites with
    /// zeros.
    #[must_use]
    pub fn erasable_range(&self, position: Position) -> Option<Range<usize>> {
        let index = self.index_of(position)?;
        let frame = self.frame_ranges().nth(index)?;
        let covered = FRAME_HEAD_LEN + self.records.get(index)?.leaf.encoded_len();
        Some(frame.start + covered..frame.end)
    }

    /// Erases the record at a global position; false if the block does not hold it.
    pub fn erase(&mut self, position: Position) -> bool {
        let record = self
            .index_of(position)
            .and_then(|index| self.records.get_mut(index));
        record.map(Record::erase).is_some()
    }

    /// The positions whose body is not what the leaf commits to, and that are not erased.
    pub fn bad_commitments(&self) -> impl Iterator<Item = Position> + '_ {
        let bad = |record: &&Record| !record.is_erased() && !record.commitment_holds();
        self.records
            .iter()
            .filter(bad)
            .map(|record| record.leaf.position)
    }

    /// The first of [`bad_commitments`](Block::bad_commitments).
    #[must_use]
    pub fn bad_commitment(&self) -> Option<Position> {
        self.bad_commitments().next()
    }

    fn index_of(&self, position: Position) -> Option<usize> {
        let index = usize::try_from(position.0.checked_sub(self.prev.size)?).ok()?;
        (index < self.records.len()).then_some(index)
    }
}

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
    Ok((
        Block {
            prev: header.prev,
            records,
            head,
            len,
        },
        len,
    ))
}

/// Checks that `leaf` follows `head`, which is `prev` plus the records `done`; returns the head after it.
fn follow(
    prev: Head,
    done: &[Record],
    head: Head,
    leaf: &Leaf,
    leaf_bytes: &[u8],
) -> Result<Head, BlockError> {
    let position = head.next_position();
    if leaf.position != position {
        return Err(BlockError::Position {
            expected: position,
            found: leaf.position,
        });
    }
    if leaf.previous_hash != head.hash {
        let (expected, found) = (head.hash, leaf.previous_hash);
        return Err(BlockError::PreviousHash {
            position,
            expected,
            found,
        });
    }
    if let Some(first) = done.first() {
        let (expected, found) = (first.leaf.recorded_at, leaf.recorded_at);
        if expected != found {
            return Err(BlockError::RecordedAt {
                position,
                expected,
                found,
            });
        }
    }
    if !learner_link_holds(prev, done, head, leaf) {
        let previous = leaf.learner.map_or(position, |link| link.previous_position);
        return Err(BlockError::LearnerLink { position, previous });
    }
    let count = done.len().saturating_add(1);
    let range = BlockError::PositionRange {
        first: prev.next_position(),
        count,
    };
    let size = head.size.checked_add(1).ok_or(range)?;
    Ok(Head {
        size,
        hash: chain_hash(leaf_bytes),
    })
}

/// Whether a learner link that points into this block names a record of that learner, one revision
/// before and with that hash. Links to earlier blocks cannot be judged here.
fn learner_link_holds(prev: Head, done: &[Record], head: Head, leaf: &Leaf) -> bool {
    let Some(link) = leaf.learner.filter(|link| link.revision > 0) else {
        return true;
    };
    let Some(back) = link.previous_position.0.checked_sub(prev.size) else {
        return true;
    };
    let Some(index) = usize::try_from(back)
        .ok()
        .filter(|index| *index < done.len())
    else {
        return false;
    };
    // The next leaf holds the hash of this one, and was checked; after the last one it is the head's.
    let hash = done
        .get(index + 1)
        .map_or(head.hash, |next| next.leaf.previous_hash);
    done[index].leaf.learner.is_some_and(|previous| {
        previous.handle == link.handle
            && previous.revision.checked_add(1) == Some(link.revision)
            && hash == link.previous_hash
    })
}
