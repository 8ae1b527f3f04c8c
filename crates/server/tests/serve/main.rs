//! A server from start to stop, as clients of each role see it.
//!
//! Apart from the tests beside the code because it needs all of it: files, threads and a socket. What
//! the ledger decides is tested in the ledger; here is tested that it arrives.

#![allow(clippy::unwrap_used, reason = "a test, also in its helpers")]

mod calls;

use api::v1;
use api::v1::account_service_client::AccountServiceClient;
use api::v1::audit_service_client::AuditServiceClient;
use api::v1::learner_service_client::LearnerServiceClient;
use api::v1::record_service_client::RecordServiceClient;
use api::v1::registry_service_client::RegistryServiceClient;
use calls::{
    COLLEGE, balance, by, course, handle, name, read_head, reason, register_college,
    register_learner, started, student, submit,
};
use creditbank_server::Config;
use creditbank_server::config::Http;
use tonic::Code;
use tonic::transport::Channel;

#[tokio::test(flavor = "multi_thread")]
async fn who_calls_decides_what_is_answered() {
    let dir = tempfile::tempdir().unwrap();
    let (running, channel) = started(dir.path()).await;
    let mut registry = RegistryServiceClient::new(channel.clone());
    let nobody = registry
        .list_frameworks(v1::ListFrameworksRequest {
            ..Default::default()
        })
        .await
        .unwrap_err();
    assert_eq!(
        (nobody.code(), reason(&nobody).as_str()),
        (Code::Unauthenticated, "IDENTITY_MISSING")
    );
    let listed = registry
        .list_frameworks(by(
            "auditor",
            v1::ListFrameworksRequest {
                ..Default::default()
            },
        ))
        .await;
    assert!(listed.unwrap().into_inner().frameworks.len() > 10);
    let request = v1::RegisterInstitutionRequest::default();
    let denied = registry
        .register_institution(by(COLLEGE, request))
        .await
        .unwrap_err();
    assert_eq!(
        (denied.code(), reason(&denied).as_str()),
        (Code::PermissionDenied, "ROLE_NOT_ALLOWED")
    );

    let first = register_college(&channel, "college-a").await;
    let again = register_college(&channel, "college-a").await;
    assert_eq!(first, again, "publishing the same again changes nothing");
    register_college(&channel, "college-b").await;
    let learner = register_learner(&channel, "s-1").await;
    submit(&channel, course("r-1", "s-1", "5")).await;

    let own = balance(&channel, &format!("learner:{learner}"), None)
        .await
        .unwrap();
    assert_eq!(own.totals[0].amount, "5");
    let named = balance(&channel, COLLEGE, student("s-1")).await.unwrap();
    assert_eq!(own, named);
    assert!(balance(&channel, COLLEGE, handle(&learner)).await.is_ok());
    assert!(
        balance(&channel, "operator", handle(&learner))
            .await
            .is_ok()
    );
    let other = balance(&channel, "institution:college-b", handle(&learner))
        .await
        .unwrap_err();
    assert_eq!(reason(&other), "ACCOUNT_NOT_VISIBLE");
    let another = register_learner(&channel, "s-2").await;
    let curious = balance(&channel, &format!("learner:{another}"), handle(&learner)).await;
    assert_eq!(reason(&curious.unwrap_err()), "ACCOUNT_NOT_VISIBLE");
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_has_one_outcome_a_record_in_order() {
    let dir = tempfile::tempdir().unwrap();
    let (running, channel) = started(dir.path()).await;
    register_college(&channel, "college-a").await;
    register_learner(&channel, "s-1").await;
    let mut records = RecordServiceClient::new(channel.clone());
    let achievements = vec![
        course("r-1", "s-1", "5"),
        course("r-2", "s-1", "many"),
        course("r-3", "s-9", "2"),
        course("r-1", "s-1", "5"),
        course("r-1", "s-1", "6"),
    ];
    let mut request = v1::BatchSubmitRecordsRequest {
        achievements,
        atomic: true,
        validate_only: false,
        ..Default::default()
    };
    let states = |response: v1::BatchSubmitRecordsResponse| -> Vec<v1::OutcomeState> {
        response
            .outcomes
            .iter()
            .map(v1::RecordOutcome::state)
            .collect()
    };
    use v1::OutcomeState::{AlreadyRecorded, NotAttempted, Pending, Recorded, Rejected};
    let atomic = records
        .batch_submit_records(by(COLLEGE, request.clone()))
        .await
        .unwrap();
    let expected = [
        NotAttempted,
        Rejected,
        NotAttempted,
        NotAttempted,
        NotAttempted,
    ];
    assert_eq!(states(atomic.into_inner()), expected);
    request.atomic = false;
    let each = records
        .batch_submit_records(by(COLLEGE, request.clone()))
        .await
        .unwrap()
        .into_inner();
    let refused = each.outcomes[1].error.as_ref().unwrap();
    assert_eq!(
        (refused.reason.as_str(), refused.field.as_str()),
        ("MALFORMED", "size.amount")
    );
    assert_eq!(each.outcomes[0].receipt, each.outcomes[3].receipt);
    assert_eq!(
        each.outcomes[2].pending_reason(),
        v1::PendingReason::Unlinked
    );
    assert_eq!(
        states(each),
        [Recorded, Rejected, Pending, AlreadyRecorded, Rejected]
    );
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn beyond_a_limit_the_answer_says_the_limit() {
    let dir = tempfile::tempdir().unwrap();
    let (running, channel) = started(dir.path()).await;
    let submit = async |achievements: Vec<v1::Achievement>| {
        let request = v1::BatchSubmitRecordsRequest {
            achievements,
            ..Default::default()
        };
        let mut records = RecordServiceClient::new(channel.clone());
        records.batch_submit_records(by(COLLEGE, request)).await
    };
    let many = (0..11)
        .map(|n| course(&format!("x-{n}"), "s-1", "1"))
        .collect();
    let many = submit(many).await.unwrap_err();
    assert_eq!(many.code(), Code::ResourceExhausted);
    assert_eq!(reason(&many), "BATCH_TOO_LARGE");
    let none = submit(Vec::new()).await.unwrap_err();
    assert_eq!(none.message(), "achievements is empty: send 1 to 10");

    let mut long = course("r-5", "s-1", "1");
    long.titles[0].value = "x".repeat(70 << 10);
    let long = submit(vec![long]).await.unwrap_err();
    assert_eq!(long.code(), Code::ResourceExhausted);
    assert_eq!(reason(&long), "MESSAGE_TOO_LARGE");
    assert!(long.message().contains("65536"));

    let mut long = course("r-5", "s-1", "1");
    long.outcomes = vec!["x".repeat(1_000); 40];
    let long = submit(vec![long]).await.unwrap().into_inner();
    let error = long.outcomes[0].error.as_ref().unwrap();
    assert_eq!(error.reason, "ACHIEVEMENT_TOO_LARGE");
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn records_live_and_are_listed() {
    let dir = tempfile::tempdir().unwrap();
    let (running, channel) = started(dir.path()).await;
    register_college(&channel, "college-a").await;
    let learner = register_learner(&channel, "s-1").await;
    let mut records = RecordServiceClient::new(channel.clone());
    for n in 1..=3 {
        submit(&channel, course(&format!("r-{n}"), "s-1", "5")).await;
    }
    let revoke = v1::RevokeRecordsRequest {
        record_ids: vec!["r-1".to_owned(), "r-9".to_owned()],
        reason: "a mistake".to_owned(),
        ..v1::RevokeRecordsRequest::default()
    };
    let revoked = records
        .revoke_records(by(COLLEGE, revoke))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(revoked.outcomes[0].state(), v1::OutcomeState::Recorded);
    assert_eq!(
        revoked.outcomes[1].error.as_ref().unwrap().reason,
        "UNKNOWN_RECORD"
    );
    let mut content = course("r-2", "s-1", "7.5");
    content.learner = None;
    let supersede = v1::SupersedeRecordRequest {
        achievement: Some(content),
        reason: "corrected".to_owned(),
        ..v1::SupersedeRecordRequest::default()
    };
    records
        .supersede_record(by(COLLEGE, supersede))
        .await
        .unwrap();

    let request = v1::GetRecordRequest {
        name: name("r-2"),
        ..Default::default()
    };
    let record = records
        .get_record(by(COLLEGE, request))
        .await
        .unwrap()
        .into_inner();
    let record = record.record.unwrap();
    assert_eq!(
        (record.state(), record.versions.len()),
        (v1::RecordState::Recorded, 2)
    );
    assert_eq!(record.versions[1].reason, "corrected");
    assert_eq!(record.learner_handle, learner);
    let request = v1::GetRecordRequest {
        name: name("r-9"),
        ..Default::default()
    };
    let missing = records.get_record(by(COLLEGE, request)).await.unwrap_err();
    assert_eq!(missing.code(), Code::NotFound);

    they_are_listed(&channel, &record).await;
    running.stop().await;
}

/// Three records of which the first is revoked and the second is this one.
async fn they_are_listed(channel: &Channel, second: &v1::Record) {
    let mut records = RecordServiceClient::new(channel.clone());
    let mut request = v1::ListRecordsRequest {
        page_size: 2,
        ..v1::ListRecordsRequest::default()
    };
    let first = records
        .list_records(by(COLLEGE, request.clone()))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(first.records[0].state(), v1::RecordState::Revoked);
    assert_eq!(first.records[0].state_reason, "a mistake");
    assert_eq!(first.records[1], *second);
    request.page_token = first.next_page_token;
    let last = records
        .list_records(by(COLLEGE, request))
        .await
        .unwrap()
        .into_inner();
    assert_eq!((last.records.len(), last.next_page_token.as_str()), (1, ""));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_comes_in_pages() {
    let dir = tempfile::tempdir().unwrap();
    let (running, channel) = started(dir.path()).await;
    register_college(&channel, "college-a").await;
    let learner = register_learner(&channel, "s-1").await;
    for n in 1..=3 {
        submit(&channel, course(&format!("r-{n}"), "s-1", "2.5")).await;
    }
    let mut accounts = AccountServiceClient::new(channel.clone());
    let mut request = v1::GetStatementRequest {
        page_size: 3,
        ..Default::default()
    };
    let own = format!("learner:{learner}");
    let mut entries = Vec::new();
    loop {
        let page = accounts
            .get_statement(by(&own, request.clone()))
            .await
            .unwrap()
            .into_inner();
        entries.extend(page.entries);
        request.page_token = page.next_page_token;
        if request.page_token.is_empty() {
            break;
        }
    }
    assert_eq!(entries.last().unwrap().balance, "7.5");
    assert_eq!(entries.len(), 5, "registered, linked and three records");
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pending_learner_is_found_linked_and_erased() {
    let dir = tempfile::tempdir().unwrap();
    let (running, channel) = started(dir.path()).await;
    register_college(&channel, "college-a").await;
    let mut learners = LearnerServiceClient::new(channel.clone());
    let pending = submit(&channel, course("r-1", "s-7", "5")).await;
    assert_eq!(pending.state(), v1::OutcomeState::Pending);
    let queue = v1::ListPendingLearnersRequest::default();
    let waiting = learners
        .list_pending_learners(by(COLLEGE, queue.clone()))
        .await
        .unwrap();
    let waiting = waiting.into_inner().learners;
    assert_eq!(waiting[0].learner_handle, pending.learner_handle);
    assert_eq!(
        (waiting[0].reason.as_str(), waiting[0].record_count),
        ("UNLINKED", 1)
    );
    let other = learners
        .list_pending_learners(by("institution:college-b", queue.clone()))
        .await;
    assert!(other.unwrap().into_inner().learners.is_empty());

    let learner = register_learner(&channel, "s-7").await;
    let request = v1::GetLearnerRequest {
        learner: student("s-7"),
        ..Default::default()
    };
    let found = learners
        .get_learner(by(COLLEGE, request))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(found.learner_handle, learner);
    assert_eq!(found.profile.unwrap().names[0].value, "Ada");
    assert_eq!(found.students[0].number, "s-7");
    let held = balance(&channel, COLLEGE, student("s-7")).await.unwrap();
    assert_eq!(held.totals[0].amount, "5");
    let waiting = learners
        .list_pending_learners(by("operator", queue))
        .await
        .unwrap();
    assert!(waiting.into_inner().learners.is_empty());

    let erase = v1::EraseLearnerRequest {
        learner_handle: learner.clone(),
        scope: v1::ErasureScope::All.into(),
    };
    let erased = learners
        .erase_learner(by("operator", erase))
        .await
        .unwrap()
        .into_inner();
    assert!(erased.erased_count >= 3, "{}", erased.erased_count);
    let gone = balance(&channel, "operator", handle(&learner))
        .await
        .unwrap_err();
    assert_eq!(reason(&gone), "LEARNER_ERASED");
    let mut records = RecordServiceClient::new(channel.clone());
    let request = v1::GetRecordRequest {
        name: name("r-1"),
        ..Default::default()
    };
    let gone = records.get_record(by(COLLEGE, request)).await.unwrap_err();
    assert_eq!(reason(&gone), "ERASED");
    let list = v1::ListRecordsRequest::default();
    let list = records
        .list_records(by(COLLEGE, list))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(list.records[0].state(), v1::RecordState::Erased);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_is_there_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let (running, channel) = started(dir.path()).await;
    register_college(&channel, "college-a").await;
    let learner = register_learner(&channel, "s-1").await;
    let before = submit(&channel, course("r-1", "s-1", "5")).await;
    let head = read_head(&channel).await;
    let locked = Config {
        data_dir: dir.path().to_owned(),
        ..Config::default()
    };
    let second = creditbank_server::start(Config {
        listen: ([127, 0, 0, 1], 0).into(),
        http: Http::off(),
        ..locked
    })
    .await;
    let second = second.err().map(|error| error.to_string()).unwrap();
    assert!(second.contains("is in use"), "{second}");
    running.stop().await;

    let (running, channel) = started(dir.path()).await;
    assert_eq!(read_head(&channel).await, head);
    assert_eq!(running.recovery().log.head.size, head.size);
    assert!(
        matches!(running.recovery().views, views::Opened::Resumed { applied } if applied == head.size)
    );
    let again = submit(&channel, course("r-1", "s-1", "5")).await;
    assert_eq!(again.state(), v1::OutcomeState::AlreadyRecorded);
    assert_eq!(again.receipt, before.receipt);
    let held = balance(&channel, &format!("learner:{learner}"), None)
        .await
        .unwrap();
    assert_eq!(
        (held.totals[0].amount.as_str(), held.as_of_size),
        ("5", head.size)
    );

    let mut audit = AuditServiceClient::new(channel.clone());
    let request = v1::ReadRecordsRequest {
        include_bodies: true,
        ..Default::default()
    };
    let mut stream = audit
        .read_records(by("auditor", request))
        .await
        .unwrap()
        .into_inner();
    let mut found = Vec::new();
    while let Some(chunk) = stream.message().await.unwrap() {
        found.extend(chunk.records);
    }
    assert_eq!(u64::try_from(found.len()), Ok(head.size));
    assert!(
        found[0].body.is_empty(),
        "the key of all keys is served to nobody"
    );
    assert!(
        found[1..]
            .iter()
            .all(|record| !record.body.is_empty() && record.salt.len() == 32)
    );
    let receipt = before.receipt.unwrap();
    let last = found.last().unwrap();
    assert_eq!(
        (last.position, &last.leaf),
        (receipt.position, &receipt.leaf)
    );
    running.stop().await;
}
