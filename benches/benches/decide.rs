//! Carrying out achievements alone: no store, no threads, no disk. What one core of the writer can decide,
//! beside what the hashing in it costs by itself in the same run.

#![allow(
    missing_docs,
    clippy::as_conversions,
    clippy::float_arithmetic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a benchmark prints figures for people, and stops when anything fails"
)]

use std::time::Duration;

use creditbank_benches::{is_full_size, median, per_second};
use ledger::event::LedgerOpened;
use ledger::words::{
    Achievement, CreditUnit, InstitutionProfile, LearnerProfile, LearnerReference, Origin, Scope,
    Size, StudentNumber, Text, UnitKind,
};
use ledger::{
    Action, Actor, Command, Date, Handle, InstitutionId, KeySecret, RULES_VERSION, State,
    Timestamp, carry_out, likely_needs,
};

const AT: Timestamp = Timestamp(1_790_000_000_000_000);
const SECRET: [u8; 32] = [9; 32];

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

/// A complete state with a university and that many learners.
fn bank(learners: u64) -> State {
    let mut state = State::new();
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
    for command in first.into_iter().map(by_operator).chain(registered) {
        carry_out(&mut state, &command, AT).unwrap();
    }
    state
}

fn submissions(records: u64, learners: u64) -> Vec<Command> {
    let submit = |n: u64| {
        by_uni(Action::Submit {
            issuer: uni(),
            learner: LearnerReference::Student(student(n.wrapping_mul(7_919) % learners)),
            achievement: achievement(n),
            fresh: handle(1 << 40 | n),
            register: None,
        })
    };
    (0..records).map(submit).collect()
}

/// Time that this thread was on a core: what others do meanwhile does not count. Source: Linux,
/// schedstat. Where there is none, no time passes.
fn on_core() -> Duration {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanoseconds = stat.split(' ').next().and_then(|text| text.parse().ok());
    Duration::from_nanos(nanoseconds.unwrap_or(0))
}

fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let start = on_core();
    let result = work();
    (result, on_core() - start)
}

/// Carries all out, a savepoint every 500, as a server does; the bytes and keys to store.
fn carry_all(state: &mut State, secret: &KeySecret, commands: &[Command]) -> usize {
    let mut n = 0;
    for group in commands.chunks(500) {
        let _taken_back_by_nobody = state.savepoint();
        for command in group {
            let decision = carry_out(state, command, AT).unwrap();
            for keyed in &decision.events {
                n += keyed.body().len() + keyed.keys(secret).len();
            }
        }
        state.settle();
    }
    n
}

fn main() {
    let (records, learners, runs) = if is_full_size() {
        (300_000, 20_000, 5)
    } else {
        (500, 100, 1)
    };
    let secret = KeySecret(SECRET);
    let commands = submissions(records, learners);
    let state = bank(learners);
    let (mut carried, mut hashed, mut guessed, mut aged) = (vec![], vec![], vec![], vec![]);
    for _ in 0..runs {
        let mut state = state.clone();
        let (bytes, time) = timed(|| carry_all(&mut state, &secret, &commands));
        assert!(bytes > 0);
        carried.push(time);
        let body = [b'x'; 120];
        let hash = |_| secret.content(&body);
        let (keys, time) = timed(|| (0..records).map(hash).collect::<Vec<_>>());
        assert_eq!(keys.first(), keys.last());
        hashed.push(time);
        let partial = state.without_facts();
        let guess = |command| likely_needs(&partial, command).len();
        let (needs, time) = timed(|| commands.iter().map(guess).sum::<usize>());
        assert!(needs > 0);
        guessed.push(time);
        let mut partial = partial;
        state.facts().for_each(|fact| partial.load(fact));
        partial.age();
        aged.push(timed(|| partial.age()).1);
    }
    let each = |time| 1e9 / per_second(records, time);
    println!("{records} records, {learners} learners, median of {runs}, ns of one core per record");
    println!(
        "  carried out, with body and keys   {:>7.0}",
        each(median(carried))
    );
    println!(
        "  one hash of 120 bytes, beside it  {:>7.0}",
        each(median(hashed))
    );
    println!(
        "  likely needs, nothing known       {:>7.0}",
        each(median(guessed))
    );
    println!(
        "  forgotten by age, all at once     {:>7.0}",
        each(median(aged))
    );
}
