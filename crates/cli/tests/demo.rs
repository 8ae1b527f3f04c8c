//! The demo from beginning to end: what the README promises, run as the README says.
//!
//! Apart from the tests of the command line because it starts a server and takes seconds.

use std::path::Path;
use std::process::{Command, Output, Stdio};

fn creditbank(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_creditbank"))
        .args(arguments)
        .env_remove("LANG")
        .stdin(Stdio::null())
        .output()
        .expect("the program runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("the output is UTF-8")
}

/// Columns of a line: characters of East Asian scripts take two.
fn columns(line: &str) -> usize {
    line.chars()
        .map(|c| {
            if ('\u{2e80}'..'\u{ffff}').contains(&c) {
                2
            } else {
                1
            }
        })
        .sum()
}

fn demo(dir: &Path) -> Output {
    creditbank(&["demo", "--data", dir.to_str().expect("the path is UTF-8")])
}

#[test]
fn the_demo_does_what_it_says_and_the_store_verifies() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path().join("demo");
    let output = demo(&dir);
    let (said, complained) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{said}\n{complained}");
    assert_eq!(complained, "");
    for expected in [
        "9 institutions",
        "60 learners with 107 student numbers",
        "460 sent: 453 recorded, 7 pending, 0 rejected",
        "the same 460 sent again: 460 answered with their first receipt",
        "样春兰 (Chunlan Sample)",
        "UNLINKED",
        "IDENTITY_MISMATCH",
        "WINDOW_FROZEN",
        "ERASED",
        "CLEAN",
        "creditbank verify",
    ] {
        assert!(said.contains(expected), "{expected} is missing:\n{said}");
    }
    for line in said.lines() {
        let path = line.contains(home.path().to_str().unwrap()) || line.contains("/creditbank ");
        assert!(
            path || columns(line) <= 100,
            "{} columns: {line}",
            columns(line)
        );
    }
    // Again: an earlier demo is replaced.
    assert!(demo(&dir).status.success());
    let verified = creditbank(&["verify", dir.to_str().unwrap()]);
    assert!(verified.status.success(), "{}", text(&verified.stdout));
}

#[test]
fn the_demo_deletes_nothing_that_it_did_not_make() {
    let home = tempfile::tempdir().unwrap();
    std::fs::write(home.path().join("thesis.txt"), "years of work").unwrap();
    let output = demo(home.path());
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("is not a demo's"));
    assert!(home.path().join("thesis.txt").exists());
}
