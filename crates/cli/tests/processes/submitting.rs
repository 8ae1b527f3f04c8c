//! `submit` and what follows it, with a real server: every line of a messy file gets its answer.
//!
//! Apart from the tests without a server, and from `real_input`, which is about numbers: this is about
//! what a registrar's file looks like on a bad day.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use crate::running::{CREDITBANK, Server, free_port, verify};
use serde_json::Value;

const UNI: &str = "uni";

fn achievement(record_id: &str, number: &str, offering: &str) -> String {
    format!(
        r#"{{"record_id":"{record_id}","learner":{{"student":{{"number":"{number}"}}}},"type":"Course","code":"C1","titles":[{{"value":"统计学","language":"zh-CN"}}],"size":{{"amount":"2.5","unit":"ects"}},"offering":"{offering}","results":[{{"value":"78","scale":"percent","subject":"grade"}}],"awarded":"2025-06-30"}}"#
    )
}

/// A file with everything that goes wrong, and what is said of each line that is not blank.
fn messy(dir: &Path) -> (PathBuf, Vec<(u64, &'static str, &'static str)>) {
    let good = achievement("r1", "1", "a");
    let changed = good.replace("78", "79");
    let day = achievement("r3", "1", "b").replace("2025-06-30", "2025-02-30");
    let long = format!(r#"{{"record_id":"{}"}}"#, "x".repeat(1024 * 1024));
    let mut bytes = vec![0xef, 0xbb, 0xbf];
    for line in [
        good.as_bytes(),
        b"",
        b" \t\r",
        good.as_bytes(),
        changed.as_bytes(),
    ] {
        bytes.extend_from_slice(line);
        bytes.extend_from_slice(b"\r\n");
    }
    for line in [
        day.as_bytes(),
        b"{\"record_id\":\"\xd1\xf9\"}",
        b"{\"recordid\":\"r5\"}",
        long.as_bytes(),
        b"[1]",
        achievement("r6", "nobody", "a").as_bytes(),
        achievement("r7", "1", "c").as_bytes(),
        b"{\"record_id\":",
    ] {
        bytes.extend_from_slice(line);
        bytes.push(b'\n');
    }
    let path = dir.join("messy.jsonl");
    std::fs::write(&path, bytes).expect("the file can be written");
    let said = vec![
        (1, "recorded", ""),
        (4, "already_recorded", ""),
        (5, "rejected", "RECORD_ID_REUSED"),
        (6, "rejected", "MALFORMED"),
        (7, "unreadable", "UNREADABLE"),
        (8, "unreadable", "UNREADABLE"),
        (9, "unreadable", "UNREADABLE"),
        (10, "unreadable", "UNREADABLE"),
        (11, "pending", "UNLINKED"),
        (12, "recorded", ""),
        (13, "unreadable", "UNREADABLE"),
    ];
    (path, said)
}

fn outcomes(output: &Output) -> Vec<Value> {
    let text = String::from_utf8(output.stdout.clone()).expect("the output is UTF-8");
    text.lines()
        .map(|line| serde_json::from_str(line).expect("a line is JSON"))
        .collect()
}

fn states(output: &Output) -> Vec<(u64, String, String)> {
    let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let of = |line: &Value| {
        let number = line["line"].as_u64().unwrap_or_default();
        (number, word(&line["state"]), word(&line["reason"]))
    };
    outcomes(output).iter().map(of).collect()
}

fn submit(server: &Server, path: &str, more: &[&str]) -> Output {
    let mut words = vec!["submit", path, "--institution", UNI, "--json"];
    words.extend_from_slice(more);
    server.run(&words)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_line_of_a_messy_file_gets_its_answer() {
    let home = tempfile::tempdir().unwrap();
    let data = home.path().join("store");
    let server = Server::start(&data, free_port()).await;
    server.register_institution(UNI).await;
    let registered = server.run(&[
        "learner",
        "register",
        "--student",
        "uni:1",
        "--name",
        "Anna@en",
    ]);
    assert!(registered.status.success());
    let (path, expected) = messy(home.path());
    let path = path.to_str().unwrap();
    let expected: Vec<(u64, String, String)> = expected
        .into_iter()
        .map(|(line, state, reason)| (line, state.into(), reason.into()))
        .collect();

    // All or nothing: not even what is good is recorded.
    let atomic = submit(&server, path, &["--atomic"]);
    assert_eq!(atomic.status.code(), Some(1));
    let tried =
        |(_, state, _): &(u64, String, String)| state != "unreadable" && state != "not_attempted";
    assert!(!states(&atomic).iter().any(tried), "{:?}", states(&atomic));

    // A dry run says what would be, and leaves the ledger as it is.
    let before = server.try_head().await.unwrap();
    let fresh = home.path().join("fresh.jsonl");
    let lines = [
        achievement("r6", "nobody", "a"),
        achievement("r7", "1", "c"),
    ];
    std::fs::write(&fresh, lines.join("\n")).unwrap();
    let dry = submit(&server, fresh.to_str().unwrap(), &["--validate-only"]);
    let would: Vec<String> = states(&dry)
        .into_iter()
        .map(|(_, state, _)| state)
        .collect();
    assert_eq!(would, ["pending", "recorded"]);
    assert_eq!(server.try_head().await.unwrap(), before);
    let found = submit(&server, path, &["--batch", "3"]);
    assert_eq!(found.status.code(), Some(1));
    assert_eq!(states(&found), expected);
    let after = server.try_head().await.unwrap();
    // Two records, and a provisional account with its one.
    assert_eq!(after.size, before.size + 4);
    let first = &outcomes(&found)[0];
    assert_eq!(first["chain_hash"].as_str().unwrap().len(), 64);
    assert_eq!(first["position"], outcomes(&found)[1]["position"]);

    // Sent again, nothing is recorded.
    let again = submit(&server, path, &[]);
    let new = states(&again)
        .iter()
        .filter(|(_, state, _)| state == "recorded")
        .count();
    assert_eq!((new, server.try_head().await.unwrap()), (0, after));
    server.stop();
    verify(&data);
}

#[allow(clippy::too_many_lines, reason = "one registrar's day, told in order")]
/// What is typed as the institution, the exit status, and a part of what is said.
const ACTS: &[(&[&str], i32, &str)] = &[
    (
        &[
            "records",
            "supersede",
            "r1",
            "--grade",
            "91",
            "--size",
            "3:ects",
            "--reason",
            "remarked",
        ],
        0,
        "superseded",
    ),
    // The content of the first version again.
    (
        &[
            "records",
            "supersede",
            "r1",
            "--grade",
            "78",
            "--size",
            "2.5:ects",
            "--reason",
            "back",
        ],
        1,
        "nothing changed: this is the content of version 1; version 2, at position",
    ),
    (&["records", "show", "r1"], 0, "grade 91 (percent)"),
    (
        &["records", "suspend", "r1", "--reason", "review"],
        0,
        "suspended",
    ),
    (
        &["records", "suspend", "r1", "--reason", "review"],
        1,
        "RECORD_SUSPENDED",
    ),
    (
        &["records", "reinstate", "r1", "--reason", "closed"],
        0,
        "reinstated",
    ),
    (
        &["records", "revoke", "r1", "no-such", "--reason", "error"],
        1,
        "UNKNOWN_RECORD",
    ),
    (&["records", "show", "r1"], 0, "revoked"),
    (&["records", "list"], 0, "统计学"),
];

/// What is typed as the operator.
const ACCOUNTS: &[(&[&str], i32, &str)] = &[
    (&["learner", "pending"], 0, "uni:9"),
    (
        &["learner", "link", "uni:9", "--student", "uni:1"],
        0,
        "position",
    ),
    (&["learner", "pending"], 0, "no records wait for a learner"),
    (&["balance", "--student", "uni:9"], 0, "2.5 ects (1)"),
    (
        &["statement", "--student", "uni:1", "--last", "2"],
        0,
        "the last 2 of",
    ),
    (
        &["statement", "--student", "uni:77"],
        1,
        "the reference names no registered learner",
    ),
    (
        &["institution", "register", UNI, "--name", "U"],
        1,
        "INSTITUTION_EXISTS",
    ),
    (&["institution", "show", UNI], 0, "Institution uni"),
];

#[tokio::test(flavor = "multi_thread")]
async fn records_are_looked_after_from_the_prompt() {
    let home = tempfile::tempdir().unwrap();
    let server = Server::start(&home.path().join("store"), free_port()).await;
    server.register_institution(UNI).await;
    assert!(
        server
            .run(&["learner", "register", "--student", "uni:1"])
            .status
            .success()
    );
    let piped = pipe(
        &server,
        &["submit", "-", "--institution", UNI],
        &achievement("r1", "1", "a"),
    );
    assert!(piped.status.success());
    assert!(
        pipe(
            &server,
            &["submit", "-", "--institution", UNI],
            &achievement("r2", "9", "a")
        )
        .status
        .success()
    );

    for (words, code, expected) in ACTS {
        let mut all = words.to_vec();
        all.extend(["--institution", UNI]);
        check(&server.run(&all), *code, expected, words);
    }
    for (words, code, expected) in ACCOUNTS {
        check(&server.run(words), *code, expected, words);
    }
    server.stop();
}

fn check(output: &Output, code: i32, expected: &str, words: &[&str]) {
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{words:?}: {said}");
    assert!(said.contains(expected), "{words:?}: {said}");
}

fn pipe(server: &Server, words: &[&str], input: &str) -> Output {
    let mut child = Command::new(CREDITBANK)
        .args(["--server", &server.url()])
        .args(words)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program runs");
    let mut stdin = child.stdin.take().expect("standard input is piped");
    stdin
        .write_all(input.as_bytes())
        .expect("the program reads");
    drop(stdin);
    child.wait_with_output().expect("the program ends")
}
