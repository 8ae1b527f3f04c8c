//! How cost grows: one ledger over gRPC to `--records` records of `--learners` learners, looked at after a
//! tenth, three tenths and all of them: rate, lag of the views, memory, disk, balances, reopening.
//!
//! Callers and server are two processes that share the machine; memory is the server's alone.
//! `cargo bench -p creditbank-benches --bench growth -- --records 10000000 --learners 1000000` takes about
//! ten minutes and 7 GB under `target`, which it removes, and writes `benches/results/growth.csv` and
//! `docs/growth.svg` when `--publish 1` is said.

#![allow(
    missing_docs,
    clippy::as_conversions,
    clippy::float_arithmetic,
    clippy::unwrap_used,
    reason = "a benchmark prints figures for people, and stops when anything fails"
)]

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use api::v1::{GetBalanceRequest, ReadRecordsRequest};
use client::Identity;
use creditbank_benches::child::{Server, Serves, serve_if_asked};
use creditbank_benches::disk::{self, Disk};
use creditbank_benches::figures::{Load, argument, short};
use creditbank_benches::load::{Callers, by_student, drive};
use creditbank_benches::plot::{Panel, Series, svg};

const CLIENTS: u64 = 8;
/// Records submitted right before the crash: their views, and the mark of the head, are lost.
const BEFORE_CRASH: u64 = 20_000;
const MIB: f64 = 1_048_576.0;

/// What was seen at one size.
struct Point {
    records: u64,
    events: u64,
    load: Load,
    cpu: Duration,
    syncs: u64,
    lag_max: u64,
    caught_up_in: Duration,
    resident: u64,
    resident_peak: u64,
    disk: Disk,
    leaf_and_body: f64,
    balance: Load,
    reopen_clean: Duration,
    reopen_crash: Duration,
}

/// A look at the server while it takes in.
struct Sample {
    records: f64,
    rate: f64,
    lag: u64,
    resident: u64,
}

struct Growth {
    dir: PathBuf,
    learners: u64,
    server: Server,
    callers: Callers,
    samples: Vec<Sample>,
}

fn main() {
    serve_if_asked();
    let records = argument("--records", 200_000).max(1_000);
    let learners = argument("--learners", 20_000).max(100);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let home = tempfile::tempdir_in(target()).unwrap();
    let points = runtime.block_on(grow(home.path(), records, learners));
    if argument("--publish", 0) == 1 && creditbank_benches::is_full_size() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        publish(root, learners, &points);
    }
}

/// Beside the program: the disk that builds go to has room.
fn target() -> PathBuf {
    let program = std::env::current_exe().unwrap();
    program.parent().unwrap().to_owned()
}

async fn grow(home: &Path, records: u64, learners: u64) -> (Vec<Point>, Vec<Sample>) {
    let dir = home.join("bank");
    let server = Server::start(Serves::Bank, &dir);
    let callers = Callers::connect(server.url(), CLIENTS).await;
    callers.register_institution().await;
    let load = callers.register(CLIENTS, 0, learners).await;
    println!(
        "{learners} learners registered, each with a first record: {:.0} learners per second",
        load.rate()
    );
    let mut growth = Growth {
        dir,
        learners,
        server,
        callers,
        samples: Vec::new(),
    };
    let mut points = Vec::new();
    let mut from = 0;
    for until in [records / 10, records * 3 / 10, records] {
        let (point, next) = growth.look(from, until).await;
        print(&point);
        points.push(point);
        growth = next;
        from = until;
    }
    growth.server.stop();
    (points, growth.samples)
}

impl Growth {
    /// Submits the next stretch and measures everything after it.
    async fn look(mut self, from: u64, until: u64) -> (Point, Growth) {
        let (cpu, syncs) = (self.server.cpu(), self.server.told().syncs);
        let (load, lag_max) = self.stretch(from, until).await;
        let since = Instant::now();
        let mut told = self.server.told();
        let (cpu, syncs) = (self.server.cpu() - cpu, told.syncs - syncs);
        while told.applied < told.size {
            tokio::time::sleep(Duration::from_millis(2)).await;
            told = self.server.told();
        }
        let caught_up_in = since.elapsed();
        let memory = self.server.memory();
        let balance = self.balances(20_000.min(until)).await;
        let leaf_and_body = self.leaf_and_body(told.size).await;
        let Growth {
            dir,
            learners,
            server,
            callers,
            samples,
        } = self;
        drop(callers);
        server.stop();
        let disk = disk::of(&dir);
        let server = Server::start(Serves::Bank, &dir);
        let reopen_clean = server.started_in();
        let callers = Callers::connect(server.url(), CLIENTS).await;
        // Numbers that no stretch has.
        let extra = 100_000_000_000 + from;
        let last = extra..extra + BEFORE_CRASH.min(until - from);
        callers.batches(CLIENTS, last, learners).await;
        server.kill();
        let server = Server::start(Serves::Bank, &dir);
        let reopen_crash = server.started_in();
        let callers = Callers::connect(server.url(), CLIENTS).await;
        let point = Point {
            records: until,
            events: told.size,
            load,
            cpu,
            syncs,
            lag_max,
            caught_up_in,
            resident: memory.now,
            resident_peak: memory.peak,
            disk,
            leaf_and_body,
            balance,
            reopen_clean,
            reopen_crash,
        };
        let next = Growth {
            dir,
            learners,
            server,
            callers,
            samples,
        };
        (point, next)
    }

