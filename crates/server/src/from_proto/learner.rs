//! Learners: references, attributes, links, merges and erasures.
//!
//! Apart from achievements because everything here is personal data, and none of it may be logged.

use ledger::words::{Document, DocumentIdentity, LearnerProfile, LearnerReference, StudentNumber};
use ledger::{Action, Handle, InstitutionId, Rejection, Revision, Violation, shape};

use api::v1;
use api::v1::learner_reference::Reference;

use super::{
    At, Problems, handle_at, id_or_acting, malformed, optional_date, required_date, shapeless,
    texts,
};
use crate::engine::ErasureScope;

/// A reference in the field `learner` that must be there.
///
/// # Errors
/// [`Rejection::Malformed`] with every field that cannot be read.
pub fn learner_reference(
    wire: Option<v1::LearnerReference>,
    acting: &InstitutionId,
) -> Result<LearnerReference, Rejection> {
    let mut problems = Problems::default();
    let reference = learner_reference_at(&mut problems, At::field("learner"), wire, acting);
    problems.finish(reference, shape::learner_reference)
}

/// A handle in that field.
///
/// # Errors
/// [`Rejection::Malformed`] when it is none.
pub fn handle(field: &str, text: &str) -> Result<Handle, Rejection> {
    let mut problems = Problems::default();
    let handle = handle_at(&mut problems, At::field(field), text);
    problems.finish(handle, shapeless)
}

/// The registration of a learner, whose handle has been drawn.
///
/// # Errors
/// [`Rejection::Malformed`] with every field that cannot be read.
pub fn registration(
    wire: v1::RegisterLearnerRequest,
    acting: &InstitutionId,
    fresh: Handle,
) -> Result<Action, Rejection> {
    let mut problems = Problems::default();
    let profile = profile(&mut problems, wire.profile.unwrap_or_default());
    let mut students = Vec::with_capacity(wire.students.len());
    for (idx, student) in wire.students.into_iter().enumerate() {
        let at = At::field("students").entry(idx);
        students.push(student_number(&mut problems, at, student, acting));
    }
    let request_id = wire.request_id;
    let action = Action::RegisterLearner {
        fresh,
        profile,
        students,
        request_id,
    };
    problems.finish(action, account_shape)
}

/// New attributes of a learner.
///
/// # Errors
/// [`Rejection::Malformed`] with every field that cannot be read.
pub fn update(wire: v1::UpdateLearnerRequest, acting: &InstitutionId) -> Result<Action, Rejection> {
    let mut problems = Problems::default();
    if wire.profile.is_none() {
        // An absent message would otherwise blank every attribute.
        problems.say(At::field("profile"), "is required: the attributes, whole");
    }
    let learner = learner_reference_at(&mut problems, At::field("learner"), wire.learner, acting);
    let profile = profile(&mut problems, wire.profile.unwrap_or_default());
    let expected = wire.expected_revision.map(Revision);
    problems.finish(
        Action::UpdateLearner {
            learner,
            profile,
            expected,
        },
        account_shape,
    )
}

/// The link of a student number.
///
/// # Errors
/// [`Rejection::Malformed`] with every field that cannot be read.
pub fn link(wire: v1::LinkIdentityRequest, acting: &InstitutionId) -> Result<Action, Rejection> {
    let mut problems = Problems::default();
    let learner = learner_reference_at(&mut problems, At::field("learner"), wire.learner, acting);
    let student = required_student(&mut problems, wire.student, acting);
    problems.finish(Action::LinkIdentity { learner, student }, account_shape)
}

/// The end of such a link.
///
/// # Errors
/// [`Rejection::Malformed`] with every field that cannot be read.
pub fn unlink(
    wire: v1::UnlinkIdentityRequest,
    acting: &InstitutionId,
) -> Result<Action, Rejection> {
    let mut problems = Problems::default();
    let student = required_student(&mut problems, wire.student, acting);
    problems.finish(Action::UnlinkIdentity { student }, account_shape)
}

