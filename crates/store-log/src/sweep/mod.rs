//! Crash and error sweeps: stops a workload at every operation on files, and judges what is left.
//!
//! Apart from this crate's tests, behind the feature `testing`, so that the workspace's tests can run
//! the same sweeps with the real verifier as the judge and real events as the workload:
//!
//! ```text
//! let workload = Workload { dir, options, keys, steps: vec![Step::append(|head| block_after(head))] };
//! sweep::crashes(&workload, &|fs, dir| verify(fs, dir));
//! ```
//!
//! What must hold, whatever happens: acknowledged <= found <= attempted, where what is found is a prefix
//! of what was attempted; every record is as it was made, or erased if its erasure was attempted; every
//! key leads to its latest record; a restart needs no help; what one recovery served, no later crash
//! takes away; and the judge, who re-hashes every byte, agrees before and after recovery.

mod judge;
mod run;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;

use chain::{Block, Head, Position};
use durable::{Effect, Op, SimFs, Survivors};
use store::Keys;
use store::contract::{SampleKeys, block};

use crate::Options;
pub use judge::rehash;
use run::Run;

/// One thing that a workload does.
pub enum Step {
    /// Appends the block that the function makes after a head; the same one for the same head.
    Append(Box<dyn Fn(Head) -> Block + Send + Sync>),
    /// Marks the head, as after idle time.
    Mark,
    /// Does up to so many pieces of background work.
    Work(usize),
    /// Erases records through an earlier erasing record.
    Erase(Vec<Position>, Position),
    /// Closes the ledger and opens it again.
    Reopen,
}

impl Step {
    /// [`Step::Append`].
    pub fn append(make: impl Fn(Head) -> Block + Send + Sync + 'static) -> Self {
        Self::Append(Box::new(make))
    }
}

/// What is done while the faults strike.
pub struct Workload {
    /// Where the ledger is.
    pub dir: PathBuf,
    /// Small segments and tables, so that a short workload crosses all of their bounds.
    pub options: Options,
    /// The keys of the records.
    pub keys: Arc<dyn Keys>,
    /// From an empty file system on.
    pub steps: Vec<Step>,
}

/// Checks a data directory without writing to it: the head up to which everything holds, or what does
/// not. A torn tail holds.
pub type Judge<'a> = &'a (dyn Fn(&SimFs, &Path) -> Result<Head, String> + Sync);

/// How much a sweep covered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Summary {
    /// Operations of the workload when nothing fails.
    pub n_ops: usize,
    /// Runs that ended in a crash or met a failure.
    pub n_runs: usize,
}

/// Stops the machine at every operation that changes anything, with every kind of survival.
///
/// # Panics
/// When anything that must hold does not.
pub fn crashes(workload: &Workload, judge: Judge<'_>) -> Summary {
    let log = without_faults(workload, judge);
    let ops = (0..log.len()).filter(|op| log[*op] != Op::Read).collect();
    let n_runs = on_two_threads(ops, |op| {
        let mut run = Run::new(workload, judge, SimFs::new(), format!("crash at {op}"));
        run.fs.crash_at(op);
        run.drive();
        assert!(run.fs.crashed(), "operation {op} is reached");
        for survivors in Survivors::EVERY {
            let note = format!("crash at {op} {:?}, {survivors:?} survives", log[op]);
            let mut after = run.after(run.fs.after_crash(survivors), note);
            after.check();
            after.drive();
            after.check_all_done(&[after.fs.after_crash(Survivors::None)]);
        }
        Survivors::EVERY.len()
    });
    Summary {
        n_ops: log.len(),
        n_runs,
    }
}

/// Fails every operation once, with its effect absent and present; the caller restarts and goes on.
///
/// # Panics
/// When anything that must hold does not.
pub fn errors(workload: &Workload, judge: Judge<'_>) -> Summary {
    let log = without_faults(workload, judge);
    let n_runs = on_two_threads((0..log.len()).collect(), |op| {
        let effects = match log[op] {
            Op::Read => &[Effect::Absent][..],
            _ => &[Effect::Absent, Effect::Present][..],
        };
        for effect in effects {
            let note = format!("operation {op} {:?} fails, its effect {effect:?}", log[op]);
            let mut run = Run::new(workload, judge, SimFs::new(), note);
            run.fs.fail(op, *effect);
            run.drive();
            run.check_all_done(&[run.fs.after_kill(), run.fs.after_crash(Survivors::None)]);
        }
        effects.len()
    });
    Summary {
        n_ops: log.len(),
        n_runs,
    }
}

