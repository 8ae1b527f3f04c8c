//! Why a ledger could not be verified at all: neither clean nor not.
//!
//! Apart from findings because nothing was learnt about the ledger; each message says what to do.

use std::io;
use std::path::PathBuf;

/// Why a verification could not run.
#[derive(Debug, thiserror::Error)]
pub enum CouldNotRun {
    /// There is no such directory.
    #[error("there is no directory {}; give the data directory of a ledger", dir.display())]
    NoDirectory {
        /// What was asked for.
        dir: PathBuf,
    },
    /// There is no log in it.
    #[error("{} holds no ledger: there is no segment in {}; give the directory that holds `log`", dir.display(), dir.join("log").display())]
    NoLedger {
        /// What was asked for.
        dir: PathBuf,
    },
    /// It is the log itself.
    #[error("{} is the log of a ledger; give the directory above it", dir.display())]
    LogItself {
        /// What was asked for.
        dir: PathBuf,
    },
    /// Something could not be read.
    #[error("cannot read {}; check that you may read it, and the medium", path.display())]
    Unreadable {
        /// What.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// An error with all that lies beneath it, on one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(beneath) = source {
        text.push_str(": ");
        text.push_str(&beneath.to_string());
        source = beneath.source();
    }
    text
}
