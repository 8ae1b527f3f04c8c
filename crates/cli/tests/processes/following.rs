//! `log follow` and `watch` as somebody leaves them running: through a server that is killed and started
//! again, and started anew from where they were.

use std::io::{BufRead, BufReader, Lines};
use std::process::{Child, ChildStdout, Command, Stdio};

use serde_json::Value;

use crate::running::{CREDITBANK, Server, free_port, verify};

/// A program that follows something, and its output.
struct Following {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Following {
    fn start(server: &Server, args: &[&str]) -> Following {
        let mut child = Command::new(CREDITBANK)
            .args(["--server", &server.url(), "--json"])
            .args(args)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Following { child, lines }
    }

    fn next(&mut self) -> Value {
        serde_json::from_str(&self.lines.next().unwrap().unwrap()).unwrap()
    }

    /// As Ctrl-C does.
    fn stop(mut self) {
        let pid = self.child.id().to_string();
        let told = Command::new("kill").args(["-INT", &pid]).status();
        assert!(told.unwrap().success());
        assert!(self.child.wait().unwrap().success(), "it ends cleanly");
    }
}

/// Registers a learner, or has a record made about them.
fn submit(server: &Server, record_id: &str) {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("one.jsonl");
    let line = format!(
        r#"{{"record_id":"{record_id}","learner":{{"student":{{"number":"S1"}}}},"type":"Course","code":"{record_id}","titles":[{{"value":"A course"}}],"awarded":"2025-06-30"}}"#
    );
    std::fs::write(&file, line).unwrap();
    let output = server.run(&["submit", file.to_str().unwrap(), "--institution", "uni"]);
    assert!(output.status.success(), "{output:?}");
}

fn positions(output: &[u8]) -> Vec<u64> {
    let text = String::from_utf8(output.to_vec()).unwrap();
    let position = |line| serde_json::from_str::<Value>(line).unwrap()["position"].as_u64();
    text.lines().map(|line| position(line).unwrap()).collect()
}

#[tokio::test]
async fn what_is_followed_goes_on_through_a_killed_server() {
    let dir = tempfile::tempdir().unwrap();
    let port = free_port();
    let server = Server::start(dir.path(), port).await;
    server.register_institution("uni").await;
    let registered = server.run(&["learner", "register", "--student", "uni:S1"]);
    assert!(registered.status.success(), "{registered:?}");
    submit(&server, "a");
    let size = server.try_head().await.unwrap().size;
    let mut log = Following::start(&server, &["log", "follow"]);
    let mut watch = Following::start(&server, &["watch", "--student", "uni:S1"]);
    for position in 0..size {
        assert_eq!(log.next()["position"], position);
    }
    let first = watch.next();
    let kinds = |answer: &Value| -> Vec<String> {
        let entries = answer["entries"].as_array().unwrap().iter();
        entries
            .map(|it| it["kind"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(kinds(&first), ["registered", "linked", "recorded"]);
    server.kill();
    let server = Server::start(dir.path(), port).await;
    submit(&server, "b");
    let leaf = log.next();
    assert_eq!(
        (&leaf["position"], &leaf["kind"]),
        (&size.into(), &"achievement_recorded".into())
    );
    assert_eq!(kinds(&watch.next()), ["recorded"]);
    log.stop();
    watch.stop();

    // Started again from where it was: only what came since.
    submit(&server, "c");
    let token = first["resume_token"].as_str().unwrap();
    let mut watch = Following::start(
        &server,
        &["watch", "--student", "uni:S1", "--resume", token],
    );
    assert_eq!(kinds(&watch.next()), ["recorded", "recorded"]);
    watch.stop();
    let from = (size + 1).to_string();
    let rest = server.run(&["log", "follow", "--from", &from, "--until-head", "--json"]);
    assert_eq!(positions(&rest.stdout), [size + 1]);
    let filtered = [
        "log",
        "follow",
        "--until-head",
        "--json",
        "--kind",
        "achievement-recorded",
    ];
    let filtered = server.run(&filtered);
    assert_eq!(positions(&filtered.stdout), [size - 1, size, size + 1]);
    let shown = server.run(&["log", "follow", "--from", &from, "--until-head"]);
    let shown = String::from_utf8(shown.stdout).unwrap();
    assert!(shown.contains("achievement_recorded"), "{shown}");
    let past = server.run(&["log", "follow", "--from", "1000000"]);
    assert_eq!(past.status.code(), Some(1));
    let bare = server.run(&["log", "follow", "--bodies"]);
    assert_eq!(bare.status.code(), Some(2));
    server.stop();
    verify(dir.path());
}
