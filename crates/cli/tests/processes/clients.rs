//! The examples of `docs/clients` in Python and TypeScript, built as their READMEs say and run against a live
//! server: by gRPC and, in TypeScript, again by gRPC-Web.
//!
//! Apart from the other tests because they need what a fresh machine may not have: an interpreter and a
//! package registry. Without them a test says in one line what it skipped. Everything is installed below
//! `target/`, and kept there for as long as the pinned versions are the same.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::running::{Server, free_port};

/// A copy of `proto` and of one example, with the same paths between them as in the source tree, so that the
/// example's own commands run as they stand.
struct Workshop {
    root: PathBuf,
    dir: PathBuf,
}

impl Workshop {
    /// Copies the example `name`; what was installed there before stays.
    fn of(name: &str) -> Workshop {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        let below = Path::new("docs/clients").join(name);
        let dir = root.join(&below);
        let proto = copy(&source.join("proto"), &root.join("proto"));
        let example = copy(&source.join(&below), &dir);
        let workshop = Workshop { root, dir };
        if (proto || example) && workshop.built().exists() {
            std::fs::remove_file(workshop.built()).unwrap();
        }
        workshop
    }

    /// The mark that the code has been generated from what is here now.
    fn built(&self) -> PathBuf {
        self.root.join("built")
    }

    /// Generates and compiles, unless that has been done.
    fn build(&self, program: &Path, args: &[&str]) {
        if !self.built().exists() {
            self.run(program, args).unwrap();
            std::fs::write(self.built(), "").unwrap();
        }
    }

    fn run(&self, program: &Path, args: &[&str]) -> Result<Output, String> {
        let mut command = Command::new(program);
        command.args(args).current_dir(&self.dir);
        let said = |text: String| format!("{} {}: {text}", program.display(), args.join(" "));
        let output = command.output().map_err(|error| said(error.to_string()))?;
        if output.status.success() {
            return Ok(output);
        }
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Err(said(text(&output.stdout) + &text(&output.stderr)))
    }

    /// Installs what `pins` says, unless that has been done and `program` still runs. The mark is written
    /// last.
    fn install(&self, program: &Path, pins: &str, steps: &[(&str, &[&str])]) -> Result<(), String> {
        let mark = self.root.join("installed");
        let pinned = std::fs::read_to_string(self.dir.join(pins)).unwrap();
        let done = std::fs::read_to_string(&mark).is_ok_and(|done| done == pinned);
        if done && self.run(program, &["--version"]).is_ok() {
            return Ok(());
        }
        for (program, args) in steps {
            self.run(Path::new(program), args)?;
        }
        std::fs::write(mark, pinned).unwrap();
        Ok(())
    }

    /// What the example prints, and on what it ends.
    fn example(&self, program: &Path, args: &[&str]) -> (String, String, Option<i32>) {
        let output = Command::new(program)
            .args(args)
            .current_dir(&self.dir)
            .env("PYTHONPATH", "gen")
            .output()
            .unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (
            text(output.stdout),
            text(output.stderr),
            output.status.code(),
        )
    }
}

/// Copies the files below a directory that git would have there; says whether any was another.
fn copy(from: &Path, to: &Path) -> bool {
    std::fs::create_dir_all(to).unwrap();
    let mut changed = false;
    for entry in std::fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap();
        let target = to.join(name);
        if path.is_dir() {
            let made = ["node_modules", "gen", "dist", "venv"];
            if !made.contains(&name.to_str().unwrap()) {
                changed |= copy(&path, &target);
            }
            continue;
        }
        let content = std::fs::read(&path).unwrap();
        if !std::fs::read(&target).is_ok_and(|there| there == content) {
            std::fs::write(&target, content).unwrap();
            changed = true;
        }
    }
    changed
}

/// Says in one line what is not tried, and why.
fn skip(example: &str, why: &str) {
    // Of all that npm may complain of, these are mistakes of ours.
    let ours = ["EUSAGE", "EJSONPARSE", "EINTEGRITY", "ERESOLVE"];
    assert!(!ours.iter().any(|code| why.contains(code)), "{why}");
    let mut lines = why.lines();
    let line = lines.find(|line| line.to_lowercase().contains("error"));
    let line = line.unwrap_or(why);
    eprintln!("skipped the {example} example, which cannot be installed: {line}");
}

