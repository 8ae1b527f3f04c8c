//! Learners registered with their first record, through gRPC: a registrar's file needs no list of
//! learners beforehand.

use api::v1::*;

use crate::bank::{Bank, achievement, acting, student, text};

const UNI: &str = "institution:uni";

fn newcomer(number: &str, name: &str) -> NewLearner {
    NewLearner {
        student: Some(StudentNumber {
            number: number.into(),
            ..Default::default()
        }),
        profile: Some(LearnerProfile {
            names: vec![text(name)],
            ..Default::default()
        }),
    }
}

fn about(record_id: &str, number: &str) -> Achievement {
    Achievement {
        learner: Some(student("uni", number)),
        ..achievement(record_id)
    }
}

async fn submit(
    bank: &Bank,
    achievements: Vec<Achievement>,
    new_learners: Vec<NewLearner>,
    validate_only: bool,
) -> Vec<RecordOutcome> {
    let request = BatchSubmitRecordsRequest {
        achievements,
        new_learners,
        validate_only,
        ..Default::default()
    };
    let answer = bank
        .records()
        .batch_submit_records(acting(UNI, request))
        .await;
    answer.unwrap().into_inner().outcomes
}

fn states(outcomes: &[RecordOutcome]) -> Vec<OutcomeState> {
    outcomes.iter().map(RecordOutcome::state).collect()
}

async fn show(bank: &Bank, number: &str) -> GetLearnerResponse {
    let request = GetLearnerRequest {
        learner: Some(student("uni", number)),
        ..Default::default()
    };
    let answer = bank.learners().get_learner(acting(UNI, request)).await;
    answer.unwrap().into_inner()
}

#[tokio::test(flavor = "multi_thread")]
async fn learners_come_with_their_first_record() {
    let bank = Bank::with_institutions().await;
    // S2 waits already.
    let waiting = submit(&bank, vec![about("r0", "S2")], Vec::new(), false).await;
    assert_eq!(states(&waiting), [OutcomeState::Pending]);

    let mut bad = about("r3", "S4");
    bad.awarded = "2025-02-30".into();
    let records = vec![about("r1", "S2"), about("r2", "S3"), bad, about("r4", "S3")];
    let mut learners: Vec<NewLearner> = [("S2", "Bo"), ("S3", "Cy"), ("S4", "Di"), ("S1", "Al")]
        .map(|(number, name)| newcomer(number, name))
        .into();
    let before = bank.size().await;
    let dry = submit(&bank, records.clone(), learners.clone(), true).await;
    let expected = [
        OutcomeState::Recorded,
        OutcomeState::Recorded,
        OutcomeState::Rejected,
        OutcomeState::Recorded,
    ];
    assert_eq!(states(&dry), expected);
    assert_eq!(bank.size().await, before, "a check records nothing");

    let outcomes = submit(&bank, records.clone(), learners.clone(), false).await;
    assert_eq!(states(&outcomes), expected);
    // S2: registered, merged, absorbed, linked; S3: registered, linked; three records.
    assert_eq!(bank.size().await, before + 9);
    assert_eq!(outcomes[1].learner_handle, outcomes[3].learner_handle);
    let found = show(&bank, "S2").await;
    assert_eq!(found.learner_handle, outcomes[0].learner_handle);
    assert_eq!(found.profile.unwrap().names, [text("Bo")]);
    assert!(!found.provisional);
    let ids = |position: usize| outcomes[position].receipt.clone().unwrap().position;
    assert!(ids(0) < ids(1) && ids(1) < ids(3));

    // Sent again, also with other attributes, nothing changes.
    learners[0] = newcomer("S2", "Bob");
    let again = submit(&bank, records, learners, false).await;
    assert_eq!(again[0].state(), OutcomeState::AlreadyRecorded);
    assert_eq!(again[0].receipt, outcomes[0].receipt);
    assert_eq!(bank.size().await, before + 9);
    bank.stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_waits_is_bound_by_sending_it_again() {
    let bank = Bank::with_institutions().await;
    let first = submit(&bank, vec![about("r0", "S2")], Vec::new(), false).await;
    let before = bank.size().await;
    let newcomers = || vec![newcomer("S2", "Bo")];
    let dry = submit(&bank, vec![about("r0", "S2")], newcomers(), true).await;
    assert_eq!(
        (dry[0].state(), dry[0].pending_reason()),
        (OutcomeState::AlreadyRecorded, PendingReason::Unspecified)
    );
    assert_eq!(bank.size().await, before);
    let bound = submit(&bank, vec![about("r0", "S2")], newcomers(), false).await;
    assert_eq!(bound[0].state(), OutcomeState::AlreadyRecorded);
    assert_eq!(bound[0].pending_reason(), PendingReason::Unspecified);
    assert_eq!(bound[0].receipt, first[0].receipt);
    assert_eq!(bank.size().await, before + 4);
    assert_eq!(
        show(&bank, "S2").await.learner_handle,
        bound[0].learner_handle
    );
    let request = GetBalanceRequest {
        learner: Some(student("uni", "S2")),
        ..Default::default()
    };
    let answer = bank.accounts().get_balance(acting(UNI, request)).await;
    assert_eq!(answer.unwrap().into_inner().totals[0].amount, "6");
    bank.stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_registered_is_said_of_the_record_or_the_call() {
    let bank = Bank::with_institutions().await;
    let mut odd = newcomer("S2", "Bo");
    odd.profile.as_mut().unwrap().birth_date = "1.2.2000".into();
    let outcomes = submit(
        &bank,
        vec![about("r1", "S2"), about("r2", "S3")],
        vec![odd],
        false,
    );
    let outcomes = outcomes.await;
    assert_eq!(
        states(&outcomes),
        [OutcomeState::Rejected, OutcomeState::Pending]
    );
    assert_eq!(
        outcomes[0].error.as_ref().unwrap().field,
        "profile.birth_date"
    );

    let request = |new_learners| BatchSubmitRecordsRequest {
        achievements: vec![about("r1", "S2"), about("r2", "S3")],
        new_learners,
        ..Default::default()
    };
    let twice = vec![newcomer("S2", "Bo"), newcomer("S2", "Bo")];
    let many = ["S2", "S3", "S4"]
        .map(|number| newcomer(number, "Bo"))
        .into();
    for (learners, field) in [(twice, "new_learners[1].student"), (many, "new_learners")] {
        let answer = bank
            .records()
            .batch_submit_records(acting(UNI, request(learners)))
            .await;
        let refusal = crate::bank::Refusal::from(answer.unwrap_err());
        assert_eq!(refusal.fields, [field]);
    }
    bank.stop_and_verify().await;
}
