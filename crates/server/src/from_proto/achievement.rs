//! Submissions and what institutions do to records afterwards.
//!
//! Apart from learners because this is the busiest path, and the one with the most fields.

use std::sync::Arc;

use ledger::words::{
    Achievement, AchievementResult, Evidence, LearnerReference, Origin, RecordName,
};
use ledger::{
    Action, Date, Handle, InstitutionId, IssuerSignature, Rejection, Revision, Violation, shape,
};

use api::v1;

use super::learner::learner_reference_at;
use super::{
    At, Problems, id_or_acting, level, name_at, optional_date, required, required_date, shapeless,
    size, texts,
};

/// A submission: the command that records an achievement. `fresh` is the handle drawn in case that an
/// account must be opened.
///
/// # Errors
/// [`Rejection::Malformed`] with every field that cannot be read.
pub fn submission(
    wire: v1::Achievement,
    acting: &InstitutionId,
    fresh: Handle,
) -> Result<Action, Rejection> {
    let mut problems = Problems::default();
    if wire.learner.is_none() {
        let problem = "is required: a handle, a student number or a document";
        problems.say(At::field("learner"), problem);
    }
    let Content {
        issuer,
        learner,
        achievement,
        signature,
    } = content(&mut problems, wire, acting);
    let learner = learner.unwrap_or(LearnerReference::Handle(fresh));
    let action = Action::Submit {
        issuer,
        learner,
        achievement,
        signature,
        fresh,
        register: None,
    };
    problems.finish(action, content_shape)
}

/// A new version of a record.
///
/// # Errors
/// [`Rejection::Malformed`] with every field that cannot be read.
pub fn supersession(
    wire: v1::SupersedeRecordRequest,
    acting: &InstitutionId,
) -> Result<Action, Rejection> {
    let mut problems = Problems::default();
    let achievement = required("achievement", wire.achievement)?;
    let Content {
        issuer,
        learner,
        achievement,
        signature,
    } = content(&mut problems, achievement, acting);
    let expected = wire.expected_revision.map(Revision);
    let action = Action::Supersede {
        issuer,
        learner,
        achievement,
        signature,
        reason: wire.reason,
        expected,
    };
    problems.finish(action, content_shape)
}

/// What is done to records by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// Withdraw for good.
    Revoke,
    /// Suspend.
    Suspend,
    /// Reinstate.
    Reinstate,
}

/// The same change to several records of one issuer.
///
/// # Errors
/// [`Rejection::Malformed`] when issuer or reason, which all share, cannot be read.
pub fn records(
    change: Change,
    issuer_id: &str,
    record_ids: Vec<String>,
    reason: &str,
    acting: &InstitutionId,
) -> Result<Vec<Action>, Rejection> {
    let mut problems = Problems::default();
    let issuer = id_or_acting(&mut problems, At::field("issuer_id"), issuer_id, acting);
    problems.0.extend(shape::reason(reason));
    let issuer = problems.finish(issuer, shapeless)?;
    let one = |record_id| {
        let name = RecordName {
            issuer: issuer.clone(),
            record_id,
        };
        let reason = reason.to_owned();
        match change {
            Change::Revoke => Action::Revoke { name, reason },
            Change::Suspend => Action::Suspend { name, reason },
            Change::Reinstate => Action::Reinstate { name, reason },
        }
    };
    Ok(record_ids.into_iter().map(one).collect())
}

/// A record's name, to look it up.
///
/// # Errors
/// [`Rejection::Malformed`] when it is missing or cannot be read.
pub fn record_name(
    wire: Option<v1::RecordName>,
    acting: &InstitutionId,
) -> Result<RecordName, Rejection> {
    let mut problems = Problems::default();
    let name = name_at(
        &mut problems,
        At::field("name"),
        required("name", wire)?,
        acting,
    );
    if name.record_id.is_empty() {
        problems.say(At::field("name.record_id"), "is required");
    }
    problems.finish(name, shapeless)
}

