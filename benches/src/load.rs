//! Callers: what they submit, and how many of them call at a time.
//!
//! Apart from the benchmarks because the bank and the raw log are called with the same requests, made
//! while they are sent, so that the cost of a client is in every figure alike.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use api::v1::learner_reference::Reference;
use api::v1::{
    Achievement, BatchSubmitRecordsRequest, Institution, LearnerReference, NewLearner, Origin,
    OutcomeState, RecordOutcome, RegisterInstitutionRequest, Scope, Size,
    StreamSubmitRecordsRequest, StudentNumber, SubmitRecordRequest, Text,
};
use client::{Client, Identity};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use crate::figures::Load;

/// Records in a batch, and in a request of a stream of batches.
pub const BATCH: u64 = 500;

/// The student number of learner `n`.
#[must_use]
pub fn student(n: u64) -> StudentNumber {
    StudentNumber {
        institution_id: "uni".into(),
        number: format!("S{n:09}"),
    }
}

/// A reference to it.
#[must_use]
pub fn by_student(n: u64) -> LearnerReference {
    LearnerReference {
        reference: Some(Reference::Student(student(n))),
    }
}

/// Course result `n`, of some learner: about 300 bytes with its leaf's names. A course list is no learner
/// list: neighbours are different learners, and each learner comes as often as any other.
#[must_use]
pub fn achievement(n: u64, learners: u64) -> Achievement {
    Achievement {
        record_id: format!("2025S-{n:012}"),
        learner: Some(by_student(n.wrapping_mul(7_919) % learners)),
        r#type: "Course".into(),
        code: format!("C{}", n % 1_000),
        titles: vec![Text {
            value: "Introduction to lifelong learning".into(),
            language: "en".into(),
        }],
        size: Some(Size {
            amount: "3".into(),
            unit: "ects".into(),
        }),
        delivery: "online".into(),
        origin: Origin::Earned.into(),
        offering: format!("T{}", n / 1_000),
        attempt: 1,
        awarded: "2025-06-30".into(),
        ..Achievement::default()
    }
}

/// Several connections to one server, as an institution or as whoever.
#[derive(Clone)]
pub struct Callers {
    clients: Arc<Vec<Client>>,
}

impl Callers {
    /// Connects `n` times, as the institution `uni`.
    ///
    /// # Panics
    /// When nobody answers.
    pub async fn connect(url: &str, n: u64) -> Callers {
        let uni = Identity::Institution("uni".into());
        let mut clients = Vec::new();
        for _ in 0..n {
            clients.push(Client::connect(url, &uni).await.unwrap());
        }
        Callers {
            clients: Arc::new(clients),
        }
    }

    /// The connection of a caller; callers share connections when they are more.
    #[must_use]
    pub fn of(&self, caller: u64) -> &Client {
        let n = usize::try_from(caller).unwrap() % self.clients.len();
        &self.clients[n]
    }

    /// The same connections, as somebody else.
    ///
    /// # Panics
    /// When the identity cannot be said.
    #[must_use]
    pub fn acting_as(&self, identity: &Identity) -> Callers {
        let clients = self.clients.iter();
        let clients = clients.map(|client| client.acting_as(identity).unwrap());
        Callers {
            clients: Arc::new(clients.collect()),
        }
    }

    /// Registers the institution, on an empty bank.
    ///
    /// # Panics
    /// When the bank says no.
    pub async fn register_institution(&self) {
        let request = RegisterInstitutionRequest {
            institution: Some(Institution {
                institution_id: "uni".into(),
                names: vec![Text {
                    value: "University".into(),
                    language: "en".into(),
                }],
                scopes: vec![Scope::default()],
                ..Institution::default()
            }),
        };
        let operator = self.of(0).acting_as(&Identity::Operator).unwrap();
        operator.call(request).await.unwrap();
    }

    /// Registers learners `0..learners` in batches by `callers`, each with a first record: `from..`.
    pub async fn register(&self, callers: u64, from: u64, learners: u64) -> Load {
        let this = self.clone();
        drive(callers, 0..learners, BATCH, move |caller, some| {
            let this = this.clone();
            async move {
                let count = some.end - some.start;
                let newcomer = |n| NewLearner {
                    student: Some(student(n)),
                    profile: None,
                };
                let first = |n| Achievement {
                    learner: Some(by_student(n)),
                    ..achievement(from + n, learners)
                };
                let request = BatchSubmitRecordsRequest {
                    achievements: some.clone().map(first).collect(),
                    new_learners: some.map(newcomer).collect(),
                    ..BatchSubmitRecordsRequest::default()
                };
                let mut records = this.of(caller).records();
                let answer = records.batch_submit_records(request).await.unwrap();
                all_recorded(&answer.into_inner().outcomes, count);
            }
        })
        .await
    }

