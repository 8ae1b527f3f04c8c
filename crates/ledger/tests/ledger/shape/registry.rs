//! Institutions and the published vocabulary.

use expect_test::expect;
use ledger::shape;
use ledger::words::{
    CodeList, Course, CreditUnit, Delegation, Framework, InstitutionProfile, IntakeWindow, Level,
    Scope, Size, Span, UnitKind,
};
use ledger::{Credits, InstitutionId};

use super::{day, id, listed, text};

fn span(from: &str, until: &str) -> Span {
    Span {
        from: Some(day(from)),
        until: Some(day(until)),
    }
}

fn institution(id: InstitutionId) -> InstitutionProfile {
    InstitutionProfile {
        id,
        names: vec![text("Open University")],
        kind: "open-university".to_owned(),
        region: "CN-GD".to_owned(),
        parent: None,
        scopes: vec![Scope::default()],
        signatures_required: false,
    }
}

#[test]
fn institutions() {
    let mut nothing = institution(InstitutionId::operator());
    nothing.names.clear();
    nothing.parent = Some(InstitutionId::operator());
    nothing.scopes.push(Scope {
        types: vec!["Course".to_owned(), "course".to_owned()],
        code_prefixes: vec![String::new()],
        level_max: Some(Level {
            framework: "eqf".to_owned(),
            code: String::new(),
        }),
        awarded: span("2026-01-02", "2026-01-02"),
        ..Scope::default()
    });
    let mut much = institution(id("a"));
    much.scopes = vec![Scope::default(); 65];
    much.names = vec![text("x"); 9];
    let delegation = Delegation {
        delegate: InstitutionId::operator(),
        during: span("2026-01-02", "2026-01-01"),
    };
    expect![[r#"
        good:
        nothing:
        institution_id is required
        names is required
        parent_id is required
        scopes[1].types[1] is not an AchievementType of Open Badges 3.0, such as Course or Certificate, nor ext: and a word of A-Z a-z 0-9 . _ -
        scopes[1].code_prefixes[0] is required
        scopes[1].level_max.code is required
        scopes[1].awarded.until (2026-01-02) is not after from (2026-01-02); it is the first day after
        too much:
        names has 9 entries; at most 8
        scopes has 65 entries; at most 64
        delegation:
        delegate_id is required
        during.until (2026-01-01) is not after from (2026-01-02); it is the first day after
    "#]].assert_eq(&listed(vec![
        ("good", shape::institution(&institution(id("a")))),
        ("nothing", shape::institution(&nothing)),
        ("too much", shape::institution(&much)),
        ("delegation", shape::delegation(&delegation)),
    ]));
}

fn framework(levels: &[&str]) -> Framework {
    Framework {
        code: "eqf".to_owned(),
        title: "European Qualifications Framework".to_owned(),
        levels: levels.iter().map(|&level| level.to_owned()).collect(),
        source: String::new(),
    }
}

fn code_list(codes: &[&str]) -> CodeList {
    CodeList {
        code: "source-kind".to_owned(),
        title: "Source kinds".to_owned(),
        entries: codes
            .iter()
            .map(|&code| (code.to_owned(), "label".to_owned()))
            .collect(),
        source: String::new(),
    }
}

#[test]
fn frameworks_units_and_code_lists() {
    let mut levels = framework(&[]);
    levels.levels = (0..65).map(|level| level.to_string()).collect();
    let mut codes = code_list(&[]);
    codes.entries = (0..4_097)
        .map(|code| (code.to_string(), "label".to_owned()))
        .collect();
    let unit = CreditUnit {
        code: String::new(),
        title: String::new(),
        kind: UnitKind::Hours,
        source: "\n".to_owned(),
    };
    expect![[r#"
        framework:
        no levels:
        levels is required
        repeated level:
        levels[3] is required
        levels[2] repeats an earlier entry
        many levels:
        levels has 65 entries; at most 64
        unit:
        code is required
        title is required
        source contains a control character at byte 0
        code list:
        repeated code:
        entries[1].code repeats an earlier entry
        no codes:
        entries is required
        many codes:
        entries has 4097 entries; at most 4096
    "#]]
    .assert_eq(&listed(vec![
        (
            "framework",
            shape::framework(&framework(&["1", "4+", "E3"])),
        ),
        ("no levels", shape::framework(&framework(&[]))),
        (
            "repeated level",
            shape::framework(&framework(&["1", "2", "1", ""])),
        ),
        ("many levels", shape::framework(&levels)),
        ("unit", shape::credit_unit(&unit)),
        ("code list", shape::code_list(&code_list(&["a", "b"]))),
        ("repeated code", shape::code_list(&code_list(&["a", "a"]))),
        ("no codes", shape::code_list(&code_list(&[]))),
        ("many codes", shape::code_list(&codes)),
    ]));
}

#[test]
fn courses_and_intake_windows() {
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
    let window = IntakeWindow {
        id: String::new(),
        institutions: vec![id("a"), InstitutionId::operator(), id("a")],
        awarded: Span {
            from: None,
            until: Some(day("2026-01-01")),
        },
        intake: span("2026-02-01", "2026-01-01"),
    };
    expect![[r#"
        course:
        code is required
        titles is required
        size.unit is required
        field is 129 bytes long; at most 128
        window:
        window_id is required
        institution_ids[1] is required
        institution_ids[2] repeats an earlier entry
        intake.until (2026-01-01) is not after from (2026-02-01); it is the first day after
    "#]]
    .assert_eq(&listed(vec![
        ("course", shape::course(&course)),
        ("window", shape::intake_window(&window)),
    ]));
}
