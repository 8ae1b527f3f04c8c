//! Events: the accepted facts that the ledger consists of.
//!
//! An event is what a leaf shows of it (kind, institutions, learner) and a body. Bodies are encoded in
//! [`crate::codec`]; an erased body leaves only what the leaf shows.

use std::sync::Arc;

use crate::ids::{Handle, InstitutionId};
use crate::signature::IssuerSignature;
use crate::words::{
    Achievement, CodeList, Course, CreditUnit, Delegation, Framework, InstitutionKey,
    InstitutionProfile, IntakeWindow, LearnerProfile, ProvisionalReference, StudentNumber,
};

pub use crate::generated::EventKind;

/// An accepted fact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Whose statement it is; the operator for the registry's and the learner family's own.
    pub issuer: InstitutionId,
    /// Who sent it.
    pub submitter: InstitutionId,
    /// The learner on whose chain it lies.
    pub learner: Option<Handle>,
    /// What happened.
    pub body: Body,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body {
    /// The ledger begins.
    LedgerOpened(LedgerOpened),
    /// An institution joins.
    InstitutionRegistered(InstitutionProfile),
    /// An institution's description is replaced.
    InstitutionUpdated(InstitutionProfile),
    /// An institution is suspended.
    InstitutionSuspended(InstitutionStatus),
    /// An institution is reinstated.
    InstitutionReinstated(InstitutionStatus),
    /// An institution has closed.
    InstitutionClosed(InstitutionStatus),
    /// The issuer lets another institution submit for it.
    InstitutionDelegated(Delegation),
    /// A framework is published.
    FrameworkPublished(Framework),
    /// A unit is published.
    CreditUnitPublished(CreditUnit),
    /// Codes are published.
    CodeListPublished(CodeList),
    /// A course of the issuer is published.
    CoursePublished(Course),
    /// An intake window is published.
    IntakeWindowPublished(IntakeWindow),
    /// The issuer has a key.
    InstitutionKeyAdded(InstitutionKey),
    /// A key of the issuer has ended.
    InstitutionKeyRevoked(KeyRevocation),
    /// An account is opened.
    LearnerRegistered(LearnerRegistered),
    /// Attributes are replaced.
    LearnerUpdated(LearnerProfile),
    /// A student number is linked.
    IdentityLinked(StudentNumber),
    /// A student number is unlinked.
    IdentityUnlinked(StudentNumber),
    /// The account is closed into another (`counterpart`).
    LearnerMerged(Counterpart),
    /// The account takes another in.
    LearnerAbsorbed(Counterpart),
    /// The account gives another back.
    LearnersSeparated(Counterpart),
    /// The account goes on by itself.
    LearnerReopened(Counterpart),
    /// Everything is erased.
    LearnerErased(LearnerErased),
    /// The identity is erased.
    LearnerIdentityErased,
    /// An achievement is recorded.
    AchievementRecorded(AchievementRecorded),
    /// An achievement is replaced under its record id.
    AchievementSuperseded(AchievementSuperseded),
    /// An achievement is suspended.
    AchievementSuspended(AchievementStatus),
    /// An achievement is reinstated.
    AchievementReinstated(AchievementStatus),
    /// An achievement is revoked.
    AchievementRevoked(AchievementStatus),
    /// An achievement leaves this learner.
    AchievementReassigned(AchievementReassigned),
    /// An achievement comes to this learner.
    AchievementReceived(AchievementReceived),
    /// The body has been erased; only the leaf tells the kind.
    Erased(EventKind),
}

/// The ledger begins.
#[derive(Clone, PartialEq, Eq)]
pub struct LedgerOpened {
    /// Names this ledger.
    pub ledger_id: [u8; 16],
    /// Version of the byte formats.
    pub format_version: u32,
    /// Version of the admission rules.
    pub rules_version: u32,
    /// Key of all [`crate::Key`]s; served to no one.
    pub suppression_key: [u8; 32],
}

/// Leaves the key out, so that no log shows it.
impl std::fmt::Debug for LedgerOpened {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LedgerOpened")
            .field("ledger_id", &self.ledger_id)
            .field("format_version", &self.format_version)
            .field("rules_version", &self.rules_version)
            .finish_non_exhaustive()
    }
}

