//! What can fail in the engine, apart from the rules saying no.

use store::{AppendError, Fault, ReadError};

use crate::clock::ClockJumped;

/// Why the engine could not carry commands out.
#[derive(Debug, thiserror::Error)]
pub enum EngineFault {
    /// The disk is full: nothing was recorded; the same call may succeed later.
    #[error("the ledger has no space for more records")]
    NoSpace(#[source] AppendError),
    /// The writer has stopped for good: restart the server, which recovers.
    #[error("the ledger accepts no more records until the server is restarted: {reason}")]
    Stopped {
        /// What stopped it.
        reason: String,
    },
    /// Too much is going on at once.
    #[error("too many commands wait for the ledger; retry later")]
    Overloaded,
    /// The clock cannot be believed.
    #[error(transparent)]
    Clock(#[from] ClockJumped),
    /// The system gives no random bytes.
    #[error("cannot draw random bytes")]
    Random(#[source] getrandom::Error),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] Fault),
    /// The store could not read.
    #[error("cannot read the ledger")]
    Read(#[source] ReadError),
    /// A stored record is no event of this format.
    #[error("the record at position {position} holds no event of this format")]
    Decode {
        /// Where.
        position: u64,
        /// What is wrong with it.
        #[source]
        source: ledger::codec::CodecError,
    },
    /// The ledger does not begin as it must.
    #[error("the ledger does not begin with its opening")]
    NotOpened,
    /// The shipped vocabulary was refused.
    #[error("the ledger cannot be opened: {0}")]
    Opening(ledger::Rejection),
}

impl From<ReadError> for EngineFault {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Fault(fault) => EngineFault::Store(fault),
            past_head @ ReadError::PastHead { .. } => EngineFault::Read(past_head),
        }
    }
}

impl EngineFault {
    pub(crate) fn decode(position: u64) -> impl Fn(ledger::codec::CodecError) -> Self {
        move |source| EngineFault::Decode { position, source }
    }
}
