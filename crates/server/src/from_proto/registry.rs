//! Institutions and the published vocabulary.
//!
//! Apart from records because few callers publish and many submit.

use ledger::words::{
    CodeList, Course, CreditUnit, Delegation, Framework, InstitutionKey, InstitutionProfile,
    IntakeWindow, Scope, UnitKind,
};
use ledger::{Action, InstitutionId, Rejection, shape};

use api::v1;

use super::{
    At, Problems, id_or_acting, institution_id, level, optional_institution_id, required,
    shapeless, size, span, texts,
};

/// An institution's description; what is output only is not read.
///
/// # Errors
/// [`Rejection::Malformed`] with every field that cannot be read.
pub fn institution(wire: Option<v1::Institution>) -> Result<InstitutionProfile, Rejection> {
    let wire = required("institution", wire)?;
    let mut problems = Problems::default();
    let id = institution_id(
        &mut problems,
        At::field("institution_id"),
        &wire.institution_id,
    );
    let parent = optional_institution_id(&mut problems, At::field("parent_id"), &wire.parent_id);
    let mut scopes = Vec::with_capacity(wire.scopes.len());
    for (idx, wire) in wire.scopes.into_iter().enumerate() {
        scopes.push(scope(&mut problems, At::field("scopes").entry(idx), wire));
    }
    let (kind, region) = (wire.kind, wire.region);
    let profile = InstitutionProfile {
        id,
        names: texts(wire.names),
        kind,
        region,
        parent,
        scopes,
        signatures_required: wire.signatures_required,
    };
    problems.finish(profile, shape::institution)
}

/// A change of an institution's standing, and whose.
///
/// # Errors
/// [`Rejection::Malformed`] with every field that cannot be read.
pub fn institution_state(
    wire: v1::ChangeInstitutionStateRequest,
) -> Result<(InstitutionId, Action), Rejection> {
    let mut problems = Problems::default();
    let at = At::field("institution_id");
    if wire.institution_id.is_empty() {
        problems.say(at, "is required");
    }
    let institution = institution_id(&mut problems, at, &wire.institution_id);
    let id = institution.clone();
    let at = At::field("successor_id");
    let successor = optional_institution_id(&mut problems, at, &wire.successor_id);
    let reason = wire.reason;
    let state = v1::InstitutionState::try_from(wire.state);
    if successor.is_some() && state != Ok(v1::InstitutionState::Closed) {
        problems.say(at, "belongs to INSTITUTION_STATE_CLOSED only");
    }
    let action = match state {
        Ok(v1::InstitutionState::Active) => Action::ReinstateInstitution {
            institution,
            reason,
        },
        Ok(v1::InstitutionState::Closed) => Action::CloseInstitution {
            institution,
            reason,
            successor,
        },
        Ok(v1::InstitutionState::Suspended) => Action::SuspendInstitution {
            institution,
            reason,
        },
        Ok(v1::InstitutionState::Unspecified) | Err(_) => {
            let problem = "is required: INSTITUTION_STATE_ACTIVE, _SUSPENDED or _CLOSED";
            problems.say(At::field("state"), problem);
            Action::SuspendInstitution {
                institution,
                reason,
            }
        }
    };
    problems.finish((id, action), shapeless)
}

/// An institution by id; empty means the acting one. The operator must name one.
///
/// # Errors
/// [`Rejection::Malformed`] when it is no id, or none.
pub fn institution_or_acting(
    field: &str,
    text: &str,
    acting: &InstitutionId,
) -> Result<InstitutionId, Rejection> {
    let mut problems = Problems::default();
    let id = id_or_acting(&mut problems, At::field(field), text, acting);
    if id.is_operator() {
        problems.say(At::field(field), "is required");
    }
    problems.finish(id, shapeless)
}

/// An institution by id; empty means none.
///
/// # Errors
/// [`Rejection::Malformed`] when it is no id.
pub fn optional_institution(field: &str, text: &str) -> Result<Option<InstitutionId>, Rejection> {
    let mut problems = Problems::default();
    let id = optional_institution_id(&mut problems, At::field(field), text);
    problems.finish(id, shapeless)
}

