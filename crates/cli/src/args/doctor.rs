//! Arguments of `doctor`, which looks at a ledger on this machine and at the server that has it open.
//!
//! Apart from `serve` because it starts nothing, and from `verify` because it looks at more and at less.

use std::path::PathBuf;

use clap::Args;

use super::value::{self, Http};

/// Arguments of `doctor`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  creditbank doctor                                   the ledger in ledger-data/store
  creditbank doctor --data /srv/creditbank --last-mib 256
  creditbank doctor --json                            for programs: one object with every check

It reads only, but for one small file that it writes, syncs and removes again to time the disk, and runs beside a \
server as well as without one. `creditbank verify DIR` checks the whole ledger. Exit status: 0 all is well; 1 a \
warning or a problem, with what to do; 2 it could not run.")]
pub(crate) struct DoctorArgs {
    /// Directory of the ledger
    #[arg(long, value_name = "DIR", default_value = "ledger-data/store")]
    pub(crate) data: PathBuf,
    /// Where the server answers for metrics and health; `off` when it does not
    #[arg(long, value_name = "ADDRESS:PORT", value_parser = value::http, default_value = "127.0.0.1:7411")]
    pub(crate) http: Http,
    /// How much of the end of the ledger is checked, in MiB; at least its last segment
    #[arg(long, value_name = "MIB", default_value_t = 64)]
    pub(crate) last_mib: u64,
    /// Free space below which there is a warning, in MiB
    #[arg(long, value_name = "MIB", default_value_t = 1024)]
    pub(crate) min_free_mib: u64,
    /// Time of a write with its sync above which there is a warning, in milliseconds
    #[arg(long, value_name = "MS", default_value_t = 20)]
    pub(crate) slow_sync_ms: u64,
}
