//! What is well-formed, judged without knowing anything that is registered.
//!
//! Apart from [`crate::admit`](mod@crate::admit) because none of this needs the state: a client can be
//! told all that is wrong with a submission at once, and an auditor judges every event by the same
//! functions. Each returns every violation, in the order of the message's fields, with the field's path
//! as in `proto/creditbank/v1`. What passes here encodes to bytes that [`crate::codec`] accepts again.

mod check;
mod registry;

use crate::amount::Credits;
use crate::ids::{Handle, InstitutionId, Key};
use crate::rejection::Violation;
use crate::signature::IssuerSignature;
use crate::words::{
    Achievement, AchievementResult, Document, Evidence, LearnerProfile, LearnerReference,
    RecordName, Size, StudentNumber,
};

use check::Check;
pub use registry::{
    code_list, course, credit_unit, delegation, framework, institution, institution_key,
    intake_window, key_revocation,
};

/// Most record ids that one erasure may suppress: the list must fit a block.
pub const SUPPRESSED_MAX: usize = 262_144;
/// Longest text in bytes.
pub const STRING_BYTES_MAX: usize = 1_024;
/// Longest record id in bytes.
pub const RECORD_ID_BYTES_MAX: usize = 128;
/// Longest request id in bytes.
pub const REQUEST_ID_BYTES_MAX: usize = 128;
/// Longest code in bytes: of courses, units, frameworks, levels, fields, regions, kinds.
pub const CODE_BYTES_MAX: usize = 128;
/// Longest student or document number in bytes.
pub const NUMBER_BYTES_MAX: usize = 128;
/// Longest kind of identity document in bytes.
pub const DOCUMENT_KIND_BYTES_MAX: usize = 64;
/// Longest language tag in bytes. Source: BCP 47 (RFC 5646, section 4.4.1).
pub const LANGUAGE_BYTES_MAX: usize = 35;
/// Most titles; there is at least one.
pub const TITLES_MAX: usize = 8;
/// Most results of an achievement.
pub const RESULTS_MAX: usize = 32;
/// Most learning outcomes of an achievement.
pub const OUTCOMES_MAX: usize = 64;
/// Most pieces of evidence of an achievement.
pub const EVIDENCE_MAX: usize = 32;
/// Highest attempt; the lowest is 1.
pub const ATTEMPT_MAX: u32 = 999;
/// Longest achievement in bytes, encoded.
pub const ACHIEVEMENT_BYTES_MAX: usize = 16 * 1_024;
/// Most names of a learner or an institution.
pub const NAMES_MAX: usize = 8;
/// Most identity documents of a learner.
pub const DOCUMENTS_MAX: usize = 8;
/// Most student numbers linked in one request.
pub const STUDENTS_MAX: usize = 64;
/// Most scopes of an institution.
pub const SCOPES_MAX: usize = 64;
/// Most entries in each list of a scope.
pub const SCOPE_ENTRIES_MAX: usize = 256;
/// Most entries of a code list, or institutions of an intake window.
pub const LIST_ENTRIES_MAX: usize = 4_096;
/// Most levels of a framework.
pub const LEVELS_MAX: usize = 64;

/// The words for the type of an achievement. Others begin with `ext:`.
/// Source: 1EdTech Open Badges 3.0 specification, AchievementType enumeration.
pub const ACHIEVEMENT_TYPES: [&str; 31] = [
    "Achievement",
    "ApprenticeshipCertificate",
    "Assessment",
    "Assignment",
    "AssociateDegree",
    "Award",
    "BachelorDegree",
    "Badge",
    "Certificate",
    "CertificateOfCompletion",
    "Certification",
    "CoCurricular",
    "CommunityService",
    "Competency",
    "Course",
    "Degree",
    "Diploma",
    "DoctoralDegree",
    "Fieldwork",
    "GeneralEducationDevelopment",
    "JourneymanCertificate",
    "LearningProgram",
    "License",
    "MasterCertificate",
    "MasterDegree",
    "Membership",
    "MicroCredential",
    "ProfessionalDoctorate",
    "QualityAssuranceCredential",
    "ResearchDoctorate",
    "SecondarySchoolDiploma",
];

/// Digest algorithms of evidence, with the number of hexadecimal digits.
pub const DIGESTS: [(&str, usize); 4] = [
    ("sha-256", 64),
    ("sha-384", 96),
    ("sha-512", 128),
    ("blake3", 64),
];

