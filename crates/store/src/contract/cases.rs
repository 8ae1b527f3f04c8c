//! The promises that one caller at a time can check.
//!
//! Apart from the concurrent ones, which need threads.

use chain::{Block, Head, Position, Record};

use super::{Harness, block, body_key, handle_key};
use crate::{AppendError, EventStore, Fault, ReadError};

const ALL: u64 = u64::MAX;

fn append<H: Harness>(h: &H, store: &H::Store, block: Block) -> Head {
    h.block_on(store.append(block.prev(), block))
        .expect("appended")
}

fn head<H: Harness>(h: &H, store: &H::Store) -> Head {
    h.block_on(store.head()).expect("a head")
}

fn read<H: Harness>(h: &H, store: &H::Store, from: u64, bytes_max: u64) -> Vec<Record> {
    h.block_on(store.read(Position(from), bytes_max))
        .expect("records")
}

fn find<H: Harness>(h: &H, store: &H::Store, name: u64) -> Option<u64> {
    let keys = [body_key(name), handle_key(name)];
    let found = h.block_on(store.find(&keys)).expect("an answer");
    assert_eq!(
        found[0], found[1],
        "both keys of {name} lead to its latest record"
    );
    found[0].map(|position| position.0)
}

fn all<H: Harness>(h: &H, store: &H::Store) -> Vec<Record> {
    let mut found = Vec::new();
    loop {
        let more = read(h, store, u64::try_from(found.len()).expect("a length"), ALL);
        if more.is_empty() {
            return found;
        }
        found.extend(more);
    }
}

fn assert_past_head<T: std::fmt::Debug>(result: Result<T, ReadError>, at: u64, of: u64) {
    match result {
        Err(ReadError::PastHead { position, size }) => assert_eq!((position.0, size), (at, of)),
        other => panic!("expected an error past the head, found {other:?}"),
    }
}

/// A store without records has the empty head, and answers every question.
pub fn an_empty_store<H: Harness>(h: &H) {
    for _ in 0..2 {
        let store = h.open();
        assert_eq!(head(h, &store), Head::EMPTY);
        assert!(read(h, &store, 0, ALL).is_empty());
        assert!(h.block_on(store.get(&[])).expect("nothing").is_empty());
        assert_eq!(find(h, &store, 1), None);
        assert_eq!(h.block_on(store.erased_through()).expect("an answer"), None);
        assert_past_head(h.block_on(store.read(Position(1), ALL)), 1, 0);
        assert_past_head(h.block_on(store.get(&[Position(0)])), 0, 0);
    }
}

/// What was appended is read, got and found, before and after the store is opened again.
pub fn append_read_get_find<H: Harness>(h: &H) {
    let mut expected = Vec::new();
    let mut at = Head::EMPTY;
    for round in 0..4_u64 {
        let store = h.open();
        assert_eq!(head(h, &store), at);
        assert_eq!(all(h, &store), expected);
        let block = block(at, &[round * 10, round * 10 + 1, round * 10 + 2], 40);
        expected.extend(block.records().iter().cloned());
        at = append(h, &store, block.clone());
        assert_eq!(at, block.head());
        assert_eq!(head(h, &store), at);
        assert_eq!(all(h, &store), expected);
        for (record, position) in expected.iter().zip(0..) {
            let got = h
                .block_on(store.get(&[Position(position)]))
                .expect("a record");
            assert_eq!(got.as_slice(), std::slice::from_ref(record));
            let name = position / 3 * 10 + position % 3;
            assert_eq!(find(h, &store, name), Some(position));
        }
        assert_eq!(find(h, &store, 999), None);
    }
}

/// An append to another head than the actual one, or of a block that does not continue it, changes
/// nothing.
pub fn a_moved_head_writes_nothing<H: Harness>(h: &H) {
    let store = h.open();
    let first = block(Head::EMPTY, &[1, 2], 40);
    let at = append(h, &store, first.clone());
    let rival = block(Head::EMPTY, &[3], 40);
    match h.block_on(store.append(Head::EMPTY, rival.clone())) {
        Err(AppendError::HeadMoved { actual }) => assert_eq!(actual, at),
        other => panic!("expected a moved head, found {other:?}"),
    }
    for wrong in [rival, Block::mark(at)] {
        match h.block_on(store.append(at, wrong)) {
            Err(AppendError::Invalid { .. }) => {}
            other => panic!("expected an invalid block, found {other:?}"),
        }
    }
    assert_eq!(head(h, &store), at);
    assert_eq!(find(h, &store, 3), None);
    assert_eq!(all(h, &store), first.records());
    drop(store);
    let store = h.open();
    assert_eq!(head(h, &store), at);
    assert_eq!(find(h, &store, 3), None);
    append(h, &store, block(at, &[3], 40));
    assert_eq!(find(h, &store, 3), Some(2));
}

