//! The log answers as the in-memory store does, whatever is done to both in whatever order.
//!
//! Apart from the contract, which states the promises one by one: here chance looks for what they miss.

use std::path::Path;
use std::sync::Arc;

use chain::{Head, Position};
use creditbank_store_log::sweep::rehash;
use creditbank_store_log::{Log, Options};
use durable::{Fs, SimFs, Survivors};
use proptest::collection::vec;
use proptest::prelude::{Just, Strategy, any, prop_oneof};
use proptest::test_runner::{Config, TestCaseError};
use proptest::{prop_assert_eq, proptest};
use store::contract::{SampleKeys, block, block_on, body_key, handle_key};
use store::{EventStore, MemoryStore};

#[derive(Debug, Clone)]
enum Act {
    Append { names: Vec<u64>, body_len: usize },
    Mark,
    Work(usize),
    Erase(Vec<u64>),
    Reopen { cleanly: bool },
    LoseIndex,
    Get(Vec<u64>),
    Read(u64, u64),
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    // A few names come again and again, so that what is left after an erasure is an earlier record.
    let names = prop_oneof![1 => 0..4_u64, 3 => 0..40_u64];
    let act = prop_oneof![
        8 => (vec(names, 1..20), 16..400_usize)
            .prop_map(|(names, body_len)| Act::Append { names, body_len }),
        1 => any::<bool>().prop_map(|_| Act::Mark),
        3 => (1..30_usize).prop_map(Act::Work),
        2 => vec(0..200_u64, 0..12).prop_map(Act::Erase),
        1 => Just(Act::LoseIndex),
        1 => any::<bool>().prop_map(|cleanly| Act::Reopen { cleanly }),
        2 => vec(0..200_u64, 1..8).prop_map(Act::Get),
        2 => (0..200_u64, 0..9000_u64).prop_map(|(from, bytes)| Act::Read(from, bytes)),
    ];
    vec(act, 1..60)
}

fn open(fs: &SimFs, options: &Options) -> Log<SimFs> {
    let opened = Log::open(
        fs.clone(),
        Path::new("/l"),
        options.clone(),
        Arc::new(SampleKeys),
    );
    opened.expect("opened").0
}

/// Removes every file of the key index.
fn lose_index(fs: &SimFs) {
    let dir = Path::new("/l/keys");
    for name in fs.list(dir).expect("an index") {
        fs.remove(&dir.join(name)).expect("removed");
    }
}

