//! What a learner sees, through gRPC: a balance and a statement that agree after everything that can
//! happen to a record, and after the views were deleted.

use api::v1::learner_reference::Reference;
use api::v1::*;

use crate::bank::{Bank, achievement, acting, student};

const UNI: &str = "institution:uni";

async fn balance(bank: &Bank, learner: LearnerReference) -> GetBalanceResponse {
    let request = GetBalanceRequest {
        learner: Some(learner),
        ..Default::default()
    };
    let answer = bank.accounts().get_balance(acting(UNI, request)).await;
    answer.unwrap().into_inner()
}

async fn statement(bank: &Bank, learner: LearnerReference) -> Vec<StatementEntry> {
    let mut entries = Vec::new();
    let mut page_token = String::new();
    loop {
        let request = GetStatementRequest {
            learner: Some(learner.clone()),
            page_size: 3,
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

/// The total in ECTS, which the statement's last entry in ECTS must show as well.
async fn held(bank: &Bank, number: &str) -> String {
    let balance = balance(bank, student("uni", number)).await;
    let total = balance.totals.iter().find(|total| total.unit == "ects");
    let total = total.map_or_else(|| "0".to_owned(), |total| total.amount.clone());
    let entries = statement(bank, student("uni", number)).await;
    let last = entries.iter().rev().find(|entry| entry.unit == "ects");
    assert_eq!(
        last.map_or("0", |entry| entry.balance.as_str()),
        total,
        "statement and balance agree"
    );
    assert!(
        entries
            .is_sorted_by_key(|entry| entry.recorded_time.map(|time| (time.seconds, time.nanos)))
    );
    total
}

async fn change(bank: &Bank, record_id: &str, what: &str) {
    let (issuer_id, record_ids) = (String::new(), vec![record_id.to_owned()]);
    let reason = "under review".to_owned();
    let mut records = bank.records();
    let outcomes = match what {
        "suspend" => {
            let request = SuspendRecordsRequest {
                issuer_id,
                record_ids,
                reason,
                ..Default::default()
            };
            let answer = records.suspend_records(acting(UNI, request)).await;
            answer.unwrap().into_inner().outcomes
        }
        _ => {
            let request = ReinstateRecordsRequest {
                issuer_id,
                record_ids,
                reason,
                ..Default::default()
            };
            let answer = records.reinstate_records(acting(UNI, request)).await;
            answer.unwrap().into_inner().outcomes
        }
    };
    assert_eq!(outcomes[0].state(), OutcomeState::Recorded);
}

#[allow(clippy::too_many_lines, reason = "one account, told in order")]
#[tokio::test(flavor = "multi_thread")]
async fn balance_and_statement_follow_every_change_at_once() {
    let bank = Bank::with_institutions().await;
    assert_eq!(held(&bank, "S1").await, "0");
    bank.batch(vec![achievement("a"), achievement("b")]).await;
    assert_eq!(held(&bank, "S1").await, "12");
    change(&bank, "a", "suspend").await;
    assert_eq!(held(&bank, "S1").await, "6");
    change(&bank, "a", "reinstate").await;
    assert_eq!(held(&bank, "S1").await, "12");
    let size = Some(Size {
        amount: "4.125".into(),
        unit: "ects".into(),
    });
    let request = SupersedeRecordRequest {
        achievement: Some(Achievement {
            size,
            ..achievement("b")
        }),
        reason: "corrected".into(),
        ..Default::default()
    };
    bank.records()
        .supersede_record(acting(UNI, request))
        .await
        .unwrap();
    assert_eq!(held(&bank, "S1").await, "10.125");
    let expired = Achievement {
        expires: "2025-07-01".into(),
        ..achievement("c")
    };
    bank.submit(expired).await.unwrap();
    assert_eq!(
        held(&bank, "S1").await,
        "10.125",
        "expired counts for nothing"
    );

    // To another learner and back together.
    let other = bank.learner("uni", "S2").await;
    let request = ReassignRecordRequest {
        name: Some(RecordName {
            issuer_id: String::new(),
            record_id: "a".into(),
        }),
        to_learner: Some(LearnerReference {
            reference: Some(Reference::Handle(other.clone())),
        }),
        reason: "wrong student".into(),
        ..Default::default()
    };
    bank.records()
        .reassign_record(acting(UNI, request))
        .await
        .unwrap();
    assert_eq!(held(&bank, "S1").await, "4.125");
    assert_eq!(held(&bank, "S2").await, "6");
    let into = balance(&bank, student("uni", "S1")).await.learner_handle;
    let request = MergeLearnersRequest {
        from_handle: other.clone(),
        into_handle: into.clone(),
        reason: "one person".into(),
        ..Default::default()
    };
    bank.learners()
        .merge_learners(acting("operator", request))
        .await
        .unwrap();
    assert_eq!(held(&bank, "S2").await, "10.125");
    assert_eq!(
        balance(&bank, student("uni", "S2")).await.learner_handle,
        into
    );
    let request = SeparateLearnersRequest {
        from_handle: other,
        reason: "two persons after all".into(),
    };
    bank.learners()
        .separate_learners(acting("operator", request))
        .await
        .unwrap();
    assert_eq!(held(&bank, "S1").await, "4.125");
    assert_eq!(held(&bank, "S2").await, "6");
    bank.stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn deleted_views_are_made_again_and_say_the_same() {
    let bank = Bank::with_institutions().await;
    bank.batch(vec![achievement("a"), achievement("b")]).await;
    bank.submit(Achievement {
        learner: Some(student("uni", "S404")),
        ..achievement("pending")
    })
    .await
    .unwrap();
    let before = balance(&bank, student("uni", "S1")).await;
    let entries = statement(&bank, student("uni", "S1")).await;
    let bank = bank
        .restarted(|data| std::fs::remove_dir_all(data.join("views")).unwrap())
        .await;
    assert_eq!(balance(&bank, student("uni", "S1")).await, before);
    assert_eq!(statement(&bank, student("uni", "S1")).await, entries);
    let request = ListPendingLearnersRequest::default();
    let answer = bank
        .learners()
        .list_pending_learners(acting("operator", request))
        .await;
    assert_eq!(answer.unwrap().into_inner().learners.len(), 1);
    bank.stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_learner_sees_the_own_account_and_no_other() {
    let bank = Bank::with_institutions().await;
    let other = bank.learner("uni", "S2").await;
    bank.submit(achievement("a")).await.unwrap();
    let handle = balance(&bank, student("uni", "S1")).await.learner_handle;
    let own = format!("learner:{handle}");
    let request = GetBalanceRequest {
        learner: None,
        ..Default::default()
    };
    let answer = bank.accounts().get_balance(acting(&own, request)).await;
    assert_eq!(answer.unwrap().into_inner().totals[0].amount, "6");
    let request = GetBalanceRequest {
        learner: Some(LearnerReference {
            reference: Some(Reference::Handle(other)),
        }),
        ..Default::default()
    };
    let refused = bank.accounts().get_balance(acting(&own, request)).await;
    assert_eq!(refused.unwrap_err().code(), tonic::Code::PermissionDenied);
    let submit = SubmitRecordRequest::default();
    let refused = bank.records().submit_record(acting(&own, submit)).await;
    assert_eq!(refused.unwrap_err().code(), tonic::Code::PermissionDenied);
    let nobody = tonic::Request::new(GetBalanceRequest {
        learner: None,
        ..Default::default()
    });
    let refused = bank.accounts().get_balance(nobody).await;
    assert_eq!(refused.unwrap_err().code(), tonic::Code::Unauthenticated);
}
