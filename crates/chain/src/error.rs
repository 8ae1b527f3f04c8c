//! What can be wrong with bytes or text, one enum per format, each saying what was expected and found.
//!
//! Apart from the decoders so that the list of refusals can be read at once. None of these is a
//! verdict: whether a bad block is a torn tail or corruption depends on what follows it, which the
//! store decides.

use crate::bytes::Short;
use crate::hash::Hash;
use crate::head::Head;
use crate::position::{Position, Timestamp};
use crate::tree::TreeHash;

/// A text that is no hash, handle or head.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// The wrong number of hexadecimal digits.
    #[error("expected {expected} hexadecimal digits, found {found} bytes")]
    HexLength {
        /// Digits of the type asked for.
        expected: usize,
        /// Bytes of the text.
        found: usize,
    },
    /// A byte that is no lower-case hexadecimal digit.
    #[error("expected a lower-case hexadecimal digit at byte {index}")]
    HexDigit {
        /// Index of the byte, from 0.
        index: usize,
    },
    /// A head without its colon.
    #[error("expected SIZE:HASH, found no colon")]
    HeadSeparator,
    /// A head whose size is no number, or not in its one spelling.
    #[error("expected the size of a head as a decimal number without leading zeros")]
    HeadSize,
    /// A head with a size but no hash, or the reverse.
    #[error("expected a zero hash exactly for size 0, found otherwise for size {size}")]
    HeadZero {
        /// The size given.
        size: u64,
    },
}

/// A text or bytes that are no institution id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InstitutionError {
    /// Too many bytes.
    #[error("an institution id has at most {max} bytes, found {found}")]
    Length {
        /// Bytes found.
        found: usize,
        /// Bytes allowed.
        max: usize,
    },
    /// A byte outside 0x21 to 0x7e.
    #[error("expected a visible ascii character at byte {index}, found 0x{found:02x}")]
    Byte {
        /// Index of the byte, from 0.
        index: usize,
        /// The byte.
        found: u8,
    },
}