/// A change of an institution's standing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstitutionStatus {
    /// Which.
    pub institution: InstitutionId,
    /// Why.
    pub reason: String,
    /// Closed only: who acts for its records.
    pub successor: Option<InstitutionId>,
}

/// A key has ended for good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyRevocation {
    /// Which of the issuer's.
    pub key_id: String,
    /// Why.
    pub reason: String,
}

/// How an account begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LearnerRegistered {
    /// Bound to a person, or provisional.
    pub opening: Opening,
    /// Makes the request idempotent; empty without one.
    pub request_id: String,
}

/// What an account begins with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Opening {
    /// A person's attributes.
    Person(LearnerProfile),
    /// An unbound reference.
    Provisional(ProvisionalReference),
}

/// The other account of a merge or a separation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counterpart {
    /// Its handle.
    pub learner: Handle,
    /// Why.
    pub reason: String,
}

/// Everything of a learner is erased.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LearnerErased {
    /// Keys of the record ids that may not come back, sorted, without repetition.
    pub suppressed: Vec<crate::Key>,
}

/// An achievement as it is recorded first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AchievementRecorded {
    /// The content.
    pub achievement: Arc<Achievement>,
    /// The issuer's signature of it.
    pub signature: Option<Arc<IssuerSignature>>,
}

/// Unsigned.
impl From<Arc<Achievement>> for AchievementRecorded {
    fn from(achievement: Arc<Achievement>) -> Self {
        AchievementRecorded {
            achievement,
            signature: None,
        }
    }
}

/// Unsigned.
impl From<Achievement> for AchievementRecorded {
    fn from(achievement: Achievement) -> Self {
        Arc::new(achievement).into()
    }
}

/// A new version of an achievement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AchievementSuperseded {
    /// The new content.
    pub achievement: Arc<Achievement>,
    /// Why.
    pub reason: String,
    /// The issuer's signature of it.
    pub signature: Option<Arc<IssuerSignature>>,
}

/// A change of an achievement's standing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AchievementStatus {
    /// The issuer's record id.
    pub record_id: String,
    /// Why.
    pub reason: String,
}

/// An achievement leaves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AchievementReassigned {
    /// The issuer's record id.
    pub record_id: String,
    /// Where it goes.
    pub to: Handle,
    /// Why.
    pub reason: String,
}

/// An achievement comes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AchievementReceived {
    /// Its content as it stood.
    pub achievement: Arc<Achievement>,
    /// Where it comes from.
    pub from: Handle,
    /// Whether it is suspended.
    pub suspended: bool,
    /// The issuer's signature of the content as it stood; it names the learner whom the issuer meant then.
    pub signature: Option<Arc<IssuerSignature>>,
}

impl Body {
    /// The issuer's signature of the content that it brings.
    #[must_use]
    pub fn signature(&self) -> Option<&IssuerSignature> {
        match self {
            Self::AchievementRecorded(new) => new.signature.as_deref(),
            Self::AchievementSuperseded(new) => new.signature.as_deref(),
            Self::AchievementReceived(received) => received.signature.as_deref(),
            _ => None,
        }
    }

