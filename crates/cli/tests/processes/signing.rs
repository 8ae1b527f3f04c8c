//! Signed achievements from key file to verifier, with a real server: as an institution does it.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Output;

use crate::running::{CREDITBANK, Server, free_port};
use serde_json::Value;

fn text(output: &Output) -> String {
    let both = [&output.stdout[..], &output.stderr[..]].concat();
    String::from_utf8(both).expect("the output is UTF-8")
}

fn lines(dir: &Path, name: &str, records: &[(&str, &str)]) -> String {
    let line = |(record_id, code): &(&str, &str)| {
        format!(
            r#"{{"record_id":"{record_id}","learner":{{"student":{{"number":"1"}}}},"type":"Course","code":"{code}","titles":[{{"value":"A course"}}],"size":{{"amount":"02.50","unit":"ects"}},"awarded":"2025-06-30"}}"#
        )
    };
    let path = dir.join(name);
    let all: Vec<String> = records.iter().map(line).collect();
    std::fs::write(&path, all.join("\n")).unwrap();
    path.to_str().unwrap().to_owned()
}

/// State and reason of every line.
fn outcomes(output: &Output) -> Vec<String> {
    let said = String::from_utf8(output.stdout.clone()).unwrap();
    let outcome = |line: &str| {
        let line: Value = serde_json::from_str(line).expect("a line is JSON");
        let word = |key: &str| line[key].as_str().unwrap_or_default().to_owned();
        format!("{} {}", word("state"), word("reason"))
            .trim()
            .to_owned()
    };
    said.lines().map(outcome).collect()
}

struct School {
    server: Server,
    home: tempfile::TempDir,
}

impl School {
    async fn open() -> School {
        let home = tempfile::tempdir().unwrap();
        let server = Server::start(&home.path().join("store"), free_port()).await;
        server.register_institution("uni").await;
        let school = School { server, home };
        school.ok(&[
            "learner",
            "register",
            "--student",
            "uni:1",
            "--name",
            "Anna@en",
        ]);
        school
    }

    fn path(&self, name: &str) -> String {
        self.home.path().join(name).to_str().unwrap().to_owned()
    }

    fn ok(&self, words: &[&str]) -> String {
        let output = self.server.run(words);
        assert!(output.status.success(), "{words:?}: {}", text(&output));
        text(&output)
    }

