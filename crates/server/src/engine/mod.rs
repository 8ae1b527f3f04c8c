//! The engine: from commands to durable records, and nothing about gRPC.
//!
//! (The main author is writing this; services are written against these signatures.)

use std::sync::Arc;

use chain::{Hash, Head, Position, Timestamp};
use ledger::{Command, Handle, Rejection, words::PendingReason};

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

/// What a submitter keeps.
#[derive(Debug, Clone)]
pub struct Receipt {
    /// Position in the ledger.
    pub position: Position,
    /// The leaf's bytes.
    pub leaf: Vec<u8>,
    /// The chain hash over them.
    pub chain_hash: Hash,
    /// When it was recorded.
    pub recorded_at: Timestamp,
}
