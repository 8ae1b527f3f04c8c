//! Opening a ledger and verifying it, beside reading its log from one end to the other: after a clean
//! stop, after a crash, and when nothing but the log is left.
//!
//! Apart from `verify`, which measures the verifier alone, because here the ledger is what a server leaves
//! behind. `cargo bench -p creditbank-benches --bench reopen -- --size N` makes N thousand records.

#![allow(
    missing_docs,
    clippy::as_conversions,
    clippy::float_arithmetic,
    clippy::unwrap_used,
    reason = "a benchmark prints figures for people, and stops when anything fails"
)]

use std::path::Path;
use std::time::Duration;

use creditbank_benches::child::{Server, Serves, serve_if_asked};
use creditbank_benches::disk;
use creditbank_benches::figures::{argument, middle, short};
use creditbank_benches::load::Callers;
use creditbank_benches::{per_second, timed};

fn main() {
    serve_if_asked();
    let size = argument("--size", 1_000);
    let (records, learners) = (size * 1_000, size * 50);
    let runs = if size == 1 { 1 } else { 3 };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let home = tempfile::tempdir().unwrap();
    let dir = home.path().join("bank");

    let (server, empty) = timed(|| Server::start(Serves::Bank, &dir));
    runtime.block_on(async {
        let callers = Callers::connect(server.url(), 8).await;
        callers.register_institution().await;
        callers.register(8, 0, learners).await;
        callers
            .batches(8, learners..learners + records, learners)
            .await;
    });
    server.stop();

    let mut times: [Vec<f64>; 4] = Default::default();
    let mut size = 0;
    for run in 0..runs {
        let (_, reading) = timed(|| disk::read_log(&dir));
        let mut server = Server::start(Serves::Bank, &dir);
        let clean = server.started_in();
        size = server.told().size;
        runtime.block_on(more(&server, run, learners));
        server.kill();
        let server = Server::start(Serves::Bank, &dir);
        let crash = server.started_in();
        server.stop();
        let verifying = verify(&dir);
        for (times, time) in times.iter_mut().zip([reading, clean, crash, verifying]) {
            times.push(time.as_secs_f64());
        }
    }
    let bytes = disk::read_log(&dir);
    let [reading, clean, crash, verifying] =
        times.map(|times| Duration::from_secs_f64(middle(times)));
    println!("{size} events of {learners} learners, {bytes} bytes of log, median of {runs}");
    let line = |name: &str, time: Duration| {
        let ratio = time.as_secs_f64() / reading.as_secs_f64();
        let rate = per_second(size, time);
        println!(
            "  {name:<46} {:>9} {rate:>12.0} events/s {ratio:>7.2} x reading",
            short(time)
        );
    };
    line("reading the log, one core", reading);
    line("opening after a clean stop", clean);
    line("opening after kill -9 behind 20,000 records", crash);
    line("verifying everything, with re-admission", verifying);
    println!(
        "  {:<46} {:>9}",
        "for comparison: the first start, empty",
        short(empty)
    );
}

/// What a crash finds: records that no view and no mark has seen.
async fn more(server: &Server, run: u64, learners: u64) {
    let callers = Callers::connect(server.url(), 8).await;
    let from = 100_000_000_000 + run * 1_000_000;
    let count = if learners == 50 { 1_000 } else { 20_000 };
    callers.batches(8, from..from + count, learners).await;
}

fn verify(dir: &Path) -> Duration {
    let options = verify::Options::default();
    let (report, time) = timed(|| verify::verify(&durable::OsFs, dir, &options, &mut |_| {}));
    let report = report.unwrap();
    assert!(report.clean, "{report}");
    time
}
