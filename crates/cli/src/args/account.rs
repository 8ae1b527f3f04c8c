//! Arguments of `balance` and `statement`.
//!
//! Together because both ask the same question of the same learner.

use api::v1;
use clap::Args;

use super::{At, value};

/// Names a learner; may be left out by learners themselves.
#[derive(Debug, Clone, Args)]
#[group(multiple = false)]
pub(crate) struct Whose {
    /// The learner's handle
    #[arg(long, value_name = "HANDLE", value_parser = value::handle_text)]
    pub(crate) handle: Option<String>,
    /// A student number of the learner
    #[arg(long, value_name = "INSTITUTION:NUMBER", value_parser = value::student)]
    pub(crate) student: Option<v1::StudentNumber>,
}

impl Whose {
    /// As it is sent; nothing when neither is given.
    pub(crate) fn reference(&self) -> Option<v1::LearnerReference> {
        super::learner::reference(self.handle.clone(), self.student.clone())
    }
}

/// Arguments of `balance`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  creditbank balance --student open-university:OU2022-10001
  creditbank balance --student open-university:OU2022-10001 --at 2025-12-31
  creditbank balance --handle HANDLE --as institution:hill-university
  creditbank balance --as learner:HANDLE --json")]
pub(crate) struct BalanceArgs {
    /// Whose.
    #[command(flatten)]
    pub(crate) whose: Whose,
    /// As of when.
    #[command(flatten)]
    pub(crate) at: At,
}

/// Arguments of `statement`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  creditbank statement --student open-university:OU2022-10001
  creditbank statement --student open-university:OU2022-10001 --last 20
  creditbank statement --as learner:HANDLE --json")]
pub(crate) struct StatementArgs {
    /// Whose.
    #[command(flatten)]
    pub(crate) whose: Whose,
    /// As of when.
    #[command(flatten)]
    pub(crate) at: At,
    /// Only the last N entries
    #[arg(long, value_name = "N")]
    pub(crate) last: Option<usize>,
}
