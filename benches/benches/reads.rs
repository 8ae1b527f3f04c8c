//! Reading at size, over gRPC on loopback: balances of accounts that were never asked for, and again; the
//! first page of statements; and intake for learners that the server does not have in memory. Each is
//! beside a call that does nothing.
//!
//! Callers and server share the cores; "cpu each" is the server's alone. `cargo bench -p creditbank-benches
//! --bench reads -- --learners N --records M --calls C` gives N learners M records each. With
//! `READS_DIR=path` the ledger is kept there and taken up again the next time.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    reason = "a benchmark prints figures for people, and stops when anything fails"
)]

use std::ops::Range;
use std::path::{Path, PathBuf};

use api::v1::learner_reference::Reference;
use api::v1::{GetBalanceRequest, GetStatementRequest, LearnerReference};
use client::Identity;
use creditbank_benches::child::{Server, Serves, serve_if_asked};
use creditbank_benches::figures::{Line, Load, Run, argument};
use creditbank_benches::load::{Callers, by_student, drive};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

const CALLERS: u64 = 64;
const CLIENTS: u64 = 8;

#[derive(Clone, Copy)]
struct Amount {
    learners: u64,
    records: u64,
    calls: u64,
}

impl Amount {
    /// The learner of a call: all of them in turn, neighbours far apart.
    fn learner(self, call: u64) -> u64 {
        call.wrapping_mul(104_729) % self.learners
    }
}

struct Bank {
    server: Server,
    callers: Callers,
}

impl Bank {
    async fn start(dir: &Path) -> Bank {
        let server = Server::start(Serves::Bank, dir);
        let callers = Callers::connect(server.url(), CLIENTS).await;
        Bank { server, callers }
    }

    /// Runs something against the server, and prints what it cost there.
    async fn measure(&mut self, name: &str, work: impl AsyncFnOnce(&Callers) -> Load) {
        let cpu = self.server.cpu();
        let load = work(&self.callers).await;
        let mut line = Line::new(name);
        line.runs.push(Run {
            load,
            syncs: None,
            cpu: Some(self.server.cpu() - cpu),
        });
        line.print();
    }
}

fn main() {
    serve_if_asked();
    let learners = argument("--learners", 20_000).max(500);
    let records = argument("--records", 20);
    let calls = argument("--calls", 20_000);
    let amount = Amount {
        learners,
        records,
        calls,
    };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let temporary = tempfile::tempdir().unwrap();
    let kept = std::env::var_os("READS_DIR").map(PathBuf::from);
    let dir = kept.unwrap_or_else(|| temporary.path().join("bank"));
    runtime.block_on(async {
        if !dir.exists() {
            fill(amount, &dir).await;
        }
        // Nothing is summed up, and nobody is in memory.
        let _ = std::fs::remove_dir_all(dir.join("views"));
        let mut bank = Bank::start(&dir).await;
        caught_up(&mut bank).await;
        read(amount, &mut bank).await;
        bank.server.stop();
        let mut bank = Bank::start(&dir).await;
        take_in(amount, &mut bank).await;
        bank.server.stop();
    });
}

async fn fill(amount: Amount, dir: &Path) {
    let bank = Bank::start(dir).await;
    bank.callers.register_institution().await;
    bank.callers.register(CLIENTS, 0, amount.learners).await;
    let more = amount.learners..amount.learners * amount.records.max(1);
    bank.callers.batches(CLIENTS, more, amount.learners).await;
    bank.server.stop();
}

