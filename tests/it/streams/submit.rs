//! RecordService.StreamSubmitRecords.

use std::collections::BTreeSet;
use std::result::Result;

use api::v1::*;
use tokio::sync::{mpsc, oneshot};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Status, Streaming};

use crate::bank::{Bank, Refusal, achievement, acting, student};

const UNI: &str = "institution:uni";

/// A stream of intake: requests go in, answers come out.
pub(super) struct Intake {
    pub(super) requests: mpsc::Sender<StreamSubmitRecordsRequest>,
    pub(super) answers: Streaming<StreamSubmitRecordsResponse>,
}

pub(super) fn request(achievements: Vec<Achievement>) -> StreamSubmitRecordsRequest {
    StreamSubmitRecordsRequest {
        achievements,
        ..Default::default()
    }
}

impl Intake {
    pub(super) async fn open(bank: &Bank) -> Intake {
        let (requests, sent) = mpsc::channel(8);
        let sent = ReceiverStream::new(sent);
        let answers = bank
            .records()
            .stream_submit_records(acting(UNI, sent))
            .await;
        Intake {
            requests,
            answers: answers.unwrap().into_inner(),
        }
    }

    async fn answer(&mut self) -> Result<StreamSubmitRecordsResponse, Status> {
        let answer = self.answers.message().await?;
        Ok(answer.expect("an answer a request"))
    }

