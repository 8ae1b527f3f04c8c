//! One fault at a time, stated case by case: flipped bits, a full disk, a failed sync, a held lock, a
//! damaged index.
//!
//! Apart from the sweeps, which try everything but say nothing about why.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use chain::{Block, BlockHeader, Head, Position};
use creditbank_store_log::sweep::rehash;
use creditbank_store_log::{Log, OpenError, Options, RecoveryReport, scan};
use durable::{Effect, File, Fs, Mode, OsFs, SimFs, Survivors, read_file};
use store::contract::{SampleKeys, block, body_key};
use store::{AppendError, Fault, ReadError};

fn dir() -> PathBuf {
    PathBuf::from("/ledger")
}

fn small() -> Options {
    Options {
        segment_bytes: 4096,
        memtable_keys_max: 16,
        filter_cache_bytes: 0,
        ..Options::small()
    }
}

fn open(fs: &SimFs) -> Result<(Log<SimFs>, RecoveryReport), OpenError> {
    Log::open(fs.clone(), &dir(), small(), Arc::new(SampleKeys))
}

fn append(log: &mut Log<SimFs>, names: &[u64]) -> Head {
    let block = block(log.head(), names, 60);
    log.append(log.head(), &block).expect("appended")
}

fn segment(number: u64) -> PathBuf {
    dir().join(format!("log/{number:08}.seg"))
}

/// A ledger of several segments whose last block is not marked.
fn with_blocks(n: u64) -> (SimFs, Head) {
    let fs = SimFs::new();
    let (mut log, _) = open(&fs).expect("opened");
    for round in 0..n {
        append(&mut log, &[round * 2, round * 2 + 1]);
    }
    let head = log.head();
    (fs, head)
}

/// Where the blocks of a segment lie: offset, length, and whether it is a mark.
fn blocks_of(fs: &SimFs, path: &Path) -> Vec<(u64, u64, bool)> {
    let mut scan = scan::Scan::open(fs, path).expect("opened");
    let mut found = Vec::new();
    while let Some(piece) = scan.next_piece().expect("read") {
        if let scan::Piece::Block {
            offset,
            bytes,
            block,
        } = piece
        {
            let len = u64::try_from(bytes.len()).expect("a length");
            found.push((offset, len, block.is_mark()));
        }
    }
    found
}

fn is_corruption<T>(result: Result<T, OpenError>) -> bool {
    matches!(result, Err(OpenError::Corruption(_)))
}

/// Opens and reads everything: `Ok` only if every record comes back as it was written.
fn read_all(fs: &SimFs, expected: Head) -> Result<(), String> {
    let (log, report) = open(fs).map_err(|e| format!("{e:?}"))?;
    assert_eq!(report.head, expected, "nothing is silently missing");
    for position in (0..expected.size).map(Position) {
        let got = log
            .reader()
            .get(&[position])
            .map_err(|e| format!("{e:?}"))?;
        assert!(got[0].commitment_holds() && got[0].leaf.position == position);
    }
    let all = log
        .reader()
        .read(Position(0), u64::MAX)
        .map_err(|e| format!("{e:?}"))?;
    assert_eq!(all.last().map(chain::Record::hash), Some(expected.hash));
    Ok(())
}

#[test]
fn any_flipped_bit_before_the_last_block_is_corruption() {
    let (fs, head) = with_blocks(20);
    let n_segments = scan::segments(&fs, &dir()).expect("segments").len();
    assert!(n_segments > 2);
    read_all(&fs.after_kill(), head).expect("whole");
    for number in 0..n_segments {
        let path = segment(u64::try_from(number).expect("small"));
        let blocks = blocks_of(&fs, &path);
        let is_last = number + 1 == n_segments;
        let judged = if is_last {
            &blocks[..blocks.len() - 1]
        } else {
            &blocks[..]
        };
        let end = judged.last().map_or(128, |(offset, len, _)| offset + len);
        for offset in 0..end {
            let fs = fs.after_kill();
            fs.flip(&path, offset, 1 << (offset % 8)).expect("flipped");
            let read = read_all(&fs, head);
            let why = read.expect_err(&format!("byte {offset} of segment {number} is covered"));
            assert!(
                why.contains("Corruption"),
                "byte {offset} of segment {number}: {why}"
            );
            assert!(
                rehash(&fs, &dir()).is_err(),
                "the judge sees byte {offset} of {number}"
            );
        }
    }
}

