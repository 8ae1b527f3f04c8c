//! Crash, error and recovery sweeps over a real ledger, judged by the auditor's verifier.
//!
//! The workload is made by the server's own engine: institutions, learners, records, a pending one that
//! is bound, a revocation, a reassignment and two erasures. Its blocks are then appended to a simulated
//! disk that stops, or fails, at every operation.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use chain::{Block, Head, Position, Record};
use durable::SimFs;
use ledger::words::{
    Achievement, InstitutionProfile, LearnerProfile, LearnerReference, Origin, RecordName, Scope,
    StudentNumber, Text,
};
use ledger::{Action, Actor, Command, Date};
use server::clock::Clock;
use server::engine::{Engine, ErasureScope, LedgerKeys, Mode, WriterOptions};
use store::{AppendError, EventStore, Fault, Key, MemoryStore, ReadError};
use store_log::Options;
use store_log::sweep::{self, Step, Workload};

/// A memory store that remembers what was asked of it.
struct Witnessed {
    store: MemoryStore,
    asked: Mutex<Vec<Asked>>,
}

enum Asked {
    Append(Block),
    Erase(Vec<Position>, Position),
}

impl EventStore for Witnessed {
    async fn head(&self) -> Result<Head, Fault> {
        self.store.head().await
    }

    async fn append_keyed(
        &self,
        expected: Head,
        block: Block,
        keys: Option<Vec<(Key, Position)>>,
    ) -> Result<Head, AppendError> {
        self.asked
            .lock()
            .unwrap()
            .push(Asked::Append(block.clone()));
        self.store.append_keyed(expected, block, keys).await
    }

    async fn read(&self, from: Position, bytes_max: u64) -> Result<Vec<Record>, ReadError> {
        self.store.read(from, bytes_max).await
    }

    async fn get(&self, positions: &[Position]) -> Result<Vec<Record>, ReadError> {
        self.store.get(positions).await
    }

    async fn find(&self, keys: &[Key]) -> Result<Vec<Option<Position>>, ReadError> {
        self.store.find(keys).await
    }

    async fn find_all(
        &self,
        key: Key,
        from: Position,
        below: Position,
    ) -> Result<Vec<Position>, ReadError> {
        self.store.find_all(key, from, below).await
    }

    async fn erase(&self, positions: &[Position], through: Position) -> Result<(), Fault> {
        self.asked
            .lock()
            .unwrap()
            .push(Asked::Erase(positions.to_vec(), through));
        self.store.erase(positions, through).await
    }

    async fn erased_through(&self) -> Result<Option<Position>, Fault> {
        self.store.erased_through().await
    }

    async fn wait_past(&self, position: Position) -> Result<Head, Fault> {
        self.store.wait_past(position).await
    }
}

fn text(value: &str) -> Text {
    Text {
        value: value.into(),
        language: "en".into(),
    }
}

fn student(number: &str) -> StudentNumber {
    StudentNumber {
        institution: "uni".parse().unwrap(),
        number: number.into(),
    }
}

fn by_uni(action: Action) -> Command {
    Command {
        actor: Actor::Institution("uni".parse().unwrap()),
        action,
    }
}