fn same_found(log: &Log<SimFs>, memory: &MemoryStore) -> Result<(), TestCaseError> {
    for name in 0..41 {
        let keys = [body_key(name), handle_key(name)];
        let found = log.find(&keys).expect("finds");
        let expected = block_on(memory.find(&keys)).expect("finds");
        prop_assert_eq!(found, expected, "by body and leaf, name {}", name);
        for key in keys {
            for (from, below) in [(0, u64::MAX), (name, 60 + name * 5)] {
                let (from, below) = (Position(from), Position(below));
                let found = log.find_all(key, from, below).expect("finds");
                let expected = block_on(memory.find_all(key, from, below)).expect("finds");
                prop_assert_eq!(found, expected, "all, name {}, from {}", name, from);
            }
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(Config { failure_persistence: None, cases: 96, ..Config::default() })]

    #[test]
    fn the_log_answers_as_memory_does(acts in acts(), is_aligned: bool, memtable_keys_max in 1..60_usize) {
        let block_align = if is_aligned { 256 } else { 1 };
        let options = Options {
            segment_bytes: 12 << 10,
            block_align,
            memtable_keys_max,
            filter_cache_bytes: 4096,
            ..Options::small()
        };
        let mut fs = SimFs::new();
        let mut log = open(&fs, &options);
        let memory = MemoryStore::new(Arc::new(SampleKeys));
        let mut head = Head::EMPTY;
        let mut last_block = 0;
        for act in acts {
            match act {
                Act::Append { names, body_len } => {
                    let block = block(head, &names, body_len);
                    last_block = head.size;
                    log.append(head, &block).expect("appended");
                    head = block_on(memory.append(head, block)).expect("appended");
                }
                Act::Mark => {
                    log.mark_if_idle().expect("marked");
                }
                Act::Work(n) => {
                    let work = log.background();
                    (0..n).for_each(|_| { work.step().expect("works"); });
                }
                Act::Erase(positions) => {
                    if head.size == 0 { continue; }
                    let through = Position(head.size - 1);
                    let below = positions.into_iter().filter(|p| *p < last_block);
                    let positions: Vec<Position> = below.map(Position).collect();
                    log.erase(&positions, through).expect("erased");
                    block_on(memory.erase(&positions, through)).expect("erased");
                    prop_assert_eq!(log.erased_through(), Some(through));
                    same_found(&log, &memory)?;
                }
                Act::Reopen { cleanly: true } => {
                    log.close().expect("closed");
                    log = open(&fs, &options);
                }
                Act::Reopen { cleanly: false } => {
                    fs = fs.after_crash(Survivors::Half);
                    log = open(&fs, &options);
                }
                Act::LoseIndex => {
                    log.close().expect("closed");
                    lose_index(&fs);
                    log = open(&fs, &options);
                }
                Act::Get(positions) => {
                    let below = positions.into_iter().filter(|p| *p < head.size);
                    let positions: Vec<Position> = below.map(Position).collect();
                    let got = log.reader().get(&positions).expect("records");
                    prop_assert_eq!(got, block_on(memory.get(&positions)).expect("records"));
                }
                Act::Read(from, bytes) => {
                    let from = Position(from.min(head.size));
                    let got = log.reader().read(from, bytes).expect("records");
                    prop_assert_eq!(got, block_on(memory.read(from, bytes)).expect("records"));
                }
            }
            prop_assert_eq!(log.head(), head);
        }
        same_found(&log, &memory)?;
        while log.background().step().expect("works") {}
        same_found(&log, &memory)?;
        prop_assert_eq!(rehash(&fs, Path::new("/l")), Ok(head));
    }
}

proptest! {
    #![proptest_config(Config { failure_persistence: None, cases: 16, ..Config::default() })]

    /// Pages of the index that hold one key only, and are emptied one entry after the other.
    #[test]
    fn few_keys_with_many_records_are_erased(
        names in vec(0..3_u64, 600),
        erased in vec(0..600_u64, 1..500),
        n_at_once in 1..90_usize,
        whole: Option<u64>,
    ) {
        let options = Options { memtable_keys_max: 300, ..Options::small() };
        let fs = SimFs::new();
        let mut log = open(&fs, &options);
        let memory = MemoryStore::new(Arc::new(SampleKeys));
        let mut head = Head::EMPTY;
        for names in names.chunks(50).chain([&[40][..]]) {
            let block = block(head, names, 16);
            log.append(head, &block).expect("appended");
            head = block_on(memory.append(head, block)).expect("appended");
        }
        log.close().expect("closed");
        log = open(&fs, &options);
        while log.background().step().expect("works") {}
        let whole = whole.map(|name| name % 3);
        let all = (0..).zip(&names).filter(|(_, name)| Some(**name) == whole);
        let erased: Vec<u64> = erased.into_iter().chain(all.map(|(at, _)| at)).collect();
        let through = Position(600);
        for positions in erased.chunks(n_at_once) {
            let positions: Vec<Position> = positions.iter().copied().map(Position).collect();
            log.erase(&positions, through).expect("erased");
            block_on(memory.erase(&positions, through)).expect("erased");
            same_found(&log, &memory)?;
        }
        log.close().expect("closed");
        log = open(&fs, &options);
        same_found(&log, &memory)?;
        log.close().expect("closed");
        lose_index(&fs);
        same_found(&open(&fs, &options), &memory)?;
    }
}