#[test]
fn a_flipped_bit_in_the_last_block_is_a_torn_tail_unless_it_is_marked() {
    for is_marked in [false, true] {
        let fs = SimFs::new();
        let (mut log, _) = open(&fs).expect("opened");
        let before = append(&mut log, &[1, 2]);
        let head = append(&mut log, &[3, 4]);
        if is_marked {
            assert!(log.mark_if_idle().expect("marked"));
            assert!(!log.mark_if_idle().expect("nothing left to mark"));
        }
        drop(log);
        let (offset, len, _) = blocks_of(&fs, &segment(0))[1];
        for at in offset..offset + len {
            let fs = fs.after_kill();
            fs.flip(&segment(0), at, 0x10).expect("flipped");
            if is_marked {
                assert!(is_corruption(open(&fs)), "byte {at}");
                assert!(is_corruption(open(&fs)), "byte {at} was not cut");
                continue;
            }
            let (log, report) = open(&fs).expect("opened");
            let torn = report.torn_tail.expect("reported");
            assert_eq!((torn.offset, torn.path), (offset, segment(0)));
            assert!(torn.bytes <= len);
            assert_eq!(log.head(), before);
        }
        let (_, report) = open(&fs).expect("opened");
        assert_eq!((report.head, report.torn_tail), (head, None));
    }
}

#[test]
fn a_flipped_mark_loses_no_record() {
    let (fs, head) = with_blocks(3);
    open(&fs).expect("opened").0.close().expect("closed");
    let (offset, _, is_mark) = *blocks_of(&fs, &segment(0)).last().expect("a mark");
    assert!(is_mark);
    fs.flip(&segment(0), offset + 30, 1).expect("flipped");
    let (log, report) = open(&fs).expect("opened");
    assert_eq!(log.head(), head);
    assert_eq!(report.torn_tail.expect("cut").offset, offset);
}

#[test]
fn bytes_far_beyond_the_end_are_corruption() {
    let fs = SimFs::new();
    let options = Options {
        segment_bytes: 20 << 20,
        ..small()
    };
    let open = |fs: &SimFs| Log::open(fs.clone(), &dir(), options.clone(), Arc::new(SampleKeys));
    let (mut log, _) = open(&fs).expect("opened");
    append(&mut log, &[1]);
    drop(log);
    let (offset, len, _) = blocks_of(&fs, &segment(0))[0];
    let end = offset + len;
    let near = fs.after_kill();
    near.flip(&segment(0), end + (8 << 20) - 1, 1)
        .expect("flipped");
    let torn = open(&near)
        .expect("within one block")
        .1
        .torn_tail
        .expect("cut");
    assert_eq!((torn.offset, torn.bytes), (end, 8 << 20));
    let far = fs.after_kill();
    far.flip(&segment(0), end + (8 << 20), 1).expect("flipped");
    assert!(is_corruption(open(&far)));
}

#[test]
fn a_missing_segment_is_corruption() {
    let (fs, _) = with_blocks(20);
    for number in [0, 1] {
        let fs = fs.after_kill();
        fs.remove(&segment(number)).expect("removed");
        assert!(is_corruption(open(&fs)), "{number}");
    }
}

