//! Bad input through gRPC: every "no" has a code, a stable reason, the path of the field, and a sentence
//! for a registrar; nothing is lost and nothing else is harmed.

use api::v1::learner_reference::Reference;
use api::v1::*;
use tonic::Code;

use crate::bank::{Bank, Refusal, achievement, acting, student, text};

mod rows;

use rows::{malformed, size, unknown_and_contradictory, who_may_not};

const UNI: &str = "institution:uni";

#[tokio::test(flavor = "multi_thread")]
async fn every_malformed_unknown_or_contradictory_field_is_named() {
    let bank = Bank::with_institutions().await;
    bank.institution("suspended", vec![Scope::default()]).await;
    let suspend = ChangeInstitutionStateRequest {
        institution_id: "suspended".into(),
        state: InstitutionState::Suspended.into(),
        reason: "audit".into(),
        ..Default::default()
    };
    bank.registry()
        .change_institution_state(acting("operator", suspend))
        .await
        .unwrap();
    let size = bank.size().await;
    let mut wrong = Vec::new();
    for row in malformed()
        .into_iter()
        .chain(unknown_and_contradictory())
        .chain(who_may_not())
    {
        let refusal = bank
            .submit_as(row.identity, row.achievement)
            .await
            .expect_err(row.what);
        let named = row.field.is_empty()
            || refusal
                .fields
                .iter()
                .any(|field| field.ends_with(row.field));
        if refusal.code != row.code
            || refusal.reason != row.reason
            || !named
            || refusal.sentence.is_empty()
        {
            wrong.push((row.what, row.code, row.reason, row.field, refusal));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert_eq!(bank.size().await, size, "nothing was recorded");
    bank.stop_and_verify().await;
}

fn reason(refused: std::result::Result<RecordOutcome, Refusal>) -> (Code, String) {
    let refusal = refused.expect_err("refused");
    (refusal.code, refusal.reason)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_id_means_one_content_and_one_learner() {
    let bank = Bank::with_institutions().await;
    bank.learner("uni", "S2").await;
    let first = bank.submit(achievement("r1")).await.unwrap();
    assert_eq!(first.state(), OutcomeState::Recorded);
    let again = bank.submit(achievement("r1")).await.unwrap();
    assert_eq!(again.state(), OutcomeState::AlreadyRecorded);
    assert_eq!(again.receipt, first.receipt);
    let other = Achievement {
        titles: vec![text("Another")],
        ..achievement("r1")
    };
    assert_eq!(
        reason(bank.submit(other).await),
        (Code::AlreadyExists, "RECORD_ID_REUSED".into())
    );
    let learner = Some(student("uni", "S2"));
    let refusal = bank
        .submit(Achievement {
            learner,
            ..achievement("r1")
        })
        .await
        .unwrap_err();
    assert_eq!(
        (refusal.code, refusal.reason.as_str()),
        (Code::AlreadyExists, "RECORD_OF_OTHER_LEARNER")
    );
    assert!(refusal.sentence.contains("r1") && refusal.sentence.contains("reassign"));
    let code = achievement("r1").code;
    let duplicate = Achievement {
        code,
        ..achievement("r2")
    };
    let refused = reason(bank.submit(duplicate).await);
    assert_eq!(
        refused,
        (Code::FailedPrecondition, "DUPLICATE_RESULT".into())
    );
    bank.stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_record_in_parallel_and_in_one_batch_has_one_receipt() {
    let bank = std::sync::Arc::new(Bank::with_institutions().await);
    let size = bank.size().await;
    let mut running = tokio::task::JoinSet::new();
    for _ in 0..16 {
        let bank = std::sync::Arc::clone(&bank);
        running.spawn(async move { bank.batch(vec![achievement("r1"), achievement("r1")]).await });
    }
    let outcomes: Vec<RecordOutcome> = running.join_all().await.into_iter().flatten().collect();
    assert_eq!(
        outcomes
            .iter()
            .filter(|o| o.state() == OutcomeState::Recorded)
            .count(),
        1
    );
    assert!(outcomes.iter().all(|o| o.receipt == outcomes[0].receipt));
    assert_eq!(bank.size().await, size + 1);
}

async fn revoke(bank: &Bank, record_id: &str) -> RecordOutcome {
    let request = RevokeRecordsRequest {
        record_ids: vec![record_id.into()],
        reason: "fraud".into(),
        ..Default::default()
    };
    let answer = bank
        .records()
        .revoke_records(acting(UNI, request))
        .await
        .unwrap()
        .into_inner();
    answer.outcomes.into_iter().next().unwrap()
}

async fn supersede_as(
    bank: &Bank,
    identity: &str,
    achievement: Achievement,
    expected_revision: Option<u64>,
) -> std::result::Result<RecordOutcome, Refusal> {
    let request = SupersedeRecordRequest {
        achievement: Some(achievement),
        reason: "corrected".into(),
        expected_revision,
        validate_only: false,
    };
    let answer = bank
        .records()
        .supersede_record(acting(identity, request))
        .await?;
    Ok(answer.into_inner().outcome.unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_revoked_foreign_missing_or_stale_cannot_be_changed() {
    let bank = Bank::with_institutions().await;
    bank.submit(achievement("r1")).await.unwrap();
    bank.submit(achievement("r2")).await.unwrap();
    let new = |id: &str| Achievement {
        size: size("7", "ects"),
        ..achievement(id)
    };
    let stale = supersede_as(&bank, UNI, new("r1"), Some(0)).await;
    assert_eq!(reason(stale), (Code::Aborted, "STALE_REVISION".into()));
    assert_eq!(revoke(&bank, "r1").await.state(), OutcomeState::Recorded);
    let twice = revoke(&bank, "r1").await;
    assert_eq!(twice.state(), OutcomeState::Rejected);
    assert_eq!(twice.error.unwrap().reason, "RECORD_REVOKED");
    let revoked = supersede_as(&bank, UNI, new("r1"), None).await;
    assert_eq!(
        reason(revoked),
        (Code::FailedPrecondition, "RECORD_REVOKED".into())
    );
    let missing = supersede_as(&bank, UNI, new("r9"), None).await;
    assert_eq!(reason(missing), (Code::NotFound, "UNKNOWN_RECORD".into()));
    let foreign = Achievement {
        issuer_id: "uni".into(),
        ..new("r2")
    };
    let foreign = supersede_as(&bank, "institution:college", foreign, None).await;
    assert_eq!(
        reason(foreign),
        (Code::PermissionDenied, "NOT_DELEGATED".into())
    );
    bank.stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn unlinked_and_mismatched_learners_are_pending_not_errors() {
    let bank = Bank::with_institutions().await;
    let document = Document {
        kind: "sample-id".into(),
        number: "D1".into(),
    };
    let profile = LearnerProfile {
        names: vec![text("Ada Sample")],
        documents: vec![document.clone()],
        birth_date: "1990-01-02".into(),
        ..Default::default()
    };
    let request = RegisterLearnerRequest {
        profile: Some(profile),
        ..Default::default()
    };
    bank.learners()
        .register_learner(acting("operator", request))
        .await
        .unwrap();
    let by_document = |name: &str| {
        let identity = DocumentIdentity {
            document: Some(document.clone()),
            name: name.into(),
            birth_date: "1990-01-02".into(),
        };
        Some(LearnerReference {
            reference: Some(Reference::Document(identity)),
        })
    };
    let pending = |outcome: RecordOutcome| (outcome.state(), outcome.pending_reason());
    let unlinked = Achievement {
        learner: Some(student("uni", "S404")),
        ..achievement("p1")
    };
    let outcome = bank.submit(unlinked).await.unwrap();
    assert_eq!(
        pending(outcome),
        (OutcomeState::Pending, PendingReason::Unlinked)
    );
    let mismatch = Achievement {
        learner: by_document("Eve Sample"),
        ..achievement("p2")
    };
    let outcome = bank.submit(mismatch).await.unwrap();
    assert_eq!(
        pending(outcome),
        (OutcomeState::Pending, PendingReason::IdentityMismatch)
    );
    let matching = Achievement {
        learner: by_document("Ada Sample"),
        ..achievement("p3")
    };
    assert_eq!(
        bank.submit(matching).await.unwrap().state(),
        OutcomeState::Recorded
    );
    bank.stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frozen_window_and_an_erased_record_say_so() {
    let bank = Bank::with_institutions().await;
    let span = |from: &str, until: &str| {
        Some(Span {
            from: from.into(),
            until: until.into(),
        })
    };
    let window = IntakeWindow {
        window_id: "exam-year-2018".into(),
        awarded: span("2018-01-01", "2019-01-01"),
        intake: span("2018-01-01", "2020-01-01"),
        ..Default::default()
    };
    let request = PublishIntakeWindowRequest {
        window: Some(window),
    };
    bank.registry()
        .publish_intake_window(acting("operator", request))
        .await
        .unwrap();
    let late = Achievement {
        awarded: "2018-07-01".into(),
        ..achievement("late")
    };
    let refusal = bank.submit(late).await.unwrap_err();
    assert_eq!(
        (refusal.code, refusal.reason.as_str()),
        (Code::FailedPrecondition, "WINDOW_FROZEN")
    );
    assert!(refusal.sentence.contains("exam-year-2018"));

    let learner_handle = bank.submit(achievement("r1")).await.unwrap().learner_handle;
    let request = EraseLearnerRequest {
        learner_handle,
        scope: ErasureScope::All.into(),
    };
    let erased = bank
        .learners()
        .erase_learner(acting("operator", request))
        .await
        .unwrap();
    assert_eq!(erased.into_inner().erased_count, 3);
    let refused = reason(bank.submit(achievement("r1")).await);
    assert_eq!(refused, (Code::FailedPrecondition, "ERASED".into()));
    let new = bank.submit(achievement("r2")).await.unwrap();
    assert_eq!(new.state(), OutcomeState::Pending);
    bank.stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn in_a_batch_the_good_are_recorded_and_the_bad_explained_in_order() {
    let bank = Bank::with_institutions().await;
    let outcomes = bank
        .batch(vec![
            achievement("a"),
            Achievement {
                size: size("-1", "ects"),
                ..achievement("b")
            },
            Achievement {
                field: "9876".into(),
                ..achievement("c")
            },
            achievement("d"),
            achievement("a"),
        ])
        .await;
    let states: Vec<_> = outcomes.iter().map(RecordOutcome::state).collect();
    use OutcomeState::{AlreadyRecorded, Recorded, Rejected};
    assert_eq!(
        states,
        [Recorded, Rejected, Rejected, Recorded, AlreadyRecorded]
    );
    let ids: Vec<_> = outcomes
        .iter()
        .map(|outcome| outcome.record_id.as_str())
        .collect();
    assert_eq!(ids, ["a", "b", "c", "d", "a"]);
    let fields: Vec<_> = outcomes
        .iter()
        .filter_map(|o| o.error.as_ref())
        .map(|e| e.field.as_str())
        .collect();
    assert!(
        fields[0].ends_with("size.amount") && fields[1].ends_with("field"),
        "{fields:?}"
    );
    bank.stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_on_batches_and_messages_name_the_limit() {
    let bank = Bank::with_institutions().await;
    let send = |achievements: Vec<Achievement>| {
        let request = BatchSubmitRecordsRequest {
            achievements,
            ..Default::default()
        };
        let mut records = bank.records();
        async move {
            let answer = records.batch_submit_records(acting(UNI, request)).await;
            Refusal::from(answer.expect_err("over a limit"))
        }
    };
    let empty = send(vec![]).await;
    assert_eq!(empty.code, Code::InvalidArgument);
    let many = send(vec![achievement("r"); 1_001]).await;
    assert!(
        matches!(many.code, Code::ResourceExhausted | Code::InvalidArgument),
        "{many:?}"
    );
    assert!(many.sentence.contains("1000"), "{many:?}");
    let evidence = Evidence {
        uri: format!("https://x/{}", "e".repeat(1_000)),
        ..Default::default()
    };
    let heavy = Achievement {
        evidence: vec![evidence; 30],
        ..achievement("heavy")
    };
    let body = bank.submit(heavy.clone()).await.unwrap_err();
    assert_eq!(body.code, Code::ResourceExhausted, "{body:?}");
    assert!(body.sentence.contains("16384"), "{body:?}");
    let message = send(vec![heavy; 150]).await;
    assert!(
        matches!(message.code, Code::ResourceExhausted | Code::OutOfRange),
        "{message:?}"
    );
    assert!(message.sentence.contains("4194304"), "{message:?}");
    bank.stop_and_verify().await;
}

/// Messages that no generated client would send: the bytes of the body as they are.
#[tokio::test(flavor = "multi_thread")]
async fn invalid_utf_8_is_refused_and_the_server_goes_on() {
    let bank = Bank::with_institutions().await;
    // SubmitRecordRequest { achievement (1): Achievement { record_id (2): ff fe } }
    let bytes = vec![0x0a, 0x04, 0x12, 0x02, 0xff, 0xfe];
    let mut client = tonic::client::Grpc::new(bank.channel.clone());
    client.ready().await.unwrap();
    let path = "/creditbank.v1.RecordService/SubmitRecord".parse().unwrap();
    let answer = client
        .unary(acting(UNI, bytes), path, crate::raw::RawCodec)
        .await;
    let status = answer.expect_err("not UTF-8");
    assert!(
        matches!(status.code(), Code::InvalidArgument | Code::Internal),
        "{status:?}"
    );
    assert_eq!(
        bank.submit(achievement("r1")).await.unwrap().state(),
        OutcomeState::Recorded
    );
    bank.stop_and_verify().await;
}