/// A delegation, and who delegates.
///
/// # Errors
/// [`Rejection::Malformed`] with every field that cannot be read.
pub fn delegation(
    wire: v1::DelegateInstitutionRequest,
    acting: &InstitutionId,
) -> Result<(InstitutionId, Delegation), Rejection> {
    let mut problems = Problems::default();
    let issuer = id_or_acting(
        &mut problems,
        At::field("issuer_id"),
        &wire.issuer_id,
        acting,
    );
    if issuer.is_operator() {
        problems.say(At::field("issuer_id"), "is required");
    }
    let wire = required("delegation", wire.delegation)?;
    let at = At::field("delegate_id");
    let delegate = institution_id(&mut problems, at, &wire.delegate_id);
    let during = span(&mut problems, At::field("during"), wire.during);
    let delegation = Delegation { delegate, during };
    problems.finish((issuer, delegation), |(_, delegation)| {
        shape::delegation(delegation)
    })
}

/// A key, and whose it is; what is output only is not read.
///
/// # Errors
/// [`Rejection::Malformed`] with every field that cannot be read.
pub fn institution_key(
    wire: v1::AddInstitutionKeyRequest,
    acting: &InstitutionId,
) -> Result<(InstitutionId, InstitutionKey), Rejection> {
    let mut problems = Problems::default();
    let at = At::field("institution_id");
    let issuer = id_or_acting(&mut problems, at, &wire.institution_id, acting);
    if issuer.is_operator() {
        problems.say(at, "is required");
    }
    let wire = required("key", wire.key)?;
    let at = At::field("key");
    let during = span(&mut problems, at.sub("during"), wire.during);
    let Ok(public_key) = <[u8; 32]>::try_from(wire.public_key.as_slice()) else {
        let len = wire.public_key.len();
        let problem = format!("is {len} bytes long; an Ed25519 public key has 32");
        problems.say(at.sub("public_key"), problem);
        return Err(Rejection::Malformed(problems.0));
    };
    let key = InstitutionKey {
        key_id: wire.key_id,
        public_key,
        during,
    };
    problems.finish((issuer, key), |(_, key)| shape::institution_key(key))
}

/// Which key of whom to end, and why.
///
/// # Errors
/// [`Rejection::Malformed`] with every field that cannot be read.
pub fn key_revocation(
    wire: v1::RevokeInstitutionKeyRequest,
    acting: &InstitutionId,
) -> Result<(InstitutionId, Action), Rejection> {
    let mut problems = Problems::default();
    let at = At::field("institution_id");
    let issuer = id_or_acting(&mut problems, at, &wire.institution_id, acting);
    if issuer.is_operator() {
        problems.say(at, "is required");
    }
    problems
        .0
        .extend(shape::key_revocation(&wire.key_id, &wire.reason));
    let action = Action::RevokeInstitutionKey {
        issuer: issuer.clone(),
        key_id: wire.key_id,
        reason: wire.reason,
    };
    problems.finish((issuer, action), shapeless)
}

/// A framework.
///
/// # Errors
/// [`Rejection::Malformed`] when it is missing.
pub fn framework(wire: Option<v1::Framework>) -> Result<Framework, Rejection> {
    let v1::Framework {
        code,
        title,
        levels,
        source,
    } = required("framework", wire)?;
    Ok(Framework {
        code,
        title,
        levels,
        source,
    })
}

/// A credit unit.
///
/// # Errors
/// [`Rejection::Malformed`] with every field that cannot be read.
pub fn credit_unit(wire: Option<v1::CreditUnit>) -> Result<CreditUnit, Rejection> {
    let wire = required("unit", wire)?;
    let mut problems = Problems::default();
    let kind = match v1::UnitKind::try_from(wire.kind) {
        Ok(v1::UnitKind::Credits) => UnitKind::Credits,
        Ok(v1::UnitKind::Hours) => UnitKind::Hours,
        Ok(v1::UnitKind::Points) => UnitKind::Points,
        Ok(v1::UnitKind::Unspecified) | Err(_) => {
            let problem = "is required: UNIT_KIND_CREDITS, UNIT_KIND_HOURS or UNIT_KIND_POINTS";
            problems.say(At::field("kind"), problem);
            UnitKind::Credits
        }
    };
    let unit = CreditUnit {
        code: wire.code,
        title: wire.title,
        kind,
        source: wire.source,
    };
    problems.finish(unit, shape::credit_unit)
}

