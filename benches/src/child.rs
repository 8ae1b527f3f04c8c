//! Servers of the benchmarks as processes of their own, so that memory, processor time and syncs are
//! theirs alone, and so that they can be killed.
//!
//! Apart from what they serve because the talk with them is the same: the benchmark starts itself again
//! with `--serve`, reads the address from the child's output, and asks for figures through its input.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::str::FromStr;
use std::time::{Duration, Instant};

use tokio::runtime::Runtime;

use crate::raw_log::RawLog;

/// What a child serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Serves {
    /// The credit bank, with the settings that it has by default.
    Bank,
    /// A log behind the same calls, which decides nothing.
    RawLog,
}

/// A running child. Dropping it kills it.
pub struct Server {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    url: String,
    started_in: Duration,
}

/// What a server knows of itself.
#[derive(Debug, Clone, Copy)]
pub struct Told {
    /// fdatasync of the log and its index since the start; the views' are not counted.
    pub syncs: u64,
    /// Records that are durable.
    pub size: u64,
    /// Records that the views reflect.
    pub applied: u64,
}

/// Memory of a process in bytes.
#[derive(Debug, Clone, Copy)]
pub struct Memory {
    /// Resident now.
    pub now: u64,
    /// Resident at most.
    pub peak: u64,
}

impl Server {
    /// Starts a child on a directory and returns when it listens.
    ///
    /// # Panics
    /// When it does not come up.
    #[must_use]
    pub fn start(serves: Serves, dir: &Path) -> Server {
        let since = Instant::now();
        let name = match serves {
            Serves::Bank => "bank",
            Serves::RawLog => "raw-log",
        };
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--serve", name])
            .arg(dir)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let input = child.stdin.take().unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let address = line(&mut output);
        assert!(!address.is_empty(), "the server does not come up");
        Server {
            child,
            input,
            output,
            url: format!("http://{address}"),
            started_in: since.elapsed(),
        }
    }

    /// Where it listens.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// From starting the process to listening.
    #[must_use]
    pub fn started_in(&self) -> Duration {
        self.started_in
    }

    /// Asks it for its figures.
    pub fn told(&mut self) -> Told {
        writeln!(self.input, "figures").unwrap();
        let answer = line(&mut self.output);
        let mut numbers = answer.split(' ').map(|number| number.parse().unwrap());
        let mut next = || numbers.next().unwrap();
        Told {
            syncs: next(),
            size: next(),
            applied: next(),
        }
    }

    /// Its memory.
    #[must_use]
    pub fn memory(&self) -> Memory {
        let status = std::fs::read_to_string(self.proc("status")).unwrap();
        let kib = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            let number = line.unwrap().trim().trim_end_matches(" kB");
            u64::from_str(number).unwrap() * 1024
        };
        Memory {
            now: kib("VmRSS:"),
            peak: kib("VmHWM:"),
        }
    }

    /// Processor time that it has used.
    #[must_use]
    pub fn cpu(&self) -> Duration {
        cpu_of(&self.proc("stat"))
    }

    /// Stops it cleanly; how long that took.
    pub fn stop(mut self) -> Duration {
        let since = Instant::now();
        writeln!(self.input, "stop").unwrap();
        assert!(self.child.wait().unwrap().success());
        since.elapsed()
    }

    /// Kills it (SIGKILL), as a crash would.
    pub fn kill(self) {
        drop(self);
    }

    fn proc(&self, file: &str) -> String {
        format!("/proc/{}/{file}", self.child.id())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // After a clean stop there is nothing to kill.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Processor time of this process.
#[must_use]
pub fn own_cpu() -> Duration {
    cpu_of("/proc/self/stat")
}

fn cpu_of(path: &str) -> Duration {
    let stat = std::fs::read_to_string(path).unwrap();
    // The name of the program may hold spaces, and ends with the last bracket.
    let fields = stat.rsplit(')').next().unwrap();
    let ticks: u64 = fields
        .split_whitespace()
        .skip(11)
        .take(2)
        .map(|ticks| u64::from_str(ticks).unwrap())
        .sum();
    // Linux counts in hundredths of a second for programs, whatever its own clock.
    Duration::from_millis(ticks * 10)
}

fn line(from: &mut impl std::io::BufRead) -> String {
    let mut line = String::new();
    from.read_line(&mut line).unwrap();
    line.trim_end().to_owned()
}

/// In a child that was started by [`Server::start`]: serves, and does not return. Every benchmark calls
/// it first.
pub fn serve_if_asked() {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, flag, serves, dir] = arguments.as_slice() else {
        return;
    };
    if flag != "--serve" {
        return;
    }
    let runtime = Runtime::new().unwrap();
    let dir = Path::new(dir);
    match serves.as_str() {
        "bank" => {
            let config = server::Config {
                listen: "127.0.0.1:0".parse().unwrap(),
                data_dir: dir.to_owned(),
                http: server::config::Http::off(),
                ..server::Config::default()
            };
            let bank = runtime.block_on(server::start(config)).unwrap();
            answer(&bank.local_addr().to_string(), || {
                let size = runtime.block_on(bank.size()).unwrap();
                (size, bank.applied())
            });
            runtime.block_on(bank.stop());
        }
        "raw-log" => {
            let log = runtime.block_on(RawLog::start(dir));
            answer(&log.local_addr().to_string(), || {
                let size = runtime.block_on(log.size());
                (size, size)
            });
        }
        other => panic!("nothing to serve: {other}"),
    }
    std::process::exit(0);
}

/// Answers the benchmark until it says "stop", or is gone.
fn answer(address: &str, size_and_applied: impl Fn() -> (u64, u64)) {
    println!("{address}");
    for request in std::io::stdin().lock().lines() {
        if request.unwrap() != "figures" {
            return;
        }
        let (size, applied) = size_and_applied();
        println!("{} {size} {applied}", durable::syncs());
    }
}
