//! What went wrong, as a person reads it: a sentence, the fields, the reason, and what to do.
//!
//! Apart from the commands so that every one of them says "no" in the same words and with the same
//! exit status: 1 when the answer was no, 2 when the question could not be asked.

use std::fmt;
use std::io;
use std::process::ExitCode;

use serde_json::{Value, json};
use tonic::{Code, Status};
use tonic_types::StatusExt;

/// Exit status: something was refused or found wrong.
pub(crate) const REFUSED: u8 = 1;
/// Exit status: could not run.
pub(crate) const COULD_NOT_RUN: u8 = 2;

/// Why a command ended early.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The person asked for something that makes no sense, or a file could not be read.
    Usage(String),
    /// No server answered.
    NoServer {
        /// Where.
        server: String,
        /// What the system said.
        cause: String,
    },
    /// The server answered no.
    Refused(Box<Refusal>),
    /// Something did not go as promised.
    Unexpected(String),
    /// Standard output could not be written.
    Output(io::Error),
}

/// A gRPC status taken apart.
#[derive(Debug, Clone)]
pub(crate) struct Refusal {
    /// The code.
    pub(crate) code: Code,
    /// Stable reason; empty when the server gave none.
    pub(crate) reason: String,
    /// The sentence.
    pub(crate) message: String,
    /// Malformed fields: path and problem.
    pub(crate) fields: Vec<(String, String)>,
    /// Details for programs.
    pub(crate) metadata: Vec<(String, String)>,
}

impl Refusal {
    /// Takes a status apart.
    pub(crate) fn new(status: &Status) -> Self {
        let info = status.get_details_error_info();
        let bad = status.get_details_bad_request();
        let violations = bad.map(|bad| bad.field_violations).unwrap_or_default();
        let mut metadata: Vec<_> = info.iter().flat_map(|info| info.metadata.clone()).collect();
        metadata.sort();
        Self {
            code: status.code(),
            reason: info.map(|info| info.reason).unwrap_or_default(),
            message: sentence(status),
            fields: violations
                .into_iter()
                .map(|violation| (violation.field, violation.description))
                .collect(),
            metadata,
        }
    }

    /// What a person can do about a code that says nothing of the request itself.
    fn hint(&self) -> Option<&'static str> {
        match self.code {
            Code::Unavailable => Some("try again in a moment; sending the same again is safe"),
            Code::Unimplemented => Some("the server is of another version than this program"),
            Code::DataLoss => Some("the operator should run `creditbank verify` on the ledger"),
            Code::Unauthenticated => Some("say who acts with --as or --institution"),
            _ => None,
        }
    }

    /// Whether the server judged the request, rather than failing.
    pub(crate) fn is_an_answer(&self) -> bool {
        matches!(
            self.code,
            Code::InvalidArgument
                | Code::NotFound
                | Code::AlreadyExists
                | Code::PermissionDenied
                | Code::FailedPrecondition
                | Code::Aborted
                | Code::OutOfRange
                | Code::ResourceExhausted
        )
    }
}

impl Failure {
    /// The exit status that tells it.
    pub(crate) fn exit_code(&self) -> ExitCode {
        match self {
            Self::Refused(refusal) if refusal.is_an_answer() => ExitCode::from(REFUSED),
            Self::Unexpected(_) => ExitCode::from(REFUSED),
            _ => ExitCode::from(COULD_NOT_RUN),
        }
    }

    /// Whether whoever read the output has gone, which is no news to anyone.
    pub(crate) fn is_closed_output(&self) -> bool {
        matches!(self, Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe)
    }