    async fn stretch(&mut self, from: u64, until: u64) -> (Load, u64) {
        let callers = self.callers.clone();
        // The first records are those that registered the learners.
        let (which, learners) = (self.learners + from..self.learners + until, self.learners);
        let mut load = tokio::spawn(async move { callers.batches(CLIENTS, which, learners).await });
        let first = self.server.told().size;
        let (mut lag_max, mut last) = (0, (first, Instant::now()));
        loop {
            let wait = tokio::time::sleep(Duration::from_millis(100));
            tokio::select! {
                load = &mut load => return (load.unwrap(), lag_max),
                () = wait => {}
            }
            let told = self.server.told();
            let lag = told.size - told.applied;
            lag_max = lag_max.max(lag);
            if last.1.elapsed() >= Duration::from_secs(2) {
                self.samples.push(Sample {
                    records: (from + told.size - first) as f64,
                    rate: (told.size - last.0) as f64 / last.1.elapsed().as_secs_f64(),
                    lag,
                    resident: self.server.memory().now,
                });
                last = (told.size, Instant::now());
            }
        }
    }

    async fn balances(&self, calls: u64) -> Load {
        let (callers, learners) = (self.callers.clone(), self.learners);
        drive(64, 0..calls, 1, move |caller, one| {
            let request = GetBalanceRequest {
                learner: Some(by_student(one.start.wrapping_mul(104_729) % learners)),
                as_of: None,
            };
            let mut accounts = callers.of(caller).accounts();
            async move {
                accounts.get_balance(request).await.unwrap();
            }
        })
        .await
    }

    /// The mean of leaf and body over the last records, in bytes.
    async fn leaf_and_body(&self, size: u64) -> f64 {
        let auditor = self.callers.of(0).acting_as(&Identity::Auditor).unwrap();
        let request = ReadRecordsRequest {
            from_position: size.saturating_sub(500),
            limit: 500,
            include_bodies: true,
        };
        let answers = auditor.audit().read_records(request).await.unwrap();
        let mut answers = answers.into_inner();
        let (mut bytes, mut n) = (0, 0);
        while let Some(answer) = answers.message().await.unwrap() {
            let of = |record: &api::v1::RawRecord| record.leaf.len() + record.body.len();
            bytes += answer.records.iter().map(of).sum::<usize>();
            n += answer.records.len();
        }
        bytes as f64 / n as f64
    }
}

fn print(point: &Point) {
    let events = point.events as f64;
    let each = |bytes: u64| bytes as f64 / events;
    let disk = &point.disk;
    println!("at {} records ({} events)", point.records, point.events);
    println!(
        "  batches of 500 by {CLIENTS} clients {:.0} records per second, p50 {}, p99 {}; {} fdatasync; server {:.1} us of processor each",
        point.load.rate(),
        short(point.load.per_mille(500)),
        short(point.load.per_mille(990)),
        point.syncs,
        point.cpu.as_secs_f64() * 1e6 / point.load.count as f64,
    );
    println!(
        "  views behind by {} at most, caught up {} after the last answer",
        point.lag_max,
        short(point.caught_up_in)
    );
    println!(
        "  resident {:.0} MiB, at most {:.0} MiB",
        point.resident as f64 / MIB,
        point.resident_peak as f64 / MIB
    );
    println!(
        "  disk {:.0} B an event: log {:.0}, index {:.0}, views {:.0}, other {:.0}; leaf and body {:.0} B; log / (leaf + body) {:.2}",
        each(disk.total()),
        each(disk.log),
        each(disk.index),
        each(disk.views),
        each(disk.other),
        point.leaf_and_body,
        each(disk.log) / point.leaf_and_body,
    );
    println!(
        "  balance, 64 at a time {:.0} per second, p50 {}, p99 {}",
        point.balance.rate(),
        short(point.balance.per_mille(500)),
        short(point.balance.per_mille(990))
    );
    println!(
        "  reopened after a clean stop in {}, after kill -9 in {}",
        short(point.reopen_clean),
        short(point.reopen_crash)
    );
}

