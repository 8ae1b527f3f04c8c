//! What went wrong, as a person reads it: a sentence, the fields, the reason, and what to do.
//!
//! Apart from the commands so that every one of them says "no" in the same words and with the same
//! exit status: 1 when the answer was no, 2 when the question could not be asked.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::process::ExitCode;

pub(crate) use client::Refusal;
use client::{ConnectError, Field};
use serde_json::{Value, json};
use tonic::{Code, Status};

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

/// What a person can do about a code that says nothing of the request itself.
fn hint(refusal: &Refusal) -> Option<&'static str> {
    match refusal.code {
        Code::Unavailable => Some("try again in a moment; sending the same again is safe"),
        Code::Unimplemented => Some("the server is of another version than this program"),
        Code::DataLoss => Some("the operator should run `creditbank verify` on the ledger"),
        Code::Unauthenticated => Some("say who acts with --as or --institution"),
        _ => None,
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
            Self::Usage(_) => ("usage", "", Vec::new(), BTreeMap::new()),
            Self::NoServer { .. } => ("no_server", "", Vec::new(), BTreeMap::new()),
            Self::Unexpected(_) => ("unexpected", "", Vec::new(), BTreeMap::new()),
            Self::Output(_) => ("output", "", Vec::new(), BTreeMap::new()),
            Self::Refused(refusal) => (
                "refused",
                refusal.reason.as_str(),
                refusal.fields.clone(),
                refusal.metadata.clone(),
            ),
        };
        let fields: Vec<Value> = fields
            .into_iter()
            .map(|field| json!({ "field": field.path, "problem": field.problem }))
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
            Self::Refused(refusal) => explain(refusal, f),
            Self::Output(error) => write!(f, "the output could not be written: {error}"),
        }
    }
}

/// A refusal with its fields, its reason and what to do.
fn explain(refusal: &Refusal, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let message = refusal.message.as_str();
    match (refusal.fields.len(), message) {
        (0 | 1, "") => write!(f, "the server answered {:?}", refusal.code)?,
        (0 | 1, message) => f.write_str(message)?,
        (count, _) => write!(f, "{count} fields need mending")?,
    }
    for Field { path, problem } in &refusal.fields {
        write!(f, "\n  field   {path}")?;
        if refusal.fields.len() > 1 || !message.contains(problem.as_str()) {
            write!(f, ": {problem}")?;
        }
    }
    if !refusal.reason.is_empty() {
        write!(f, "\n  reason  {}", refusal.reason)?;
    }
    if let Some(hint) = hint(refusal) {
        write!(f, "\n  hint    {hint}")?;
    }
    Ok(())
}

impl std::error::Error for Failure {}

impl From<Status> for Failure {
    fn from(status: Status) -> Self {
        Self::from(Refusal::new(&status))
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(Box::new(refusal))
    }
}

impl From<ConnectError> for Failure {
    fn from(error: ConnectError) -> Self {
        match error {
            ConnectError::NoServer { server, cause, .. } => Self::NoServer { server, cause },
            ConnectError::Address(_) => Self::Usage(
                error
                    .to_string()
                    .replace("say http://", "say --server http://"),
            ),
            ConnectError::Tls | ConnectError::Identity(_) => Self::Usage(error.to_string()),
        }
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