/// Which record goes to whom.
///
/// # Errors
/// [`Rejection::Malformed`] with every field that cannot be read.
pub fn reassignment(
    name: Option<v1::RecordName>,
    to: Option<v1::LearnerReference>,
    reason: &str,
    acting: &InstitutionId,
) -> Result<(RecordName, LearnerReference), Rejection> {
    let mut problems = Problems::default();
    let name = name_at(
        &mut problems,
        At::field("name"),
        required("name", name)?,
        acting,
    );
    if name.record_id.is_empty() {
        problems.say(At::field("name.record_id"), "is required");
    }
    let to = learner_reference_at(&mut problems, At::field("to_learner"), to, acting);
    problems.0.extend(shape::reason(reason));
    problems.finish((name, to), shapeless)
}

/// What the message of an achievement says.
struct Content {
    issuer: InstitutionId,
    learner: Option<LearnerReference>,
    achievement: Arc<Achievement>,
    signature: Option<Arc<IssuerSignature>>,
}

fn content(problems: &mut Problems, wire: v1::Achievement, acting: &InstitutionId) -> Content {
    let issuer = id_or_acting(problems, At::field("issuer_id"), &wire.issuer_id, acting);
    let at_learner = At::field("learner");
    let learner = wire
        .learner
        .map(|learner| learner_reference_at(problems, at_learner, Some(learner), acting));
    let mut name = |field, name: Option<v1::RecordName>| {
        name.map(|name| name_at(problems, At::field(field), name, acting))
    };
    let source = name("source", wire.source);
    let part_of = name("part_of", wire.part_of);
    let replaces = name("replaces", wire.replaces);
    let [study_from, study_until, expires] = [
        ("study_from", &wire.study_from),
        ("study_until", &wire.study_until),
        ("expires", &wire.expires),
    ]
    .map(|(field, text)| optional_date(problems, At::field(field), text));
    let awarded: Date = required_date(problems, At::field("awarded"), &wire.awarded);
    let achievement = Achievement {
        record_id: wire.record_id,
        achievement_type: wire.r#type,
        code: wire.code,
        titles: texts(wire.titles),
        size: wire
            .size
            .map(|wire| size(problems, At::field("size"), wire)),
        level: wire.level.map(level),
        field: wire.field,
        source_kind: wire.source_kind,
        delivery: wire.delivery,
        origin: origin(problems, wire.origin),
        source,
        part_of,
        offering: wire.offering,
        // 0 is what a client sends that does not count attempts.
        attempt: wire.attempt.max(1),
        results: wire.results.into_iter().map(result).collect(),
        study_from,
        study_until,
        awarded,
        expires,
        tier: wire.tier,
        outcomes: wire.outcomes,
        evidence: wire.evidence.into_iter().map(evidence).collect(),
        replaces,
    };
    let signature = wire.signature.and_then(|wire| signature(problems, wire));
    Content {
        issuer,
        learner,
        achievement: Arc::new(achievement),
        signature,
    }
}

/// A signature that nobody has checked yet.
fn signature(problems: &mut Problems, wire: v1::IssuerSignature) -> Option<Arc<IssuerSignature>> {
    let at = At::field("signature");
    let Ok(signature) = <[u8; 64]>::try_from(wire.signature.as_slice()) else {
        let problem = format!(
            "is {} bytes long; an Ed25519 signature has 64",
            wire.signature.len()
        );
        problems.say(at.sub("signature"), problem);
        return None;
    };
    match IssuerSignature::read(wire.key_id, wire.statement, signature) {
        Ok(signature) => Some(Arc::new(signature)),
        Err(error) => {
            let problem = format!("is not the one encoding of an IssuerStatement: {error}");
            problems.say(at.sub("statement"), problem);
            None
        }
    }
}

/// What else is wrong with a submission that could not be read in full.
fn content_shape(action: &Action) -> Vec<Violation> {
    match action {
        Action::Submit {
            issuer,
            learner,
            achievement,
            ..
        } => {
            let mut found = shape::achievement(issuer, achievement);
            found.extend(shape::learner_reference(learner));
            found
        }
        Action::Supersede {
            issuer,
            learner,
            achievement,
            reason,
            ..
        } => {
            let mut found = shape::achievement(issuer, achievement);
            found.extend(learner.iter().flat_map(shape::learner_reference));
            found.extend(shape::reason(reason));
            found
        }
        _ => Vec::new(),
    }
}

