//! Arguments of `import` and `institution import`.
//!
//! Apart from `submit` because a registrar's file comes with a mapping, and leaves two files behind.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::value;
use crate::signing::SigningArgs;

/// Arguments of `import`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  creditbank import --columns results.csv
  creditbank import --example-mapping > results.toml
  creditbank import results.csv --mapping results.toml --institution hill-university --dry-run
  creditbank import results.csv --mapping results.toml --institution hill-university --register-learners

FILE is CSV or JSON Lines, plain or .gz. The mapping says which columns become which fields; \
docs/import.md explains it with an example. The mapping, its look-ups and the header are checked before anything is sent.

Two files are written beside FILE, under names that appear only when the run has ended:
  FILE.rejected.csv  rejected rows as they were, with line, reason, field and a sentence in further columns:
                     mend them there and import that file with the same mapping, which ignores those columns
  FILE.accepted.csv  one line for each row that the ledger has: position, chain hash, time, learner's handle
Cells of your file are written as they were, also those that a spreadsheet would take for a formula \
(they begin with = + - @): import both files there as text. Cells that are added never begin so.

Importing a file again is safe: rows that are there already are recognised by their record ids. So after any interruption, \
import it again. A dry run checks every batch by itself: what depends on an earlier batch of the same file, such as a \
record id that comes twice, shows only in the real run.

Exit status: 0 all rows taken; 1 some were rejected; 2 it could not run to the end.")]
pub(crate) struct ImportArgs {
    /// The file; - reads standard input
    #[arg(value_name = "FILE", required_unless_present = "example_mapping")]
    pub(crate) file: Option<PathBuf>,
    /// The mapping of its columns to fields
    #[arg(long, value_name = "MAPPING", required_unless_present_any = ["example_mapping", "columns"])]
    pub(crate) mapping: Option<PathBuf>,
    /// The institution that submits; it may submit for others that delegated to it
    #[arg(
        long,
        value_name = "ID",
        env = "CREDITBANK_INSTITUTION",
        hide_env_values = true,
        value_parser = value::institution_id
    )]
    pub(crate) institution: Option<String>,
    /// Check every row at the server and write the same files, but record nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// What to do with a row whose record id is there with other content
    #[arg(long, value_enum, default_value_t = Changed::Reject)]
    pub(crate) changed: Changed,
    /// Why records are superseded, for people; no personal data; kept in the ledger
    #[arg(
        long,
        value_name = "TEXT",
        default_value = "corrected in the institution's own system"
    )]
    pub(crate) reason: String,
    /// Register learners whose student number belongs to nobody yet, with the attributes of the table profile of the mapping
    #[arg(long)]
    pub(crate) register_learners: bool,
    /// With which key to sign.
    #[command(flatten)]
    pub(crate) signing: SigningArgs,
    /// Where files and look-ups lie.
    #[command(flatten)]
    pub(crate) places: Places,
    /// Records sent together
    #[arg(long, value_name = "N", default_value_t = 500, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub(crate) batch: u16,
    /// Batches on their way at a time
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=64))]
    pub(crate) in_flight: u16,
    /// How long to keep trying when the server cannot be reached
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = value::duration)]
    pub(crate) retry_for: Duration,
    /// Print a mapping to begin with, and do nothing else
    #[arg(long, conflicts_with_all = ["file", "mapping", "columns"])]
    pub(crate) example_mapping: bool,
    /// List the columns that FILE has, and do nothing else
    #[arg(long)]
    pub(crate) columns: bool,
}

/// Where what belongs to an import lies.
#[derive(Debug, Args)]
pub(crate) struct Places {
    /// Where rejected rows go [default: FILE.rejected.csv, or .jsonl]
    #[arg(long, value_name = "PATH")]
    pub(crate) rejected: Option<PathBuf>,
    /// Where accepted rows go [default: FILE.accepted.csv]
    #[arg(long, value_name = "PATH")]
    pub(crate) accepted: Option<PathBuf>,
    /// Where look-up files lie [default: beside the mapping]
    #[arg(long, value_name = "DIR")]
    pub(crate) lookup_dir: Option<PathBuf>,
}

/// What to do with a row whose record id is there with other content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Changed {
    /// Reject it
    Reject,
    /// Make it the new version of the record
    Supersede,
}

/// Arguments of `institution import`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  creditbank institution import schools.csv
  creditbank institution import schools.csv --mapping schools.toml --changed update

Without a mapping the columns are institution_id, name, language, kind, region, parent_id, types, code_prefixes, \
fields and source_kinds; only the first two must be there. The last four say what an institution may issue, \
several values with ; between them; types = * means anything. With a mapping they are what [institution] says: \
names, kind, region, parent_id, scopes (docs/import.md).

Rows may be in any order: parents are registered before their children. Importing again is safe: what is there and the \
same is left alone. FILE.rejected.csv and FILE.accepted.csv are written as by `creditbank import`.")]
pub(crate) struct ImportInstitutions {
    /// The file: CSV or JSON Lines, plain or .gz; - reads standard input
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// The mapping of its columns to fields [default: columns named like the fields]
    #[arg(long, value_name = "MAPPING")]
    pub(crate) mapping: Option<PathBuf>,
    /// Compare with what is there and write the same files, but change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// What to do with an institution that is there with another description
    #[arg(long, value_enum, default_value_t = Differing::Reject)]
    pub(crate) changed: Differing,
    /// Where files lie.
    #[command(flatten)]
    pub(crate) places: Places,
}

/// What to do with an institution that is there with another description.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Differing {
    /// Reject it
    Reject,
    /// Replace its description
    Update,
}
