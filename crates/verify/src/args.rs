//! The command line: arguments, progress bar, output and exit code.
//!
//! Apart from `main` because another binary offers the same as a subcommand. The report goes to standard
//! output and is the same for the same ledger; how far it is, and how fast, goes to standard error.

use std::io::{ErrorKind, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use chain::Head;
use durable::OsFs;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::error::chain as error_chain;
use crate::report::{Report, grouped};
use crate::verify::{Options, Progress, verify};

/// Check a ledger against its own hashes and rules, without trusting who runs it.
///
/// Reads the data directory only, also that of a running server. Exit code 0: clean; 1: something is
/// wrong, and the output says where; 2: it could not be checked.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// The data directory: the one that holds `log`.
    pub dir: PathBuf,
    /// A head that you kept, such as from a receipt or an earlier run: nothing inside the directory shows
    /// that its end is missing, only this does.
    #[arg(long, value_name = "SIZE:HASH")]
    pub expect_head: Option<Head>,
    /// Check only what hashes alone decide, which is several times as fast: every byte of the log, the
    /// ledger's chain and each learner's, that each body is the one recorded, and that what is missing was
    /// erased. Not checked: what bodies say, whether the rules admit it, and issuers' signatures.
    #[arg(long)]
    pub hashes_only: bool,
    /// Print one JSON object instead of text.
    #[arg(long)]
    pub json: bool,
    /// Memory for what is known of learners, in MiB. A ledger that needs more, about half a KiB a record, is
    /// read several times, which takes longer and changes nothing else.
    #[arg(long, value_name = "MIB", default_value_t = 1024, value_parser = clap::value_parser!(u64).range(16..))]
    pub memory_mib: u64,
}

impl Args {
    /// What they ask for.
    #[must_use]
    pub fn options(&self) -> Options {
        Options {
            expect_head: self.expect_head,
            memory_bytes: self.memory_mib.saturating_mul(1 << 20),
            shares: None,
            hashes_only: self.hashes_only,
        }
    }
}

/// Verifies as asked and says so.
#[must_use]
pub fn run(args: &Args) -> ExitCode {
    const FINDING: u8 = 1;
    const COULD_NOT_RUN: u8 = 2;
    let options = args.options();
    let bar = bar();
    let result = verify(&OsFs, &args.dir, &options, &mut |progress| {
        show(&bar, progress)
    });
    let elapsed = bar.elapsed();
    let is_terminal = !bar.is_hidden();
    bar.finish_and_clear();
    match result {
        Ok(report) => {
            print(&report, args.json);
            if is_terminal {
                eprintln!("{}", rate(&report, elapsed));
            }
            if report.clean {
                ExitCode::SUCCESS
            } else {
                ExitCode::from(FINDING)
            }
        }
        Err(error) => {
            eprintln!("could not verify: {}", error_chain(&error));
            ExitCode::from(COULD_NOT_RUN)
        }
    }
}

/// A reader that goes away has seen enough; the exit status is the verdict all the same.
fn print(report: &Report, json: bool) {
    let text = if json {
        serde_json::to_string_pretty(report).map(|text| text + "\n")
    } else {
        Ok(report.to_string())
    };
    let written = match text {
        Ok(text) => std::io::stdout().lock().write_all(text.as_bytes()),
        Err(error) => Err(error.into()),
    };
    match written {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            eprintln!("could not write the report: {error}");
        }
        _ => {}
    }
}

/// Hidden unless standard error is a terminal.
fn bar() -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::stderr());
    let template = "{bar:30} {bytes} of {total_bytes}, {bytes_per_sec}, {eta} left";
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar
}

fn show(
    bar: &ProgressBar,
    Progress {
        bytes_done,
        bytes_total,
    }: Progress,
) {
    bar.set_length(bytes_total);
    bar.set_position(bytes_done);
}

fn rate(report: &Report, elapsed: Duration) -> String {
    let ms = u64::try_from(elapsed.as_millis())
        .unwrap_or(u64::MAX)
        .max(1);
    let per_second = report.counts.records.saturating_mul(1000) / ms;
    let (seconds, tenths) = (ms / 1000, ms % 1000 / 100);
    format!(
        "verified in {seconds}.{tenths} s: {} records per second",
        grouped(per_second)
    )
}
