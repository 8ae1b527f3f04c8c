//! AccountService.Watch. What expires is tested beside the server, where the clock can be moved.

use std::result::Result;

use api::v1::learner_reference::Reference;
use api::v1::watch_response::Content;
use api::v1::*;
use tonic::{Code, Status, Streaming};

use crate::bank::{Bank, Refusal, achievement, acting, student};

const UNI: &str = "institution:uni";

/// A watch while it is read.
pub(super) struct Watched {
    pub(super) stream: Streaming<WatchResponse>,
    pub(super) entries: Vec<StatementEntry>,
    pub(super) token: String,
    pub(super) next: u64,
    pub(super) handle: String,
    pub(super) is_caught_up: bool,
}

impl Watched {
    pub(super) async fn open(
        bank: &Bank,
        identity: &str,
        request: WatchRequest,
    ) -> Result<Watched, Refusal> {
        let stream = bank.accounts().watch(acting(identity, request)).await?;
        Ok(Watched {
            stream: stream.into_inner(),
            entries: Vec::new(),
            token: String::new(),
            next: 0,
            handle: String::new(),
            is_caught_up: false,
        })
    }

    async fn of(bank: &Bank, number: &str) -> Watched {
        let request = WatchRequest {
            learner: Some(student("uni", number)),
            ..Default::default()
        };
        Self::open(bank, UNI, request).await.unwrap()
    }

    /// Reads one answer.
    pub(super) async fn answer(&mut self) -> Result<(), Status> {
        let answer = self.stream.message().await?.expect("it ends with a status");
        match answer.content.unwrap() {
            Content::Entries(sent) => {
                assert!(!sent.entries.is_empty());
                self.entries.extend(sent.entries);
            }
            Content::CaughtUp(_) => {
                assert!(!self.is_caught_up, "sent once");
                self.is_caught_up = true;
            }
            Content::Heartbeat(_) => {}
        }
        assert!(answer.next_position >= self.next);
        self.next = answer.next_position;
        self.token = answer.resume_token;
        self.handle = answer.learner_handle;
        Ok(())
    }

    pub(super) async fn catch_up(mut self) -> Self {
        while !self.is_caught_up {
            self.answer().await.unwrap();
        }
        self
    }

    /// Reads until that many entries have come.
    async fn until(&mut self, n_entries: usize) {
        while self.entries.len() < n_entries {
            self.answer().await.unwrap();
        }
        assert_eq!(self.entries.len(), n_entries);
    }

    /// Reads until it ends.
    async fn end(&mut self) -> Refusal {
        loop {
            if let Err(status) = self.answer().await {
                return status.into();
            }
        }
    }
}

pub(super) async fn statement(bank: &Bank, number: &str) -> Vec<StatementEntry> {
    let mut entries = Vec::new();
    let mut page_token = String::new();
    loop {
        let request = GetStatementRequest {
            learner: Some(student("uni", number)),
            page_size: 1_000,
            page_token,
            ..Default::default()
        };
        let answer = bank.accounts().get_statement(acting(UNI, request)).await;
        let page = answer.unwrap().into_inner();
        entries.extend(page.entries);
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return entries;
        }
    }
}

fn of(record_id: &str, number: &str) -> Achievement {
    Achievement {
        learner: Some(student("uni", number)),
        ..achievement(record_id)
    }
}

fn by_handle(handle: &str) -> Option<LearnerReference> {
    Some(LearnerReference {
        reference: Some(Reference::Handle(handle.to_owned())),
    })
}

async fn merge(bank: &Bank, from: &str, into: &str) {
    let request = MergeLearnersRequest {
        from_handle: from.to_owned(),
        into_handle: into.to_owned(),
        reason: "one person".into(),
        ..Default::default()
    };
    let merged = bank
        .learners()
        .merge_learners(acting("operator", request))
        .await;
    merged.unwrap();
}

