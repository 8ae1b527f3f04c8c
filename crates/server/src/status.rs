//! Every "no" as a client sees it: code, stable reason, sentence, fields and numbers.
//!
//! Apart from the services so that there is one table of all of them. A unary call carries it as a
//! status with `google.rpc.ErrorInfo` and `google.rpc.BadRequest`, a batch as a `RecordError` for the one
//! record; both are made here and say the same.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use api::v1;
use ledger::{Date, Rejection, Violation};
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, FieldViolation, StatusExt};
use views::ViewsFault;

use crate::causes;
use crate::engine::EngineFault;
use crate::limits::Exceeded;

/// The domain of every reason (google.rpc.ErrorInfo).
pub const DOMAIN: &str = "creditbank";

/// Most violations in one status: details travel in a header, and headers are bounded.
const VIOLATIONS_MAX: usize = 16;
/// Longest sentence or problem in characters, for the same reason.
const SENTENCE_CHARS_MAX: usize = 600;
/// Longest metadata value in characters.
const VALUE_CHARS_MAX: usize = 200;

/// The gRPC code for a rejection.
///
/// ABORTED: read again and retry. ALREADY_EXISTS: that name is taken by something else.
/// INVALID_ARGUMENT: wrong whatever the ledger holds. NOT_FOUND: names nothing.
/// PERMISSION_DENIED: someone else may. FAILED_PRECONDITION: a rule says no as things stand.
#[must_use]
pub fn code(rejection: &Rejection) -> Code {
    match rejection {
        Rejection::NotAllowed { .. } | Rejection::NotDelegated { .. } => Code::PermissionDenied,
        Rejection::UnknownInstitution { .. }
        | Rejection::SigningKeyUnknown { .. }
        | Rejection::UnknownLearner
        | Rejection::UnresolvedLearner
        | Rejection::UnknownRecord { .. } => Code::NotFound,
        Rejection::Malformed(_)
        | Rejection::UnknownCode { .. }
        | Rejection::DatesContradict { .. }
        | Rejection::DateInFuture { .. }
        | Rejection::SignatureMismatch { .. }
        | Rejection::SignatureInvalid { .. }
        | Rejection::UnknownCodeList { .. } => Code::InvalidArgument,
        Rejection::StaleRevision { .. } | Rejection::HandleTaken => Code::Aborted,
        Rejection::RecordOfOtherLearner { .. }
        | Rejection::RecordIdReused { .. }
        | Rejection::RequestIdReused { .. }
        | Rejection::InstitutionExists { .. }
        | Rejection::SigningKeyExists { .. } => Code::AlreadyExists,
        Rejection::InstitutionSuspended { .. }
        | Rejection::InstitutionClosed { .. }
        | Rejection::OutOfScope { .. }
        | Rejection::SignatureRequired { .. }
        | Rejection::SigningKeyEnded { .. }
        | Rejection::LearnerProvisional
        | Rejection::LearnerErased
        | Rejection::RecordErased { .. }
        | Rejection::RecordRevoked { .. }
        | Rejection::RecordSuspended { .. }
        | Rejection::RecordNotSuspended { .. }
        | Rejection::AlreadyWithLearner { .. }
        | Rejection::WindowFrozen { .. }
        | Rejection::DuplicateResult { .. }
        | Rejection::StudentNumberTaken
        | Rejection::DocumentTaken { .. }
        | Rejection::NotLinked
        | Rejection::SameLearner
        | Rejection::NotMerged
        | Rejection::IntoProvisional
        | Rejection::InstitutionStateUnchanged { .. }
        | Rejection::ParentCircle { .. }
        | Rejection::LevelWithdrawn { .. }
        | Rejection::UnitKindChanged { .. } => Code::FailedPrecondition,
        Rejection::OutOfPlace { .. } => Code::Internal,
    }
}

/// A "no" with all that is said about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// The gRPC code.
    pub code: Code,
    /// The stable reason for programs.
    pub reason: &'static str,
    /// The sentence for people.
    pub sentence: String,
    /// The malformed fields.
    pub violations: Vec<Violation>,
    /// Ids, positions and limits for programs.
    pub metadata: BTreeMap<&'static str, String>,
    /// When it makes sense to try the same again.
    pub retry_after: Option<Duration>,
}

