//! `import` when rows were committed and no answer ever came: what may be true is not denied.
//!
//! Apart from `importing`, whose servers answer: here a relay carries what is sent and nothing back.

use std::process::{Command, Output};
use std::time::Duration;

use serde_json::Value;
use tokio::io::{copy, sink};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use crate::running::{CREDITBANK, Server, free_port, verify};

const MAPPING: &str = "\
[record]
record_id = \"{id}\"
type = \"Course\"
code = \"C-{id}\"
titles = [{ value = \"A course\", language = \"en\" }]
size = { amount = \"3\", unit = \"ects\" }
awarded = \"2025-06-30\"
[learner]
student = { number = \"{s}\" }
";

/// Rows of the file.
const ROWS: u64 = 30;

/// Carries one connection's bytes to the server and swallows the answers, until the ledger has grown to `size`;
/// then both the connection and the port are closed.
async fn relay(listener: TcpListener, server: &Server, size: u64) {
    let (from, _) = listener.accept().await.unwrap();
    let address = server.url();
    let to = TcpStream::connect(address.trim_start_matches("http://")).await;
    let (mut answers, mut to) = to.unwrap().into_split();
    let (mut from, _silent) = from.into_split();
    let forth = tokio::spawn(async move { copy(&mut from, &mut to).await });
    let back = tokio::spawn(async move { copy(&mut answers, &mut sink()).await });
    while server.try_head().await.unwrap().size < size {
        tokio::task::yield_now().await;
    }
    forth.abort();
    back.abort();
}

fn import(server: &str, dir: &std::path::Path, more: &[&str]) -> Output {
    Command::new(CREDITBANK)
        .current_dir(dir)
        .args(["--server", server, "import", "a.csv", "--mapping", "m.toml"])
        .args(["--institution", "uni", "--json", "--batch", "10"])
        .args(more)
        .output()
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_were_committed_without_an_answer_are_not_denied() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(&dir.path().join("store"), free_port()).await;
    server.register_institution("uni").await;
    let rows: String = (0..ROWS).map(|n| format!("r{n},{n}\n")).collect();
    std::fs::write(dir.path().join("a.csv"), format!("id,s\n{rows}")).unwrap();
    std::fs::write(dir.path().join("m.toml"), MAPPING).unwrap();
    let before = server.try_head().await.unwrap().size;

    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let home = dir.path().to_owned();
    let importing =
        tokio::task::spawn_blocking(move || import(&address, &home, &["--retry-for", "1s"]));
    let carried = relay(listener, &server, before + 1);
    timeout(Duration::from_secs(60), carried).await.unwrap();
    let output = importing.await.unwrap();
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{error}");
    assert!(
        error.contains(
            "some rows may have been recorded; import the file again when this is mended: that is safe"
        ) && !error.contains("nothing was recorded"),
        "{error}"
    );
    let said: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        (&said["unsent"], &said["rows"]),
        (&ROWS.into(), &ROWS.into()),
        "{said}"
    );

    // As it says, the same again finds them.
    let again = import(&server.url(), dir.path(), &[]);
    let said: Value = serde_json::from_slice(&again.stdout).unwrap();
    let done = |what: &str| said["done"][what].as_u64().unwrap_or_default();
    assert!(done("still_pending") > 0, "{said}");
    assert_eq!(done("still_pending") + done("pending"), ROWS, "{said}");
    let data = server.data().to_owned();
    server.stop();
    verify(&data);
}
