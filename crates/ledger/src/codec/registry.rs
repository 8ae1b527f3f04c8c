//! The ledger's beginning, institutions and the published vocabulary, to and from their messages.
//!
//! Apart from the other nouns because nothing here is about a learner.

use super::CodecError;
use super::achievement::{level, read_level, read_size, read_texts, size, texts};
use super::fields::{date, read_institution_id, read_optional_date, read_optional_institution_id};
use crate::event::{InstitutionStatus, KeyRevocation, LedgerOpened};
use crate::generated as wire;
use crate::ids::InstitutionId;
use crate::words::{
    CodeList, Course, CreditUnit, Delegation, Framework, InstitutionKey, InstitutionProfile,
    IntakeWindow, Scope, Span, UnitKind,
};

pub(super) fn opened(opened: &LedgerOpened) -> wire::LedgerOpened {
    wire::LedgerOpened {
        ledger_id: opened.ledger_id.to_vec(),
        format_version: opened.format_version,
        rules_version: opened.rules_version,
        suppression_key: opened.suppression_key.to_vec(),
    }
}

pub(super) fn read_opened(body: wire::LedgerOpened) -> Result<LedgerOpened, CodecError> {
    let wrong = |field| CodecError::Length { field };
    Ok(LedgerOpened {
        ledger_id: body.ledger_id.try_into().map_err(|_| wrong("ledger_id"))?,
        format_version: body.format_version,
        rules_version: body.rules_version,
        suppression_key: body
            .suppression_key
            .try_into()
            .map_err(|_| wrong("suppression_key"))?,
    })
}

pub(super) fn institution(profile: &InstitutionProfile) -> wire::InstitutionProfile {
    wire::InstitutionProfile {
        institution_id: profile.id.as_str().to_owned(),
        names: texts(&profile.names),
        kind: profile.kind.clone(),
        region: profile.region.clone(),
        parent_id: optional_id(profile.parent.as_ref()),
        scopes: profile.scopes.iter().map(scope).collect(),
        signatures_required: profile.signatures_required,
    }
}

pub(super) fn read_institution(
    body: wire::InstitutionProfile,
) -> Result<InstitutionProfile, CodecError> {
    Ok(InstitutionProfile {
        id: read_institution_id("institution_id", &body.institution_id)?,
        names: read_texts(body.names),
        kind: body.kind,
        region: body.region,
        parent: read_optional_institution_id("parent_id", &body.parent_id)?,
        scopes: body
            .scopes
            .into_iter()
            .map(read_scope)
            .collect::<Result<_, _>>()?,
        signatures_required: body.signatures_required,
    })
}

pub(super) fn status(status: &InstitutionStatus) -> wire::InstitutionStatus {
    wire::InstitutionStatus {
        institution_id: status.institution.as_str().to_owned(),
        reason: status.reason.clone(),
        successor_id: optional_id(status.successor.as_ref()),
    }
}

pub(super) fn read_status(body: wire::InstitutionStatus) -> Result<InstitutionStatus, CodecError> {
    Ok(InstitutionStatus {
        institution: read_institution_id("institution_id", &body.institution_id)?,
        reason: body.reason,
        successor: read_optional_institution_id("successor_id", &body.successor_id)?,
    })
}

/// A suspension or a reinstatement: only who closes has a successor.
pub(super) fn read_standing(
    body: wire::InstitutionStatus,
) -> Result<InstitutionStatus, CodecError> {
    let status = read_status(body)?;
    if status.successor.is_some() {
        return Err(CodecError::Misplaced {
            field: "successor_id",
        });
    }
    Ok(status)
}

pub(super) fn delegation(delegation: &Delegation) -> wire::Delegation {
    wire::Delegation {
        delegate_id: delegation.delegate.as_str().to_owned(),
        during: span(&delegation.during),
    }
}

pub(super) fn read_delegation(body: wire::Delegation) -> Result<Delegation, CodecError> {
    let delegate = read_institution_id("delegate_id", &body.delegate_id)?;
    Ok(Delegation {
        delegate,
        during: read_span("during", body.during)?,
    })
}

pub(super) fn framework(framework: &Framework) -> wire::Framework {
    wire::Framework {
        code: framework.code.clone(),
        title: framework.title.clone(),
        levels: framework.levels.clone(),
        source: framework.source.clone(),
    }
}

pub(super) fn read_framework(body: wire::Framework) -> Framework {
    Framework {
        code: body.code,
        title: body.title,
        levels: body.levels,
        source: body.source,
    }
}

pub(super) fn credit_unit(unit: &CreditUnit) -> wire::CreditUnit {
    let kind = match unit.kind {
        UnitKind::Credits => wire::UnitKind::Credits,
        UnitKind::Hours => wire::UnitKind::Hours,
        UnitKind::Points => wire::UnitKind::Points,
    };
    wire::CreditUnit {
        code: unit.code.clone(),
        title: unit.title.clone(),
        kind: kind.into(),
        source: unit.source.clone(),
    }
}

