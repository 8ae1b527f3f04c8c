//! The promises about all records of a key, and about keys that come with a block.
//!
//! Apart from the other cases because one who reads about `find_all` wants these alone.

use chain::{Head, Position};

use super::{Harness, block, body_key, handle_key, keys_of_block};
use crate::{EventStore, Key};

/// All positions of a key in a range.
fn within<H: Harness>(h: &H, store: &H::Store, key: Key, from: u64, below: u64) -> Vec<u64> {
    let found = h.block_on(store.find_all(key, Position(from), Position(below)));
    let found = found.expect("an answer").into_iter();
    found.map(|position| position.0).collect()
}

fn all<H: Harness>(h: &H, store: &H::Store, key: Key) -> Vec<u64> {
    within(h, store, key, 0, u64::MAX)
}

/// Appends blocks of 1 to 7 records whose names come again and again; returns the names by position.
fn fill<H: Harness>(h: &H, store: &H::Store, n_blocks: u64, given: bool) -> Vec<u64> {
    let mut names = Vec::new();
    let mut at = h.block_on(store.head()).expect("a head");
    for round in 0..n_blocks {
        // Name 0 often, also twice in a block; some only once.
        let name = |i: u64| match (round + i) % 4 {
            0 => 0,
            1 => i % 5,
            2 => 10 + round % 7,
            _ => 1_000 + round * 10 + i,
        };
        let of_block: Vec<u64> = (0..1 + round % 7).map(name).collect();
        let block = block(at, &of_block, 40);
        let keys = given.then(|| keys_of_block(&block));
        at = h
            .block_on(store.append_keyed(at, block, keys))
            .expect("appended");
        names.extend(of_block);
    }
    names
}

fn positions_of(names: &[u64], name: u64) -> Vec<u64> {
    let positions = (0..).zip(names).filter(|(_, other)| **other == name);
    positions.map(|(position, _)| position).collect()
}

fn assert_all<H: Harness>(h: &H, store: &H::Store, names: &[u64]) {
    let size = u64::try_from(names.len()).expect("a length");
    let mut asked = names.to_vec();
    asked.extend([99, 999_999]);
    asked.sort_unstable();
    asked.dedup();
    for name in asked {
        let expected = positions_of(names, name);
        assert_eq!(all(h, store, body_key(name)), expected, "name {name}");
        assert_eq!(all(h, store, handle_key(name)), expected, "name {name}");
    }
    let expected = positions_of(names, 0);
    for from in (0..=size + 1).step_by(3) {
        for below in (0..=size + 1).step_by(5).chain([u64::MAX]) {
            let part: Vec<u64> = expected
                .iter()
                .filter(|at| (from..below).contains(*at))
                .copied()
                .collect();
            let found = within(h, store, body_key(0), from, below);
            assert_eq!(found, part, "{from}..{below}");
        }
    }
}

/// `find_all` gives every position of a key, in any range, across many appends, and again after opening.
pub fn find_all_returns_every_position<H: Harness>(h: &H) {
    let store = h.open();
    assert_eq!(all(h, &store, body_key(0)), []);
    let mut names = fill(h, &store, 30, false);
    assert_all(h, &store, &names);
    drop(store);
    let store = h.open();
    assert_all(h, &store, &names);
    names.extend(fill(h, &store, 15, false));
    assert_all(h, &store, &names);
}

/// An erased record is among those of its leaf's key and not among those of its body's.
pub fn find_all_without_erased<H: Harness>(h: &H) {
    let mut store = h.open();
    let names = fill(h, &store, 40, false);
    let at = h.block_on(store.head()).expect("a head");
    let last = block(at, &[77], 40);
    h.block_on(store.append(at, last)).expect("appended");
    let mut left = positions_of(&names, 0);
    let whole = left.clone();
    assert!(left.len() > 9);
    // From the middle, the front and the end, one by one and several at once.
    let rounds: [&[usize]; 4] = [&[5], &[0], &[1, 6], &[2, 4]];
    for round in rounds {
        let erased: Vec<u64> = round.iter().map(|index| whole[*index]).collect();
        let positions: Vec<Position> = erased.iter().copied().map(Position).collect();
        h.block_on(store.erase(&positions, Position(at.size)))
            .expect("erased");
        left.retain(|position| !erased.contains(position));
        for _ in 0..2 {
            assert_eq!(all(h, &store, body_key(0)), left);
            assert_eq!(all(h, &store, handle_key(0)), whole);
            let inner = within(h, &store, body_key(0), whole[1], whole[7]);
            let is_inner = |position: &u64| (whole[1]..whole[7]).contains(position);
            let expected: Vec<u64> = left.iter().copied().filter(is_inner).collect();
            assert_eq!(inner, expected);
            drop(store);
            store = h.open();
        }
    }
    let positions: Vec<Position> = whole.iter().copied().map(Position).collect();
    h.block_on(store.erase(&positions, Position(at.size)))
        .expect("erased");
    assert_eq!(all(h, &store, body_key(0)), []);
    assert_eq!(all(h, &store, handle_key(0)), whole);
}

/// Keys that come with a block lead where those lead that the store finds by itself.
pub fn given_keys_are_as_good_as_found_ones<H: Harness>(h: &H) {
    let store = h.open();
    let mut names = fill(h, &store, 12, true);
    names.extend(fill(h, &store, 12, false));
    names.extend(fill(h, &store, 12, true));
    assert_all(h, &store, &names);
    for name in [0, 3, 11] {
        let keys = [body_key(name), handle_key(name)];
        let found = h.block_on(store.find(&keys)).expect("an answer");
        let last = positions_of(&names, name).last().copied().map(Position);
        assert_eq!(found, [last, last]);
    }
    // A head that has moved takes no keys.
    let rival = block(Head::EMPTY, &[5_555], 40);
    let keys = keys_of_block(&rival);
    h.block_on(store.append_keyed(Head::EMPTY, rival, Some(keys)))
        .expect_err("the head has moved");
    assert_eq!(all(h, &store, body_key(5_555)), []);
    drop(store);
    assert_all(h, &h.open(), &names);
}
