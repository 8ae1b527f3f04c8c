//! The directory: resumed, or removed and built anew, never trusted wrongly; and what is in it.

use std::path::Path;

use durable::{File, Fs, Mode, OsFs, read_file};
use ledger::Body;
use views::{Opened, Options, Views, ViewsFault, Why};

use crate::accounts::{balance, check_balance};
use crate::sample::{
    LEDGER, Log, MARKER, SECRET, all_of, erased, handle, issued, open, options, pending, profile,
    scratch,
};

/// A log with something of everything.
fn log() -> Log {
    let mut log = Log::new();
    let [a, b, c] = [1, 2, 3].map(handle);
    log.register(a);
    log.provisional(b);
    log.provisional(c);
    for number in 0..100_u32 {
        log.record("uni-a", a, &format!("a{number}"));
        log.record("uni-b", b, &format!("b{number}"));
    }
    log.merge(b, a);
    log.one("", a, Body::LearnerUpdated(profile()));
    log
}

/// Views of that log with every value that there can be, closed or not.
fn fill(dir: &Path, log: &Log, close: bool) {
    let views = open(dir).0;
    apply_in_batches(log, &views, log.size());
    log.apply_to(&views);
    for number in 1..4 {
        check_balance(log, &views, handle(number));
    }
    if close {
        views.close().unwrap();
    }
}

/// Small ones, so that the sweep goes its rounds.
fn apply_in_batches(log: &Log, views: &Views, size: u64) {
    let records = log.records(views.applied());
    let below = records
        .iter()
        .take_while(|record| record.leaf.position.0 < size)
        .count();
    records[..below]
        .chunks(7)
        .for_each(|batch| log.apply(views, batch).unwrap());
}

fn check_all(log: &Log, views: &Views) {
    log.apply_to(views);
    let (fresh, _dir) = scratch();
    log.apply_to(&fresh);
    for number in 1..4 {
        check_balance(log, views, handle(number));
    }
    for issuer in ["uni-a", "uni-b"] {
        assert_eq!(issued(views, issuer), issued(&fresh, issuer));
    }
    assert_eq!(pending(views), pending(&fresh));
}

/// Where an issuer's achievements lie, below a size.
fn issued_below(log: &Log, issuer: &str, size: u64) -> Vec<u64> {
    let records = log.records(0).into_iter();
    let recorded = records.filter(|record| {
        let kind = ledger::codec::number_of(ledger::EventKind::AchievementRecorded);
        record.leaf.kind == kind && record.leaf.issuer.as_str() == issuer
    });
    recorded
        .map(|record| record.leaf.position.0)
        .take_while(|position| *position < size)
        .collect()
}

/// Every file below a directory.
fn files(dir: &Path) -> Vec<std::path::PathBuf> {
    let mut found = vec![];
    for name in OsFs.list(dir).unwrap() {
        let path = dir.join(name);
        match OsFs.list(&path) {
            Ok(_) => found.extend(files(&path)),
            Err(_) => found.push(path),
        }
    }
    found
}

fn flip(path: &Path, offset: u64) {
    let file = OsFs.open(path, Mode::Write).unwrap();
    let mut byte = [0];
    file.read_at(&mut byte, offset).unwrap();
    file.write_all_at(&[byte[0] ^ 0x10], offset).unwrap();
}

fn rebuilt(opened: &Opened) -> &Why {
    match opened {
        Opened::Rebuilding { why } => why,
        Opened::Resumed { applied } => panic!("resumed at {applied}"),
    }
}