/// All records of a block come at once: there is no head between them.
pub fn a_block_is_all_or_nothing<H: Harness>(h: &H) {
    let store = h.open();
    let names: Vec<u64> = (0..50).collect();
    let whole = block(Head::EMPTY, &names, 64);
    let at = append(h, &store, whole.clone());
    assert_eq!(at.size, 50);
    drop(store);
    let store = h.open();
    assert_eq!(all(h, &store), whole.records());
    // A chain that breaks off inside the block continues no head.
    let inside = Block::new(Head::EMPTY, whole.records()[..10].to_vec())
        .expect("a block")
        .head();
    match h.block_on(store.append(inside, block(inside, &[99], 64))) {
        Err(AppendError::HeadMoved { actual }) => assert_eq!(actual, at),
        other => panic!("expected a moved head, found {other:?}"),
    }
}

/// `find` gives the latest position of a key across many appends, also after opening again.
pub fn find_returns_the_latest<H: Harness>(h: &H) {
    let n_names = 17;
    let mut latest = vec![None; 17];
    let mut at = Head::EMPTY;
    let mut store = h.open();
    for round in 0..60_u64 {
        let names: Vec<u64> = (0..1 + round % 5)
            .map(|i| (round * 7 + i * 3) % n_names)
            .collect();
        let first = at.size;
        at = append(h, &store, block(at, &names, 40));
        for (name, position) in names.iter().zip(first..) {
            latest[usize::try_from(*name).expect("small")] = Some(position);
        }
        if round % 20 == 19 {
            drop(store);
            store = h.open();
        }
        if round % 4 == 3 || round == 59 {
            for (name, expected) in (0..).zip(&latest) {
                assert_eq!(
                    find(h, &store, name),
                    *expected,
                    "name {name} in round {round}"
                );
            }
        }
    }
}

/// `read` returns at least one record and no more than asked for.
pub fn reads_are_bounded<H: Harness>(h: &H) {
    let store = h.open();
    let first = block(Head::EMPTY, &[1, 2, 3], 100);
    let second = block(first.head(), &[4, 5], 300);
    append(h, &store, first.clone());
    append(h, &store, second.clone());
    let expected: Vec<Record> = first
        .records()
        .iter()
        .chain(second.records())
        .cloned()
        .collect();
    let frame = |i: usize| u64::try_from(expected[i].frame_len()).expect("a length");
    let n = |from, bytes_max| read(h, &store, from, bytes_max).len();
    assert_eq!(n(0, 0), 1);
    assert_eq!(n(0, frame(0) * 2 - 1), 1);
    assert_eq!(n(0, frame(0) * 2), 2);
    assert_eq!(n(2, frame(2) + frame(3)), 2, "across blocks");
    assert_eq!(n(3, ALL), 2);
    assert_eq!(n(5, ALL), 0);
    assert_eq!(read(h, &store, 1, frame(1) * 3)[..2], expected[1..3]);
    assert_past_head(h.block_on(store.read(Position(6), ALL)), 6, 5);
}

/// `get` answers in the order asked, repeats included, and refuses what is past the head.
pub fn get_keeps_the_order_asked<H: Harness>(h: &H) {
    let store = h.open();
    let mut at = Head::EMPTY;
    for names in [[1, 2, 3], [4, 5, 6], [7, 8, 9]] {
        at = append(h, &store, block(at, &names, 50));
    }
    let asked = [7, 0, 4, 4, 8, 2].map(Position);
    let got = h.block_on(store.get(&asked)).expect("records");
    let positions: Vec<Position> = got.iter().map(|record| record.leaf.position).collect();
    assert_eq!(positions, asked);
    assert_past_head(h.block_on(store.get(&[Position(3), Position(9)])), 9, 9);
}

/// Erased records keep their leaf and lose salt, body and the keys of the body, for good.
pub fn erasing_leaves_zeros<H: Harness>(h: &H) {
    let mut store = h.open();
    let mut at = Head::EMPTY;
    for names in [[1, 2, 3], [4, 5, 6], [7, 8, 9]] {
        at = append(h, &store, block(at, &names, 50));
    }
    let before = all(h, &store);
    let erased = [4, 1].map(Position);
    for round in 0..3 {
        h.block_on(store.erase(&erased, Position(6)))
            .expect("erased");
        for (record, old) in all(h, &store).iter().zip(&before) {
            assert_eq!(record.leaf, old.leaf);
            let got = h
                .block_on(store.get(&[record.leaf.position]))
                .expect("a record");
            assert_eq!(got.as_slice(), std::slice::from_ref(record));
            if erased.contains(&record.leaf.position) {
                assert!(record.is_erased() && record.body.len() == old.body.len());
            } else {
                assert_eq!(record, old);
            }
        }
        let keys = [body_key(5), handle_key(5), body_key(6)];
        let found = h.block_on(store.find(&keys)).expect("an answer");
        assert_eq!(
            found,
            [None, Some(Position(4)), Some(Position(5))],
            "round {round}"
        );
        assert_eq!(
            h.block_on(store.erased_through()).expect("a mark"),
            Some(Position(6))
        );
        assert_eq!(head(h, &store), at);
        drop(store);
        store = h.open();
    }
    h.block_on(store.erase(&[], Position(8))).expect("marked");
    h.block_on(store.erase(&[Position(0)], Position(7)))
        .expect("erased");
    drop(store);
    let store = h.open();
    let through = h.block_on(store.erased_through()).expect("a mark");
    assert_eq!(through, Some(Position(8)), "the mark never goes back");
    assert!(read(h, &store, 0, 0)[0].is_erased());
}

