//! An engine with a university on a store of either kind, and what the tests do with it.

use std::path::Path;
use std::sync::Arc;

use chain::{Block, Head, Position, Record};
use creditbank_server::clock::Clock;
use creditbank_server::engine::{
    Done, Engine, LedgerKeys, Mode, Opened, Outcome, Refused, WriterOptions,
};
use durable::SimFs;
use ledger::words::*;
use ledger::*;
use store::{AppendError, EventStore, Fault, Key, MemoryStore, ReadError};
use store_log::{LogStore, Options};

pub(crate) const OPTIONS: WriterOptions = WriterOptions {
    group_bytes: 1 << 20,
    facts_max: 100_000,
    learners_max: 10_000,
};

/// An engine on a store.
pub(crate) struct Bank<H: Home> {
    pub(crate) engine: Engine<H::Store>,
    pub(crate) store: Arc<H::Store>,
    home: H,
}

/// Where a store's records stay while no store is open.
pub(crate) trait Home: Sized + Send + Sync + 'static {
    type Store: EventStore;

    fn new() -> Self;

    /// A store on what is there, as after a restart.
    fn open(&self) -> Arc<Self::Store>;
}

/// Records in memory.
pub(crate) struct Memory(MemoryStore);

impl Home for Memory {
    type Store = MemoryStore;

    fn new() -> Self {
        Memory(MemoryStore::new(Arc::new(LedgerKeys::default())))
    }

    fn open(&self) -> Arc<MemoryStore> {
        Arc::new(self.0.reopen(Arc::new(LedgerKeys::default())))
    }
}

/// Records in files, in segments and runs of the index so small that a few records fill several.
pub(crate) struct Files(SimFs);

impl Home for Files {
    type Store = LogStore<SimFs>;

    fn new() -> Self {
        Files(SimFs::new())
    }

    fn open(&self) -> Arc<LogStore<SimFs>> {
        let options = Options {
            segment_bytes: 16 << 10,
            memtable_keys_max: 8,
            ..Options::small()
        };
        let keys = Arc::new(LedgerKeys::default());
        let opened = LogStore::open(self.0.clone(), Path::new("/ledger"), options, keys);
        Arc::new(opened.unwrap().0)
    }
}

fn text(value: &str) -> Text {
    Text {
        value: value.into(),
        language: "en".into(),
    }
}

pub(crate) fn id(id: &str) -> InstitutionId {
    id.parse().unwrap()
}

pub(crate) fn operator(action: Action) -> Command {
    Command {
        actor: Actor::Operator,
        action,
    }
}

pub(crate) fn by(institution: &str, action: Action) -> Command {
    Command {
        actor: Actor::Institution(id(institution)),
        action,
    }
}

fn student(number: &str) -> StudentNumber {
    StudentNumber {
        institution: id("uni"),
        number: number.into(),
    }
}

fn vocabulary() -> Vec<Action> {
    vec![Action::PublishCreditUnit(CreditUnit {
        code: "ects".into(),
        title: "ECTS".into(),
        kind: UnitKind::Credits,
        source: "EU".into(),
    })]
}

pub(crate) fn achievement(record_id: &str, code: &str, credits: &str) -> Achievement {
    Achievement {
        record_id: record_id.into(),
        achievement_type: "Course".into(),
        code: code.into(),
        titles: vec![text("A course")],
        size: Some(Size {
            amount: credits.parse().unwrap(),
            unit: "ects".into(),
        }),
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

impl<H: Home> Bank<H> {
    pub(crate) async fn open_with(home: H, options: WriterOptions) -> (Self, Opened) {
        let store = home.open();
        let clock = Arc::new(Clock::system());
        let (engine, opened) = Engine::open(Arc::clone(&store), clock, options, vocabulary())
            .await
            .unwrap();
        let bank = Bank {
            engine,
            store,
            home,
        };
        (bank, opened)
    }

    /// Ends engine and store.
    pub(crate) async fn closed(self) -> H {
        self.engine.close().await;
        self.home
    }

    pub(crate) async fn with_university() -> Self {
        let (bank, _) = Self::open_with(H::new(), OPTIONS).await;
        let profile = InstitutionProfile {
            id: id("uni"),
            names: vec![text("University")],
            kind: "university".into(),
            region: String::new(),
            parent: None,
            scopes: vec![Scope::default()],
            signatures_required: false,
        };
        bank.ok(operator(Action::RegisterInstitution(profile)))
            .await;
        bank
    }

    pub(crate) async fn one(&self, command: Command) -> Outcome {
        self.engine
            .execute(vec![command], Mode::Each)
            .await
            .unwrap()
            .pop()
            .unwrap()
    }

    pub(crate) async fn ok(&self, command: Command) -> Done {
        self.one(command).await.unwrap()
    }

    pub(crate) async fn reason(&self, command: Command) -> &'static str {
        match self.one(command).await.unwrap_err() {
            Refused::Rejected(rejection) => rejection.reason(),
            Refused::NotAttempted => "NOT_ATTEMPTED",
        }
    }

    pub(crate) fn submit(&self, number: &str, achievement: Achievement) -> Command {
        let learner = LearnerReference::Student(student(number));
        let fresh = self.engine.fresh_handle().unwrap();
        by(
            "uni",
            Action::Submit {
                signature: None,
                issuer: id("uni"),
                learner,
                achievement: achievement.into(),
                fresh,
                register: None,
            },
        )
    }

    pub(crate) async fn learner(&self, number: &str) -> Handle {
        let fresh = self.engine.fresh_handle().unwrap();
        let action = Action::RegisterLearner {
            fresh,
            profile: LearnerProfile::default(),
            students: vec![student(number)],
            request_id: format!("register {number}"),
        };
        self.ok(by("uni", action)).await.learner.unwrap()
    }

    pub(crate) async fn size(&self) -> u64 {
        self.engine.head().await.unwrap().size
    }
}

type Given = Option<Vec<(Key, Position)>>;

/// A store whose erasures fail, as if the machine stopped between the event and the zeros.
pub(crate) struct ErasesNothing<S>(pub(crate) Arc<S>);

impl<S: EventStore> EventStore for ErasesNothing<S> {
    async fn head(&self) -> Result<Head, Fault> {
        self.0.head().await
    }

    async fn append_keyed(&self, at: Head, block: Block, keys: Given) -> Result<Head, AppendError> {
        self.0.append_keyed(at, block, keys).await
    }

    async fn read(&self, from: Position, bytes_max: u64) -> Result<Vec<Record>, ReadError> {
        self.0.read(from, bytes_max).await
    }

    async fn get(&self, positions: &[Position]) -> Result<Vec<Record>, ReadError> {
        self.0.get(positions).await
    }

    async fn find(&self, keys: &[Key]) -> Result<Vec<Option<Position>>, ReadError> {
        self.0.find(keys).await
    }

    async fn find_all(
        &self,
        key: Key,
        from: Position,
        below: Position,
    ) -> Result<Vec<Position>, ReadError> {
        self.0.find_all(key, from, below).await
    }

    async fn erase(&self, _: &[Position], _: Position) -> Result<(), Fault> {
        Err(Fault::backend("erase bodies", "pulled the plug"))
    }

    async fn erased_through(&self) -> Result<Option<Position>, Fault> {
        self.0.erased_through().await
    }

    async fn wait_past(&self, position: Position) -> Result<Head, Fault> {
        self.0.wait_past(position).await
    }
}
