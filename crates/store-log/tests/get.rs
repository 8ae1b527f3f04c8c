//! Records read alone are proved alone: a flipped bit is corruption, and never another record.
//!
//! Apart from the faults, which a restart meets: here the log is open when its bytes change.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use chain::{Position, Record};
use creditbank_store_log::{Log, Options, scan};
use durable::SimFs;
use store::ReadError;
use store::contract::{SampleKeys, block};

/// The bytes of a frame in a segment, and the position of its record.
struct Frame {
    path: PathBuf,
    from: u64,
    to: u64,
    position: Position,
}

fn ledger(fs: &SimFs, blocks: &[u64]) -> Log<SimFs> {
    let options = Options {
        segment_bytes: 4096,
        ..Options::small()
    };
    let opened = Log::open(fs.clone(), Path::new("/l"), options, Arc::new(SampleKeys));
    let (mut log, _) = opened.expect("opened");
    for n in blocks {
        let names: Vec<u64> = (0..*n).map(|i| log.head().size + i).collect();
        let block = block(log.head(), &names, 60);
        log.append(log.head(), &block).expect("appended");
    }
    log
}

/// The frames of all records, and every byte of each block: path, start, end.
fn layout(fs: &SimFs) -> (Vec<Frame>, Vec<(PathBuf, u64, u64)>) {
    let (mut frames, mut blocks) = (Vec::new(), Vec::new());
    let width = |n: usize| u64::try_from(n).expect("a length");
    for segment in scan::segments(fs, Path::new("/l")).expect("segments") {
        let mut scan = scan::Scan::open(fs, &segment.path).expect("opened");
        while let Some(piece) = scan.next_piece().expect("read") {
            let scan::Piece::Block {
                offset,
                bytes,
                block,
            } = piece
            else {
                continue;
            };
            blocks.push((segment.path.clone(), offset, offset + width(bytes.len())));
            frames.extend(
                block
                    .frame_ranges()
                    .zip(block.records())
                    .map(|(range, record)| Frame {
                        path: segment.path.clone(),
                        from: offset + width(range.start),
                        to: offset + width(range.end),
                        position: record.leaf.position,
                    }),
            );
        }
    }
    (frames, blocks)
}

fn is_corruption(got: &Result<Vec<Record>, ReadError>) -> bool {
    let corrupt = |fault: &store::Fault| matches!(fault, store::Fault::Corruption(_));
    matches!(got, Err(ReadError::Fault(fault)) if corrupt(fault))
}

#[test]
fn a_flipped_bit_under_an_open_log_is_corruption_or_changes_nothing() {
    let fs = SimFs::new();
    let log = ledger(&fs, &[1, 3, 7, 1, 9, 2]);
    let reader = log.reader();
    let all: Vec<Position> = (0..log.head().size).map(Position).collect();
    let whole = reader.get(&all).expect("whole");
    let (frames, blocks) = layout(&fs);
    assert!(
        scan::segments(&fs, Path::new("/l"))
            .expect("segments")
            .len()
            > 1
    );
    for (path, from, to) in &blocks {
        for at in *from..*to {
            let bit = 1 << (at % 8);
            fs.flip(path, at, bit).expect("flipped");
            let hit = frames
                .iter()
                .find(|frame| frame.path == *path && (frame.from..frame.to).contains(&at))
                .map(|frame| frame.position);
            for (position, record) in all.iter().zip(&whole) {
                let got = reader.get(&[*position]);
                let is_same = got
                    .as_ref()
                    .is_ok_and(|got| got.as_slice() == [record.clone()]);
                assert!(is_same != is_corruption(&got), "byte {at}: {got:?}");
                assert!(
                    !is_same || hit != Some(*position),
                    "byte {at} of {position}"
                );
            }
            assert!(
                hit.is_none() || is_corruption(&reader.get(&all)),
                "byte {at}"
            );
            fs.flip(path, at, bit).expect("flipped back");
        }
    }
    assert_eq!(reader.get(&all).expect("whole again"), whole);
}
