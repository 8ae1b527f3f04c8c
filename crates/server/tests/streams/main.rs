//! Streams and calls beside the service itself, where the clock can be moved, a commit held up, a call cut
//! off, and what has been made for a reader counted.
//!
//! Apart from the tests through gRPC because there the transport reads ahead, and time passes by itself.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test stops at what it does not expect"
)]

mod watched;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use api::v1;
use api::v1::account_service_server::AccountService;
use api::v1::audit_service_server::AuditService;
use api::v1::learner_reference::Reference;
use api::v1::learner_service_server::LearnerService;
use api::v1::record_service_server::RecordService;
use chain::{BlockBuilder, Position, Salt};
use creditbank_server::clock::{Clock, ManualClock};
use creditbank_server::engine::{Engine, LedgerKeys, Mode, WriterOptions};
use creditbank_server::identity::Identity;
use creditbank_server::limits::{Limits, StreamLimits};
use creditbank_server::services::{
    Accounts, Answers, Audit, Context, Learners, Records, Registries, Streams,
};
use creditbank_server::{from_proto, reference};
use ledger::words::{InstitutionProfile, LearnerProfile, Scope, StudentNumber, Text};
use ledger::{Action, Actor, Command, InstitutionId, Timestamp};
use store::{EventStore, MemoryStore};
use tokio::sync::{Semaphore, watch};
use tokio_stream::StreamExt;
use tonic::{Code, Request};

use watched::Watched;

/// The services of a ledger in memory.
struct Bank {
    context: Arc<Context<Watched>>,
    clock: ManualClock,
    stop: watch::Sender<bool>,
    /// Reads the store too.
    following: tokio::task::JoinHandle<Result<(), views::ViewsFault>>,
    /// Says that the views follow no more, which nobody ever does here.
    _views_stopped: watch::Sender<Option<String>>,
    _dir: tempfile::TempDir,
}

/// Noon of 1 March 2026.
const NOON: Timestamp = Timestamp(1_772_366_400_000_000);
const DAY: Duration = Duration::from_secs(86_400);

fn uni() -> InstitutionId {
    "uni".parse().unwrap()
}

fn student(number: &str) -> v1::LearnerReference {
    let student = v1::StudentNumber {
        institution_id: "uni".into(),
        number: number.into(),
    };
    v1::LearnerReference {
        reference: Some(Reference::Student(student)),
    }
}

/// A certificate of S1.
fn certificate(record_id: &str, expires: &str) -> v1::Achievement {
    v1::Achievement {
        record_id: record_id.into(),
        learner: Some(student("S1")),
        r#type: "Certificate".into(),
        code: record_id.into(),
        titles: vec![v1::Text {
            value: "A certificate".into(),
            language: "en".into(),
        }],
        size: Some(v1::Size {
            amount: "1".into(),
            unit: "ects".into(),
        }),
        awarded: "2026-02-01".into(),
        expires: expires.into(),
        ..v1::Achievement::default()
    }
}

impl Bank {
    /// With the institution `uni` and its student S1.
    async fn open() -> Bank {
        Bank::open_with(views::Options::default()).await
    }

