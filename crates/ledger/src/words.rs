//! What the ledger speaks about: achievements, institutions, learners and the published vocabulary.
//!
//! Plain data, normalised: an empty string or `None` means "not given". What is well-formed is said in
//! [`crate::shape`], what is allowed in [`admit`](mod@crate::admit), how it is encoded in [`crate::codec`].

use crate::amount::Credits;
use crate::ids::{Date, Handle, InstitutionId};

/// A text in a language (BCP 47 tag; empty when unknown).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Text {
    /// The text.
    pub value: String,
    /// The language tag.
    pub language: String,
}

/// A span of days, half-open: `from` is in it, `until` is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Span {
    /// First day; `None` without beginning.
    pub from: Option<Date>,
    /// First day after; `None` without end.
    pub until: Option<Date>,
}

impl Span {
    /// Whether the day lies in it.
    #[must_use]
    pub fn contains(&self, day: Date) -> bool {
        self.from.is_none_or(|from| from <= day) && self.until.is_none_or(|until| day < until)
    }
}

/// A level of a qualification framework.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Level {
    /// The framework's code.
    pub framework: String,
    /// The level's code in it.
    pub code: String,
}

/// How much an achievement is worth to its issuer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Size {
    /// The amount.
    pub amount: Credits,
    /// The unit's code.
    pub unit: String,
}

/// What an institution may issue; empty lists and `None` mean "any".
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Scope {
    /// Achievement types.
    pub types: Vec<String>,
    /// Code prefixes.
    pub code_prefixes: Vec<String>,
    /// ISCED-F codes; a shorter code covers those that begin with it.
    pub fields: Vec<String>,
    /// Source kinds.
    pub source_kinds: Vec<String>,
    /// Highest level; other frameworks are then outside the scope.
    pub level_max: Option<Level>,
    /// Days of award.
    pub awarded: Span,
}

/// An institution as registered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstitutionProfile {
    /// Its id.
    pub id: InstitutionId,
    /// Names, in the order in which to show them.
    pub names: Vec<Text>,
    /// Kind in the operator's words.
    pub kind: String,
    /// Region code.
    pub region: String,
    /// The institution above it.
    pub parent: Option<InstitutionId>,
    /// What it may issue; without a scope it may only submit for others.
    pub scopes: Vec<Scope>,
    /// Its achievements are recorded only with its signature.
    pub signatures_required: bool,
}

/// A key with which an institution signs its achievements.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstitutionKey {
    /// The institution's own name for it.
    pub key_id: String,
    /// Ed25519 public key (RFC 8032).
    pub public_key: [u8; 32],
    /// On which days of recording it may sign.
    pub during: Span,
}

/// One institution lets another submit for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delegation {
    /// Who may submit.
    pub delegate: InstitutionId,
    /// On which days of recording.
    pub during: Span,
}

/// A qualification framework.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Framework {
    /// Its code.
    pub code: String,
    /// Its title.
    pub title: String,
    /// Level codes from lowest to highest rank.
    pub levels: Vec<String>,
    /// Where it is defined.
    pub source: String,
}

/// What a credit unit measures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnitKind {
    /// Credits.
    Credits,
    /// Hours; never converted without a rule.
    Hours,
    /// Points.
    Points,
}

/// A unit in which sizes are given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreditUnit {
    /// Its code.
    pub code: String,
    /// Its title.
    pub title: String,
    /// What it measures.
    pub kind: UnitKind,
    /// Where it is defined.
    pub source: String,
}

/// A list of codes with labels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CodeList {
    /// `isced-f-2013` or `source-kind`.
    pub code: String,
    /// Its title.
    pub title: String,
    /// Codes and labels.
    pub entries: Vec<(String, String)>,
    /// Where they are defined.
    pub source: String,
}

/// Code of the list of fields of education.
pub const FIELD_LIST: &str = "isced-f-2013";
/// Code of the list of source kinds.
pub const SOURCE_KIND_LIST: &str = "source-kind";

/// A course of an institution's catalogue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Course {
    /// Its code.
    pub code: String,
    /// Its titles.
    pub titles: Vec<Text>,
    /// Its usual size.
    pub size: Option<Size>,
    /// Its level.
    pub level: Option<Level>,
    /// ISCED-F code.
    pub field: String,
}

