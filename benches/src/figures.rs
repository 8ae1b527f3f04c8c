//! From measurements to lines that a person reads: loads with their latencies, medians over runs, ratios,
//! and the arguments that say how much to measure.
//!
//! Apart from measuring so that every benchmark prints in one form.

use std::time::Duration;

use crate::per_second;

/// A number after a flag, as in `--size 100`; `full` under `cargo bench`, 1 under `cargo test`.
///
/// # Panics
/// When what follows the flag is no number.
#[must_use]
pub fn argument(flag: &str, full: u64) -> u64 {
    let arguments: Vec<String> = std::env::args().collect();
    let at = arguments.iter().position(|argument| argument == flag);
    match at {
        Some(at) => {
            let value = arguments.get(at + 1).map_or("", String::as_str);
            let value = value.parse();
            value.unwrap_or_else(|_| panic!("say {flag} NUMBER"))
        }
        None if crate::is_full_size() => full,
        None => 1,
    }
}

/// What a number of callers have achieved.
#[derive(Debug, Clone)]
pub struct Load {
    /// Things done.
    pub count: u64,
    /// From the first call to the last answer.
    pub time: Duration,
    latencies: Vec<Duration>,
}

impl Load {
    /// Of a number of things, with the latencies of the calls.
    #[must_use]
    pub fn new(count: u64, time: Duration, mut latencies: Vec<Duration>) -> Load {
        latencies.sort_unstable();
        Load {
            count,
            time,
            latencies,
        }
    }

    /// Things per second.
    #[must_use]
    pub fn rate(&self) -> f64 {
        per_second(self.count, self.time)
    }

    /// The latency that so many of a thousand calls do not exceed.
    #[must_use]
    pub fn per_mille(&self, part: usize) -> Duration {
        let at = (self.latencies.len() * part / 1000).min(self.latencies.len().saturating_sub(1));
        self.latencies.get(at).copied().unwrap_or_default()
    }
}

/// One run of one line of a table.
#[derive(Debug, Clone)]
pub struct Run {
    /// Rate and latencies.
    pub load: Load,
    /// fdatasync by the server meanwhile, where they can be counted.
    pub syncs: Option<u64>,
    /// The server's processor time, where it can be told.
    pub cpu: Option<Duration>,
}

/// One line of a table: its runs.
#[derive(Debug, Clone)]
pub struct Line {
    /// What was done.
    pub name: String,
    /// How often.
    pub runs: Vec<Run>,
}

impl Line {
    /// A line without a run yet.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Line {
        Line {
            name: name.into(),
            runs: Vec::new(),
        }
    }

    /// The median of the rates; 0 without a run.
    #[must_use]
    pub fn rate(&self) -> f64 {
        middle(self.runs.iter().map(|run| run.load.rate()).collect())
    }

    /// The run with the median of the rates.
    #[must_use]
    pub fn median(&self) -> Option<&Run> {
        let mut runs: Vec<&Run> = self.runs.iter().collect();
        runs.sort_by(|a, b| a.load.rate().total_cmp(&b.load.rate()));
        runs.get(runs.len() / 2).copied()
    }

    /// The head of the table.
    pub fn print_head(what: &str) {
        println!(
            "  {what:<44} {:>10} {:>9} {:>9} {:>10} {:>10} {:>9}",
            "per second", "p50", "p99", "fdatasync", "each does", "cpu each"
        );
    }

    /// The median run as a line.
    pub fn print(&self) {
        let Some(run) = self.median() else { return };
        let load = &run.load;
        let syncs = run.syncs.map_or("-".to_owned(), |n| n.to_string());
        let each = run.syncs.filter(|n| *n > 0);
        let each = each.map_or("-".to_owned(), |n| {
            format!("{:.1}", load.count as f64 / n as f64)
        });
        let cpu = run.cpu.map_or("-".to_owned(), |cpu| {
            format!(
                "{:.1} us",
                cpu.as_secs_f64() * 1e6 / load.count.max(1) as f64
            )
        });
        println!(
            "  {:<44} {:>10.0} {:>9} {:>9} {syncs:>10} {each:>10} {cpu:>9}",
            self.name,
            load.rate(),
            short(load.per_mille(500)),
            short(load.per_mille(990)),
        );
    }
}

/// Prints how two lines compare; nothing when one of them was not run.
pub fn print_ratio(what: &Line, to: &Line) {
    if what.runs.is_empty() || to.runs.is_empty() {
        return;
    }
    let name = format!("{} / {}", what.name, to.name);
    println!("  {name:<88} {:>7.2}", what.rate() / to.rate());
}

/// The middle of some numbers; 0 of none.
#[must_use]
pub fn middle(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    numbers.get(numbers.len() / 2).copied().unwrap_or_default()
}

/// A time for a table.
#[must_use]
pub fn short(time: Duration) -> String {
    let us = time.as_secs_f64() * 1e6;
    match us {
        us if us < 1_000.0 => format!("{us:.0} us"),
        us if us < 1_000_000.0 => format!("{:.1} ms", us / 1e3),
        us => format!("{:.2} s", us / 1e6),
    }
}
