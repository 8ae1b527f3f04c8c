//! The server, as this program starts and stops it.
//!
//! Apart from `serve` and `demo` so that what the crate `server` is called by is in one place.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;

use server::config::Http;
use server::{Config, Running};
use tokio::signal::unix::{SignalKind, signal};

use crate::args::ServeArgs;
use crate::error::{Failure, with_causes};

/// The settings of a file, with what was typed in their place.
///
/// # Errors
///
/// [`Failure::Usage`] when they do not read or cannot be.
pub(crate) fn settings(args: &ServeArgs) -> Result<Config, Failure> {
    let refused = |error: &dyn std::error::Error| Failure::Usage(with_causes(error));
    let mut config = match &args.config {
        Some(path) => Config::load(path).map_err(|e| refused(&e))?,
        None => Config::default(),
    };
    if let Some(listen) = args.listen {
        config.listen = listen;
    }
    if let Some(http) = args.http {
        config.http.listen = http.0;
    }
    if let Some(form) = args.log_format {
        config.log_format = form;
    }
    if let Some(data) = &args.data {
        config.data_dir.clone_from(data);
    }
    config.check().map_err(|e| refused(&e))?;
    Ok(config)
}

/// Starts a server.
///
/// # Errors
///
/// [`Failure::Usage`] when it cannot start.
pub(crate) async fn start(config: Config) -> Result<Running, Failure> {
    server::start(config).await.map_err(|error| {
        Failure::Usage(format!("the server cannot start: {}", with_causes(&error)))
    })
}

/// Starts a server on a free port of this machine.
///
/// # Errors
///
/// [`Failure::Usage`] when it cannot start.
pub(crate) async fn start_for_demo(dir: &Path) -> Result<Running, Failure> {
    let config = Config {
        listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
        http: Http::off(),
        data_dir: dir.to_owned(),
        ..Config::default()
    };
    start(config).await
}

/// Waits until somebody presses Ctrl-C or sends SIGTERM.
///
/// # Errors
///
/// [`Failure::Usage`] when signals cannot be received.
pub(crate) async fn told_to_stop() -> Result<(), Failure> {
    let refused = |error| Failure::Usage(format!("signals cannot be received: {error}"));
    let mut terminate = signal(SignalKind::terminate()).map_err(refused)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(refused)?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}
