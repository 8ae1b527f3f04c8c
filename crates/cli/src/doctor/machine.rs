//! The machine under a ledger: room, kind of file system, how long a sync takes, the clock.
//!
//! Apart from the ledger's own checks because here the advice is about the machine. What is judged is apart
//! from what is measured, so that every verdict can be tried.

use std::io;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use durable::{File, FileSystem, Fs, Mode, OsFs, Space};

use super::check::Check;

/// The file that is written to time the disk.
const PROBE: &str = "doctor.tmp";
/// How often it is written and synced.
const SYNCS: usize = 200;
/// How long that may take in all.
const PROBE_TIME_MAX: Duration = Duration::from_secs(3);
/// Bytes of each write: a small block.
const PROBE_BYTES: usize = 4096;
/// Below, no disk has been waited for.
const TOO_FAST: Duration = Duration::from_micros(8);
/// Days for which there should be room.
const DAYS_MIN: u64 = 30;
/// Least time over which growth is told from.
const RATE_HOURS_MIN: u64 = 24;
/// How far a record may be ahead of the clock: clocks differ.
const AHEAD_MAX: Duration = Duration::from_secs(5);

const MIB: u64 = 1 << 20;

/// Bytes that were added over a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Growth {
    pub(super) bytes: u64,
    pub(super) over: Duration,
}

/// The room that is left.
pub(super) fn room(space: Space, min_free_mib: u64, growth: Option<Growth>) -> Check {
    let name = "disk";
    let free = space.available / MIB;
    let found = format!("{free} MiB of {} MiB are free", space.total / MIB);
    let days = growth.and_then(|growth| days_left(space.available, growth));
    let found = match days {
        Some(days) => format!("{found}, {days} days at the rate of the last records"),
        None => found,
    };
    if free < min_free_mib {
        let advice = format!(
            "make room: fewer than {min_free_mib} MiB are free; when none are left, records are refused until \
             there are"
        );
        return match free < min_free_mib / 8 {
            true => Check::problem(name, found, advice),
            false => Check::warning(name, found, advice),
        };
    }
    match days {
        Some(days) if days < DAYS_MIN => {
            let advice = "plan for a larger disk, or move the ledger: stop the server, copy the directory, \
                          verify the copy, serve that";
            Check::warning(name, found, advice)
        }
        _ => Check::ok(name, found),
    }
}

fn days_left(available: u64, growth: Growth) -> Option<u64> {
    let hours = growth.over.as_secs() / 3600;
    if hours < RATE_HOURS_MIN || growth.bytes == 0 {
        return None;
    }
    let per_day = growth.bytes.saturating_mul(24) / hours;
    Some(available / per_day.max(1))
}

/// Whether a sync is worth anything there.
pub(super) fn file_system(kind: FileSystem) -> Check {
    let name = "file system";
    match kind {
        FileSystem::Local(word) => Check::ok(name, word),
        FileSystem::Other(magic) => {
            Check::ok(name, format!("one that is not known here ({magic:x})"))
        }
        FileSystem::Memory => Check::warning(
            name,
            "in memory",
            "move the ledger to a disk: here it is gone when the machine restarts",
        ),
        FileSystem::Layer => Check::warning(
            name,
            "a layer of a container",
            "put the ledger on a volume: the layer goes with the container",
        ),
        FileSystem::Remote(word) => Check::warning(
            name,
            format!("{word}: handed through by another machine or program"),
            "use a local disk, or make sure that whoever serves this one waits for its disk at every sync: \
             otherwise a loss of power there loses records that were acknowledged here",
        ),
    }
}

/// How long writes with their sync took, shortest first.
pub(super) struct Syncs(Vec<Duration>);

