//! Rejections: every way in which the ledger says no, with the numbers that a person needs to act.
//!
//! The order of declaration is the order of precedence, and [`Ord`] follows it: when several apply, the
//! least is reported. So who may act comes before what is malformed, that before what is unknown, that
//! before what a rule forbids; only that a record has been erased is said before anything about it is
//! judged. Each has a stable reason for programs and a sentence for people.

use crate::ids::{Date, InstitutionId, Position, Revision};
use crate::words::Level;

/// One malformed field.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
#[error("{field} {problem}")]
pub struct Violation {
    /// Path of the field, such as `size.amount` or `titles[1].value`.
    pub field: String,
    /// What is wrong and what would be right, such as `has more than 3 decimal places`.
    pub problem: String,
}

/// Why a command was refused.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub enum Rejection {
    /// Only another role may do this.
    #[error("only {allowed} may do this")]
    NotAllowed {
        /// Who may.
        allowed: &'static str,
    },
    /// The institution is not registered.
    #[error("institution {id} is not registered; ask the operator to register it")]
    UnknownInstitution {
        /// Which.
        id: InstitutionId,
    },
    /// The institution is suspended.
    #[error("institution {id} is suspended; ask the operator")]
    InstitutionSuspended {
        /// Which.
        id: InstitutionId,
    },
    /// The institution has closed.
    #[error("institution {id} has closed{}", successor_hint(.successor))]
    InstitutionClosed {
        /// Which.
        id: InstitutionId,
        /// Who acts for it.
        successor: Option<InstitutionId>,
    },
    /// The submitter may not act for the issuer on this day.
    #[error("{submitter} may not act for {issuer}; {issuer} must delegate to it first")]
    NotDelegated {
        /// Whose record.
        issuer: InstitutionId,
        /// Who sent it.
        submitter: InstitutionId,
    },
    /// The record id was erased with its learner.
    #[error("record {record_id} was erased with its learner and may not come back")]
    RecordErased {
        /// Which.
        record_id: String,
    },
    /// Fields are malformed.
    #[error("{}", listed(.0))]
    Malformed(Vec<Violation>),
    /// A code is not published.
    #[error("{field}: {value:?} is not a published {vocabulary}")]
    UnknownCode {
        /// Path of the field.
        field: &'static str,
        /// What was sent.
        value: String,
        /// Which vocabulary: `framework`, `level`, `credit unit`, `ISCED-F field`, `source kind`.
        vocabulary: &'static str,
    },
    /// Two dates contradict each other.
    #[error("{earlier_field} ({earlier}) is after {later_field} ({later})")]
    DatesContradict {
        /// Path of what should come first.
        earlier_field: &'static str,
        /// Its date.
        earlier: Date,
        /// Path of what should come later.
        later_field: &'static str,
        /// Its date.
        later: Date,
    },
    /// A date is in the future.
    #[error("{field} ({date}) is in the future: today is {today} where the day is latest (UTC+14)")]
    DateInFuture {
        /// Path of the field.
        field: &'static str,
        /// The date.
        date: Date,
        /// The latest day on Earth.
        today: Date,
    },
    /// No scope of the issuer covers it.
    #[error("{issuer} may not issue this: outside its scopes by {what}; ask the operator")]
    OutOfScope {
        /// The issuer.
        issuer: InstitutionId,
        /// What lies outside in the scope that fits best: `type`, `code`, `field`, `source_kind`,
        /// `level`, `awarded`, or `having no scope`.
        what: &'static str,
    },
    /// The issuer's achievements must be signed.
    #[error("{issuer} requires its signature on its achievements; sign with one of its keys")]
    SignatureRequired {
        /// The issuer.
        issuer: InstitutionId,
    },
    /// The issuer has no such key, or had none when the signature was checked.
    #[error("{issuer} has no key {key_id}; register it, or name one that is")]
    SigningKeyUnknown {
        /// The issuer.
        issuer: InstitutionId,
        /// Which.
        key_id: String,
    },
    /// The key does not sign on this day.
    #[error("key {key_id} of {issuer} may not be used: {}; use another", ended(.revoked, .from, .until))]
    SigningKeyEnded {
        /// The issuer.
        issuer: InstitutionId,
        /// Which.
        key_id: String,
        /// Where it was revoked, if it was.
        revoked: Option<Position>,
        /// First day of recording on which it signs.
        from: Option<Date>,
        /// First day after.
        until: Option<Date>,
    },
    /// The statement that was signed says something else.
    #[error(
        "the signed statement says otherwise than what was sent, in {field}; sign what is sent"
    )]
    SignatureMismatch {
        /// Path of the field.
        field: &'static str,
    },
    /// The signature is not that of the key over the statement.
    #[error(
        "the signature is not one of key {key_id} of {issuer} over the statement; check which key signed it"
    )]
    SignatureInvalid {
        /// The issuer.
        issuer: InstitutionId,
        /// Which key it names.
        key_id: String,
    },
    /// No learner has this handle.
    #[error("no learner has this handle; register the learner or send the student number")]
    UnknownLearner,
    /// The learner has been erased.
    #[error("the learner has been erased")]
    LearnerErased,
    /// The learner asked for is not bound to a person.
    #[error("the account is provisional: bind it to a learner first")]
    LearnerProvisional,
    /// The reference names nobody (where pending is no answer).
    #[error("the reference names no registered learner")]
    UnresolvedLearner,
    /// The handle is already in use (a draw that repeats: never in practice).
    #[error("the handle is taken")]
    HandleTaken,
    /// The learner's history has moved on.
    #[error("the learner's revision is {actual}, not {expected}: read again and retry", actual = .actual.0, expected = .expected.0)]
    StaleRevision {
        /// What the caller saw.
        expected: Revision,
        /// What it is.
        actual: Revision,
    },
    /// The issuer has no such record.
    #[error("{issuer} has no record {record_id}")]
    UnknownRecord {
        /// The issuer.
        issuer: InstitutionId,
        /// Which.
        record_id: String,
    },
    /// The record id exists for another learner.
    #[error("record {record_id} exists at position {} for another learner; reassign it if the learner was wrong", .position.0)]
    RecordOfOtherLearner {
        /// Which.
        record_id: String,
        /// Where.
        position: Position,
    },
    /// The record has been revoked for good.
    #[error("record {record_id} was revoked at position {}; issue a new record that names it in `replaces`", .position.0)]
    RecordRevoked {
        /// Which.
        record_id: String,
        /// Where.
        position: Position,
    },
    /// The record id exists with other content.
    #[error("record {record_id} exists at position {} with other content; supersede it to change it", .position.0)]
    RecordIdReused {
        /// Which.
        record_id: String,
        /// Where.
        position: Position,
    },
    /// The request id was used for something else.
    #[error("request id {request_id} was used at position {} with other content; choose a new one", .position.0)]
    RequestIdReused {
        /// Which.
        request_id: String,
        /// Where.
        position: Position,
    },
    /// The record is suspended already.
    #[error("record {record_id} is suspended already, since position {}", .position.0)]
    RecordSuspended {
        /// Which.
        record_id: String,
        /// Where.
        position: Position,
    },
    /// The record is not suspended.
    #[error("record {record_id} is not suspended")]
    RecordNotSuspended {
        /// Which.
        record_id: String,
    },
    /// The record is with that learner already.
    #[error("record {record_id} is with that learner already")]
    AlreadyWithLearner {
        /// Which.
        record_id: String,
    },
    /// Results of that date may not be recorded now.
    #[error("window {window_id} is closed for results awarded on {awarded}: open from {} until {}", day(.from), day(.until))]
    WindowFrozen {
        /// Which window.
        window_id: String,
        /// The date that it governs.
        awarded: Date,
        /// First day on which it is open.
        from: Option<Date>,
        /// First day after.
        until: Option<Date>,
    },
    /// The same result is recorded under another record id.
    #[error("the same result (type, code, offering, attempt) is recorded at position {} under another record id; supersede or revoke that one, or give another attempt or offering", .position.0)]
    DuplicateResult {
        /// Where.
        position: Position,
    },
    /// The student number belongs to another learner.
    #[error("the student number is linked to another learner; unlink it or merge the accounts")]
    StudentNumberTaken,
    /// The document belongs to another learner.
    #[error(
        "documents[{index}] is registered for another learner; correct it or merge the accounts"
    )]
    DocumentTaken {
        /// Which of those sent.
        index: usize,
    },
    /// The student number is linked to nobody.
    #[error("the student number is linked to no learner")]
    NotLinked,
    /// An account cannot be merged with itself, also through earlier merges.
    #[error("both handles name the same account")]
    SameLearner,
    /// The account is not merged into an open one: not at all, or into one that was merged itself since.
    #[error("the account is not merged into an open one; undo later merges first")]
    NotMerged,
    /// A provisional account cannot take another in.
    #[error("a provisional account cannot take a registered one in; exchange the two")]
    IntoProvisional,
    /// The institution exists already.
    #[error("institution {id} is registered already; update it instead")]
    InstitutionExists {
        /// Which.
        id: InstitutionId,
    },
    /// The institution is in that state already, or cannot get there.
    #[error("institution {id} is {state}")]
    InstitutionStateUnchanged {
        /// Which.
        id: InstitutionId,
        /// Its state: `active`, `suspended` or `closed`.
        state: &'static str,
    },
    /// The key id, or the public key, was registered before.
    #[error("key {key_id} of {issuer} was registered at position {} with that name or that public key, neither of which is ever used again; generate a new key under a new name", .position.0)]
    SigningKeyExists {
        /// The issuer.
        issuer: InstitutionId,
        /// The key that was registered.
        key_id: String,
        /// Where.
        position: Position,
    },
    /// The parents would form a circle.
    #[error("institution {id} would lie below itself")]
    ParentCircle {
        /// Which.
        id: InstitutionId,
    },
    /// A level once published would disappear or change its rank.
    #[error("level {} of framework {} is published and may neither go nor change its rank order", .level.code, .level.framework)]
    LevelWithdrawn {
        /// Which.
        level: Level,
    },
    /// A unit once published would measure something else.
    #[error("credit unit {code} is published with another kind")]
    UnitKindChanged {
        /// Which.
        code: String,
    },
    /// The code list is not one of those that the rules know.
    #[error("code list {code:?} is unknown: isced-f-2013 or source-kind")]
    UnknownCodeList {
        /// Which.
        code: String,
    },
    /// Only auditors meet this: an event stands where the rules allow none such.
    #[error("an event stands where the rules allow none such: {problem}")]
    OutOfPlace {
        /// What is wrong.
        problem: &'static str,
    },
}