/// A key of an erased body leads to the latest earlier record that still has it, and to none when all
/// are erased, whatever the store has moved elsewhere in between and after it is opened again.
pub fn erasing_falls_back_to_an_earlier_record<H: Harness>(h: &H) {
    let mut store = h.open();
    let mut at = Head::EMPTY;
    let mut next_name = 100;
    // Name 7 is at 0, 1, 20, 40, 60 and 80; between them others, enough for a store that moves keys about.
    for round in 0..5 {
        let names: Vec<u64> = (next_name..next_name + 19 - u64::from(round == 0)).collect();
        next_name += 19;
        let own: &[u64] = if round == 0 { &[7, 7] } else { &[7] };
        at = append(h, &store, block(at, &[own, &names].concat(), 50));
    }
    assert_eq!(at.size, 100);
    at = append(h, &store, block(at, &[1], 50));
    let through = Position(at.size - 1);
    let keys = [body_key(7), handle_key(7), body_key(100)];
    let steps = [(80, 60), (40, 60), (60, 20), (0, 20), (20, 1)];
    for (erased, left) in steps {
        h.block_on(store.erase(&[Position(erased)], through))
            .expect("erased");
        let expected = [Some(left), Some(80), Some(2)].map(|n| n.map(Position));
        for is_again in [false, true] {
            let found = h.block_on(store.find(&keys)).expect("an answer");
            assert_eq!(found, expected, "{erased} erased, opened again: {is_again}");
            drop(store);
            store = h.open();
        }
    }
    h.block_on(store.erase(&[Position(1)], through))
        .expect("erased");
    let found = h.block_on(store.find(&keys)).expect("an answer");
    assert_eq!(found, [None, Some(80), Some(2)].map(|n| n.map(Position)));
    append(h, &store, block(at, &[7], 50));
    assert_eq!(find(h, &store, 7), Some(101));
}

/// A record is erased only by an event in a later block.
pub fn erasing_forbidden_records_changes_nothing<H: Harness>(h: &H) {
    let store = h.open();
    let first = append(h, &store, block(Head::EMPTY, &[1, 2], 50));
    append(h, &store, block(first, &[3, 4], 50));
    let before = all(h, &store);
    for (positions, through) in [([0, 2], 3), ([0, 0], 1), ([0, 0], 4), ([0, 9], 3)] {
        let result = h.block_on(store.erase(&positions.map(Position), Position(through)));
        assert!(
            matches!(result, Err(Fault::NotErasable { .. })),
            "{positions:?} {through}"
        );
    }
    assert_eq!(all(h, &store), before);
    assert_eq!(h.block_on(store.erased_through()).expect("an answer"), None);
}

/// A block of almost 8 MiB is stored and read like any other.
pub fn largest_block<H: Harness>(h: &H) {
    let store = h.open();
    let small = append(h, &store, block(Head::EMPTY, &[1], 50));
    let names: Vec<u64> = (2..9).collect();
    let large = block(small, &names, 1_198_000);
    assert!(chain::BLOCK_BYTES_MAX - large.encoded_len() < 4096);
    append(h, &store, large.clone());
    append(h, &store, block(large.head(), &[9], 50));
    let frames = large.records().iter().map(Record::frame_len).sum::<usize>();
    let found = read(h, &store, 1, u64::try_from(frames).expect("a length"));
    // Not `assert_eq`: nobody wants to see 8 MiB.
    assert!(found == large.records());
    drop(store);
    let store = h.open();
    assert_eq!(head(h, &store).size, 9);
    let last = h.block_on(store.get(&[Position(7)])).expect("a record");
    assert!(last == large.records()[6..]);
}

/// Whatever a store writes when nobody appends, or when it is closed, is no record.
pub fn marks_are_invisible<H: Harness>(h: &H) {
    let mut at = Head::EMPTY;
    for round in 0..4 {
        let store = h.open();
        h.idle(&store);
        assert_eq!(head(h, &store), at);
        at = append(h, &store, block(at, &[round], 50));
        h.idle(&store);
        h.idle(&store);
        assert_eq!(head(h, &store), at);
        at = append(h, &store, block(at, &[round + 100], 50));
        let positions: Vec<u64> = all(h, &store).iter().map(|r| r.leaf.position.0).collect();
        assert_eq!(positions, (0..at.size).collect::<Vec<_>>());
    }
}