    /// The kind, as the leaf carries it.
    #[must_use]
    pub fn kind(&self) -> EventKind {
        match self {
            Self::LedgerOpened(_) => EventKind::LedgerOpened,
            Self::InstitutionRegistered(_) => EventKind::InstitutionRegistered,
            Self::InstitutionUpdated(_) => EventKind::InstitutionUpdated,
            Self::InstitutionSuspended(_) => EventKind::InstitutionSuspended,
            Self::InstitutionReinstated(_) => EventKind::InstitutionReinstated,
            Self::InstitutionClosed(_) => EventKind::InstitutionClosed,
            Self::InstitutionDelegated(_) => EventKind::InstitutionDelegated,
            Self::FrameworkPublished(_) => EventKind::FrameworkPublished,
            Self::CreditUnitPublished(_) => EventKind::CreditUnitPublished,
            Self::CodeListPublished(_) => EventKind::CodeListPublished,
            Self::CoursePublished(_) => EventKind::CoursePublished,
            Self::IntakeWindowPublished(_) => EventKind::IntakeWindowPublished,
            Self::InstitutionKeyAdded(_) => EventKind::InstitutionKeyAdded,
            Self::InstitutionKeyRevoked(_) => EventKind::InstitutionKeyRevoked,
            Self::LearnerRegistered(_) => EventKind::LearnerRegistered,
            Self::LearnerUpdated(_) => EventKind::LearnerUpdated,
            Self::IdentityLinked(_) => EventKind::IdentityLinked,
            Self::IdentityUnlinked(_) => EventKind::IdentityUnlinked,
            Self::LearnerMerged(_) => EventKind::LearnerMerged,
            Self::LearnerAbsorbed(_) => EventKind::LearnerAbsorbed,
            Self::LearnersSeparated(_) => EventKind::LearnersSeparated,
            Self::LearnerReopened(_) => EventKind::LearnerReopened,
            Self::LearnerErased(_) => EventKind::LearnerErased,
            Self::LearnerIdentityErased => EventKind::LearnerIdentityErased,
            Self::AchievementRecorded(_) => EventKind::AchievementRecorded,
            Self::AchievementSuperseded(_) => EventKind::AchievementSuperseded,
            Self::AchievementSuspended(_) => EventKind::AchievementSuspended,
            Self::AchievementReinstated(_) => EventKind::AchievementReinstated,
            Self::AchievementRevoked(_) => EventKind::AchievementRevoked,
            Self::AchievementReassigned(_) => EventKind::AchievementReassigned,
            Self::AchievementReceived(_) => EventKind::AchievementReceived,
            Self::Erased(kind) => *kind,
        }
    }

    /// The account that a merge or a separation joins with the one on whose chain the event lies. Both
    /// events of such a pair name each other, and no erasure takes them away, so from either account
    /// every account ever joined with it is found.
    #[must_use]
    pub fn joined(&self) -> Option<Handle> {
        match self {
            Self::LearnerMerged(counterpart)
            | Self::LearnerAbsorbed(counterpart)
            | Self::LearnersSeparated(counterpart)
            | Self::LearnerReopened(counterpart) => Some(counterpart.learner),
            _ => None,
        }
    }

    /// What the event says that an achievement is; `None` of events that only change where it stands.
    #[must_use]
    pub fn content(&self) -> Option<&Achievement> {
        match self {
            Self::AchievementRecorded(new) => Some(&new.achievement),
            Self::AchievementSuperseded(new) => Some(&new.achievement),
            Self::AchievementReceived(received) => Some(&received.achievement),
            _ => None,
        }
    }

    /// The issuer's record id that the event is about.
    #[must_use]
    pub fn record_id(&self) -> Option<&str> {
        match self {
            Self::AchievementSuspended(status)
            | Self::AchievementReinstated(status)
            | Self::AchievementRevoked(status) => Some(&status.record_id),
            Self::AchievementReassigned(moved) => Some(&moved.record_id),
            other => other.content().map(|content| &*content.record_id),
        }
    }
}

/// Whether a later erasure of this kind covers a record of that kind on the same learner, or on one
/// merged in. Decided from kinds alone, so that leaves are enough.
#[must_use]
pub fn erasure_covers(erasure: EventKind, kind: EventKind) -> bool {
    let identity = matches!(
        kind,
        EventKind::LearnerRegistered
            | EventKind::LearnerUpdated
            | EventKind::IdentityLinked
            | EventKind::IdentityUnlinked
    );
    let kept = matches!(
        kind,
        EventKind::LearnerMerged
            | EventKind::LearnerAbsorbed
            | EventKind::LearnersSeparated
            | EventKind::LearnerReopened
            | EventKind::LearnerErased
            | EventKind::LearnerIdentityErased
    );
    match erasure {
        EventKind::LearnerErased => !kept,
        EventKind::LearnerIdentityErased => identity,
        _ => false,
    }
}