impl Explanation {
    /// A "no" without details.
    #[must_use]
    pub fn new(code: Code, reason: &'static str, sentence: impl Into<String>) -> Self {
        let sentence = shortened(&sentence.into(), SENTENCE_CHARS_MAX);
        Explanation {
            code,
            reason,
            sentence,
            violations: Vec::new(),
            metadata: BTreeMap::new(),
            retry_after: None,
        }
    }

    /// The same with another detail.
    #[must_use]
    pub fn with(mut self, key: &'static str, value: impl ToString) -> Self {
        self.metadata
            .insert(key, shortened(&value.to_string(), VALUE_CHARS_MAX));
        self
    }

    /// The same about these fields.
    #[must_use]
    pub fn about(mut self, violations: Vec<Violation>) -> Self {
        self.violations = violations;
        self
    }

    /// As the status of a call.
    #[must_use]
    pub fn status(self) -> Status {
        let metadata: HashMap<String, String> = self
            .metadata
            .into_iter()
            .map(|(key, value)| (key.to_owned(), value))
            .collect();
        let mut details = ErrorDetails::with_error_info(self.reason, DOMAIN, metadata);
        let fields: Vec<FieldViolation> = self
            .violations
            .iter()
            .take(VIOLATIONS_MAX)
            .map(field)
            .collect();
        if !fields.is_empty() {
            details.set_bad_request(fields);
        }
        if self.retry_after.is_some() {
            details.set_retry_info(self.retry_after);
        }
        Status::with_error_details(self.code, self.sentence, details)
    }

    /// As the error of one record of a batch.
    #[must_use]
    pub fn record_error(self) -> v1::RecordError {
        let field = self
            .violations
            .into_iter()
            .next()
            .map(|violation| violation.field);
        v1::RecordError {
            code: i32::from(self.code),
            reason: self.reason.to_owned(),
            message: self.sentence,
            field: field.unwrap_or_default(),
            metadata: self
                .metadata
                .into_iter()
                .map(|(key, value)| (key.to_owned(), value))
                .collect(),
        }
    }
}

fn field(violation: &Violation) -> FieldViolation {
    let problem = shortened(&violation.problem, VALUE_CHARS_MAX);
    FieldViolation::new(shortened(&violation.field, VALUE_CHARS_MAX), problem)
}

/// Whole characters, with a sign that something is missing.
fn shortened(text: &str, chars_max: usize) -> String {
    match text.char_indices().nth(chars_max) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}...", &text[..end]),
    }
}

impl From<&Rejection> for Explanation {
    fn from(rejection: &Rejection) -> Self {
        let plain = Explanation::new(code(rejection), rejection.reason(), rejection.to_string());
        detailed(plain.about(violations(rejection)), rejection)
    }
}

/// The fields that a rejection is about.
fn violations(rejection: &Rejection) -> Vec<Violation> {
    let one = |field: &str, problem: String| {
        vec![Violation {
            field: field.to_owned(),
            problem,
        }]
    };
    match rejection {
        Rejection::Malformed(violations) => violations.clone(),
        Rejection::UnknownCode {
            field,
            value,
            vocabulary,
        } => one(field, format!("{value:?} is not a published {vocabulary}")),
        Rejection::DatesContradict {
            earlier_field,
            earlier,
            later_field,
            later,
        } => one(
            earlier_field,
            format!("{earlier} is after {later_field}, {later}"),
        ),
        Rejection::DateInFuture { field, date, today } => {
            one(field, format!("{date} is in the future: today is {today}"))
        }
        Rejection::SignatureMismatch { field } => {
            one(field, "is signed with something else".to_owned())
        }
        Rejection::UnknownCodeList { code } => one("code", format!("{code:?} is no code list")),
        _ => Vec::new(),
    }
}

