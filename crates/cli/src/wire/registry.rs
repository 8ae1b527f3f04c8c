//! What the operator publishes: institutions, delegations, courses and intake windows, as TOML tables.
//!
//! Apart from what institutions send because these are files that a person writes by hand.

use api::v1;
use serde::{Deserialize, Serialize};

use super::answers::StateWord;
use super::submitted::{HexBytes, Level, Size, Text};
use super::{FromWire, ToWire, mirror};

mirror! {
    /// A span of days.
    Span = Span { from: String, until: String }
}

mirror! {
    /// What an institution may issue.
    Scope = Scope {
        types: Vec<String>,
        code_prefixes: Vec<String>,
        fields: Vec<String>,
        source_kinds: Vec<String>,
        level_max: Option<Level>,
        awarded: Option<Span>,
    }
}

mirror! {
    /// A delegation as an institution shows it.
    Delegate = Delegation { delegate_id: String, during: Option<Span> }
}

mirror! {
    /// A key as an institution shows it.
    InstitutionKey = InstitutionKey {
        key_id: String,
        public_key: HexBytes,
        during: Option<Span>,
        revoked: bool,
        revoked_reason: String,
    }
}

mirror! {
    /// An institution; state, successor, delegations and keys are never sent.
    Institution = Institution {
        institution_id: String,
        names: Vec<Text>,
        kind: String,
        region: String,
        parent_id: String,
        scopes: Vec<Scope>,
        state: StateWord,
        successor_id: String,
        delegations: Vec<Delegate>,
        signatures_required: bool,
        keys: Vec<InstitutionKey>,
    }
}

mirror! {
    /// A course of a catalogue.
    Course = Course {
        institution_id: String,
        code: String,
        titles: Vec<Text>,
        size: Option<Size>,
        level: Option<Level>,
        field: String,
    }
}

mirror! {
    /// An intake window.
    Window = IntakeWindow {
        window_id: String,
        institution_ids: Vec<String>,
        awarded: Option<Span>,
        intake: Option<Span>,
    }
}

/// A delegation as a file says it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Delegation {
    /// Who lets.
    pub(crate) issuer_id: String,
    /// Who may.
    pub(crate) delegate_id: String,
    /// First day; empty for ever.
    #[serde(default)]
    pub(crate) from: String,
    /// First day after; empty for ever.
    #[serde(default)]
    pub(crate) until: String,
}

impl ToWire<v1::DelegateInstitutionRequest> for Delegation {
    fn to_wire(self) -> v1::DelegateInstitutionRequest {
        let given = !self.from.is_empty() || !self.until.is_empty();
        let during = v1::Span {
            from: self.from,
            until: self.until,
        };
        v1::DelegateInstitutionRequest {
            issuer_id: self.issuer_id,
            delegation: Some(v1::Delegation {
                delegate_id: self.delegate_id,
                during: given.then_some(during),
            }),
        }
    }
}

/// A file of registry tables. Each of the sample's files holds some of them.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RegistryFile {
    /// `[[institution]]`.
    #[serde(default)]
    pub(crate) institution: Vec<Institution>,
    /// `[[delegation]]`.
    #[serde(default)]
    pub(crate) delegation: Vec<Delegation>,
    /// `[[course]]`.
    #[serde(default)]
    pub(crate) course: Vec<Course>,
    /// `[[window]]`.
    #[serde(default)]
    pub(crate) window: Vec<Window>,
}

impl Institution {
    /// As it is sent: without what only the service says.
    pub(crate) fn to_send(&self) -> v1::Institution {
        v1::Institution {
            state: 0,
            successor_id: String::new(),
            delegations: Vec::new(),
            keys: Vec::new(),
            ..self.clone().to_wire()
        }
    }
}

impl FromWire<i32> for StateWord {
    fn from_wire(wire: i32) -> Self {
        let name = v1::InstitutionState::try_from(wire).map_or("", |state| state.as_str_name());
        Self::of(name, "INSTITUTION_STATE_")
    }
}

/// Never sent: what a file says of a state is not the file's to say.
impl ToWire<i32> for StateWord {
    fn to_wire(self) -> i32 {
        0
    }
}
