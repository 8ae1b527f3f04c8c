//! The engine while much is going on at once: a block on its way, the next being decided, facts cached
//! and forgotten, disks that fill up and machines that stop.
//!
//! Apart from `engine`, which tells one command after the other: here the order of things is left to
//! chance, and what must hold is looked for in the ledger afterwards.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a test stops at what it does not expect"
)]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use chain::{Block, Head, LearnerLink, Position, Record};
use creditbank_server::clock::Clock;
use creditbank_server::engine::{
    Done, Engine, EngineFault, ErasureScope, LedgerKeys, Mode, Outcome, WriterOptions,
};
use durable::{SimFs, Survivors};
use ledger::words::*;
use ledger::*;
use store::{AppendError, EventStore, Fault, Key, MemoryStore, ReadError};
use store_log::{LogStore, Options};
use tokio::task::JoinSet;

/// Small enough that everything is forgotten all the time.
const FORGETFUL: WriterOptions = WriterOptions {
    group_bytes: 8 << 10,
    facts_max: 24,
    learners_max: 4,
};

fn text(value: &str) -> Text {
    Text {
        value: value.into(),
        language: "en".into(),
    }
}

fn uni() -> InstitutionId {
    "uni".parse().unwrap()
}

fn by_uni(action: Action) -> Command {
    Command {
        actor: Actor::Institution(uni()),
        action,
    }
}