    async fn open_with(options: views::Options) -> Bank {
        let store = Arc::new(Watched {
            store: MemoryStore::new(Arc::new(LedgerKeys::default())),
            n_read: AtomicUsize::new(0),
            gate: Semaphore::new(1),
        });
        let (clock, hands) = Clock::manual(NOON);
        let writing = WriterOptions {
            group_bytes: 1 << 20,
            facts_max: 100_000,
            learners_max: 10_000,
        };
        let vocabulary = reference::opening_actions();
        let opened = Engine::open(Arc::clone(&store), Arc::new(clock), writing, vocabulary).await;
        let engine = Arc::new(opened.unwrap().0);
        let dir = tempfile::tempdir().unwrap();
        let (ledger_id, secret) = (engine.ledger_id(), engine.secret().clone());
        let views = views::Views::open(dir.path(), ledger_id, secret, options);
        let (views, _) = views.unwrap();
        let views = Arc::new(views);
        let follow = views::follow(store, Arc::clone(&views), std::future::pending());
        let following = tokio::spawn(follow);
        let (_views_stopped, views_stopped) = watch::channel(None);
        let (stop, stopping) = watch::channel(false);
        let limits = StreamLimits {
            open_max: 4,
            chunk_bytes: 4 << 10,
            ahead_records_max: 1_000,
            ahead_bytes_max: 1 << 20,
            together_bytes_max: 1 << 20,
        };
        let context = Context {
            engine,
            views,
            views_stopped,
            registries: Registries::default(),
            limits: Limits {
                message_bytes_max: 4 << 20,
                batch_records_max: 1_000,
                achievement_body_bytes_max: 16 << 10,
            },
            in_flight: Arc::new(Semaphore::new(1_000)),
            in_flight_max: 1_000,
            metrics: Arc::default(),
            streams: Streams::new(limits, stopping),
        };
        let bank = Bank {
            context: Arc::new(context),
            clock: hands,
            stop,
            following,
            _views_stopped,
            _dir: dir,
        };
        bank.register().await;
        bank
    }

    async fn register(&self) {
        let profile = InstitutionProfile {
            id: uni(),
            names: vec![Text {
                value: "University".into(),
                language: "en".into(),
            }],
            kind: "university".into(),
            region: String::new(),
            parent: None,
            scopes: vec![Scope::default()],
            signatures_required: false,
        };
        self.carry_out(Actor::Operator, Action::RegisterInstitution(profile))
            .await;
        let register = Action::RegisterLearner {
            fresh: self.context.engine.fresh_handle().unwrap(),
            profile: LearnerProfile::default(),
            students: vec![StudentNumber {
                institution: uni(),
                number: "S1".into(),
            }],
            request_id: String::new(),
        };
        self.carry_out(Actor::Institution(uni()), register).await;
    }

    async fn carry_out(&self, actor: Actor, action: Action) {
        let command = Command { actor, action };
        let outcomes = self.context.engine.execute(vec![command], Mode::Each).await;
        outcomes.unwrap().pop().unwrap().unwrap();
    }

    /// Records a certificate of S1.
    async fn submit(&self, record_id: &str, expires: &str) {
        let wire = certificate(record_id, expires);
        let drawn = self.context.engine.fresh_handle().unwrap();
        let action = from_proto::submission(wire, &uni(), drawn).unwrap();
        self.carry_out(Actor::Institution(uni()), action).await;
    }

    async fn watch(&self, resume_token: &str) -> Watch {
        let mut request = Request::new(v1::WatchRequest {
            learner: Some(student("S1")),
            resume_token: resume_token.to_owned(),
            ..v1::WatchRequest::default()
        });
        request.extensions_mut().insert(Identity::Operator);
        let service = Accounts(Arc::clone(&self.context));
        let answers = service.watch(request).await.unwrap().into_inner();
        let watch = Watch {
            answers,
            entries: Vec::new(),
            token: String::new(),
        };
        watch.caught_up().await
    }

    async fn statement(&self) -> Vec<v1::StatementEntry> {
        let mut request = Request::new(v1::GetStatementRequest {
            learner: Some(student("S1")),
            page_size: 1_000,
            ..v1::GetStatementRequest::default()
        });
        request.extensions_mut().insert(Identity::Operator);
        let service = Accounts(Arc::clone(&self.context));
        let answer = service.get_statement(request).await;
        answer.unwrap().into_inner().entries
    }

    async fn subscribe(&self) -> Result<Answers<v1::SubscribeResponse>, tonic::Status> {
        let mut request = Request::new(v1::SubscribeRequest::default());
        request.extensions_mut().insert(Identity::Auditor);
        let service = Audit(Arc::clone(&self.context));
        service
            .subscribe(request)
            .await
            .map(tonic::Response::into_inner)
    }