#[test]
fn closed_views_are_resumed_where_they_were() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = log();
    let (views, opened) = open(dir.path());
    assert_eq!(*rebuilt(&opened), Why::Missing);
    log.apply_to(&views);
    views.close().unwrap();
    assert!(matches!(views.close(), Err(ViewsFault::Closed)));
    let searched = views.search(&all_of("uni-a"), None, 1, 1);
    assert!(matches!(searched, Err(ViewsFault::Closed)));
    assert!(matches!(
        log.apply(&views, &log.records(0)),
        Err(ViewsFault::Closed) | Ok(())
    ));
    drop(views);
    // A closed directory may be opened in any boot.
    let other_boot = Options {
        boot_id: Some("boot 2".to_owned()),
        ..options()
    };
    let (views, opened) = Views::open(dir.path(), LEDGER, SECRET, other_boot).unwrap();
    assert_eq!(
        opened,
        Opened::Resumed {
            applied: log.size()
        }
    );
    log.record("uni-a", handle(1), "z");
    check_all(&log, &views);
}

#[test]
fn views_left_open_are_resumed_in_the_same_boot_only() {
    let dir = tempfile::tempdir().unwrap();
    let log = log();
    fill(dir.path(), &log, false);
    let (views, opened) = open(dir.path());
    let Opened::Resumed { applied } = opened else {
        panic!("{opened:?}")
    };
    assert!(
        (1..=log.size()).contains(&applied),
        "the mark says {applied}"
    );
    let last = issued(&views, "uni-b").last().copied();
    assert_eq!(last, issued_below(&log, "uni-b", applied).last().copied());
    check_all(&log, &views);
    drop(views);

    for boot in ["boot 2", ""] {
        let other_boot = Options {
            boot_id: Some(boot.to_owned()),
            ..options()
        };
        let (views, opened) = Views::open(dir.path(), LEDGER, SECRET, other_boot).unwrap();
        assert_eq!(*rebuilt(&opened), Why::PowerLoss);
        assert_eq!(views.applied(), 0);
        check_all(&log, &views);
    }
}

/// Where the process to be killed finds its directory, and how far it is to go.
const CHILD: &str = "CREDITBANK_VIEWS_TEST_CHILD";

/// Does nothing by itself; [`killed_views_are_resumed`] runs it in a process of its own.
#[test]
fn child_that_is_killed() {
    let Ok(task) = std::env::var(CHILD) else {
        return;
    };
    let (dir, size) = task.rsplit_once(' ').unwrap();
    let log = log();
    let (views, _) = open(Path::new(dir));
    apply_in_batches(&log, &views, size.parse().unwrap());
    check_balance(&log, &views, handle(1));
    // Like kill -9: nothing is flushed, nothing is dropped.
    std::process::abort();
}

#[test]
fn killed_views_are_resumed() {
    let dir = tempfile::tempdir().unwrap();
    let log = log();
    let mut marked = 0;
    for size in [1, 40, 41, 120, 170, 204] {
        let test = std::env::current_exe().unwrap();
        let child = std::process::Command::new(test)
            .args(["--exact", "files::child_that_is_killed"])
            .env(CHILD, format!("{} {size}", dir.path().display()))
            .output()
            .unwrap();
        assert!(!child.status.success(), "it was killed");
        let (views, opened) = open(dir.path());
        let Opened::Resumed { applied } = opened else {
            panic!("{opened:?}")
        };
        assert!(
            (marked..=size).contains(&applied),
            "{marked} {applied} {size}"
        );
        marked = applied;
        for number in 1..4 {
            check_balance(&log, &views, handle(number));
        }
        // Opened, not closed: the next child finds it as this one leaves it.
    }
    assert!(marked > 0, "the sweep went its rounds");
    check_all(&log, &open(dir.path()).0);
}

#[test]
fn the_machine_names_its_boot() {
    let dir = tempfile::tempdir().unwrap();
    let log = log();
    let asking = Options {
        boot_id: None,
        ..options()
    };
    let views = Views::open(dir.path(), LEDGER, SECRET, asking.clone())
        .unwrap()
        .0;
    log.apply_to(&views);
    drop(views);
    let opened = Views::open(dir.path(), LEDGER, SECRET, asking).unwrap().1;
    assert!(matches!(opened, Opened::Resumed { .. }), "{opened:?}");
}

