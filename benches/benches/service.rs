//! The service over gRPC on loopback: submitting one by one, in batches and in streams, and reading
//! balances and statements, each beside what the same calls cost without a ledger (a raw durable log), and
//! beside what one would build instead (a chained table in PostgreSQL).
//!
//! Callers and server are two processes that share the cores of the machine, so every figure has the
//! client's own cost in it. `cargo bench -p creditbank-benches --bench service -- --size N` runs N
//! thousand records a run; size 10000 keeps a million learners. 100 is the default.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    reason = "a benchmark prints figures for people, and stops when anything fails"
)]

use std::ops::Range;

use api::v1::learner_reference::Reference;
use api::v1::{GetBalanceRequest, GetStatementRequest, LearnerReference};
use creditbank_benches::child::{Server, Serves, serve_if_asked};
use creditbank_benches::figures::{Line, Load, Run, argument, print_ratio};
use creditbank_benches::load::{BATCH, Callers, achievement, by_student, drive};
use creditbank_benches::postgres::{Postgres, Row, append_by_function, append_by_trigger};
use prost::Message as _;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

/// Callers that submit one by one, and callers that read.
const SINGLY: u64 = 64;
/// Callers that submit batches; also connections.
const CLIENTS: u64 = 8;

/// How much is measured.
#[derive(Clone, Copy)]
struct Amount {
    size: u64,
    runs: u64,
}

impl Amount {
    fn learners(self) -> u64 {
        self.size * 100
    }

    /// Numbers of records that no other run has: `part` of `parts` of a run.
    fn records(self, run: u64, part: u64, count: u64) -> Range<u64> {
        let from = self.learners() + (run * 8 + part) * self.size * 1_000;
        from..from + count
    }
}

struct Bank {
    server: Server,
    callers: Callers,
}

impl Bank {
    async fn start(serves: Serves, dir: &std::path::Path) -> Bank {
        let server = Server::start(serves, dir);
        let callers = Callers::connect(server.url(), CLIENTS).await;
        Bank { server, callers }
    }

    /// Runs something against the server, with what it cost there.
    async fn measured(&mut self, line: &mut Line, work: impl AsyncFnOnce(&Callers) -> Load) {
        let (syncs, cpu) = (self.server.told().syncs, self.server.cpu());
        let load = work(&self.callers).await;
        line.runs.push(Run {
            load,
            syncs: Some(self.server.told().syncs - syncs),
            cpu: Some(self.server.cpu() - cpu),
        });
    }
}

fn main() {
    serve_if_asked();
    let size = argument("--size", 100);
    let runs = if size == 1 { 1 } else { 3 };
    let amount = Amount { size, runs };
    println!(
        "over gRPC on loopback, client and server share the cores; {} learners, median of {runs}",
        amount.learners()
    );
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let dir = tempfile::tempdir().unwrap();
        let mut bank = Bank::start(Serves::Bank, &dir.path().join("bank")).await;
        let mut log = Bank::start(Serves::RawLog, &dir.path().join("raw")).await;
        bank.callers.register_institution().await;
        let submitting = submit(amount, &mut bank, &mut log).await;
        read(amount, &mut bank).await;
        drop(log);
        bank.server.stop();
        postgres(amount, &submitting).await;
    });
}

/// Submitting, in the order of the table.
struct Submitting {
    singly: Line,
    batches: Line,
}

async fn submit(amount: Amount, bank: &mut Bank, log: &mut Bank) -> Submitting {
    let learners = amount.learners();
    let mut register = Line::new("learners with a first record, batch of 500 x 8");
    bank.measured(&mut register, async |callers| {
        callers.register(CLIENTS, 0, learners).await
    })
    .await;
    let ways = ["unary, 64 at a time", "batch of 500, 8 clients"];
    let ways = ways.into_iter();
    let ways = ways.chain(["stream of 500s, 4 streams", "stream of ones, 4 streams"]);
    let mut lines: Vec<[Line; 2]> = ways
        .map(|way| [Line::new(way), Line::new(format!("raw log: {way}"))])
        .collect();
    for run in 0..amount.runs {
        for (part, lines) in (0..).zip(&mut lines) {
            let count = amount.size * if part == 0 { 200 } else { 1_000 };
            let which = amount.records(run, part, count);
            for (line, server) in lines.iter_mut().zip([&mut *bank, &mut *log]) {
                let which = which.clone();
                let work = async |callers: &Callers| match part {
                    0 => callers.singly(SINGLY, which, learners).await,
                    1 => callers.batches(CLIENTS, which, learners).await,
                    2 => callers.streams(4, which, BATCH, learners).await,
                    _ => callers.streams(4, which, 1, learners).await,
                };
                server.measured(line, work).await;
            }
        }
    }
    Line::print_head("submitting (records)");
    register.print();
    lines.iter().flatten().for_each(Line::print);
    for [ours, raw] in &lines {
        print_ratio(ours, raw);
    }
    let mut ours = lines.into_iter().map(|[ours, _]| ours);
    Submitting {
        singly: ours.next().unwrap(),
        batches: ours.next().unwrap(),
    }
}

