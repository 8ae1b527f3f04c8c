//! What goes into the engine besides commands, and what comes out.
//!
//! Apart from the engine so that its callers read one page.

use bytes::Bytes;
use chain::{Hash, Leaf};
use ledger::words::PendingReason;
use ledger::{Handle, Position, Rejection};

/// How several commands relate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Each for itself, in order: the good are recorded and the bad explained.
    Each,
    /// All or nothing, in one block.
    Atomic,
    /// Each for itself, nothing recorded.
    ValidateEach,
    /// As if atomic, nothing recorded.
    ValidateAtomic,
}

impl Mode {
    pub(super) fn is_atomic(self) -> bool {
        matches!(self, Self::Atomic | Self::ValidateAtomic)
    }

    pub(crate) fn validates(self) -> bool {
        matches!(self, Self::ValidateEach | Self::ValidateAtomic)
    }
}

/// How much of a learner to erase.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErasureScope {
    /// Names, documents, birth date and student numbers.
    Identity,
    /// Everything.
    All,
}

/// What became of one command.
pub type Outcome = Result<Done, Refused>;

/// A command that was refused.
#[derive(Debug, Clone)]
pub enum Refused {
    /// The rules say no.
    Rejected(Rejection),
    /// Another command of the atomic batch was refused.
    NotAttempted,
}

/// A command that was carried out, now or before.
#[derive(Debug, Clone)]
pub struct Done {
    /// Receipts of the records made, in order, the answering one last; when it was so already, the
    /// receipt of where. Empty when only validated.
    pub receipts: Vec<Receipt>,
    /// Nothing was appended: it was so already.
    pub already: bool,
    /// The learner concerned, as resolved.
    pub learner: Option<Handle>,
    /// The learner's next revision after it.
    pub revision: Option<u64>,
    /// Set when the record went to a provisional account.
    pub pending: Option<PendingReason>,
}

/// [`Done`] as the writer knows it: receipts have still to be made, and a repetition's to be read.
#[derive(Debug)]
pub(super) struct Written {
    /// Which of the block's records are its own: from, until.
    pub(super) records: (usize, usize),
    /// Where it was recorded before, once that is durable.
    pub(super) already: Option<Position>,
    /// Whether it is a repetition.
    pub(super) again: bool,
    pub(super) learner: Option<Handle>,
    pub(super) revision: Option<u64>,
    pub(super) pending: Option<PendingReason>,
}

/// What a submitter keeps.
#[derive(Debug, Clone)]
pub struct Receipt {
    /// Position in the ledger.
    pub position: chain::Position,
    /// The leaf's bytes; those of one block share their memory.
    pub leaf: Bytes,
    /// The chain hash over them.
    pub chain_hash: Hash,
    /// When it was recorded.
    pub recorded_at: chain::Timestamp,
}

impl Receipt {
    pub(super) fn of(leaf: &Leaf, chain_hash: Hash) -> Self {
        let (position, recorded_at) = (leaf.position, leaf.recorded_at);
        Receipt {
            position,
            leaf: leaf.encode().into(),
            chain_hash,
            recorded_at,
        }
    }
}