#[test]
fn a_body_missing_in_the_last_block_is_a_torn_tail_and_elsewhere_an_erasure() {
    let (fs, head) = with_blocks(3);
    let blocks = blocks_of(&fs, &segment(0));
    let zero_first_body = |fs: &SimFs, offset: u64| {
        let bytes = read_file(fs, &segment(0)).expect("read");
        let at = usize::try_from(offset).expect("small");
        let (decoded, _) = chain::decode_block(&bytes[at..], &key_of(&bytes)).expect("a block");
        let range = decoded
            .erasable_range(decoded.prev().next_position())
            .expect("a record");
        let file = fs.open(&segment(0), Mode::Write).expect("opened");
        let start = offset + u64::try_from(range.start).expect("small");
        file.write_all_at(&vec![0; range.len()], start)
            .expect("written");
    };
    let last = fs.after_kill();
    zero_first_body(&last, blocks[2].0);
    assert_eq!(
        open(&last)
            .expect("opened")
            .1
            .torn_tail
            .expect("cut")
            .offset,
        blocks[2].0
    );
    let middle = fs.after_kill();
    zero_first_body(&middle, blocks[1].0);
    let (log, report) = open(&middle).expect("opened");
    assert_eq!((report.head, report.torn_tail), (head, None));
    assert!(log.reader().get(&[Position(2)]).expect("read")[0].is_erased());
    drop(log);
    // Zeros in the last two blocks: what would be last after a cut cannot have been erased.
    zero_first_body(&middle, blocks[2].0);
    assert!(is_corruption(open(&middle)));
}

fn key_of(segment: &[u8]) -> chain::ChecksumKey {
    chain::SegmentHeader::decode(segment)
        .expect("a header")
        .checksum_key
}