pub(super) fn read_credit_unit(body: wire::CreditUnit) -> Result<CreditUnit, CodecError> {
    let kind = match wire::UnitKind::try_from(body.kind) {
        Ok(wire::UnitKind::Credits) => UnitKind::Credits,
        Ok(wire::UnitKind::Hours) => UnitKind::Hours,
        Ok(wire::UnitKind::Points) => UnitKind::Points,
        Ok(wire::UnitKind::Unspecified) | Err(_) => {
            return Err(CodecError::Unspecified { field: "kind" });
        }
    };
    Ok(CreditUnit {
        code: body.code,
        title: body.title,
        kind,
        source: body.source,
    })
}

pub(super) fn code_list(list: &CodeList) -> wire::CodeList {
    let entry = |(code, label): &(String, String)| wire::CodeEntry {
        code: code.clone(),
        label: label.clone(),
    };
    wire::CodeList {
        code: list.code.clone(),
        title: list.title.clone(),
        entries: list.entries.iter().map(entry).collect(),
        source: list.source.clone(),
    }
}

pub(super) fn read_code_list(body: wire::CodeList) -> CodeList {
    let entries = body
        .entries
        .into_iter()
        .map(|entry| (entry.code, entry.label))
        .collect();
    CodeList {
        code: body.code,
        title: body.title,
        entries,
        source: body.source,
    }
}

pub(super) fn course(course: &Course) -> wire::Course {
    wire::Course {
        code: course.code.clone(),
        titles: texts(&course.titles),
        size: course.size.as_ref().map(size),
        level: course.level.as_ref().map(level),
        field: course.field.clone(),
    }
}

pub(super) fn read_course(body: wire::Course) -> Result<Course, CodecError> {
    Ok(Course {
        code: body.code,
        titles: read_texts(body.titles),
        size: body.size.map(read_size).transpose()?,
        level: body.level.map(read_level),
        field: body.field,
    })
}

pub(super) fn window(window: &IntakeWindow) -> wire::IntakeWindow {
    wire::IntakeWindow {
        window_id: window.id.clone(),
        institution_ids: window
            .institutions
            .iter()
            .map(|id| id.as_str().to_owned())
            .collect(),
        awarded: span(&window.awarded),
        intake: span(&window.intake),
    }
}

pub(super) fn read_window(body: wire::IntakeWindow) -> Result<IntakeWindow, CodecError> {
    let institution = |id: &String| read_institution_id("institution_ids", id);
    Ok(IntakeWindow {
        id: body.window_id,
        institutions: body
            .institution_ids
            .iter()
            .map(institution)
            .collect::<Result<_, _>>()?,
        awarded: read_span("awarded", body.awarded)?,
        intake: read_span("intake", body.intake)?,
    })
}

pub(super) fn key(key: &InstitutionKey) -> wire::InstitutionKey {
    wire::InstitutionKey {
        key_id: key.key_id.clone(),
        public_key: key.public_key.to_vec(),
        during: span(&key.during),
    }
}

pub(super) fn read_key(body: wire::InstitutionKey) -> Result<InstitutionKey, CodecError> {
    let public_key = body.public_key.try_into();
    Ok(InstitutionKey {
        key_id: body.key_id,
        public_key: public_key.map_err(|_| CodecError::Length {
            field: "public_key",
        })?,
        during: read_span("during", body.during)?,
    })
}

pub(super) fn key_revocation(ended: &KeyRevocation) -> wire::InstitutionKeyRevocation {
    wire::InstitutionKeyRevocation {
        key_id: ended.key_id.clone(),
        reason: ended.reason.clone(),
    }
}

pub(super) fn read_key_revocation(body: wire::InstitutionKeyRevocation) -> KeyRevocation {
    KeyRevocation {
        key_id: body.key_id,
        reason: body.reason,
    }
}

fn scope(scope: &Scope) -> wire::Scope {
    wire::Scope {
        types: scope.types.clone(),
        code_prefixes: scope.code_prefixes.clone(),
        fields: scope.fields.clone(),
        source_kinds: scope.source_kinds.clone(),
        level_max: scope.level_max.as_ref().map(level),
        awarded: span(&scope.awarded),
    }
}

fn read_scope(body: wire::Scope) -> Result<Scope, CodecError> {
    Ok(Scope {
        types: body.types,
        code_prefixes: body.code_prefixes,
        fields: body.fields,
        source_kinds: body.source_kinds,
        level_max: body.level_max.map(read_level),
        awarded: read_span("awarded", body.awarded)?,
    })
}

/// A span without bounds is left out, so that it has one encoding.
fn span(span: &Span) -> Option<wire::Span> {
    let bounded = span.from.is_some() || span.until.is_some();
    bounded.then(|| wire::Span {
        from: date(span.from),
        until: date(span.until),
    })
}

fn read_span(field: &'static str, body: Option<wire::Span>) -> Result<Span, CodecError> {
    let Some(body) = body else {
        return Ok(Span::default());
    };
    Ok(Span {
        from: read_optional_date(field, &body.from)?,
        until: read_optional_date(field, &body.until)?,
    })
}

fn optional_id(id: Option<&InstitutionId>) -> String {
    id.map_or_else(String::new, |id| id.as_str().to_owned())
}
