//! AuditService.Subscribe.

use std::result::Result;

use api::v1::subscribe_response::Content;
use api::v1::*;
use tonic::{Code, Status, Streaming};

use crate::bank::{Bank, Refusal, achievement, acting, student};

/// A subscription while it is read.
pub(super) struct Subscription {
    pub(super) stream: Streaming<SubscribeResponse>,
    pub(super) records: Vec<RawRecord>,
    pub(super) next: u64,
    pub(super) caught_up: Option<u64>,
    pub(super) heartbeats: usize,
}

impl Subscription {
    pub(super) async fn open(bank: &Bank, request: SubscribeRequest) -> Subscription {
        let next = request.from_position;
        let stream = bank.audit().subscribe(acting("auditor", request)).await;
        Subscription {
            stream: stream.unwrap().into_inner(),
            records: Vec::new(),
            next,
            caught_up: None,
            heartbeats: 0,
        }
    }

    /// Reads one answer.
    pub(super) async fn answer(&mut self) -> Result<(), Status> {
        let answer = self.stream.message().await?.expect("it ends with a status");
        assert!(answer.next_position >= self.next, "it never goes back");
        match answer.content.unwrap() {
            Content::Records(sent) => {
                assert!(!sent.records.is_empty());
                for record in sent.records {
                    assert!(record.position >= self.next, "each once, in order");
                    assert!(record.position < answer.next_position);
                    self.next = record.position + 1;
                    self.records.push(record);
                }
            }
            Content::CaughtUp(caught_up) => {
                assert_eq!(self.caught_up.replace(caught_up.size), None, "sent once");
                assert_eq!(answer.next_position, caught_up.size);
            }
            Content::Heartbeat(heartbeat) => {
                assert!(answer.next_position <= heartbeat.size);
                self.heartbeats += 1;
            }
        }
        self.next = answer.next_position;
        Ok(())
    }

    /// Reads until all that was there has come.
    pub(super) async fn catch_up(mut self) -> Self {
        while self.caught_up.is_none() {
            self.answer().await.unwrap();
        }
        self
    }

    /// Reads until everything below a position has come.
    pub(super) async fn until(&mut self, position: u64) {
        while self.next < position {
            self.answer().await.unwrap();
        }
    }
}

pub(super) async fn read_all(bank: &Bank, include_bodies: bool) -> Vec<RawRecord> {
    let request = ReadRecordsRequest {
        include_bodies,
        ..Default::default()
    };
    let answer = bank.audit().read_records(acting("auditor", request)).await;
    let mut answer = answer.unwrap().into_inner();
    let mut records = Vec::new();
    while let Some(some) = answer.message().await.unwrap() {
        records.extend(some.records);
    }
    records
}

async fn subscribed(bank: &Bank, filter: SubscribeFilter) -> Vec<RawRecord> {
    let request = SubscribeRequest {
        filter: Some(filter),
        include_bodies: true,
        ..Default::default()
    };
    Subscription::open(bank, request)
        .await
        .catch_up()
        .await
        .records
}

