//! Intake in process: batches of 500 achievements through the engine onto the durable log, beside the raw
//! log (the same bytes appended as blocks, without deciding anything) and the verifier, in one run.
//!
//! `cargo bench --bench intake -- records=200000 learners=20000 runs=3 batch=500 tasks=8 cold verify=no`:
//! any of these; `cold` opens the ledger again before the intake, so that no learner is in memory.

#![allow(
    missing_docs,
    clippy::as_conversions,
    clippy::float_arithmetic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a benchmark prints figures for people, and stops when anything fails"
)]

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use chain::{Block, Head, Position};
use creditbank_benches::{CountingFs, is_full_size, median, per_second, timed};
use ledger::words::{
    Achievement, CreditUnit, InstitutionProfile, LearnerProfile, LearnerReference, Origin, Scope,
    Size, StudentNumber, Text, UnitKind,
};
use ledger::{Action, Actor, Command, Date};
use server::clock::Clock;
use server::engine::{Engine, LedgerKeys, Mode, WriterOptions};
use store::EventStore as _;
use store_log::{LogStore, Options};

/// How much of what.
#[derive(Clone, Copy)]
struct Shape {
    records: u64,
    learners: u64,
    batch: u64,
    tasks: u64,
    runs: u64,
    cold: bool,
    verifies: bool,
}

impl Shape {
    fn from_arguments() -> Self {
        let small = !is_full_size();
        let or = |full, size_one| if small { size_one } else { full };
        let number = |name: &str, default: u64| {
            let named = std::env::args().find_map(|argument| {
                let value = argument.strip_prefix(name)?.strip_prefix('=')?.to_owned();
                Some(value.parse().expect("a number"))
            });
            named.unwrap_or(default)
        };
        let says = |word: &str| std::env::args().any(|argument| argument == word);
        Shape {
            records: number("records", or(200_000, 500)),
            learners: number("learners", or(20_000, 100)),
            batch: number("batch", 500),
            tasks: number("tasks", 8),
            runs: number("runs", or(3, 1)),
            cold: says("cold"),
            verifies: !says("verify=no"),
        }
    }
}

/// CPU time of all threads of this process so far.
fn cpu() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

type Bank = Engine<LogStore<CountingFs>>;

fn text(value: &str) -> Text {
    Text {
        value: value.into(),
        language: "en".into(),
    }
}

fn student(n: u64) -> StudentNumber {
    StudentNumber {
        institution: "uni".parse().unwrap(),
        number: format!("S{n:09}"),
    }
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

fn by_uni(action: Action) -> Command {
    Command {
        actor: Actor::Institution("uni".parse().unwrap()),
        action,
    }
}

/// A ledger with a university and that many learners.
async fn bank(fs: &CountingFs, dir: &Path, learners: u64) -> Arc<Bank> {
    let engine = open(fs, dir).await;
    let profile = InstitutionProfile {
        id: "uni".parse().unwrap(),
        names: vec![text("University")],
        kind: String::new(),
        region: String::new(),
        parent: None,
        scopes: vec![Scope::default()],
        signatures_required: false,
    };
    let register = Action::RegisterInstitution(profile);
    run(
        &engine,
        vec![Command {
            actor: Actor::Operator,
            action: register,
        }],
    )
    .await;
    for from in (0..learners).step_by(500) {
        let some = (from..learners.min(from + 500)).map(|n| {
            by_uni(Action::RegisterLearner {
                fresh: engine.fresh_handle().unwrap(),
                profile: LearnerProfile::default(),
                students: vec![student(n)],
                request_id: String::new(),
            })
        });
        run(&engine, some.collect()).await;
    }
    Arc::new(engine)
}

async fn open(fs: &CountingFs, dir: &Path) -> Bank {
    let keys = Arc::new(LedgerKeys::default());
    let (store, _) = LogStore::open(fs.clone(), dir, Options::default(), keys).unwrap();
    let unit = CreditUnit {
        code: "ects".into(),
        title: "ECTS".into(),
        kind: UnitKind::Credits,
        source: "EU".into(),
    };
    let vocabulary = vec![Action::PublishCreditUnit(unit)];
    let clock = Arc::new(Clock::system());
    let options = WriterOptions::default();
    let (engine, _) = Engine::open(Arc::new(store), clock, options, vocabulary)
        .await
        .unwrap();
    engine
}

async fn run(engine: &Bank, commands: Vec<Command>) {
    for outcome in engine.execute(commands, Mode::Each).await.unwrap() {
        outcome.expect("every command of the benchmark is accepted");
    }
}

fn batch(engine: &Bank, from: u64, shape: Shape) -> Vec<Command> {
    let submit = |n: u64| {
        // A course list is no learner list: neighbours in a batch are different learners.
        let learner = LearnerReference::Student(student(n.wrapping_mul(7_919) % shape.learners));
        let (issuer, fresh) = ("uni".parse().unwrap(), engine.fresh_handle().unwrap());
        by_uni(Action::Submit {
            signature: None,
            issuer,
            learner,
            achievement: achievement(n).into(),
            fresh,
            register: None,
        })
    };
    (from..from + shape.batch).map(submit).collect()
}

/// Submits achievements in batches from several tasks; the time it took.
async fn intake(engine: &Arc<Bank>, shape: Shape) -> Duration {
    let start = std::time::Instant::now();
    let mut tasks = tokio::task::JoinSet::new();
    let every = usize::try_from(shape.tasks * shape.batch).unwrap();
    for task in 0..shape.tasks {
        let engine = Arc::clone(engine);
        tasks.spawn(async move {
            for from in (task * shape.batch..shape.records).step_by(every) {
                run(&engine, batch(&engine, from, shape)).await;
            }
        });
    }
    tasks.join_all().await;
    start.elapsed()
}

/// The same blocks appended to another log by nobody but this loop.
async fn raw(fs: &CountingFs, dir: &Path, blocks: Vec<Block>) -> Duration {
    let keys = Arc::new(LedgerKeys::default());
    let (log, _) = LogStore::open(fs.clone(), dir, Options::default(), keys).unwrap();
    let start = std::time::Instant::now();
    let mut head = Head::EMPTY;
    for block in blocks {
        head = log.append(head, block).await.unwrap();
    }
    start.elapsed()
}

async fn blocks_of(engine: &Bank) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut prev = Head::EMPTY;
    let head = engine.head().await.unwrap();
    while prev.size < head.size {
        let records = engine
            .store()
            .read(Position(prev.size), 1 << 18)
            .await
            .unwrap();
        let at = records[0].leaf.recorded_at;
        let one = records
            .into_iter()
            .take_while(|record| record.leaf.recorded_at == at)
            .collect();
        let block = Block::new(prev, one).unwrap();
        prev = block.head();
        blocks.push(block);
    }
    blocks
}