/// A server with the institution and the learner of the examples.
async fn school(home: &Path) -> Server {
    let server = Server::start(&home.join("store"), free_port()).await;
    server.register_institution("my-school").await;
    let (student, name) = ("my-school:S-1", "Ada Example@en");
    let registered = server.run(&["learner", "register", "--student", student, "--name", name]);
    assert!(registered.status.success());
    server
}

/// Runs an example three times: new, again, and with other content under the same record id.
fn tell(run: impl Fn(&str) -> (String, String, Option<i32>), held: &str) {
    let (first, errors, code) = run("3");
    assert_eq!((errors.as_str(), code), ("", Some(0)), "{first}");
    let position = first.split_whitespace().nth(3).expect("its fourth word");
    let state = first.split_whitespace().next().expect("its first word");
    assert!(state.ends_with("RECORDED"), "{first}");
    assert!(
        first.ends_with(&format!("position {position}\nbalance {held} ects\n")),
        "{first}"
    );
    let (again, _, _) = run("3");
    let already = state.replace("RECORDED", "ALREADY_RECORDED");
    assert_eq!(again, first.replacen(state, &already, 1));
    let (other, errors, code) = run("4");
    assert_eq!((other.as_str(), code), ("", Some(1)));
    let said = errors.split(" exists at").next().unwrap_or_default();
    assert!(said.starts_with("RECORD_ID_REUSED: record "), "{errors}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_python_example_does_what_it_says() {
    let workshop = Workshop::of("python");
    let pip = workshop.dir.join("venv/bin/pip");
    let python = workshop.dir.join("venv/bin/python");
    let install: [(&str, &[&str]); 2] = [
        ("python3", &["-m", "venv", "--clear", "venv"]),
        (
            pip.to_str().unwrap(),
            &["install", "--quiet", "--retries=1", "-rrequirements.txt"],
        ),
    ];
    if let Err(why) = workshop.install(&python, "requirements.txt", &install) {
        skip("Python", &why);
        return;
    }
    std::fs::create_dir_all(workshop.dir.join("gen")).unwrap();
    let mut generate: Vec<String> = ["-m", "grpc_tools.protoc", "-I../../../proto"]
        .map(str::to_owned)
        .to_vec();
    generate.extend(["--python_out=gen", "--grpc_python_out=gen"].map(str::to_owned));
    for entry in std::fs::read_dir(workshop.root.join("proto/creditbank/v1")).unwrap() {
        let name = entry.unwrap().file_name();
        let name = name.to_str().unwrap();
        generate.push(format!("../../../proto/creditbank/v1/{name}"));
    }
    let words: Vec<&str> = generate.iter().map(String::as_str).collect();
    workshop.build(&python, &words);

    let home = tempfile::tempdir().unwrap();
    let server = school(home.path()).await;
    let address = server.url().replace("http://", "");
    tell(
        |amount| workshop.example(&python, &["submit.py", &address, amount]),
        "3",
    );
    server.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_typescript_example_does_what_it_says_by_grpc_and_by_grpc_web() {
    let workshop = Workshop::of("typescript");
    let install: [(&str, &[&str]); 2] = [
        ("node", &["--version"]),
        (
            "npm",
            &[
                "install",
                "--no-save",
                "--ignore-scripts",
                "--fetch-retries=1",
            ],
        ),
    ];
    if let Err(why) = workshop.install(Path::new("node"), "package-lock.json", &install) {
        skip("TypeScript", &why);
        return;
    }
    workshop.build(Path::new("npm"), &["run", "build"]);
    for protocol in ["grpc", "web"] {
        let home = tempfile::tempdir().unwrap();
        let server = school(home.path()).await;
        let url = server.url();
        let run = |amount: &str| {
            let args = ["dist/submit.js", &url, protocol, amount];
            workshop.example(Path::new("node"), &args)
        };
        tell(run, "3");
        server.stop();
    }
}
