//! The leaf: what is hashed for ever about a record, and its one encoding.
//!
//! Apart from `record` because a leaf outlives its body: proofs, both chains and the tree are over
//! leaves alone. Layout, all integers big-endian (`ledger-data/README.md` section 3):
//!
//! ```text
//!   0 u16 version = 1            52 [32] learner's previous chain hash
//!   2 u64 position               84 [32] ledger's previous chain hash
//!  10 u64 recorded-at, µs       116 [32] body commitment
//!  18 u16 kind, not 0           148 u8 issuer length, issuer
//!  20 [16] handle, 0 = none         u8 submitter length, submitter
//!  36 u64 revision
//!  44 u64 learner's previous position
//! ```

use crate::bytes::Reader;
use crate::error::LeafError;
use crate::hash::{Hash, chain_hash};
use crate::ids::{Handle, INSTITUTION_BYTES_MAX, Institution};
use crate::position::{Position, Timestamp};

/// The version of the leaf format written and read here.
pub const LEAF_VERSION: u16 = 1;

/// Bytes of a leaf without institutions: the fixed fields and two length bytes.
pub const LEAF_LEN_MIN: usize = 150;

/// Bytes of the longest leaf. Far below 65,535, the longest entry that the two-byte lengths of RFC 6962
/// tile bundles can carry; later versions may grow up to that.
pub const LEAF_LEN_MAX: usize = LEAF_LEN_MIN + 2 * INSTITUTION_BYTES_MAX;

/// What joins a record to its learner's previous one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LearnerLink {
    /// The learner; not zero.
    pub handle: Handle,
    /// Index of this record within the learner's history, from 0.
    pub revision: u64,
    /// Position of the learner's record before this one; zero at revision 0.
    pub previous_position: Position,
    /// Chain hash of the learner's record before this one; zero at revision 0.
    pub previous_hash: Hash,
}

/// The part of a record that is never erased. It holds no personal data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Leaf {
    /// Global index of the record.
    pub position: Position,
    /// When it was recorded; never decreases along the ledger.
    pub recorded_at: Timestamp,
    /// Number of the event kind (`EventKind` in `proto/creditbank/event/v1`); not zero.
    pub kind: u16,
    /// The institution that answers for the content.
    pub issuer: Institution,
    /// The institution that sent it.
    pub submitter: Institution,
    /// The learner whose chain this record is on, if any.
    pub learner: Option<LearnerLink>,
    /// Chain hash of the record before this one; zero at position 0.
    pub previous_hash: Hash,
    /// Commitment to the body ([`commit`](crate::commit)).
    pub commitment: Hash,
}

impl Leaf {
    /// How many bytes [`encode`](Leaf::encode) gives.
    #[must_use]
    pub fn encoded_len(&self) -> usize {
        LEAF_LEN_MIN + self.issuer.as_bytes().len() + self.submitter.as_bytes().len()
    }

