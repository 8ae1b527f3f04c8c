//! `doctor`: what an operator wants to know when something feels wrong, or before it does.
//!
//! Apart from `verify` because that answers one question about a ledger whole, and takes as long as the
//! ledger is: this looks in seconds at everything around it, and says what to do.

mod check;
mod ledger;
mod machine;
mod running;

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use durable::OsFs;
use server::clock::Clock;
use verify::{CouldNotRun, Tail};

use crate::args::value::Http;
use crate::args::{DoctorArgs, Global};
use crate::error::{Failure, REFUSED, with_causes};
use check::{Check, State};
use ledger::Holder;
use machine::{Growth, Syncs};

/// Runs `doctor`.
///
/// # Errors
///
/// [`Failure::Output`].
pub(crate) async fn run(global: &Global, args: &DoctorArgs) -> Result<ExitCode, Failure> {
    let checks = examine(global, args).await;
    check::print(&checks, global.json)?;
    Ok(match check::worst(&checks) {
        State::Ok => ExitCode::SUCCESS,
        _ => ExitCode::from(REFUSED),
    })
}

async fn examine(global: &Global, args: &DoctorArgs) -> Vec<Check> {
    let data = &args.data;
    // Before the files are read, so that a server that is there then was there all the time.
    let holder = match ledger::holder(data) {
        Ok(holder) => holder,
        Err(error) => {
            let found = format!("the lock cannot be read: {}", with_causes(&error));
            let advice = "run this as the user that runs the server";
            return vec![Check::problem("directory", found, advice)];
        }
    };
    let bytes = args.last_mib.saturating_mul(1 << 20);
    let tail = match verify::tail(&OsFs, data, bytes) {
        Ok(tail) => tail,
        Err(error) => return vec![no_ledger(&error)],
    };
    let mut checks = vec![ledger::versions()];
    machine(args, &tail, &mut checks).await;
    checks.push(ledger::lock(&holder));
    checks.push(ledger::log(&tail, &holder));
    checks.push(ledger::last_records(&tail, data));
    let left = server::look_at_views(&data.join("views"));
    let left = left.map_err(|error| with_causes(&error));
    checks.push(ledger::views(left, tail.head.size, &holder));
    if matches!(holder, Holder::Somebody(_)) {
        let Http(http) = args.http;
        checks.push(running::answers(global, tail.head.size).await);
        checks.extend(running::health(http).await);
    }
    checks
}

async fn machine(args: &DoctorArgs, tail: &Tail, checks: &mut Vec<Check>) {
    directory(&args.data, args.slow_sync_ms, checks);
    match durable::space(&args.data) {
        Ok(space) => {
            checks.push(machine::room(space, args.min_free_mib, growth(tail)));
            checks.push(machine::file_system(space.file_system));
        }
        Err(error) => checks.push(Check::warning(
            "disk",
            format!(
                "the system does not say how much is free: {}",
                with_causes(&error)
            ),
            "look with `df`",
        )),
    }
    let now = Clock::system().wall().0;
    let last = tail.recorded_at.map(|(_, last)| last);
    let synchronised = machine::is_synchronised().await;
    checks.push(machine::clock(now, last, synchronised));
}

/// Whether the directory can be written; and then how long that takes.
fn directory(data: &Path, slow_ms: u64, checks: &mut Vec<Check>) {
    match Syncs::measure(data) {
        Ok(syncs) => {
            checks.push(Check::ok("directory", "there, and can be written"));
            checks.push(syncs.check(slow_ms));
        }
        Err(error) => {
            let found = format!("cannot be written: {}", with_causes(&error));
            let advice = format!(
                "run this and the server as the user that owns {}, or give that user the right to write there",
                data.display()
            );
            checks.push(Check::problem("directory", found, advice));
        }
    }
}

/// The ledger cannot be read at all.
fn no_ledger(error: &CouldNotRun) -> Check {
    let advice =
        "name the ledger's directory with --data; `creditbank serve --data DIR` makes a new one";
    Check::problem("directory", with_causes(error), advice)
}

/// How the ledger has grown over the part that was read.
fn growth(tail: &Tail) -> Option<Growth> {
    let (first, last) = tail.recorded_at?;
    Some(Growth {
        bytes: tail.bytes,
        over: Duration::from_micros(last.saturating_sub(first)),
    })
}