async fn refused(bank: &Bank, request: SubscribeRequest) -> Refusal {
    let answer = bank.audit().subscribe(acting("auditor", request)).await;
    answer.unwrap_err().into()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_past_comes_and_then_what_is_made() {
    let bank = Bank::with_institutions().await;
    bank.batch(vec![achievement("a"), achievement("b")]).await;
    let size = bank.size().await;
    let whole = SubscribeRequest {
        include_bodies: true,
        ..Default::default()
    };
    let mut live = Subscription::open(&bank, whole).await.catch_up().await;
    assert_eq!(live.caught_up, Some(size));
    assert_eq!(live.records, read_all(&bank, true).await);
    assert!(
        live.records[0].body.is_empty(),
        "the key of keys is served to nobody"
    );
    assert!(live.records[0].salt.is_empty());
    for name in ["c", "d", "e"] {
        bank.submit(achievement(name)).await.unwrap();
        live.until(bank.size().await).await;
        assert_eq!(live.records, read_all(&bank, true).await);
    }
    let from_the_head = SubscribeRequest {
        from_position: bank.size().await,
        ..Default::default()
    };
    let late = Subscription::open(&bank, from_the_head)
        .await
        .catch_up()
        .await;
    assert_eq!(late.records, []);
    bank.stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn filters_let_through_what_satisfies_all_of_them() {
    let bank = Bank::with_institutions().await;
    let second = bank.learner("uni", "S2").await;
    let mut batch = Vec::new();
    for n in 0..40 {
        batch.push(Achievement {
            learner: Some(student("uni", if n % 20 == 0 { "S2" } else { "S1" })),
            ..achievement(&format!("r{n}"))
        });
    }
    bank.batch(batch).await;
    let all = read_all(&bank, true).await;
    let learner = SubscribeFilter {
        learner_handles: vec![second.clone()],
        ..Default::default()
    };
    let of_learner = subscribed(&bank, learner.clone()).await;
    assert_eq!(of_learner.len(), 4, "registered, linked, two records");
    let recorded = SubscribeFilter {
        kinds: vec![50],
        ..learner
    };
    assert_eq!(subscribed(&bank, recorded).await, of_learner[2..]);
    let kinds = |kinds: Vec<u32>| SubscribeFilter {
        kinds,
        ..Default::default()
    };
    assert_eq!(subscribed(&bank, kinds(vec![50])).await.len(), 40);
    assert_eq!(subscribed(&bank, kinds(vec![1])).await, all[..1]);
    assert_eq!(subscribed(&bank, kinds(vec![39])).await, []);
    let issuers = |issuer_ids: &[&str]| SubscribeFilter {
        issuer_ids: issuer_ids.iter().map(|id| (*id).to_owned()).collect(),
        ..Default::default()
    };
    assert_eq!(subscribed(&bank, issuers(&["college"])).await, []);
    let both = subscribed(&bank, issuers(&["uni", ""])).await;
    assert_eq!(both, all, "the operator has no name");
    bank.stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_makes_no_sense_is_refused_with_the_field() {
    let bank = Bank::with_institutions().await;
    let size = bank.size().await;
    let past = SubscribeRequest {
        from_position: size + 1,
        ..Default::default()
    };
    let said = refused(&bank, past).await;
    assert_eq!(
        (said.code, said.reason.as_str()),
        (Code::OutOfRange, "PAST_HEAD")
    );
    let slow = SubscribeRequest {
        heartbeat_seconds: 301,
        ..Default::default()
    };
    let said = refused(&bank, slow).await;
    assert_eq!(said.fields, ["heartbeat_seconds"]);
    assert_eq!(
        said.sentence,
        "heartbeat_seconds is 301; from 1 to 300, or 0 for 15"
    );
    let filter = SubscribeFilter {
        kinds: vec![50, 2],
        issuer_ids: vec!["no such id!".into()],
        learner_handles: vec!["xyz".into()],
    };
    let bad = SubscribeRequest {
        filter: Some(filter),
        ..Default::default()
    };
    let said = refused(&bank, bad).await;
    assert_eq!(said.code, Code::InvalidArgument);
    assert_eq!(
        said.fields,
        [
            "filter.kinds[1]",
            "filter.issuer_ids[0]",
            "filter.learner_handles[0]"
        ]
    );
    let denied = bank
        .audit()
        .subscribe(acting("operator", SubscribeRequest::default()))
        .await;
    assert_eq!(denied.unwrap_err().code(), Code::PermissionDenied);
}

#[tokio::test(flavor = "multi_thread")]
async fn erased_records_are_flagged_and_still_found_by_their_learner() {
    let bank = Bank::with_institutions().await;
    let learner = bank.learner("uni", "S2").await;
    bank.submit(Achievement {
        learner: Some(student("uni", "S2")),
        ..achievement("a")
    })
    .await
    .unwrap();
    let filter = SubscribeFilter {
        learner_handles: vec![learner.clone()],
        ..Default::default()
    };
    let request = SubscribeRequest {
        filter: Some(filter.clone()),
        include_bodies: true,
        ..Default::default()
    };
    let mut live = Subscription::open(&bank, request).await.catch_up().await;
    assert!(live.records.iter().all(|record| !record.body.is_empty()));
    let request = EraseLearnerRequest {
        learner_handle: learner,
        scope: ErasureScope::All.into(),
    };
    let erased = bank
        .learners()
        .erase_learner(acting("operator", request))
        .await;
    erased.unwrap();
    live.until(bank.size().await).await;
    assert_eq!(live.records.len(), 4, "the erasure is a record of its own");
    let again = subscribed(&bank, filter).await;
    let flags: Vec<bool> = again.iter().map(|record| record.erased).collect();
    assert_eq!(flags, [true, true, true, false]);
    assert!(again[..3].iter().all(|record| record.body.is_empty()));
    bank.stop_and_verify().await;
}

/// The only test that waits for time to pass, and the only place where it has to.
#[tokio::test(flavor = "multi_thread")]
async fn signs_of_life_come_when_nothing_else_does() {
    let bank = Bank::with_institutions().await;
    let erasures = SubscribeFilter {
        kinds: vec![38],
        ..Default::default()
    };
    let request = SubscribeRequest {
        filter: Some(erasures),
        heartbeat_seconds: 1,
        ..Default::default()
    };
    let mut quiet = Subscription::open(&bank, request).await.catch_up().await;
    bank.submit(achievement("a")).await.unwrap();
    let size = bank.size().await;
    while quiet.heartbeats < 1 || quiet.next < size {
        quiet.answer().await.unwrap();
    }
    assert_eq!(quiet.records, [], "all of it was filtered out");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_stops_says_where_to_go_on() {
    let bank = Bank::with_institutions().await;
    let whole = SubscribeRequest::default();
    let mut live = Subscription::open(&bank, whole).await.catch_up().await;
    let reading = tokio::spawn(async move {
        let status = live.answer().await.unwrap_err();
        (Refusal::from(status), live.next, live.records)
    });
    let bank = bank.restarted(|_| ()).await;
    let (said, next, mut records) = reading.await.unwrap();
    assert_eq!(
        (said.code, said.reason.as_str()),
        (Code::Unavailable, "SERVER_STOPPING")
    );
    assert!(said.sentence.contains("next_position"), "{}", said.sentence);
    bank.submit(achievement("a")).await.unwrap();
    let rest = SubscribeRequest {
        from_position: next,
        ..Default::default()
    };
    let rest = Subscription::open(&bank, rest).await.catch_up().await;
    records.extend(rest.records);
    assert_eq!(records, read_all(&bank, false).await);
}
