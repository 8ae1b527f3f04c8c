//! Arguments of `learner`.
//!
//! Apart because these commands change who a record belongs to, and each must say plainly what it
//! does to an account.

use std::path::PathBuf;

use api::v1;
use api::v1::learner_reference::Reference;
use clap::{Args, Subcommand, ValueEnum};

use super::{At, value};

pub(crate) const EXAMPLES: &str = "\
Examples:
  creditbank learner register learners.jsonl
  creditbank learner pending                          whose records wait for a learner
  creditbank learner bind HANDLE --student open-university:OU2021-10007";

/// The commands about learners' accounts.
#[derive(Debug, Subcommand)]
pub(crate) enum LearnerCommand {
    /// Open an account, or one for each line of a file
    #[command(after_help = REGISTER)]
    Register(RegisterLearners),
    /// Change names, documents, birth date or region
    #[command(after_help = "\
Example:
  creditbank learner update --student hill-university:2020H-0409 --region XP-01

What is not given stays as it is. Giving a name replaces all names, a document all documents.")]
    Update(Update),
    /// Link a student number to a learner; its pending records come along
    #[command(after_help = "\
Example:
  creditbank learner link hill-university:2023H-9907 \\\n      --student open-university:OU2021-10007")]
    Link(Link),
    /// Unlink a student number; records already made stay with the learner
    #[command(after_help = "Example:\n  creditbank learner unlink hill-university:2023H-9907")]
    Unlink(Unlink),
    /// Show who a handle or a student number is
    #[command(
        after_help = "Example:\n  creditbank learner show --student open-university:OU2022-10001"
    )]
    Show(ShowLearner),
    /// List accounts whose records wait for a learner
    #[command(after_help = "\
Example:
  creditbank learner pending
  creditbank learner pending --from hill-university

UNLINKED: the student number or document belongs to no learner yet. IDENTITY_MISMATCH: the document is known, \
but the name or birth date differs. `creditbank learner bind` settles either.

Where an account is known that it may be, it is shown with what speaks for it and the command that gives it the records. \
Compare before you do: nothing is bound by itself.")]
    Pending(PendingArgs),
    /// Give the records of a pending account to a learner
    #[command(after_help = "\
Examples:
  creditbank learner pending
  creditbank learner bind 0f3a...e1 --student open-university:OU2021-10007

Binding an unlinked student number also links it, so that later records find the learner by themselves.")]
    Bind(Bind),
    /// Close one account into another: they are the same person
    #[command(after_help = "\
Example:
  creditbank learner merge FROM INTO --reason \"same person, registered twice\"

`learner separate` undoes it.")]
    Merge(Merge),
    /// Give a merged account back: they were two people
    #[command(after_help = "\
Example:
  creditbank learner separate FROM --reason \"two persons of the same name\"

Records made since the merge stay where they are unless `records reassign` moves them.")]
    Separate(Separate),
    /// Erase a learner's identity, or everything; cannot be undone
    #[command(after_help = "\
Examples:
  creditbank learner erase HANDLE --scope identity    the achievements stay, without a person
  creditbank learner erase HANDLE --scope all         nothing stays, and the records may not come back

--scope identity erases what registrations, updates and links say of the learner and of all accounts merged in: names, documents, \
birth date, region, student numbers. Records stay as their issuers wrote them, and so do the statements that issuers signed: \
each names the learner as the issuer did, by handle, by student number, or by document with name and birth date. \
A statement cannot be altered without breaking its signature; it goes only with its record, by --scope all, which \
is possible afterwards too. `creditbank records show RECORD --institution ISSUER` says whether a record is signed. \
Where identities may have to be erased, let institutions name learners by handle in what they sign.

Proofs and receipts made before stay valid: the ledger keeps hashes, not the content.")]
    Erase(Erase),
}

const REGISTER: &str = "\
Examples:
  creditbank learner register learners.jsonl
  creditbank learner register --name 样春兰@zh-CN --birth-date 1984-03-08 \\
      --document passport:X1234567 --student hill-university:2020H-0409 \\
      --request-id 2026-000123

