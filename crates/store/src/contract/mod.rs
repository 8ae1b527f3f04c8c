//! The conformance suite: one function per promise, for every store.
//!
//! Apart from the stores so that none of them can bend a promise. A back end implements [`Harness`]
//! and calls [`contract_tests!`](crate::contract_tests), which makes one test of each function.

mod cases;
mod concurrent;
mod keyed;
mod sample;

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

use crate::EventStore;

pub use cases::{
    a_block_is_all_or_nothing, a_moved_head_writes_nothing, an_empty_store, append_read_get_find,
    erasing_falls_back_to_an_earlier_record, erasing_forbidden_records_changes_nothing,
    erasing_leaves_zeros, find_returns_the_latest, get_keeps_the_order_asked, largest_block,
    marks_are_invisible, reads_are_bounded,
};
pub use concurrent::{
    find_all_grows_only_at_its_end, one_of_two_racing_appends_wins,
    readers_see_only_whole_durable_blocks, waiting_wakes_exactly,
};
pub use keyed::{
    find_all_returns_every_position, find_all_without_erased, given_keys_are_as_good_as_found_ones,
};
pub use sample::{SampleKeys, block, body_key, handle_key, keys_of_block, record_body};

/// A place where one store's data lives, which can be opened again and again.
pub trait Harness: Sync {
    /// The store under test.
    type Store: EventStore;

    /// Opens the data with [`SampleKeys`]; the store opened before was dropped.
    fn open(&self) -> Self::Store;

    /// Makes the store do what it does when nobody writes for a while.
    fn idle(&self, _store: &Self::Store) {}

    /// Runs a future to its end. For stores that need their own runtime.
    fn block_on<F: Future>(&self, future: F) -> F::Output {
        block_on(future)
    }
}

/// Makes a test of each function of the suite: `contract_tests!(MyHarness::new())`.
#[macro_export]
macro_rules! contract_tests {
    ($harness:expr) => {
        $crate::contract_tests!(@ $harness;
            an_empty_store append_read_get_find a_moved_head_writes_nothing
            a_block_is_all_or_nothing find_returns_the_latest reads_are_bounded
            get_keeps_the_order_asked erasing_leaves_zeros
            erasing_falls_back_to_an_earlier_record
            erasing_forbidden_records_changes_nothing largest_block marks_are_invisible
            find_all_returns_every_position find_all_without_erased
            given_keys_are_as_good_as_found_ones find_all_grows_only_at_its_end
            one_of_two_racing_appends_wins readers_see_only_whole_durable_blocks
            waiting_wakes_exactly);
    };
    (@ $harness:expr; $($case:ident)*) => {
        $(#[test]
        fn $case() {
            $crate::contract::$case(&$harness);
        })*
    };
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Runs a future on this thread. Enough for stores that need no runtime.
pub fn block_on<F: Future>(future: F) -> F::Output {
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut context = Context::from_waker(&waker);
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut context) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park(),
        }
    }
}
