//! The HTTP port as whoever watches sees it: metrics that follow what was done, and health.
//!
//! Apart from the tests of calls because it is asked in plain HTTP, beside them.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use api::v1::learner_reference::Reference;
use api::v1::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tonic::Code;

use crate::bank::{Bank, achievement, acting, student};

/// An answer: head and body.
async fn ask(address: SocketAddr, method: &str, path: &str) -> (String, String) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request =
        format!("{method} {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    (head.to_owned(), body.to_owned())
}

async fn metrics(bank: &Bank) -> String {
    let (head, body) = ask(bank.http(), "GET", "/metrics").await;
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    let form = "content-type: application/openmetrics-text; version=1.0.0; charset=utf-8";
    assert!(head.contains(form), "{head}");
    assert!(body.ends_with("# EOF\n"), "{body}");
    body
}

/// The value of a sample; none when there is none.
fn value<'a>(metrics: &'a str, sample: &str) -> Option<&'a str> {
    let value = metrics.lines().find_map(|line| line.strip_prefix(sample));
    value.map(str::trim)
}

/// A bank whose port for metrics and health is open, with the institution `uni` and its student S1.
async fn watched() -> Bank {
    let bank = Bank::start_configured(tempfile::tempdir().unwrap(), |config| {
        config.http.listen = Some("127.0.0.1:0".parse().unwrap());
    })
    .await;
    bank.institution("uni", vec![Scope::default()]).await;
    bank.learner("uni", "S1").await;
    bank
}

