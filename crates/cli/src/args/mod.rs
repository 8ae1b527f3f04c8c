//! The command line as clap sees it: every command, option, default and example.
//!
//! Apart from what the commands do, so that the whole surface can be read here, help texts included,
//! and no command has a default of its own hidden in its code.

mod account;
mod at;
mod doctor;
mod follow;
mod import;
mod institution;
mod key;
mod learner;
mod records;
mod serve;
mod submit;
pub(crate) mod value;

use clap::{Args, Parser, Subcommand};

pub(crate) use account::{BalanceArgs, StatementArgs};
pub(crate) use at::At;
pub(crate) use doctor::DoctorArgs;
pub(crate) use follow::{FollowArgs, LogCommand, WatchArgs};
pub(crate) use import::{Changed, Differing, ImportArgs, ImportInstitutions, Places};
pub(crate) use institution::{
    Description, InstitutionCommand, RegisterInstitution, Show as ShowInstitution,
};
pub(crate) use key::KeyCommand;
pub(crate) use learner::{
    Bind, Erase, LearnerCommand, LearnerId, PendingArgs, ProfileArgs, RegisterLearners, Scope,
    ShowLearner,
};
pub(crate) use records::{
    ActingArgs, Change, List, Named, Reassign, RecordsCommand, Show as ShowRecord, Supersede,
    Withdraw,
};
pub(crate) use serve::{DemoArgs, ServeArgs};
pub(crate) use submit::SubmitArgs;
use value::Identity;

const EXAMPLES: &str = "\
Examples:
  creditbank demo                                     see everything work, on a sample
  creditbank serve                                    start the server on this machine
  creditbank submit results.jsonl --institution hill-university
  creditbank import results.csv --mapping results.toml --institution hill-university
  creditbank balance --student hill-university:2020H-0409
  creditbank doctor                                   is everything well? what to do if not
  creditbank verify ledger-data/store                 check the whole ledger, trusting no one

Exit status: 0 done; 1 something was refused or found wrong; 2 could not run.";

const VERIFY: &str = "\
Examples:
  creditbank verify ledger-data/store
  creditbank verify ledger-data/store --expect-head SIZE:HASH   as kept elsewhere
  creditbank verify ledger-data/store --json

It reads only, also beside a running server. Exit status: 0 clean; 1 something is wrong, and the output says where; \
2 it could not be checked. Auditors may prefer the program creditbank-verify: the same check, and nothing else.";

const HEAD: &str = "\
Examples:
  creditbank head
  creditbank head --at 2026-11-21                     as it was at the end of that day
  creditbank head --json                              size, chain_hash and ledger_id

Keep it where the operator cannot reach it: `verify --expect-head` then shows that nothing of it was cut off or \
rewritten. A receipt is as good: its position + 1, a colon, and its chain hash.";

/// Credit bank: a durable, verifiable ledger of completed courses and certificates.
#[derive(Debug, Parser)]
#[command(name = "creditbank", version, after_help = EXAMPLES, arg_required_else_help = true)]
pub(crate) struct Cli {
    /// What holds for every command.
    #[command(flatten)]
    pub(crate) global: Global,
    /// The command.
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Options that every command takes.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Global options")]
pub(crate) struct Global {
    /// The server to talk to
    #[arg(
        long,
        global = true,
        env = "CREDITBANK_SERVER",
        hide_env_values = true,
        value_name = "URL",
        default_value = "http://127.0.0.1:7410"
    )]
    pub(crate) server: String,
    /// Who acts: operator, auditor, institution:ID or learner:HANDLE [default: operator]
    #[arg(
        long = "as",
        global = true,
        env = "CREDITBANK_AS",
        hide_env_values = true,
        value_name = "WHO"
    )]
    pub(crate) identity: Option<Identity>,
    /// Write JSON for programs, one object a line, instead of tables for people
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Language of names and titles in tables, such as en or zh-CN [default: as in LANG]
    #[arg(long, global = true, env = "LANG", hide_env = true, value_name = "TAG")]
    pub(crate) language: Option<String>,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Start the server
    Serve(ServeArgs),
    /// See everything work, in under a minute, on a sample province
    Demo(DemoArgs),
    /// Register institutions and say who may submit for whom
    #[command(subcommand, after_help = institution::EXAMPLES)]
    Institution(InstitutionCommand),
    /// Register learners, bind student numbers, merge and erase accounts
    #[command(subcommand, after_help = learner::EXAMPLES)]
    Learner(LearnerCommand),
    /// Submit achievements from a JSON Lines file
    Submit(SubmitArgs),
    /// Import a registrar's file, CSV or JSON Lines, through a mapping of its columns
    Import(ImportArgs),
    /// Show what a learner holds
    Balance(BalanceArgs),
    /// Show every entry of a learner's account
    Statement(StatementArgs),
    /// Watch a learner's account: every entry, and then each as it comes
    Watch(WatchArgs),
    /// Look after submitted records: list, show, revoke, suspend, supersede, reassign
    #[command(subcommand, after_help = records::EXAMPLES)]
    Records(RecordsCommand),
    /// Follow the log itself, as auditors do
    #[command(subcommand, after_help = follow::LOG_EXAMPLES)]
    Log(LogCommand),
    /// Print the ledger's head as SIZE:HASH, to keep elsewhere and give to `verify --expect-head`
    #[command(after_help = HEAD)]
    Head(At),
    /// Check a ledger on disk against its own hashes and rules, without a server
    #[command(after_help = VERIFY)]
    Verify(verify::Args),
    /// Look at a ledger, its disk, its clock and its server, and say what to do
    Doctor(DoctorArgs),
}