/// Crashes again and again, also during recovery, at operations drawn from the seed.
///
/// # Panics
/// When anything that must hold does not.
pub fn cycles(workload: &Workload, judge: Judge<'_>, seeds: std::ops::Range<u64>) -> Summary {
    let n_ops = without_faults(workload, judge).len();
    let n_runs = on_two_threads(seeds.collect(), |seed| {
        let mut n_runs = 0;
        let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        let mut run = Run::new(workload, judge, SimFs::new(), format!("seed {seed}"));
        for cycle in 0..12 {
            // Mostly soon, so that recovery itself is hit.
            let op = if random.below(2) == 0 {
                random.below(40)
            } else {
                random.below(n_ops)
            };
            run.fs.crash_at(op);
            run.drive();
            if !run.fs.crashed() {
                break;
            }
            n_runs += 1;
            let survivors = Survivors::EVERY[random.below(Survivors::EVERY.len())];
            let fs = run.fs.after_crash(survivors);
            run = run.after(
                fs,
                format!("seed {seed}, cycle {cycle}, {op}, {survivors:?}"),
            );
        }
        run.fs = run.fs.after_kill();
        run.drive();
        run.check_all_done(&[run.fs.after_kill(), run.fs.after_crash(Survivors::None)]);
        n_runs
    });
    Summary { n_ops, n_runs }
}

/// The kinds of all operations of the workload; checks that it succeeds at all.
fn without_faults(workload: &Workload, judge: Judge<'_>) -> Vec<Op> {
    let mut run = Run::new(workload, judge, SimFs::new(), "no fault".to_owned());
    run.drive();
    let log = run.fs.log();
    run.check_all_done(&[run.fs.after_kill(), run.fs.after_crash(Survivors::None)]);
    log
}

/// A workload that crosses segments, spills and merges keys, marks, erases and restarts.
pub fn sample_workload() -> Workload {
    let options = Options {
        segment_bytes: 4096,
        memtable_keys_max: 12,
        filter_cache_bytes: 4096,
        ..Options::small()
    };
    let mut steps = Vec::new();
    for round in 0..14_u64 {
        let body_len = match round {
            // Whole sectors of body: a crash may lose them and spare all that the checksum covers.
            4 => 1700,
            8 => 2100,
            _ => 20 + length_of(round * 131 % 500),
        };
        let names: Vec<u64> = (0..=round % 4).map(|i| (round * 5 + i) % 23).collect();
        steps.push(Step::append(move |head| block(head, &names, body_len)));
        match round {
            2 | 7 | 8 => steps.push(Step::Mark),
            4 | 9 | 12 => steps.push(Step::Work(9)),
            5 => steps.push(Step::Erase([1, 3].map(Position).to_vec(), Position(11))),
            6 => steps.push(Step::Reopen),
            10 => steps.push(Step::Erase([4, 5, 12].map(Position).to_vec(), Position(18))),
            _ => {}
        }
    }
    let (dir, keys) = (PathBuf::from("/data/ledger"), Arc::new(SampleKeys));
    Workload {
        dir,
        options,
        keys,
        steps,
    }
}

/// Runs the cases on both cores of a small machine; the sum of what they return.
fn on_two_threads<T: Copy + Send + Sync>(cases: Vec<T>, run: impl Fn(T) -> usize + Sync) -> usize {
    let half = |start| {
        let (run, cases) = (&run, &cases);
        move || {
            cases
                .iter()
                .skip(start)
                .step_by(2)
                .map(|case| run(*case))
                .sum::<usize>()
        }
    };
    thread::scope(|scope| {
        let other = scope.spawn(half(1));
        let sum = half(0)();
        // A panic there is the failed check itself, which has printed what it found.
        sum + other
            .join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

fn length_of(n: u64) -> usize {
    crate::width::length(n)
}

/// Numbers that only look random: xorshift64*, for choosing where to crash.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        length_of(
            (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % crate::width::offset(bound.max(1)),
        )
    }
}
