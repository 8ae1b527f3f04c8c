//! Everything at once: random writes, restarts, and clients that are cut off at random points and go on
//! from where they were. What came must be what there is: exactly once, and in order.
//!
//! Nothing here waits for a time: clients read for as long as there is something to come, and the writer
//! tells them when that is all.

use std::collections::BTreeMap;

use api::v1::subscribe_response::Content;
use api::v1::*;
use proptest::prelude::*;
use tokio::sync::{mpsc, watch};
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Channel;
use tonic::{Code, Status};

use super::submit::request;
use super::subscribe::read_all;
use super::watch::statement;
use crate::bank::{Bank, achievement, acting, student};

const UNI: &str = "institution:uni";
const STUDENTS: [&str; 3] = ["S1", "S2", "S3"];

/// What the writer does next.
#[derive(Debug, Clone)]
enum Step {
    /// Records so many achievements of one student.
    Record { student: usize, count: u64 },
    /// Suspends a record, or reinstates it.
    Suspend { record: u64, is_back: bool },
    /// Merges a student into the first, or separates them.
    Join { student: usize, is_apart: bool },
    /// Stops the server and starts it on the same data.
    Restart,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        5 => (0..3_usize, 1..60_u64).prop_map(|(student, count)| Step::Record { student, count }),
        3 => (0..200_u64, any::<bool>())
            .prop_map(|(record, is_back)| Step::Suspend { record, is_back }),
        1 => (1..3_usize, any::<bool>())
            .prop_map(|(student, is_apart)| Step::Join { student, is_apart }),
        1 => Just(Step::Restart),
    ]
}

/// Where the server is, and the size at which clients are done, once that is known.
#[derive(Clone)]
struct Now {
    channel: Channel,
    done: Option<u64>,
}

/// How a client is cut off: after so many things, again and again.
type Cuts = Vec<usize>;

fn cuts() -> impl Strategy<Value = Cuts> {
    proptest::collection::vec(4..60_usize, 1..6)
}

#[derive(Debug, Clone)]
struct Plan {
    steps: Vec<Step>,
    filters: Vec<(SubscribeFilter, Cuts)>,
    watchers: Vec<Cuts>,
    intake: Cuts,
}

fn filter() -> impl Strategy<Value = SubscribeFilter> {
    let kinds = proptest::sample::subsequence(vec![16, 30, 32, 50, 52, 53], 0..3);
    let issuers = proptest::sample::subsequence(vec!["", "uni", "college"], 0..2);
    (kinds, issuers).prop_map(|(kinds, issuers)| SubscribeFilter {
        kinds,
        issuer_ids: issuers.into_iter().map(str::to_owned).collect(),
        learner_handles: Vec::new(),
    })
}

fn plan() -> impl Strategy<Value = Plan> {
    let steps = proptest::collection::vec(step(), 4..14);
    let filters = proptest::collection::vec((filter(), cuts()), 2);
    let watchers = proptest::collection::vec(cuts(), 2);
    (steps, filters, watchers, cuts()).prop_map(|(steps, filters, watchers, intake)| Plan {
        steps,
        filters,
        watchers,
        intake,
    })
}

/// Whether a stream ended as streams may, when a server stops or a connection breaks. What the client's own
/// transport says, such as that the connection takes no new streams, has a source.
fn is_cut(status: &Status) -> bool {
    if std::error::Error::source(status).is_some() {
        return true;
    }
    matches!(
        status.code(),
        Code::Unavailable | Code::Unknown | Code::Cancelled
    )
}

/// Waits for another server than the one whose connection broke, unless this one still answers.
async fn reconnected(now: &mut watch::Receiver<Now>, status: &Status) {
    assert!(is_cut(status), "{status:?}");
    // A server that refuses new streams because it stops is followed by another one.
    let _ = now.changed().await;
}

async fn subscriber(
    mut now: watch::Receiver<Now>,
    filter: SubscribeFilter,
    cuts: Cuts,
) -> Vec<RawRecord> {
    let mut cuts = cuts.into_iter().cycle();
    let mut records: Vec<RawRecord> = Vec::new();
    let mut from_position = 0;
    loop {
        let Now { channel, done } = now.borrow_and_update().clone();
        let mut audit = audit_service_client::AuditServiceClient::new(channel);
        let request = SubscribeRequest {
            from_position,
            filter: Some(filter.clone()),
            include_bodies: true,
            ..Default::default()
        };
        let mut stream = match audit.subscribe(acting("auditor", request)).await {
            Ok(stream) => stream.into_inner(),
            Err(status) => {
                reconnected(&mut now, &status).await;
                continue;
            }
        };
        let mut left = cuts.next().unwrap();
        while left > 0 {
            let answer = tokio::select! {
                answer = stream.message() => answer,
                // Known to be all: a new stream says when it has come.
                _ = now.changed() => break,
            };
            let answer = match answer {
                Ok(answer) => answer.unwrap(),
                Err(status) => {
                    reconnected(&mut now, &status).await;
                    break;
                }
            };
            match answer.content.unwrap() {
                Content::Records(some) => {
                    let n = some.records.len();
                    // Cut off in the middle of an answer, the client goes on after what it has kept.
                    let kept = some.records.into_iter().take(left);
                    records.extend(kept);
                    from_position = match n <= left {
                        true => answer.next_position,
                        false => records.last().unwrap().position + 1,
                    };
                    left = left.saturating_sub(n);
                }
                Content::CaughtUp(_) if done.is_some() => return records,
                _ => from_position = answer.next_position,
            }
        }
    }
}

