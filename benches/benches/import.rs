//! Importing a registrar's CSV with the program `creditbank`, beside `creditbank submit` of the same records
//! as JSON Lines and beside batches from a program that does nothing but send.
//!
//! Apart from the service because here the cost of reading, mapping and writing receipts is what is asked
//! for. The program must have been built, in the same profile: `cargo build --release -p creditbank-cli`,
//! then `cargo bench -p creditbank-benches --bench import -- --size N` for N thousand rows.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    reason = "a benchmark prints figures for people, and stops when anything fails"
)]

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use creditbank_benches::child::{Server, Serves, serve_if_asked};
use creditbank_benches::figures::{Line, Load, Run, argument, print_ratio};
use creditbank_benches::load::{Callers, achievement, student};
use creditbank_benches::timed;

const MAPPING: &str = r#"[record]
record_id = "{record_id}"
type = "Course"
code = "{code}"
offering = "{term}"
attempt = "1"
origin = "earned"
delivery = "online"
awarded = "{awarded}"

[record.size]
amount = "{credits}"
unit = "ects"

[[record.titles]]
value = "{title}"
language = "en"

[learner]
student = { number = "{student}" }
"#;

fn main() {
    serve_if_asked();
    let size = argument("--size", 100);
    let (rows, learners) = (size * 1_000, size * 50);
    let runs = if size == 1 { 1 } else { 3 };
    let Some(program) = program() else {
        println!("skipped: import, because the program creditbank is not built in this profile");
        return;
    };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let home = tempfile::tempdir().unwrap();
    let mut server = Server::start(Serves::Bank, &home.path().join("bank"));
    let callers = runtime.block_on(async {
        let callers = Callers::connect(server.url(), 4).await;
        callers.register_institution().await;
        callers.register(4, 0, learners).await;
        callers
    });
    std::fs::write(home.path().join("mapping.toml"), MAPPING).unwrap();

    let mut import = Line::new("creditbank import, CSV");
    let mut submit = Line::new("creditbank submit, JSON Lines");
    let mut batches = Line::new("batches of 500, 4 at a time");
    for run in 0..runs {
        let from = learners + run * 3 * rows;
        let csv = write_csv(home.path(), from, rows, learners);
        let mapping = home.path().join("mapping.toml");
        let arguments = ["import", "--mapping", mapping.to_str().unwrap()];
        let call = |arguments: &[&str], file: &Path| program_run(&program, arguments, file, rows);
        measured(&mut server, &mut import, |url| {
            call(&with_server(&arguments, url), &csv)
        });
        let lines = write_lines(home.path(), from + rows, rows, learners);
        measured(&mut server, &mut submit, |url| {
            call(&with_server(&["submit"], url), &lines)
        });
        let which = from + 2 * rows..from + 3 * rows;
        measured(&mut server, &mut batches, |_| {
            runtime.block_on(callers.batches(4, which.clone(), learners))
        });
    }
    println!("{rows} rows, {learners} learners; the server's processor time; median of {runs}");
    Line::print_head("importing (records)");
    [&import, &submit, &batches]
        .iter()
        .for_each(|line| line.print());
    print_ratio(&import, &submit);
    print_ratio(&import, &batches);
    server.stop();
}

fn with_server<'a>(arguments: &[&'a str], url: &'a str) -> Vec<&'a str> {
    [arguments, &["--institution", "uni", "--server", url]].concat()
}

/// The program beside this one, unless it is older than imports.
fn program() -> Option<PathBuf> {
    let this = std::env::current_exe().unwrap();
    let program = this.parent()?.parent()?.join("creditbank");
    let help = Command::new(&program)
        .args(["import", "--help"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    help.is_ok_and(|status| status.success()).then_some(program)
}

fn program_run(program: &Path, arguments: &[&str], file: &Path, rows: u64) -> Load {
    let mut command = Command::new(program);
    command.arg(arguments[0]).arg(file).args(&arguments[1..]);
    let (output, time) = timed(|| command.stdout(Stdio::null()).output());
    let output = output.unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    Load::new(rows, time, vec![])
}

fn measured(server: &mut Server, line: &mut Line, work: impl Fn(&str) -> Load) {
    let (syncs, cpu) = (server.told().syncs, server.cpu());
    let url = server.url().to_owned();
    let load = work(&url);
    line.runs.push(Run {
        load,
        syncs: Some(server.told().syncs - syncs),
        cpu: Some(server.cpu() - cpu),
    });
}

fn number(n: u64, learners: u64) -> String {
    student(n.wrapping_mul(7_919) % learners).number
}

fn write_csv(home: &Path, from: u64, rows: u64, learners: u64) -> PathBuf {
    let mut csv = String::from("record_id,student,code,term,title,credits,awarded\n");
    for n in from..from + rows {
        let a = achievement(n, learners);
        let (title, credits) = (&a.titles[0].value, &a.size.unwrap().amount);
        let student = number(n, learners);
        let (id, code, term, awarded) = (a.record_id, a.code, a.offering, a.awarded);
        let _ = writeln!(
            csv,
            "{id},{student},{code},{term},{title},{credits},{awarded}"
        );
    }
    let path = home.join("results.csv");
    std::fs::write(&path, csv).unwrap();
    path
}

fn write_lines(home: &Path, from: u64, rows: u64, learners: u64) -> PathBuf {
    let mut lines = String::new();
    for n in from..from + rows {
        let a = achievement(n, learners);
        let student = number(n, learners);
        let (id, code, term, awarded) = (a.record_id, a.code, a.offering, a.awarded);
        let _ = writeln!(
            lines,
            "{{\"record_id\":\"{id}\",\"learner\":{{\"student\":{{\"number\":\"{student}\"}}}},\"type\":\"Course\",\
             \"code\":\"{code}\",\"titles\":[{{\"value\":\"{}\",\"language\":\"en\"}}],\
             \"size\":{{\"amount\":\"3\",\"unit\":\"ects\"}},\"delivery\":\"online\",\"origin\":\"earned\",\
             \"offering\":\"{term}\",\"attempt\":1,\"awarded\":\"{awarded}\"}}",
            a.titles[0].value
        );
    }
    let path = home.join("results.jsonl");
    std::fs::write(&path, lines).unwrap();
    path
}