/// Codes to publish.
///
/// # Errors
/// [`Rejection::Malformed`] when they are missing.
pub fn code_list(wire: Option<v1::CodeList>) -> Result<CodeList, Rejection> {
    let v1::CodeList {
        code,
        title,
        entries,
        source,
    } = required("code_list", wire)?;
    let entries = entries
        .into_iter()
        .map(|entry| (entry.code, entry.label))
        .collect();
    Ok(CodeList {
        code,
        title,
        entries,
        source,
    })
}

/// A course, and whose it is.
///
/// # Errors
/// [`Rejection::Malformed`] with every field that cannot be read.
pub fn course(
    wire: Option<v1::Course>,
    acting: &InstitutionId,
) -> Result<(InstitutionId, Course), Rejection> {
    let wire = required("course", wire)?;
    let mut problems = Problems::default();
    let at = At::field("institution_id");
    let issuer = id_or_acting(&mut problems, at, &wire.institution_id, acting);
    if issuer.is_operator() {
        problems.say(at, "is required");
    }
    let course = Course {
        code: wire.code,
        titles: texts(wire.titles),
        size: wire
            .size
            .map(|wire| size(&mut problems, At::field("size"), wire)),
        level: wire.level.map(level),
        field: wire.field,
    };
    problems.finish((issuer, course), |(_, course)| shape::course(course))
}

/// An intake window.
///
/// # Errors
/// [`Rejection::Malformed`] with every field that cannot be read.
pub fn window(wire: Option<v1::IntakeWindow>) -> Result<IntakeWindow, Rejection> {
    let wire = required("window", wire)?;
    let mut problems = Problems::default();
    let mut institutions = Vec::with_capacity(wire.institution_ids.len());
    for (idx, id) in wire.institution_ids.iter().enumerate() {
        let at = At::field("institution_ids").entry(idx);
        institutions.push(institution_id(&mut problems, at, id));
    }
    let awarded = span(&mut problems, At::field("awarded"), wire.awarded);
    let intake = span(&mut problems, At::field("intake"), wire.intake);
    let window = IntakeWindow {
        id: wire.window_id,
        institutions,
        awarded,
        intake,
    };
    problems.finish(window, shape::intake_window)
}

fn scope(problems: &mut Problems, at: At<'_>, wire: v1::Scope) -> Scope {
    Scope {
        types: wire.types,
        code_prefixes: wire.code_prefixes,
        fields: wire.fields,
        source_kinds: wire.source_kinds,
        level_max: wire.level_max.map(level),
        awarded: span(problems, at.sub("awarded"), wire.awarded),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields<T: std::fmt::Debug>(read: Result<T, Rejection>) -> Vec<String> {
        match read {
            Err(Rejection::Malformed(found)) => found.into_iter().map(|v| v.field).collect(),
            other => panic!("not malformed: {other:?}"),
        }
    }

    #[test]
    fn problems_of_an_institution_come_together() {
        let wire = v1::Institution {
            institution_id: "a b".to_owned(),
            scopes: vec![v1::Scope {
                awarded: Some(v1::Span {
                    from: "x".to_owned(),
                    until: String::new(),
                }),
                ..v1::Scope::default()
            }],
            ..v1::Institution::default()
        };
        let found = fields(institution(Some(wire)));
        assert_eq!(found, ["institution_id", "scopes[0].awarded.from", "names"]);
        assert_eq!(fields(institution(None)), ["institution"]);
    }

    #[test]
    fn a_state_must_be_said_and_only_a_closed_one_has_a_successor() {
        let wire = v1::ChangeInstitutionStateRequest {
            successor_id: "b".to_owned(),
            ..v1::ChangeInstitutionStateRequest::default()
        };
        let found = fields(institution_state(wire));
        assert_eq!(found, ["institution_id", "successor_id", "state"]);
    }

    #[test]
    fn the_operator_names_the_institution() {
        let operator = InstitutionId::operator();
        let found = fields(institution_or_acting("issuer_id", "", &operator));
        assert_eq!(found, ["issuer_id"]);
    }

    #[test]
    fn a_unit_must_say_what_it_measures() {
        let wire = v1::CreditUnit {
            code: "ects".to_owned(),
            title: "ECTS".to_owned(),
            ..v1::CreditUnit::default()
        };
        assert_eq!(fields(credit_unit(Some(wire))), ["kind"]);
    }
}
