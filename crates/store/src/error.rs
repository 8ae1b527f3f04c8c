//! What can go wrong in a store: faults, corruption, and what an appender must do next.
//!
//! Apart from the trait so that the list of outcomes, which callers match on, reads as one page.

use chain::{Head, Position};

/// A back end's own error.
pub type BoxError = Box<dyn std::error::Error + Send + Sync + 'static>;

/// Stored bytes are not what they were written as. Refuse to go on; the operator runs `verify`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("corruption at position {position}: expected {expected}, found {found}")]
pub struct Corruption {
    /// The first position that is, or may be, harmed.
    pub position: Position,
    /// What should be there, and where.
    pub expected: String,
    /// What is there.
    pub found: String,
}

/// The store could not do what it was asked to, through no fault of the request.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// A step of the back end failed.
    #[error("cannot {step}")]
    Backend {
        /// What was being done, as a verb phrase.
        step: &'static str,
        /// Why it failed.
        #[source]
        source: BoxError,
    },
    /// Stored data does not check.
    #[error(transparent)]
    Corruption(#[from] Corruption),
    /// The store no longer works on this handle.
    #[error("the store has stopped: {reason}")]
    Stopped {
        /// What stopped it.
        reason: String,
    },
    /// An erasure that the contract forbids; nothing was changed.
    #[error("the record at {position} cannot be erased: {reason}")]
    NotErasable {
        /// The first such position.
        position: Position,
        /// The rule that it breaks.
        reason: &'static str,
    },
}

impl Fault {
    /// A failed step with its cause.
    pub fn backend(step: &'static str, source: impl Into<BoxError>) -> Self {
        Self::Backend {
            step,
            source: source.into(),
        }
    }
}

/// Why records were not returned.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// There is no record there yet.
    #[error("there is no record at {position}: the ledger has {size}")]
    PastHead {
        /// The position asked for.
        position: Position,
        /// How many records there are.
        size: u64,
    },
    /// The store failed.
    #[error(transparent)]
    Fault(#[from] Fault),
}

impl From<Corruption> for ReadError {
    fn from(corruption: Corruption) -> Self {
        Self::Fault(Fault::Corruption(corruption))
    }
}

/// Why a block was not acknowledged, and what that says about what is stored.
#[derive(Debug, thiserror::Error)]
pub enum AppendError {
    /// Another head than expected; nothing was written. Load again and decide again.
    #[error("the head is {actual}")]
    HeadMoved {
        /// The head now.
        actual: Head,
    },
    /// No space; nothing was written. The same append may succeed later.
    #[error("no space for another block")]
    Full {
        /// What the back end said.
        #[source]
        source: BoxError,
    },
    /// The block is longer than this store can hold; nothing was written.
    #[error("the block has {bytes} bytes, the store holds blocks of at most {bytes_max}")]
    TooLarge {
        /// Bytes of the block.
        bytes: u64,
        /// Bytes allowed.
        bytes_max: u64,
    },
    /// The block may or may not be stored. Resolve this before anything else: once the store works
    /// again, read position `expected.size` and compare chain hashes.
    #[error("the block may or may not have been written")]
    Unknown {
        /// The step that failed.
        #[source]
        source: BoxError,
    },
    /// The writer has stopped for good; nothing was written. Restart and recover.
    #[error("the writer has stopped: {reason}")]
    Dead {
        /// What stopped it.
        reason: String,
    },
    /// Not a block that can be appended to `expected`; nothing was written.
    #[error("not a block for this head: {reason}")]
    Invalid {
        /// The rule that it breaks.
        reason: String,
    },
}