    /// Sends nothing more, and reads what is left.
    async fn end(self) -> Result<Vec<StreamSubmitRecordsResponse>, Status> {
        let Intake {
            requests,
            mut answers,
        } = self;
        drop(requests);
        let mut rest = Vec::new();
        while let Some(answer) = answers.message().await? {
            rest.push(answer);
        }
        Ok(rest)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_request_is_answered_in_order_and_alone() {
    let bank = Bank::with_institutions().await;
    let before = bank.size().await;
    let mut intake = Intake::open(&bank).await;
    let bad = Achievement {
        awarded: "yesterday".into(),
        ..achievement("bad")
    };
    let twice = achievement("r0");
    let requests = vec![
        request(vec![achievement("r0"), bad, achievement("r1")]),
        request(vec![twice]),
        request(vec![achievement("r2")]),
    ];
    for request in requests {
        intake.requests.send(request).await.unwrap();
    }
    let first = intake.answer().await.unwrap();
    assert_eq!(first.answered_count, 3);
    let states: Vec<OutcomeState> = first.outcomes.iter().map(RecordOutcome::state).collect();
    assert_eq!(
        states,
        [
            OutcomeState::Recorded,
            OutcomeState::Rejected,
            OutcomeState::Recorded
        ]
    );
    assert_eq!(first.outcomes[1].error.as_ref().unwrap().field, "awarded");
    let rest = intake.end().await.unwrap();
    assert_eq!(rest[0].outcomes[0].state(), OutcomeState::AlreadyRecorded);
    assert_eq!(rest[0].outcomes[0].receipt, first.outcomes[0].receipt);
    assert_eq!(rest[1].outcomes[0].state(), OutcomeState::Recorded);
    let counts: Vec<u64> = rest.iter().map(|answer| answer.answered_count).collect();
    assert_eq!(counts, [4, 5]);
    assert_eq!(bank.size().await, before + 3);
    bank.stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn small_requests_are_recorded_together_and_in_the_order_of_sending() {
    let bank = Bank::with_institutions().await;
    let before = bank.size().await;
    let intake = Intake::open(&bank).await;
    let sender = intake.requests.clone();
    let sending = tokio::spawn(async move {
        for n in 0..600 {
            let one = request(vec![achievement(&format!("r{n}"))]);
            sender.send(one).await.unwrap();
        }
    });
    let answers = tokio::spawn(intake.end());
    sending.await.unwrap();
    let answers = answers.await.unwrap().unwrap();
    let positions: Vec<u64> = answers
        .iter()
        .map(|answer| answer.outcomes[0].receipt.as_ref().unwrap().position)
        .collect();
    let expected: Vec<u64> = (before..before + 600).collect();
    assert_eq!(positions, expected);
    let times: BTreeSet<_> = answers
        .iter()
        .map(|answer| {
            let time = answer.outcomes[0].receipt.as_ref().unwrap().recorded_time;
            time.map(|time| (time.seconds, time.nanos))
        })
        .collect();
    assert!(times.len() < 400, "{} commits", times.len());
    bank.stop_and_verify().await;
}

async fn refused(bank: &Bank, bad: StreamSubmitRecordsRequest) -> (u64, Refusal) {
    let mut intake = Intake::open(bank).await;
    let good = request(vec![achievement("good")]);
    intake.requests.send(good.clone()).await.unwrap();
    intake.requests.send(bad).await.unwrap();
    // What comes after it may be sent, and is not looked at.
    let _ = intake
        .requests
        .send(request(vec![achievement("later")]))
        .await;
    let answered = intake.answer().await.unwrap().answered_count;
    (answered, intake.answer().await.unwrap_err().into())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_is_refused_ends_the_stream_after_the_answers_before_it() {
    let bank = Bank::with_institutions().await;
    let (answered, said) = refused(&bank, request(Vec::new())).await;
    assert_eq!(answered, 1);
    assert_eq!(
        (said.code, &*said.fields),
        (Code::InvalidArgument, &["achievements".to_owned()][..])
    );
    let many = (0..1_001).map(|n| achievement(&format!("m{n}"))).collect();
    let (answered, said) = refused(&bank, request(many)).await;
    assert_eq!(answered, 1);
    assert_eq!(said.reason, "BATCH_TOO_LARGE");
    let long = Achievement {
        code: "x".repeat(5 << 20),
        ..achievement("long")
    };
    let (answered, said) = refused(&bank, request(vec![long])).await;
    assert_eq!(answered, 1);
    assert_eq!(said.reason, "MESSAGE_TOO_LARGE");
    let size = bank.size().await;
    bank.submit(achievement("good")).await.unwrap();
    assert_eq!(bank.size().await, size, "only what was answered is there");
    bank.stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_registers_learners_with_their_first_record() {
    let bank = Bank::with_institutions().await;
    let mut intake = Intake::open(&bank).await;
    let number = StudentNumber {
        institution_id: "uni".into(),
        number: "N1".into(),
    };
    let new = StreamSubmitRecordsRequest {
        achievements: vec![Achievement {
            learner: Some(student("uni", "N1")),
            ..achievement("first")
        }],
        new_learners: vec![NewLearner {
            student: Some(number),
            ..Default::default()
        }],
    };
    intake.requests.send(new).await.unwrap();
    let answer = intake.answer().await.unwrap();
    assert_eq!(answer.outcomes[0].state(), OutcomeState::Recorded);
    assert_eq!(intake.end().await.unwrap().len(), 0);
    bank.stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_stops_answers_what_it_has_taken_in() {
    let bank = Bank::with_institutions().await;
    let before = bank.size().await;
    let Intake {
        requests,
        mut answers,
    } = Intake::open(&bank).await;
    let sending = tokio::spawn(async move {
        for n in 0_u64.. {
            let records = (0..20).map(|k| achievement(&format!("r{n}-{k}"))).collect();
            if requests.send(request(records)).await.is_err() {
                return;
            }
        }
    });
    let (begun, has_begun) = oneshot::channel();
    let reading = tokio::spawn(async move {
        let first = answers.message().await.unwrap().unwrap();
        begun.send(()).unwrap();
        let mut answered = first.answered_count;
        loop {
            match answers.message().await {
                Ok(answer) => answered = answer.expect("a status ends it").answered_count,
                Err(status) => return (answered, Refusal::from(status)),
            }
        }
    });
    has_begun.await.unwrap();
    let bank = bank.restarted(|_| ()).await;
    let (answered, said) = reading.await.unwrap();
    assert_eq!(
        (said.code, said.reason.as_str()),
        (Code::Unavailable, "SERVER_STOPPING")
    );
    assert!(said.sentence.contains("send again"), "{}", said.sentence);
    sending.await.unwrap();
    assert_eq!(
        bank.size().await,
        before + answered,
        "what was taken in was answered"
    );
    bank.stop_and_verify().await;
}
