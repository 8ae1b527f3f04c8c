//! Builds a block record by record: what the server's one writer uses.
//!
//! Apart from `block` because it makes links where `Block::new` checks them: positions, both previous
//! hashes, revisions and commitments are filled in here and nowhere else.

use crate::block::{BLOCK_BYTES_MAX, BLOCK_OVERHEAD_LEN, Block};
use crate::commitment::{Commitment, Salt};
use crate::error::BlockError;
use crate::hash::{Hash, chain_hash};
use crate::head::Head;
use crate::ids::{Handle, Institution};
use crate::leaf::{LEAF_LEN_MAX, Leaf, LearnerLink};
use crate::position::{Position, Timestamp};
use crate::record::{Record, frame_len};

/// A learner's last record: what the next one links to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LearnerTip {
    /// Its index within the learner's history, from 0.
    pub revision: u64,
    /// Its global index.
    pub position: Position,
    /// Its chain hash.
    pub hash: Hash,
}

/// Where a record went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pushed {
    /// Its global index.
    pub position: Position,
    /// Its chain hash.
    pub hash: Hash,
    /// The learner's new tip, if the record has a learner.
    pub tip: Option<LearnerTip>,
    /// Where its leaf ends in [`BlockBuilder::finish_with_leaves`]; it begins where the one before ends.
    pub leaf_end: usize,
}

/// A block in the making.
#[derive(Debug)]
pub struct BlockBuilder {
    prev: Head,
    at: Timestamp,
    head: Head,
    records: Vec<Record>,
    len: usize,
    /// The leaves' bytes, one after the other: what was hashed is what receipts show.
    leaves: Vec<u8>,
}

impl BlockBuilder {
    /// Starts a block after `prev` whose records are all recorded at `at`. The caller keeps `at` from
    /// decreasing along the ledger.
    #[must_use]
    pub fn new(prev: Head, at: Timestamp) -> BlockBuilder {
        BlockBuilder {
            prev,
            at,
            head: prev,
            records: vec![],
            len: BLOCK_OVERHEAD_LEN,
            leaves: Vec::new(),
        }
    }

    /// Appends a record: fills in its position, previous hash, learner link and commitment.
    ///
    /// The caller tracks tips: `learner` is the handle and that learner's last record, also when that
    /// record is in this block; `None` instead of a tip makes revision 0.
    ///
    /// # Errors
    /// A block that would grow too long ([`BlockError::Length`]), kind 0, a handle or salt of zeros, or a
    /// tip that cannot be one. Then the block is as it was.
    pub fn push(
        &mut self,
        kind: u16,
        issuer: Institution,
        submitter: Institution,
        learner: Option<(Handle, Option<LearnerTip>)>,
        salt: Salt,
        body: Vec<u8>,
    ) -> Result<Pushed, BlockError> {
        let commitment = Commitment::new(salt, &body);
        self.push_committed(kind, issuer, submitter, learner, commitment, body)
    }

    /// The same for a body that has been hashed before. The caller sees to it that the commitment is to this
    /// body.
    ///
    /// # Errors
    /// As of [`push`](BlockBuilder::push).
    pub fn push_committed(
        &mut self,
        kind: u16,
        issuer: Institution,
        submitter: Institution,
        learner: Option<(Handle, Option<LearnerTip>)>,
        commitment: Commitment,
        body: Vec<u8>,
    ) -> Result<Pushed, BlockError> {
        debug_assert!(commitment.is_to(&body), "the commitment is to another body");
        let Commitment {
            salt,
            hash: commitment,
        } = commitment;
        let position = self.head.next_position();
        let size = self.head.size.checked_add(1);
        let size = size.ok_or(BlockError::PositionRange {
            first: position,
            count: 1,
        })?;
        if salt.is_zero() {
            return Err(BlockError::SaltZero { position });
        }
        let learner = learner
            .map(|(handle, tip)| link(position, handle, tip))
            .transpose()?;
        let leaf = Leaf {
            position,
            recorded_at: self.at,
            kind,
            issuer,
            submitter,
            learner,
            previous_hash: self.head.hash,
            commitment,
        };
        leaf.check()
            .map_err(|source| BlockError::Leaf { position, source })?;
        let len = self
            .len
            .saturating_add(frame_len(leaf.encoded_len(), body.len()));
        if len > BLOCK_BYTES_MAX {
            return Err(BlockError::Length {
                found: len,
                max: BLOCK_BYTES_MAX,
            });
        }

        let leaf_start = self.leaves.len();
        leaf.encode_into(&mut self.leaves);
        let hash = chain_hash(&self.leaves[leaf_start..]);
        self.records.push(Record { leaf, salt, body });
        self.len = len;
        self.head = Head { size, hash };
        let tip = learner.map(|link| LearnerTip {
            revision: link.revision,
            position,
            hash,
        });
        Ok(Pushed {
            position,
            hash,
            tip,
            leaf_end: self.leaves.len(),
        })
    }

    /// Bytes of the block if it were finished now.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.len
    }

    /// Whether a record with a body of `body_len` bytes certainly fits, whatever its institutions.
    #[must_use]
    pub fn has_room_for(&self, body_len: usize) -> bool {
        self.len.saturating_add(frame_len(LEAF_LEN_MAX, body_len)) <= BLOCK_BYTES_MAX
    }

    /// The head after the records so far.
    #[must_use]
    pub fn head(&self) -> Head {
        self.head
    }

    /// The recorded-at of all its records.
    #[must_use]
    pub fn at(&self) -> Timestamp {
        self.at
    }

    /// The records so far.
    #[must_use]
    pub fn records(&self) -> &[Record] {
        &self.records
    }

    /// Whether there is no record yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// The block. Without records it is a head mark.
    #[must_use]
    pub fn finish(self) -> Block {
        self.finish_with_leaves().0
    }

    /// The same, with the bytes of its leaves, one after the other.
    #[must_use]
    pub fn finish_with_leaves(self) -> (Block, Vec<u8>) {
        let block = Block::from_checked(self.prev, self.records, self.head, self.len);
        (block, self.leaves)
    }
}

fn link(
    position: Position,
    handle: Handle,
    tip: Option<LearnerTip>,
) -> Result<LearnerLink, BlockError> {
    let Some(LearnerTip {
        revision,
        position: previous_position,
        hash: previous_hash,
    }) = tip
    else {
        let (previous_position, previous_hash) = (Position(0), Hash::ZERO);
        return Ok(LearnerLink {
            handle,
            revision: 0,
            previous_position,
            previous_hash,
        });
    };
    let next = revision.checked_add(1);
    let next = next.ok_or(BlockError::RevisionRange { position, revision })?;
    Ok(LearnerLink {
        handle,
        revision: next,
        previous_position,
        previous_hash,
    })
}
