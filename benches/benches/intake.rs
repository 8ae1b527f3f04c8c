//! Intake in process: batches of 500 achievements through the engine onto the durable log, beside the raw
//! log (the same bytes appended as blocks, without deciding anything) and the verifier, in one run.

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

const BATCH: u64 = 500;
const OPTIONS: WriterOptions = WriterOptions {
    group_bytes: 1 << 20,
    facts_max: 1 << 20,
};

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
    let (engine, _) = Engine::open(Arc::new(store), clock, OPTIONS, vocabulary)
        .await
        .unwrap();
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
        let some = (from..learners.min(from + BATCH)).map(|n| {
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

async fn run(engine: &Bank, commands: Vec<Command>) {
    for outcome in engine.execute(commands, Mode::Each).await.unwrap() {
        outcome.expect("every command of the benchmark is accepted");
    }
}

fn batch(engine: &Bank, from: u64, learners: u64) -> Vec<Command> {
    let submit = |n: u64| {
        // A course list is no learner list: neighbours in a batch are different learners.
        let learner = LearnerReference::Student(student(n.wrapping_mul(7_919) % learners));
        let (issuer, fresh) = ("uni".parse().unwrap(), engine.fresh_handle().unwrap());
        by_uni(Action::Submit {
            signature: None,
            issuer,
            learner,
            achievement: achievement(n),
            fresh,
            register: None,
        })
    };
    (from..from + BATCH).map(submit).collect()
}

/// Submits `records` achievements in batches of 500 from 8 tasks; the time it took.
async fn intake(engine: &Arc<Bank>, records: u64, learners: u64) -> Duration {
    let start = std::time::Instant::now();
    let mut tasks = tokio::task::JoinSet::new();
    for task in 0..8 {
        let engine = Arc::clone(engine);
        tasks.spawn(async move {
            for from in (task * BATCH..records).step_by(8 * 500) {
                run(&engine, batch(&engine, from, learners)).await;
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

fn main() {
    let (records, learners, runs) = if is_full_size() {
        (200_000, 20_000, 3)
    } else {
        (BATCH, 100, 1)
    };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let mut intakes = Vec::new();
    let mut raws = Vec::new();
    let mut verifies = Vec::new();
    let mut syncs = 0;
    for _ in 0..runs {
        let dir = tempfile::tempdir().unwrap();
        let (fs, raw_fs) = (CountingFs::default(), CountingFs::default());
        let data = dir.path().join("engine");
        runtime.block_on(async {
            let engine = bank(&fs, &data, learners).await;
            let before = fs.syncs();
            intakes.push(intake(&engine, records, learners).await);
            syncs = fs.syncs() - before;
            raws.push(raw(&raw_fs, &dir.path().join("raw"), blocks_of(&engine).await).await);
            engine.close().await;
        });
        let options = verify::Options::default();
        let (report, time) =
            timed(|| verify::verify(&durable::OsFs, &data, &options, &mut |_| {}).unwrap());
        assert!(report.clean, "{report}");
        verifies.push(time);
    }
    let (intake, raw, verify) = (median(intakes), median(raws), median(verifies));
    println!(
        "{records} records, {learners} learners, batches of {BATCH} from 8 tasks, median of {runs}"
    );
    println!(
        "  engine, durable   {:>9.0} records/s, {syncs} fdatasync",
        per_second(records, intake)
    );
    println!(
        "  raw log, durable  {:>9.0} records/s (with learners)",
        per_second(records + 2 * learners, raw)
    );
    println!(
        "  verify, all of it {:>9.0} records/s",
        per_second(records + 2 * learners, verify)
    );
    println!(
        "  engine / raw log  {:.2}",
        per_second(records, intake) / per_second(records + 2 * learners, raw)
    );
}