impl Syncs {
    /// Writes and syncs a small file in the directory, and removes it.
    pub(super) fn measure(dir: &Path) -> io::Result<Self> {
        let path = dir.join(PROBE);
        match OsFs.remove(&path) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
            _ => {}
        }
        let file = OsFs.open(&path, Mode::Create)?;
        let measured = Self::of(&file);
        drop(file);
        OsFs.remove(&path)?;
        measured
    }

    fn of(file: &impl File) -> io::Result<Self> {
        let bytes = [0x5a; PROBE_BYTES];
        // The first makes the file; later ones overwrite, as a log does in a segment made ahead of time.
        file.write_all_at(&bytes, 0)?;
        file.sync_data()?;
        let mut took = Vec::with_capacity(SYNCS);
        let begun = Instant::now();
        while took.len() < SYNCS && begun.elapsed() < PROBE_TIME_MAX {
            let started = Instant::now();
            file.write_all_at(&bytes, 0)?;
            file.sync_data()?;
            took.push(started.elapsed());
        }
        took.sort();
        Ok(Syncs(took))
    }

    /// The one that so many of a hundred are no longer than.
    fn percentile(&self, percent: usize) -> Duration {
        let index = self.0.len().saturating_sub(1) * percent / 100;
        self.0.get(index).copied().unwrap_or_default()
    }

    /// Compared with what is usual.
    pub(super) fn check(&self, slow_ms: u64) -> Check {
        let name = "sync";
        let (median, p99) = (self.percentile(50), self.percentile(99));
        let found = format!(
            "a write with its sync takes {median:.1?}, one in a hundred {p99:.1?} or more; usual are 0.1 to 5 \
             ms"
        );
        if median > Duration::from_millis(slow_ms) {
            let advice = "every commit waits so long: look for other work on this disk, or take a faster one \
                          (an SSD with power-loss protection syncs in well under a millisecond)";
            return Check::warning(name, found, advice);
        }
        if median < TOO_FAST {
            let advice = "no disk is that fast: something acknowledges syncs without carrying them out (a \
                          virtual disk with an unsafe cache, a file system mounted without barriers); turn \
                          that off, or a loss of power loses acknowledged records";
            return Check::warning(name, found, advice);
        }
        Check::ok(name, found)
    }
}

/// Whether the machine keeps its clock right by the network; `None` when it does not say.
pub(super) async fn is_synchronised() -> Option<bool> {
    let asked = tokio::process::Command::new("timedatectl")
        .args(["show", "--property=NTPSynchronized", "--value"])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = tokio::time::timeout(Duration::from_secs(2), asked).await;
    let output = output.ok()?.ok()?;
    match output.stdout.trim_ascii() {
        b"yes" => Some(true),
        b"no" => Some(false),
        _ => None,
    }
}

/// The clock, against the last record and against the network. Both times in microseconds since 1970.
pub(super) fn clock(now: u64, last: Option<u64>, synchronised: Option<bool>) -> Check {
    let name = "clock";
    let ahead = last.map_or(0, |last| last.saturating_sub(now));
    let ahead = Duration::from_micros(ahead);
    if ahead > AHEAD_MAX {
        let found = format!(
            "the last record is dated {} ahead of this machine's clock",
            long(ahead)
        );
        let advice = "put the clock right if it is behind; if it was ahead when that was recorded, new records \
                      carry that date until the clock gets there";
        return Check::problem(name, found, advice);
    }
    let since = last.map(|last| Duration::from_micros(now.saturating_sub(last)));
    let found = match since {
        Some(since) => format!("the last record is {} old", long(since)),
        None => "no record to compare it with was read".to_owned(),
    };
    match synchronised {
        Some(true) => Check::ok(
            name,
            format!("{found}; the clock is kept right by the network"),
        ),
        None => Check::ok(
            name,
            format!("{found}; whether the network keeps it right is not known"),
        ),
        Some(false) => Check::warning(
            name,
            format!("{found}; the clock is not kept right by the network"),
            "turn on time synchronisation (`timedatectl set-ntp true`, or chrony): dates of records come from \
             this clock",
        ),
    }
}

