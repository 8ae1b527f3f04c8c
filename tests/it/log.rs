//! What the server logs, at its most talkative: something of everything that happens, and nothing of whom
//! it happened to.
//!
//! Apart from the other tests because the log of a process is one: this one takes it over.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use api::v1::learner_reference::Reference;
use api::v1::*;
use tonic::Request;
use tracing_subscriber::fmt::MakeWriter;

use crate::bank::{Bank, achievement, acting, student, text};

/// Everything that was logged.
#[derive(Debug, Clone, Default)]
struct Heard(Arc<Mutex<Vec<u8>>>);

impl io::Write for Heard {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut heard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        heard.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Heard {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// Words about persons; nothing else in these tests contains them.
const PERSONAL: [&str; 9] = [
    "Zachariasova",
    "Zn-4711",
    "Zn-4712",
    "Zd-0815",
    "1987-03-29",
    "Zr-0001",
    "Zr-0002",
    "Zcourse",
    "Zreason",
];

fn registration(number: &str, document: &str) -> RegisterLearnerRequest {
    RegisterLearnerRequest {
        students: vec![StudentNumber {
            institution_id: "uni".into(),
            number: number.into(),
        }],
        profile: Some(LearnerProfile {
            names: vec![text("Zachariasova")],
            birth_date: "1987-03-29".into(),
            documents: vec![Document {
                kind: "cz-passport".into(),
                number: document.into(),
            }],
            ..LearnerProfile::default()
        }),
        ..RegisterLearnerRequest::default()
    }
}

/// Recognisable in every field.
fn personal(record_id: &str) -> Achievement {
    Achievement {
        learner: Some(student("uni", "Zn-4711")),
        titles: vec![text("Zcourse")],
        ..achievement(record_id)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_personal_is_logged() {
    let heard = Heard::default();
    let log = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::DEBUG)
        .with_ansi(false)
        .with_writer(heard.clone());
    log.init();
    let bank = Bank::start().await;
    bank.institution("uni", vec![Scope::default()]).await;
    let handle = record_things(&bank).await;
    provoke(&bank).await;
    erase(&bank, handle).await;
    // Read once more at the next start.
    let bank = bank.restarted(|_| {}).await;
    // Nothing is left that says whose it was.
    bank.submit(personal("Zr-0002")).await.unwrap_err();
    bank.stop_and_verify().await;

    let heard = heard.0.lock().unwrap_or_else(PoisonError::into_inner);
    let heard = String::from_utf8_lossy(&heard);
    for expected in [
        "started", "rejected", "denied", "answered", "erased", "stopped",
    ] {
        assert!(heard.contains(expected), "nothing was logged of {expected}");
    }
    let about = |line: &&str| PERSONAL.iter().any(|word| line.contains(word));
    let told: Vec<&str> = heard.lines().filter(about).collect();
    assert!(told.is_empty(), "{told:#?}");
}

/// Registers a person and submits their record, alone, in a batch and in a stream; returns the handle.
async fn record_things(bank: &Bank) -> String {
    let mut learners = bank.learners();
    let registered = registration("Zn-4711", "Zd-0815");
    let registered = learners.register_learner(acting("institution:uni", registered));
    let handle = registered.await.unwrap().into_inner();
    let handle = handle.change.unwrap().learner_handle;
    bank.submit(personal("Zr-0001")).await.unwrap();
    bank.submit(personal("Zr-0001")).await.unwrap();
    bank.batch(vec![personal("Zr-0002"), personal("")]).await;
    let request = StreamSubmitRecordsRequest {
        achievements: vec![personal("Zr-0001")],
        ..StreamSubmitRecordsRequest::default()
    };
    let stream = acting("institution:uni", tokio_stream::iter([request]));
    let mut records = bank.records();
    let mut answers = records
        .stream_submit_records(stream)
        .await
        .unwrap()
        .into_inner();
    while answers.message().await.unwrap().is_some() {}
    handle
}

/// Brings about refusals of every kind that a caller can: of the rules, of the reading, of the guard, of
/// limits, and calls that do not exist.
async fn provoke(bank: &Bank) {
    let mut learners = bank.learners();
    let taken = registration("Zn-4712", "Zd-0815");
    let taken = learners.register_learner(acting("institution:uni", taken));
    taken.await.unwrap_err();
    let other = Achievement {
        code: "Zcourse".into(),
        ..personal("Zr-0001")
    };
    bank.submit(other).await.unwrap_err();
    for broken in [
        Achievement {
            awarded: "1987-03-29Zn-4711".into(),
            ..personal("Zr-0001")
        },
        Achievement {
            level: Some(Level {
                framework: "Zcourse".into(),
                code: "Zn-4711".into(),
            }),
            ..personal("Zr-0002")
        },
        Achievement {
            learner: Some(LearnerReference {
                reference: Some(Reference::Handle("Zachariasova".into())),
            }),
            ..personal("Zr-0003")
        },
    ] {
        bank.submit(broken).await.unwrap_err();
    }
    let denied = bank.submit_as("operator", personal("Zr-0001")).await;
    denied.unwrap_err();
    for identity in [
        "learner:Zachariasova",
        "institution:Zachariasova",
        "Zachariasova",
    ] {
        bank.submit_as(identity, personal("Zr-0001"))
            .await
            .unwrap_err();
    }
    let reason = RevokeRecordsRequest {
        record_ids: vec!["Zr-9999".into()],
        reason: "Zreason".into(),
        ..RevokeRecordsRequest::default()
    };
    let mut records = bank.records();
    let outcomes = records.revoke_records(acting("institution:uni", reason));
    outcomes.await.unwrap();
    let huge = Achievement {
        titles: vec![text(&"Zcourse ".repeat(5_000))],
        ..personal("Zr-0001")
    };
    bank.submit(huge).await.unwrap_err();
    let unknown = GetRecordRequest {
        name: Some(RecordName {
            issuer_id: "uni".into(),
            record_id: "Zr-9999".into(),
        }),
        ..GetRecordRequest::default()
    };
    let unknown = records.get_record(acting("institution:uni", unknown));
    unknown.await.unwrap_err();
    let without = Request::new(GetHeadRequest::default());
    bank.audit().get_head(without).await.unwrap_err();
}

async fn erase(bank: &Bank, handle: String) {
    let erase = EraseLearnerRequest {
        learner_handle: handle,
        scope: ErasureScope::Identity.into(),
    };
    let mut learners = bank.learners();
    learners
        .erase_learner(acting("operator", erase))
        .await
        .unwrap();
}
