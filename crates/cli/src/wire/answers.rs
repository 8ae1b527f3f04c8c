//! What the service answers: receipts, records, balances, statements, accounts.
//!
//! Apart from what is sent because nothing here is ever read from a file, and every key is always there.

use std::collections::BTreeMap;
use std::fmt;

use api::v1;
use serde::{Deserialize, Serialize};

use super::submitted::{
    Achievement, LearnerReference, Level, Profile, RecordName, StudentNumber, Text,
};
use super::{FromWire, answer};

/// The word of an enumeration's value: its proto name without the prefix, in lower case.
pub(crate) fn word(name: &str, prefix: &str) -> String {
    name.strip_prefix(prefix)
        .filter(|rest| *rest != "UNSPECIFIED")
        .unwrap_or_default()
        .to_ascii_lowercase()
}

/// An institution's state, in lower case.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct StateWord(String);

impl StateWord {
    /// The word of a proto name.
    pub(super) fn of(name: &str, prefix: &str) -> Self {
        Self(word(name, prefix))
    }
}

/// Enumerations that are only shown, each as its word.
macro_rules! words {
    ($($(#[$meta:meta])* $name:ident = $wire:ident $prefix:literal;)*) => { $(
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, Eq, Serialize)]
        #[serde(transparent)]
        pub(crate) struct $name(String);

        impl FromWire<i32> for $name {
            fn from_wire(wire: i32) -> Self {
                let name = v1::$wire::try_from(wire).map_or("", |value| value.as_str_name());
                Self(word(name, $prefix))
            }
        }

        /// For people, with spaces.
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0.replace('_', " "))
            }
        }
    )* };
}

words! {
    /// The state of a record.
    RecordWord = RecordState "RECORD_STATE_";
    /// Why an account may be meant.
    CandidateWord = CandidateReason "CANDIDATE_REASON_";
    /// The kind of a statement's entry.
    EntryWord = EntryKind "ENTRY_KIND_";
}

impl fmt::Display for StateWord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Bytes in lower-case hexadecimal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub(crate) struct Hex(String);

impl FromWire<Vec<u8>> for Hex {
    fn from_wire(wire: Vec<u8>) -> Self {
        Self(wire.iter().map(|byte| format!("{byte:02x}")).collect())
    }
}

impl Hex {
    /// All digits.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// A time in RFC 3339.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub(crate) struct Time(Option<String>);

impl<T: fmt::Display> FromWire<Option<T>> for Time {
    fn from_wire(wire: Option<T>) -> Self {
        Self(wire.map(|time| time.to_string()))
    }
}

impl Time {
    /// All of it; empty when absent.
    pub(crate) fn as_str(&self) -> &str {
        self.0.as_deref().unwrap_or_default()
    }

    /// Day and minute, for people.
    pub(crate) fn minute(&self) -> String {
        self.as_str()
            .get(..16)
            .unwrap_or_default()
            .replacen('T', " ", 1)
    }
}

answer! {
    /// What a submitter keeps.
    Receipt = Receipt { position: u64, leaf: Hex, chain_hash: Hex, recorded_time: Time }
}

answer! {
    /// The head of the ledger.
    Head = GetHeadResponse { size: u64, chain_hash: Hex, ledger_id: Hex }
}

answer! {
    /// One version of a record.
    Version = RecordVersion {
        receipt: Option<Receipt>,
        achievement: Option<Achievement>,
        reason: String,
        signed: bool,
    }
}

answer! {
    /// A record with its versions.
    Record = Record {
        name: Option<RecordName>,
        state: RecordWord,
        learner_handle: String,
        versions: Vec<Version>,
        state_reason: String,
        as_of_size: u64,
    }
}

/// Why a record was rejected.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct OutcomeError {
    /// Stable reason.
    pub(crate) reason: String,
    /// A sentence.
    pub(crate) message: String,
    /// Path of the field; empty when it is not about one.
    pub(crate) field: String,
    /// Details.
    pub(crate) metadata: BTreeMap<String, String>,
}

impl FromWire<v1::RecordError> for OutcomeError {
    fn from_wire(wire: v1::RecordError) -> Self {
        Self {
            reason: wire.reason,
            message: wire.message,
            field: wire.field,
            metadata: wire.metadata.into_iter().collect(),
        }
    }
}

answer! {
    /// One sum of a balance.
    BalanceLine = BalanceLine {
        unit: String,
        level: Option<Level>,
        field: String,
        state: RecordWord,
        achievement_count: u64,
        amount: String,
    }
}

answer! {
    /// What is held in one unit.
    UnitTotal = UnitTotal { unit: String, amount: String, achievement_count: u64 }
}

answer! {
    /// A balance.
    Balance = GetBalanceResponse {
        learner_handle: String,
        revision: u64,
        totals: Vec<UnitTotal>,
        lines: Vec<BalanceLine>,
        as_of_size: u64,
        as_of_date: String,
        provisional: bool,
    }
}

answer! {
    /// One entry of a statement.
    Entry = StatementEntry {
        position: u64,
        recorded_time: Time,
        kind: EntryWord,
        name: Option<RecordName>,
        code: String,
        titles: Vec<Text>,
        awarded: String,
        unit: String,
        amount_in: String,
        amount_out: String,
        balance: String,
        note: String,
        signed: bool,
    }
}

answer! {
    /// A statement, or a page of one.
    Statement = GetStatementResponse {
        learner_handle: String,
        entries: Vec<Entry>,
        as_of_size: u64,
    }
}

answer! {
    /// What a change to an account left behind.
    AccountChange = AccountChange {
        learner_handle: String,
        receipts: Vec<Receipt>,
        revision: u64,
        already_so: bool,
    }
}

answer! {
    /// A learner.
    Learner = GetLearnerResponse {
        learner_handle: String,
        revision: u64,
        profile: Option<Profile>,
        provisional: bool,
        students: Vec<StudentNumber>,
        as_of_size: u64,
    }
}

answer! {
    /// A provisional account.
    Pending = PendingLearner {
        learner_handle: String,
        reference: Option<LearnerReference>,
        reason: String,
        institution_id: String,
        recorded_time: Time,
        record_count: u64,
        candidates: Vec<Candidate>,
    }
}

answer! {
    /// An account that a pending reference may mean.
    Candidate = BindingCandidate {
        learner_handle: String,
        reason: CandidateWord,
        differing: Vec<String>,
        student: Option<StudentNumber>,
    }
}