/// An achievement of that issuer: needed because a record may not refer to itself.
#[must_use]
pub fn achievement(issuer: &InstitutionId, achievement: &Achievement) -> Vec<Violation> {
    let mut check = Check::default();
    check.record_id(format_args!("record_id"), &achievement.record_id);
    check.achievement_type(format_args!("type"), &achievement.achievement_type);
    check.code(format_args!("code"), &achievement.code);
    check.titles(&achievement.titles);
    check_size(&mut check, achievement.size.as_ref());
    check.level(format_args!("level"), achievement.level.as_ref());
    check.code(format_args!("field"), &achievement.field);
    check.code(format_args!("source_kind"), &achievement.source_kind);
    check.code(format_args!("delivery"), &achievement.delivery);
    check_origin(&mut check, achievement);
    for (field, name) in [
        ("source", &achievement.source),
        ("part_of", &achievement.part_of),
        ("replaces", &achievement.replaces),
    ] {
        let Some(name) = name else { continue };
        record_name(&mut check, field, name);
        if name.issuer == *issuer && name.record_id == achievement.record_id {
            check.say(format_args!("{field}"), "names the record itself");
        }
    }
    check.code(format_args!("offering"), &achievement.offering);
    if !(1..=ATTEMPT_MAX).contains(&achievement.attempt) {
        let problem = format!("is {}; from 1 to {ATTEMPT_MAX}", achievement.attempt);
        check.say(format_args!("attempt"), problem);
    }
    check_results(&mut check, &achievement.results);
    check.day(format_args!("study_from"), achievement.study_from);
    check.day(format_args!("study_until"), achievement.study_until);
    check.day(format_args!("awarded"), Some(achievement.awarded));
    check.day(format_args!("expires"), achievement.expires);
    check.code(format_args!("tier"), &achievement.tier);
    check.count(
        format_args!("outcomes"),
        achievement.outcomes.len(),
        0,
        OUTCOMES_MAX,
    );
    for (idx, outcome) in achievement.outcomes.iter().enumerate() {
        check.required(format_args!("outcomes[{idx}]"), outcome, STRING_BYTES_MAX);
    }
    check_evidence(&mut check, &achievement.evidence);
    check_bytes(&mut check, achievement);
    check.found
}

/// A learner's attributes, in the message field `prefix`.
#[must_use]
pub fn learner_profile(profile: &LearnerProfile, prefix: &str) -> Vec<Violation> {
    let mut check = Check::default();
    check.texts(format_args!("{prefix}.names"), &profile.names, 0, NAMES_MAX);
    check.count(
        format_args!("{prefix}.documents"),
        profile.documents.len(),
        0,
        DOCUMENTS_MAX,
    );
    for (idx, document) in profile.documents.iter().enumerate() {
        let field = format!("{prefix}.documents[{idx}]");
        check_document(&mut check, &field, document);
        if profile
            .documents
            .iter()
            .take(idx)
            .any(|earlier| earlier == document)
        {
            check.say(format_args!("{field}"), "repeats an earlier entry");
        }
    }
    check.day(format_args!("{prefix}.birth_date"), profile.birth_date);
    check.code(format_args!("{prefix}.region"), &profile.region);
    check.found
}

/// Who a submission is about, in the message field `learner`.
#[must_use]
pub fn learner_reference(reference: &LearnerReference) -> Vec<Violation> {
    let mut check = Check::default();
    match reference {
        LearnerReference::Handle(Handle(handle)) => {
            if *handle == [0; 16] {
                check.say(format_args!("learner.handle"), "is all zero");
            }
        }
        LearnerReference::Student(student) => {
            check_student(&mut check, "learner.student", student);
        }
        LearnerReference::Document(identity) => {
            check_document(&mut check, "learner.document.document", &identity.document);
            let name = format_args!("learner.document.name");
            check.required(name, &identity.name, STRING_BYTES_MAX);
            check.day(
                format_args!("learner.document.birth_date"),
                Some(identity.birth_date),
            );
        }
    }
    check.found
}

/// A student number, in the message field `student`.
#[must_use]
pub fn student_number(student: &StudentNumber) -> Vec<Violation> {
    let mut check = Check::default();
    check_student(&mut check, "student", student);
    check.found
}

/// Student numbers to link, in the message field `students`.
#[must_use]
pub fn student_numbers(students: &[StudentNumber]) -> Vec<Violation> {
    let mut check = Check::default();
    check.count(format_args!("students"), students.len(), 0, STUDENTS_MAX);
    for (idx, student) in students.iter().enumerate() {
        check_student(&mut check, &format!("students[{idx}]"), student);
        if students.iter().take(idx).any(|earlier| earlier == student) {
            check.say(format_args!("students[{idx}]"), "repeats an earlier entry");
        }
    }
    check.found
}

/// A reason: required.
#[must_use]
pub fn reason(reason: &str) -> Vec<Violation> {
    let mut check = Check::default();
    check.required(format_args!("reason"), reason, STRING_BYTES_MAX);
    check.found
}

/// A request id; empty without one.
#[must_use]
pub fn request_id(request_id: &str) -> Vec<Violation> {
    let mut check = Check::default();
    check.text(format_args!("request_id"), request_id, REQUEST_ID_BYTES_MAX);
    check.found
}

/// A signature beside an achievement, in the message field `signature`: its key id alone, because whatever
/// its statement says is compared with what was sent.
#[must_use]
pub fn signature(signature: &IssuerSignature) -> Vec<Violation> {
    let mut check = Check::default();
    check.key_id(format_args!("signature.key_id"), &signature.key_id);
    check.found
}

