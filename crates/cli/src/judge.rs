//! `verify`: the auditor's check of a ledger on disk, as a command of this program.
//!
//! Apart from the crate `verify`, which does the work and is also a program of its own for auditors who
//! want neither network nor server in what they run.

use std::path::Path;
use std::process::ExitCode;

use chain::Head;
use durable::OsFs;
use verify::{Args, Options, Report};

use crate::args::Global;
use crate::error::{Failure, REFUSED, with_causes};
use crate::output;

/// Runs `verify`.
///
/// # Errors
///
/// [`Failure::Usage`] when it could not be checked and a program asked; people are told by `verify`.
pub(crate) fn run(global: &Global, args: &Args) -> Result<ExitCode, Failure> {
    if !global.json && !args.json {
        return Ok(verify::run(args));
    }
    let report = verify::verify(&OsFs, &args.dir, &args.options(), &mut |_| {})
        .map_err(|error| Failure::Usage(format!("could not verify: {}", with_causes(&error))))?;
    output::json(&report)?;
    Ok(ExitCode::from(if report.clean { 0 } else { REFUSED }))
}

/// Verifies a store against a head that was kept, and says nothing meanwhile.
///
/// # Errors
///
/// [`Failure::Unexpected`] when nothing can be said about the store.
pub(crate) fn quietly(dir: &Path, head: Head) -> Result<Report, Failure> {
    let options = Options {
        expect_head: Some(head),
        ..Options::default()
    };
    verify::verify(&OsFs, dir, &options, &mut |_| {})
        .map_err(|error| Failure::Unexpected(with_causes(&error)))
}
