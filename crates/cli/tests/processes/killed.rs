//! The server is killed under load, again and again; every acknowledgement that a client got must be
//! found afterwards, at its position with its leaf, and nothing that nobody sent.
//!
//! `CREDITBANK_KILLS` sets how often (default 5).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use crate::running::{Server, acting, free_port, verify};
use api::v1::audit_service_client::AuditServiceClient;
use api::v1::learner_reference::Reference;
use api::v1::record_service_client::RecordServiceClient;
use api::v1::{
    Achievement, BatchSubmitRecordsRequest, LearnerReference, ReadRecordsRequest, Receipt, Size,
    StudentNumber, SubmitRecordRequest, Text,
};

const ACTING: &str = "institution:uni";

/// What an outsider knows: what was sent, and what was acknowledged.
#[derive(Default)]
struct Outside {
    attempted: BTreeSet<String>,
    acknowledged: BTreeMap<u64, Receipt>,
}

fn achievement(record_id: &str) -> Achievement {
    // A hundred student numbers that are linked to nobody: pending records chain as well.
    let number = record_id.bytes().map(u32::from).sum::<u32>() % 100;
    let student = StudentNumber {
        institution_id: "uni".into(),
        number: number.to_string(),
    };
    Achievement {
        record_id: record_id.to_owned(),
        learner: Some(LearnerReference {
            reference: Some(Reference::Student(student)),
        }),
        r#type: "Course".into(),
        code: format!("C-{record_id}"),
        titles: vec![Text {
            value: "A course".into(),
            language: "en".into(),
        }],
        size: Some(Size {
            amount: "3".into(),
            unit: "ects".into(),
        }),
        awarded: "2025-06-30".into(),
        ..Achievement::default()
    }
}

/// Sends until the server is gone: single records and batches in turn.
async fn send(server_url: String, prefix: String, outside: Arc<Mutex<Outside>>) {
    let Ok(channel) = tonic::transport::Channel::from_shared(server_url)
        .unwrap()
        .connect()
        .await
    else {
        return;
    };
    let mut client = RecordServiceClient::new(channel);
    for round in 0_u32.. {
        let size = if round % 3 == 0 { 40 } else { 1 };
        let ids: Vec<String> = (0..size)
            .map(|idx| format!("{prefix}-{round}-{idx}"))
            .collect();
        outside
            .lock()
            .unwrap()
            .attempted
            .extend(ids.iter().cloned());
        let outcomes = if size == 1 {
            let request = SubmitRecordRequest {
                achievement: Some(achievement(&ids[0])),
                validate_only: false,
            };
            let Ok(answer) = client.submit_record(acting(ACTING, request)).await else {
                return;
            };
            vec![answer.into_inner().outcome.unwrap()]
        } else {
            let achievements = ids.iter().map(|id| achievement(id)).collect();
            let request = BatchSubmitRecordsRequest {
                achievements,
                ..Default::default()
            };
            let Ok(answer) = client.batch_submit_records(acting(ACTING, request)).await else {
                return;
            };
            answer.into_inner().outcomes
        };
        let mut outside = outside.lock().unwrap();
        for outcome in outcomes {
            let receipt = outcome.receipt.expect("a recorded outcome has a receipt");
            outside.acknowledged.insert(receipt.position, receipt);
        }
    }
}

/// Every acknowledged record is there with its leaf.
async fn compare(server: &Server, outside: &Mutex<Outside>) {
    let request = ReadRecordsRequest {
        from_position: 0,
        limit: 0,
        include_bodies: false,
    };
    let mut client = AuditServiceClient::new(server.channel().await);
    let mut stream = client
        .read_records(acting("auditor", request))
        .await
        .unwrap()
        .into_inner();
    let mut found = BTreeMap::new();
    while let Some(answer) = stream.message().await.unwrap() {
        found.extend(
            answer
                .records
                .into_iter()
                .map(|record| (record.position, record.leaf)),
        );
    }
    let outside = outside.lock().unwrap();
    for (position, receipt) in &outside.acknowledged {
        assert_eq!(
            found.get(position),
            Some(&receipt.leaf),
            "acknowledged position {position}"
        );
    }
    // Sent again, an acknowledged record has its first receipt; what is found was attempted.
    let kinds = |leaf: &Vec<u8>| u16::from_be_bytes([leaf[18], leaf[19]]);
    let recorded = found.values().filter(|leaf| kinds(leaf) == 50).count();
    assert!(outside.acknowledged.len() <= recorded && recorded <= outside.attempted.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_survives_every_kill() {
    let kills = std::env::var("CREDITBANK_KILLS")
        .ok()
        .and_then(|n| n.parse().ok())
        .unwrap_or(5);
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("store");
    let port = free_port();
    let server = Server::start(&data, port).await;
    server.register_institution("uni").await;
    server.stop();
    let outside = Arc::new(Mutex::new(Outside::default()));
    for kill in 0..kills {
        let server = Server::start(&data, port).await;
        compare(&server, &outside).await;
        let senders: Vec<_> = (0..8)
            .map(|sender| {
                let prefix = format!("{kill}-{sender}");
                tokio::spawn(send(server.url(), prefix, Arc::clone(&outside)))
            })
            .collect();
        // By number of acknowledgements, not by time: a different one in every cycle.
        let enough = outside.lock().unwrap().acknowledged.len() + 50 + 37 * (kill % 11);
        while outside.lock().unwrap().acknowledged.len() < enough {
            tokio::task::yield_now().await;
        }
        server.kill();
        for sender in senders {
            sender.await.unwrap();
        }
    }
    let server = Server::start(&data, port).await;
    compare(&server, &outside).await;
    server.stop();
    verify(&data);
}