    /// Submits records in batches of 500.
    pub async fn batches(&self, callers: u64, which: Range<u64>, learners: u64) -> Load {
        let this = self.clone();
        drive(callers, which, BATCH, move |caller, some| {
            let this = this.clone();
            async move {
                let count = some.end - some.start;
                let request = BatchSubmitRecordsRequest {
                    achievements: some.map(|n| achievement(n, learners)).collect(),
                    ..BatchSubmitRecordsRequest::default()
                };
                let mut records = this.of(caller).records();
                let answer = records.batch_submit_records(request).await.unwrap();
                all_recorded(&answer.into_inner().outcomes, count);
            }
        })
        .await
    }

    /// Submits records one by one.
    pub async fn singly(&self, callers: u64, which: Range<u64>, learners: u64) -> Load {
        let this = self.clone();
        drive(callers, which, 1, move |caller, one| {
            let this = this.clone();
            async move {
                let request = SubmitRecordRequest {
                    achievement: Some(achievement(one.start, learners)),
                    validate_only: false,
                };
                let mut records = this.of(caller).records();
                let answer = records.submit_record(request).await.unwrap();
                all_recorded(answer.into_inner().outcome.as_slice(), 1);
            }
        })
        .await
    }

    /// Submits records through as many streams as there are callers, `each` in a request, reading the
    /// answers while sending. A latency is that from one answer to the next.
    pub async fn streams(&self, callers: u64, which: Range<u64>, each: u64, learners: u64) -> Load {
        let since = Instant::now();
        let share = (which.end - which.start).div_ceil(callers);
        let mut streams = tokio::task::JoinSet::new();
        for caller in 0..callers {
            let from = (which.start + caller * share).min(which.end);
            let part = from..(from + share).min(which.end);
            let client = self.of(caller).clone();
            streams.spawn(stream(client, part, each, learners));
        }
        let latencies = streams.join_all().await.concat();
        Load::new(which.end - which.start, since.elapsed(), latencies)
    }
}

async fn stream(client: Client, which: Range<u64>, each: u64, learners: u64) -> Vec<Duration> {
    let (send, requests) = mpsc::channel(8);
    let count = which.end - which.start;
    let steps = which.clone().step_by(usize::try_from(each).unwrap());
    let sending = tokio::spawn(async move {
        for from in steps {
            let some = from..(from + each).min(which.end);
            let request = StreamSubmitRecordsRequest {
                achievements: some.map(|n| achievement(n, learners)).collect(),
                new_learners: vec![],
            };
            send.send(request).await.unwrap();
        }
    });
    let mut records = client.records();
    let answers = records
        .stream_submit_records(ReceiverStream::new(requests))
        .await;
    let mut answers = answers.unwrap().into_inner();
    let (mut n, mut gaps, mut last) = (0, Vec::new(), Instant::now());
    while let Some(answer) = answers.message().await.unwrap() {
        gaps.push(last.elapsed());
        last = Instant::now();
        let outcomes = answer.outcomes;
        all_recorded(&outcomes, outcomes.len() as u64);
        n += outcomes.len() as u64;
    }
    sending.await.unwrap();
    assert_eq!(n, count, "every record is answered");
    gaps
}

fn all_recorded(outcomes: &[RecordOutcome], count: u64) {
    assert_eq!(outcomes.len() as u64, count);
    for outcome in outcomes {
        assert_eq!(outcome.state(), OutcomeState::Recorded, "{outcome:?}");
    }
}

/// Cuts `which` into pieces of `step`, and lets `callers` take one after the other.
pub async fn drive<F, C>(callers: u64, which: Range<u64>, step: u64, call: F) -> Load
where
    F: Fn(u64, Range<u64>) -> C + Clone + Send + 'static,
    C: Future<Output = ()> + Send,
{
    let next = Arc::new(AtomicU64::new(which.start));
    let since = Instant::now();
    let mut tasks = tokio::task::JoinSet::new();
    for caller in 0..callers {
        let (next, call, end) = (Arc::clone(&next), call.clone(), which.end);
        tasks.spawn(async move {
            let mut latencies = Vec::new();
            loop {
                let from = next.fetch_add(step, Ordering::Relaxed);
                if from >= end {
                    return latencies;
                }
                let since = Instant::now();
                call(caller, from..(from + step).min(end)).await;
                latencies.push(since.elapsed());
            }
        });
    }
    let latencies = tasks.join_all().await.concat();
    Load::new(which.end - which.start, since.elapsed(), latencies)
}
