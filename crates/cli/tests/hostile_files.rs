//! Files that are no tables, and mappings that are none: a clear sentence each, before anything is sent.
//!
//! These tests need no server: what is wrong here is said before one is looked for, and nothing is left
//! behind.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a test stops at what it does not expect"
)]

use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

const MAPPING: &str = "\
[record]
record_id = \"{id}\"
code = \"{code}\"
awarded = \"{day}\"
[learner]
student = { number = \"{number}\" }
";

const HEADER: &str = "id,code,day,number\n";

fn creditbank(dir: &Path, words: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_creditbank"))
        .args(["--server", "http://127.0.0.1:1"])
        .args(words)
        .current_dir(dir)
        .env_remove("CREDITBANK_AS")
        .env_remove("CREDITBANK_INSTITUTION")
        .env("LANG", "C")
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

fn gz(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// A file, and what is said of it.
fn files() -> Vec<(&'static str, Vec<u8>, &'static str)> {
    let mut files = headers();
    files.extend(bytes());
    files
}

/// Headers that are none, or not the mapping's.
fn headers() -> Vec<(&'static str, Vec<u8>, &'static str)> {
    vec![
        (
            "empty.csv",
            Vec::new(),
            "empty.csv: line 1: the file is empty: there is not even a header",
        ),
        ("empty.csv.gz", gz(b""), "line 1: the file is empty"),
        (
            "blank.csv",
            b"\n\r\n\n".to_vec(),
            "line 1: the file is empty",
        ),
        (
            "empty.jsonl",
            b"\n".to_vec(),
            "empty.jsonl is empty: it has no rows",
        ),
        (
            "commas.csv",
            b",,,\n".to_vec(),
            "the header names no columns",
        ),
        (
            "few.csv",
            b"id,code,day\n".to_vec(),
            "m.toml: line 6, column 22: few.csv has no column `number`",
        ),
        (
            "near.csv",
            b"id,code,day,numbr\n".to_vec(),
            "did you mean `numbr`? (it has: id, code, day, numbr)",
        ),
        (
            "twice.csv",
            b"id,code,day,code,number\n".to_vec(),
            "line 1: the header has \"code\" twice, in columns 2 and 4",
        ),
        (
            "semicolons.csv",
            b"id;code;day;number\n".to_vec(),
            "has no column `id`; did you mean `id;code;day;number`?",
        ),
    ]
}

/// Bytes that are no text, or break off.
fn bytes() -> Vec<(&'static str, Vec<u8>, &'static str)> {
    let whole = gz(format!("{HEADER}r1,C,2025-06-30,1\n").as_bytes());
    let cut = whole[..20].to_vec();
    let mut damaged = whole.clone();
    // No block of compressed data has this type.
    damaged[10] = 0xff;
    let utf16: Vec<u8> = HEADER.bytes().flat_map(|byte| [byte, 0]).collect();
    let marked: Vec<u8> = [&[0xff, 0xfe][..], &utf16].concat();
    let gbk = encoding_rs::GB18030
        .encode("编号,code,day,number\n")
        .0
        .into_owned();
    let endless = format!("id,\"code,day,number\n{}", "r1,C,2025-06-30,1\n".repeat(10));
    vec![
        (
            "utf16.csv",
            marked,
            "line 1: the file is UTF-16; save it as UTF-8",
        ),
        (
            "nul.csv",
            utf16,
            "the header holds NUL bytes: if the file is UTF-16, save it as UTF-8",
        ),
        (
            "gbk.csv",
            gbk,
            "is not UTF-8; if the file is GBK or GB18030, say encoding = \"gb18030\"",
        ),
        (
            "plain.csv.gz",
            HEADER.into(),
            "plain.csv.gz is named like a gzip file, but is none",
        ),
        (
            "cut.csv.gz",
            cut,
            "the compressed data end too early: the file was cut off",
        ),
        (
            "damaged.csv.gz",
            damaged,
            "line 1: the compressed data are damaged; fetch the file again",
        ),
        (
            "quote.csv",
            endless.into(),
            "line 1: a quote in the row that begins here is never closed",
        ),
        (
            "keys.jsonl",
            b"{\"id\":\"1\",\"code\":\"C\",\"day\":\"x\"}\n".to_vec(),
            "none of the first rows of keys.jsonl has the key `number`",
        ),
    ]
}

#[test]
fn a_file_that_is_none_is_said_to_be_so_before_anything_is_sent() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path();
    std::fs::write(dir.join("m.toml"), MAPPING).unwrap();
    std::fs::create_dir(dir.join("folder.csv")).unwrap();
    let mut cases: Vec<(&str, &str)> = vec![
        ("folder.csv", "folder.csv is a directory, not a file"),
        (
            "none.csv",
            "none.csv cannot be read: no such file or directory",
        ),
    ];
    let files = files();
    for (name, bytes, expected) in &files {
        std::fs::write(dir.join(name), bytes).unwrap();
        cases.push((name, expected));
    }
    let before = names(dir);
    for (name, expected) in cases {
        let words = [
            "import",
            name,
            "--mapping",
            "m.toml",
            "--institution",
            "uni",
        ];
        let output = creditbank(dir, &words);
        let said = said(&output);
        assert_eq!(output.status.code(), Some(2), "{name}: {said}");
        assert!(said.contains(expected), "{name}: {said}");
    }
    assert_eq!(names(dir), before, "nothing is left behind");
}

fn names(dir: &Path) -> Vec<std::ffi::OsString> {
    let mut names: Vec<_> = std::fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    names.sort();
    names
}

#[test]
fn what_is_asked_for_is_checked_too() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path();
    std::fs::write(dir.join("m.toml"), MAPPING).unwrap();
    std::fs::write(
        dir.join("handle.toml"),
        MAPPING.replace(
            "student = { number = \"{number}\" }",
            "handle = \"{number}\"",
        ),
    )
    .unwrap();
    std::fs::write(dir.join("gbk.toml"), [0xb1, 0xe0]).unwrap();
    std::fs::write(dir.join("f.csv"), HEADER).unwrap();
    std::fs::create_dir(dir.join("folder.toml")).unwrap();
    let cases: &[(&[&str], &str)] = &[
        (
            &["f.csv", "--mapping", "folder.toml"],
            "folder.toml cannot be read: is a directory",
        ),
        (
            &["f.csv", "--mapping", "none.toml"],
            "none.toml cannot be read: no such file",
        ),
        (
            &["f.csv", "--mapping", "gbk.toml"],
            "gbk.toml is not UTF-8; save it as UTF-8",
        ),
        (&["f.csv"], "--mapping <MAPPING>"),
        (&["--mapping", "m.toml"], "<FILE>"),
        (
            &["f.csv", "--mapping", "handle.toml", "--register-learners"],
            "needs a mapping that names learners by student number",
        ),
        (&["f.csv", "--mapping", "m.toml"], "no server answers"),
    ];
    for (words, expected) in cases {
        let words: Vec<&str> = ["import"]
            .iter()
            .chain(*words)
            .copied()
            .chain(["--institution", "uni"])
            .collect();
        let output = creditbank(dir, &words);
        let said = said(&output);
        assert_eq!(output.status.code(), Some(2), "{words:?}: {said}");
        assert!(said.contains(expected), "{words:?}: {said}");
    }
    assert!(!dir.join("f.csv.rejected.csv.part").exists());
    let output = creditbank(dir, &["import", "f.csv", "--mapping", "m.toml"]);
    assert!(
        said(&output).contains("say which institution acts"),
        "{}",
        said(&output)
    );
}

#[test]
fn a_file_shows_its_columns_and_an_example_is_a_mapping() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path();
    std::fs::write(dir.join("f.csv"), "id,名称\n1,\n2,统计学\n").unwrap();
    std::fs::write(dir.join("s.csv"), "id;name\n1;a\n").unwrap();
    std::fs::write(
        dir.join("f.jsonl"),
        "{\"s\":{\"n\":1.10}}\n{\"t\":[\"a\"]}\n",
    )
    .unwrap();
    let shown = |words: &[&str]| {
        let output = creditbank(dir, words);
        assert!(output.status.success(), "{}", said(&output));
        said(&output)
    };
    expect_test::expect![[r#"
           column  filled of 2  first value
        ────────────────────────────────────
        1  id                2  1
        2  名称              1  统计学
    "#]]
    .assert_eq(&shown(&["import", "--columns", "f.csv"]));
    let json = shown(&["import", "--columns", "f.jsonl", "--json"]);
    assert!(
        json.contains(r#"{"column":"s.n","filled":1,"first":"1.10","rows":2}"#),
        "{json}"
    );
    let hint = shown(&["import", "--columns", "s.csv"]);
    assert!(
        hint.contains("perhaps the mapping should say delimiter = \";\""),
        "{hint}"
    );
    let example = shown(&["import", "--example-mapping"]);
    std::fs::write(dir.join("m.toml"), &example).unwrap();
    let words = [
        "import",
        "f.csv",
        "--mapping",
        "m.toml",
        "--institution",
        "uni",
    ];
    // It reads, and only the columns do not fit.
    let output = said(&creditbank(dir, &words));
    assert!(output.contains("f.csv has no column `"), "{output}");
}
