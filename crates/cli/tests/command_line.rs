//! The program as a person meets it: help, settings, and what it says when nobody answers.
//!
//! These tests need no server; `demo.rs` beside this file runs everything against one.

use std::io::Write;
use std::process::{Command, Output, Stdio};

/// Every command, as it is typed.
const COMMANDS: &[&str] = &[
    "",
    "serve",
    "demo",
    "institution",
    "institution register",
    "institution import",
    "institution update",
    "institution suspend",
    "institution reinstate",
    "institution close",
    "institution delegate",
    "institution key",
    "institution key generate",
    "institution key add",
    "institution key revoke",
    "institution key list",
    "institution list",
    "institution show",
    "learner",
    "learner register",
    "learner update",
    "learner link",
    "learner unlink",
    "learner show",
    "learner pending",
    "learner bind",
    "learner merge",
    "learner separate",
    "learner erase",
    "submit",
    "import",
    "balance",
    "statement",
    "watch",
    "records",
    "records list",
    "records show",
    "records revoke",
    "records suspend",
    "records reinstate",
    "records supersede",
    "records reassign",
    "log",
    "log follow",
    "head",
    "verify",
    "doctor",
];

/// A port on which nobody listens: it is one of those that the system never gives out.
const NOBODY: &str = "http://127.0.0.1:1";

fn creditbank(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_creditbank"));
    command
        .args(arguments)
        .env_remove("CREDITBANK_SERVER")
        .env_remove("CREDITBANK_AS")
        .env_remove("CREDITBANK_INSTITUTION")
        .env_remove("LANG")
        .stdin(Stdio::null());
    command
}