    fn n_read(&self) -> usize {
        self.context.engine.store().n_read.load(Ordering::Relaxed)
    }
}

/// A watcher's side.
struct Watch {
    answers: Answers<v1::WatchResponse>,
    entries: Vec<v1::StatementEntry>,
    token: String,
}

impl Watch {
    async fn caught_up(mut self) -> Watch {
        loop {
            let answer = self.answers.next().await.unwrap().unwrap();
            self.token = answer.resume_token;
            match answer.content.unwrap() {
                v1::watch_response::Content::Entries(some) => self.entries.extend(some.entries),
                _ => return self,
            }
        }
    }

    /// Waits for more entries.
    async fn more(&mut self, n: usize) {
        let wanted = self.entries.len() + n;
        while self.entries.len() < wanted {
            let answer = self.answers.next().await.unwrap().unwrap();
            self.token = answer.resume_token;
            if let v1::watch_response::Content::Entries(some) = answer.content.unwrap() {
                self.entries.extend(some.entries);
            }
        }
        assert_eq!(self.entries.len(), wanted);
    }

    fn kinds(&self) -> Vec<v1::EntryKind> {
        self.entries.iter().map(v1::StatementEntry::kind).collect()
    }
}

/// Lets every task of this thread go on until it can no more.
async fn settle() {
    for _ in 0..10_000 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn what_expires_comes_at_midnight_also_when_nothing_else_does() {
    let bank = Bank::open().await;
    bank.submit("a", "2026-03-02").await;
    bank.submit("b", "2026-03-02").await;
    bank.submit("c", "2026-03-04").await;
    let mut watch = bank.watch("").await;
    let n_before = watch.entries.len();
    assert_eq!(watch.entries, bank.statement().await);
    bank.clock.advance(DAY + DAY / 2 - Duration::from_micros(1));
    settle().await;
    bank.clock.advance(Duration::from_micros(1));
    watch.more(2).await;
    assert_eq!(watch.entries, bank.statement().await);
    let expired = [v1::EntryKind::Expired; 2];
    assert_eq!(watch.kinds()[n_before..], expired);
    assert_eq!(watch.entries[n_before].position, 0);
    // Who is cut off now, and only comes back when more has expired, gets that and nothing twice.
    let Watch {
        mut entries, token, ..
    } = watch;
    bank.submit("d", "").await;
    bank.clock.advance(DAY * 2);
    let watch = bank.watch(&token).await;
    assert_eq!(
        watch.kinds(),
        [v1::EntryKind::Recorded, v1::EntryKind::Expired]
    );
    entries.extend(watch.entries);
    assert_eq!(entries, bank.statement().await);
}

#[tokio::test]
async fn what_expires_waits_for_a_commit_that_began_before_midnight() {
    let bank = Bank::open().await;
    bank.submit("a", "2026-03-01").await;
    let mut watch = bank.watch("").await;
    let n_before = watch.entries.len();
    let store = Arc::clone(bank.context.engine.store());
    let held = store.gate.acquire().await.unwrap();
    let submitting = bank.submit("b", "2026-03-01");
    tokio::pin!(submitting);
    tokio::select! {
        biased;
        () = &mut submitting => panic!("the append waits"),
        () = settle() => {}
    }
    bank.clock.advance(DAY);
    tokio::select! {
        biased;
        _ = watch.answers.next() => panic!("the record has to come first"),
        () = settle() => {}
    }
    drop(held);
    submitting.await;
    watch.more(3).await;
    let (recorded, expired) = (v1::EntryKind::Recorded, v1::EntryKind::Expired);
    assert_eq!(watch.kinds()[n_before..], [recorded, expired, expired]);
    assert_eq!(watch.entries, bank.statement().await);
}

#[tokio::test]
async fn a_reader_who_does_not_read_costs_three_answers() {
    const N_RECORDS: u64 = 100_000;
    let bank = Bank::open().await;
    let store = Arc::clone(bank.context.engine.store());
    let mut answers = bank.subscribe().await.unwrap();
    settle().await;
    bank.following.abort();
    let head = store.head().await.unwrap();
    let before = bank.n_read();
    let mut prev = head;
    while prev.size < head.size + N_RECORDS {
        let mut block = BlockBuilder::new(prev, chain::Timestamp(NOON.0 + 1));
        for _ in 0..1_000 {
            let (kind, nobody) = (10, chain::Institution::try_from("").unwrap());
            let body = vec![1; 100];
            block
                .push(kind, nobody, nobody, None, Salt([1; 32]), body)
                .unwrap();
        }
        prev = store.append(prev, block.finish()).await.unwrap();
    }
    settle().await;
    let made = bank.n_read() - before;
    assert!(made < 200, "{made} records were read for nobody");
    let mut next = 0;
    let mut longest = 0;
    while next < head.size + N_RECORDS {
        let answer = answers.next().await.unwrap().unwrap();
        if let v1::subscribe_response::Content::Records(some) = answer.content.unwrap() {
            let positions = some.records.iter().map(|record| record.position);
            assert!(
                positions.eq(next..answer.next_position),
                "each once, in order"
            );
            longest = longest.max(some.records.len());
            next = answer.next_position;
        }
    }
    assert!(longest < 50, "an answer is bounded");
}

#[tokio::test]
async fn streams_are_bounded_in_number_and_give_their_place_back() {
    let bank = Bank::open().await;
    let mut open = Vec::new();
    for _ in 0..4 {
        open.push(bank.subscribe().await.unwrap());
    }
    let refused = bank.subscribe().await.unwrap_err();
    assert_eq!(refused.code(), Code::ResourceExhausted);
    assert_eq!(
        refused.message(),
        "4 streams are open, as many as may be: try again later"
    );
    drop(open.pop());
    settle().await;
    open.push(bank.subscribe().await.unwrap());
    // The server stops: also one that is not read is told so, after what had been made for it.
    bank.stop.send_replace(true);
    settle().await;
    for mut answers in open {
        let mut last = None;
        while let Some(answer) = answers.next().await {
            last = Some(answer);
        }
        let status = last.unwrap().unwrap_err();
        assert_eq!(status.code(), Code::Unavailable);
    }
}

#[tokio::test]
async fn a_list_without_a_match_comes_to_its_end_page_by_page() {
    const N_RECORDS: usize = 100;
    // So that a search looks at two records, and a call at a few dozen.
    let options = views::Options {
        buffer_entries: 0,
        look_max: 2,
        ..views::Options::default()
    };
    let bank = Bank::open_with(options).await;
    for number in 0..N_RECORDS {
        bank.submit(&format!("r{number}"), "").await;
    }
    let service = Records(Arc::clone(&bank.context));
    // Days of award, and how many of the records lie there.
    let periods = [
        ("2026-01-01", "2026-01-31", 0),
        ("2026-02-01", "2026-03-01", N_RECORDS),
    ];
    for (from, until, expected) in periods {
        let awarded = v1::Span {
            from: from.into(),
            until: until.into(),
        };
        let mut wire = v1::ListRecordsRequest {
            page_size: 1_000,
            filter: Some(v1::RecordFilter {
                awarded: Some(awarded),
                ..v1::RecordFilter::default()
            }),
            ..v1::ListRecordsRequest::default()
        };
        let (mut n_found, mut n_pages) = (0, 0);
        loop {
            let mut request = Request::new(wire.clone());
            let caller = Identity::Institution(uni());
            request.extensions_mut().insert(caller);
            let page = service.list_records(request).await.unwrap().into_inner();
            n_found += page.records.len();
            n_pages += 1;
            wire.page_token = page.next_page_token;
            if wire.page_token.is_empty() {
                break;
            }
        }
        assert_eq!(n_found, expected);
        assert!((2..=10).contains(&n_pages), "{n_pages} pages");
    }
}

#[tokio::test]
async fn commands_of_a_call_that_was_cut_off_stay_in_flight_until_they_are_decided() {
    let bank = Bank::open().await;
    let store = Arc::clone(bank.context.engine.store());
    let free = || bank.context.in_flight.available_permits();
    let all = free();
    let held = store.gate.acquire().await.unwrap();
    let service = Records(Arc::clone(&bank.context));
    let achievements = ["a", "b", "c"].map(|record_id| certificate(record_id, ""));
    let mut request = Request::new(v1::BatchSubmitRecordsRequest {
        achievements: achievements.into(),
        ..v1::BatchSubmitRecordsRequest::default()
    });
    let caller = Identity::Institution(uni());
    request.extensions_mut().insert(caller);
    tokio::select! {
        biased;
        _ = service.batch_submit_records(request) => panic!("the append waits"),
        () = settle() => {}
    }
    settle().await;
    assert_eq!(all - free(), 3, "the writer still has them");
    let size = store.head().await.unwrap().size;
    drop(held);
    store.wait_past(Position(size)).await.unwrap();
    settle().await;
    assert_eq!(free(), all);
    let statement = bank.statement().await;
    let recorded = |entry: &&v1::StatementEntry| entry.kind() == v1::EntryKind::Recorded;
    let n_recorded = statement.iter().filter(recorded).count();
    assert_eq!(n_recorded, 3, "what was sent is recorded");
}

#[tokio::test]
async fn reading_the_chain_takes_a_place_among_the_streams() {
    let bank = Bank::open().await;
    let service = Audit(Arc::clone(&bank.context));
    let read = || {
        let mut request = Request::new(v1::ReadRecordsRequest::default());
        request.extensions_mut().insert(Identity::Auditor);
        service.read_records(request)
    };
    let mut open = Vec::new();
    for _ in 0..3 {
        open.push(bank.subscribe().await.unwrap());
    }
    let mut reading = read().await.unwrap().into_inner();
    let refused = read().await.unwrap_err();
    assert_eq!(refused.code(), Code::ResourceExhausted);
    let size = bank.context.engine.head().await.unwrap().size;
    let mut next = 0;
    while let Some(answer) = reading.next().await {
        for record in answer.unwrap().records {
            assert_eq!(record.position, next);
            next += 1;
        }
    }
    assert_eq!(next, size, "it ends at the head");
    settle().await;
    drop(read().await.unwrap());
    settle().await;
    // A server that stops begins no answer.
    bank.stop.send_replace(true);
    let mut stopped = read().await.unwrap().into_inner();
    let status = stopped.next().await.unwrap().unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    assert!(stopped.next().await.is_none());
}

#[tokio::test]
async fn a_page_of_those_who_wait_has_at_most_a_hundred() {
    let bank = Bank::open().await;
    for number in 0..150 {
        let wire = v1::Achievement {
            learner: Some(student(&format!("P{number}"))),
            ..certificate(&format!("r{number}"), "")
        };
        let drawn = bank.context.engine.fresh_handle().unwrap();
        let action = from_proto::submission(wire, &uni(), drawn).unwrap();
        bank.carry_out(Actor::Institution(uni()), action).await;
    }
    let service = Learners(Arc::clone(&bank.context));
    let mut page_token = String::new();
    for (n_expected, is_last) in [(100, false), (50, true)] {
        let mut request = Request::new(v1::ListPendingLearnersRequest {
            page_size: 1_000,
            page_token,
            ..v1::ListPendingLearnersRequest::default()
        });
        request.extensions_mut().insert(Identity::Operator);
        let page = service.list_pending_learners(request).await;
        let page = page.unwrap().into_inner();
        assert_eq!(page.learners.len(), n_expected);
        page_token = page.next_page_token;
        assert_eq!(page_token.is_empty(), is_last);
    }
}
