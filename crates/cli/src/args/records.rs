//! Arguments of `records`.
//!
//! Apart because these change what has been recorded, and each must say what it does and does not do.

use std::path::PathBuf;

use api::v1;
use clap::{Args, Subcommand};

use super::{At, value};
use crate::signing::SigningArgs;

pub(crate) const EXAMPLES: &str = "\
Examples:
  creditbank records list --institution hill-university
  creditbank records show 2021S-ST210-00024 --institution hill-university
  creditbank records revoke 2021S-ST210-00024 --institution hill-university \\
      --reason \"issued in error\"";

/// The commands about submitted records.
#[derive(Debug, Subcommand)]
pub(crate) enum RecordsCommand {
    /// List the records of an institution
    #[command(after_help = "\
Examples:
  creditbank records list --institution hill-university --limit 20
  creditbank records list --institution hill-university --code ST210 \
      --awarded 2021-01-01..2022-01-01 --state recorded
  creditbank records list --institution hill-university --state revoked --at 2025-12-31
  creditbank records list --institution county-school --issuer village-school \\
      --limit 0 --json")]
    List(List),
    /// Show a record with its versions and receipts
    #[command(
        after_help = "Example:\n  creditbank records show 2021S-ST210-00024 --institution hill-university"
    )]
    Show(Show),
    /// Withdraw records for good
    #[command(after_help = "\
Examples:
  creditbank records revoke 2024-ECO2-00022 --institution vocational-college \\
      --reason \"issued in error\"
  creditbank records revoke --file ids.txt --institution vocational-college \\
      --reason \"exam annulled\" --atomic

A revoked record does not come back. Issue a new one under a new record id that names this one in `replaces`.")]
    Revoke(Withdraw),
    /// Suspend records: they do not count until reinstated
    #[command(after_help = "\
Example:
  creditbank records suspend 2024-ECO2-00022 --institution vocational-college \\
      --reason \"under review\"")]
    Suspend(Withdraw),
    /// Let suspended records count again
    #[command(after_help = "\
Example:
  creditbank records reinstate 2024-ECO2-00022 --institution vocational-college \\
      --reason \"review closed\"")]
    Reinstate(Withdraw),
    /// Correct a record: a new version under the same record id
    #[command(after_help = "\
Examples:
  creditbank records supersede 2021S-ST210-00024 --institution hill-university \\
      --grade 91 --reason \"marking error\"
  creditbank records supersede 2021S-ST210-00024 --institution hill-university \\
      --size 3:cn-credit --reason typo
  creditbank records supersede --file corrected.jsonl --institution hill-university \\
      --reason \"remarked\"

With options, the version in force is read, changed and sent. With a file, each line is the new content, whole.")]
    Supersede(Box<Supersede>),
    /// Move a record to another learner, with its content
    #[command(after_help = "\
Example:
  creditbank records reassign 2024-ECO2-00022 --institution vocational-college \\
      --to-student vocational-college:VC20-125 --reason \"wrong student number\"")]
    Reassign(Reassign),
}

/// Who acts, and for whom.
#[derive(Debug, Clone, Args)]
pub(crate) struct ActingArgs {
    /// The institution that acts
    #[arg(
        long,
        value_name = "ID",
        env = "CREDITBANK_INSTITUTION",
        hide_env_values = true,
        value_parser = value::institution_id
    )]
    pub(crate) institution: Option<String>,
    /// The institution that issued the record, if another one that delegated to it
    #[arg(long, value_name = "ID", value_parser = value::institution_id)]
    pub(crate) issuer: Option<String>,
}

/// A record and who acts on it.
#[derive(Debug, Clone, Args)]
pub(crate) struct Named {
    /// The issuer's record id
    #[arg(value_name = "RECORD_ID")]
    pub(crate) record_id: String,
    /// Who acts.
    #[command(flatten)]
    pub(crate) acting: ActingArgs,
}

/// Arguments of `records list`.
#[derive(Debug, Args)]
pub(crate) struct List {
    /// Who acts.
    #[command(flatten)]
    pub(crate) acting: ActingArgs,
    /// Which.
    #[command(flatten)]
    pub(crate) filter: Filter,
    /// As of when.
    #[command(flatten)]
    pub(crate) at: At,
    /// At most so many; 0 means all
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub(crate) limit: usize,
}

/// Which records to list; all that is given must hold.
#[derive(Debug, Args)]
pub(crate) struct Filter {
    /// Only this course or certificate, by its code
    #[arg(long, value_name = "CODE")]
    pub(crate) code: Option<String>,
    /// Only this offering (presentation, term, class)
    #[arg(long, value_name = "OFFERING")]
    pub(crate) offering: Option<String>,
    /// Only awarded in this period; the second day is not in it, either may be left out
    #[arg(long, value_name = "FROM..UNTIL", value_parser = value::period)]
    pub(crate) awarded: Option<v1::Span>,
    /// Only in this state, such as recorded, pending, suspended, revoked or expired; repeat for more
    #[arg(long = "state", value_name = "STATE", value_parser = value::record_state)]
    pub(crate) states: Vec<v1::RecordState>,
}

