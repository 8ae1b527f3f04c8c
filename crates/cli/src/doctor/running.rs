//! The server that has the ledger open: whether it answers, is ready, and serves this very ledger.
//!
//! Apart from the files' checks because it may hang; every question has a deadline.

use std::net::SocketAddr;
use std::time::Duration;

use client::Client;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::check::Check;
use crate::args::Global;
use crate::args::value::Identity;

/// How long a server may take to answer.
const PATIENCE: Duration = Duration::from_secs(3);
/// Records that views are behind without it being worth a word.
const LAG_MAX: u64 = 10_000;

/// Asks the server for its head through its API.
pub(super) async fn answers(global: &Global, size: u64) -> Check {
    let name = "server";
    let server = &global.server;
    let asked = async {
        let client = Client::connect(server, &Identity::Operator)
            .await
            .map_err(|error| error.to_string())?;
        client.head().await.map_err(|refusal| refusal.message)
    };
    let advice = format!(
        "a process has the ledger open but nobody answers at {server}: name its address with --server; if that \
         is it, look at its log, and restart it"
    );
    match tokio::time::timeout(PATIENCE, asked).await {
        Err(_) => Check::problem(
            name,
            format!("no answer at {server} within 3 seconds"),
            advice,
        ),
        Ok(Err(error)) => Check::problem(name, error, advice),
        // The server may have recorded more since the files were read, and never has less.
        Ok(Ok(head)) if head.size < size => Check::warning(
            name,
            format!(
                "{server} has {} records, and the files here {size}",
                head.size
            ),
            "the server there has another ledger open: name the one of this ledger with --server",
        ),
        Ok(Ok(head)) => Check::ok(
            name,
            format!("{server} answers, with {} records", head.size),
        ),
    }
}

/// Asks the server's port for metrics and health.
pub(super) async fn health(address: Option<SocketAddr>) -> Vec<Check> {
    let name = "health";
    let Some(address) = address else {
        return vec![Check::ok(name, "not asked for")];
    };
    let ready = get(address, "/readyz").await;
    let metrics = get(address, "/metrics").await;
    let (Ok((ready, said)), Ok((200, metrics))) = (ready, metrics) else {
        let found = format!("no answer at {address}");
        let advice =
            "name the server's port for metrics with --http, or say --http off if it has none";
        return vec![Check::warning(name, found, advice)];
    };
    let mut checks = vec![match ready {
        200 => Check::ok(name, "alive and ready"),
        _ => Check::problem(name, "alive and not ready", said.trim().replace('\n', "; ")),
    }];
    let lag = sample(&metrics, "creditbank_views_lag_records");
    checks.push(match lag {
        Some(lag) if lag > LAG_MAX => Check::warning(
            "view lag",
            format!("{lag} records"),
            "they catch up by themselves; if the lag grows for long, records come in faster than they are \
             applied: look at processor and disk",
        ),
        Some(lag) => Check::ok("view lag", format!("{lag} records")),
        None => Check::warning(
            "view lag",
            "the metrics do not tell it",
            "the server is of another version than this program: bring both to the same",
        ),
    });
    let version = format!("version=\"{}\"", env!("CARGO_PKG_VERSION"));
    let build = metrics
        .lines()
        .find(|line| line.starts_with("creditbank_build_info"));
    if build.is_some_and(|build| !build.contains(&version)) {
        checks.push(Check::warning(
            "version",
            "the server is of another version than this program",
            "use the program that the server was started with, or restart the server with this one",
        ));
    }
    checks
}

/// A figure of the metrics.
fn sample(metrics: &str, name: &str) -> Option<u64> {
    let mut samples = metrics.lines().filter_map(|line| line.strip_prefix(name));
    samples.find_map(|rest| rest.trim().parse().ok())
}

/// The number and body of an answer.
async fn get(address: SocketAddr, path: &str) -> Result<(u16, String), std::io::Error> {
    let asked = async {
        let mut stream = TcpStream::connect(address).await?;
        let request =
            format!("GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await?;
        let mut text = String::new();
        stream.read_to_string(&mut text).await?;
        Ok::<_, std::io::Error>(text)
    };
    let text = tokio::time::timeout(PATIENCE, asked)
        .await
        .map_err(|_| std::io::Error::from(std::io::ErrorKind::TimedOut))??;
    let no_http = || std::io::Error::from(std::io::ErrorKind::InvalidData);
    let (head, body) = text.split_once("\r\n\r\n").ok_or_else(no_http)?;
    let status = head.split(' ').nth(1).and_then(|word| word.parse().ok());
    Ok((status.ok_or_else(no_http)?, body.to_owned()))
}
