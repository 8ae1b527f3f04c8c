//! `SimFs` behaves as `OsFs` on any sequence of operations, also after a crash that loses nothing.
//!
//! Apart from the fault tests: here the operating system is the oracle.

use std::io;
use std::path::{Path, PathBuf};

use creditbank_durable::{File, Fs, Mode, OsFs, SimFs, Survivors, read_file, write_atomic};
use proptest::collection::vec;
use proptest::prelude::{Just, Strategy, any, prop_oneof};
use proptest::test_runner::Config as ProptestConfig;
use proptest::{prop_assert_eq, proptest};

/// One call; files and directories are named by small numbers so that they collide often.
#[derive(Debug, Clone)]
enum Call {
    MakeDir(u8),
    Create(u8),
    Write {
        path: u8,
        offset: u16,
        bytes: Vec<u8>,
    },
    Read {
        path: u8,
        offset: u16,
        len: u16,
    },
    Len(u8),
    Rename(u8, u8),
    Remove(u8),
    List(u8),
    Sync(u8),
    SyncDir(u8),
    Atomic(u8, Vec<u8>),
}

fn calls() -> impl Strategy<Value = Vec<Call>> {
    let path = || 0..9_u8;
    let dir = || 0..4_u8;
    let call = prop_oneof![
        1 => dir().prop_map(Call::MakeDir),
        4 => path().prop_map(Call::Create),
        8 => (path(), 0..3000_u16, vec(any::<u8>(), 0..1500))
            .prop_map(|(path, offset, bytes)| Call::Write { path, offset, bytes }),
        4 => (path(), 0..5000_u16, 0..3000_u16)
            .prop_map(|(path, offset, len)| Call::Read { path, offset, len }),
        1 => path().prop_map(Call::Len),
        2 => (path(), path()).prop_map(|(from, to)| Call::Rename(from, to)),
        1 => path().prop_map(Call::Remove),
        1 => dir().prop_map(Call::List),
        2 => path().prop_map(Call::Sync),
        1 => dir().prop_map(Call::SyncDir),
        1 => (path(), vec(any::<u8>(), 0..700)).prop_map(|(path, bytes)| Call::Atomic(path, bytes)),
        1 => Just(Call::Len(0)),
    ];
    vec(call, 1..60)
}

fn dir_of(root: &Path, dir: u8) -> PathBuf {
    match dir {
        0 => root.to_path_buf(),
        1 => root.join("a"),
        2 => root.join("a").join("deep"),
        _ => root.join("absent"),
    }
}

fn path_of(root: &Path, path: u8) -> PathBuf {
    dir_of(root, path / 3).join(format!("f{}", path % 3))
}

/// What a caller can see of a result: the value, or the kind of error.
fn run<F: Fs>(fs: &F, root: &Path, call: &Call) -> Result<Vec<u8>, io::ErrorKind> {
    let done = |r: io::Result<()>| r.map(|()| Vec::new());
    let result = match call {
        Call::MakeDir(d) => done(fs.create_dir_all(&dir_of(root, d % 3))),
        Call::Create(p) => done(fs.open(&path_of(root, *p), Mode::Create).map(drop)),
        Call::Write {
            path,
            offset,
            bytes,
        } => fs
            .open(&path_of(root, *path), Mode::Write)
            .and_then(|f| done(f.write_all_at(bytes, u64::from(*offset)))),
        Call::Read { path, offset, len } => {
            fs.open(&path_of(root, *path), Mode::Read).and_then(|f| {
                let mut buf = vec![0; usize::from(*len)];
                let n = f.read_at(&mut buf, u64::from(*offset))?;
                buf.truncate(n);
                Ok(buf)
            })
        }
        Call::Len(p) => fs
            .open(&path_of(root, *p), Mode::Read)
            .and_then(|f| Ok(f.len()?.to_be_bytes().to_vec())),
        Call::Rename(from, to) => done(fs.rename(&path_of(root, *from), &path_of(root, *to))),
        Call::Remove(p) => done(fs.remove(&path_of(root, *p))),
        Call::List(d) => fs
            .list(&dir_of(root, *d))
            .map(|names| names.join("/").into_bytes()),
        Call::Sync(p) => fs
            .open(&path_of(root, *p), Mode::Write)
            .and_then(|f| done(f.sync_data())),
        Call::SyncDir(d) => done(fs.sync_dir(&dir_of(root, *d))),
        Call::Atomic(p, bytes) => {
            let path = path_of(root, *p);
            let dir = path.parent().expect("a file is in a directory");
            let name = path.file_name().and_then(|n| n.to_str()).expect("a name");
            done(write_atomic(fs, dir, name, bytes))
        }
    };
    result.map_err(|e| e.kind())
}

fn contents<F: Fs>(fs: &F, root: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    for dir in (0..4).map(|d| dir_of(root, d)) {
        for name in fs.list(&dir).unwrap_or_default() {
            if let Ok(bytes) = read_file(fs, &dir.join(&name)) {
                found.push((
                    dir.strip_prefix(root).expect("beneath it").join(name),
                    bytes,
                ));
            }
        }
    }
    found
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_simulator_answers_as_the_system(calls in calls()) {
        let temporary = tempfile::tempdir().expect("a directory");
        let sim = SimFs::new();
        let root = Path::new("/data");
        sim.create_dir_all(root).expect("a directory");
        for call in &calls {
            prop_assert_eq!(run(&sim, root, call), run(&OsFs, temporary.path(), call), "{:?}", call);
        }
        let expected = contents(&OsFs, temporary.path());
        prop_assert_eq!(&contents(&sim, root), &expected);
        prop_assert_eq!(&contents(&sim.after_crash(Survivors::All), root), &expected);
        prop_assert_eq!(&contents(&sim.after_kill(), root), &expected);
    }
}

#[test]
fn a_lock_is_exclusive_and_released_when_dropped() {
    fn check<F: Fs>(fs: &F, path: &Path) {
        let held = fs.lock(path).expect("free");
        let refused = fs.lock(path).err().expect("held");
        assert_eq!(refused.kind(), io::ErrorKind::WouldBlock);
        drop(held);
        fs.lock(path).expect("free again");
    }
    let temporary = tempfile::tempdir().expect("a directory");
    check(&OsFs, &temporary.path().join("LOCK"));
    check(&SimFs::new(), Path::new("/LOCK"));
}

#[test]
fn relative_names_have_the_current_directory_as_parent() {
    OsFs.sync_dir(Path::new("")).expect("the current directory");
    assert!(
        OsFs.list(Path::new(""))
            .expect("the current directory")
            .contains(&"src".to_owned())
    );
}