/// What one run took.
struct Run {
    intake: Duration,
    cpu: Duration,
    syncs: u64,
    raw: Duration,
    raw_cpu: Duration,
    /// Records in the ledger, with learners and vocabulary.
    size: u64,
}

async fn one_run(shape: Shape, dir: &Path) -> Run {
    let (fs, raw_fs) = (CountingFs::default(), CountingFs::default());
    let data = dir.join("engine");
    let mut engine = bank(&fs, &data, shape.learners).await;
    if shape.cold {
        engine.close().await;
        drop(engine);
        engine = Arc::new(open(&fs, &data).await);
    }
    let (syncs, before) = (fs.syncs(), cpu());
    let intake = intake(&engine, shape).await;
    let (syncs, intake_cpu) = (fs.syncs() - syncs, cpu() - before);
    let blocks = blocks_of(&engine).await;
    let size = engine.head().await.unwrap().size;
    let before = cpu();
    let raw = raw(&raw_fs, &dir.join("raw"), blocks).await;
    let raw_cpu = cpu() - before;
    engine.close().await;
    Run {
        intake,
        cpu: intake_cpu,
        syncs,
        raw,
        raw_cpu,
        size,
    }
}

fn micros_each(time: Duration, n: u64) -> f64 {
    time.as_secs_f64() * 1e6 / n as f64
}

fn main() {
    let shape = Shape::from_arguments();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let mut runs = Vec::new();
    let mut verifies = Vec::new();
    for n in 0..shape.runs {
        let dir = tempfile::tempdir().unwrap();
        runs.push(runtime.block_on(one_run(shape, dir.path())));
        if shape.verifies && n == 0 {
            let (options, data) = (verify::Options::default(), dir.path().join("engine"));
            let (report, time) =
                timed(|| verify::verify(&durable::OsFs, &data, &options, &mut |_| {}).unwrap());
            assert!(report.clean, "{report}");
            verifies.push(time);
        }
    }
    let of = |what: fn(&Run) -> Duration| median(runs.iter().map(what).collect());
    let (intake, raw) = (of(|run| run.intake), of(|run| run.raw));
    let (cpu, raw_cpu) = (of(|run| run.cpu), of(|run| run.raw_cpu));
    let Some(last) = runs.last() else { return };
    let Shape {
        records,
        learners,
        batch,
        tasks,
        cold,
        ..
    } = shape;
    println!(
        "{records} records, {learners} learners{}, batches of {batch} from {tasks} tasks, median of {}",
        if cold { " not in memory" } else { "" },
        shape.runs
    );
    println!(
        "  engine, durable   {:>9.0} records/s, {:>5.2} us CPU each, {} fdatasync, {:.0} records a sync",
        per_second(records, intake),
        micros_each(cpu, records),
        last.syncs,
        records as f64 / last.syncs.max(1) as f64,
    );
    println!(
        "  raw log, durable  {:>9.0} records/s, {:>5.2} us CPU each (with learners)",
        per_second(last.size, raw),
        micros_each(raw_cpu, last.size),
    );
    for verify in verifies {
        println!(
            "  verify, all of it {:>9.0} records/s",
            per_second(last.size, verify)
        );
    }
    println!(
        "  engine / raw log  {:.2}",
        per_second(records, intake) / per_second(last.size, raw)
    );
}
