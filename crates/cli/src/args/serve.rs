//! Arguments of `serve` and `demo`, the two commands that start a server.
//!
//! Together because both take a data directory, and apart from the client commands because they take
//! no server address.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;

use server::config::LogFormat;

use super::value;
use super::value::Http;

/// Arguments of `serve`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  creditbank serve                                    on 127.0.0.1:7410, in ledger-data/store
  creditbank serve --listen 127.0.0.1:7500 --data /srv/creditbank
  creditbank serve --print-config > creditbank.toml   every setting with its default
  creditbank serve --config creditbank.toml
  creditbank serve --http off                         without metrics and health
  creditbank serve --log-format json 2> creditbank.log
  curl http://127.0.0.1:7411/readyz                   is it ready? /healthz, /metrics: docs/operations.md

The first start on an empty directory opens a new ledger. Ctrl-C or SIGTERM stops cleanly. Set RUST_LOG=debug \
to see more, RUST_LOG=info,creditbank_server=debug to see more of the server alone; nothing in the log is about \
a person. The server listens on this machine only: it does not check who calls yet.")]
pub(crate) struct ServeArgs {
    /// Settings in TOML
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Address and port to listen on, of this machine only; port 0 picks a free one
    #[arg(long, value_name = "ADDRESS:PORT", value_parser = value::listen)]
    pub(crate) listen: Option<SocketAddr>,
    /// Address and port of /metrics, /healthz and /readyz, of this machine only; `off` for none [default:
    /// 127.0.0.1:7411]
    #[arg(long, value_name = "ADDRESS:PORT", value_parser = value::http)]
    pub(crate) http: Option<Http>,
    /// Form of the log on standard error: text or json [default: text]
    #[arg(long, value_name = "FORM", value_parser = value::log_format)]
    pub(crate) log_format: Option<LogFormat>,
    /// Directory of the ledger
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
    /// Print all settings as commented TOML, defaults where nothing else is said, and stop
    #[arg(long)]
    pub(crate) print_config: bool,
}

/// Arguments of `demo`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  creditbank demo
  creditbank demo --data /tmp/try --keep-serving      then serve it")]
pub(crate) struct DemoArgs {
    /// Directory of the demo's ledger; replaced at each run, refused if a demo did not make it
    #[arg(long, value_name = "DIR", default_value = "ledger-data/demo")]
    pub(crate) data: PathBuf,
    /// After the demo, serve its ledger until Ctrl-C
    #[arg(long)]
    pub(crate) keep_serving: bool,
}
