//! What is refused as malformed: a table of changes to something well-formed, and what is said of each.

use expect_test::expect;
use ledger::shape;
use ledger::words::{
    Achievement, AchievementResult, CodeList, Course, CreditUnit, Delegation, Document,
    DocumentIdentity, Evidence, Framework, InstitutionProfile, IntakeWindow, LearnerProfile,
    LearnerReference, Level, Origin, RecordName, Scope, Size, Span, StudentNumber, Text, UnitKind,
};
use ledger::{Body, Credits, Date, Handle, InstitutionId, Key, Violation};

fn id(text: &str) -> InstitutionId {
    text.parse().unwrap()
}

fn day(text: &str) -> Date {
    ledger::codec::parse_date(text).unwrap()
}

fn text(value: &str) -> Text {
    Text {
        value: value.to_owned(),
        language: "en".to_owned(),
    }
}

fn record(issuer: &str, record_id: &str) -> Option<RecordName> {
    Some(RecordName {
        issuer: id(issuer),
        record_id: record_id.to_owned(),
    })
}

fn result(value: &str) -> AchievementResult {
    AchievementResult {
        value: value.to_owned(),
        scale: String::new(),
        subject: String::new(),
    }
}

fn evidence(uri: &str, digest: &str) -> Evidence {
    Evidence {
        uri: uri.to_owned(),
        digest: digest.to_owned(),
    }
}

fn achievement() -> Achievement {
    Achievement {
        record_id: "r-1".to_owned(),
        achievement_type: "Course".to_owned(),
        code: "CS-1".to_owned(),
        titles: vec![text("Programming")],
        size: Some(Size {
            amount: Credits::from_thousandths(3_000),
            unit: "ects".to_owned(),
        }),
        level: Some(Level {
            framework: "eqf".to_owned(),
            code: "6".to_owned(),
        }),
        field: "0613".to_owned(),
        source_kind: "course".to_owned(),
        delivery: "online".to_owned(),
        origin: Origin::Earned,
        source: None,
        part_of: None,
        offering: "2026".to_owned(),
        attempt: 1,
        results: vec![result("87")],
        study_from: Some(day("2026-01-01")),
        study_until: Some(day("2026-06-30")),
        awarded: day("2026-07-01"),
        expires: None,
        tier: String::new(),
        outcomes: vec!["https://example.org/o/1".to_owned()],
        evidence: vec![evidence(
            "https://example.org/e",
            &format!("sha-256:{}", "0f".repeat(32)),
        )],
        replaces: None,
    }
}

/// The violations, one a line.
fn said(violations: &[Violation]) -> String {
    violations
        .iter()
        .map(|violation| format!("{violation}\n"))
        .collect()
}

type Change = fn(&mut Achievement);

#[test]
fn an_achievement_that_is_well_formed_passes() {
    let passes: [Change; 12] = [
        |_| {},
        |a| a.achievement_type = "ext:Micro_cert.2-b".to_owned(),
        |a| (a.origin, a.source) = (Origin::Exempted, record("b", "r-1")),
        |a| a.part_of = record("b", "r-1"),
        |a| a.replaces = record("a", "r-0"),
        |a| a.attempt = 999,
        |a| a.titles = vec![text("x"); 8],
        |a| {
            a.titles = vec![Text {
                value: "书".repeat(341),
                language: "zh-CN".to_owned(),
            }]
        },
        |a| a.evidence = vec![evidence("", &format!("blake3:{}", "A".repeat(64)))],
        |a| a.record_id = "x".repeat(128),
        |a| (a.size, a.level, a.code) = (None, None, String::new()),
        |a| {
            a.size = Some(Size {
                amount: Credits::ACHIEVEMENT_MAX,
                unit: "h".to_owned(),
            })
        },
    ];
    for (idx, change) in passes.into_iter().enumerate() {
        let mut changed = achievement();
        change(&mut changed);
        assert_eq!(shape::achievement(&id("a"), &changed), [], "change {idx}");
    }
    for word in shape::ACHIEVEMENT_TYPES {
        let changed = Achievement {
            achievement_type: word.to_owned(),
            ..achievement()
        };
        assert_eq!(shape::achievement(&id("a"), &changed), [], "{word}");
    }
}

