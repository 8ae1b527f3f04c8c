//! Opening a ledger reads its registry and not its learners.
//!
//! Apart from the engine's other tests because it counts what is asked of the store.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test stops at what it does not expect"
)]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use chain::{Block, Head, Position, Record};
use creditbank_server::clock::Clock;
use creditbank_server::engine::{Engine, LedgerKeys, Mode, Opened, WriterOptions};
use ledger::registry::Registry;
use ledger::words::{
    CreditUnit, InstitutionProfile, LearnerProfile, Scope, StudentNumber, Text, UnitKind,
};
use ledger::{Action, Actor, Command, EventKind, State, codec};
use store::{AppendError, EventStore, Fault, Key, Keys, MemoryStore, ReadError};

const OPTIONS: WriterOptions = WriterOptions {
    group_bytes: 1 << 20,
    facts_max: 100_000,
    learners_max: 10_000,
};

/// A memory store that counts the records that it gives out.
struct Counting {
    store: MemoryStore,
    n_read: AtomicU64,
    n_got: AtomicU64,
}

impl Counting {
    fn on(store: MemoryStore) -> Arc<Self> {
        Arc::new(Self {
            store,
            n_read: AtomicU64::new(0),
            n_got: AtomicU64::new(0),
        })
    }

    fn restarted(&self) -> Arc<Self> {
        Self::on(self.store.reopen(Arc::new(LedgerKeys::default())))
    }
}

fn count(counter: &AtomicU64, records: &[Record]) {
    let n = u64::try_from(records.len()).unwrap();
    counter.fetch_add(n, Ordering::Relaxed);
}

impl EventStore for Counting {
    async fn head(&self) -> Result<Head, Fault> {
        self.store.head().await
    }

    async fn append_keyed(
        &self,
        expected: Head,
        block: Block,
        keys: Option<Vec<(Key, Position)>>,
    ) -> Result<Head, AppendError> {
        self.store.append_keyed(expected, block, keys).await
    }

    async fn read(&self, from: Position, bytes_max: u64) -> Result<Vec<Record>, ReadError> {
        let records = self.store.read(from, bytes_max).await?;
        count(&self.n_read, &records);
        Ok(records)
    }

    async fn get(&self, positions: &[Position]) -> Result<Vec<Record>, ReadError> {
        let records = self.store.get(positions).await?;
        count(&self.n_got, &records);
        Ok(records)
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
        self.store.erase(positions, through).await
    }

    async fn erased_through(&self) -> Result<Option<Position>, Fault> {
        self.store.erased_through().await
    }

    async fn wait_past(&self, position: Position) -> Result<Head, Fault> {
        self.store.wait_past(position).await
    }
}

fn text(value: String) -> Text {
    let language = "en".into();
    Text { value, language }
}

fn register_institution(n: u32) -> Action {
    Action::RegisterInstitution(InstitutionProfile {
        id: format!("uni-{n}").parse().unwrap(),
        names: vec![text(format!("University {n}"))],
        kind: "university".into(),
        region: String::new(),
        parent: None,
        scopes: vec![Scope::default()],
        signatures_required: false,
    })
}

fn publish_unit(n: u32) -> Action {
    Action::PublishCreditUnit(CreditUnit {
        code: format!("unit-{n}"),
        title: format!("Unit {n}"),
        kind: UnitKind::Credits,
        source: "a decree".into(),
    })
}

async fn open(store: &Arc<Counting>) -> (Engine<Counting>, Opened) {
    let clock = Arc::new(Clock::system());
    let vocabulary = vec![publish_unit(0)];
    let opened = Engine::open(Arc::clone(store), clock, OPTIONS, vocabulary).await;
    opened.unwrap()
}

async fn all_done(engine: &Engine<Counting>, commands: Vec<Command>) {
    for outcome in engine.execute(commands, Mode::Each).await.unwrap() {
        outcome.unwrap();
    }
}

