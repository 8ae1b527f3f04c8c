//! What each kind of crash and failure leaves, stated case by case.
//!
//! Apart from the model test: here the oracle is the contract in the crate's documentation.

use std::io::ErrorKind;
use std::path::Path;

use creditbank_durable::{
    Effect, File, Fs, Mode, Op, SECTOR_BYTES, SimFile, SimFs, Survivors, make_dir, read_file,
    write_atomic,
};

/// A file system with one durable file of two sectors of ones.
fn with_file() -> (SimFs, SimFile) {
    let fs = SimFs::new();
    let file = fs.open(Path::new("/f"), Mode::Create).expect("created");
    file.write_all_at(&[1; 2 * SECTOR_BYTES], 0)
        .expect("written");
    file.sync_data().expect("synced");
    fs.sync_dir(Path::new("/")).expect("synced");
    (fs, file)
}

/// The first byte of each sector.
fn sectors(fs: &SimFs) -> Vec<u8> {
    let bytes = read_file(fs, Path::new("/f")).expect("there");
    bytes.chunks(SECTOR_BYTES).map(|s| s[0]).collect()
}

#[test]
fn each_kind_of_survival_of_one_growing_write() {
    let (fs, file) = with_file();
    file.write_all_at(&[2; 4 * SECTOR_BYTES], 512)
        .expect("written");
    let after = |survivors| sectors(&fs.after_crash(survivors));
    assert_eq!(after(Survivors::None), [1, 1]);
    assert_eq!(after(Survivors::All), [1, 2, 2, 2, 2]);
    assert_eq!(after(Survivors::Half), [1, 2, 2]);
    assert_eq!(after(Survivors::Zeroed), [1, 1, 0, 0, 0]);
    assert_eq!(after(Survivors::Holes), [1, 1, 2, 0, 2]);
}

#[test]
fn half_keeps_a_prefix_of_the_writes_and_holes_keep_the_last() {
    let (fs, file) = with_file();
    file.write_all_at(&[2; 512], 0).expect("written");
    file.write_all_at(&[3; 512], 512).expect("written");
    assert_eq!(sectors(&fs.after_crash(Survivors::Half)), [2, 1]);
    assert_eq!(sectors(&fs.after_crash(Survivors::Holes)), [1, 3]);
}

#[test]
fn a_sector_is_old_or_new_and_carries_what_the_cache_held() {
    let (fs, file) = with_file();
    file.write_all_at(&[2; 10], 0).expect("written");
    file.write_all_at(&[3; 10], 100).expect("written");
    // The second write's sector reached the disk, so the first, in the same sector, did too.
    let bytes = read_file(&fs.after_crash(Survivors::Holes), Path::new("/f")).expect("there");
    assert_eq!((bytes[0], bytes[50], bytes[100]), (2, 1, 3));
}

#[test]
fn names_are_lost_unless_their_directory_was_synced() {
    let fs = SimFs::new();
    let file = fs.open(Path::new("/a"), Mode::Create).expect("created");
    file.write_all_at(b"x", 0).expect("written");
    file.sync_data().expect("synced");
    assert!(
        fs.after_crash(Survivors::None)
            .list(Path::new("/"))
            .expect("root")
            .is_empty()
    );
    fs.sync_dir(Path::new("/")).expect("synced");
    fs.rename(Path::new("/a"), Path::new("/b"))
        .expect("renamed");
    assert_eq!(
        fs.after_crash(Survivors::None)
            .list(Path::new("/"))
            .expect("root"),
        ["a"]
    );
    assert_eq!(
        fs.after_crash(Survivors::Zeroed)
            .list(Path::new("/"))
            .expect("root"),
        ["b"]
    );
    fs.remove(Path::new("/b")).expect("removed");
    assert_eq!(
        fs.after_crash(Survivors::None)
            .list(Path::new("/"))
            .expect("root"),
        ["a"]
    );
    fs.sync_dir(Path::new("/")).expect("synced");
    assert!(
        fs.after_crash(Survivors::None)
            .list(Path::new("/"))
            .expect("root")
            .is_empty()
    );
}