fn student(number: &str) -> StudentNumber {
    StudentNumber {
        institution: uni(),
        number: number.into(),
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

async fn open<S: EventStore>(
    store: Arc<S>,
    options: WriterOptions,
) -> Result<Engine<S>, EngineFault> {
    let clock = Arc::new(Clock::system());
    let opened = Engine::open(store, clock, options, vec![]).await;
    opened.map(|(engine, _)| engine)
}

/// An engine on that store, with a university.
async fn with_university<S: EventStore>(store: Arc<S>, options: WriterOptions) -> Engine<S> {
    let engine = open(store, options).await.unwrap();
    let profile = InstitutionProfile {
        id: uni(),
        names: vec![text("University")],
        kind: String::new(),
        region: String::new(),
        parent: None,
        scopes: vec![Scope::default()],
        signatures_required: false,
    };
    let (actor, action) = (Actor::Operator, Action::RegisterInstitution(profile));
    one(&engine, Command { actor, action }).await;
    engine
}

async fn one<S: EventStore>(engine: &Engine<S>, command: Command) -> Done {
    let outcomes = engine.execute(vec![command], Mode::Each).await.unwrap();
    outcomes.into_iter().next().unwrap().unwrap()
}

async fn register<S: EventStore>(engine: &Engine<S>, number: &str) -> Handle {
    let action = Action::RegisterLearner {
        fresh: engine.fresh_handle().unwrap(),
        profile: LearnerProfile::default(),
        students: vec![student(number)],
        request_id: String::new(),
    };
    one(engine, by_uni(action)).await.learner.unwrap()
}

fn submit<S: EventStore>(engine: &Engine<S>, number: &str, record_id: &str) -> Command {
    by_uni(Action::Submit {
        issuer: uni(),
        learner: LearnerReference::Student(student(number)),
        achievement: achievement(record_id).into(),
        signature: None,
        fresh: engine.fresh_handle().unwrap(),
        register: None,
    })
}

/// Every record, after every event was admitted again and every learner's chain was followed.
async fn audited<S: EventStore>(store: &S) -> Vec<Record> {
    let records = store.read(Position(0), u64::MAX).await.unwrap();
    let mut state = State::new();
    let mut tips: BTreeMap<chain::Handle, (u64, Position, chain::Hash)> = BTreeMap::new();
    for record in &records {
        let leaf = &record.leaf;
        if let Some(LearnerLink {
            handle,
            revision,
            previous_position,
            previous_hash,
        }) = leaf.learner
        {
            let tip = tips.insert(handle, (revision, leaf.position, record.hash()));
            let expected = tip.map_or(
                (0, Position(0), chain::Hash::ZERO),
                |(revision, at, hash)| (revision + 1, at, hash),
            );
            let found = (revision, previous_position, previous_hash);
            assert_eq!(
                found, expected,
                "the chain of a learner at {}",
                leaf.position.0
            );
        }
        let learner = leaf.learner.map(|link| Handle(link.handle.0));
        let (issuer, submitter) = (leaf.issuer.as_str(), leaf.submitter.as_str());
        let event = if record.is_erased() {
            codec::erased(leaf.kind, issuer, submitter, learner)
        } else {
            codec::decode(leaf.kind, issuer, submitter, learner, &record.body)
        };
        let (event, at) = (event.unwrap(), Timestamp(leaf.recorded_at.0));
        admit(&state, &event, at).unwrap();
        state.apply(&event);
    }
    records
}

/// A store on which every step takes its time: others run before and after a block becomes durable.
struct Slow<S> {
    store: S,
    /// Appends fail for want of space.
    full: AtomicBool,
}

async fn others_run() {
    for _ in 0..3 {
        tokio::task::yield_now().await;
    }
}

impl<S: EventStore> EventStore for Slow<S> {
    async fn head(&self) -> Result<Head, Fault> {
        self.store.head().await
    }

    async fn append_keyed(
        &self,
        expected: Head,
        block: Block,
        keys: Option<Vec<(Key, Position)>>,
    ) -> Result<Head, AppendError> {
        others_run().await;
        if self.full.load(Ordering::SeqCst) {
            let source = "the disk is full".into();
            return Err(AppendError::Full { source });
        }
        let appended = self.store.append_keyed(expected, block, keys).await;
        others_run().await;
        appended
    }

    async fn read(&self, from: Position, bytes_max: u64) -> Result<Vec<Record>, ReadError> {
        self.store.read(from, bytes_max).await
    }

    async fn get(&self, positions: &[Position]) -> Result<Vec<Record>, ReadError> {
        others_run().await;
        self.store.get(positions).await
    }

    async fn find(&self, keys: &[Key]) -> Result<Vec<Option<Position>>, ReadError> {
        others_run().await;
        let found = self.store.find(keys).await;
        others_run().await;
        found
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
        others_run().await;
        let erased = self.store.erase(positions, through).await;
        others_run().await;
        erased
    }

    async fn erased_through(&self) -> Result<Option<Position>, Fault> {
        self.store.erased_through().await
    }

    async fn wait_past(&self, position: Position) -> Result<Head, Fault> {
        self.store.wait_past(position).await
    }
}

fn slow() -> Arc<Slow<MemoryStore>> {
    Arc::new(Slow {
        store: MemoryStore::new(Arc::new(LedgerKeys::default())),
        full: AtomicBool::new(false),
    })
}

/// One student number that goes from account to account, while others submit to the same accounts. What
/// was answered is what the next command builds on: a fact from a stale cache would lead elsewhere.
async fn wander<S: EventStore>(engine: Arc<Engine<S>>, name: String, accounts: Arc<Vec<String>>) {
    let number = format!("{name}-moves");
    for round in 0..8 {
        let account = &accounts[round % accounts.len()];
        let learner = LearnerReference::Student(student(account));
        let moves = student(&number);
        let link = by_uni(Action::LinkIdentity {
            learner,
            student: moves.clone(),
        });
        let home = one(&engine, link).await.learner.unwrap();
        let own = format!("{name}-{round}");
        let both = vec![
            submit(&engine, &number, &own),
            submit(&engine, account, &format!("{own}-too")),
        ];
        for outcome in engine.execute(both, Mode::Each).await.unwrap() {
            let done = outcome.unwrap();
            assert_eq!((done.learner, done.pending), (Some(home), None));
        }
        one(&engine, by_uni(Action::UnlinkIdentity { student: moves })).await;
        let pending = one(
            &engine,
            submit(&engine, &number, &format!("{own}-nobody's")),
        )
        .await;
        assert_eq!(pending.pending, Some(PendingReason::Unlinked));
        let again = one(&engine, submit(&engine, account, &own)).await;
        assert!(again.already, "sent again under the account's own number");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_decides_on_what_was_true_before() {
    let store = slow();
    let engine = Arc::new(with_university(Arc::clone(&store), FORGETFUL).await);
    let accounts: Vec<String> = (0..5).map(|n| format!("S{n}")).collect();
    for account in &accounts {
        register(&engine, account).await;
    }
    let accounts = Arc::new(accounts);
    let mut tasks = JoinSet::new();
    for n in 0..4 {
        let (engine, accounts) = (Arc::clone(&engine), Arc::clone(&accounts));
        tasks.spawn(wander(engine, format!("w{n}"), accounts));
    }
    let erasing = Arc::clone(&engine);
    tasks.spawn(async move {
        for n in 0..5 {
            let number = format!("E{n}");
            let handle = register(&erasing, &number).await;
            let record = format!("{number}-record");
            let done = one(&erasing, submit(&erasing, &number, &record)).await;
            assert_eq!(done.learner, Some(handle));
            let (outcome, n_erased) = erasing.erase(handle, ErasureScope::All).await.unwrap();
            assert!(outcome.is_ok() && n_erased == 3);
            // Neither link nor account is found any more.
            let later = submit(&erasing, &number, &format!("{record}-later"));
            let later = one(&erasing, later).await;
            assert_eq!(later.pending, Some(PendingReason::Unlinked));
        }
    });
    tasks.join_all().await;
    engine.close().await;
    audited(&*store).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_takes_nothing_and_what_was_decided_on_it_is_decided_again() {
    let store = slow();
    let engine = Arc::new(with_university(Arc::clone(&store), FORGETFUL).await);
    register(&engine, "S1").await;
    let before = engine.head().await.unwrap();
    store.full.store(true, Ordering::SeqCst);
    let send_all = || async {
        let mut tasks = JoinSet::new();
        for n in 0..40 {
            let engine = Arc::clone(&engine);
            tasks.spawn(async move {
                let number = ["S1", "nobody's"][n % 2];
                let command = submit(&engine, number, &format!("r{}", n / 4));
                engine.execute(vec![command], Mode::Each).await
            });
        }
        tasks.join_all().await
    };
    for refused in send_all().await {
        assert!(
            matches!(refused, Err(EngineFault::NoSpace(_))),
            "{refused:?}"
        );
    }
    assert_eq!(engine.head().await.unwrap(), before);
    store.full.store(false, Ordering::SeqCst);
    let outcomes = send_all().await;
    let n_new = outcomes.iter().filter(|outcome| {
        let outcome = outcome.as_ref().unwrap().first().unwrap();
        // Of those who send the same record under two numbers, one comes first.
        outcome.as_ref().is_ok_and(|done| !done.already)
    });
    assert_eq!(n_new.count(), 10);
    engine.close().await;
    audited(&*store).await;
}

const DIR: &str = "/ledger";

fn log_on(fs: &SimFs) -> Result<LogStore<SimFs>, String> {
    let options = Options {
        segment_bytes: 16 << 10,
        memtable_keys_max: 64,
        mark_after_ms: 5,
        ..Options::small()
    };
    let keys = Arc::new(LedgerKeys::default());
    let opened = LogStore::open(fs.clone(), Path::new(DIR), options, keys);
    opened
        .map(|(log, _)| log)
        .map_err(|error| error.to_string())
}

/// What every task sends, batch by batch: each its own records, and some that others send as well.
fn batches<S: EventStore>(engine: &Engine<S>, task: usize) -> Vec<Vec<Command>> {
    let record = |batch: usize, n: usize| match n {
        3 => (String::from("S0"), format!("shared-{batch}")),
        4 => (
            format!("unknown-{batch}"),
            format!("{task}-{batch}-pending"),
        ),
        _ => (
            format!("S{}", (task + n) % 3),
            format!("{task}-{batch}-{n}"),
        ),
    };
    let batch = |batch| {
        let commands = (0..5).map(|n| record(batch, n));
        let commands = commands.map(|(number, record_id)| submit(engine, &number, &record_id));
        commands.collect()
    };
    (0..4).map(batch).collect()
}

const TASKS: usize = 4;

type Answered = BTreeMap<(usize, usize), Vec<Outcome>>;

/// Sends everything; what was answered until something failed.
async fn send<S: EventStore>(engine: &Arc<Engine<S>>) -> Answered {
    let mut tasks = JoinSet::new();
    for task in 0..TASKS {
        let engine = Arc::clone(engine);
        tasks.spawn(async move {
            let mut answered = Vec::new();
            for (n, batch) in batches(&engine, task).into_iter().enumerate() {
                match engine.execute(batch, Mode::Each).await {
                    Ok(outcomes) => answered.push(((task, n), outcomes)),
                    Err(_) => break,
                }
            }
            answered
        });
    }
    tasks.join_all().await.into_iter().flatten().collect()
}

/// Receipts as what a submitter keeps of them.
fn kept(outcomes: &[Outcome]) -> Vec<(u64, Vec<u8>, chain::Hash)> {
    let last = |outcome: &Outcome| {
        let receipts = &outcome.as_ref().unwrap().receipts;
        let receipt = receipts.last().unwrap();
        let leaf = receipt.leaf.to_vec();
        (receipt.position.0, leaf, receipt.chain_hash)
    };
    outcomes.iter().map(last).collect()
}

/// The operations after which the ledger is ready for intake, and those after which all was sent.
async fn life(fs: &SimFs, crash_after: Option<usize>) -> (usize, usize, Answered) {
    let engine = with_university(Arc::new(log_on(fs).unwrap()), FORGETFUL).await;
    for n in 0..3 {
        register(&engine, &format!("S{n}")).await;
    }
    let ready = fs.ops();
    if let Some(n) = crash_after {
        fs.crash_at(ready + n);
    }
    let engine = Arc::new(engine);
    let answered = send(&engine).await;
    engine.close().await;
    (ready, fs.ops(), answered)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_is_there_after_a_crash_and_sent_again_it_is_the_same() {
    let (ready, done, answered) = life(&SimFs::new(), None).await;
    assert_eq!(answered.len(), TASKS * 4);
    let n_ops = done - ready;
    let mut n_cut_off = 0;
    for n in (0..n_ops).step_by(n_ops.div_ceil(40)) {
        let fs = SimFs::new();
        let (_, _, acknowledged) = life(&fs, Some(n)).await;
        n_cut_off += usize::from(acknowledged.len() < TASKS * 4);
        let survivors = Survivors::EVERY[n % Survivors::EVERY.len()];
        let note = format!("stopped {n} operations after the first, {survivors:?} survives");
        let restarted = fs.after_crash(survivors);
        let store = Arc::new(log_on(&restarted).expect(&note));
        let engine = Arc::new(open(Arc::clone(&store), FORGETFUL).await.expect(&note));
        let first = send(&engine).await;
        let again = send(&engine).await;
        assert_eq!(first.len(), TASKS * 4, "{note}");
        for (batch, outcomes) in &first {
            let receipts = kept(outcomes);
            assert_eq!(receipts, kept(&again[batch]), "{note}");
            if let Some(before) = acknowledged.get(batch) {
                assert_eq!(receipts, kept(before), "{note}");
                let repeated = |outcome: &Outcome| outcome.as_ref().unwrap().already;
                assert!(outcomes.iter().all(repeated), "{note}");
            }
        }
        engine.close().await;
        let records = audited(&*store).await;
        let is_recorded = |record: &&Record| record.leaf.kind == recorded();
        // Each task's own, its pending ones, and the shared ones once.
        let n_recorded = records.iter().filter(is_recorded).count();
        assert_eq!(n_recorded, TASKS * 4 * 4 + 4, "{note}");
    }
    assert!(
        n_cut_off > 10,
        "most crashes come in the middle: {n_cut_off}"
    );
}

fn recorded() -> u16 {
    u16::try_from(i32::from(EventKind::AchievementRecorded)).unwrap()
}
