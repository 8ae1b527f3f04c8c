//! `verify`: the auditor's check of a ledger on disk, as a command of this program.
//!
//! Apart from the crate `verify`, which does the work and is also a program of its own for auditors who
//! want neither network nor server in what they run.

use std::path::PathBuf;

/// Arguments of `verify`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  creditbank verify ledger-data/store")]
pub(crate) struct Args {
    /// Directory of the ledger
    pub(crate) dir: PathBuf,
}