#[test]
fn each_malformed_field_of_an_achievement_is_named() {
    let changes: [Change; 47] = [
        |a| a.record_id.clear(),
        |a| a.record_id = "x".repeat(129),
        |a| a.record_id = " r".to_owned(),
        |a| a.record_id = "r\u{3000}".to_owned(),
        |a| a.record_id = "r\t".to_owned(),
        |a| a.achievement_type.clear(),
        |a| a.achievement_type = "course".to_owned(),
        |a| a.achievement_type = "ext:".to_owned(),
        |a| a.achievement_type = "ext:a b".to_owned(),
        |a| a.achievement_type = format!("ext:{}", "a".repeat(125)),
        |a| a.code = "x".repeat(129),
        |a| a.titles.clear(),
        |a| a.titles = vec![text("x"); 9],
        |a| a.titles.push(text("")),
        |a| a.titles.push(text(&"x".repeat(1_025))),
        |a| a.titles.push(text("new\nline")),
        |a| a.titles.push(text("null\0")),
        |a| a.titles.push(text("del\u{7F}")),
        |a| a.titles.push(text("next\u{85}line")),
        |a| a.titles.push(text("书\u{2028}")),
        |a| a.titles.push(text("\u{2029}")),
        |a| a.titles[0].language = "x".repeat(36),
        |a| a.titles[0].language = "zh_CN".to_owned(),
        |a| a.size.as_mut().unwrap().unit.clear(),
        |a| a.size.as_mut().unwrap().amount = Credits::from_thousandths(100_000_001),
        |a| a.level.as_mut().unwrap().framework.clear(),
        |a| a.level.as_mut().unwrap().code.clear(),
        |a| (a.field, a.delivery) = ("\r".to_owned(), "\u{1B}[0m".to_owned()),
        |a| a.source = record("b", "r"),
        |a| a.origin = Origin::Transferred,
        |a| (a.origin, a.source) = (Origin::Transferred, record("", " ")),
        |a| (a.origin, a.source) = (Origin::Exempted, record("a", "r-1")),
        |a| a.part_of = record("a", "r-1"),
        |a| a.replaces = record("a", "r-1"),
        |a| a.offering = "x".repeat(200),
        |a| a.attempt = 0,
        |a| a.attempt = 1_000,
        |a| a.results = vec![result("1"); 33],
        |a| a.results.push(result("")),
        |a| a.results[0].scale = "\u{9F}".to_owned(),
        |a| a.awarded = day("0000-12-31"),
        |a| a.expires = Date::from_ymd_opt(10_000, 1, 1),
        |a| a.outcomes = vec!["u".to_owned(); 65],
        |a| a.outcomes = vec![String::new()],
        |a| a.evidence = vec![evidence("u", "sha-256:00"), evidence("", "")],
        |a| a.evidence = vec![evidence("u", &format!("md5:{}", "0".repeat(32))); 33],
        |a| a.outcomes = vec!["u".repeat(1_000); 17],
    ];
    let mut all = String::new();
    for (idx, change) in changes.into_iter().enumerate() {
        let mut changed = achievement();
        change(&mut changed);
        let violations = shape::achievement(&id("a"), &changed);
        assert!(!violations.is_empty(), "change {idx}");
        all += &said(&violations[..violations.len().min(3)]);
    }
    expect![[r#"
        record_id is required
        record_id is 129 bytes long; at most 128
        record_id begins or ends with white space
        record_id begins or ends with white space
        record_id contains a control character at byte 1
        type is required
        type is not an AchievementType of Open Badges 3.0, such as Course or Certificate, nor ext: and a word of A-Z a-z 0-9 . _ -
        type is not an AchievementType of Open Badges 3.0, such as Course or Certificate, nor ext: and a word of A-Z a-z 0-9 . _ -
        type is not an AchievementType of Open Badges 3.0, such as Course or Certificate, nor ext: and a word of A-Z a-z 0-9 . _ -
        type is 129 bytes long; at most 128
        code is 129 bytes long; at most 128
        titles is required
        titles has 9 entries; at most 8
        titles[1].value is required
        titles[1].value is 1025 bytes long; at most 1024
        titles[1].value contains a control character at byte 3
        titles[1].value contains a control character at byte 4
        titles[1].value contains a control character at byte 3
        titles[1].value contains a control character at byte 4
        titles[1].value contains a control character at byte 3
        titles[1].value contains a control character at byte 0
        titles[0].language is 36 bytes long; at most 35
        titles[0].language is not a BCP 47 language tag such as zh-CN or en
        size.unit is required
        size.amount is 100000.001; at most 100000
        level.framework is required
        level.code is required
        field contains a control character at byte 0
        delivery contains a control character at byte 0
        source belongs to transferred or exempted only
        source is required
        source.issuer_id is required
        source.record_id begins or ends with white space
        source names the record itself
        part_of names the record itself
        replaces names the record itself
        offering is 200 bytes long; at most 128
        attempt is 0; from 1 to 999
        attempt is 1000; from 1 to 999
        results has 33 entries; at most 32
        results[1].value is required
        results[0].scale contains a control character at byte 0
        awarded is outside the years 1 to 9999
        expires is outside the years 1 to 9999
        outcomes has 65 entries; at most 64
        outcomes[0] is required
        evidence[0].digest is not sha-256:, sha-384:, sha-512: or blake3: and all its hexadecimal digits
        evidence[1].uri is required without a digest
        evidence has 33 entries; at most 32
        evidence[0].digest is not sha-256:, sha-384:, sha-512: or blake3: and all its hexadecimal digits
        evidence[1].digest is not sha-256:, sha-384:, sha-512: or blake3: and all its hexadecimal digits
        achievement is 17304 bytes long in all; at most 16384
    "#]].assert_eq(&all);
}

#[test]
fn everything_that_is_wrong_is_said_at_once_in_the_order_of_the_fields() {
    let mut changed = achievement();
    changed.evidence[0].digest = "x".to_owned();
    changed.attempt = 0;
    changed.record_id.clear();
    changed.titles.clear();
    let fields: Vec<String> = shape::achievement(&id("a"), &changed)
        .into_iter()
        .map(|found| found.field)
        .collect();
    assert_eq!(
        fields,
        ["record_id", "titles", "attempt", "evidence[0].digest"]
    );
}

/// What is well-formed can be stored: else an accepted submission would make the ledger unreadable.
#[test]
fn the_longest_well_formed_achievement_decodes_again() {
    let mut longest = achievement();
    longest.outcomes = vec!["u".repeat(1_000); 15];
    assert_eq!(shape::achievement(&id("a"), &longest), []);
    let body = Body::AchievementRecorded(longest);
    let bytes = ledger::codec::encode(&body);
    let number = ledger::codec::number_of(body.kind());
    let decoded = ledger::codec::decode(number, "a", "a", Some(Handle([1; 16])), &bytes).unwrap();
    assert_eq!(decoded.body, body);
}

#[test]
fn registry_nouns() {
    let span = |from: &str, until: &str| Span {
        from: Some(day(from)),
        until: Some(day(until)),
    };
    let mut all = String::new();
    let mut check = |what: &str, violations: Vec<Violation>| {
        all += &format!("{what}:\n{}", said(&violations));
    };
    let institution = |id: InstitutionId| InstitutionProfile {
        id,
        names: vec![text("Open University")],
        kind: "open-university".to_owned(),
        region: "CN-GD".to_owned(),
        parent: None,
        scopes: vec![Scope::default()],
    };
    check("institution", shape::institution(&institution(id("a"))));
    let mut wrong = institution(InstitutionId::operator());
    wrong.names.clear();
    wrong.parent = Some(InstitutionId::operator());
    wrong.scopes.push(Scope {
        types: vec!["Course".to_owned(), "course".to_owned()],
        code_prefixes: vec![String::new()],
        level_max: Some(Level {
            framework: "eqf".to_owned(),
            code: String::new(),
        }),
        awarded: span("2026-01-02", "2026-01-02"),
        ..Scope::default()
    });
    check("institution without anything", shape::institution(&wrong));
    wrong = institution(id("a"));
    wrong.scopes = vec![Scope::default(); 65];
    wrong.names = vec![text("x"); 9];
    check("institution with too much", shape::institution(&wrong));
    let delegation = Delegation {
        delegate: InstitutionId::operator(),
        during: span("2026-01-02", "2026-01-01"),
    };
    check("delegation", shape::delegation(&delegation));
    let framework = |levels: &[&str]| Framework {
        code: "eqf".to_owned(),
        title: "European Qualifications Framework".to_owned(),
        levels: levels.iter().map(|&level| level.to_owned()).collect(),
        source: String::new(),
    };
    check(
        "framework",
        shape::framework(&framework(&["1", "4+", "E3"])),
    );
    check(
        "framework without levels",
        shape::framework(&framework(&[])),
    );
    check(
        "framework that repeats",
        shape::framework(&framework(&["1", "2", "1", ""])),
    );
    let mut many_levels = framework(&[]);
    many_levels.levels = (0..65).map(|level| level.to_string()).collect();
    check("framework of many levels", shape::framework(&many_levels));
    let unit = CreditUnit {
        code: String::new(),
        title: String::new(),
        kind: UnitKind::Hours,
        source: "\n".to_owned(),
    };
    check("credit unit", shape::credit_unit(&unit));
    let entry = |code: &str| (code.to_owned(), "label".to_owned());
    let list = |entries| CodeList {
        code: "source-kind".to_owned(),
        title: "Source kinds".to_owned(),
        entries,
        source: String::new(),
    };
    check(
        "code list",
        shape::code_list(&list(vec![entry("a"), entry("b")])),
    );
    check(
        "code list that repeats",
        shape::code_list(&list(vec![entry("a"), entry("a")])),
    );
    check(
        "code list that is empty",
        shape::code_list(&list(Vec::new())),
    );
    let many = (0..4_097).map(|n| entry(&n.to_string())).collect();
    check("code list of many", shape::code_list(&list(many)));
    let course = Course {
        code: String::new(),
        titles: Vec::new(),
        size: Some(Size {
            amount: Credits::ZERO,
            unit: String::new(),
        }),
        level: None,
        field: "x".repeat(129),
    };
    check("course", shape::course(&course));
    let window = IntakeWindow {
        id: String::new(),
        institutions: vec![id("a"), InstitutionId::operator(), id("a")],
        awarded: Span {
            from: None,
            until: Some(day("2026-01-01")),
        },
        intake: span("2026-02-01", "2026-01-01"),
    };
    check("intake window", shape::intake_window(&window));
    expect![[r#"
        institution:
        institution without anything:
        institution_id is required
        names is required
        parent_id is required
        scopes[1].types[1] is not an AchievementType of Open Badges 3.0, such as Course or Certificate, nor ext: and a word of A-Z a-z 0-9 . _ -
        scopes[1].code_prefixes[0] is required
        scopes[1].level_max.code is required
        scopes[1].awarded.until (2026-01-02) is not after from (2026-01-02); it is the first day after
        institution with too much:
        names has 9 entries; at most 8
        scopes has 65 entries; at most 64
        delegation:
        delegate_id is required
        during.until (2026-01-01) is not after from (2026-01-02); it is the first day after
        framework:
        framework without levels:
        levels is required
        framework that repeats:
        levels[3] is required
        levels[2] repeats an earlier entry
        framework of many levels:
        levels has 65 entries; at most 64
        credit unit:
        code is required
        title is required
        source contains a control character at byte 0
        code list:
        code list that repeats:
        entries[1].code repeats an earlier entry
        code list that is empty:
        entries is required
        code list of many:
        entries has 4097 entries; at most 4096
        course:
        code is required
        titles is required
        size.unit is required
        field is 129 bytes long; at most 128
        intake window:
        window_id is required
        institution_ids[1] is required
        institution_ids[2] repeats an earlier entry
        intake.until (2026-01-01) is not after from (2026-02-01); it is the first day after
    "#]].assert_eq(&all);
}

#[test]
fn learners_and_single_fields() {
    let mut all = String::new();
    let mut check = |what: &str, violations: Vec<Violation>| {
        all += &format!("{what}:\n{}", said(&violations));
    };
    let document = |kind: &str, number: &str| Document {
        kind: kind.to_owned(),
        number: number.to_owned(),
    };
    let profile = LearnerProfile {
        names: vec![text("样春兰")],
        documents: vec![document("passport", "P1"), document("passport", "P2")],
        birth_date: Some(day("1984-03-08")),
        region: "XP-03".to_owned(),
    };
    check("profile", shape::learner_profile(&profile, "profile"));
    check(
        "empty profile",
        shape::learner_profile(&LearnerProfile::default(), "profile"),
    );
    let wrong = LearnerProfile {
        names: vec![text(""); 9],
        documents: vec![
            document("", ""),
            document(&"x".repeat(65), "1"),
            document("", ""),
        ],
        birth_date: Date::from_ymd_opt(0, 1, 1),
        region: "\0".to_owned(),
    };
    let violations = shape::learner_profile(&wrong, "profile");
    check(
        "wrong profile",
        violations
            .into_iter()
            .filter(|v| !v.field.contains("names["))
            .collect(),
    );
    let student = |institution: &str, number: &str| StudentNumber {
        institution: id(institution),
        number: number.to_owned(),
    };
    let (none, long) = (student("", ""), student("a", &"1".repeat(129)));
    check("student number", shape::student_number(&none));
    let twice = [student("a", "1"), student("b", "1"), student("a", "1")];
    check("student numbers", shape::student_numbers(&twice));
    check(
        "by handle",
        shape::learner_reference(&LearnerReference::Handle(Handle([0; 16]))),
    );
    check(
        "by student",
        shape::learner_reference(&LearnerReference::Student(none)),
    );
    check(
        "by long student",
        shape::learner_reference(&LearnerReference::Student(long)),
    );
    let identity = DocumentIdentity {
        document: document("", "\t"),
        name: String::new(),
        birth_date: day("0000-01-01"),
    };
    check(
        "by document",
        shape::learner_reference(&LearnerReference::Document(identity)),
    );
    for reason in ["", "typed\nin", &"x".repeat(1_025), "clerical error"] {
        check("reason", shape::reason(reason));
    }
    check("no request id", shape::request_id(""));
    check("request id", shape::request_id(&"x".repeat(129)));
    check("no record id", shape::record_id(""));
    check(
        "suppression",
        shape::suppression(&[Key([1; 16]), Key([2; 16])]),
    );
    check(
        "suppression",
        shape::suppression(&[Key([1; 16]), Key([2; 16]), Key([2; 16])]),
    );
    expect![[r#"
        profile:
        empty profile:
        wrong profile:
        profile.names has 9 entries; at most 8
        profile.documents[0].kind is required
        profile.documents[0].number is required
        profile.documents[1].kind is 65 bytes long; at most 64
        profile.documents[2].kind is required
        profile.documents[2].number is required
        profile.documents[2] repeats an earlier entry
        profile.birth_date is outside the years 1 to 9999
        profile.region contains a control character at byte 0
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
        reason:
        reason is required
        reason:
        reason contains a control character at byte 5
        reason:
        reason is 1025 bytes long; at most 1024
        reason:
        no request id:
        request id:
        request_id is 129 bytes long; at most 128
        no record id:
        record_id is required
        suppression:
        suppression:
        suppressed[2] is not above the entry before it
    "#]].assert_eq(&all);
}