/// Bytes that are no leaf, or a leaf that breaks a canonical rule (`ledger-data/README.md` section 3).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LeafError {
    /// Fewer bytes than the fields need.
    #[error("expected at least {needed} bytes of leaf, found {found}")]
    Truncated {
        /// Bytes needed by the field that failed.
        needed: usize,
        /// Bytes given.
        found: usize,
    },
    /// More bytes than the fields need.
    #[error("expected a leaf of {expected} bytes, found {found}")]
    Trailing {
        /// Bytes of the fields.
        expected: usize,
        /// Bytes given.
        found: usize,
    },
    /// A version this code does not know.
    #[error("expected leaf version {expected}, found {found}")]
    Version {
        /// The version known.
        expected: u16,
        /// The version given.
        found: u16,
    },
    /// Kind zero.
    #[error("expected a record kind above zero, found 0")]
    KindZero,
    /// An issuer that is no institution id.
    #[error("the issuer is no institution id")]
    Issuer(#[source] InstitutionError),
    /// A submitter that is no institution id.
    #[error("the submitter is no institution id")]
    Submitter(#[source] InstitutionError),
    /// No learner, yet a revision or a previous record of one.
    #[error("expected no learner revision, previous position or hash without a handle")]
    LinkWithoutLearner,
    /// A learner link with the handle that means "no learner".
    #[error("expected a handle above zero in a learner link, found zero")]
    HandleZero,
    /// Revision 0 that names a previous record.
    #[error("expected no previous record at revision 0, found position {found} and hash {hash}")]
    FirstRevisionLinked {
        /// The previous position given.
        found: Position,
        /// The previous hash given.
        hash: Hash,
    },
    /// A later revision whose previous record is not before it.
    #[error("expected the learner's previous record before position {position}, found {found}")]
    LearnerPosition {
        /// The leaf's own position.
        position: Position,
        /// The previous position given.
        found: Position,
    },
    /// A later revision without a previous hash.
    #[error("expected the learner's previous hash at revision {revision}, found zero")]
    LearnerHashZero {
        /// The revision given.
        revision: u64,
    },
    /// Position 0 with a previous hash, or a later one without.
    #[error("expected a zero previous hash exactly at position 0, found {found} at {position}")]
    PreviousHash {
        /// The leaf's own position.
        position: Position,
        /// The previous hash given.
        found: Hash,
    },
}

/// Bytes that are no block, or records that make none (`ledger-data/README.md` sections 7 and 8).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BlockError {
    /// Fewer bytes than the header or its lengths need.
    #[error("expected at least {needed} bytes of block, found {found}")]
    Truncated {
        /// Bytes needed.
        needed: usize,
        /// Bytes given.
        found: usize,
    },
    /// The first four bytes are not `CBLK`.
    #[error("expected the block magic {expected:02x?}, found {found:02x?}")]
    Magic {
        /// `CBLK`.
        expected: [u8; 4],
        /// The bytes given.
        found: [u8; 4],
    },
    /// A format this code does not know.
    #[error("expected block format {expected}, found {found}")]
    Format {
        /// The format known.
        expected: u16,
        /// The format given.
        found: u16,
    },
    /// The reserved field is in use.
    #[error("expected zero in the reserved field of the block header, found {found}")]
    Reserved {
        /// The value given.
        found: u16,
    },
    /// The previous head has a size but no hash, or the reverse.
    #[error("expected a zero hash exactly for size 0 in the previous head, found {found}")]
    PreviousHead {
        /// The previous head given.
        found: Head,
    },
    /// The block would be, or says it is, longer than the maximum.
    #[error("a block has at most {max} bytes, found {found}")]
    Length {
        /// Bytes of the block; saturates.
        found: usize,
        /// Bytes allowed.
        max: usize,
    },
    /// The frames cannot hold, or do not hold, the number of records in the header.
    #[error("expected {expected} records in {frames_len} bytes of frames, which do not hold them")]
    Count {
        /// Records according to the header.
        expected: u32,
        /// Bytes of frames according to the header.
        frames_len: u32,
    },
    /// The last position would not fit.
    #[error("no position is left after {first} for {count} records")]
    PositionRange {
        /// The first position of the block.
        first: Position,
        /// How many records follow.
        count: usize,
    },
    /// The checksum differs: the block was not written whole, or was changed.
    #[error("expected block checksum {expected}, found {found}")]
    Checksum {
        /// Computed from the bytes.
        expected: Hash,
        /// Stored at the end of the block.
        found: Hash,
    },
    /// A leaf that does not decode, or breaks a canonical rule.
    #[error("bad leaf at position {position}")]
    Leaf {
        /// Where the leaf belongs.
        position: Position,
        /// What is wrong with it.
        #[source]
        source: LeafError,
    },
    /// Positions are not dense.
    #[error("expected position {expected}, found {found}")]
    Position {
        /// The position after the previous record.
        expected: Position,
        /// The position in the leaf.
        found: Position,
    },
    /// The ledger's chain is broken.
    #[error("expected previous hash {expected} at position {position}, found {found}")]
    PreviousHash {
        /// The leaf's position.
        position: Position,
        /// The chain hash of the previous leaf.
        expected: Hash,
        /// The previous hash in the leaf.
        found: Hash,
    },
    /// A learner's chain is broken inside the block.
    #[error("the learner link at position {position} does not match the leaf at {previous}")]
    LearnerLink {
        /// The leaf's position.
        position: Position,
        /// The position it names as the learner's previous.
        previous: Position,
    },
    /// A block has one recorded-at; this leaf has another.
    #[error("expected recorded-at {expected} at position {position}, found {found}")]
    RecordedAt {
        /// The leaf's position.
        position: Position,
        /// The first leaf's recorded-at.
        expected: Timestamp,
        /// This leaf's.
        found: Timestamp,
    },
    /// A salt of zeros, which marks an erased record, for a new one.
    #[error("expected a random salt at position {position}, found zeros")]
    SaltZero {
        /// The record's position.
        position: Position,
    },
    /// A learner's revisions are used up.
    #[error("no revision is left after {revision} at position {position}")]
    RevisionRange {
        /// The record's position.
        position: Position,
        /// The learner's last revision.
        revision: u64,
    },
}

/// Bytes that are no segment header (`ledger-data/README.md` section 9).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SegmentError {
    /// Fewer bytes than a header has.
    #[error("expected {needed} bytes of segment header, found {found}")]
    Truncated {
        /// Bytes needed.
        needed: usize,
        /// Bytes given.
        found: usize,
    },
    /// The first eight bytes are not `CBSEGMNT`.
    #[error("expected the segment magic {expected:02x?}, found {found:02x?}")]
    Magic {
        /// `CBSEGMNT`.
        expected: [u8; 8],
        /// The bytes given.
        found: [u8; 8],
    },
    /// A format this code does not know.
    #[error("expected segment format {expected}, found {found}")]
    Format {
        /// The format known.
        expected: u16,
        /// The format given.
        found: u16,
    },
    /// The reserved field is in use.
    #[error("expected zero in the reserved field of the segment header, found {found}")]
    Reserved {
        /// The value given.
        found: u16,
    },
    /// An alignment that is no power of two from 1 to 65,536.
    #[error("expected a block alignment that is a power of two from 1 to {max}, found {found}")]
    Alignment {
        /// The alignment given.
        found: u32,
        /// The largest allowed.
        max: u32,
    },
    /// The head has a size but no hash, or the reverse.
    #[error("expected a zero hash exactly for size 0 in the segment's head, found {found}")]
    Head {
        /// The head given.
        found: Head,
    },
    /// The checksum differs.
    #[error("expected segment header checksum {expected}, found {found}")]
    Checksum {
        /// Computed from the bytes.
        expected: Hash,
        /// Stored in the header.
        found: Hash,
    },
}

impl From<Short> for LeafError {
    fn from(Short { needed, found }: Short) -> LeafError {
        LeafError::Truncated { needed, found }
    }
}