A line of the file is {\"request_id\":..., \"profile\":{...}, \"students\":[...]}; \
ledger-data/sample/learners.jsonl shows 60 of them. With a request id the same learner can be sent again: it is registered once.";

/// Names a learner: by handle or by student number.
#[derive(Debug, Clone, Args)]
#[group(required = true, multiple = false)]
pub(crate) struct LearnerId {
    /// The learner's handle
    #[arg(long, value_name = "HANDLE", value_parser = value::handle_text)]
    pub(crate) handle: Option<String>,
    /// A student number of the learner
    #[arg(long, value_name = "INSTITUTION:NUMBER", value_parser = value::student)]
    pub(crate) student: Option<v1::StudentNumber>,
}

impl LearnerId {
    /// As it is sent; nothing when neither is given.
    pub(crate) fn reference(&self) -> Option<v1::LearnerReference> {
        reference(self.handle.clone(), self.student.clone())
    }
}

/// Arguments of `learner show`.
#[derive(Debug, Args)]
pub(crate) struct ShowLearner {
    /// Whom.
    #[command(flatten)]
    pub(crate) learner: LearnerId,
    /// As of when.
    #[command(flatten)]
    pub(crate) at: At,
}

/// Arguments of `learner pending`.
#[derive(Debug, Default, Args)]
pub(crate) struct PendingArgs {
    /// Only what this institution submitted
    #[arg(long, value_name = "ID", value_parser = value::institution_id)]
    pub(crate) from: Option<String>,
    /// As of when.
    #[command(flatten)]
    pub(crate) at: At,
}

/// A reference to a learner; nothing when neither is given.
pub(crate) fn reference(
    handle: Option<String>,
    student: Option<v1::StudentNumber>,
) -> Option<v1::LearnerReference> {
    let handle = handle.map(Reference::Handle);
    let reference = handle.or_else(|| student.map(Reference::Student))?;
    Some(v1::LearnerReference {
        reference: Some(reference),
    })
}

/// A learner's attributes as options.
#[derive(Debug, Args)]
#[group(id = "ProfileGroup", multiple = true)]
pub(crate) struct ProfileArgs {
    /// A name, with its language; the current one first
    #[arg(long = "name", value_name = "TEXT@LANGUAGE", value_parser = value::text)]
    pub(crate) names: Vec<v1::Text>,
    /// An identity document; repeat for more
    #[arg(long = "document", value_name = "KIND:NUMBER", value_parser = value::document)]
    pub(crate) documents: Vec<v1::Document>,
    /// Birth date
    #[arg(long, value_name = "DATE", value_parser = value::date)]
    pub(crate) birth_date: Option<String>,
    /// Region code, such as CN-GD
    #[arg(long)]
    pub(crate) region: Option<String>,
}

/// Arguments of `learner register`.
#[derive(Debug, Args)]
pub(crate) struct RegisterLearners {
    /// A JSON Lines file, one learner a line; - reads standard input
    #[arg(value_name = "FILE", conflicts_with_all = ["ProfileGroup", "students", "request_id"])]
    pub(crate) file: Option<PathBuf>,
    /// Who it is.
    #[command(flatten)]
    pub(crate) profile: ProfileArgs,
    /// A student number to link; repeat for more
    #[arg(long = "student", value_name = "INSTITUTION:NUMBER", value_parser = value::student)]
    pub(crate) students: Vec<v1::StudentNumber>,
    /// Open an account without a name, document or student number
    #[arg(long, conflicts_with_all = ["file", "ProfileGroup", "students"])]
    pub(crate) bare: bool,
    /// Your own number for this request: sending it again returns the same learner
    #[arg(long, value_name = "ID")]
    pub(crate) request_id: Option<String>,
}

/// Arguments of `learner update`.
#[derive(Debug, Args)]
pub(crate) struct Update {
    /// Whose.
    #[command(flatten)]
    pub(crate) learner: LearnerId,
    /// What changes.
    #[command(flatten)]
    pub(crate) profile: ProfileArgs,
}

/// Arguments of `learner link`.
#[derive(Debug, Args)]
pub(crate) struct Link {
    /// The student number to link
    #[arg(value_name = "INSTITUTION:NUMBER", value_parser = value::student)]
    pub(crate) number: v1::StudentNumber,
    /// To whom.
    #[command(flatten)]
    pub(crate) learner: LearnerId,
}

/// Arguments of `learner unlink`.
#[derive(Debug, Args)]
pub(crate) struct Unlink {
    /// The student number to unlink
    #[arg(value_name = "INSTITUTION:NUMBER", value_parser = value::student)]
    pub(crate) number: v1::StudentNumber,
}

/// Arguments of `learner bind`.
#[derive(Debug, Args)]
pub(crate) struct Bind {
    /// Handle of the pending account, from `learner pending`
    #[arg(value_name = "PENDING", value_parser = value::handle_text)]
    pub(crate) pending: String,
    /// The learner.
    #[command(flatten)]
    pub(crate) learner: LearnerId,
    /// Why, for people; kept in the ledger
    #[arg(long, default_value = "identity settled")]
    pub(crate) reason: String,
}

/// Arguments of `learner merge`.
#[derive(Debug, Args)]
pub(crate) struct Merge {
    /// Handle of the account to close
    #[arg(value_name = "FROM", value_parser = value::handle_text)]
    pub(crate) from: String,
    /// Handle of the account that takes it in
    #[arg(value_name = "INTO", value_parser = value::handle_text)]
    pub(crate) into: String,
    /// Why, for people; no personal data; kept in the ledger
    #[arg(long)]
    pub(crate) reason: String,
}

/// Arguments of `learner separate`.
#[derive(Debug, Args)]
pub(crate) struct Separate {
    /// Handle of the account that was closed
    #[arg(value_name = "FROM", value_parser = value::handle_text)]
    pub(crate) from: String,
    /// Why, for people; no personal data; kept in the ledger
    #[arg(long)]
    pub(crate) reason: String,
}

/// How much to erase.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Scope {
    /// Names, documents, birth date, region and student numbers, but not what issuers wrote and signed
    Identity,
    /// Everything
    All,
}

/// Arguments of `learner erase`.
#[derive(Debug, Args)]
pub(crate) struct Erase {
    /// The learner's handle; a student number is not taken, it is too easily mistyped
    #[arg(value_name = "HANDLE", value_parser = value::handle_text)]
    pub(crate) handle: String,
    /// How much
    #[arg(long, value_enum)]
    pub(crate) scope: Scope,
    /// Do not ask
    #[arg(long)]
    pub(crate) yes: bool,
}
