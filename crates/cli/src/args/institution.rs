//! Arguments of `institution`.
//!
//! Apart because an institution with its scopes is the widest thing that can be typed at a prompt.

use std::path::PathBuf;

use api::v1;
use clap::{Args, Subcommand};

use super::{At, value};

pub(crate) const EXAMPLES: &str = "\
Examples:
  creditbank institution register --file institutions.toml
  creditbank institution import schools.csv
  creditbank institution list
  creditbank institution delegate village-school --to county-school";

/// The commands about institutions.
#[derive(Debug, Subcommand)]
pub(crate) enum InstitutionCommand {
    /// Register an institution, or all of a file
    #[command(after_help = REGISTER)]
    Register(RegisterInstitution),
    /// Register or update all institutions of a table
    Import(super::ImportInstitutions),
    /// Change an institution's names, kind, region, parent or scopes
    #[command(after_help = UPDATE)]
    Update(RegisterInstitution),
    /// Stop an institution from submitting and issuing, until it is reinstated
    #[command(
        after_help = "Example:\n  creditbank institution suspend hill-university --reason \"licence under review\""
    )]
    Suspend(StateChange),
    /// Let a suspended institution submit and issue again
    #[command(
        after_help = "Example:\n  creditbank institution reinstate hill-university --reason \"review closed\""
    )]
    Reinstate(StateChange),
    /// Close an institution for good
    #[command(
        after_help = "Example:\n  creditbank institution close hill-university --successor river-university \\\n      --reason merger"
    )]
    Close(Close),
    /// Let another institution submit for this one
    #[command(after_help = DELEGATE)]
    Delegate(Delegate),
    /// Keys with which an institution signs its achievements
    #[command(subcommand, after_help = super::key::EXAMPLES)]
    Key(super::KeyCommand),
    /// List all institutions
    #[command(after_help = "Example:\n  creditbank institution list --language en")]
    List(At),
    /// Show one institution with its scopes and delegations
    #[command(after_help = "Example:\n  creditbank institution show hill-university")]
    Show(Show),
}

const REGISTER: &str = "\
Examples:
  creditbank institution register --file institutions.toml
  creditbank institution register hill-university --kind university --region XP-01 \\
      --name 样山大学@zh-CN --name \"Hill University@en\" \\
      --type Course --code-prefix HU- --level-max cn-gd:6

The options from --any-scope on describe one scope: what the institution may issue. Several scopes go \
into a file, and so do delegations, courses and intake windows; ledger-data/sample shows the form.";

const UPDATE: &str = "\
Examples:
  creditbank institution update hill-university --name \"Sample Hill University@en\"
  creditbank institution update --file institutions.toml

What is not given stays as it is. Giving any option of the scope replaces all scopes by that one.";

const DELEGATE: &str = "\
Examples:
  creditbank institution delegate village-school --to county-school
  creditbank institution delegate village-school --to county-school --until 2027-01-01
  creditbank institution delegate village-school --to county-school --as institution:village-school";

/// Arguments of `institution register` and `institution update`.
#[derive(Debug, Args)]
pub(crate) struct RegisterInstitution {
    /// A TOML file of institution, delegation, course and window tables
    #[arg(long, value_name = "FILE", conflicts_with_all = ["id", "DescriptionGroup"], required_unless_present = "id")]
    pub(crate) file: Option<PathBuf>,
    /// The institution's id
    #[arg(value_name = "ID", value_parser = value::institution_id)]
    pub(crate) id: Option<String>,
    /// What it is.
    #[command(flatten)]
    pub(crate) description: Description,
}

/// An institution as options.
#[derive(Debug, Args)]
#[group(id = "DescriptionGroup", multiple = true)]
pub(crate) struct Description {
    /// A name, with its language; repeat for more
    #[arg(long = "name", value_name = "TEXT@LANGUAGE", value_parser = value::text)]
    pub(crate) names: Vec<v1::Text>,
    /// Kind, such as university or community-school
    #[arg(long)]
    pub(crate) kind: Option<String>,
    /// Region code, such as CN-GD
    #[arg(long)]
    pub(crate) region: Option<String>,
    /// The institution above it
    #[arg(long, value_name = "ID", value_parser = value::institution_id)]
    pub(crate) parent: Option<String>,
    /// Refuse its achievements unless they carry its signature (see `institution key`)
    #[arg(long, value_name = "true|false", num_args = 0..=1, default_missing_value = "true", require_equals = true)]
    pub(crate) signatures_required: Option<bool>,
    /// May issue anything
    #[arg(long, conflicts_with_all = ["types", "code_prefixes", "fields", "source_kinds", "level_max"])]
    pub(crate) any_scope: bool,
    /// May issue this type, such as Course; repeat for more
    #[arg(long = "type", value_name = "TYPE")]
    pub(crate) types: Vec<String>,
    /// May issue codes that begin so; repeat for more
    #[arg(long = "code-prefix", value_name = "PREFIX")]
    pub(crate) code_prefixes: Vec<String>,
    /// May issue in this ISCED-F field; repeat for more
    #[arg(long = "field", value_name = "CODE")]
    pub(crate) fields: Vec<String>,
    /// May issue this source kind; repeat for more
    #[arg(long = "source-kind", value_name = "CODE")]
    pub(crate) source_kinds: Vec<String>,
    /// May issue up to this level
    #[arg(long, value_name = "FRAMEWORK:CODE", value_parser = value::level)]
    pub(crate) level_max: Option<v1::Level>,
    /// May issue what is awarded from this day on
    #[arg(long, value_name = "DATE", value_parser = value::date)]
    pub(crate) awarded_from: Option<String>,
    /// May issue what is awarded before this day
    #[arg(long, value_name = "DATE", value_parser = value::date)]
    pub(crate) awarded_until: Option<String>,
}

/// Arguments of `institution suspend` and `institution reinstate`.
#[derive(Debug, Args)]
pub(crate) struct StateChange {
    /// The institution's id
    #[arg(value_name = "ID", value_parser = value::institution_id)]
    pub(crate) id: String,
    /// Why, for people; kept in the ledger
    #[arg(long)]
    pub(crate) reason: String,
}

/// Arguments of `institution close`.
#[derive(Debug, Args)]
pub(crate) struct Close {
    /// Which, and why.
    #[command(flatten)]
    pub(crate) change: StateChange,
    /// The institution that acts for its records from now on
    #[arg(long, value_name = "ID", value_parser = value::institution_id)]
    pub(crate) successor: Option<String>,
}

/// Arguments of `institution delegate`.
#[derive(Debug, Args)]
pub(crate) struct Delegate {
    /// The institution that lets another submit for it
    #[arg(value_name = "ISSUER", value_parser = value::institution_id)]
    pub(crate) issuer: String,
    /// The institution that may submit
    #[arg(long, value_name = "ID", value_parser = value::institution_id)]
    pub(crate) to: String,
    /// First day
    #[arg(long, value_name = "DATE", value_parser = value::date)]
    pub(crate) from: Option<String>,
    /// First day after; a day that has passed ends the delegation
    #[arg(long, value_name = "DATE", value_parser = value::date)]
    pub(crate) until: Option<String>,
}

/// Arguments of `institution show`.
#[derive(Debug, Args)]
pub(crate) struct Show {
    /// The institution's id
    #[arg(value_name = "ID", value_parser = value::institution_id)]
    pub(crate) id: String,
    /// As of when.
    #[command(flatten)]
    pub(crate) at: At,
}
