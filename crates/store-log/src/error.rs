//! Why a ledger could not be opened.
//!
//! Apart from the errors of the store's contract because only this back end has files and a lock.

use std::io;
use std::path::PathBuf;

use store::Corruption;

/// Why a ledger could not be opened. One variant per step.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The options contradict each other or the format.
    #[error("these options make no store: {reason}")]
    Options {
        /// The rule that is broken.
        reason: String,
    },
    /// Another process has the ledger open.
    #[error("the ledger in {} is in use: another process holds its lock; stop that one first", dir.display())]
    Locked {
        /// The data directory.
        dir: PathBuf,
    },
    /// The directory remembers a ledger whose records are not there.
    #[error("{} holds traces of a ledger ({trace}) whose records are not in its log; restore log/, or give another directory", dir.display())]
    RecordsMissing {
        /// The data directory.
        dir: PathBuf,
        /// What remembers it.
        trace: String,
    },
    /// The lock could not be taken for another reason.
    #[error("cannot lock {}", path.display())]
    Lock {
        /// The lock file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A directory could not be made, listed or synced.
    #[error("cannot prepare the directory {}", path.display())]
    Directory {
        /// The directory.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A file could not be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A file could not be written or synced.
    #[error("cannot write {}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The system gave no random bytes.
    #[error("cannot draw a random checksum key")]
    Random {
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A thread could not be started.
    #[error("cannot start a thread of the log")]
    Thread {
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Stored bytes do not check, and not in a way that a crash leaves behind.
    #[error(transparent)]
    Corruption(#[from] Corruption),
    /// The records of an interrupted erasure could not be read to finish it.
    #[error("cannot finish an erasure that was interrupted")]
    Erase {
        /// Why.
        #[source]
        source: store::ReadError,
    },
    /// The records could not be read to build the key index.
    #[error("cannot build the key index")]
    Index {
        /// Why.
        #[source]
        source: store::ReadError,
    },
}