    /// The leaf's bytes. Only a leaf that passes [`check`](Leaf::check) decodes again.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.encoded_len());
        self.encode_into(&mut out);
        out
    }

    /// Appends the leaf's bytes to `out`.
    pub fn encode_into(&self, out: &mut Vec<u8>) {
        let link = self.learner.unwrap_or(LearnerLink {
            handle: Handle::ZERO,
            revision: 0,
            previous_position: Position(0),
            previous_hash: Hash::ZERO,
        });
        out.extend_from_slice(&LEAF_VERSION.to_be_bytes());
        out.extend_from_slice(&self.position.0.to_be_bytes());
        out.extend_from_slice(&self.recorded_at.0.to_be_bytes());
        out.extend_from_slice(&self.kind.to_be_bytes());
        out.extend_from_slice(&link.handle.0);
        out.extend_from_slice(&link.revision.to_be_bytes());
        out.extend_from_slice(&link.previous_position.0.to_be_bytes());
        out.extend_from_slice(&link.previous_hash.0);
        out.extend_from_slice(&self.previous_hash.0);
        out.extend_from_slice(&self.commitment.0);
        for institution in [&self.issuer, &self.submitter] {
            let id = institution.as_bytes();
            out.push(u8::try_from(id.len()).expect("an institution id has at most 64 bytes"));
            out.extend_from_slice(id);
        }
    }

    /// Reads a leaf from exactly these bytes.
    ///
    /// # Errors
    /// Whatever [`encode`](Leaf::encode) of a leaf that passes [`check`](Leaf::check) cannot give.
    pub fn decode(bytes: &[u8]) -> Result<Leaf, LeafError> {
        let mut reader = Reader::new(bytes);
        let version = reader.u16()?;
        if version != LEAF_VERSION {
            return Err(LeafError::Version {
                expected: LEAF_VERSION,
                found: version,
            });
        }
        let position = Position(reader.u64()?);
        let recorded_at = Timestamp(reader.u64()?);
        let kind = reader.u16()?;
        let learner = decode_link(&mut reader)?;
        let previous_hash = Hash(reader.array()?);
        let commitment = Hash(reader.array()?);
        let issuer = decode_institution(&mut reader, LeafError::Issuer)?;
        let submitter = decode_institution(&mut reader, LeafError::Submitter)?;
        if !reader.is_at_end() {
            return Err(LeafError::Trailing {
                expected: reader.offset(),
                found: bytes.len(),
            });
        }
        let leaf = Leaf {
            position,
            recorded_at,
            kind,
            issuer,
            submitter,
            learner,
            previous_hash,
            commitment,
        };
        leaf.check()?;
        Ok(leaf)
    }

    /// Checks the canonical rules, which make two leaves with one meaning impossible
    /// (`ledger-data/README.md` section 3).
    ///
    /// # Errors
    /// The first rule that is broken.
    pub fn check(&self) -> Result<(), LeafError> {
        if self.kind == 0 {
            return Err(LeafError::KindZero);
        }
        if (self.position.0 == 0) != self.previous_hash.is_zero() {
            let (position, found) = (self.position, self.previous_hash);
            return Err(LeafError::PreviousHash { position, found });
        }
        self.learner
            .as_ref()
            .map_or(Ok(()), |link| check_link(self.position, link))
    }

    /// The record's chain hash.
    #[must_use]
    pub fn hash(&self) -> Hash {
        chain_hash(&self.encode())
    }
}

fn check_link(position: Position, link: &LearnerLink) -> Result<(), LeafError> {
    let LearnerLink {
        handle,
        revision,
        previous_position,
        previous_hash,
    } = *link;
    if handle.is_zero() {
        return Err(LeafError::HandleZero);
    }
    if revision == 0 {
        if previous_position != Position(0) || !previous_hash.is_zero() {
            let (found, hash) = (previous_position, previous_hash);
            return Err(LeafError::FirstRevisionLinked { found, hash });
        }
        return Ok(());
    }
    if previous_position >= position {
        return Err(LeafError::LearnerPosition {
            position,
            found: previous_position,
        });
    }
    if previous_hash.is_zero() {
        return Err(LeafError::LearnerHashZero { revision });
    }
    Ok(())
}

fn decode_link(reader: &mut Reader<'_>) -> Result<Option<LearnerLink>, LeafError> {
    let link = LearnerLink {
        handle: Handle(reader.array()?),
        revision: reader.u64()?,
        previous_position: Position(reader.u64()?),
        previous_hash: Hash(reader.array()?),
    };
    if !link.handle.is_zero() {
        return Ok(Some(link));
    }
    if link.revision != 0 || link.previous_position.0 != 0 || !link.previous_hash.is_zero() {
        return Err(LeafError::LinkWithoutLearner);
    }
    Ok(None)
}

fn decode_institution(
    reader: &mut Reader<'_>,
    wrap: fn(crate::error::InstitutionError) -> LeafError,
) -> Result<Institution, LeafError> {
    let len = usize::from(reader.u8()?);
    Institution::try_from(reader.slice(len)?).map_err(wrap)
}