/// Ids, positions, dates and limits of a rejection, for programs. Never a name or a student number.
fn detailed(plain: Explanation, rejection: &Rejection) -> Explanation {
    match rejection {
        Rejection::NotAllowed { allowed } => plain.with("allowed", allowed),
        Rejection::UnknownInstitution { id }
        | Rejection::InstitutionSuspended { id }
        | Rejection::InstitutionExists { id }
        | Rejection::ParentCircle { id } => plain.with("institution_id", id.as_str()),
        Rejection::InstitutionClosed { id, successor } => {
            let plain = plain.with("institution_id", id.as_str());
            successor
                .iter()
                .fold(plain, |plain, id| plain.with("successor_id", id.as_str()))
        }
        Rejection::InstitutionStateUnchanged { id, state } => plain
            .with("institution_id", id.as_str())
            .with("state", state),
        Rejection::NotDelegated { issuer, submitter } => plain
            .with("issuer_id", issuer.as_str())
            .with("submitter_id", submitter.as_str()),
        Rejection::UnknownCode {
            field, vocabulary, ..
        } => plain.with("field", field).with("vocabulary", vocabulary),
        Rejection::DatesContradict {
            earlier_field,
            earlier,
            later_field,
            later,
        } => plain.with(earlier_field, earlier).with(later_field, later),
        Rejection::DateInFuture { field, date, today } => {
            plain.with(field, date).with("today", today)
        }
        Rejection::OutOfScope { issuer, what } => plain
            .with("issuer_id", issuer.as_str())
            .with("outside_by", what),
        Rejection::StaleRevision { expected, actual } => plain
            .with("expected_revision", expected.0)
            .with("actual_revision", actual.0),
        Rejection::DocumentTaken { index } => plain.with("document_idx", index),
        Rejection::LevelWithdrawn { level } => plain
            .with("framework", &level.framework)
            .with("level", &level.code),
        Rejection::UnitKindChanged { code } => plain.with("unit", code),
        Rejection::UnknownCodeList { code } => plain.with("code_list", code),
        _ => detailed_record(plain, rejection),
    }
}

fn detailed_record(plain: Explanation, rejection: &Rejection) -> Explanation {
    match rejection {
        Rejection::UnknownRecord { issuer, record_id } => plain
            .with("issuer_id", issuer.as_str())
            .with("record_id", record_id),
        Rejection::RecordErased { record_id }
        | Rejection::RecordNotSuspended { record_id }
        | Rejection::AlreadyWithLearner { record_id } => plain.with("record_id", record_id),
        Rejection::RecordOfOtherLearner {
            record_id,
            position,
        }
        | Rejection::RecordIdReused {
            record_id,
            position,
        }
        | Rejection::RecordRevoked {
            record_id,
            position,
        }
        | Rejection::RecordSuspended {
            record_id,
            position,
        } => plain
            .with("record_id", record_id)
            .with("position", position.0),
        Rejection::RequestIdReused {
            request_id,
            position,
        } => plain
            .with("request_id", request_id)
            .with("position", position.0),
        Rejection::DuplicateResult { position } => plain.with("position", position.0),
        Rejection::WindowFrozen {
            window_id,
            awarded,
            from,
            until,
        } => {
            let plain = plain.with("window_id", window_id).with("awarded", awarded);
            with_days(plain, [("open_from", from), ("open_until", until)])
        }
        _ => detailed_signature(plain, rejection),
    }
}

fn detailed_signature(plain: Explanation, rejection: &Rejection) -> Explanation {
    match rejection {
        Rejection::SignatureRequired { issuer } => plain.with("issuer_id", issuer.as_str()),
        Rejection::SigningKeyUnknown { issuer, key_id }
        | Rejection::SignatureInvalid { issuer, key_id } => plain
            .with("issuer_id", issuer.as_str())
            .with("key_id", key_id),
        Rejection::SigningKeyExists {
            issuer,
            key_id,
            position,
        } => plain
            .with("issuer_id", issuer.as_str())
            .with("key_id", key_id)
            .with("position", position.0),
        Rejection::SigningKeyEnded {
            issuer,
            key_id,
            revoked,
            from,
            until,
        } => {
            let plain = plain
                .with("issuer_id", issuer.as_str())
                .with("key_id", key_id);
            let plain = with_days(plain, [("signs_from", from), ("signs_until", until)]);
            revoked
                .iter()
                .fold(plain, |plain, end| plain.with("revoked_position", end.0))
        }
        Rejection::SignatureMismatch { field } => plain.with("field", field),
        _ => plain,
    }
}

