//! The promises that need several callers at once.
//!
//! Apart from the others because they run threads; none of them depends on timing to pass.

use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Waker};
use std::thread;

use chain::{Head, Position};

use super::{Harness, block, body_key};
use crate::{AppendError, EventStore};

/// Readers that run beside appends see whole blocks, in order, that are readable and findable.
pub fn readers_see_only_whole_durable_blocks<H: Harness>(h: &H)
where
    H::Store: Sync,
{
    const BLOCK_RECORDS: u64 = 7;
    let store = h.open();
    let done = AtomicBool::new(false);
    let mut at = Head::EMPTY;
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let mut seen = 0;
                while !done.load(Ordering::Relaxed) {
                    let head = h.block_on(store.head()).expect("a head");
                    assert!(head.size >= seen, "the head never goes back");
                    assert_eq!(head.size % BLOCK_RECORDS, 0, "only whole blocks");
                    seen = head.size;
                    let Some(last) = seen.checked_sub(1).map(Position) else {
                        continue;
                    };
                    let got = h.block_on(store.get(&[last])).expect("a record");
                    assert_eq!(got[0].hash(), head.hash);
                    let first = Position(seen - BLOCK_RECORDS);
                    let read = h.block_on(store.read(first, u64::MAX)).expect("records");
                    assert!(read.iter().all(chain::Record::commitment_holds));
                    let found = h
                        .block_on(store.find(&[body_key(last.0)]))
                        .expect("an answer");
                    assert_eq!(found, [Some(last)]);
                }
            });
        }
        for _ in 0..150 {
            let names: Vec<u64> = (at.size..at.size + BLOCK_RECORDS).collect();
            at = h
                .block_on(store.append(at, block(at, &names, 120)))
                .expect("appended");
        }
        done.store(true, Ordering::Relaxed);
    });
}

/// Asked while blocks are appended, and while a store moves keys about, `find_all` gives all positions up
/// to the head that was seen before, each once.
pub fn find_all_grows_only_at_its_end<H: Harness>(h: &H)
where
    H::Store: Sync,
{
    let store = h.open();
    let done = AtomicBool::new(false);
    let mut at = Head::EMPTY;
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    let head = h.block_on(store.head()).expect("a head");
                    let all = store.find_all(body_key(7), Position(0), Position(u64::MAX));
                    let found = h.block_on(all).expect("an answer");
                    // Name 7 is at every third position.
                    let expected: Vec<Position> =
                        (0..).step_by(3).map(Position).take(found.len()).collect();
                    assert_eq!(found, expected);
                    let n_min = usize::try_from(head.size.div_ceil(3)).expect("small");
                    assert!(found.len() >= n_min, "{} of {n_min}", found.len());
                }
            });
        }
        for _ in 0..200 {
            let name = |position: u64| {
                if position.is_multiple_of(3) {
                    7
                } else {
                    position + 100
                }
            };
            let names: Vec<u64> = (at.size..at.size + 4).map(name).collect();
            at = h
                .block_on(store.append(at, block(at, &names, 40)))
                .expect("appended");
        }
        done.store(true, Ordering::Relaxed);
    });
}

/// Of two appends to the same head exactly one succeeds; the other learns the new head.
pub fn one_of_two_racing_appends_wins<H: Harness>(h: &H)
where
    H::Store: Sync,
{
    let store = h.open();
    let mut at = Head::EMPTY;
    for round in 0..20 {
        let append = |name| h.block_on(store.append(at, block(at, &[name], 60)));
        let (a, b) = thread::scope(|scope| {
            let a = scope.spawn(|| append(round * 2));
            let b = scope.spawn(|| append(round * 2 + 1));
            (a.join().expect("no panic"), b.join().expect("no panic"))
        });
        at = match (a, b) {
            (Ok(head), Err(AppendError::HeadMoved { actual }))
            | (Err(AppendError::HeadMoved { actual }), Ok(head)) => {
                assert_eq!(head, actual);
                head
            }
            other => panic!("expected one winner, found {other:?}"),
        };
        assert_eq!(at.size, round + 1);
    }
}

/// `wait_past` is pending while the head's size is at most the position, and ready from then on.
pub fn waiting_wakes_exactly<H: Harness>(h: &H)
where
    H::Store: Sync,
{
    let store = h.open();
    let is_pending = |position| {
        let mut context = Context::from_waker(Waker::noop());
        pin!(store.wait_past(Position(position)))
            .poll(&mut context)
            .is_pending()
    };
    assert!(is_pending(0));
    let first = block(Head::EMPTY, &[1, 2], 50);
    let second = block(first.head(), &[3], 50);
    let woken = thread::scope(|scope| {
        let waiter = scope.spawn(|| h.block_on(store.wait_past(Position(2))));
        h.block_on(store.append(Head::EMPTY, first.clone()))
            .expect("appended");
        assert!(!is_pending(0) && !is_pending(1) && is_pending(2));
        assert_eq!(
            h.block_on(store.wait_past(Position(1))).expect("a head"),
            first.head()
        );
        assert!(
            !waiter.is_finished(),
            "two records do not reach past position 2"
        );
        h.block_on(store.append(first.head(), second.clone()))
            .expect("appended");
        waiter.join().expect("no panic").expect("a head")
    });
    assert_eq!(woken, second.head());
    assert!(is_pending(3));
}
