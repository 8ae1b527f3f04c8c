//! Why nothing is published.
//!
//! Apart from the publisher so that what stops a server can be read at once.

use std::io;

use chain::{CheckpointError, ProofError, TreeHash};
use store::{Fault, ReadError};

/// Why a checkpoint could not be made, or must not be.
#[derive(Debug, thiserror::Error)]
pub enum PublishFault {
    /// The file system's.
    #[error("the files of the tree cannot be read or written")]
    Io(#[from] io::Error),
    /// The store's.
    #[error("the log cannot be read for the tree")]
    Read(#[from] ReadError),
    /// The store's.
    #[error("the log's head cannot be read for the tree")]
    Store(#[from] Fault),
    /// The checkpoint on disk is none, or none of ours.
    #[error(
        "the published checkpoint does not hold; restore the file from a backup, or from whoever fetched it"
    )]
    Checkpoint(#[from] CheckpointError),
    /// Records that were published are gone.
    #[error(
        "a checkpoint over {published} records was published, and the log has {durable}: records are \
         lost; restore a complete backup"
    )]
    Shrunk {
        /// Size of the published checkpoint.
        published: u64,
        /// Size of the log.
        durable: u64,
    },
    /// The log is not the one that was published.
    #[error(
        "the published checkpoint over {size} records has the root {published}, and the log has {found}: \
         records were changed; nothing is signed, run `creditbank verify`"
    )]
    Changed {
        /// Size of the published checkpoint.
        size: u64,
        /// Its root.
        published: TreeHash,
        /// The root over the log's first records.
        found: TreeHash,
    },
    /// What was written is not what was read back.
    #[error(
        "the hashes read back give the root {found}, expected {expected}: the disk cannot be trusted"
    )]
    ReadBack {
        /// As computed.
        expected: TreeHash,
        /// As read.
        found: TreeHash,
    },
    /// The new tree does not continue the one that was signed.
    #[error("the tree does not continue the one that was signed last; nothing is signed")]
    Inconsistent(#[source] ProofError),
}