    /// For programs: one object.
    pub(crate) fn to_json(&self) -> Value {
        let (kind, reason, fields, metadata) = match self {
            Self::Usage(_) => ("usage", "", Vec::new(), Vec::new()),
            Self::NoServer { .. } => ("no_server", "", Vec::new(), Vec::new()),
            Self::Unexpected(_) => ("unexpected", "", Vec::new(), Vec::new()),
            Self::Output(_) => ("output", "", Vec::new(), Vec::new()),
            Self::Refused(refusal) => (
                "refused",
                refusal.reason.as_str(),
                refusal.fields.clone(),
                refusal.metadata.clone(),
            ),
        };
        let fields: Vec<Value> = fields
            .into_iter()
            .map(|(field, problem)| json!({ "field": field, "problem": problem }))
            .collect();
        let metadata: serde_json::Map<String, Value> = metadata
            .into_iter()
            .map(|(key, value)| (key, Value::String(value)))
            .collect();
        let message = match self {
            Self::Refused(refusal) => refusal.message.clone(),
            other => other.to_string(),
        };
        json!({ "error": {
            "kind": kind, "reason": reason, "message": message, "fields": fields, "metadata": metadata,
        }})
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage(text) | Self::Unexpected(text) => f.write_str(text),
            Self::NoServer { server, cause } => {
                writeln!(f, "no server answers at {server}: {cause}")?;
                write!(
                    f,
                    "  start one with `creditbank serve`, or name another with --server URL"
                )
            }
            Self::Refused(refusal) => refusal.fmt(f),
            Self::Output(error) => write!(f, "the output could not be written: {error}"),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.fields.len(), self.message.as_str()) {
            (0 | 1, "") => write!(f, "the server answered {:?}", self.code)?,
            (0 | 1, message) => f.write_str(message)?,
            (count, _) => write!(f, "{count} fields need mending")?,
        }
        for (field, problem) in &self.fields {
            write!(f, "\n  field   {field}")?;
            if self.fields.len() > 1 || !self.message.contains(problem.as_str()) {
                write!(f, ": {problem}")?;
            }
        }
        if !self.reason.is_empty() {
            write!(f, "\n  reason  {}", self.reason)?;
        }
        if let Some(hint) = self.hint() {
            write!(f, "\n  hint    {hint}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Failure {}

impl From<Status> for Failure {
    fn from(status: Status) -> Self {
        Self::Refused(Box::new(Refusal::new(&status)))
    }
}

/// What a status says. One with a source was made on this side, out of a broken connection.
fn sentence(status: &Status) -> String {
    match std::error::Error::source(status) {
        Some(source) => format!("the server cannot be reached: {}", root_cause(source)),
        None => status.message().to_owned(),
    }
}

/// An error with all its causes, for errors whose parts each say something.
pub(crate) fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = plain(error);
    let mut next = error.source();
    while let Some(cause) = next {
        text.push_str(&format!(": {}", plain(cause)));
        next = cause.source();
    }
    text
}

/// The innermost cause of an error: what the operating system said, without the layers around it.
pub(crate) fn root_cause(error: &dyn std::error::Error) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    plain(innermost).to_lowercase()
}

/// Without the system's number, which says nothing to a registrar.
fn plain(error: &dyn std::error::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or(&text).to_owned()
}

#[cfg(test)]
mod tests {
    use tonic_types::{ErrorDetails, StatusExt};

    use super::*;

    #[test]
    fn a_status_becomes_a_sentence_its_fields_and_its_reason() {
        let mut details = ErrorDetails::new();
        details.set_error_info(
            "MALFORMED",
            "creditbank",
            [("limit".to_owned(), "3".to_owned())],
        );
        details.add_bad_request_violation("size.amount", "has more than 3 decimal places");
        let status = Status::with_error_details(
            Code::InvalidArgument,
            "size.amount has more than 3 decimal places",
            details,
        );
        let failure = Failure::from(status);
        assert_eq!(
            failure.to_string(),
            "size.amount has more than 3 decimal places\n  \
             field   size.amount\n  reason  MALFORMED"
        );
        assert_eq!(failure.to_json()["error"]["metadata"]["limit"], "3");
        assert_eq!(failure.exit_code(), ExitCode::from(REFUSED));
    }

    #[test]
    fn a_status_without_details_still_says_something() {
        let failure = Failure::from(Status::new(Code::Internal, ""));
        assert_eq!(failure.to_string(), "the server answered Internal");
        assert_eq!(failure.exit_code(), ExitCode::from(COULD_NOT_RUN));
    }
}
