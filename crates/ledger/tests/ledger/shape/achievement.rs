//! Achievements: changes to a well-formed one.

use expect_test::expect;
use ledger::shape;
use ledger::words::{
    Achievement, AchievementResult, Evidence, Level, Origin, RecordName, Size, Text,
};
use ledger::{Body, Credits, Date, Handle};

use super::{day, id, said, text};

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
#[allow(clippy::too_many_lines, reason = "a table")]
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
    let body = Body::AchievementRecorded(longest.into());
    let bytes = ledger::codec::encode(&body);
    let number = ledger::codec::number_of(body.kind());
    let decoded = ledger::codec::decode(number, "a", "a", Some(Handle([1; 16])), &bytes).unwrap();
    assert_eq!(decoded.body, body);
}