/// Records that are recorded, repeated, pending, rejected, refused and only validated.
async fn submit_of_every_kind(bank: &Bank) {
    bank.submit(achievement("R-1")).await.unwrap();
    bank.submit(achievement("R-1")).await.unwrap();
    let pending = Achievement {
        learner: Some(student("uni", "S-unknown")),
        ..achievement("R-2")
    };
    bank.submit(pending).await.unwrap();
    let future = Achievement {
        awarded: "2999-01-01".into(),
        ..achievement("R-3")
    };
    let unreadable = Achievement {
        awarded: "yesterday".into(),
        ..achievement("R-4")
    };
    bank.batch(vec![future.clone(), unreadable, achievement("R-5")])
        .await;
    let refused = bank.submit(future).await.unwrap_err();
    assert_eq!(refused.code, Code::InvalidArgument);
    let denied = bank.submit_as("learner:x", achievement("R-6")).await;
    denied.unwrap_err();
    let validated = SubmitRecordRequest {
        achievement: Some(achievement("R-7")),
        validate_only: true,
    };
    let mut records = bank.records();
    let validated = records.submit_record(acting("institution:uni", validated));
    validated.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_follow_what_was_done() {
    let bank = watched().await;
    submit_of_every_kind(&bank).await;
    let size = bank.size().await;

    let found = metrics(&bank).await;
    let submit = "creditbank_rpcs_total{call=\"RecordService/SubmitRecord\"";
    let outcome = "creditbank_commands_total{outcome=";
    let rejected = "creditbank_command_rejections_total{reason=";
    // The institution, the learner and the opening are commands and records, too.
    let expected = [
        (format!("{submit},code=\"OK\"}}"), "4"),
        (format!("{submit},code=\"INVALID_ARGUMENT\"}}"), "1"),
        (format!("{submit},code=\"UNAUTHENTICATED\"}}"), "1"),
        (format!("{outcome}\"recorded\"}}"), "4"),
        (format!("{outcome}\"repeated\"}}"), "1"),
        (format!("{outcome}\"pending\"}}"), "1"),
        (format!("{outcome}\"validated\"}}"), "1"),
        (format!("{outcome}\"rejected\"}}"), "3"),
        (format!("{rejected}\"DATE_IN_FUTURE\"}}"), "2"),
        (format!("{rejected}\"MALFORMED\"}}"), "1"),
        (
            "creditbank_rpc_refusals_total{reason=\"DATE_IN_FUTURE\"}".into(),
            "1",
        ),
        (
            "creditbank_rpc_duration_seconds_count{call=\"RecordService/SubmitRecord\"}".into(),
            "6",
        ),
        ("creditbank_writer_running".into(), "1"),
        ("creditbank_views_following".into(), "1"),
        ("creditbank_clock_jumped".into(), "0"),
        ("creditbank_commands_in_flight".into(), "0"),
        ("creditbank_streams_open".into(), "0"),
        ("creditbank_append_failures_total".into(), "0"),
    ];
    for (sample, expected) in expected {
        let sample = format!("{sample} ");
        assert_eq!(value(&found, &sample), Some(expected), "{sample}\n{found}");
    }
    assert_eq!(
        value(&found, "creditbank_head_records "),
        Some(size.to_string().as_str())
    );
    let blocks = value(&found, "creditbank_blocks_appended_total ").unwrap();
    assert_eq!(
        value(&found, "creditbank_block_records_count "),
        Some(blocks)
    );
    assert_eq!(
        value(&found, "creditbank_append_duration_seconds_count "),
        Some(blocks)
    );
    assert_eq!(
        value(&found, "creditbank_block_records_sum "),
        Some(format!("{size}.0").as_str())
    );
    assert!(found.contains("creditbank_build_info{version="));
    // Whom it is about is in no label.
    for word in ["uni", "S1", "S-unknown", "R-", "learner:"] {
        assert!(!found.contains(&format!("\"{word}")), "{word} in\n{found}");
    }
    bank.stop_and_verify().await;
}

/// The names in the table of metrics for who runs a server.
fn documented() -> BTreeSet<String> {
    let text = include_str!("../../docs/operations.md");
    let section = text.split("\n## Metrics\n").nth(1).unwrap();
    let section = section.split("\n## ").next().unwrap();
    let rows = section.lines().filter(|line| line.starts_with("| `"));
    let cells = rows.filter_map(|row| row.split('|').nth(1));
    let quoted = cells.flat_map(|cell| cell.split('`').skip(1).step_by(2));
    let names = quoted.filter_map(|name| name.split('{').next());
    names.map(str::to_owned).collect()
}

/// The metrics that are printed, as their samples are called; a histogram without what is behind its name.
fn printed(metrics: &str) -> BTreeSet<String> {
    let families = metrics.lines().filter_map(|line| {
        let (name, kind) = line.strip_prefix("# TYPE ")?.split_once(' ')?;
        Some(match kind {
            "counter" => format!("{name}_total"),
            "info" => format!("{name}_info"),
            _ => name.to_owned(),
        })
    });
    families.collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_metrics_that_are_printed_are_those_that_are_documented() {
    let bank = watched().await;
    // A metric by labels is printed once there is something to count.
    submit_of_every_kind(&bank).await;
    let (documented, printed) = (documented(), printed(&metrics(&bank).await));
    let missing: Vec<&String> = documented.difference(&printed).collect();
    assert!(missing.is_empty(), "documented, not printed: {missing:?}");
    let ours = |name: &&String| name.starts_with("creditbank_");
    let untold: Vec<&String> = printed.difference(&documented).filter(ours).collect();
    assert!(untold.is_empty(), "printed, not documented: {untold:?}");
    bank.stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn erasures_and_streams_are_counted() {
    let bank = watched().await;
    let handle = bank.learner("uni", "S2").await;
    let watch = WatchRequest {
        learner: Some(LearnerReference {
            reference: Some(Reference::Handle(handle.clone())),
        }),
        ..WatchRequest::default()
    };
    let mut accounts = bank.accounts();
    let watching = accounts.watch(acting("operator", watch)).await.unwrap();
    assert_eq!(
        value(&metrics(&bank).await, "creditbank_streams_open "),
        Some("1")
    );
    drop(watching);
    let erase = EraseLearnerRequest {
        learner_handle: handle,
        scope: ErasureScope::All.into(),
    };
    let mut learners = bank.learners();
    let erased = learners.erase_learner(acting("operator", erase));
    let erased = erased.await.unwrap().into_inner().erased_count;
    assert!(erased > 0);
    let found = metrics(&bank).await;
    assert_eq!(value(&found, "creditbank_erasures_total "), Some("1"));
    let bodies = value(&found, "creditbank_erased_bodies_total ");
    assert_eq!(bodies, Some(erased.to_string().as_str()));
    bank.stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn health_is_told_until_the_server_stops() {
    let bank = watched().await;
    let http = bank.http();
    for (method, path, status, body) in [
        ("GET", "/healthz", "200 OK", "alive\n"),
        ("GET", "/readyz", "200 OK", "ready\n"),
        ("HEAD", "/readyz", "200 OK", ""),
        (
            "GET",
            "/",
            "404 Not Found",
            "there is /metrics, /healthz and /readyz\n",
        ),
        (
            "POST",
            "/metrics",
            "405 Method Not Allowed",
            "only GET and HEAD are answered here\n",
        ),
    ] {
        let (head, said) = ask(http, method, path).await;
        assert!(
            head.starts_with(&format!("HTTP/1.1 {status}")),
            "{method} {path}: {head}"
        );
        assert_eq!(said, body, "{method} {path}");
    }
    bank.stop_and_verify().await;
    assert!(
        TcpStream::connect(http).await.is_err(),
        "the port is closed"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_that_is_taken_is_named_with_what_to_do() {
    let bank = watched().await;
    let dir = tempfile::tempdir().unwrap();
    let second = server::start(server::Config {
        listen: "127.0.0.1:0".parse().unwrap(),
        http: server::config::Http {
            listen: Some(bank.http()),
            ..server::config::Http::default()
        },
        data_dir: dir.path().join("store"),
        ..server::Config::default()
    });
    let said = second.await.err().unwrap().to_string();
    let address = bank.http();
    assert!(
        said.starts_with(&format!("cannot listen on {address} for metrics")),
        "{said}"
    );
    assert!(said.ends_with("turn them off with --http off"), "{said}");
    assert!(!dir.path().join("store").exists(), "nothing was begun");
    bank.stop_and_verify().await;
}
