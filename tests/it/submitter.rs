//! The client's submitter against a real server, through connections that are cut at random bytes.
//!
//! Apart from the streams' own tests because what is judged here is the client: that every achievement is
//! answered once and in order, whatever the network does, and lies in the ledger once.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use api::v1::{ListRecordsRequest, OutcomeState, RecordOutcome};
use client::{Client, Ended, Identity, Patience, Submitting};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, tcp};

use crate::bank::{Bank, achievement};

/// Passes connections on and cuts each after so many bytes, in both directions together.
struct Proxy {
    address: SocketAddr,
    cuts: Arc<AtomicUsize>,
}

impl Proxy {
    async fn before(
        server: SocketAddr,
        mut random: impl FnMut() -> usize + Send + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let cuts = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&cuts);
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                let far = TcpStream::connect(server).await.unwrap();
                tokio::spawn(pass_on(near, far, random(), Arc::clone(&counted)));
            }
        });
        Proxy { address, cuts }
    }
}

async fn pass_on(near: TcpStream, far: TcpStream, bytes: usize, cuts: Arc<AtomicUsize>) {
    let left = Arc::new(AtomicUsize::new(bytes));
    let (near_in, near_out) = near.into_split();
    let (far_in, far_out) = far.into_split();
    // When one direction ends both are dropped, which closes both sockets.
    let cut = tokio::select! {
        cut = pass(near_in, far_out, Arc::clone(&left)) => cut,
        cut = pass(far_in, near_out, left) => cut,
    };
    cuts.fetch_add(usize::from(cut), Ordering::Relaxed);
}

/// Copies until the bytes are used up, which it tells, or an end closes.
async fn pass(
    mut from: tcp::OwnedReadHalf,
    mut to: tcp::OwnedWriteHalf,
    left: Arc<AtomicUsize>,
) -> bool {
    let mut buffer = vec![0; 4096];
    while let Ok(n_read @ 1..) = from.read(&mut buffer).await {
        let before = left.load(Ordering::Relaxed);
        let n_passed = n_read.min(before);
        left.store(before - n_passed, Ordering::Relaxed);
        if to.write_all(&buffer[..n_passed]).await.is_err() {
            return false;
        }
        if n_passed < n_read {
            return true;
        }
    }
    false
}

/// Numbers from a seed (Knuth's linear congruence), so that a failure can be had again.
fn numbers(seed: u64, least: usize, most: usize) -> impl FnMut() -> usize + Send {
    let mut state = seed;
    move || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        least + usize::try_from(state >> 33).unwrap() % (most - least)
    }
}

fn impatient() -> Patience {
    Patience {
        first_wait: Duration::from_millis(2),
        longest_wait: Duration::from_millis(20),
        ..Patience::default()
    }
}

async fn connected(address: SocketAddr, identity: &str) -> Client {
    let identity: Identity = identity.parse().unwrap();
    let client = Client::connect(&address.to_string(), &identity).await;
    client.unwrap().with_patience(impatient())
}

/// Submits records `r0`, `r1` and so on, and says what became of each.
async fn submit(client: &Client, submitting: Submitting, count: usize) -> Vec<RecordOutcome> {
    let (submitter, mut outcomes) = client.submitter(submitting);
    let sending = tokio::spawn(async move {
        for n in 0..count {
            submitter.send(achievement(&format!("r{n}"))).await?;
        }
        Ok::<(), Ended>(())
    });
    let mut all = Vec::new();
    while let Some(outcome) = outcomes.next().await {
        all.push(outcome.unwrap());
    }
    sending.await.unwrap().unwrap();
    all
}