#[test]
fn a_full_disk_refuses_appends_keeps_reads_and_resumes() {
    let fs = SimFs::new();
    let (mut log, _) = open(&fs).expect("opened");
    append(&mut log, &[1]);
    fs.disk_full_after(1000);
    let mut n_appended = 1;
    let refused = loop {
        let next = block(log.head(), &[n_appended + 1], 60);
        match log.append(log.head(), &next) {
            Ok(_) => n_appended += 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(refused, AppendError::Full { .. }), "{refused:?}");
    assert!(
        n_appended > 5,
        "the active segment is used up first: {n_appended}"
    );
    let head = log.head();
    assert_eq!(head.size, n_appended);
    for _ in 0..3 {
        let next = block(head, &[99], 60);
        assert!(matches!(
            log.append(head, &next),
            Err(AppendError::Full { .. })
        ));
        assert_eq!(log.head(), head);
        let read = log.reader().read(Position(0), u64::MAX).expect("reads");
        assert_eq!(Some(read.len()), usize::try_from(n_appended).ok());
        assert_eq!(
            log.find(&[body_key(1), body_key(99)]).expect("finds"),
            [Some(Position(0)), None]
        );
    }
    fs.disk_has_space();
    let after = append(&mut log, &[99]);
    assert_eq!(after.size, n_appended + 1);
    drop(log);
    let (_, report) = open(&fs.after_crash(Survivors::None)).expect("opened");
    assert_eq!((report.head, report.torn_tail), (after, None));
}

#[test]
fn after_a_failed_sync_the_writer_is_dead_and_reads_go_on() {
    for effect in [Effect::Absent, Effect::Present] {
        let fs = SimFs::new();
        let (mut log, _) = open(&fs).expect("opened");
        let head = append(&mut log, &[1, 2]);
        let next = block(head, &[3], 60);
        fs.fail(fs.ops() + 1, effect);
        let failed = log.append(head, &next);
        assert!(
            matches!(failed, Err(AppendError::Unknown { .. })),
            "{failed:?}"
        );
        assert!(log.dead().is_some());
        let refused = log.append(head, &next);
        assert!(
            matches!(refused, Err(AppendError::Dead { .. })),
            "{refused:?}"
        );
        assert!(matches!(
            log.erase(&[], Position(0)),
            Err(Fault::Stopped { .. })
        ));
        assert!(!log.mark_if_idle().expect("nothing is written"));
        assert_eq!(log.head(), head);
        assert_eq!(
            log.reader()
                .read(Position(0), u64::MAX)
                .expect("reads")
                .len(),
            2
        );
        let past = log.reader().get(&[Position(2)]);
        assert!(matches!(past, Err(ReadError::PastHead { .. })));
        drop(log);
        // The process restarts, the machine does not: what is served then must be on the disk.
        let fs = fs.after_kill();
        let served = open(&fs).expect("opened").1.head;
        assert_eq!(served, next.head(), "the page cache still has it");
        assert_eq!(
            open(&fs.after_crash(Survivors::None))
                .expect("opened")
                .1
                .head,
            served
        );
    }
}

#[test]
fn a_second_process_is_refused_with_a_clear_message() {
    let temporary = tempfile::tempdir().expect("a directory");
    let open = || Log::open(OsFs, temporary.path(), small(), Arc::new(SampleKeys));
    let (log, _) = open().expect("opened");
    let refused = open().err().expect("locked");
    assert!(matches!(refused, OpenError::Locked { .. }));
    assert!(
        refused
            .to_string()
            .contains("another process holds its lock"),
        "{refused}"
    );
    drop(log);
    open().expect("free again");
}

#[test]
fn blocks_that_fit_no_segment_are_refused() {
    let fs = SimFs::new();
    let (mut log, _) = open(&fs).expect("opened");
    let large = block(Head::EMPTY, &[1], 4000);
    let refused = log.append(Head::EMPTY, &large);
    assert!(
        matches!(refused, Err(AppendError::TooLarge { .. })),
        "{refused:?}"
    );
    let largest = (3000..4000)
        .rev()
        .map(|len| block(Head::EMPTY, &[1], len))
        .find(|block| log.append(Head::EMPTY, block).is_ok())
        .expect("some length fits");
    assert!(matches!(
        log.append(log.head(), &Block::mark(log.head())),
        Err(AppendError::Invalid { .. })
    ));
    assert!(log.mark_if_idle().expect("room for a mark is kept"));
    let header = largest.encode(&chain::ChecksumKey([0; 32]));
    assert_eq!(BlockHeader::decode(&header).expect("a header").count, 1);
}

/// Every file of the index.
fn index_files(fs: &SimFs) -> Vec<PathBuf> {
    let names = fs.list(&dir().join("keys")).expect("an index");
    names
        .iter()
        .map(|name| dir().join("keys").join(name))
        .collect()
}

fn assert_all_found(log: &Log<SimFs>, n: u64) {
    for name in 0..n {
        let found = log.find(&[body_key(name)]).expect("never an error");
        assert_eq!(found, [Some(Position(name))], "name {name}");
    }
    assert_eq!(log.find(&[body_key(n)]).expect("never an error"), [None]);
}

#[test]
fn a_damaged_index_is_made_again_and_no_error() {
    let (fs, _) = with_blocks(40);
    let (mut log, _) = open(&fs).expect("opened");
    while log.background().step().expect("steps") {}
    append(&mut log, &[80, 81]);
    let head = log.head();
    log.close().expect("closed");
    let files = index_files(&fs);
    assert!((2..8).contains(&files.len()), "merged: {files:?}");
    let whole = fs.after_kill();
    let (_, report) = open(&whole).expect("opened");
    assert_eq!(
        report.n_indexed, 0,
        "a clean stop leaves nothing to read again"
    );
    for file in files {
        let len = fs
            .open(&file, Mode::Read)
            .expect("opened")
            .len()
            .expect("a length");
        for offset in (0..len).step_by(97) {
            let fs = fs.after_kill();
            fs.flip(&file, offset, 4).expect("flipped");
            let (log, report) = open(&fs).expect("opened");
            assert_eq!(report.head, head);
            assert_all_found(&log, 82);
            // And again, from what was made anew.
            drop(log);
            assert_all_found(&open(&fs).expect("opened").0, 82);
        }
        let without = fs.after_kill();
        without.remove(&file).expect("removed");
        assert_all_found(&open(&without).expect("opened").0, 82);
        // Damage under a running server.
        let live = fs.after_kill();
        let (log, _) = open(&live).expect("opened");
        for offset in (4096..len).step_by(512) {
            live.flip(&file, offset, 4).expect("flipped");
        }
        assert_all_found(&log, 82);
    }
}

#[test]
fn an_index_of_another_ledger_is_not_believed() {
    let (fs, _) = with_blocks(20);
    open(&fs).expect("opened").0.close().expect("closed");
    let other = SimFs::new();
    let (mut log, _) = open(&other).expect("opened");
    for round in 0..30 {
        append(&mut log, &[1000 + round, 2000 + round]);
    }
    drop(log);
    for file in index_files(&other) {
        other.remove(&file).expect("removed");
    }
    for file in index_files(&fs) {
        let copy = other.open(&file, Mode::Create).expect("created");
        copy.write_all_at(&read_file(&fs, &file).expect("read"), 0)
            .expect("written");
    }
    let (log, report) = open(&other).expect("opened");
    assert_eq!(report.n_indexed, 60);
    assert_eq!(
        log.find(&[body_key(3), body_key(2003)]).expect("finds"),
        [None, Some(Position(7))]
    );
}

#[test]
fn damaged_offsets_are_made_again_and_no_error() {
    let (fs, head) = with_blocks(30);
    let (log, _) = open(&fs).expect("opened");
    log.reader().read(Position(0), 1).expect("reads");
    log.close().expect("closed");
    let offsets = dir().join("log/00000000.idx");
    let bytes = read_file(&fs, &offsets).expect("saved");
    for at in 0..u64::try_from(bytes.len()).expect("small") {
        let fs = fs.after_kill();
        fs.flip(&offsets, at, 1).expect("flipped");
        read_all(&fs, head).expect("whole");
    }
    // Right by its hash, and wrong: what it leads to decides.
    let mut lying = bytes[..bytes.len() - 32].to_vec();
    let last = lying.len() - 1;
    lying[last] ^= 1;
    lying.extend_from_slice(blake3::hash(&lying.clone()).as_bytes());
    fs.open(&offsets, Mode::Write)
        .expect("opened")
        .write_all_at(&lying, 0)
        .expect("written");
    read_all(&fs, head).expect("whole");
}

#[test]
fn a_scan_needs_no_lock_and_gives_every_byte() {
    let (fs, head) = with_blocks(20);
    let (log, _) = open(&fs).expect("opened");
    let before = fs.log().len();
    assert_eq!(rehash(&fs, &dir()), Ok(head));
    assert!(
        fs.log()[before..].iter().all(|op| *op == durable::Op::Read),
        "it only reads"
    );
    drop(log);
    for segment in scan::segments(&fs, &dir()).expect("segments") {
        let mut scan = scan::Scan::open(&fs, &segment.path).expect("opened");
        let mut at = u64::try_from(scan.header_bytes().len()).expect("small");
        while let Some(piece) = scan.next_piece().expect("read") {
            let (offset, len) = match &piece {
                scan::Piece::Block { offset, bytes, .. } => {
                    (*offset, u64::try_from(bytes.len()).expect("small"))
                }
                scan::Piece::Gap { offset, len, .. } => (*offset, *len),
                scan::Piece::Bad(bad) => panic!("{bad:?}"),
            };
            assert_eq!(offset, at, "no hole between pieces");
            at += len;
        }
        assert_eq!(at, scan.file_len());
    }
}

#[test]
fn a_ledger_whose_records_are_lost_does_not_become_a_new_one() {
    let temporary = tempfile::tempdir().expect("a directory");
    let open = || Log::open(OsFs, temporary.path(), small(), Arc::new(SampleKeys));
    let (mut log, _) = open().expect("opened");
    for round in 0..20 {
        let next = block(log.head(), &[round], 60);
        log.append(log.head(), &next).expect("appended");
    }
    log.close().expect("closed");
    let log_dir = temporary.path().join("log");
    for entry in std::fs::read_dir(&log_dir).expect("listed") {
        std::fs::remove_file(entry.expect("an entry").path()).expect("removed");
    }
    let refused = open().err().expect("refused");
    assert!(
        matches!(refused, OpenError::RecordsMissing { .. }),
        "{refused}"
    );
    // Again: refusing changed nothing.
    assert!(open().is_err());

    std::fs::remove_dir_all(temporary.path().join("keys")).expect("removed");
    std::fs::write(temporary.path().join("erased-through"), "7\n").expect("written");
    let refused = open().err().expect("refused");
    assert!(
        refused.to_string().contains("through position 7"),
        "{refused}"
    );
}