#[test]
fn a_lost_directory_loses_its_files() {
    let fs = SimFs::new();
    let dir = Path::new("/a/b");
    fs.create_dir_all(dir).expect("created");
    write_atomic(&fs, dir, "f", b"x").expect("written");
    assert!(
        fs.after_crash(Survivors::None)
            .list(Path::new("/"))
            .expect("root")
            .is_empty()
    );
    let fs = SimFs::new();
    make_dir(&fs, dir).expect("created");
    write_atomic(&fs, dir, "f", b"x").expect("written");
    assert_eq!(
        fs.after_crash(Survivors::None).list(dir).expect("there"),
        ["f"]
    );
}

#[test]
fn a_failed_sync_loses_its_bytes_and_a_second_one_lies() {
    let (fs, file) = with_file();
    file.write_all_at(&[2; 512], 0).expect("written");
    fs.fail(fs.ops(), Effect::Absent);
    file.sync_data().expect_err("asked to fail");
    file.sync_data().expect("it lies");
    assert_eq!(sectors(&fs), [2, 1], "the cache still shows it");
    assert_eq!(sectors(&fs.after_kill()), [2, 1]);
    assert_eq!(
        sectors(&fs.after_kill().after_crash(Survivors::All)),
        [1, 1]
    );
    file.write_all_at(&[2; 512], 0).expect("written again");
    file.sync_data().expect("synced");
    assert_eq!(sectors(&fs.after_crash(Survivors::None)), [2, 1]);
}

#[test]
fn a_failed_write_is_absent_or_present() {
    for (effect, expected) in [(Effect::Absent, [1, 1]), (Effect::Present, [2, 1])] {
        let (fs, file) = with_file();
        fs.fail(fs.ops(), effect);
        file.write_all_at(&[2; 512], 0).expect_err("asked to fail");
        assert_eq!(sectors(&fs), expected);
    }
}

#[test]
fn after_the_crash_point_everything_fails() {
    let (fs, file) = with_file();
    fs.crash_at(fs.ops());
    file.write_all_at(&[2; 512], 0).expect_err("crashed");
    assert!(fs.crashed());
    file.sync_data().expect_err("crashed");
    fs.list(Path::new("/")).expect_err("crashed");
    assert_eq!(sectors(&fs.after_crash(Survivors::None)), [1, 1]);
    assert_eq!(
        sectors(&fs.after_crash(Survivors::All)),
        [2, 1],
        "the write was issued"
    );
}

#[test]
fn atomic_write_is_old_or_new_at_every_crash() {
    let dir = Path::new("/");
    let fs = SimFs::new();
    write_atomic(&fs, dir, "f", &[1; 1024]).expect("written");
    let before = fs.ops();
    write_atomic(&fs, dir, "f", &[2; 1024]).expect("written");
    let n_ops = fs.ops() - before;
    for op in 0..n_ops {
        let fs = SimFs::new();
        write_atomic(&fs, dir, "f", &[1; 1024]).expect("written");
        fs.crash_at(before + op);
        write_atomic(&fs, dir, "f", &[2; 1024]).expect_err("crashed");
        for survivors in Survivors::EVERY {
            let fs = fs.after_crash(survivors);
            let found = read_file(&fs, &dir.join("f")).expect("there");
            assert!(
                found == [1; 1024] || found == [2; 1024],
                "{op} {survivors:?}"
            );
            write_atomic(&fs, dir, "f", &[3; 10]).expect("a left-over temporary is no obstacle");
        }
    }
}

#[test]
fn a_full_disk_takes_what_fits_and_resumes() {
    let (fs, file) = with_file();
    fs.disk_full_after(100);
    file.write_all_at(&[2; 1024], 0).expect("no growth");
    let e = file.write_all_at(&[3; 200], 1000).expect_err("full");
    assert_eq!(e.kind(), ErrorKind::StorageFull);
    assert_eq!(file.len().expect("length"), 1124);
    fs.disk_has_space();
    file.write_all_at(&[3; 200], 1000).expect("space again");
    assert_eq!(file.len().expect("length"), 1200);
}

#[test]
fn the_log_tells_kinds_and_read_only_files_refuse_writes() {
    let (fs, _file) = with_file();
    assert_eq!(fs.log(), [Op::Name, Op::Write, Op::Sync, Op::SyncDir]);
    let reader = fs.open(Path::new("/f"), Mode::Read).expect("opened");
    reader.write_all_at(b"x", 0).expect_err("read only");
    fs.flip(Path::new("/f"), 3, 0x80).expect("there");
    assert_eq!(read_file(&fs, Path::new("/f")).expect("there")[3], 0x81);
}