async fn caught_up(bank: &mut Bank) {
    loop {
        let told = bank.server.told();
        if told.applied >= told.size {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

async fn read(amount: Amount, bank: &mut Bank) {
    let calls = amount.calls.min(amount.learners);
    let size = bank.server.told().size;
    Line::print_head(&format!("reading, 64 at a time, {size} events"));
    let url = bank.server.url().to_owned();
    bank.measure("nothing (health check)", async |_| {
        health(&url, 0..calls).await
    })
    .await;
    let number = move |n: u64| by_student(amount.learner(n));
    for name in ["first balance by student number", "the same again"] {
        bank.measure(name, async |callers| {
            balances(callers, 0..calls, number).await
        })
        .await;
    }
    let handles = std::sync::Arc::new(handles(&bank.callers, amount, calls.min(5_000)).await);
    let handle = move |n: u64| LearnerReference {
        reference: Some(Reference::Handle(
            handles[usize::try_from(n).unwrap() % handles.len()].clone(),
        )),
    };
    let asker = Identity::Operator;
    bank.measure("again, by handle, by the operator", async |callers| {
        let callers = callers.acting_as(&asker);
        balances(&callers, 0..calls, handle).await
    })
    .await;
    bank.measure("statement, first page", async |callers| {
        statements(callers, 0..calls / 4, amount).await
    })
    .await;
}

async fn take_in(amount: Amount, bank: &mut Bank) {
    // Numbers that nothing else has, of as many learners as records.
    let from = 1_000_000_000 + bank.server.told().size * amount.learners;
    let calls = (amount.calls / 500).max(1) * 500;
    Line::print_head("submitting (records)");
    for name in [
        "batch of 500 x 8, learners not in memory",
        "batch of 500 x 8, the same learners",
    ] {
        let first = from
            + if name.ends_with("memory") {
                0
            } else {
                amount.learners * 100
            };
        bank.measure(name, async |callers| {
            callers
                .batches(
                    CLIENTS,
                    first..first + calls.min(amount.learners),
                    amount.learners,
                )
                .await
        })
        .await;
    }
}

async fn handles(callers: &Callers, amount: Amount, n: u64) -> Vec<String> {
    let mut handles = Vec::new();
    for n in 0..n {
        let request = GetBalanceRequest {
            learner: Some(by_student(amount.learner(n))),
            as_of: None,
        };
        let balance = callers.of(n).accounts().get_balance(request).await;
        handles.push(balance.unwrap().into_inner().learner_handle);
    }
    handles
}

async fn health(url: &str, calls: Range<u64>) -> Load {
    let endpoint = tonic::transport::Endpoint::from_shared(url.to_owned()).unwrap();
    let mut channels = Vec::new();
    for _ in 0..CLIENTS {
        channels.push(endpoint.clone().tcp_nodelay(true).connect().await.unwrap());
    }
    drive(CALLERS, calls, 1, move |caller, _| {
        let channel = channels[usize::try_from(caller % CLIENTS).unwrap()].clone();
        async move {
            let request = HealthCheckRequest::default();
            HealthClient::new(channel).check(request).await.unwrap();
        }
    })
    .await
}

async fn balances(
    callers: &Callers,
    calls: Range<u64>,
    whose: impl Fn(u64) -> LearnerReference + Clone + Send + 'static,
) -> Load {
    let callers = callers.clone();
    drive(CALLERS, calls, 1, move |caller, one| {
        let request = GetBalanceRequest {
            learner: Some(whose(one.start)),
            as_of: None,
        };
        let mut accounts = callers.of(caller).accounts();
        async move {
            let balance = accounts.get_balance(request).await.unwrap().into_inner();
            assert!(!balance.totals.is_empty(), "everybody has a record");
        }
    })
    .await
}

async fn statements(callers: &Callers, calls: Range<u64>, amount: Amount) -> Load {
    let callers = callers.clone();
    drive(CALLERS, calls, 1, move |caller, one| {
        let request = GetStatementRequest {
            learner: Some(by_student(amount.learner(one.start))),
            ..GetStatementRequest::default()
        };
        let mut accounts = callers.of(caller).accounts();
        async move {
            let page = accounts.get_statement(request).await.unwrap().into_inner();
            assert!(!page.entries.is_empty(), "everybody has a record");
        }
    })
    .await
}