/// The days that are given.
fn with_days(plain: Explanation, days: [(&'static str, &Option<Date>); 2]) -> Explanation {
    let with = |plain: Explanation, (key, day): (&'static str, &Option<Date>)| {
        day.iter().fold(plain, |plain, day| plain.with(key, day))
    };
    days.into_iter().fold(plain, with)
}

impl From<Exceeded> for Explanation {
    fn from(exceeded: Exceeded) -> Self {
        let (found, limit) = exceeded.numbers();
        Explanation::new(
            Code::ResourceExhausted,
            exceeded.reason(),
            exceeded.to_string(),
        )
        .with("found", found)
        .with("limit", limit)
    }
}

impl From<&EngineFault> for Explanation {
    fn from(fault: &EngineFault) -> Self {
        match fault {
            EngineFault::NoSpace(_) => {
                let sentence = "the ledger has no space for more records; nothing was recorded: \
                                ask the operator, and send the same again later";
                Explanation::new(Code::ResourceExhausted, "NO_SPACE", sentence)
            }
            EngineFault::Overloaded => {
                let retry_after = Some(Duration::from_millis(250));
                let sentence = "too many commands wait for the ledger; nothing was recorded: send \
                                the same again a little later";
                let plain = Explanation::new(Code::ResourceExhausted, "OVERLOADED", sentence);
                Explanation {
                    retry_after,
                    ..plain
                }
            }
            EngineFault::Stopped { .. } => {
                let sentence = "the ledger accepts no more records until the server is restarted; \
                                it is unknown whether this call was recorded: send the same again \
                                then";
                Explanation::new(Code::Unavailable, "WRITER_STOPPED", sentence)
            }
            EngineFault::Clock(jumped) => {
                Explanation::new(Code::Unavailable, "CLOCK_JUMPED", jumped.to_string())
            }
            EngineFault::Store(store::Fault::Corruption(_))
            | EngineFault::Decode { .. }
            | EngineFault::NotOpened => corruption(),
            EngineFault::Store(_)
            | EngineFault::Read(_)
            | EngineFault::Random(_)
            | EngineFault::Opening(_) => unavailable(),
        }
    }
}

fn corruption() -> Explanation {
    let sentence = "stored data does not check; the operator must run verify";
    Explanation::new(Code::DataLoss, "CORRUPTION", sentence)
}

/// What a client sees of a fault that is the server's own business: the log has its chain.
fn unavailable() -> Explanation {
    let sentence = "the server cannot do this now; its log says why";
    Explanation::new(Code::Unavailable, "UNAVAILABLE", sentence)
}

/// The status of a rejection.
#[must_use]
pub fn rejected(rejection: &Rejection) -> Status {
    tracing::debug!(reason = rejection.reason(), "rejected");
    Explanation::from(rejection).status()
}

/// The status of a fault, whose chain of causes goes to the log.
#[must_use]
pub fn faulted(fault: &EngineFault) -> Status {
    let explanation = Explanation::from(fault);
    let (reason, fault_chain) = (explanation.reason, causes::chain(fault));
    match fault {
        // Clients can bring these about, as often as they like; what stopped the writer was logged then.
        EngineFault::Overloaded => tracing::debug!(reason, fault = fault_chain, "refused"),
        EngineFault::Stopped { .. } | EngineFault::Read(_) => {
            tracing::warn!(reason, fault = fault_chain, "refused");
        }
        _ => tracing::error!(reason, fault = fault_chain, "fault"),
    }
    explanation.status()
}

/// The status of a fault of the views.
#[must_use]
pub fn views_faulted(fault: &ViewsFault) -> Status {
    let corrupt = matches!(
        fault,
        ViewsFault::Record { .. }
            | ViewsFault::Read(store::ReadError::Fault(store::Fault::Corruption(_)))
            | ViewsFault::Store(store::Fault::Corruption(_))
    );
    tracing::error!(fault = causes::chain(fault), "fault");
    if corrupt {
        corruption().status()
    } else {
        unavailable().status()
    }
}

#[cfg(test)]
mod tests;
