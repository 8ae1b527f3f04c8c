//! A "no", taken apart: code, stable reason, sentence, fields, details, and whether the call arrived.
//!
//! Apart from the calls because people and programs read it, and because what may be repeated is decided
//! on it.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;
use std::time::Duration;

use tonic::{Code, Status};
use tonic_types::StatusExt;

/// Reasons with which the server says that nothing was recorded and that the same will do a little later.
const NOTHING_WAS_DONE: [&str; 1] = ["OVERLOADED"];

/// A malformed field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// Its path, such as `size.amount`.
    pub path: String,
    /// What is wrong with it.
    pub problem: String,
}

/// What is known of a call that was not answered as hoped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arrival {
    /// There was no connection: the server has not seen it.
    NotSent,
    /// It broke off, took too long, or the server could not say: it may have been carried out, or may yet be.
    Unknown,
    /// The server judged it: what it says holds.
    Answered,
}

/// Why a call was not carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The gRPC code.
    pub code: Code,
    /// Stable reason (google.rpc.ErrorInfo), such as `RECORD_ID_REUSED`; empty when there was none.
    pub reason: String,
    /// A sentence for a person.
    pub message: String,
    /// Malformed fields (google.rpc.BadRequest).
    pub fields: Vec<Field>,
    /// Details for programs (google.rpc.ErrorInfo), such as `position` or `limit`.
    pub metadata: BTreeMap<String, String>,
    /// After how long the server says the same may be tried again (google.rpc.RetryInfo).
    pub retry_after: Option<Duration>,
    /// Whether the call arrived.
    pub arrival: Arrival,
}

impl Refusal {
    /// Takes a status apart.
    #[must_use]
    pub fn new(status: &Status) -> Self {
        let details = status.get_error_details();
        let info = details.error_info();
        let fields = details.bad_request().map(|bad| &bad.field_violations);
        let fields = fields.into_iter().flatten().map(|violation| Field {
            path: violation.field.clone(),
            problem: violation.description.clone(),
        });
        Self {
            code: status.code(),
            reason: info.map(|info| info.reason.clone()).unwrap_or_default(),
            message: sentence(status),
            fields: fields.collect(),
            metadata: info.iter().flat_map(|info| info.metadata.clone()).collect(),
            retry_after: details.retry_info().and_then(|info| info.retry_delay),
            arrival: arrival(status),
        }
    }

    /// An answer did not come in time.
    pub(crate) fn too_late(timeout: Duration) -> Self {
        let seconds = timeout.as_millis().div_ceil(1000);
        Self {
            arrival: Arrival::Unknown,
            ..Self::new(&Status::deadline_exceeded(format!(
                "no answer within {seconds} s"
            )))
        }
    }

    /// Whether the server judged the request, rather than failing.
    #[must_use]
    pub fn is_an_answer(&self) -> bool {
        self.arrival == Arrival::Answered
            && matches!(
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

    /// Whether the same call may fare better a little later: the server was not reached, did not answer, or
    /// says so itself. Everything else will be refused again.
    #[must_use]
    pub fn is_worth_repeating(&self) -> bool {
        self.arrival != Arrival::Answered || self.retry_after.is_some()
    }

    /// Whether it is certain that nothing was done, so that any call may be made again.
    #[must_use]
    pub fn left_nothing(&self) -> bool {
        self.arrival == Arrival::NotSent || NOTHING_WAS_DONE.contains(&self.reason.as_str())
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.message.as_str(), self.reason.as_str()) {
            ("", "") => write!(f, "the server answered {:?}", self.code),
            ("", reason) => f.write_str(reason),
            (message, "") => f.write_str(message),
            (message, reason) => write!(f, "{message} ({reason})"),
        }
    }
}

impl Error for Refusal {}

impl From<Status> for Refusal {
    fn from(status: Status) -> Self {
        Self::new(&status)
    }
}

/// A status with a source was made on this side, out of a broken connection.
fn arrival(status: &Status) -> Arrival {
    let mut source = status.source();
    while let Some(error) = source {
        if error.is::<tonic::ConnectError>() {
            return Arrival::NotSent;
        }
        source = error.source();
    }
    match status.code() {
        // UNAVAILABLE of the server's own, too: its writer may have stopped with the call half way.
        Code::Unavailable | Code::DeadlineExceeded | Code::Cancelled => Arrival::Unknown,
        Code::Unknown | Code::Internal if status.source().is_some() => Arrival::Unknown,
        _ => Arrival::Answered,
    }
}

/// What a status says.
fn sentence(status: &Status) -> String {
    match status.source() {
        Some(source) => format!("the server cannot be reached: {}", root_cause(source)),
        None => status.message().to_owned(),
    }
}

/// The innermost cause of an error: what the operating system said, without the layers around it and
/// without its number, which says nothing to a registrar.
#[must_use]
pub fn root_cause(error: &dyn Error) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    let text = innermost.to_string();
    let plain = text.split(" (os error").next().unwrap_or(&text);
    plain.to_lowercase()
}

#[cfg(test)]
mod tests {
    use tonic_types::ErrorDetails;

    use super::*;

    #[test]
    fn a_status_is_taken_apart() {
        let mut details = ErrorDetails::new();
        details.set_error_info(
            "MALFORMED",
            "creditbank",
            [("limit".to_owned(), "3".to_owned())],
        );
        details.add_bad_request_violation("size.amount", "has more than 3 decimal places");
        let said = "size.amount has more than 3 decimal places";
        let status = Status::with_error_details(Code::InvalidArgument, said, details);
        let refusal = Refusal::from(status);
        assert_eq!(refusal.to_string(), format!("{said} (MALFORMED)"));
        assert_eq!(refusal.metadata["limit"], "3");
        assert_eq!(refusal.fields[0].path, "size.amount");
        assert!(refusal.is_an_answer() && !refusal.is_worth_repeating());
    }

    #[test]
    fn what_is_worth_repeating_and_what_left_nothing() {
        let plain = |code| Refusal::from(Status::new(code, "x"));
        let with = |code, reason: &str, after| {
            let mut details = ErrorDetails::with_error_info(reason, "creditbank", []);
            details.set_retry_info(after);
            Refusal::from(Status::with_error_details(code, "x", details))
        };
        let soon = Some(Duration::from_millis(250));
        for (refusal, worth, nothing) in [
            (plain(Code::Unavailable), true, false),
            (plain(Code::Cancelled), true, false),
            (Refusal::too_late(Duration::from_secs(1)), true, false),
            (
                with(Code::ResourceExhausted, "OVERLOADED", soon),
                true,
                true,
            ),
            (
                with(Code::ResourceExhausted, "NO_SPACE", None),
                false,
                false,
            ),
            (with(Code::Aborted, "STALE_REVISION", None), false, false),
            (plain(Code::Internal), false, false),
            (plain(Code::Unauthenticated), false, false),
        ] {
            assert_eq!(
                (refusal.is_worth_repeating(), refusal.left_nothing()),
                (worth, nothing),
                "{refusal:?}"
            );
        }
    }
}
