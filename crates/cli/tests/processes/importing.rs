//! `import` with a real server: from a registrar's file to receipts, mended rows, and what comes after a
//! file that breaks off.
//!
//! Apart from `real_input`, which is about numbers, and from the hostile files that never reach a server.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Output;

use crate::running::{Server, free_port, verify};
use serde_json::Value;

const MAPPING: &str = "\
[input]
dates = [\"%Y-%m-%d\", \"%Y年%m月%d日\"]
[[only]]
column = \"状态\"
not_in = [\"缺考\"]
[record]
record_id = \"{编号}\"
type = \"Course\"
code = \"{课程}\"
titles = [{ value = \"{名称}\", language = \"zh-CN\" }]
size = { amount = \"{学分}\", unit = \"ects\" }
results = [{ value = \"{成绩}\", scale = \"percent\" }]
awarded = \"{日期}\"
[learner]
student = { number = \"{学号}\" }
[profile]
names = [{ value = \"{姓名}\", language = \"zh-CN\" }]
birth_date = \"{出生}\"
";

const HEADER: &str = "编号,学号,姓名,出生,课程,名称,学分,成绩,日期,状态";

struct Desk {
    server: Server,
    dir: tempfile::TempDir,
}

impl Desk {
    async fn open() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let server = Server::start(&dir.path().join("store"), free_port()).await;
        server.register_institution("uni").await;
        Self { server, dir }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        std::fs::write(self.path(name), bytes).unwrap();
    }

    fn import(&self, file: &str, mapping: &str, more: &[&str]) -> Output {
        let (file, mapping) = (self.path(file), self.path(mapping));
        let mut words = vec![
            "import",
            file.to_str().unwrap(),
            "--mapping",
            mapping.to_str().unwrap(),
        ];
        words.extend(["--institution", "uni", "--json"]);
        words.extend_from_slice(more);
        self.server.run(&words)
    }

    /// Imports, and says what became of the rows: `recorded=2 MALFORMED=1 skipped=1`.
    fn counts(&self, code: i32, file: &str, mapping: &str, more: &[&str]) -> String {
        let output = self.import(file, mapping, more);
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{error}");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let json: Value = serde_json::from_str(text.lines().last().unwrap_or("null")).unwrap();
        let mut counts: Vec<String> = Vec::new();
        for part in ["done", "rejected"] {
            for (key, count) in json[part].as_object().into_iter().flatten() {
                counts.push(format!("{key}={count}"));
            }
        }
        for part in ["skipped", "unsent"] {
            if json[part] != 0 {
                counts.push(format!("{part}={}", json[part]));
            }
        }
        counts.join(" ")
    }

    fn end(self) {
        let data = self.server.data().to_owned();
        self.server.stop();
        verify(&data);
    }
}

fn gb18030(text: &str) -> Vec<u8> {
    encoding_rs::GB18030.encode(text).0.into_owned()
}

fn table(bytes: &[u8]) -> Vec<BTreeMap<String, String>> {
    csv::Reader::from_reader(bytes)
        .deserialize()
        .map(|row| row.unwrap())
        .collect()
}

fn course(id: &str, number: &str, rest: &str) -> String {
    format!("{id},{number},样春兰,1984-03-08,C-{id},{rest}")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chinese_file_goes_in_and_its_mended_rows_after_it() {
    let desk = Desk::open().await;
    desk.write(
        "m.toml",
        format!(
            "[input]\nencoding = \"gb18030\"\n{}",
            MAPPING.trim_start_matches("[input]\n")
        ),
    );
    let rows = [
        course("r1", "S-1", "\"统计学,上\n(二行)\",4,91,2025年6月30日,正常"),
        course("r2", "S-1", "汉语,2.5,88,2025-06-30,正常"),
        course("r3", "S-2", "历史,3,75,2025-02-30,正常"),
        course("r4", "S-2", "𠮷野,3,,2025-06-30,缺考"),
        course("r5", "S-2", "=1+1,3,75,2025-06-30,正常,多"),
    ];
    desk.write(
        "成绩.csv",
        gb18030(&format!("{HEADER}\n{}\n", rows.join("\n"))),
    );
    let before = desk.server.try_head().await.unwrap();
    let register = ["--register-learners"];
    let dry = desk.counts(
        1,
        "成绩.csv",
        "m.toml",
        &["--register-learners", "--dry-run"],
    );
    assert_eq!(dry, "would_be_recorded=2 BAD_DATE=1 RAGGED_ROW=1 skipped=1");
    assert_eq!(desk.server.try_head().await.unwrap(), before);
    let found = desk.counts(1, "成绩.csv", "m.toml", &register);
    assert_eq!(found, "recorded=2 BAD_DATE=1 RAGGED_ROW=1 skipped=1");
    // Two records, and a learner registered and linked.
    let after = desk.server.try_head().await.unwrap();
    assert_eq!(after.size, before.size + 4);
    assert_eq!(
        desk.counts(1, "成绩.csv", "m.toml", &register),
        "already_recorded=2 BAD_DATE=1 RAGGED_ROW=1 skipped=1"
    );
    assert_eq!(desk.server.try_head().await.unwrap(), after);

    // The receipts.
    let accepted = std::fs::read(desk.path("成绩.csv.accepted.csv")).unwrap();
    let accepted = table(&accepted);
    assert_eq!(
        (accepted[0]["line"].as_str(), accepted[1]["line"].as_str()),
        ("2", "4")
    );
    assert_eq!(accepted[0]["record_id"], "r1");
    assert_eq!(accepted[0]["position"], (before.size + 2).to_string());
    assert_eq!(accepted[0]["chain_hash"].len(), 64);

    mended(&desk);
    desk.end();
}

/// The rejected rows are as they were, in their encoding; a person mends them there.
fn mended(desk: &Desk) {
    let rejected = std::fs::read(desk.path("成绩.csv.rejected.csv")).unwrap();
    let text = encoding_rs::GB18030.decode(&rejected).0.into_owned();
    assert!(
        text.contains("历史,3,75,2025-02-30,正常,5,BAD_DATE,日期,"),
        "{text}"
    );
    assert!(
        text.contains(",=1+1,3,75,2025-06-30,正常,多,7,RAGGED_ROW,,"),
        "{text}"
    );
    let mended = text
        .replace("2025-02-30", "2025-02-28")
        .replace("正常,多,", "正常,");
    desk.write("mended.csv", gb18030(&mended));
    let register = ["--register-learners"];
    let found = desk.counts(0, "mended.csv", "m.toml", &register);
    assert_eq!(found, "recorded=2");
    let shown = desk
        .server
        .run(&["learner", "show", "--student", "uni:S-2"]);
    let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
    assert!(
        shown.contains("样春兰") && shown.contains("1984-03-08"),
        "{shown}"
    );
    let listed = desk
        .server
        .run(&["records", "show", "r1", "--institution", "uni", "--json"]);
    let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
    assert!(listed.contains("统计学,上 (二行)"), "{listed}");
    let balance = desk
        .server
        .run(&["balance", "--student", "uni:S-1", "--json"]);
    let balance = String::from_utf8_lossy(&balance.stdout).into_owned();
    assert!(balance.contains("\"6.5\""), "{balance}");
}

const SIMPLE: &str = "\
[record]
record_id = \"{id}\"
type = \"Course\"
code = \"C-{id}\"
titles = [{ value = \"A course\", language = \"en\" }]
size = { amount = \"{n}\", unit = \"ects\" }
awarded = \"2025-06-30\"
[learner]
student = { number = \"{s}\" }
";

#[tokio::test(flavor = "multi_thread")]
async fn changed_rows_are_rejected_or_superseded_and_what_waits_is_bound() {
    let desk = Desk::open().await;
    desk.write("m.toml", SIMPLE);
    desk.write("a.csv", "id,s,n\nr1,1,3\nr2,1,3\nr3,2,3\nr1,1,3\n");
    // Without registering, they wait; the second import finds them waiting, and the third binds them.
    assert_eq!(
        desk.counts(0, "a.csv", "m.toml", &["--batch", "1"]),
        "pending=3 still_pending=1"
    );
    assert_eq!(desk.counts(0, "a.csv", "m.toml", &[]), "still_pending=4");
    assert_eq!(
        desk.counts(0, "a.csv", "m.toml", &["--register-learners"]),
        "already_recorded=4"
    );
    assert_eq!(desk.counts(0, "a.csv", "m.toml", &[]), "already_recorded=4");

    desk.write("b.csv", "id,s,n\nr1,1,4\nr2,1,3\nr3,1,5\nr9,1,abc\n");
    let rejected = "already_recorded=1 MALFORMED=1 RECORD_ID_REUSED=1 RECORD_OF_OTHER_LEARNER=1";
    assert_eq!(desk.counts(1, "b.csv", "m.toml", &[]), rejected);
    let before = desk.server.try_head().await.unwrap();
    let supersede = ["--changed", "supersede", "--reason", "remarked"];
    let dry: Vec<&str> = supersede.into_iter().chain(["--dry-run"]).collect();
    let superseded = "already_recorded=1 superseded=1 MALFORMED=1 RECORD_OF_OTHER_LEARNER=1";
    assert_eq!(
        desk.counts(1, "b.csv", "m.toml", &dry),
        superseded.replace(" superseded", " would_be_superseded")
    );
    assert_eq!(desk.server.try_head().await.unwrap(), before);
    assert_eq!(desk.counts(1, "b.csv", "m.toml", &supersede), superseded);
    assert_eq!(desk.server.try_head().await.unwrap().size, before.size + 1);
    let again = superseded.replace("already_recorded=1 superseded=1", "already_recorded=2");
    assert_eq!(desk.counts(1, "b.csv", "m.toml", &supersede), again);

    in_the_order_of_the_file(&desk);

    // JSON Lines, compressed; rejected lines are JSON Lines again.
    let lines = "{\"id\":\"j1\",\"s\":\"1\",\"n\":1.50}\n\n{\"id\":\"j2\",\"s\":\"1\",\"n\":\"x\"}\n{\"id\":\n";
    desk.write("l.jsonl.gz", gz(lines.as_bytes()));
    assert_eq!(
        desk.counts(1, "l.jsonl.gz", "m.toml", &[]),
        "recorded=1 MALFORMED=1 UNREADABLE=1"
    );
    let rejected = std::fs::read_to_string(desk.path("l.jsonl.gz.rejected.jsonl")).unwrap();
    let first = rejected.lines().next().unwrap();
    assert!(
        first.starts_with("{\"id\":\"j2\",\"s\":\"1\",\"n\":\"x\",\"rejected_line\":\"3\","),
        "{first}"
    );
    desk.write("l2.jsonl", first.replace("\"x\"", "2"));
    assert_eq!(desk.counts(0, "l2.jsonl", "m.toml", &[]), "recorded=1");
    desk.end();
}

/// The versions of a record in one file follow each other in the order of the file, whether they are sent
/// together or not.
fn in_the_order_of_the_file(desk: &Desk) {
    for (batch, sizes) in [("2", 5..25_u32), ("500", 25..65)] {
        let rows: String = sizes.clone().map(|n| format!("r2,1,{n}\n")).collect();
        desk.write("c.csv", format!("id,s,n\n{rows}"));
        let supersede = ["--changed", "supersede", "--batch", batch];
        let found = desk.counts(0, "c.csv", "m.toml", &supersede);
        assert_eq!(found, format!("superseded={}", sizes.len()));
        are_latest(desk, sizes);
    }
    let line = |n: u32| {
        format!(
            r#"{{"record_id":"r2","learner":{{"student":{{"number":"1"}}}},"type":"Course","code":"C-r2","titles":[{{"value":"A course","language":"en"}}],"size":{{"amount":"{n}","unit":"ects"}},"awarded":"2025-06-30"}}"#
        )
    };
    let lines: Vec<String> = (65..105).map(line).collect();
    desk.write("c.jsonl", lines.join("\n"));
    let path = desk.path("c.jsonl");
    let words = ["records", "supersede", "--file", path.to_str().unwrap()];
    let said = ["--institution", "uni", "--reason", "remarked"];
    let output = desk.server.run(&[words, said].concat());
    assert!(output.status.success(), "{output:?}");
    are_latest(desk, 65..105);
}

/// The latest versions of the record have these sizes.
fn are_latest(desk: &Desk, sizes: std::ops::Range<u32>) {
    let show = ["records", "show", "r2", "--institution", "uni", "--json"];
    let shown: Value = serde_json::from_slice(&desk.server.run(&show).stdout).unwrap();
    let versions = shown["versions"].as_array().unwrap();
    let amount = |version: &Value| version["achievement"]["size"]["amount"].clone();
    let latest: Vec<Value> = versions
        .iter()
        .rev()
        .take(sizes.len())
        .map(amount)
        .collect();
    let expected: Vec<Value> = sizes.rev().map(|n| n.to_string().into()).collect();
    assert_eq!(latest, expected);
}

fn gz(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// A file of many rows.
fn many() -> String {
    let rows: String = (0..1_000).map(|n| format!("m{n},{n},3\n")).collect();
    format!("id,s,n\n{rows}")
}

/// A file that breaks off, and what is said.
fn broken() -> Vec<(&'static str, Vec<u8>, &'static str)> {
    let whole = many();
    let mut bytes = whole.clone().into_bytes();
    bytes.extend(b"m1000,\xd1\xf9,3\n");
    // Random digits, so that the cut of the compressed file leaves whole rows before it.
    let packed = gz(whole.as_bytes());
    vec![
        (
            "cut.csv.gz",
            packed[..packed.len() * 9 / 10].to_vec(),
            "the compressed data end too early: the file was cut off",
        ),
        (
            "quote.csv",
            format!("{whole}m1000,\"1000,3\nm1001,1,3\n").into(),
            "line 1002: a quote in the row that begins here is never closed",
        ),
        ("bytes.csv", bytes, "line 1002: byte 0xd1 is not UTF-8"),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn of_rows_that_describe_a_learner_differently_the_first_counts() {
    let desk = Desk::open().await;
    let profile = "[profile]\nnames = [{ value = \"{name}\", language = \"en\" }]\n";
    desk.write("m.toml", format!("{SIMPLE}{profile}"));
    let pair = |n: u32| format!("a{n},S{n},3,First {n}\nb{n},S{n},3,Second {n}\n");
    let rows: String = (0..30).map(pair).collect();
    desk.write("a.csv", format!("id,s,n,name\n{rows}"));
    let manner = ["--register-learners", "--batch", "1", "--in-flight", "16"];
    assert_eq!(desk.counts(0, "a.csv", "m.toml", &manner), "recorded=60");
    for n in 0..30 {
        let number = format!("uni:S{n}");
        let shown = desk.server.run(&["learner", "show", "--student", &number]);
        let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
        assert!(shown.contains(&format!("First {n}")), "{shown}");
    }
    desk.end();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_breaks_off_is_settled_up_to_there_and_safe_to_import_again() {
    let desk = Desk::open().await;
    desk.write("m.toml", SIMPLE);
    for (name, bytes, expected) in broken() {
        desk.write(name, bytes);
        let output = desk.import(name, "m.toml", &["--batch", "100", "--register-learners"]);
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{name}: {error}");
        assert!(
            error.contains(expected) && error.contains("import the file again"),
            "{name}: {error}"
        );
        let json: Value = serde_json::from_slice(&output.stdout).unwrap();
        let rows = json["rows"].as_u64().unwrap();
        let receipts = std::fs::read(desk.path(&format!("{name}.accepted.csv"))).unwrap();
        assert!(rows > 0, "{name}: {json}");
        assert_eq!(u64::try_from(table(&receipts).len()).unwrap(), rows);
        assert!(!desk.path(&format!("{name}.accepted.csv.part")).exists());
    }
    desk.write("whole.csv", many());
    let found = desk.counts(0, "whole.csv", "m.toml", &["--register-learners"]);
    assert_eq!(found, "already_recorded=1000");
    // A row that no cell limit lets through, and one with a NUL, are rejected alone.
    let long = "x".repeat(1_000_000);
    desk.write(
        "cells.csv",
        format!("id,s,n\nn1,1,3\nn2,{long},3\nn3,\0,3\nn4,1,3\n"),
    );
    assert_eq!(
        desk.counts(1, "cells.csv", "m.toml", &[]),
        "recorded=2 CELL_TOO_LONG=1 NUL_BYTE=1"
    );
    let rejected = std::fs::read(desk.path("cells.csv.rejected.csv")).unwrap();
    let rejected = table(&rejected);
    assert_eq!(rejected[0]["s"].len(), 1_000_000);
    assert_eq!(
        rejected[0]["rejected_sentence"],
        "the cell has 1000000 characters; at most 65536 bytes are taken: perhaps a quote is missing"
    );
    // Only a header is no mistake.
    desk.write("header.csv", "id,s,n\n");
    assert_eq!(desk.counts(0, "header.csv", "m.toml", &[]), "");
    desk.end();
}

#[tokio::test(flavor = "multi_thread")]
async fn institutions_come_from_a_table_in_any_order() {
    let desk = Desk::open().await;
    let run = |file: &str, code: i32, more: &[&str]| {
        let path = desk.path(file);
        let mut words = vec!["institution", "import", path.to_str().unwrap()];
        words.extend_from_slice(more);
        let output = desk.server.run(&words);
        let said = String::from_utf8_lossy(&output.stdout).into_owned()
            + &String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{said}");
        said.lines()
            .skip(1)
            .map(str::trim)
            .collect::<Vec<_>>()
            .join("; ")
    };
    let header = "institution_id,name,language,kind,region,parent_id,types\n";
    let rows = "village,Village,en,school,XP-01,town,Course;Certificate\ntown,Town,en,school,XP-01,province,*\n\
                province,Province,en,bureau,XP,,\na,A,en,,,b,\nb,B,en,,,a,\ntown,Again,en,,,,\n";
    desk.write("s.csv", format!("{header}{rows}"));
    let before = desk.server.try_head().await.unwrap();
    let dry = run("s.csv", 1, &["--dry-run"]);
    assert!(
        dry.starts_with("3  would be registered; 3  rejected; 2  PARENT_CIRCLE; 1  REPEATED_ID"),
        "{dry}"
    );
    assert_eq!(desk.server.try_head().await.unwrap(), before);
    let first = run("s.csv", 1, &[]);
    assert!(first.starts_with("3  registered; 3  rejected"), "{first}");
    let after = desk.server.try_head().await.unwrap();
    assert_eq!(after.size, before.size + 3);
    assert!(run("s.csv", 1, &[]).starts_with("3  there already, and the same"));
    assert_eq!(desk.server.try_head().await.unwrap(), after);
    // A file without the columns of scopes leaves them as they are.
    desk.write(
        "t.csv",
        "institution_id,name,language,kind\nvillage,Hamlet,en,school\n",
    );
    assert!(run("t.csv", 1, &[]).starts_with("1  rejected; 1  INSTITUTION_EXISTS"));
    let rejected = std::fs::read(desk.path("t.csv.rejected.csv")).unwrap();
    assert_eq!(
        table(&rejected)[0]["rejected_sentence"],
        "institution village is there with other names; --changed update replaces them"
    );
    assert!(run("t.csv", 0, &["--changed", "update"]).starts_with("1  updated"));
    assert!(run("t.csv", 0, &["--changed", "update"]).starts_with("1  there already"));
    let shown = desk
        .server
        .run(&["institution", "show", "village", "--json"]);
    let shown: Value = serde_json::from_slice(&shown.stdout).unwrap();
    let village = &shown["institution"];
    assert_eq!(village["names"][0]["value"], "Hamlet");
    assert_eq!(village["scopes"][0]["types"][1], "Certificate");
    assert_eq!(village["parent_id"], "town");
    // Through a mapping, from Chinese columns.
    desk.write("i.toml", "[input]\nencoding = \"gb18030\"\n[institution]\ninstitution_id = \"{代码}\"\nparent_id = \"province\"\nscopes = [{}]\n[[institution.names]]\nvalue = \"{名称}\"\nlanguage = \"zh-CN\"\n");
    desk.write("cn.csv", gb18030("代码,名称\nsu,样山大学\n"));
    let mapping = desk.path("i.toml");
    assert!(
        run("cn.csv", 0, &["--mapping", mapping.to_str().unwrap()]).starts_with("1  registered")
    );
    let shown = desk.server.run(&["institution", "show", "su"]);
    let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
    assert!(
        shown.contains("样山大学") && shown.contains("any"),
        "{shown}"
    );
    assert!(Path::new(&desk.path("cn.csv.accepted.csv")).exists());
    desk.end();
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_below_a_circle_are_not_said_to_be_in_it() {
    let desk = Desk::open().await;
    desk.write(
        "s.csv",
        "institution_id,name,language,parent_id\na,A,en,b\nb,B,en,a\nc,C,en,a\nd,D,en,c\n",
    );
    let path = desk.path("s.csv");
    let output = desk
        .server
        .run(&["institution", "import", path.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1));
    let rejected = std::fs::read(desk.path("s.csv.rejected.csv")).unwrap();
    let sentences: Vec<String> = table(&rejected)
        .into_iter()
        .map(|row| row["rejected_sentence"].clone())
        .collect();
    assert_eq!(
        sentences,
        [
            "a is below b, and b below a",
            "b is below a, and a below b",
            "c is below a, which is its own ancestor or below one that is",
            "d is below c, which is its own ancestor or below one that is",
        ]
    );
    desk.end();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_that_is_killed_leaves_nothing_half_and_is_simply_run_again() {
    let desk = Desk::open().await;
    desk.write("m.toml", SIMPLE);
    desk.write("a.csv", many());
    let before = desk.server.try_head().await.unwrap();
    let (file, mapping) = (desk.path("a.csv"), desk.path("m.toml"));
    let mut import = std::process::Command::new(crate::running::CREDITBANK)
        .args([
            "--server",
            &desk.server.url(),
            "import",
            file.to_str().unwrap(),
        ])
        .args([
            "--mapping",
            mapping.to_str().unwrap(),
            "--institution",
            "uni",
        ])
        .args(["--register-learners", "--batch", "1", "--in-flight", "1"])
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    while desk.server.try_head().await.unwrap().size < before.size + 30 {
        assert!(
            import.try_wait().unwrap().is_none(),
            "the kill comes in the middle"
        );
    }
    import.kill().unwrap();
    import.wait().unwrap();
    for name in ["a.csv.accepted.csv", "a.csv.rejected.csv"] {
        assert!(!desk.path(name).exists() && desk.path(&format!("{name}.part")).exists());
    }
    let found = desk.counts(0, "a.csv", "m.toml", &["--register-learners"]);
    let (there, recorded) = found.split_once(' ').unwrap();
    let count = |text: &str, key: &str| -> u64 { text.strip_prefix(key).unwrap().parse().unwrap() };
    let there = count(there, "already_recorded=");
    assert!(there >= 10, "{found}");
    assert_eq!(there + count(recorded, "recorded="), 1_000);
    let receipts = std::fs::read(desk.path("a.csv.accepted.csv")).unwrap();
    assert_eq!(table(&receipts).len(), 1_000);
    assert!(!desk.path("a.csv.accepted.csv.part").exists());
    assert_eq!(
        desk.server.try_head().await.unwrap().size,
        before.size + 3_000
    );
    desk.end();
}
