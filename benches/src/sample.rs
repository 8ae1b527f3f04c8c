//! A ledger to measure on: one university, learners with student numbers, and achievements.
//!
//! Apart from the benchmarks because several measure the same records.

#![allow(
    clippy::unwrap_used,
    reason = "a benchmark stops when its own words are malformed"
)]

use ledger::event::LedgerOpened;
use ledger::words::{
    Achievement, CreditUnit, InstitutionProfile, LearnerProfile, LearnerReference, Origin, Scope,
    Size, StudentNumber, Text, UnitKind,
};
use ledger::{Action, Actor, Command, Date, Handle, InstitutionId, RULES_VERSION, Timestamp};

/// When everything happens.
pub const AT: Timestamp = Timestamp(1_790_000_000_000_000);
/// The key for keys.
pub const SECRET: [u8; 32] = [9; 32];

fn text(value: &str) -> Text {
    Text {
        value: value.into(),
        language: "en".into(),
    }
}

fn uni() -> InstitutionId {
    "uni".parse().unwrap()
}

fn student(n: u64) -> StudentNumber {
    StudentNumber {
        institution: uni(),
        number: format!("S{n:09}"),
    }
}

fn handle(n: u64) -> Handle {
    let mut handle = [1; 16];
    handle[..8].copy_from_slice(&n.wrapping_mul(0x9E37_79B9_7F4A_7C15).to_le_bytes());
    handle[8..].copy_from_slice(&(n + 1).to_le_bytes());
    Handle(handle)
}

fn achievement(n: u64) -> Achievement {
    Achievement {
        record_id: format!("2025S-{n:012}"),
        achievement_type: "Course".into(),
        code: format!("C{}", n % 1_000),
        titles: vec![text("Introduction to lifelong learning")],
        size: Some(Size {
            amount: "3".parse().unwrap(),
            unit: "ects".into(),
        }),
        level: None,
        field: String::new(),
        source_kind: String::new(),
        delivery: "online".into(),
        origin: Origin::Earned,
        source: None,
        part_of: None,
        offering: format!("T{}", n / 1_000),
        attempt: 1,
        results: vec![],
        study_from: None,
        study_until: None,
        awarded: Date::from_ymd_opt(2025, 6, 30).unwrap(),
        expires: None,
        tier: String::new(),
        outcomes: vec![],
        evidence: vec![],
        replaces: None,
    }
}

fn by_operator(action: Action) -> Command {
    let actor = Actor::Operator;
    Command { actor, action }
}

fn by_uni(action: Action) -> Command {
    let actor = Actor::Institution(uni());
    Command { actor, action }
}

/// What makes a ledger with a university and that many learners, each with a student number.
///
/// # Panics
/// Never: its words are well-formed.
#[must_use]
pub fn opening(learners: u64) -> Vec<Command> {
    let opened = LedgerOpened {
        ledger_id: [7; 16],
        format_version: 1,
        rules_version: RULES_VERSION,
        suppression_key: SECRET,
    };
    let unit = CreditUnit {
        code: "ects".into(),
        title: "ECTS".into(),
        kind: UnitKind::Credits,
        source: "EU".into(),
    };
    let profile = InstitutionProfile {
        id: uni(),
        names: vec![text("University")],
        kind: String::new(),
        region: String::new(),
        parent: None,
        scopes: vec![Scope::default()],
        signatures_required: false,
    };
    let registered = (0..learners).map(|n| {
        by_uni(Action::RegisterLearner {
            fresh: handle(n),
            profile: LearnerProfile::default(),
            students: vec![student(n)],
            request_id: String::new(),
        })
    });
    let first = [
        Action::OpenLedger(opened),
        Action::PublishCreditUnit(unit),
        Action::RegisterInstitution(profile),
    ];
    first
        .into_iter()
        .map(by_operator)
        .chain(registered)
        .collect()
}

/// An achievement for each number below, of learners in an order of their own: neighbours in a batch are
/// different learners.
///
/// # Panics
/// Never: its words are well-formed.
#[must_use]
pub fn submissions(records: u64, learners: u64) -> Vec<Command> {
    let submit = |n: u64| {
        by_uni(Action::Submit {
            issuer: uni(),
            learner: LearnerReference::Student(student(n.wrapping_mul(7_919) % learners)),
            achievement: achievement(n).into(),
            fresh: handle(1 << 40 | n),
            register: None,
            signature: None,
        })
    };
    (0..records).map(submit).collect()
}