    fn submit(&self, file: &str, signing: &[&str]) -> Vec<String> {
        let words = ["submit", file, "--institution", "uni", "--json"];
        outcomes(&self.server.run(&[&words, signing].concat()))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_institution_signs_and_anyone_checks() {
    let school = School::open().await;
    school.makes_keys();
    school.signs();
    school.must_sign();
    school.keeps_what_was_signed();
    let data = school.server.data().to_owned();
    school.server.stop();
    let verified = std::process::Command::new(CREDITBANK)
        .arg("verify")
        .arg(&data)
        .output()
        .unwrap();
    let report = text(&verified);
    assert!(verified.status.success(), "{report}");
    assert!(report.contains("issuer-signed 4, all genuine"), "{report}");
}

impl School {
    fn signed(&self) -> [String; 4] {
        let key = self.path("key.pem");
        [
            "--sign".to_owned(),
            key,
            "--key-id".to_owned(),
            "k1".to_owned(),
        ]
    }

    fn makes_keys(&self) {
        let (key, other) = (self.path("key.pem"), self.path("other.pem"));
        let public = self.ok(&["institution", "key", "generate", "--out", &key]);
        self.ok(&["institution", "key", "generate", "--out", &other]);
        let mode = std::fs::metadata(&key).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let again = self
            .server
            .run(&["institution", "key", "generate", "--out", &key]);
        assert!(
            text(&again).contains("is not overwritten"),
            "{}",
            text(&again)
        );

        let add = [
            "institution",
            "key",
            "add",
            "uni",
            "--key-id",
            "k1",
            "--public-key",
        ];
        let one = lines(self.home.path(), "one.jsonl", &[("r1", "C1")]);
        let signed = ["--sign", key.as_str(), "--key-id", "k1"];
        assert_eq!(self.submit(&one, &signed), ["rejected SIGNING_KEY_UNKNOWN"]);
        let by_uni = ["--as", "institution:uni"];
        self.ok(&[&add[..], &[key.as_str()], &by_uni].concat());
        let listed = self.ok(&["institution", "key", "list", "uni"]);
        assert!(listed.contains(public.trim()), "{listed}");
    }

    fn signs(&self) {
        let signed = self.signed();
        let signed = signed.each_ref().map(String::as_str);
        let other = self.path("other.pem");
        let one = self.path("one.jsonl");
        assert_eq!(self.submit(&one, &signed), ["recorded"]);
        assert_eq!(self.submit(&one, &[]), ["already_recorded"]);
        let wrong = ["--sign", other.as_str(), "--key-id", "k1"];
        assert_eq!(self.submit(&one, &wrong), ["already_recorded"]);
        let two = lines(self.home.path(), "two.jsonl", &[("r2", "C2")]);
        assert_eq!(self.submit(&two, &wrong), ["rejected SIGNATURE_INVALID"]);
    }

    fn must_sign(&self) {
        let signed = self.signed();
        let signed = signed.each_ref().map(String::as_str);
        let two = self.path("two.jsonl");
        self.ok(&["institution", "update", "uni", "--signatures-required"]);
        assert_eq!(self.submit(&two, &[]), ["rejected SIGNATURE_REQUIRED"]);
        assert_eq!(self.submit(&two, &signed), ["recorded"]);
        let change = [
            "records",
            "supersede",
            "r2",
            "--institution",
            "uni",
            "--grade",
            "80",
            "--reason",
            "r",
        ];
        let unsigned = self.server.run(&change);
        assert!(
            text(&unsigned).contains("SIGNATURE_REQUIRED"),
            "{}",
            text(&unsigned)
        );
        self.ok(&[&change[..], &signed].concat());
        let shown = self.ok(&["records", "show", "r2", "--institution", "uni"]);
        assert!(shown.contains("by its issuer, with key k1"), "{shown}");
        let statement = self.ok(&["statement", "--student", "uni:1", "--json"]);
        assert!(statement.contains(r#""signed":true"#), "{statement}");
    }

    fn keeps_what_was_signed(&self) {
        let signed = self.signed();
        let signed = signed.each_ref().map(String::as_str);
        // What was signed travels as it is: altered, it no longer fits its signature.
        let show = ["records", "show", "r1", "--institution", "uni", "--json"];
        let record: Value = serde_json::from_str(&self.ok(&show)).unwrap();
        let mut line = record["versions"][0]["achievement"].clone();
        line["record_id"] = "r3".into();
        let stolen = self.path("stolen.jsonl");
        std::fs::write(&stolen, line.to_string()).unwrap();
        assert_eq!(self.submit(&stolen, &[]), ["rejected SIGNATURE_MISMATCH"]);

        let revoke = [
            "institution",
            "key",
            "revoke",
            "uni",
            "--key-id",
            "k1",
            "--reason",
            "stolen",
        ];
        self.ok(&revoke);
        let four = lines(self.home.path(), "four.jsonl", &[("r4", "C4")]);
        assert_eq!(self.submit(&four, &signed), ["rejected SIGNING_KEY_ENDED"]);
        self.ok(&[
            "learner",
            "register",
            "--student",
            "uni:2",
            "--name",
            "Bo@en",
        ]);
        let away = [
            "records",
            "reassign",
            "r1",
            "--institution",
            "uni",
            "--to-student",
            "uni:2",
            "--reason",
            "r",
        ];
        self.ok(&away);
        let moved: Value = serde_json::from_str(&self.ok(&show)).unwrap();
        assert_eq!(moved["versions"][0]["signed"], true, "{moved}");
    }
}

const MAPPING: &str = "\
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

impl School {
    fn write(&self, name: &str, content: &str) {
        std::fs::write(self.path(name), content).unwrap();
    }

    /// Imports a table and signs; gives the exit status and all that is said.
    fn import(&self, file: &str, key: &str, more: &[&str]) -> (i32, String) {
        let (file, mapping, key) = (self.path(file), self.path("m.toml"), self.path(key));
        let words = [
            "import",
            &file,
            "--mapping",
            &mapping,
            "--institution",
            "uni",
        ];
        let signing = ["--sign", &key, "--key-id", "k1", "--register-learners"];
        let output = self.server.run(&[&words[..], &signing, more].concat());
        (output.status.code().unwrap(), text(&output))
    }

    fn is_signed(&self, record_id: &str) -> Vec<bool> {
        let show = [
            "records",
            "show",
            record_id,
            "--institution",
            "uni",
            "--json",
        ];
        let record: Value = serde_json::from_str(&self.ok(&show)).unwrap();
        let versions = record["versions"].as_array().unwrap().iter();
        versions
            .map(|version| version["signed"].as_bool().unwrap())
            .collect()
    }

    async fn size(&self) -> u64 {
        self.server.try_head().await.unwrap().size
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registrars_file_is_signed_row_by_row() {
    let school = School::open().await;
    school.write("m.toml", MAPPING);
    school.write("a.csv", "id,s,n\na1,1,02.50\na2,2,3\n");
    for name in ["key.pem", "other.pem"] {
        school.ok(&[
            "institution",
            "key",
            "generate",
            "--out",
            &school.path(name),
        ]);
    }
    let before = school.size().await;
    // Nothing is sent when the key cannot be read, and no file is left behind.
    for (file, said) in [
        ("m.toml", "holds no Ed25519 private key"),
        ("none.pem", "cannot be read"),
    ] {
        let (code, error) = school.import("a.csv", file, &[]);
        assert_eq!(code, 2, "{error}");
        assert!(error.contains(file) && error.contains(said), "{error}");
    }
    for name in ["accepted", "rejected"] {
        for end in ["csv", "csv.part"] {
            let left = school.path(&format!("a.csv.{name}.{end}"));
            assert!(!Path::new(&left).exists(), "{left}");
        }
    }
    school.refuses_rows("key.pem", "SIGNING_KEY_UNKNOWN", "uni has no key k1");
    let key = school.path("key.pem");
    let add = ["institution", "key", "add", "uni", "--key-id", "k1"];
    school.ok(&[&add[..], &["--public-key", &key]].concat());
    school.refuses_rows("other.pem", "SIGNATURE_INVALID", "not one of key k1 of uni");
    assert_eq!(school.size().await, before + 1);

    school.ok(&["institution", "update", "uni", "--signatures-required"]);
    let (code, said) = school.import("a.csv", "key.pem", &["--dry-run"]);
    assert!(code == 0 && said.contains("2  would be recorded"), "{said}");
    let (code, said) = school.import("a.csv", "key.pem", &[]);
    assert!(code == 0 && said.contains("2  recorded"), "{said}");
    // Two records, and a learner registered and linked.
    assert_eq!(school.size().await, before + 2 + 4);
    assert_eq!(school.is_signed("a1"), [true]);
    school.write("b.csv", "id,s,n\na1,1,2.5\na2,2,4\n");
    let (code, said) = school.import("b.csv", "key.pem", &["--changed", "supersede"]);
    assert!(code == 0 && said.contains("1  superseded"), "{said}");
    assert_eq!(school.is_signed("a2"), [true, true]);

    let data = school.server.data().to_owned();
    school.server.stop();
    let verified = std::process::Command::new(CREDITBANK)
        .arg("verify")
        .arg(&data)
        .output()
        .unwrap();
    let report = text(&verified);
    assert!(report.contains("issuer-signed 3, all genuine"), "{report}");
}

/// Titles of a KiB each in eight languages: 300 such records are 2.4 MiB, and signed more than a call may have.
#[tokio::test(flavor = "multi_thread")]
async fn long_rows_are_signed_and_still_fit_into_their_calls() {
    let school = School::open().await;
    let titles: Vec<String> = ["en", "de", "fr", "it", "es", "pt", "nl", "sv"]
        .iter()
        .map(|language| format!("{{ value = \"{{t}}\", language = \"{language}\" }}"))
        .collect();
    let titles = format!("titles = [{}]", titles.join(", "));
    let one = "titles = [{ value = \"A course\", language = \"en\" }]";
    school.write("m.toml", &MAPPING.replace(one, &titles));
    let long = "t".repeat(1000);
    let rows: String = (0..300).map(|n| format!("l{n},1,3,{long}\n")).collect();
    school.write("l.csv", &format!("id,s,n,t\n{rows}"));
    let key = school.path("key.pem");
    school.ok(&["institution", "key", "generate", "--out", &key]);
    let add = ["institution", "key", "add", "uni", "--key-id", "k1"];
    school.ok(&[&add[..], &["--public-key", &key]].concat());
    let (code, said) = school.import("l.csv", "key.pem", &["--dry-run"]);
    assert!(
        code == 0 && said.contains("300  would be recorded"),
        "{said}"
    );
    let (code, said) = school.import("l.csv", "key.pem", &[]);
    assert!(code == 0 && said.contains("300  recorded"), "{said}");
    assert_eq!(school.is_signed("l299"), [true]);
    school.server.stop();
}

impl School {
    /// Every row comes back with the reason; none is recorded, and no learner is registered.
    fn refuses_rows(&self, key: &str, reason: &str, sentence: &str) {
        for more in [&["--dry-run"][..], &[]] {
            let (code, said) = self.import("a.csv", key, more);
            assert_eq!(code, 1, "{said}");
            assert!(said.contains(&format!("2  {reason}")), "{said}");
            let rejected = std::fs::read_to_string(self.path("a.csv.rejected.csv")).unwrap();
            assert!(rejected.contains(sentence), "{rejected}");
            let accepted = std::fs::read_to_string(self.path("a.csv.accepted.csv")).unwrap();
            assert_eq!(accepted.lines().count(), 1, "{accepted}");
        }
    }
}