/// A window in which results of a period may be recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IntakeWindow {
    /// Its id.
    pub id: String,
    /// Institutions that it governs; empty means all.
    pub institutions: Vec<InstitutionId>,
    /// Days of award that it governs.
    pub awarded: Span,
    /// Days of recording on which those results may be recorded or superseded.
    pub intake: Span,
}

/// An identity document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// Its kind.
    pub kind: String,
    /// Its number.
    pub number: String,
}

/// A student number at an institution.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StudentNumber {
    /// The institution.
    pub institution: InstitutionId,
    /// The number as the institution writes it.
    pub number: String,
}

/// A document together with what must agree with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DocumentIdentity {
    /// The document.
    pub document: Document,
    /// The person's name.
    pub name: String,
    /// The birth date.
    pub birth_date: Date,
}

/// Who a submission is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LearnerReference {
    /// By handle.
    Handle(Handle),
    /// By student number.
    Student(StudentNumber),
    /// By document.
    Document(DocumentIdentity),
}

/// Why a reference could not be bound to a learner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PendingReason {
    /// It belongs to no learner yet.
    Unlinked,
    /// The document is known, but name or birth date differ.
    IdentityMismatch,
}

/// What a provisional account stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProvisionalReference {
    /// A student number that is linked to nobody.
    Student(StudentNumber),
    /// A document that is unknown or does not match.
    Document(DocumentIdentity, PendingReason),
}

impl ProvisionalReference {
    /// Why it is pending.
    #[must_use]
    pub fn reason(&self) -> PendingReason {
        match self {
            Self::Student(_) => PendingReason::Unlinked,
            Self::Document(_, reason) => *reason,
        }
    }
}

/// A learner's attributes: with history, never keys.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LearnerProfile {
    /// Names, the current one first.
    pub names: Vec<Text>,
    /// Identity documents.
    pub documents: Vec<Document>,
    /// Birth date.
    pub birth_date: Option<Date>,
    /// Region code.
    pub region: String,
}

/// A result of an achievement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AchievementResult {
    /// Grade, mark or score.
    pub value: String,
    /// Its scale.
    pub scale: String,
    /// What it measures.
    pub subject: String,
}

/// Evidence held elsewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evidence {
    /// Where.
    pub uri: String,
    /// Digest of what is there.
    pub digest: String,
}

/// How an achievement came about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// By study.
    Earned,
    /// By assessment of prior learning.
    Assessed,
    /// Transferred: stands on another record, no deposit.
    Transferred,
    /// Exempted: stands on another record, no deposit.
    Exempted,
}

impl Origin {
    /// Whether it adds to the bank, or only stands on what is there.
    #[must_use]
    pub fn is_deposit(self) -> bool {
        matches!(self, Self::Earned | Self::Assessed)
    }
}

/// A record by its issuer's own name for it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct RecordName {
    /// The issuing institution.
    pub issuer: InstitutionId,
    /// The issuer's record id.
    pub record_id: String,
}

/// What an issuer says a learner achieved; the issuer and the learner are the event's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Achievement {
    /// The issuer's own record id.
    pub record_id: String,
    /// An Open Badges 3.0 AchievementType word.
    pub achievement_type: String,
    /// The issuer's code.
    pub code: String,
    /// Titles.
    pub titles: Vec<Text>,
    /// Size.
    pub size: Option<Size>,
    /// Level.
    pub level: Option<Level>,
    /// ISCED-F code.
    pub field: String,
    /// Source kind.
    pub source_kind: String,
    /// Delivery.
    pub delivery: String,
    /// Origin.
    pub origin: Origin,
    /// What a transfer or an exemption stands on.
    pub source: Option<RecordName>,
    /// What it is part of.
    pub part_of: Option<RecordName>,
    /// Offering.
    pub offering: String,
    /// Attempt, from 1.
    pub attempt: u32,
    /// Results.
    pub results: Vec<AchievementResult>,
    /// First day of study.
    pub study_from: Option<Date>,
    /// Last day of study.
    pub study_until: Option<Date>,
    /// Date awarded.
    pub awarded: Date,
    /// Last day of validity.
    pub expires: Option<Date>,
    /// Tier.
    pub tier: String,
    /// URIs of learning outcomes.
    pub outcomes: Vec<String>,
    /// Evidence.
    pub evidence: Vec<Evidence>,
    /// The revoked record that this one re-issues.
    pub replaces: Option<RecordName>,
}