/// Watches the account into which others are merged.
async fn watcher(mut now: watch::Receiver<Now>, cuts: Cuts) -> Vec<StatementEntry> {
    let mut cuts = cuts.into_iter().cycle();
    let mut entries = Vec::new();
    let mut resume_token = String::new();
    loop {
        let Now { channel, done } = now.borrow_and_update().clone();
        let mut accounts = account_service_client::AccountServiceClient::new(channel);
        let request = WatchRequest {
            learner: Some(student("uni", STUDENTS[0])),
            resume_token: resume_token.clone(),
            ..Default::default()
        };
        let mut stream = match accounts.watch(acting(UNI, request)).await {
            Ok(stream) => stream.into_inner(),
            Err(status) => {
                reconnected(&mut now, &status).await;
                continue;
            }
        };
        for _ in 0..cuts.next().unwrap().div_ceil(10) {
            let answer = tokio::select! {
                answer = stream.message() => answer,
                _ = now.changed() => break,
            };
            let answer = match answer {
                Ok(answer) => answer.unwrap(),
                Err(status) => {
                    reconnected(&mut now, &status).await;
                    break;
                }
            };
            resume_token = answer.resume_token;
            match answer.content.unwrap() {
                watch_response::Content::Entries(some) => entries.extend(some.entries),
                watch_response::Content::CaughtUp(_) if done.is_some() => return entries,
                _ => {}
            }
        }
    }
}

/// Sends records of its own, each once if all goes well, and again from the first without an answer.
async fn sender(mut now: watch::Receiver<Now>, cuts: Cuts) -> Vec<(String, u64)> {
    let names: Vec<String> = (0..150).map(|n| format!("stream-{n}")).collect();
    let mut cuts = cuts.into_iter().cycle();
    let mut answered: Vec<(String, u64)> = Vec::new();
    while answered.len() < names.len() {
        let channel = now.borrow_and_update().channel.clone();
        let mut records = record_service_client::RecordServiceClient::new(channel);
        let (requests, sent) = mpsc::channel(4);
        let intake = acting(UNI, ReceiverStream::new(sent));
        let mut answers = match records.stream_submit_records(intake).await {
            Ok(answers) => answers.into_inner(),
            Err(status) => {
                reconnected(&mut now, &status).await;
                continue;
            }
        };
        let rest: Vec<Achievement> = names[answered.len()..]
            .iter()
            .map(|n| achievement(n))
            .collect();
        let sending = tokio::spawn(async move {
            for some in rest.chunks(7) {
                if requests.send(request(some.to_vec())).await.is_err() {
                    return;
                }
            }
        });
        let mut counted = 0;
        for _ in 0..cuts.next().unwrap() {
            match answers.message().await {
                Ok(None) => break,
                Ok(Some(answer)) => {
                    counted += answer.outcomes.len();
                    assert_eq!(answer.answered_count, u64::try_from(counted).unwrap());
                    for outcome in answer.outcomes {
                        let position = outcome.receipt.expect("it is recorded").position;
                        answered.push((outcome.record_id, position));
                    }
                }
                Err(status) => {
                    reconnected(&mut now, &status).await;
                    break;
                }
            }
        }
        drop(answers);
        sending.await.unwrap();
    }
    let sent: Vec<&String> = answered.iter().map(|(name, _)| name).collect();
    assert!(
        sent.iter().copied().eq(&names),
        "each was answered once, in order"
    );
    answered
}

/// Whatever the ledger says to a change is fine: a record may be there or not, suspended or not.
async fn suspend(bank: &Bank, record: u64, is_back: bool) {
    let record_ids = vec![format!("r{record}")];
    let reason = "at random".to_owned();
    let mut records = bank.records();
    if is_back {
        let request = ReinstateRecordsRequest {
            record_ids,
            reason,
            ..Default::default()
        };
        records
            .reinstate_records(acting(UNI, request))
            .await
            .unwrap();
    } else {
        let request = SuspendRecordsRequest {
            record_ids,
            reason,
            ..Default::default()
        };
        records.suspend_records(acting(UNI, request)).await.unwrap();
    }
}

async fn join(bank: &Bank, from: &str, into: &str, is_apart: bool) {
    let mut learners = bank.learners();
    let (from_handle, reason) = (from.to_owned(), "at random".to_owned());
    if is_apart {
        let request = SeparateLearnersRequest {
            from_handle,
            reason,
        };
        let _ = learners
            .separate_learners(acting("operator", request))
            .await;
    } else {
        let request = MergeLearnersRequest {
            from_handle,
            into_handle: into.to_owned(),
            reason,
            ..Default::default()
        };
        let _ = learners.merge_learners(acting("operator", request)).await;
    }
}

