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

use crate::checksum::{Checksum, ChecksumKey};
use crate::error::BlockError;
use crate::hash::chain_hash;
use crate::head::Head;
use crate::leaf::{LEAF_LEN_MAX, Leaf};
use crate::position::{Position, Timestamp};
use crate::record::{FRAME_HEAD_LEN, Record};

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

    /// For the builder and the decoder, which have made or checked the links that `new` would check.
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

    /// Whether every commitment holds and no record is erased: what recovery asks of the last block of a
    /// log, where zeros are no excuse (`ledger-data/README.md` section 10).
    #[must_use]
    pub fn all_commitments_hold(&self) -> bool {
        self.records.iter().all(Record::commitment_holds)
    }

    fn index_of(&self, position: Position) -> Option<usize> {
        let index = usize::try_from(position.0.checked_sub(self.prev.size)?).ok()?;
        (index < self.records.len()).then_some(index)
    }
}

/// Checks that `leaf` follows `head`, which is `prev` plus the records `done`; returns the head after it.
pub(crate) fn follow(
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
