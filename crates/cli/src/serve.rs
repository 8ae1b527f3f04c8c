//! `serve`: the server in this process, until somebody asks it to stop.
//!
//! Apart from the demo, which starts the same server for a minute: here are the settings, the log and
//! the signals.

use std::io::IsTerminal;
use std::path::Path;
use std::process::ExitCode;

use server::config::LogFormat;
use tracing_subscriber::EnvFilter;

use crate::args::ServeArgs;
use crate::error::{COULD_NOT_RUN, Failure};
use crate::{host, output};

/// Runs `serve`.
///
/// # Errors
///
/// [`Failure::Usage`] when the settings do not read or the server cannot start.
pub(crate) async fn run(args: &ServeArgs) -> Result<ExitCode, Failure> {
    let config = host::settings(args)?;
    if args.print_config {
        output::line(config.to_toml().trim_end())?;
        return Ok(ExitCode::SUCCESS);
    }
    until_told(config).await
}

/// Serves the store that the demo left behind, where the commands expect a server.
///
/// # Errors
///
/// [`Failure::Usage`] when the server cannot start.
pub(crate) async fn demo_store(dir: &Path) -> Result<ExitCode, Failure> {
    let config = server::Config {
        data_dir: dir.to_owned(),
        ..server::Config::default()
    };
    until_told(config).await
}

async fn until_told(config: server::Config) -> Result<ExitCode, Failure> {
    log_to_stderr(&config)?;
    let data = config.data_dir.display().to_string();
    let mut running = host::start(config).await?;
    let watching = match running.http_addr() {
        Some(http) => format!("metrics and health on http://{http}; "),
        None => String::new(),
    };
    output::note(&format!(
        "serving {data} on http://{}; {watching}Ctrl-C stops",
        running.local_addr()
    ));
    tokio::select! {
        told = host::told_to_stop() => told?,
        () = running.failed() => {
            running.stop().await;
            return Err(Failure::Unexpected("the server failed; the log above says of what".to_owned()));
        }
    }
    output::note("stopping");
    // Asked twice, it goes at once: what was acknowledged is on disk either way.
    tokio::select! {
        () = running.stop() => Ok(ExitCode::SUCCESS),
        told = host::told_to_stop() => told.map(|()| ExitCode::from(COULD_NOT_RUN)),
    }
}

/// The log goes to standard error. `RUST_LOG` stands above the settings.
fn log_to_stderr(config: &server::Config) -> Result<(), Failure> {
    let level = &config.log_level;
    let filter = match EnvFilter::try_from_default_env() {
        Ok(filter) => filter,
        Err(_) => EnvFilter::try_new(level)
            .map_err(|error| Failure::Usage(format!("log_level = \"{level}\": {error}")))?,
    };
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    match config.log_format {
        LogFormat::Text => log.init(),
        LogFormat::Json => log.json().flatten_event(true).init(),
    }
    Ok(())
}