fn achievement(record_id: &str) -> Achievement {
    Achievement {
        record_id: record_id.into(),
        achievement_type: "Course".into(),
        code: format!("C-{record_id}"),
        titles: vec![text("A course")],
        size: None,
        level: None,
        field: String::new(),
        source_kind: String::new(),
        delivery: String::new(),
        origin: Origin::Earned,
        source: None,
        part_of: None,
        offering: String::new(),
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

/// Everything that the ledger does, in a few dozen records.
#[allow(clippy::too_many_lines, reason = "a life, told in order")]
async fn live(engine: &Engine<Witnessed>) {
    let one = |command: Command| async move {
        let outcome = engine
            .execute(vec![command], Mode::Each)
            .await
            .unwrap()
            .pop()
            .unwrap();
        outcome.unwrap().learner
    };
    let register = |number: &str| {
        let fresh = engine.fresh_handle().unwrap();
        let (students, request_id) = (vec![student(number)], String::new());
        let profile = LearnerProfile {
            names: vec![text(number)],
            ..LearnerProfile::default()
        };
        one(by_uni(Action::RegisterLearner {
            fresh,
            profile,
            students,
            request_id,
        }))
    };
    let submit = |number: &str, record_id: &str| {
        let learner = LearnerReference::Student(student(number));
        let (issuer, fresh) = ("uni".parse().unwrap(), engine.fresh_handle().unwrap());
        let achievement = achievement(record_id);
        by_uni(Action::Submit {
            signature: None,
            issuer,
            learner,
            achievement: achievement.into(),
            fresh,
            register: None,
        })
    };
    let name = |record_id: &str| RecordName {
        issuer: "uni".parse().unwrap(),
        record_id: record_id.into(),
    };
    let uni = InstitutionProfile {
        id: "uni".parse().unwrap(),
        names: vec![text("University")],
        kind: String::new(),
        region: String::new(),
        parent: None,
        scopes: vec![Scope::default()],
        signatures_required: false,
    };
    one(Command {
        actor: Actor::Operator,
        action: Action::RegisterInstitution(uni),
    })
    .await;
    let ada = register("ada").await.unwrap();
    let bob = register("bob").await.unwrap();
    let batch = (0..5)
        .map(|n| submit(["ada", "bob"][n % 2], &format!("r{n}")))
        .collect();
    engine.execute(batch, Mode::Atomic).await.unwrap();
    one(submit("eve", "pending")).await;
    one(by_uni(Action::Revoke {
        name: name("r1"),
        reason: "fraud".into(),
    }))
    .await;
    register("eve").await;
    let to = LearnerReference::Handle(bob);
    let actor = Actor::Institution("uni".parse().unwrap());
    let moved = engine
        .reassign(actor, name("r0"), to, "mistaken".into(), None, false)
        .await;
    moved.unwrap().unwrap();
    engine
        .erase(ada, ErasureScope::Identity)
        .await
        .unwrap()
        .0
        .unwrap();
    one(submit("bob", "later")).await;
    engine
        .erase(ada, ErasureScope::All)
        .await
        .unwrap()
        .0
        .unwrap();
    one(submit("bob", "last")).await;
}

/// The workload of a ledger's life, with marks, background work and a restart in between.
fn workload() -> Workload {
    let keys = Arc::new(LedgerKeys::default());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let asked = runtime.block_on(async {
        let store = MemoryStore::new(keys.clone());
        let store = Arc::new(Witnessed {
            store,
            asked: Mutex::default(),
        });
        let options = WriterOptions {
            group_bytes: 1 << 20,
            facts_max: 1_000,
            learners_max: 10_000,
        };
        let clock = Arc::new(Clock::system());
        let opened = Engine::open(Arc::clone(&store), clock, options, vec![])
            .await
            .unwrap();
        live(&opened.0).await;
        opened.0.close().await;
        std::mem::take(&mut *store.asked.lock().unwrap())
    });
    let mut steps = Vec::new();
    for (n, asked) in asked.into_iter().enumerate() {
        steps.push(match asked {
            Asked::Append(block) => Step::append(move |head| {
                assert_eq!(head, block.prev(), "a block is made for one head");
                block.clone()
            }),
            Asked::Erase(positions, through) => Step::Erase(positions, through),
        });
        match n {
            3 | 9 => steps.push(Step::Mark),
            5 | 12 => steps.push(Step::Work(5)),
            7 => steps.push(Step::Reopen),
            _ => {}
        }
    }
    // Every block fits a segment, and few fit one.
    let options = Options {
        segment_bytes: 8192,
        memtable_keys_max: 12,
        ..Options::small()
    };
    Workload {
        dir: PathBuf::from("/data/ledger"),
        options,
        keys,
        steps,
    }
}

/// The verifier's verdict.
fn verdict(fs: &SimFs, dir: &Path) -> Result<Head, String> {
    match verify::verify(fs, dir, &verify::Options::default(), &mut |_| {}) {
        Ok(report) if report.clean => report.head.parse().map_err(|_| report.head),
        Ok(report) => Err(report.to_string()),
        Err(verify::CouldNotRun::NoLedger { .. } | verify::CouldNotRun::NoDirectory { .. }) => {
            Ok(Head::EMPTY)
        }
        Err(error) => Err(error.to_string()),
    }
}

#[test]
fn the_verifier_agrees_after_a_crash_at_any_operation() {
    let summary = sweep::crashes(&workload(), &verdict);
    assert!(summary.n_runs > 300, "{summary:?}");
}

#[test]
fn the_verifier_agrees_after_any_operation_failed() {
    let summary = sweep::errors(&workload(), &verdict);
    assert!(summary.n_runs > 300, "{summary:?}");
}

#[test]
fn the_verifier_agrees_after_crashes_during_recovery() {
    let summary = sweep::cycles(&workload(), &verdict, 0..24);
    assert!(summary.n_runs > 60, "{summary:?}");
}