fn run(arguments: &[&str]) -> Output {
    creditbank(arguments).output().expect("the program runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("the output is UTF-8")
}

#[test]
fn every_command_helps_with_an_example() {
    for command in COMMANDS {
        let mut words: Vec<&str> = command.split_whitespace().collect();
        words.push("--help");
        let output = run(&words);
        let help = text(&output.stdout);
        assert!(output.status.success(), "{command}");
        assert!(
            help.contains("Example"),
            "{command} has no example:\n{help}"
        );
        assert!(help.contains("creditbank"), "{command}:\n{help}");
    }
}

#[test]
fn the_list_of_commands_is_whole() {
    for group in ["", "institution", "institution key", "learner", "records"] {
        let mut words: Vec<&str> = group.split_whitespace().collect();
        words.push("--help");
        let help = text(&run(&words).stdout);
        let listed = help.lines().skip_while(|line| *line != "Commands:").skip(1);
        // A line that begins deeper goes on with the description of the command above.
        let names = listed.filter(|line| line.starts_with("  ") && !line.starts_with("   "));
        for line in names.take_while(|line| !line.starts_with("  -")) {
            let name = line.split_whitespace().next().unwrap();
            let full = format!("{group} {name}");
            let known = COMMANDS.contains(&full.trim()) || name == "help";
            assert!(known, "{full} is not in the list of this test");
        }
    }
}

#[test]
fn without_a_server_every_call_says_how_to_start_one() {
    let handle = "00000000000000000000000000000001";
    let calls: &[&[&str]] = &[
        &["institution", "list"],
        &["learner", "pending"],
        &["balance", "--handle", handle],
        &["head"],
        &["records", "list", "--institution", "a"],
        &["submit", "-", "--institution", "a"],
    ];
    for call in calls {
        let mut words = call.to_vec();
        words.extend(["--server", NOBODY]);
        let output = run(&words);
        assert_eq!(output.status.code(), Some(2), "{call:?}");
        let said = text(&output.stderr);
        assert_eq!(
            said,
            "error: no server answers at http://127.0.0.1:1: connection refused\n  \
             start one with `creditbank serve`, or name another with --server URL\n",
            "{call:?}"
        );
        assert_eq!(text(&output.stdout), "");
    }
}

#[test]
fn programs_get_the_error_as_json() {
    let output = run(&["institution", "list", "--server", NOBODY, "--json"]);
    let error: serde_json::Value = serde_json::from_slice(&output.stderr).unwrap();
    assert_eq!(error["error"]["kind"], "no_server");
    let calls: [&[&str]; 2] = [&["verify", "/no/such", "--json"], &["demo", "--json"]];
    for words in calls {
        let output = run(words);
        let error: serde_json::Value = serde_json::from_slice(&output.stderr).unwrap();
        assert_eq!(error["error"]["kind"], "usage", "{words:?}");
        assert_eq!(output.status.code(), Some(2));
        assert_eq!(text(&output.stdout), "");
    }
}

/// What was typed, and a part of what is said.
const MISTAKES: &[(&[&str], &str)] = &[
    (&["balance"], "say whose: --student INSTITUTION:NUMBER"),
    (
        &["balance", "--handle", "12"],
        "a handle has 32 hexadecimal digits",
    ),
    (
        &["balance", "--student", "12"],
        "say INSTITUTION:NUMBER, such as",
    ),
    (
        &["submit", "-"],
        "say which institution acts: --institution ID",
    ),
    (
        &["submit", "/no/such.jsonl", "--institution", "a"],
        "cannot be read: no such file or directory",
    ),
    (
        &["submit", "/", "--institution", "a"],
        "/ is a directory, not a file",
    ),
    (
        &["submit", "-", "--institution", "a", "--batch", "1001"],
        "1001 is not in 1..=1000",
    ),
    (
        &["submit", "-", "--institution", "a", "--retry-for", "3"],
        "say a number and a unit",
    ),
    (
        &["submit", "-", "--institution", "a", "--as", "operator"],
        "--as operator and --institution (which is --as institution:a) contradict each other",
    ),
    (&["learner", "register"], "--bare opens an account without"),
    (&["demo", "--json"], "leave --json out"),
    (
        &["serve", "--listen", "localhost:7601"],
        "say ADDRESS:PORT, such as 127.0.0.1:7410; no names",
    ),
    (
        &["serve", "--http", "localhost:7411"],
        "say ADDRESS:PORT, such as 127.0.0.1:7411, or off; no names",
    ),
    (&["serve", "--http", "0.0.0.0:7411"], "is not a loopback"),
    (&["serve", "--log-format", "xml"], "say text or json"),
    (
        &["institution", "list", "--as", "root"],
        "say operator, auditor, institution:ID or learner:HANDLE",
    ),
    (
        &["institution", "list", "--server", "https://x"],
        "https is not supported",
    ),
    (
        &["institution", "list", "--server", "a b"],
        "a b is no address of a server",
    ),
    (
        &[
            "learner",
            "erase",
            "00000000000000000000000000000001",
            "--scope",
            "all",
        ],
        "add --yes to go ahead",
    ),
    (
        &[
            "records",
            "supersede",
            "r",
            "--institution",
            "a",
            "--reason",
            "b",
        ],
        "required",
    ),
];

#[test]
fn mistakes_are_said_in_a_sentence() {
    for (words, expected) in MISTAKES {
        let output = run(words);
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{words:?}: {said}");
        assert!(said.contains(expected), "{words:?}: {said}");
    }
}

#[test]
fn a_registry_file_with_a_mistyped_key_is_placed() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    writeln!(
        file,
        "[[institution]]\ninstitution_id = \"a\"\nkynd = \"school\""
    )
    .unwrap();
    let path = file.path().to_str().unwrap();
    let output = run(&[
        "institution",
        "register",
        "--file",
        path,
        "--server",
        NOBODY,
    ]);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2));
    assert!(
        said.contains("line 3") && said.contains("unknown field `kynd`"),
        "{said}"
    );
}

#[test]
fn the_settings_that_are_printed_read_back() {
    let printed = run(&["serve", "--print-config"]);
    assert!(printed.status.success());
    let settings = text(&printed.stdout);
    assert!(
        settings.contains("listen = \"127.0.0.1:7410\""),
        "{settings}"
    );
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(&printed.stdout).unwrap();
    let path = file.path().to_str().unwrap();
    let again = run(&["serve", "--config", path, "--print-config"]);
    assert_eq!(text(&again.stdout), settings);
    let moved = run(&[
        "serve",
        "--config",
        path,
        "--listen",
        "127.0.0.1:1",
        "--print-config",
    ]);
    assert!(text(&moved.stdout).contains("listen = \"127.0.0.1:1\""));
    let watched = run(&[
        "serve",
        "--http",
        "off",
        "--log-format",
        "json",
        "--print-config",
    ]);
    assert!(text(&watched.stdout).contains("listen = \"off\""));
    assert!(text(&watched.stdout).contains("log_format = \"json\""));
}