fn origin(problems: &mut Problems, number: i32) -> Origin {
    match v1::Origin::try_from(number) {
        Ok(v1::Origin::Unspecified | v1::Origin::Earned) => Origin::Earned,
        Ok(v1::Origin::Assessed) => Origin::Assessed,
        Ok(v1::Origin::Transferred) => Origin::Transferred,
        Ok(v1::Origin::Exempted) => Origin::Exempted,
        Err(_) => {
            problems.say(
                At::field("origin"),
                format!("is {number}, which is no Origin"),
            );
            Origin::Earned
        }
    }
}

fn result(wire: v1::Result) -> AchievementResult {
    AchievementResult {
        value: wire.value,
        scale: wire.scale,
        subject: wire.subject,
    }
}

fn evidence(wire: v1::Evidence) -> Evidence {
    Evidence {
        uri: wire.uri,
        digest: wire.digest,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::from_proto::malformed;

    fn acting() -> InstitutionId {
        "open-university".parse().unwrap()
    }

    fn good() -> v1::Achievement {
        v1::Achievement {
            record_id: "r-1".to_owned(),
            learner: Some(v1::LearnerReference {
                reference: Some(v1::learner_reference::Reference::Student(
                    v1::StudentNumber {
                        institution_id: String::new(),
                        number: "s-1".to_owned(),
                    },
                )),
            }),
            r#type: "Course".to_owned(),
            titles: vec![v1::Text {
                value: "Reading".to_owned(),
                language: "en".to_owned(),
            }],
            size: Some(v1::Size {
                amount: "02.50".to_owned(),
                unit: "ects".to_owned(),
            }),
            awarded: "2026-07-01".to_owned(),
            ..v1::Achievement::default()
        }
    }

    fn problems(wire: v1::Achievement) -> Vec<String> {
        match submission(wire, &acting(), Handle([7; 16])) {
            Err(Rejection::Malformed(found)) => found.iter().map(ToString::to_string).collect(),
            other => panic!("not malformed: {other:?}"),
        }
    }

    #[test]
    fn what_is_left_out_gets_its_default() {
        let Ok(Action::Submit {
            issuer,
            learner,
            achievement,
            ..
        }) = submission(good(), &acting(), Handle([7; 16]))
        else {
            panic!("a good submission is read");
        };
        assert_eq!(issuer, acting());
        let LearnerReference::Student(student) = learner else {
            panic!("a student number")
        };
        assert_eq!(student.institution, acting());
        assert_eq!(achievement.attempt, 1);
        assert_eq!(achievement.origin, Origin::Earned);
        assert_eq!(achievement.size.as_ref().unwrap().amount.to_string(), "2.5");
    }

    #[test]
    fn every_malformed_field_is_named_at_once() {
        let wire = v1::Achievement {
            issuer_id: "no spaces".to_owned(),
            r#type: String::new(),
            size: Some(v1::Size {
                amount: "1,5".to_owned(),
                unit: "ects".to_owned(),
            }),
            origin: 9,
            source: Some(v1::RecordName {
                issuer_id: "ä".to_owned(),
                record_id: "x".to_owned(),
            }),
            awarded: "1 July".to_owned(),
            study_from: "2026-13-01".to_owned(),
            learner: Some(v1::LearnerReference {
                reference: Some(v1::learner_reference::Reference::Handle("12".to_owned())),
            }),
            ..good()
        };
        let fields: Vec<String> = problems(wire)
            .iter()
            .map(|problem| {
                problem
                    .split_whitespace()
                    .next()
                    .unwrap_or_default()
                    .to_owned()
            })
            .collect();
        let expected = [
            "issuer_id",
            "learner.handle",
            "source.issuer_id",
            "study_from",
            "awarded",
            "size.amount",
            "origin",
            "type",
            "source",
        ];
        assert_eq!(fields, expected);
    }

    #[test]
    fn a_missing_learner_is_named() {
        let wire = v1::Achievement {
            learner: None,
            ..good()
        };
        assert_eq!(
            problems(wire),
            ["learner is required: a handle, a student number or a document"]
        );
        let empty = v1::Achievement {
            learner: Some(v1::LearnerReference { reference: None }),
            ..good()
        };
        assert_eq!(
            problems(empty),
            ["learner is required: a handle, a student number or a document"]
        );
    }

    #[test]
    fn a_change_needs_a_reason() {
        let ids = vec!["r-1".to_owned()];
        let refused = records(Change::Revoke, "", ids, "", &acting());
        assert_eq!(refused, Err(malformed("reason", "is required")));
    }
}
