//! Commands: requests to change the state, already parsed, with everything random drawn beforehand.

use std::sync::Arc;

use crate::event::LedgerOpened;
use crate::ids::{Handle, InstitutionId, Key, Position, Revision};
use crate::signature::IssuerSignature;
use crate::words::{
    Achievement, CodeList, Course, CreditUnit, Delegation, Framework, InstitutionKey,
    InstitutionProfile, IntakeWindow, LearnerProfile, LearnerReference, PendingReason, RecordName,
    StudentNumber,
};

/// Who acts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Actor {
    /// The operator of the credit bank.
    Operator,
    /// An institution.
    Institution(InstitutionId),
}

impl Actor {
    /// The institution; the operator's id is empty.
    #[must_use]
    pub fn institution(&self) -> InstitutionId {
        match self {
            Self::Operator => InstitutionId::operator(),
            Self::Institution(id) => id.clone(),
        }
    }
}

/// A request to change the state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// Who acts.
    pub actor: Actor,
    /// What is asked.
    pub action: Action,
}

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Begin the ledger; only on an empty one.
    OpenLedger(LedgerOpened),
    /// Register an institution.
    RegisterInstitution(InstitutionProfile),
    /// Replace an institution's description.
    UpdateInstitution(InstitutionProfile),
    /// Suspend an institution.
    SuspendInstitution {
        /// Which.
        institution: InstitutionId,
        /// Why.
        reason: String,
    },
    /// Reinstate an institution.
    ReinstateInstitution {
        /// Which.
        institution: InstitutionId,
        /// Why.
        reason: String,
    },
    /// Close an institution.
    CloseInstitution {
        /// Which.
        institution: InstitutionId,
        /// Why.
        reason: String,
        /// Who acts for its records.
        successor: Option<InstitutionId>,
    },
    /// Let another institution submit.
    Delegate {
        /// For whom.
        issuer: InstitutionId,
        /// To whom, when.
        delegation: Delegation,
    },
    /// Register a key with which an institution signs.
    AddInstitutionKey {
        /// Whose.
        issuer: InstitutionId,
        /// The key.
        key: InstitutionKey,
    },
    /// End a key for good.
    RevokeInstitutionKey {
        /// Whose.
        issuer: InstitutionId,
        /// Which.
        key_id: String,
        /// Why.
        reason: String,
    },
    /// Publish a framework.
    PublishFramework(Framework),
    /// Publish a unit.
    PublishCreditUnit(CreditUnit),
    /// Publish codes.
    PublishCodeList(CodeList),
    /// Publish a course.
    PublishCourse {
        /// Whose.
        issuer: InstitutionId,
        /// The course.
        course: Course,
    },
    /// Publish an intake window.
    PublishIntakeWindow(IntakeWindow),
    /// Open an account and link student numbers.
    RegisterLearner {
        /// The handle drawn for it.
        fresh: Handle,
        /// Attributes.
        profile: LearnerProfile,
        /// Student numbers to link.
        students: Vec<StudentNumber>,
        /// Makes it idempotent; empty without one.
        request_id: String,
    },
    /// Replace a learner's attributes.
    UpdateLearner {
        /// Whose.
        learner: LearnerReference,
        /// The attributes.
        profile: LearnerProfile,
        /// The revision that the caller saw.
        expected: Option<Revision>,
    },
    /// Link a student number; binds a provisional account that waits under it.
    LinkIdentity {
        /// Whose.
        learner: LearnerReference,
        /// The number.
        student: StudentNumber,
    },
    /// Unlink a student number.
    UnlinkIdentity {
        /// The number.
        student: StudentNumber,
    },
    /// Close an account into another.
    MergeLearners {
        /// The one to close.
        from: Handle,
        /// The one that takes it in.
        into: Handle,
        /// Why.
        reason: String,
        /// The revision of `into` that the caller saw.
        expected: Option<Revision>,
    },
    /// Give a merged account back.
    SeparateLearners {
        /// The one that was closed.
        from: Handle,
        /// Why.
        reason: String,
    },
    /// Erase everything of a learner.
    EraseLearner {
        /// Whose.
        learner: Handle,
        /// Keys of the record ids that the account holds, sorted: drawn from its history.
        suppressed: Vec<Key>,
        /// The revision up to which that history was read.
        expected: Revision,
    },
    /// Erase a learner's identity.
    EraseIdentity {
        /// Whose.
        learner: Handle,
        /// The revision up to which the history was read.
        expected: Revision,
    },
    /// Record an achievement.
    Submit {
        /// Whose record.
        issuer: InstitutionId,
        /// About whom.
        learner: LearnerReference,
        /// What.
        achievement: Arc<Achievement>,
        /// The issuer's signature of it.
        signature: Option<Arc<IssuerSignature>>,
        /// The handle drawn in case that an account must be opened.
        fresh: Handle,
        /// Attributes of the learner, to register and link the student number in the same block when it
        /// is bound to no person yet; only with a student number.
        register: Option<LearnerProfile>,
    },
    /// Replace a record's content.
    Supersede {
        /// Whose record.
        issuer: InstitutionId,
        /// About whom: must name the learner it is with.
        learner: Option<LearnerReference>,
        /// The new content.
        achievement: Arc<Achievement>,
        /// The issuer's signature of it.
        signature: Option<Arc<IssuerSignature>>,
        /// Why.
        reason: String,
        /// The learner's revision that the caller saw.
        expected: Option<Revision>,
    },
    /// Suspend a record.
    Suspend {
        /// Which.
        name: RecordName,
        /// Why.
        reason: String,
    },
    /// Reinstate a record.
    Reinstate {
        /// Which.
        name: RecordName,
        /// Why.
        reason: String,
    },
    /// Revoke a record.
    Revoke {
        /// Which.
        name: RecordName,
        /// Why.
        reason: String,
    },
    /// Move a record to another learner.
    Reassign {
        /// Which.
        name: RecordName,
        /// Its content as it stands, read from the ledger by the caller.
        achievement: Arc<Achievement>,
        /// That content's signature, read with it.
        signature: Option<Arc<IssuerSignature>>,
        /// To whom.
        to: LearnerReference,
        /// Why.
        reason: String,
        /// The revision of the learner it leaves that the caller saw.
        expected: Option<Revision>,
    },
}

impl Action {
    /// The issuer's signature that it brings, and whose it should be: to check it before the ledger decides.
    #[must_use]
    pub fn signature(&self) -> Option<(&InstitutionId, &IssuerSignature)> {
        let (issuer, signature) = match self {
            Action::Submit {
                issuer, signature, ..
            }
            | Action::Supersede {
                issuer, signature, ..
            } => (issuer, signature),
            Action::Reassign {
                name, signature, ..
            } => (&name.issuer, signature),
            _ => return None,
        };
        Some((issuer, signature.as_deref()?))
    }
}

/// What the ledger decides on a command: the events to append, or that it was so already.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// Events to append, in one block, in order, with their bodies and keys; the last is the one whose
    /// receipt answers.
    pub events: Vec<crate::Keyed>,
    /// Set when what was asked for was recorded before: where. Nothing is to be appended then, unless the
    /// learner of a repeated record is registered on the way.
    pub already: Option<Position>,
    /// The learner concerned, as resolved.
    pub learner: Option<Handle>,
    /// Set when the record goes to a provisional account.
    pub pending: Option<PendingReason>,
}