fn publish(root: &Path, learners: u64, (points, samples): &(Vec<Point>, Vec<Sample>)) {
    let mut csv = String::from(
        "records,learners,events,records_per_second,batch_p50_us,batch_p99_us,fdatasync,server_cpu_us_each,view_lag_max,\
         view_catch_up_ms,resident_mib,resident_max_mib,log_bytes,index_bytes,views_bytes,other_bytes,leaf_and_body_mean,\
         balances_per_second,balance_p50_us,balance_p99_us,reopen_clean_ms,reopen_crash_ms\n",
    );
    for point in points {
        let disk = &point.disk;
        let us = |load: &Load, part| load.per_mille(part).as_micros();
        let fields = [
            format!("{},{learners},{}", point.records, point.events),
            format!("{:.0}", point.load.rate()),
            format!("{},{}", us(&point.load, 500), us(&point.load, 990)),
            format!(
                "{},{:.2}",
                point.syncs,
                point.cpu.as_secs_f64() * 1e6 / point.load.count as f64
            ),
            format!("{},{}", point.lag_max, point.caught_up_in.as_millis()),
            format!(
                "{:.0},{:.0}",
                point.resident as f64 / MIB,
                point.resident_peak as f64 / MIB
            ),
            format!("{},{},{},{}", disk.log, disk.index, disk.views, disk.other),
            format!("{:.1},{:.0}", point.leaf_and_body, point.balance.rate()),
            format!("{},{}", us(&point.balance, 500), us(&point.balance, 990)),
            format!(
                "{},{}",
                point.reopen_clean.as_millis(),
                point.reopen_crash.as_millis()
            ),
        ];
        csv.push_str(&fields.join(","));
        csv.push('\n');
    }
    let results = root.join("benches/results");
    std::fs::create_dir_all(&results).unwrap();
    std::fs::write(results.join("growth.csv"), csv).unwrap();
    let title = format!(
        "One ledger over gRPC to {:.0} million records of {} million learners",
        points.last().unwrap().records as f64 / 1e6,
        learners as f64 / 1e6
    );
    let drawn = svg(&title, "million records", &panels(points, samples));
    std::fs::write(root.join("docs/growth.svg"), drawn).unwrap();
    println!("written: benches/results/growth.csv, docs/growth.svg");
}

fn panels(points: &[Point], samples: &[Sample]) -> Vec<Panel> {
    let line = |name: &str, value: &dyn Fn(&Sample) -> f64| Series {
        name: name.to_owned(),
        points: samples
            .iter()
            .map(|s| (s.records / 1e6, value(s)))
            .collect(),
        dots: false,
    };
    let dots = |name: &str, value: &dyn Fn(&Point) -> f64| Series {
        name: name.to_owned(),
        points: points
            .iter()
            .map(|p| (p.records as f64 / 1e6, value(p)))
            .collect(),
        dots: true,
    };
    let panel = |title: &str, unit: &str, series: Vec<Series>| Panel {
        title: title.to_owned(),
        unit: unit.to_owned(),
        series,
    };
    let ms = |time: Duration| time.as_secs_f64() * 1e3;
    vec![
        panel(
            "Intake, batches of 500 by 8 clients",
            "thousand per second",
            vec![line("", &|s| s.rate / 1e3)],
        ),
        panel(
            "Views behind the log",
            "thousand records",
            vec![line("", &|s| s.lag as f64 / 1e3)],
        ),
        panel(
            "Memory of the server",
            "MiB resident",
            vec![line("", &|s| s.resident as f64 / MIB)],
        ),
        panel(
            "Balance, 64 callers",
            "milliseconds",
            vec![
                dots("half within", &|p| ms(p.balance.per_mille(500))),
                dots("99% within", &|p| ms(p.balance.per_mille(990))),
            ],
        ),
        panel(
            "Disk",
            "bytes an event",
            vec![
                dots("all", &|p| p.disk.total() as f64 / p.events as f64),
                dots("log", &|p| p.disk.log as f64 / p.events as f64),
                dots("leaf and body", &|p| p.leaf_and_body),
            ],
        ),
        panel(
            "Reopening",
            "seconds",
            vec![
                dots("after a stop", &|p| p.reopen_clean.as_secs_f64()),
                dots("after kill -9", &|p| p.reopen_crash.as_secs_f64()),
            ],
        ),
    ]
}