/// The merge of two accounts.
///
/// # Errors
/// [`Rejection::Malformed`] with every field that cannot be read.
pub fn merge(wire: v1::MergeLearnersRequest) -> Result<Action, Rejection> {
    let mut problems = Problems::default();
    let from = handle_at(&mut problems, At::field("from_handle"), &wire.from_handle);
    let into = handle_at(&mut problems, At::field("into_handle"), &wire.into_handle);
    let expected = wire.expected_revision.map(Revision);
    let action = Action::MergeLearners {
        from,
        into,
        reason: wire.reason,
        expected,
    };
    problems.finish(action, account_shape)
}

/// The separation of two accounts.
///
/// # Errors
/// [`Rejection::Malformed`] with every field that cannot be read.
pub fn separation(wire: v1::SeparateLearnersRequest) -> Result<Action, Rejection> {
    let mut problems = Problems::default();
    let from = handle_at(&mut problems, At::field("from_handle"), &wire.from_handle);
    let action = Action::SeparateLearners {
        from,
        reason: wire.reason,
    };
    problems.finish(action, account_shape)
}

/// Whom to erase, and how much.
///
/// # Errors
/// [`Rejection::Malformed`] with every field that cannot be read; a scope must be said, because there is
/// no way back.
pub fn erasure(wire: &v1::EraseLearnerRequest) -> Result<(Handle, ErasureScope), Rejection> {
    let mut problems = Problems::default();
    let handle = handle_at(
        &mut problems,
        At::field("learner_handle"),
        &wire.learner_handle,
    );
    let scope = match v1::ErasureScope::try_from(wire.scope) {
        Ok(v1::ErasureScope::Identity) => ErasureScope::Identity,
        Ok(v1::ErasureScope::All) => ErasureScope::All,
        Ok(v1::ErasureScope::Unspecified) | Err(_) => {
            let problem = "is required: ERASURE_SCOPE_IDENTITY or ERASURE_SCOPE_ALL";
            problems.say(At::field("scope"), problem);
            ErasureScope::Identity
        }
    };
    problems.finish((handle, scope), shapeless)
}

pub(super) fn learner_reference_at(
    problems: &mut Problems,
    at: At<'_>,
    wire: Option<v1::LearnerReference>,
    acting: &InstitutionId,
) -> LearnerReference {
    match wire.and_then(|wire| wire.reference) {
        Some(Reference::Handle(text)) => {
            LearnerReference::Handle(handle_at(problems, at.sub("handle"), &text))
        }
        Some(Reference::Student(student)) => {
            let student = student_number(problems, at.sub("student"), student, acting);
            LearnerReference::Student(student)
        }
        Some(Reference::Document(identity)) => {
            let identity = document_identity(problems, at.sub("document"), identity);
            LearnerReference::Document(identity)
        }
        None => {
            problems.say(at, "is required: a handle, a student number or a document");
            LearnerReference::Handle(Handle([1; 16]))
        }
    }
}

fn document_identity(
    problems: &mut Problems,
    at: At<'_>,
    wire: v1::DocumentIdentity,
) -> DocumentIdentity {
    DocumentIdentity {
        document: document(wire.document.unwrap_or_default()),
        name: wire.name,
        birth_date: required_date(problems, at.sub("birth_date"), &wire.birth_date),
    }
}

fn document(wire: v1::Document) -> Document {
    Document {
        kind: wire.kind,
        number: wire.number,
    }
}

pub(super) fn student_number(
    problems: &mut Problems,
    at: At<'_>,
    wire: v1::StudentNumber,
    acting: &InstitutionId,
) -> StudentNumber {
    let institution = id_or_acting(
        problems,
        at.sub("institution_id"),
        &wire.institution_id,
        acting,
    );
    StudentNumber {
        institution,
        number: wire.number,
    }
}

fn required_student(
    problems: &mut Problems,
    wire: Option<v1::StudentNumber>,
    acting: &InstitutionId,
) -> StudentNumber {
    student_number(
        problems,
        At::field("student"),
        wire.unwrap_or_default(),
        acting,
    )
}