async fn read(amount: Amount, bank: &mut Bank) {
    let learners = amount.learners();
    let calls = 0..amount.size * 200;
    let handles = std::sync::Arc::new(handles(&bank.callers, learners.min(10_000)).await);
    let mut nothing = Line::new("nothing (health check)");
    let mut by_handle = Line::new("balance by handle");
    let mut by_number = Line::new("balance by student number");
    let mut statement = Line::new("statement, first page of 100");
    for _ in 0..amount.runs {
        let calls = calls.clone();
        let url = bank.server.url().to_owned();
        bank.measured(&mut nothing, async |_| health(&url, calls.clone()).await)
            .await;
        let known = std::sync::Arc::clone(&handles);
        let handle = move |n: u64| {
            let at = usize::try_from(n).unwrap() % known.len();
            LearnerReference {
                reference: Some(Reference::Handle(known[at].clone())),
            }
        };
        bank.measured(&mut by_handle, async |callers| {
            balances(callers, calls.clone(), handle).await
        })
        .await;
        let number = move |n: u64| by_student(n.wrapping_mul(104_729) % learners);
        bank.measured(&mut by_number, async |callers| {
            balances(callers, calls.clone(), number).await
        })
        .await;
        bank.measured(&mut statement, async |callers| {
            statements(callers, 0..amount.size * 50, learners).await
        })
        .await;
    }
    let size = bank.server.told().size;
    println!();
    Line::print_head(&format!("reading, 64 at a time, {size} events"));
    let lines = [&nothing, &by_handle, &by_number, &statement];
    lines.iter().for_each(|line| line.print());
    for line in [&by_handle, &by_number, &statement] {
        print_ratio(line, &nothing);
    }
}

/// Handles of the first learners.
async fn handles(callers: &Callers, n: u64) -> Vec<String> {
    let mut handles = Vec::new();
    for n in 0..n {
        let request = GetBalanceRequest {
            learner: Some(by_student(n)),
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
    drive(SINGLY, calls, 1, move |caller, _| {
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
    drive(SINGLY, calls, 1, move |caller, one| {
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

async fn statements(callers: &Callers, calls: Range<u64>, learners: u64) -> Load {
    let callers = callers.clone();
    drive(SINGLY, calls, 1, move |caller, one| {
        let request = GetStatementRequest {
            learner: Some(by_student(one.start.wrapping_mul(104_729) % learners)),
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

/// The chained table. It is slower than the bank, so it gets fewer rows. Through the trigger, several
/// clients with many rows each are slower than one: every row leaves a dead version of the head behind,
/// which nobody may clear while another client waits.
async fn postgres(amount: Amount, ours: &Submitting) {
    println!();
    let server = match Postgres::start().await {
        Ok(server) => std::sync::Arc::new(server),
        Err(why) => {
            println!("  skipped: the chained table in PostgreSQL, because {why}");
            return;
        }
    };
    Line::print_head("a chained table in PostgreSQL (records)");
    for by_function in [false, true] {
        let way = if by_function { "function" } else { "trigger" };
        for (clients, each, ours) in [
            (8, 1, &ours.singly),
            (16, 1, &ours.singly),
            (1, BATCH, &ours.batches),
            (8, BATCH, &ours.batches),
        ] {
            let rows = if each == 1 {
                "rows singly"
            } else {
                "500 rows a time"
            };
            let mut line = Line::new(format!("{way}, {rows}, {clients} clients"));
            for _ in 0..amount.runs {
                let count = amount.size * if each == 1 { 50 } else { 100 };
                let run = chained(&server, by_function, clients, 0..count, each, amount).await;
                line.runs.push(run);
            }
            line.print();
            print_ratio(ours, &line);
        }
    }
}

async fn chained(
    server: &Postgres,
    by_function: bool,
    clients: u64,
    which: Range<u64>,
    each: u64,
    amount: Amount,
) -> Run {
    server.empty().await.unwrap();
    let mut connections = Vec::new();
    for _ in 0..clients {
        connections.push(std::sync::Arc::new(server.connect().await.unwrap()));
    }
    let learners = amount.learners();
    let before = server.syncs().await.unwrap();
    let load = drive(clients, which, each, move |client, some| {
        let connection = std::sync::Arc::clone(&connections[usize::try_from(client).unwrap()]);
        async move {
            let rows: Vec<Row> = some.map(|n| row(n, learners)).collect();
            let appended = if by_function {
                append_by_function(&connection, &rows).await
            } else {
                append_by_trigger(&connection, &rows).await
            };
            appended.unwrap();
        }
    })
    .await;
    let syncs = server.syncs().await.unwrap() - before;
    Run {
        load,
        syncs: u64::try_from(syncs).ok(),
        cpu: None,
    }
}

fn row(n: u64, learners: u64) -> Row {
    let achievement = achievement(n, learners);
    Row {
        record_id: achievement.record_id.clone(),
        learner: format!("S{:09}", n.wrapping_mul(7_919) % learners),
        body: achievement.encode_to_vec(),
    }
}