/// Every id once and in order, recorded now or before, each at a position of its own.
fn each_once(outcomes: &[RecordOutcome], count: usize) {
    let ids: Vec<&str> = outcomes.iter().map(|o| o.record_id.as_str()).collect();
    let expected: Vec<String> = (0..count).map(|n| format!("r{n}")).collect();
    assert_eq!(ids, expected);
    let taken = [OutcomeState::Recorded, OutcomeState::AlreadyRecorded];
    assert!(
        outcomes
            .iter()
            .all(|outcome| taken.contains(&outcome.state()))
    );
    let positions = outcomes.iter().filter_map(|o| o.receipt.as_ref());
    let positions: BTreeSet<u64> = positions.map(|receipt| receipt.position).collect();
    assert_eq!(positions.len(), count);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_record_is_answered_once_through_any_number_of_cuts() {
    const COUNT: usize = 800;
    let bank = Bank::with_institutions().await;
    let before = bank.size().await;
    let mut again = 0;
    for seed in [1, 2, 3] {
        let proxy = Proxy::before(bank.address(), numbers(seed, 400, 60_000)).await;
        // The connection may be cut while it is made, which is for the caller to try again.
        let client = connected(bank.address(), "institution:uni").await;
        let through = loop {
            let identity = "institution:uni".parse().unwrap();
            match Client::connect(&proxy.address.to_string(), &identity).await {
                Ok(through) => break through.with_patience(impatient()),
                Err(_) => continue,
            }
        };
        let submitting = Submitting {
            batch: 20,
            in_flight: 4,
        };
        let outcomes = submit(&through, submitting, COUNT).await;
        each_once(&outcomes, COUNT);
        again += outcomes
            .iter()
            .filter(|outcome| outcome.state() == OutcomeState::AlreadyRecorded)
            .count();
        let cuts = proxy.cuts.load(Ordering::Relaxed);
        assert!(cuts > 5, "only {cuts} cuts with seed {seed}");
        // Reads come through as well.
        let size = through.head().await.unwrap().size;
        assert_eq!(size, client.head().await.unwrap().size);
    }
    assert!(
        again >= 2 * COUNT,
        "what was recorded before is not recorded again"
    );
    let recorded = u64::try_from(COUNT).unwrap();
    assert_eq!(bank.size().await - before, recorded, "each lies there once");

    let client = connected(bank.address(), "institution:uni").await;
    let mut request = ListRecordsRequest {
        page_size: 1000,
        ..ListRecordsRequest::default()
    };
    let mut listed = BTreeSet::new();
    loop {
        let page = client.call(request.clone()).await.unwrap();
        listed.extend(
            page.records
                .into_iter()
                .map(|record| record.name.unwrap().record_id),
        );
        request.page_token = page.next_page_token;
        if request.page_token.is_empty() {
            break;
        }
    }
    assert_eq!(listed.len(), COUNT);
    bank.stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_that_are_too_large_are_sent_in_parts() {
    let dir = tempfile::tempdir().unwrap();
    let bank = Bank::start_configured(dir, |config| {
        config.limits.message_bytes_max = 64 << 10;
        config.limits.batch_records_max = 10;
    })
    .await;
    bank.institution("uni", vec![api::v1::Scope::default()])
        .await;
    bank.learner("uni", "S1").await;
    let client = connected(bank.address(), "institution:uni").await;
    let (submitter, outcomes) = client.submitter(Submitting::default());
    let mut all: Vec<_> = (0..100).map(|n| achievement(&format!("r{n}"))).collect();
    all[57].titles[0].value = "x".repeat(70 << 10);
    submitter.send_all(tokio_stream::iter(all)).await.unwrap();
    drop(submitter);
    let outcomes: Vec<_> = tokio_stream::StreamExt::collect(outcomes).await;
    assert_eq!(outcomes.len(), 100);
    for (n, outcome) in outcomes.into_iter().enumerate() {
        let outcome = outcome.unwrap();
        assert_eq!(outcome.record_id, format!("r{n}"));
        let reason = outcome.error.as_ref().map(|error| error.reason.as_str());
        let expected = (n == 57).then_some("MESSAGE_TOO_LARGE");
        assert_eq!(reason, expected, "r{n}");
    }
    bank.stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_no_that_stands_ends_it_and_says_why() {
    let bank = Bank::with_institutions().await;
    let client = connected(bank.address(), "auditor").await;
    let (submitter, mut outcomes) = client.submitter(Submitting::default());
    submitter.send(achievement("r1")).await.unwrap();
    let refusal = outcomes.next().await.unwrap().unwrap_err();
    assert_eq!(refusal.reason, "ROLE_NOT_ALLOWED");
    assert_eq!(outcomes.next().await, None);
    assert_eq!(submitter.send(achievement("r2")).await, Err(Ended));
    bank.stop_and_verify().await;
}