impl From<Short> for BlockError {
    fn from(Short { needed, found }: Short) -> BlockError {
        BlockError::Truncated { needed, found }
    }
}

impl From<Short> for SegmentError {
    fn from(Short { needed, found }: Short) -> SegmentError {
        SegmentError::Truncated { needed, found }
    }
}

/// A proof of the tree that does not hold.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// The tree is too small.
    #[error("a tree of {size} leaves has no leaf {index}")]
    NoSuchLeaf {
        /// The leaf asked for, from 0.
        index: u64,
        /// Leaves of the tree.
        size: u64,
    },
    /// The newer tree has fewer leaves.
    #[error("a tree of {new} leaves cannot continue one of {old}")]
    Shrunk {
        /// Leaves of the older tree.
        old: u64,
        /// Leaves of the newer tree.
        new: u64,
    },
    /// There is no proof of consistency with the empty tree.
    #[error("nothing can be proved about a tree without leaves")]
    OfNothing,
    /// Fewer hashes than the sizes ask for.
    #[error("the proof has too few hashes for these sizes")]
    TooShort,
    /// More hashes than the sizes ask for.
    #[error("the proof has too many hashes for these sizes")]
    TooLong,
    /// The hashes lead to another root.
    #[error("the proof leads to the root {found}, expected {expected}")]
    Root {
        /// The root that is vouched for.
        expected: TreeHash,
        /// What the proof leads to.
        found: TreeHash,
    },
}

/// A text that is no signed note, a key that is none, or a signature that does not hold (C2SP
/// signed-note).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// Longer than any note is.
    #[error("expected at most {max} bytes, found {found}")]
    Length {
        /// Bytes found.
        found: usize,
        /// Bytes allowed.
        max: usize,
    },
    /// Not UTF-8, or with control characters.
    #[error("expected UTF-8 text without control characters but line feeds")]
    Text,
    /// No blank line before signatures.
    #[error("expected a text, a blank line, and at least one signature line")]
    Shape,
    /// A signature line that is none.
    #[error(
        "signature line {line} is not: em dash, space, key name, space, base64 of key id and signature"
    )]
    SignatureLine {
        /// From 1.
        line: usize,
    },
    /// More signature lines than are looked at.
    #[error("expected at most {max} signature lines, found {found}")]
    TooMany {
        /// Lines found.
        found: usize,
        /// Lines allowed.
        max: usize,
    },
    /// A known key's signature that does not hold: the note is to be believed in nothing.
    #[error("the signature by {name} does not hold")]
    Forged {
        /// The key's name.
        name: String,
    },
    /// No signature of a key that is trusted.
    #[error("no signature by {name} with that key")]
    Unsigned {
        /// The name that was looked for.
        name: String,
    },
    /// A key that is no verifier key.
    #[error(
        "{problem}: a verifier key is NAME+ID+BASE64, where the id is eight lower-case hexadecimal digits made from name and key"
    )]
    Key {
        /// What is wrong.
        problem: &'static str,
    },
}

/// A text that is no checkpoint (C2SP tlog-checkpoint).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointError {
    /// Something is wrong with the note.
    #[error(transparent)]
    Note(#[from] NoteError),
    /// Fewer than three lines.
    #[error("expected the lines origin, size and root")]
    Lines,
    /// An empty origin.
    #[error("expected an origin on the first line")]
    Origin,
    /// Another ledger's.
    #[error("expected the origin {expected}, found {found}")]
    OtherOrigin {
        /// The ledger that is trusted.
        expected: String,
        /// The ledger that it is of.
        found: String,
    },
    /// A size in another spelling.
    #[error("expected the size as a decimal number without leading zeros")]
    Size,
    /// A root that is no hash.
    #[error("expected the root as base64 of 32 bytes")]
    Root,
    /// An empty tree with another root.
    #[error("a tree without leaves has the SHA-256 of nothing as its root")]
    RootOfNothing,
}

/// A path that names no tile (C2SP tlog-tiles).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TilePathError {
    /// Neither a tile nor an entry bundle.
    #[error("expected tile/LEVEL/INDEX or tile/entries/INDEX, where .p/WIDTH may follow")]
    Shape,
    /// A level that no tree has.
    #[error("expected a level from 0 to 63 without leading zeros")]
    Level,
    /// Not in groups of three digits.
    #[error("expected the index in groups of three digits, all but the last with an x before it")]
    Index,
    /// A width that no partial tile has.
    #[error("expected a width from 1 to 255 without leading zeros")]
    Width,
}

/// A text that is no receipt, or a receipt that does not hold (C2SP tlog-proof).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReceiptError {
    /// Not the first line of a proof.
    #[error("expected {expected:?} as the first line")]
    Head {
        /// The line.
        expected: &'static str,
    },
    /// A line that is not what belongs there.
    #[error("line {line}: expected {expected}")]
    Line {
        /// From 1.
        line: usize,
        /// What belongs there.
        expected: &'static str,
    },
    /// Something is wrong with the checkpoint.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The proof does not hold.
    #[error(transparent)]
    Proof(#[from] ProofError),
}
