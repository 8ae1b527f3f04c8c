//! `creditbank doctor` on ledgers that are well, and on ledgers that are not in one way each.
//!
//! Apart from the unit tests of its verdicts because here the files, the lock and the server are real.

use std::fs;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::process::{Command, Output};

use crate::running::{CREDITBANK, Server, free_port};

fn doctor(data: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(CREDITBANK);
    command.args(["doctor", "--slow-sync-ms", "60000", "--data"]);
    command.arg(data).args(args);
    // What a case does not set must not depend on the machine.
    for default in [["--min-free-mib", "0"], ["--http", "off"]] {
        if !args.contains(&default[0]) {
            command.args(default);
        }
    }
    command.output().unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// A ledger with a few records, closed.
async fn ledger() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path(), free_port()).await;
    server.register_institution("uni").await;
    server.stop();
    dir
}

/// The lines about the ledger, numbers masked; what the machine is like differs between machines.
fn about_the_ledger(said: &str) -> String {
    let machine = ["disk ", "file system ", "sync ", "clock "];
    let lines = said.lines().filter(|line| {
        let name = line.get(9..).unwrap_or_default();
        !machine.iter().any(|machine| name.starts_with(machine)) && !line.starts_with("    ")
    });
    let mut masked = String::new();
    for line in lines.take_while(|line| !line.is_empty()) {
        let mut number = false;
        for letter in line.chars() {
            if !letter.is_ascii_digit() {
                masked.push(letter);
            } else if !number {
                masked.push('#');
            }
            number = letter.is_ascii_digit();
        }
        masked.push('\n');
    }
    masked
}

/// The last segment, and where its last byte lies that is not zero.
fn last_byte(data: &Path) -> (std::path::PathBuf, u64) {
    let path = data.join("log/00000000.seg");
    let bytes = fs::read(&path).unwrap();
    let last = bytes.iter().rposition(|byte| *byte != 0).unwrap();
    (path, u64::try_from(last).unwrap())
}

fn overwrite(path: &Path, at: u64, change: impl FnOnce(u8) -> u8) {
    let mut file = fs::File::options()
        .read(true)
        .write(true)
        .open(path)
        .unwrap();
    let mut byte = [0];
    file.seek(SeekFrom::Start(at)).unwrap();
    file.read_exact(&mut byte).unwrap();
    file.seek(SeekFrom::Start(at)).unwrap();
    file.write_all(&[change(byte[0])]).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ledger_that_is_well() {
    let dir = ledger().await;
    let before = fs::read_dir(dir.path()).unwrap().count();
    let output = doctor(dir.path(), &[]);
    let expected = "\
ok       versions     creditbank #.#.#, rules #, segments #, views #
ok       directory    there, and can be written
ok       lock         no server has the ledger open
ok       log          # records; segments #, # bytes on disk
ok       last records # from position # on: checksums, chains and commitments hold; earlier records, the rules and erasures are for `creditbank verify`
ok       views        closed, up to date with # records
";
    assert_eq!(
        about_the_ledger(&said(&output)),
        expected,
        "{}",
        said(&output)
    );
    assert!(output.status.code() == Some(0) || said(&output).contains("warning  "));
    assert_eq!(
        fs::read_dir(dir.path()).unwrap().count(),
        before,
        "nothing is left behind"
    );
    let json = doctor(dir.path(), &["--json"]);
    let json: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    let checks = json["checks"].as_array().unwrap();
    assert!(checks.len() >= 10, "{json}");
    let is_ok = |name| {
        checks
            .iter()
            .any(|check| check["name"] == name && check["state"] == "ok")
    };
    assert!(is_ok("directory") && is_ok("last records"), "{json}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_runs_is_asked() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path(), free_port()).await;
    server.register_institution("uni").await;
    let url = server.url();
    let output = said(&doctor(dir.path(), &["--server", &url]));
    assert!(
        output.contains("ok       lock         held by "),
        "{output}"
    );
    assert!(
        output.contains(&format!("ok       server       {url} answers, with ")),
        "{output}"
    );
    // Nobody listens there: the ledger is open, and its server somewhere else.
    let lost = doctor(dir.path(), &["--server", "http://127.0.0.1:1"]);
    assert!(said(&lost).contains("PROBLEM  server"), "{}", said(&lost));
    assert_eq!(lost.status.code(), Some(1));
    let http = doctor(dir.path(), &["--server", &url, "--http", "127.0.0.1:1"]);
    assert!(
        said(&http).contains("warning  health       no answer"),
        "{}",
        said(&http)
    );
    server.stop();
}

#[test]
fn a_directory_that_holds_no_ledger() {
    let dir = tempfile::tempdir().unwrap();
    for (data, words) in [
        (dir.path().join("nowhere"), "there is no directory"),
        (dir.path().to_owned(), "holds no ledger"),
    ] {
        let output = doctor(&data, &[]);
        assert!(
            said(&output).starts_with("PROBLEM  directory"),
            "{}",
            said(&output)
        );
        assert!(said(&output).contains(words), "{}", said(&output));
        assert!(said(&output).contains("--data"), "it says what to do");
        assert_eq!(output.status.code(), Some(1));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ledger_that_is_harmed_in_one_way_each() {
    let dir = ledger().await;
    let (path, last) = last_byte(dir.path());
    // The head mark is the last thing; a byte some way before lies in the last block with records.
    overwrite(&path, last - 250, |byte| byte ^ 1);
    let output = doctor(dir.path(), &[]);
    assert!(
        said(&output).contains("PROBLEM  last records"),
        "{}",
        said(&output)
    );
    assert!(
        said(&output).contains("creditbank verify"),
        "it says what to do"
    );
    assert_eq!(output.status.code(), Some(1));
    overwrite(&path, last - 250, |byte| byte ^ 1);
    assert!(said(&doctor(dir.path(), &[])).contains("ok       last records"));

    overwrite(&path, last + 9, |_| 7);
    let output = doctor(dir.path(), &[]);
    assert!(said(&output).contains("warning  log "), "{}", said(&output));
    assert!(said(&output).contains("torn tail"), "{}", said(&output));
    assert_eq!(output.status.code(), Some(1));
    overwrite(&path, last + 9, |_| 0);

    // What cannot be written: root may write anywhere, but not over a directory.
    fs::create_dir(dir.path().join("doctor.tmp")).unwrap();
    let output = doctor(dir.path(), &[]);
    assert!(
        said(&output).contains("PROBLEM  directory    cannot be written"),
        "{}",
        said(&output)
    );
    fs::remove_dir(dir.path().join("doctor.tmp")).unwrap();

    let short = doctor(dir.path(), &["--min-free-mib", "1000000000000"]);
    assert!(said(&short).contains("PROBLEM  disk"), "{}", said(&short));
    assert_eq!(short.status.code(), Some(1));
}