/// A record id: required.
#[must_use]
pub fn record_id(record_id: &str) -> Vec<Violation> {
    let mut check = Check::default();
    check.record_id(format_args!("record_id"), record_id);
    check.found
}

/// The suppression list of an erasure: sorted, without repetition, so that it has one form and does not
/// tell in which order the records came.
#[must_use]
pub fn suppression(suppressed: &[Key]) -> Vec<Violation> {
    let mut check = Check::default();
    let mut pairs = suppressed.iter().zip(suppressed.iter().skip(1));
    if let Some(idx) = pairs.position(|(earlier, later)| earlier >= later) {
        check.say(
            format_args!("suppressed[{}]", idx + 1),
            "is not above the entry before it",
        );
    }
    if suppressed.len() > SUPPRESSED_MAX {
        let problem = format!("has {} entries; at most {SUPPRESSED_MAX}", suppressed.len());
        check.say(format_args!("suppressed"), problem);
    }
    check.found
}

fn check_size(check: &mut Check, size: Option<&Size>) {
    let Some(size) = size else { return };
    if size.amount > Credits::ACHIEVEMENT_MAX {
        let problem = format!("is {}; at most {}", size.amount, Credits::ACHIEVEMENT_MAX);
        check.say(format_args!("size.amount"), problem);
    }
    check.required(format_args!("size.unit"), &size.unit, CODE_BYTES_MAX);
}

fn check_origin(check: &mut Check, achievement: &Achievement) {
    match (achievement.origin.is_deposit(), &achievement.source) {
        (true, Some(_)) => {
            check.say(
                format_args!("source"),
                "belongs to transferred or exempted only",
            );
        }
        (false, None) => check.say(format_args!("source"), "is required"),
        _ => {}
    }
}

fn record_name(check: &mut Check, field: &str, name: &RecordName) {
    check.institution_id(format_args!("{field}.issuer_id"), &name.issuer);
    check.record_id(format_args!("{field}.record_id"), &name.record_id);
}

fn check_results(check: &mut Check, results: &[AchievementResult]) {
    check.count(format_args!("results"), results.len(), 0, RESULTS_MAX);
    for (idx, result) in results.iter().enumerate() {
        check.required(
            format_args!("results[{idx}].value"),
            &result.value,
            STRING_BYTES_MAX,
        );
        check.code(format_args!("results[{idx}].scale"), &result.scale);
        // A URI is possible here, so it may be longer than a code.
        check.text(
            format_args!("results[{idx}].subject"),
            &result.subject,
            STRING_BYTES_MAX,
        );
    }
}

fn check_evidence(check: &mut Check, evidence: &[Evidence]) {
    check.count(format_args!("evidence"), evidence.len(), 0, EVIDENCE_MAX);
    for (idx, Evidence { uri, digest }) in evidence.iter().enumerate() {
        if uri.is_empty() && digest.is_empty() {
            check.say(
                format_args!("evidence[{idx}].uri"),
                "is required without a digest",
            );
        }
        check.text(format_args!("evidence[{idx}].uri"), uri, STRING_BYTES_MAX);
        if !digest.is_empty() && !is_digest(digest) {
            let problem = "is not sha-256:, sha-384:, sha-512: or blake3: and all its hexadecimal \
                           digits";
            check.say(format_args!("evidence[{idx}].digest"), problem);
        }
    }
}

fn is_digest(digest: &str) -> bool {
    let Some((algorithm, digits)) = digest.split_once(':') else {
        return false;
    };
    DIGESTS.contains(&(algorithm, digits.len())) && digits.bytes().all(|b| b.is_ascii_hexdigit())
}

/// The whole is measured only when its texts are long: with at most 8 KiB of text in it, tags and lengths
/// (under 2 KiB, because every list is bounded) cannot carry it past the limit.
fn check_bytes(check: &mut Check, achievement: &Achievement) {
    if check.text_bytes <= ACHIEVEMENT_BYTES_MAX / 2 || !check.found.is_empty() {
        return;
    }
    let len = crate::codec::encode_achievement(achievement).len();
    if len > ACHIEVEMENT_BYTES_MAX {
        let problem = format!("is {len} bytes long in all; at most {ACHIEVEMENT_BYTES_MAX}");
        check.say(format_args!("achievement"), problem);
    }
}

fn check_student(check: &mut Check, field: &str, student: &StudentNumber) {
    check.institution_id(format_args!("{field}.institution_id"), &student.institution);
    check.required(
        format_args!("{field}.number"),
        &student.number,
        NUMBER_BYTES_MAX,
    );
}

fn check_document(check: &mut Check, field: &str, document: &Document) {
    check.required(
        format_args!("{field}.kind"),
        &document.kind,
        DOCUMENT_KIND_BYTES_MAX,
    );
    check.required(
        format_args!("{field}.number"),
        &document.number,
        NUMBER_BYTES_MAX,
    );
}
