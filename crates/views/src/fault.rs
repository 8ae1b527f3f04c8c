//! What can go wrong in the views, and why they are built anew.
//!
//! Apart from the code that fails so that the list, which callers match on, reads as one page.

use std::io;

use chain::Position;
use ledger::codec::CodecError;
use store::{BoxError, Fault, ReadError};

/// The views could not do what they were asked to.
#[derive(Debug, thiserror::Error)]
pub enum ViewsFault {
    /// Another process, or another handle of this one, has the directory open.
    #[error("the views are in use by another process")]
    InUse,
    /// The views were closed.
    #[error("the views are closed")]
    Closed,
    /// A file operation failed.
    #[error("cannot {step}")]
    Io {
        /// What was being done, as a verb phrase.
        step: &'static str,
        /// Why it failed.
        #[source]
        source: io::Error,
    },
    /// The database failed.
    #[error("cannot {step}")]
    Database {
        /// What was being done, as a verb phrase.
        step: &'static str,
        /// Why it failed.
        #[source]
        source: BoxError,
    },
    /// A stored value is not what was written. [`follow`](crate::follow) builds the views anew.
    #[error("the views are damaged: {what}")]
    Damaged {
        /// What does not check.
        what: String,
    },
    /// The log does not continue what the views reflect, as when an older copy of it was put back.
    /// [`follow`](crate::follow) builds the views anew.
    #[error("the log is not the one that the views reflect, from position {position}")]
    OtherHistory {
        /// The first position that is known to differ.
        position: Position,
    },
    /// Records were left out.
    #[error("the record at {expected} comes next, not the one at {found}")]
    Gap {
        /// The position that comes next.
        expected: Position,
        /// The position that came.
        found: Position,
    },
    /// A record of the log does not decode.
    #[error("cannot decode the record at {position}")]
    Record {
        /// Its position.
        position: Position,
        /// Why not.
        #[source]
        source: CodecError,
    },
    /// The store could not be read.
    #[error("cannot read the log")]
    Read(#[source] ReadError),
    /// The store failed.
    #[error("cannot wait for the log")]
    Store(#[source] Fault),
}

impl ViewsFault {
    /// Whether building the views anew is the remedy.
    #[must_use]
    pub fn calls_for_rebuild(&self) -> bool {
        matches!(self, Self::Damaged { .. } | Self::OtherHistory { .. })
    }

    /// The message with those of all causes.
    pub(crate) fn with_causes(&self) -> String {
        let mut text = self.to_string();
        let mut cause = std::error::Error::source(self);
        while let Some(error) = cause {
            text.push_str(": ");
            text.push_str(&error.to_string());
            cause = error.source();
        }
        text
    }

    pub(crate) fn damaged(what: impl Into<String>) -> Self {
        Self::Damaged { what: what.into() }
    }

    pub(crate) fn io(step: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { step, source }
    }

    /// A failure of sled: what it calls corruption is damage, the rest is a fault.
    pub(crate) fn sled(step: &'static str) -> impl FnOnce(sled::Error) -> Self {
        move |source| match source {
            sled::Error::Corruption { .. } | sled::Error::ReportableBug(_) => {
                Self::damaged(format!("cannot {step}: {source}"))
            }
            _ => Self::Database {
                step,
                source: source.into(),
            },
        }
    }
}

/// Why the views are built anew, from position 0.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Why {
    /// There were none.
    Missing,
    /// They were of another ledger.
    OtherLedger,
    /// They were of another version of this format.
    OtherVersion {
        /// That version.
        found: u32,
    },
    /// The machine stopped while they were open: what sled had written may be half there.
    PowerLoss,
    /// The process stopped while sled was opening them.
    StoppedWhileOpening,
    /// They did not check.
    Damaged {
        /// What did not.
        what: String,
    },
    /// The log is not the one that they reflected.
    OtherHistory,
}

impl std::fmt::Display for Why {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Missing => f.write_str("there were none"),
            Self::OtherLedger => f.write_str("they were of another ledger"),
            Self::OtherVersion { found } => write!(f, "they were of format version {found}"),
            Self::PowerLoss => f.write_str("the machine stopped while they were open"),
            Self::StoppedWhileOpening => f.write_str("the process stopped while opening them"),
            Self::Damaged { what } => write!(f, "they were damaged: {what}"),
            Self::OtherHistory => f.write_str("the log is not the one that they reflected"),
        }
    }
}
