//! What an achievement in an account is: its versions, where it stands, and the states that it can have.
//!
//! Apart from the rules of counting so that the words can be read without them.

use std::sync::Arc;

use crate::ids::{Handle, Key, Position, Timestamp};
use crate::signature::IssuerSignature;
use crate::words::{Achievement, RecordName};

/// An achievement as an account has it.
#[derive(Debug, Clone)]
pub struct Holding {
    pub(super) name: Option<RecordName>,
    pub(super) chain: Handle,
    /// When it came to that chain: of two equal results the one that came first counts.
    pub(super) arrived: Position,
    pub(super) versions: Vec<Version>,
    pub(super) standing: HoldingStanding,
    pub(super) reason: String,
    // What follows is derived in `counting`.
    /// Whether it is with the account.
    pub(super) attached: bool,
    /// The result it claims while attached.
    pub(super) result: Option<Key>,
    /// Whether something that it is part of stands for it.
    pub(super) covered: bool,
    /// The content that counts until it expires; `None` when it does not count.
    pub(super) counted: Option<Arc<Achievement>>,
}

/// A version of an achievement's content.
#[derive(Debug, Clone)]
pub struct Version {
    /// Where it was recorded.
    pub position: Position,
    /// When.
    pub recorded_at: Timestamp,
    /// The content; `None` when it has been erased.
    pub achievement: Option<Arc<Achievement>>,
    /// Its issuer's signature, when it came with one; `None` too when it has been erased.
    pub signature: Option<Arc<IssuerSignature>>,
    /// Why it replaced the one before; empty for the first.
    pub reason: String,
    /// The chain on which its event lies, which says what erases it.
    pub(super) chain: Handle,
}

/// Where a holding stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HoldingStanding {
    /// In force.
    InForce,
    /// Suspended, since here.
    Suspended(Position),
    /// Revoked for good, here.
    Revoked(Position),
    /// Reassigned to another learner.
    MovedAway(Handle),
}

/// The state of a holding, or of an earlier version, on a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum HoldingState {
    /// Counts.
    Recorded,
    /// The account is bound to no person.
    Pending,
    /// Suspended.
    Suspended,
    /// Revoked.
    Revoked,
    /// After its last day of validity.
    Expired,
    /// An earlier version.
    Superseded,
    /// The same result is held under another record that came earlier.
    Duplicate,
    /// Its content has been erased.
    Erased,
    /// Stands on something else: transferred, exempted, or part of what counts as a whole.
    NoDeposit,
}

impl Holding {
    /// A holding of which nothing is known yet.
    pub(super) fn new(name: Option<RecordName>, chain: Handle, arrived: Position) -> Holding {
        Holding {
            name,
            chain,
            arrived,
            versions: Vec::new(),
            standing: HoldingStanding::InForce,
            reason: String::new(),
            attached: false,
            result: None,
            covered: false,
            counted: None,
        }
    }

    /// Its issuer and record id; `None` when erased.
    #[must_use]
    pub fn name(&self) -> Option<&RecordName> {
        self.name.as_ref()
    }

    /// On whose chain it lies.
    #[must_use]
    pub fn chain(&self) -> Handle {
        self.chain
    }

    /// Its versions since it came to that chain, oldest first.
    #[must_use]
    pub fn versions(&self) -> &[Version] {
        &self.versions
    }

    /// Its content as it stands; `None` when any of it has been erased.
    #[must_use]
    pub fn achievement(&self) -> Option<&Arc<Achievement>> {
        if self.is_erased() {
            return None;
        }
        self.versions
            .last()
            .and_then(|version| version.achievement.as_ref())
    }

    /// Whether its content as it stands carries its issuer's signature.
    #[must_use]
    pub fn is_signed(&self) -> bool {
        let last = self.versions.last();
        !self.is_erased() && last.is_some_and(|version| version.signature.is_some())
    }

    /// Where it stands.
    #[must_use]
    pub fn standing(&self) -> HoldingStanding {
        self.standing
    }

    /// The reason given when its standing or content last changed.
    #[must_use]
    pub fn reason(&self) -> &str {
        &self.reason
    }

    /// Whether any version has been erased.
    #[must_use]
    pub fn is_erased(&self) -> bool {
        self.versions
            .iter()
            .any(|version| version.achievement.is_none())
    }
}