#[test]
fn views_of_another_ledger_are_removed() {
    for close in [true, false] {
        let dir = tempfile::tempdir().unwrap();
        let log = log();
        fill(dir.path(), &log, close);
        let (views, opened) = Views::open(dir.path(), [2; 16], SECRET, options()).unwrap();
        assert_eq!(*rebuilt(&opened), Why::OtherLedger);
        assert_eq!(issued(&views, "uni-a"), [0_u64; 0]);
        check_all(&log, &views);
    }
}

#[test]
fn a_missing_directory_is_built_anew_with_the_same_answers() {
    let dir = tempfile::tempdir().unwrap();
    let inner = dir.path().join("deep/views");
    let log = log();
    fill(&inner, &log, true);
    for path in files(&inner) {
        OsFs.remove(&path).unwrap();
    }
    let (views, opened) = open(&inner);
    assert_eq!(*rebuilt(&opened), Why::Missing);
    check_all(&log, &views);
    drop(views);
    // With the mark but without sled's files.
    fill(&inner, &log, false);
    for path in files(&inner.join("sled")) {
        OsFs.remove(&path).unwrap();
    }
    let (views, opened) = open(&inner);
    assert!(
        matches!(rebuilt(&opened), Why::Damaged { .. }),
        "{opened:?}"
    );
    check_all(&log, &views);
}

#[test]
fn a_flipped_bit_in_any_file_is_noticed() {
    let log = log();
    let dir = tempfile::tempdir().unwrap();
    fill(dir.path(), &log, true);
    let count = files(dir.path()).len();
    assert!(count >= 4, "lock, mark, and sled's files");
    for idx in 0..count {
        for share in [0, 1, 5, 9] {
            let path = files(dir.path()).into_iter().nth(idx).unwrap();
            let len = OsFs.open(&path, Mode::Read).unwrap().len().unwrap();
            if len == 0 {
                continue;
            }
            flip(&path, (len - 1) * share / 9);
            let (views, opened) = open(dir.path());
            let why = rebuilt(&opened);
            assert!(
                matches!(why, Why::Damaged { .. } | Why::OtherVersion { .. }),
                "{path:?} {why}"
            );
            check_all(&log, &views);
            views.close().unwrap();
        }
    }
}

#[test]
fn a_mark_of_another_version_or_a_torn_one_is_noticed() {
    let log = log();
    let dir = tempfile::tempdir().unwrap();
    fill(dir.path(), &log, true);
    let mark = dir.path().join("mark");
    let bytes = read_file(&OsFs, &mark).unwrap();
    for len in 0..bytes.len() {
        OsFs.remove(&mark).unwrap();
        let file = OsFs.open(&mark, Mode::Create).unwrap();
        file.write_all_at(&bytes[..len], 0).unwrap();
        drop(file);
        let (_, opened) = open(dir.path());
        assert!(
            matches!(rebuilt(&opened), Why::Damaged { .. }),
            "{len} bytes: {opened:?}"
        );
    }
}

#[test]
fn one_handle_at_a_time() {
    let (views, dir) = scratch();
    let second = Views::open(dir.path(), LEDGER, SECRET, options());
    assert!(matches!(second, Err(ViewsFault::InUse)));
    drop(views);
    open(dir.path());
}

#[test]
fn no_text_about_a_person_is_in_the_files() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = log();
    log.erase(handle(3), &[handle(3)], erased());
    fill(dir.path(), &log, false);
    fill(dir.path(), &log, true);
    let views = open(dir.path()).0;
    balance(&log, &views, handle(1), "2025-01-01");
    views.close().unwrap();
    let contains = |bytes: &[u8], text: &str| {
        bytes
            .windows(text.len())
            .any(|window| window == text.as_bytes())
    };
    let mut seen = 0;
    for path in files(dir.path()) {
        let bytes = read_file(&OsFs, &path).unwrap();
        assert!(!contains(&bytes, MARKER), "{path:?}");
        seen += usize::from(contains(&bytes, "uni-a") && contains(&bytes, "credit"));
    }
    assert!(seen > 0, "what views do hold is found by the same search");
    let records = log.records(0);
    assert!(records.iter().any(|record| contains(&record.body, MARKER)));
}