/// A time in the one unit that a person would say it in.
fn long(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0..120 => format!("{seconds} seconds"),
        120..7_200 => format!("{} minutes", seconds / 60),
        7_200..172_800 => format!("{} hours", seconds / 3600),
        _ => format!("{} days", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::super::check::State;
    use super::*;

    fn space(free_mib: u64) -> Space {
        Space {
            available: free_mib * MIB,
            total: 100_000 * MIB,
            file_system: FileSystem::Local("ext4"),
        }
    }

    #[test]
    fn low_space_is_told_before_it_is_too_late() {
        let daily = Growth {
            bytes: 1_000 * MIB,
            over: Duration::from_secs(48 * 3600),
        };
        let short = Growth {
            over: Duration::from_secs(3600),
            ..daily
        };
        for (free, growth, state, said) in [
            (50_000, None, State::Ok, "50000 MiB of 100000 MiB are free"),
            (50_000, Some(daily), State::Ok, "100 days at the rate"),
            (10_000, Some(daily), State::Warning, "20 days at the rate"),
            (10_000, Some(short), State::Ok, "10000 MiB"),
            (1_023, None, State::Warning, "1023 MiB"),
            (127, None, State::Problem, "127 MiB"),
        ] {
            let check = room(space(free), 1_024, growth);
            assert_eq!(check.state, state, "{check:?}");
            assert!(check.found.contains(said), "{check:?}");
        }
    }

    #[test]
    fn file_systems_whose_sync_says_little_are_named() {
        for (kind, state) in [
            (FileSystem::Local("xfs"), State::Ok),
            (FileSystem::Other(7), State::Ok),
            (FileSystem::Memory, State::Warning),
            (FileSystem::Layer, State::Warning),
            (FileSystem::Remote("nfs"), State::Warning),
        ] {
            assert_eq!(file_system(kind).state, state, "{kind:?}");
        }
    }

    #[test]
    fn slow_and_impossibly_fast_syncs_are_told() {
        let syncs = |micros: u64| Syncs(vec![Duration::from_micros(micros); SYNCS]);
        assert_eq!(syncs(800).check(20).state, State::Ok);
        assert_eq!(syncs(21_000).check(20).state, State::Warning);
        let fast = syncs(2).check(20);
        assert!(
            fast.advice
                .is_some_and(|said| said.starts_with("no disk is that fast"))
        );
        let mixed = Syncs((1..=200).map(Duration::from_micros).collect());
        assert_eq!(mixed.percentile(50), Duration::from_micros(100));
        assert_eq!(mixed.percentile(99), Duration::from_micros(198));
    }

    #[test]
    fn the_probe_is_removed_and_is_refused_where_nothing_can_be_written() {
        let dir = tempfile::tempdir().unwrap();
        assert!(!Syncs::measure(dir.path()).unwrap().0.is_empty());
        assert_eq!(OsFs.list(dir.path()).unwrap(), Vec::<String>::new());
        assert!(Syncs::measure(&dir.path().join("nowhere")).is_err());
    }

    #[test]
    fn a_record_from_the_future_is_a_problem() {
        const NOW: u64 = 1_764_000_000_000_000;
        let hour = 3_600_000_000;
        for (last, synchronised, state, said) in [
            (Some(NOW - hour), Some(true), State::Ok, "60 minutes old"),
            (
                Some(NOW + 1_000_000),
                Some(true),
                State::Ok,
                "0 seconds old",
            ),
            (
                Some(NOW + 3 * hour),
                Some(true),
                State::Problem,
                "3 hours ahead",
            ),
            (Some(NOW), Some(false), State::Warning, "not kept right"),
            (None, None, State::Ok, "not known"),
        ] {
            let check = clock(NOW, last, synchronised);
            assert_eq!(check.state, state, "{check:?}");
            assert!(check.found.contains(said), "{check:?}");
        }
    }
}