impl Rejection {
    /// The stable reason for programs, in UPPER_SNAKE_CASE (google.rpc.ErrorInfo).
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::NotAllowed { .. } => "NOT_ALLOWED",
            Self::UnknownInstitution { .. } => "UNKNOWN_INSTITUTION",
            Self::InstitutionSuspended { .. } => "INSTITUTION_SUSPENDED",
            Self::InstitutionClosed { .. } => "INSTITUTION_CLOSED",
            Self::NotDelegated { .. } => "NOT_DELEGATED",
            Self::RecordErased { .. } => "ERASED",
            Self::Malformed(_) => "MALFORMED",
            Self::UnknownCode { .. } => "UNKNOWN_CODE",
            Self::DatesContradict { .. } => "DATES_CONTRADICT",
            Self::DateInFuture { .. } => "DATE_IN_FUTURE",
            Self::OutOfScope { .. } => "OUT_OF_SCOPE",
            Self::SignatureRequired { .. } => "SIGNATURE_REQUIRED",
            Self::SigningKeyUnknown { .. } => "SIGNING_KEY_UNKNOWN",
            Self::SigningKeyEnded { .. } => "SIGNING_KEY_ENDED",
            Self::SignatureMismatch { .. } => "SIGNATURE_MISMATCH",
            Self::SignatureInvalid { .. } => "SIGNATURE_INVALID",
            Self::UnknownLearner => "UNKNOWN_LEARNER",
            Self::LearnerErased => "LEARNER_ERASED",
            Self::LearnerProvisional => "LEARNER_PROVISIONAL",
            Self::UnresolvedLearner => "UNRESOLVED_LEARNER",
            Self::HandleTaken => "HANDLE_TAKEN",
            Self::StaleRevision { .. } => "STALE_REVISION",
            Self::UnknownRecord { .. } => "UNKNOWN_RECORD",
            Self::RecordOfOtherLearner { .. } => "RECORD_OF_OTHER_LEARNER",
            Self::RecordRevoked { .. } => "RECORD_REVOKED",
            Self::RecordIdReused { .. } => "RECORD_ID_REUSED",
            Self::RequestIdReused { .. } => "REQUEST_ID_REUSED",
            Self::RecordSuspended { .. } => "RECORD_SUSPENDED",
            Self::RecordNotSuspended { .. } => "RECORD_NOT_SUSPENDED",
            Self::AlreadyWithLearner { .. } => "ALREADY_WITH_LEARNER",
            Self::WindowFrozen { .. } => "WINDOW_FROZEN",
            Self::DuplicateResult { .. } => "DUPLICATE_RESULT",
            Self::StudentNumberTaken => "STUDENT_NUMBER_TAKEN",
            Self::DocumentTaken { .. } => "DOCUMENT_TAKEN",
            Self::NotLinked => "NOT_LINKED",
            Self::SameLearner => "SAME_LEARNER",
            Self::NotMerged => "NOT_MERGED",
            Self::IntoProvisional => "INTO_PROVISIONAL",
            Self::InstitutionExists { .. } => "INSTITUTION_EXISTS",
            Self::InstitutionStateUnchanged { .. } => "INSTITUTION_STATE_UNCHANGED",
            Self::SigningKeyExists { .. } => "SIGNING_KEY_EXISTS",
            Self::ParentCircle { .. } => "PARENT_CIRCLE",
            Self::LevelWithdrawn { .. } => "LEVEL_WITHDRAWN",
            Self::UnitKindChanged { .. } => "UNIT_KIND_CHANGED",
            Self::UnknownCodeList { .. } => "UNKNOWN_CODE_LIST",
            Self::OutOfPlace { .. } => "OUT_OF_PLACE",
        }
    }
}

fn successor_hint(successor: &Option<InstitutionId>) -> String {
    successor
        .as_ref()
        .map_or_else(String::new, |id| format!("; {id} acts for its records"))
}

fn ended(revoked: &Option<Position>, from: &Option<Date>, until: &Option<Date>) -> String {
    match revoked {
        Some(position) => format!("it was revoked at position {}", position.0),
        None => match (from, until) {
            (_, None) => format!("it signs what is recorded from {} on", day(from)),
            (None, Some(until)) => format!("it signs what is recorded before {until}"),
            (Some(from), Some(until)) => {
                format!("it signs what is recorded from {from} on and before {until}")
            }
        },
    }
}

fn listed(violations: &[Violation]) -> String {
    let texts: Vec<String> = violations.iter().map(ToString::to_string).collect();
    texts.join("; ")
}

fn day(day: &Option<Date>) -> String {
    day.map_or_else(|| "ever".to_owned(), |day| day.to_string())
}