fn kinds(entries: &[StatementEntry]) -> Vec<EntryKind> {
    entries.iter().map(StatementEntry::kind).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_statement_comes_and_then_what_is_added_to_it() {
    let bank = Bank::with_institutions().await;
    bank.learner("uni", "S2").await;
    bank.batch(vec![of("a", "S1"), of("x", "S2")]).await;
    let mut watched = Watched::of(&bank, "S1").await.catch_up().await;
    assert_eq!(watched.entries, statement(&bank, "S1").await);
    let n_before = watched.entries.len();
    bank.batch(vec![of("y", "S2"), of("b", "S1"), of("z", "S2")])
        .await;
    watched.until(n_before + 1).await;
    let request = SuspendRecordsRequest {
        record_ids: vec!["a".into(), "b".into()],
        reason: "under review".into(),
        ..Default::default()
    };
    let suspended = bank.records().suspend_records(acting(UNI, request)).await;
    suspended.unwrap();
    watched.until(n_before + 3).await;
    assert_eq!(watched.entries, statement(&bank, "S1").await);
    // From any position on: what was recorded there and later.
    for from_position in 0..=bank.size().await {
        let request = WatchRequest {
            learner: Some(student("uni", "S1")),
            from_position,
            ..Default::default()
        };
        let later = Watched::open(&bank, UNI, request)
            .await
            .unwrap()
            .catch_up()
            .await;
        let expected: Vec<_> = watched
            .entries
            .iter()
            .filter(|entry| entry.position >= from_position)
            .cloned()
            .collect();
        assert_eq!(later.entries, expected, "from {from_position}");
    }
    bank.stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_merge_leads_on_and_a_separation_back() {
    let bank = Bank::with_institutions().await;
    let second = bank.learner("uni", "S2").await;
    bank.batch(vec![of("a", "S1"), of("x", "S2")]).await;
    let mut into = Watched::of(&bank, "S1").await.catch_up().await;
    let mut from = Watched::of(&bank, "S2").await.catch_up().await;
    assert_eq!(from.handle, second);
    let own = from.entries.len();
    let next = from.next;
    merge(&bank, &second, &into.handle).await;
    from.until(own + 2).await;
    assert_eq!(from.handle, into.handle);
    assert_eq!(
        kinds(&from.entries[own..]),
        [EntryKind::Absorbed, EntryKind::Absorbed]
    );
    let merged: Vec<_> = statement(&bank, "S2")
        .await
        .into_iter()
        .filter(|entry| entry.position >= next)
        .collect();
    assert_eq!(from.entries[own..], merged);
    into.until(into.entries.len() + 2).await;
    assert_eq!(into.entries, statement(&bank, "S1").await);
    // Who was cut off meanwhile gets the same.
    let again = WatchRequest {
        learner: by_handle(&second),
        from_position: next,
        ..Default::default()
    };
    let again = Watched::open(&bank, "operator", again).await.unwrap();
    assert_eq!(again.catch_up().await.entries, merged);
    let request = SeparateLearnersRequest {
        from_handle: second.clone(),
        reason: "two persons".into(),
    };
    let separated = bank
        .learners()
        .separate_learners(acting("operator", request))
        .await;
    separated.unwrap();
    from.until(own + 4).await;
    assert_eq!(from.handle, second);
    assert_eq!(
        kinds(&from.entries[own + 2..]),
        [EntryKind::Reopened, EntryKind::Reopened]
    );
    bank.submit(of("y", "S2")).await.unwrap();
    from.until(own + 5).await;
    into.until(into.entries.len() + 2).await;
    assert_eq!(into.entries, statement(&bank, "S1").await);
    bank.stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_record_with_many_entries_is_resumed_in_its_middle() {
    let bank = Bank::with_institutions().await;
    let second = bank.learner("uni", "S2").await;
    let many = (0..700).map(|n| of(&format!("r{n}"), "S2")).collect();
    bank.batch(many).await;
    let watched = Watched::of(&bank, "S1").await.catch_up().await;
    let n_before = watched.entries.len();
    merge(&bank, &second, &watched.handle).await;
    let mut entries = watched.entries;
    let mut resume_token = watched.token;
    let mut n_parts = 0;
    while entries.len() < n_before + 701 {
        let request = WatchRequest {
            learner: student("uni", "S1").into(),
            resume_token,
            ..Default::default()
        };
        let mut part = Watched::open(&bank, UNI, request).await.unwrap();
        // Cut off after every single answer.
        part.answer().await.unwrap();
        entries.extend(part.entries);
        resume_token = part.token;
        n_parts += 1;
    }
    assert!(n_parts > 1, "one record's entries are not one answer");
    assert_eq!(entries, statement(&bank, "S1").await);
    bank.stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_erasure_is_an_entry_or_the_end() {
    let bank = Bank::with_institutions().await;
    bank.batch(vec![of("a", "S1")]).await;
    let mut watched = Watched::of(&bank, "S1").await.catch_up().await;
    let own = WatchRequest::default();
    let own = Watched::open(&bank, &format!("learner:{}", watched.handle), own).await;
    let mut own = own.unwrap().catch_up().await;
    assert_eq!(own.entries, watched.entries);
    let n_before = own.entries.len();
    let erase = |scope: ErasureScope| EraseLearnerRequest {
        learner_handle: watched.handle.clone(),
        scope: scope.into(),
    };
    let (identity, all) = (erase(ErasureScope::Identity), erase(ErasureScope::All));
    let mut learners = bank.learners();
    learners
        .erase_learner(acting("operator", identity))
        .await
        .unwrap();
    own.until(n_before + 1).await;
    assert_eq!(own.entries[n_before].kind(), EntryKind::Erased);
    // The student number leads to nobody now.
    let said = watched.end().await;
    assert_eq!(said.code, Code::NotFound, "{said:?}");
    learners
        .erase_learner(acting("operator", all))
        .await
        .unwrap();
    assert_eq!(own.end().await.reason, "LEARNER_ERASED");
    bank.stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_not_read_any_more_is_told_so() {
    let bank = Bank::with_institutions().await;
    let second = bank.learner("uni", "S2").await;
    let first = Watched::of(&bank, "S1").await.catch_up().await.handle;
    let hers = |handle: &str| WatchRequest {
        learner: by_handle(handle),
        ..Default::default()
    };
    let refused = Watched::open(&bank, "institution:college", hers(&first)).await;
    assert_eq!(refused.err().unwrap().reason, "ACCOUNT_NOT_VISIBLE");
    let certificate = Achievement {
        learner: by_handle(&first),
        r#type: "Certificate".into(),
        level: None,
        ..achievement("c")
    };
    let college = "institution:college";
    bank.submit_as(college, certificate).await.unwrap();
    let watched = Watched::open(&bank, college, hers(&first)).await;
    let mut watched = watched.unwrap().catch_up().await;
    assert_eq!(watched.entries.len(), 3);
    let request = ReassignRecordRequest {
        name: Some(RecordName {
            issuer_id: String::new(),
            record_id: "c".into(),
        }),
        to_learner: by_handle(&second),
        reason: "wrong person".into(),
        ..Default::default()
    };
    let moved = bank
        .records()
        .reassign_record(acting(college, request))
        .await;
    moved.unwrap();
    assert_eq!(watched.end().await.reason, "ACCOUNT_NOT_VISIBLE");
    assert_eq!(watched.entries.len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_makes_no_sense_is_refused_with_the_field() {
    let bank = Bank::with_institutions().await;
    let size = bank.size().await;
    let learner = Some(student("uni", "S1"));
    let token = Watched::of(&bank, "S1").await.catch_up().await.token;
    let request = |from_position, resume_token: &str| WatchRequest {
        learner: learner.clone(),
        from_position,
        resume_token: resume_token.to_owned(),
        ..Default::default()
    };
    let refused = async |request| Watched::open(&bank, UNI, request).await.err().unwrap();
    assert_eq!(refused(request(size + 1, "")).await.reason, "PAST_HEAD");
    assert_eq!(refused(request(1, &token)).await.fields, ["from_position"]);
    assert_eq!(refused(request(0, "41")).await.fields, ["resume_token"]);
    let slow = WatchRequest {
        heartbeat_seconds: 1_000,
        ..request(0, "")
    };
    assert_eq!(refused(slow).await.fields, ["heartbeat_seconds"]);
}
