//! Arguments of `watch` and `log follow`, which print what comes until somebody stops them.
//!
//! Together because both go on where they left, by themselves and when they are started again.

use clap::{Args, Subcommand};

use super::account::Whose;
use super::value;

pub(crate) const LOG_EXAMPLES: &str = "\
Examples:
  creditbank log follow --from 0 --until-head --json > leaves.jsonl
  creditbank log follow --kind learner_merged --kind learners_separated";

/// Arguments of `watch`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  creditbank watch --student open-university:OU2022-10001
  creditbank watch --as learner:HANDLE
  creditbank watch --student open-university:OU2022-10001 --json
  creditbank watch --student open-university:OU2022-10001 --resume TOKEN

Prints the statement and then each entry as it comes, also what expires at midnight UTC, until Ctrl-C. A lost \
connection comes back by itself, and no entry is printed twice or left out. With --json each line holds some \
entries and the `resume_token` with which --resume goes on exactly after them.")]
pub(crate) struct WatchArgs {
    /// Whose.
    #[command(flatten)]
    pub(crate) whose: Whose,
    /// Entries of records from this position of the ledger on
    #[arg(long, value_name = "POSITION", default_value_t = 0)]
    pub(crate) from: u64,
    /// Go on exactly where an earlier watch ended
    #[arg(long, value_name = "TOKEN", conflicts_with = "from")]
    pub(crate) resume: Option<String>,
}

/// The commands about the log.
#[derive(Debug, Subcommand)]
pub(crate) enum LogCommand {
    /// Print records of the log as they come
    Follow(FollowArgs),
}

/// Arguments of `log follow`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  creditbank log follow                               everything, from the first record on
  creditbank log follow --from 4711 --institution hill-university
  creditbank log follow --kind learner_erased --kind learner_identity_erased
  creditbank log follow --until-head --bodies --json > log.jsonl

Prints each record's leaf, which is what is hashed: position, time, kind, issuer, the learner's handle and \
revision. It asks as auditor unless --as says otherwise, and goes on until Ctrl-C, through restarts of the \
server. Kinds are those of creditbank.event.v1.EventKind, by word or number.")]
pub(crate) struct FollowArgs {
    /// First position
    #[arg(long, value_name = "POSITION", default_value_t = 0)]
    pub(crate) from: u64,
    /// Only this kind of event; repeat for more
    #[arg(long = "kind", value_name = "KIND", value_parser = value::event_kind)]
    pub(crate) kinds: Vec<u32>,
    /// Only what this institution issued; repeat for more
    #[arg(long = "institution", value_name = "ID", value_parser = value::institution_id)]
    pub(crate) institutions: Vec<String>,
    /// Only what lies on this learner's own chain; repeat for more
    #[arg(long = "learner", value_name = "HANDLE", value_parser = value::handle_text)]
    pub(crate) learners: Vec<String>,
    /// Salts and bodies too, as hexadecimal; only with --json
    #[arg(long)]
    pub(crate) bodies: bool,
    /// End when all that is there has been printed
    #[arg(long)]
    pub(crate) until_head: bool,
}
