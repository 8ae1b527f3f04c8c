//! `serve`: the server in this process, until somebody asks it to stop.
//!
//! Apart from the demo, which starts the same server for a minute: here are the settings, the log and
//! the signals.

use std::process::ExitCode;

use crate::args::ServeArgs;
use crate::error::Failure;
use crate::{host, output};

/// Runs `serve`.
///
/// # Errors
///
/// [`Failure::Usage`] when the settings do not read or the server cannot start.
pub(crate) async fn run(args: &ServeArgs) -> Result<ExitCode, Failure> {
    if args.print_config {
        output::line(host::default_settings().trim_end())?;
        return Ok(ExitCode::SUCCESS);
    }
    Err(Failure::Usage("the server is not there yet".to_owned()))
}
