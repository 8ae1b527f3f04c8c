//! Following a store: everything, once, until told to stop.

use std::future::{Future, pending as never};
use std::sync::Arc;
use std::time::Duration;

use chain::Position;
use tokio::sync::oneshot;
use tokio::task::LocalSet;
use views::{Opened, Options, Views, ViewsFault, follow};

use crate::sample::{LEDGER, Log, SECRET, handle, issued, open, options, pending, scratch};

/// Runs on one thread; a test that hangs fails.
fn run<F: Future>(future: F) -> F::Output {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    let limited = async { tokio::time::timeout(Duration::from_secs(60), future).await };
    runtime
        .block_on(LocalSet::new().run_until(limited))
        .expect("it hangs")
}

async fn stopped(stop: oneshot::Receiver<()>) {
    stop.await.unwrap();
}

#[test]
fn everything_is_applied_as_it_comes_until_the_end() {
    let mut log = Log::new();
    let [a, b] = [1, 2].map(handle);
    log.register(a);
    log.register(b);
    let dir = tempfile::tempdir().unwrap();
    // One record at a time, so that pairs are cut too.
    let options = Options {
        read_bytes: 1,
        ..options()
    };
    let views = Arc::new(Views::open(dir.path(), LEDGER, SECRET, options).unwrap().0);
    run(async {
        let (stop, told) = oneshot::channel();
        let following = follow(Arc::clone(&log.store), Arc::clone(&views), stopped(told));
        let following = tokio::task::spawn_local(following);
        views.wait_applied(2).await;
        for number in 0..200 {
            log.record("uni-a", a, &number.to_string());
            if number % 50 == 0 {
                views.wait_applied(log.size()).await;
            }
        }
        views.wait_applied(log.size()).await;
        assert_eq!(views.applied(), log.size());
        stop.send(()).unwrap();
        following.await.unwrap().unwrap();
    });
    log.record("uni-a", a, "late");
    assert_eq!(views.applied(), 202, "it has stopped");
    let expected: Vec<u64> = (2..202).collect();
    assert_eq!(issued(&views, "uni-a"), expected);
}

#[test]
fn a_pair_cut_by_the_length_of_a_read_is_applied_whole() {
    let mut log = Log::new();
    let [a, b] = [1, 2].map(handle);
    log.provisional(a);
    log.register(b);
    log.merge(a, b);
    log.record("uni-a", b, "a");
    let dir = tempfile::tempdir().unwrap();
    let options = Options {
        read_bytes: 1,
        ..options()
    };
    let views = Arc::new(Views::open(dir.path(), LEDGER, SECRET, options).unwrap().0);
    run(async {
        let (stop, told) = oneshot::channel();
        let following = follow(Arc::clone(&log.store), Arc::clone(&views), stopped(told));
        let following = tokio::task::spawn_local(following);
        views.wait_applied(5).await;
        stop.send(()).unwrap();
        following.await.unwrap().unwrap();
    });
    assert_eq!(pending(&views), []);
    assert_eq!(issued(&views, "uni-a"), [4]);
}

#[test]
fn another_log_in_the_same_place_is_noticed() {
    for (kept, grown) in [(3, 0), (5, 0), (3, 20), (10, 0)] {
        let mut old = Log::new();
        for number in 0..10 {
            old.record("uni-a", handle(1), &number.to_string());
        }
        let (views, dir) = scratch();
        old.apply_to(&views);
        views.close().unwrap();
        drop(views);

        // As when an older copy is put back and then appended to.
        let mut new = Log::new();
        for number in 0..kept {
            new.record("uni-a", handle(1), &number.to_string());
        }
        for number in 0..grown {
            new.record("uni-b", handle(2), &number.to_string());
        }
        let (views, opened) = open(dir.path());
        assert_eq!(opened, Opened::Resumed { applied: 10 });
        let views = Arc::new(views);
        run(async {
            let (stop, told) = oneshot::channel();
            let following = follow(Arc::clone(&new.store), Arc::clone(&views), stopped(told));
            let following = tokio::task::spawn_local(following);
            while views.applied() != new.size() {
                tokio::task::yield_now().await;
            }
            stop.send(()).unwrap();
            following.await.unwrap().unwrap();
        });
        for (issuer, count) in [("uni-a", kept), ("uni-b", grown)] {
            let count = usize::try_from(count).unwrap();
            assert_eq!(issued(&views, issuer).len(), count);
        }
    }
}

#[test]
fn a_record_that_does_not_decode_ends_it_with_its_position() {
    let mut log = Log::new();
    log.register(handle(1));
    let (views, _dir) = scratch();
    let mut records = log.records(0);
    records[0].body = vec![0xff];
    let fault = log.apply(&views, &records).unwrap_err();
    assert!(
        matches!(
            fault,
            ViewsFault::Record {
                position: Position(0),
                ..
            }
        ),
        "{fault}"
    );
    assert!(!fault.calls_for_rebuild());
    // Nothing was taken in, and the right bytes still can be.
    log.apply_to(&views);
}

#[test]
fn closed_views_end_it() {
    let mut log = Log::new();
    log.register(handle(1));
    let (views, _dir) = scratch();
    views.close().unwrap();
    let ended = run(follow(Arc::clone(&log.store), Arc::new(views), never()));
    assert!(matches!(ended, Err(ViewsFault::Closed)));
}