pub(super) fn profile(problems: &mut Problems, wire: v1::LearnerProfile) -> LearnerProfile {
    let at = At::field("profile");
    LearnerProfile {
        names: texts(wire.names),
        documents: wire.documents.into_iter().map(document).collect(),
        birth_date: optional_date(problems, at.sub("birth_date"), &wire.birth_date),
        region: wire.region,
    }
}

/// What else is wrong with a change to an account that could not be read in full.
fn account_shape(action: &Action) -> Vec<Violation> {
    match action {
        Action::RegisterLearner {
            profile,
            students,
            request_id,
            ..
        } => {
            let mut found = shape::learner_profile(profile, "profile");
            found.extend(shape::student_numbers(students));
            found.extend(shape::request_id(request_id));
            found
        }
        Action::UpdateLearner {
            learner, profile, ..
        } => {
            let mut found = shape::learner_reference(learner);
            found.extend(shape::learner_profile(profile, "profile"));
            found
        }
        Action::LinkIdentity { learner, student } => {
            let mut found = shape::learner_reference(learner);
            found.extend(shape::student_number(student));
            found
        }
        Action::UnlinkIdentity { student } => shape::student_number(student),
        Action::MergeLearners { reason, .. } | Action::SeparateLearners { reason, .. } => {
            shape::reason(reason)
        }
        _ => Vec::new(),
    }
}

/// The account that a learner asks for: their own also when they leave it out.
///
/// # Errors
/// [`Rejection::Malformed`] for anything but a handle: a learner has no use for other references.
pub fn own_or_named(
    wire: Option<v1::LearnerReference>,
    own: Handle,
) -> Result<LearnerReference, Rejection> {
    match wire.and_then(|wire| wire.reference) {
        None => Ok(LearnerReference::Handle(own)),
        Some(Reference::Handle(text)) => {
            handle("learner.handle", &text).map(LearnerReference::Handle)
        }
        Some(_) => {
            let problem = "of a learner's own account is a handle, or left out";
            Err(malformed("learner", problem))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn acting() -> InstitutionId {
        "open-university".parse().unwrap()
    }

    fn fields<T: std::fmt::Debug>(read: Result<T, Rejection>) -> Vec<String> {
        match read {
            Err(Rejection::Malformed(found)) => found.into_iter().map(|v| v.field).collect(),
            other => panic!("not malformed: {other:?}"),
        }
    }

    #[test]
    fn an_update_without_attributes_blanks_nothing() {
        let wire = v1::UpdateLearnerRequest::default();
        assert_eq!(fields(update(wire, &acting())), ["profile", "learner"]);
    }

    #[test]
    fn problems_of_reading_and_of_shape_come_together() {
        let wire = v1::RegisterLearnerRequest {
            profile: Some(v1::LearnerProfile {
                birth_date: "yesterday".to_owned(),
                documents: vec![v1::Document::default()],
                ..v1::LearnerProfile::default()
            }),
            students: vec![v1::StudentNumber {
                institution_id: "?".to_owned(),
                number: String::new(),
            }],
            request_id: "r".repeat(200),
        };
        let expected = [
            "profile.birth_date",
            "students[0].institution_id",
            "profile.documents[0].kind",
            "profile.documents[0].number",
            "students[0].number",
            "request_id",
        ];
        assert_eq!(
            fields(registration(wire, &acting(), Handle([7; 16]))),
            expected
        );
    }

    #[test]
    fn an_erasure_says_how_much() {
        let wire = v1::EraseLearnerRequest {
            learner_handle: "00".repeat(16),
            scope: 0,
        };
        assert_eq!(fields(erasure(&wire)), ["learner_handle", "scope"]);
    }

    #[test]
    fn handles_have_one_form() {
        let upper = handle("learner_handle", &"AB".repeat(16)).unwrap();
        assert_eq!(upper.to_string(), "ab".repeat(16));
    }
}
