//! What `LogStore` adds to the log: its threads.
//!
//! Apart from the contract, which holds for stores without any.

use std::path::Path;
use std::sync::Arc;
use std::thread;

use chain::{Head, Position};
use creditbank_store_log::scan::{self, Piece, Scan};
use creditbank_store_log::{LogStore, Options};
use durable::{Fs, SimFs};
use store::contract::{SampleKeys, block, block_on, body_key};
use store::{AppendError, EventStore, Fault};

fn open(fs: &SimFs, options: Options) -> LogStore<SimFs> {
    let opened = LogStore::open(fs.clone(), Path::new("/l"), options, Arc::new(SampleKeys));
    opened.expect("opened").0
}

fn n_marks(fs: &SimFs) -> usize {
    let mut n = 0;
    for segment in scan::segments(fs, Path::new("/l")).expect("segments") {
        let mut scan = Scan::open(fs, &segment.path).expect("opened");
        while let Some(piece) = scan.next_piece().expect("read") {
            n += usize::from(matches!(piece, Piece::Block { block, .. } if block.is_mark()));
        }
    }
    n
}

#[test]
fn an_idle_head_is_marked_once() {
    let fs = SimFs::new();
    let store = open(
        &fs,
        Options {
            mark_after_ms: 1,
            ..Options::small()
        },
    );
    block_on(store.append(Head::EMPTY, block(Head::EMPTY, &[1], 40))).expect("appended");
    // The writer's own clock decides when; that it does is all that is asked.
    while n_marks(&fs) == 0 {
        thread::yield_now();
    }
    assert!(!block_on(store.mark()).expect("marked already"));
    store.close().expect("closed");
    assert_eq!(n_marks(&fs), 1);
}

#[test]
fn closing_leaves_nothing_to_recover() {
    let fs = SimFs::new();
    let store = open(&fs, Options::small());
    let mut head = Head::EMPTY;
    for name in 0..100 {
        head = block_on(store.append(head, block(head, &[name], 40))).expect("appended");
    }
    store.close().expect("closed");
    let (store, report) = LogStore::open(
        fs.clone(),
        Path::new("/l"),
        Options::small(),
        Arc::new(SampleKeys),
    )
    .expect("the lock is free again");
    assert_eq!(
        (report.head, report.torn_tail, report.n_indexed),
        (head, None, 0)
    );
    let found = block_on(store.find(&[body_key(42)])).expect("finds");
    assert_eq!(found, [Some(Position(42))]);
}

#[test]
fn the_background_fills_the_spare_without_an_append() {
    let fs = SimFs::new();
    let store = open(&fs, Options::small());
    let spare = Path::new("/l/log/spare");
    while fs.open(spare, durable::Mode::Read).is_err() {
        thread::yield_now();
    }
    store.close().expect("closed");
}

#[test]
fn a_dead_writer_answers_and_reads_go_on() {
    let fs = SimFs::new();
    let store = open(
        &fs,
        Options {
            mark_after_ms: 60_000,
            ..Options::small()
        },
    );
    let first = block(Head::EMPTY, &[1], 40);
    let head = block_on(store.append(Head::EMPTY, first)).expect("appended");
    fs.crash_at(fs.ops());
    let lost = block_on(store.append(head, block(head, &[2], 40)));
    assert!(matches!(lost, Err(AppendError::Unknown { .. })), "{lost:?}");
    let refused = block_on(store.append(head, block(head, &[2], 40)));
    assert!(
        matches!(refused, Err(AppendError::Dead { .. })),
        "{refused:?}"
    );
    let refused = block_on(store.erase(&[], Position(0)));
    assert!(matches!(refused, Err(Fault::Stopped { .. })), "{refused:?}");
    assert_eq!(block_on(store.head()).expect("a head"), head);
}