/// Carries the steps out; the server it leaves may be another than the one it was given.
async fn write(
    mut bank: Bank,
    steps: &[Step],
    handles: &[String],
    now: &watch::Sender<Now>,
) -> Bank {
    let mut n_recorded = 0;
    for step in steps {
        match step {
            Step::Record {
                student: idx,
                count,
            } => {
                let one = |n| Achievement {
                    learner: Some(student("uni", STUDENTS[*idx])),
                    ..achievement(&format!("r{n}"))
                };
                let batch = (n_recorded..n_recorded + count).map(one).collect();
                bank.batch(batch).await;
                n_recorded += count;
            }
            Step::Suspend { record, is_back } => suspend(&bank, *record, *is_back).await,
            Step::Join { student, is_apart } => {
                join(&bank, &handles[*student], &handles[0], *is_apart).await;
            }
            Step::Restart => {
                bank = bank.restarted(|_| ()).await;
                let channel = bank.channel.clone();
                now.send_modify(|now| now.channel = channel);
            }
        }
    }
    bank
}

async fn carried_out(plan: Plan) {
    let bank = Bank::with_small_answers().await;
    let mut handles = vec![bank.handle_of("uni", "S1").await];
    for number in &STUDENTS[1..] {
        handles.push(bank.learner("uni", number).await);
    }
    let (now, seen) = watch::channel(Now {
        channel: bank.channel.clone(),
        done: None,
    });
    let learners = SubscribeFilter {
        learner_handles: handles[1..].to_vec(),
        ..Default::default()
    };
    let mut filters = plan.filters.clone();
    filters.push((SubscribeFilter::default(), plan.intake.clone()));
    filters.push((learners, plan.intake.clone()));
    let subscribe = |(filter, cuts): &(SubscribeFilter, Cuts)| {
        tokio::spawn(subscriber(seen.clone(), filter.clone(), cuts.clone()))
    };
    let subscribers: Vec<_> = filters.iter().map(subscribe).collect();
    let watch = |cuts: &Cuts| tokio::spawn(watcher(seen.clone(), cuts.clone()));
    let watchers: Vec<_> = plan.watchers.iter().map(watch).collect();
    let sending = tokio::spawn(sender(seen.clone(), plan.intake.clone()));

    let bank = write(bank, &plan.steps, &handles, &now).await;
    let answered = sending.await.unwrap();
    let size = bank.size().await;
    now.send_modify(|now| now.done = Some(size));

    let all = read_all(&bank, true).await;
    for (subscriber, (filter, _)) in subscribers.into_iter().zip(&filters) {
        let expected: Vec<&RawRecord> = all.iter().filter(|it| lets_through(filter, it)).collect();
        let got = subscriber.await.unwrap();
        assert!(got.iter().eq(expected), "{filter:?}");
    }
    let statement = statement(&bank, STUDENTS[0]).await;
    for watcher in watchers {
        assert_eq!(watcher.await.unwrap(), statement);
    }
    let positions: BTreeMap<u64, &str> = answered.iter().map(|(n, at)| (*at, n.as_str())).collect();
    assert_eq!(positions.len(), answered.len(), "each is recorded once");
    assert!(
        answered.is_sorted_by_key(|(_, position)| *position),
        "in the order of sending"
    );
    let recorded = all.iter().filter(|record| leaf(record).kind == 50).count();
    let mut by_batch = 0;
    for step in &plan.steps {
        if let Step::Record { count, .. } = step {
            by_batch += usize::try_from(*count).unwrap();
        }
    }
    assert_eq!(recorded, by_batch + answered.len(), "nothing else");
    bank.stop_and_verify().await;
}

fn leaf(record: &RawRecord) -> chain::Leaf {
    chain::Leaf::decode(&record.leaf).unwrap()
}

/// The filter once more, written plainly.
fn lets_through(filter: &SubscribeFilter, record: &RawRecord) -> bool {
    let leaf = leaf(record);
    let kind = filter.kinds.contains(&u32::from(leaf.kind));
    let issuer = filter
        .issuer_ids
        .iter()
        .any(|id| id == leaf.issuer.as_str());
    let learner = leaf.learner.is_some_and(|link| {
        let handle = ledger::Handle(link.handle.0).to_string();
        filter.learner_handles.contains(&handle)
    });
    (filter.kinds.is_empty() || kind)
        && (filter.issuer_ids.is_empty() || issuer)
        && (filter.learner_handles.is_empty() || learner)
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 4,
        max_shrink_iters: 4,
        // A failing plan is printed; it becomes a test of its own.
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn everything_comes_exactly_once_whatever_is_cut_and_restarted(plan in plan()) {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(carried_out(plan));
    }
}