/// Institutions and units, each followed by many learners of its own.
async fn grow(engine: &Engine<Counting>, rounds: std::ops::Range<u32>) {
    for round in rounds {
        let by_operator = [register_institution(round), publish_unit(round)];
        let actor = Actor::Operator;
        let commands = by_operator.map(|action| Command {
            actor: actor.clone(),
            action,
        });
        all_done(engine, commands.into()).await;
        let institution: ledger::InstitutionId = format!("uni-{round}").parse().unwrap();
        let register = |n: u32| Command {
            actor: Actor::Institution(institution.clone()),
            action: Action::RegisterLearner {
                fresh: engine.fresh_handle().unwrap(),
                profile: LearnerProfile::default(),
                students: vec![StudentNumber {
                    institution: institution.clone(),
                    number: format!("S{n}"),
                }],
                request_id: String::new(),
            },
        };
        all_done(engine, (0..150).map(register).collect()).await;
    }
}

/// The registry from every record of the log, in order, and how many of them have no learner.
async fn folded_from_all(store: &Counting) -> (Registry, u64) {
    let mut state = State::new();
    let mut n_without_learner = 0;
    let size = store.head().await.unwrap().size;
    let records = store.store.read(Position(0), u64::MAX).await.unwrap();
    assert_eq!(u64::try_from(records.len()).unwrap(), size);
    for record in records {
        let leaf = &record.leaf;
        let learner = leaf.learner.map(|link| ledger::Handle(link.handle.0));
        let (issuer, submitter) = (leaf.issuer.as_str(), leaf.submitter.as_str());
        let event = codec::decode(leaf.kind, issuer, submitter, learner, &record.body).unwrap();
        n_without_learner += u64::from(learner.is_none());
        state.apply_at(ledger::Position(leaf.position.0), &event);
    }
    (Registry::clone(state.registry()), n_without_learner)
}

#[tokio::test]
async fn a_reopened_engine_has_the_registry_and_has_not_scanned_the_log() {
    let store = Counting::on(MemoryStore::new(Arc::new(LedgerKeys::default())));
    let (engine, opened) = open(&store).await;
    assert_eq!(opened, Opened::Began);
    grow(&engine, 1..20).await;
    engine.close().await;
    let (expected, n_without_learner) = folded_from_all(&store).await;
    let size = store.head().await.unwrap().size;
    assert!(n_without_learner == 40 && size > 2_000);

    let store = store.restarted();
    let (engine, opened) = open(&store).await;
    assert_eq!(opened, Opened::Resumed { size, erased: 0 });
    assert_eq!(*engine.registry(), expected);
    assert_eq!(store.n_read.load(Ordering::Relaxed), 0);
    // The opening, the registry's events, and the last record for its time.
    assert_eq!(store.n_got.load(Ordering::Relaxed), n_without_learner + 2);

    // What comes after goes on from there.
    grow(&engine, 20..22).await;
    let (expected, _) = folded_from_all(&store).await;
    assert_eq!(*engine.registry(), expected);
    engine.close().await;
    let (engine, _) = open(&store.restarted()).await;
    assert_eq!(*engine.registry(), expected);
}

#[tokio::test]
async fn a_registry_event_that_cannot_be_read_is_not_passed_over() {
    let store = Counting::on(MemoryStore::new(Arc::new(LedgerKeys::default())));
    let (engine, _) = open(&store).await;
    grow(&engine, 1..2).await;
    engine.close().await;
    let head = store.head().await.unwrap();
    let kind = u16::try_from(i32::from(EventKind::CreditUnitPublished)).unwrap();
    let mut builder = chain::BlockBuilder::new(head, chain::Timestamp(u64::MAX >> 1));
    let (bank, salt) = (chain::Institution::OPERATOR, chain::Salt([7; 32]));
    let body = b"a form of a later version".to_vec();
    builder.push(kind, bank, bank, None, salt, body).unwrap();
    store.append(head, builder.finish()).await.unwrap();
    let keys = LedgerKeys::default();
    let first = store
        .get(&[Position(0), Position(head.size)])
        .await
        .unwrap();
    let keys: Vec<usize> = first.iter().map(|r| keys.keys_of(r).len()).collect();
    assert_eq!(keys, [1, 1]);
    let clock = Arc::new(Clock::system());
    let opened = Engine::open(store.restarted(), clock, OPTIONS, vec![]).await;
    let fault = opened.err().unwrap().to_string();
    assert!(fault.contains(&head.size.to_string()), "{fault}");
}
