//! Learners, and fields that stand by themselves.

use expect_test::expect;
use ledger::shape;
use ledger::words::{Document, DocumentIdentity, LearnerProfile, LearnerReference, StudentNumber};
use ledger::{Date, Handle, Key};

use super::{day, id, listed, text};

fn document(kind: &str, number: &str) -> Document {
    Document {
        kind: kind.to_owned(),
        number: number.to_owned(),
    }
}

fn student(institution: &str, number: &str) -> StudentNumber {
    StudentNumber {
        institution: id(institution),
        number: number.to_owned(),
    }
}

#[test]
fn learner_profiles() {
    let profile = LearnerProfile {
        names: vec![text("样春兰")],
        documents: vec![document("passport", "P1"), document("passport", "P2")],
        birth_date: Some(day("1984-03-08")),
        region: "XP-03".to_owned(),
    };
    let wrong = LearnerProfile {
        names: vec![text("x"); 9],
        documents: vec![
            document("", ""),
            document(&"x".repeat(65), "1"),
            document("", ""),
        ],
        birth_date: Date::from_ymd_opt(0, 1, 1),
        region: "\0".to_owned(),
    };
    expect![[r#"
        good:
        empty:
        wrong:
        profile.names has 9 entries; at most 8
        profile.documents[0].kind is required
        profile.documents[0].number is required
        profile.documents[1].kind is 65 bytes long; at most 64
        profile.documents[2].kind is required
        profile.documents[2].number is required
        profile.documents[2] repeats an earlier entry
        profile.birth_date is outside the years 1 to 9999
        profile.region contains a control character at byte 0
    "#]]
    .assert_eq(&listed(vec![
        ("good", shape::learner_profile(&profile, "profile")),
        (
            "empty",
            shape::learner_profile(&LearnerProfile::default(), "profile"),
        ),
        ("wrong", shape::learner_profile(&wrong, "profile")),
    ]));
}

#[test]
fn learner_references() {
    let (none, long) = (student("", ""), student("a", &"1".repeat(129)));
    let twice = [student("a", "1"), student("b", "1"), student("a", "1")];
    let identity = DocumentIdentity {
        document: document("", "\t"),
        name: String::new(),
        birth_date: day("0000-01-01"),
    };
    let reference = |reference| shape::learner_reference(&reference);
    expect![[r#"
        student number:
        student.institution_id is required
        student.number is required
        student numbers:
        students[2] repeats an earlier entry
        by handle:
        learner.handle is all zero
        by student:
        learner.student.institution_id is required
        learner.student.number is required
        by long student:
        learner.student.number is 129 bytes long; at most 128
        by document:
        learner.document.document.kind is required
        learner.document.document.number contains a control character at byte 0
        learner.document.name is required
        learner.document.birth_date is outside the years 1 to 9999
    "#]]
    .assert_eq(&listed(vec![
        ("student number", shape::student_number(&none)),
        ("student numbers", shape::student_numbers(&twice)),
        (
            "by handle",
            reference(LearnerReference::Handle(Handle([0; 16]))),
        ),
        ("by student", reference(LearnerReference::Student(none))),
        (
            "by long student",
            reference(LearnerReference::Student(long)),
        ),
        (
            "by document",
            reference(LearnerReference::Document(identity)),
        ),
    ]));
}

#[test]
fn single_fields() {
    let keys = [Key([1; 16]), Key([2; 16]), Key([2; 16])];
    expect![[r#"
        no reason:
        reason is required
        two lines:
        reason contains a control character at byte 5
        long reason:
        reason is 1025 bytes long; at most 1024
        reason:
        no request id:
        long request id:
        request_id is 129 bytes long; at most 128
        no record id:
        record_id is required
        suppression:
        repeated suppression:
        suppressed[2] is not above the entry before it
    "#]]
    .assert_eq(&listed(vec![
        ("no reason", shape::reason("")),
        ("two lines", shape::reason("typed\nin")),
        ("long reason", shape::reason(&"x".repeat(1_025))),
        ("reason", shape::reason("clerical error")),
        ("no request id", shape::request_id("")),
        ("long request id", shape::request_id(&"x".repeat(129))),
        ("no record id", shape::record_id("")),
        ("suppression", shape::suppression(&keys[..2])),
        ("repeated suppression", shape::suppression(&keys)),
    ]));
}
