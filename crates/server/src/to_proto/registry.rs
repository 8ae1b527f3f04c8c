//! Institutions and the published vocabulary.

use ledger::InstitutionId;
use ledger::registry::{Codes, Institution, InstitutionStanding, Published, RegisteredKey};
use ledger::words::{Course, CreditUnit, Framework, IntakeWindow, Scope, UnitKind};

use super::{level, size, span, texts};
use api::v1;

/// An institution as it stands.
#[must_use]
pub fn institution(institution: &Institution) -> v1::Institution {
    let profile = &institution.profile;
    let (state, successor) = match &institution.standing {
        InstitutionStanding::Active => (v1::InstitutionState::Active, None),
        InstitutionStanding::Suspended => (v1::InstitutionState::Suspended, None),
        InstitutionStanding::Closed { successor } => {
            (v1::InstitutionState::Closed, successor.as_ref())
        }
    };
    let delegations = institution
        .delegations
        .iter()
        .map(|(delegate, during)| v1::Delegation {
            delegate_id: delegate.as_str().to_owned(),
            during: span(&during.value),
        });
    v1::Institution {
        institution_id: profile.id.as_str().to_owned(),
        names: texts(&profile.names),
        kind: profile.kind.clone(),
        region: profile.region.clone(),
        parent_id: id(profile.parent.as_ref()),
        scopes: profile.scopes.iter().map(scope).collect(),
        state: state.into(),
        successor_id: id(successor),
        delegations: delegations.collect(),
        signatures_required: profile.signatures_required,
        keys: institution.keys.values().map(key).collect(),
    }
}

fn key(registered: &RegisteredKey) -> v1::InstitutionKey {
    let key = &registered.key.value;
    let revoked = registered.revoked.as_ref();
    v1::InstitutionKey {
        key_id: key.key_id.clone(),
        public_key: key.public_key.to_vec(),
        during: span(&key.during),
        revoked: revoked.is_some(),
        revoked_reason: revoked.map_or_else(String::new, |end| end.value.clone()),
    }
}

/// A framework.
#[must_use]
pub fn framework(framework: &Framework) -> v1::Framework {
    v1::Framework {
        code: framework.code.clone(),
        title: framework.title.clone(),
        levels: framework.levels.clone(),
        source: framework.source.clone(),
    }
}

/// A credit unit.
#[must_use]
pub fn credit_unit(unit: &CreditUnit) -> v1::CreditUnit {
    let kind = match unit.kind {
        UnitKind::Credits => v1::UnitKind::Credits,
        UnitKind::Hours => v1::UnitKind::Hours,
        UnitKind::Points => v1::UnitKind::Points,
    };
    v1::CreditUnit {
        code: unit.code.clone(),
        title: unit.title.clone(),
        kind: kind.into(),
        source: unit.source.clone(),
    }
}

/// A code list, by code.
#[must_use]
pub fn code_list(code: &str, codes: &Codes) -> v1::CodeList {
    v1::CodeList {
        code: code.to_owned(),
        title: codes.title.clone(),
        entries: Vec::new(),
        source: codes.source.clone(),
    }
}

/// An entry of a code list.
#[must_use]
pub fn code_entry(code: &str, label: &Published<String>) -> v1::CodeEntry {
    v1::CodeEntry {
        code: code.to_owned(),
        label: label.value.clone(),
    }
}

/// A course of that institution.
#[must_use]
pub fn course(institution: &InstitutionId, course: &Course) -> v1::Course {
    v1::Course {
        institution_id: institution.as_str().to_owned(),
        code: course.code.clone(),
        titles: texts(&course.titles),
        size: course.size.as_ref().map(size),
        level: course.level.as_ref().map(level),
        field: course.field.clone(),
    }
}

/// An intake window.
#[must_use]
pub fn window(window: &IntakeWindow) -> v1::IntakeWindow {
    let ids = window.institutions.iter().map(|id| id.as_str().to_owned());
    v1::IntakeWindow {
        window_id: window.id.clone(),
        institution_ids: ids.collect(),
        awarded: span(&window.awarded),
        intake: span(&window.intake),
    }
}

fn scope(scope: &Scope) -> v1::Scope {
    v1::Scope {
        types: scope.types.clone(),
        code_prefixes: scope.code_prefixes.clone(),
        fields: scope.fields.clone(),
        source_kinds: scope.source_kinds.clone(),
        level_max: scope.level_max.as_ref().map(level),
        awarded: span(&scope.awarded),
    }
}

fn id(id: Option<&InstitutionId>) -> String {
    id.map_or_else(String::new, |id| id.as_str().to_owned())
}