impl Filter {
    /// As it is sent; nothing for all records.
    pub(crate) fn wire(&self) -> Option<v1::RecordFilter> {
        let filter = v1::RecordFilter {
            code: self.code.clone().unwrap_or_default(),
            offering: self.offering.clone().unwrap_or_default(),
            awarded: self.awarded.clone(),
            states: self.states.iter().map(|state| i32::from(*state)).collect(),
        };
        (filter != v1::RecordFilter::default()).then_some(filter)
    }
}

/// Arguments of `records show`.
#[derive(Debug, Args)]
pub(crate) struct Show {
    /// Which.
    #[command(flatten)]
    pub(crate) named: Named,
    /// As of when.
    #[command(flatten)]
    pub(crate) at: At,
}

/// Arguments of `records revoke`, `suspend` and `reinstate`.
#[derive(Debug, Args)]
pub(crate) struct Withdraw {
    /// The issuer's record ids
    #[arg(value_name = "RECORD_ID", required_unless_present = "file")]
    pub(crate) record_ids: Vec<String>,
    /// A file of record ids, one a line; - reads standard input
    #[arg(long, value_name = "FILE", conflicts_with = "record_ids")]
    pub(crate) file: Option<PathBuf>,
    /// Who acts.
    #[command(flatten)]
    pub(crate) acting: ActingArgs,
    /// Why, for people; no personal data; kept in the ledger
    #[arg(long)]
    pub(crate) reason: String,
    /// All or nothing; at most 1,000 records
    #[arg(long)]
    pub(crate) atomic: bool,
    /// Check only; change nothing
    #[arg(long)]
    pub(crate) validate_only: bool,
}

/// Arguments of `records supersede`.
#[derive(Debug, Args)]
pub(crate) struct Supersede {
    /// The issuer's record id
    #[arg(
        value_name = "RECORD_ID",
        required_unless_present = "file",
        requires = "ChangeGroup"
    )]
    pub(crate) record_id: Option<String>,
    /// A JSON Lines file of whole achievements; - reads standard input
    #[arg(long, value_name = "FILE", conflicts_with_all = ["record_id", "ChangeGroup", "issuer"])]
    pub(crate) file: Option<PathBuf>,
    /// What changes.
    #[command(flatten)]
    pub(crate) change: Change,
    /// Who acts.
    #[command(flatten)]
    pub(crate) acting: ActingArgs,
    /// With which key to sign.
    #[command(flatten)]
    pub(crate) signing: SigningArgs,
    /// Why, for people; no personal data; kept in the ledger
    #[arg(long)]
    pub(crate) reason: String,
    /// Check only; change nothing
    #[arg(long)]
    pub(crate) validate_only: bool,
}

/// What a new version changes.
#[derive(Debug, Args)]
#[group(id = "ChangeGroup", multiple = true)]
pub(crate) struct Change {
    /// The grade, on the scale that it has
    #[arg(long, value_name = "VALUE")]
    pub(crate) grade: Option<String>,
    /// The scale of --grade, when it changes too
    #[arg(long, value_name = "SCALE", requires = "grade")]
    pub(crate) scale: Option<String>,
    /// The size
    #[arg(long, value_name = "AMOUNT:UNIT", value_parser = value::size)]
    pub(crate) size: Option<v1::Size>,
    /// The level
    #[arg(long, value_name = "FRAMEWORK:CODE", value_parser = value::level)]
    pub(crate) level: Option<v1::Level>,
    /// The field, an ISCED-F code
    #[arg(long, value_name = "CODE")]
    pub(crate) field: Option<String>,
    /// The date awarded
    #[arg(long, value_name = "DATE", value_parser = value::date)]
    pub(crate) awarded: Option<String>,
    /// The last day of validity
    #[arg(long, value_name = "DATE", value_parser = value::date)]
    pub(crate) expires: Option<String>,
}

/// Arguments of `records reassign`.
#[derive(Debug, Args)]
pub(crate) struct Reassign {
    /// Which.
    #[command(flatten)]
    pub(crate) named: Named,
    /// To whom.
    #[command(flatten)]
    pub(crate) to: To,
    /// Why, for people; no personal data; kept in the ledger
    #[arg(long)]
    pub(crate) reason: String,
    /// Check only; change nothing
    #[arg(long)]
    pub(crate) validate_only: bool,
}

/// The learner that a record goes to.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(crate) struct To {
    /// The learner's handle
    #[arg(long, value_name = "HANDLE", value_parser = value::handle_text)]
    pub(crate) to_handle: Option<String>,
    /// A student number of the learner
    #[arg(long, value_name = "INSTITUTION:NUMBER", value_parser = value::student)]
    pub(crate) to_student: Option<v1::StudentNumber>,
}
