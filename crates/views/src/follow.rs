//! Following the log: the task that keeps the views up to date.
//!
//! Apart from `apply` because this is the only place that waits, and the only one that decides when the
//! views are to be built anew.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use chain::Position;
use store::{EventStore, ReadError};

use crate::fault::{ViewsFault, Why};
use crate::views::Views;

/// Applies every record of the store, in order, once, and then as it comes, until `stop`.
///
/// Views that turn out to be damaged, here or to a reader, or to be of another history are built anew on
/// the spot; a second time before having caught up is an error, because then they are not the cause.
///
/// A step in progress is finished when `stop` comes; what it read and did not apply is read again next
/// time. Blocks while it applies a batch, so run it on a thread of its own.
///
/// # Errors
/// The store fails, a record does not decode, or the database fails other than by damage. The views stay
/// as far as they are, and can be followed again.
pub async fn follow<S: EventStore>(
    store: Arc<S>,
    views: Arc<Views>,
    stop: impl Future<Output = ()>,
) -> Result<(), ViewsFault> {
    let mut stop = pin!(stop);
    let mut rebuilt = false;
    loop {
        let step = tokio::select! {
            biased;
            () = &mut stop => return Ok(()),
            step = advance(&*store, &views) => step,
        };
        match step {
            Ok(Step::Applied) => give_way().await,
            Ok(Step::CaughtUp) => rebuilt = false,
            Err(fault) if fault.calls_for_rebuild() && !rebuilt => {
                rebuilt = true;
                views.rebuild(why(fault))?;
            }
            Err(fault) => return Err(fault),
        }
    }
}

enum Step {
    /// More may be there already.
    Applied,
    /// Everything was applied, and then more came.
    CaughtUp,
}

/// Applies what comes next, or waits for it.
async fn advance<S: EventStore>(store: &S, views: &Views) -> Result<Step, ViewsFault> {
    let from = views.applied();
    let mut bytes = views.options.read_bytes;
    loop {
        let records = store
            .read(Position(from), bytes)
            .await
            .map_err(read_fault)?;
        views.apply(store, &records).await?;
        if views.applied() > from {
            return Ok(Step::Applied);
        }
        let Some(last) = records.last() else { break };
        // The first half of a pair was read alone. The second is there, or will be: ask for more.
        wait_past(store, views, last.leaf.position.0 + 1).await?;
        bytes = bytes.saturating_mul(2);
    }
    check_head(store, views).await?;
    wait_past(store, views, from).await?;
    Ok(Step::CaughtUp)
}

/// Waits until the log has more than `size` records.
async fn wait_past<S: EventStore>(store: &S, views: &Views, size: u64) -> Result<(), ViewsFault> {
    tokio::select! {
        biased;
        () = views.wait_damaged() => Err(ViewsFault::damaged("a reader came across it")),
        head = store.wait_past(Position(size)) => head.map(drop).map_err(ViewsFault::Store),
    }
}

fn read_fault(error: ReadError) -> ViewsFault {
    match error {
        // An older copy of the log was put back.
        ReadError::PastHead { size, .. } => ViewsFault::OtherHistory {
            position: Position(size),
        },
        other => ViewsFault::Read(other),
    }
}

/// Whether a log of the same size is the same log; a longer one is checked by what is applied next.
async fn check_head<S: EventStore>(store: &S, views: &Views) -> Result<(), ViewsFault> {
    let head = store.head().await.map_err(ViewsFault::Store)?;
    let reach = views.lock_writer().reach.head();
    if head.size == reach.size && head != reach {
        let position = Position(reach.size.saturating_sub(1));
        return Err(ViewsFault::OtherHistory { position });
    }
    Ok(())
}

fn why(fault: ViewsFault) -> Why {
    match fault {
        ViewsFault::OtherHistory { .. } => Why::OtherHistory,
        other => Why::Damaged {
            what: other.with_causes(),
        },
    }
}

/// Lets other tasks of the thread run, and `stop` be seen, between two batches.
async fn give_way() {
    let mut gave = false;
    std::future::poll_fn(|context| {
        if gave {
            return Poll::Ready(());
        }
        gave = true;
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

#[cfg(test)]
mod tests {
    //! Here and not outside, because damage is done with sled's own means.

    use super::*;
    use crate::views::{Opened, Options};
    use chain::{BlockBuilder, Head, Institution, Record, Salt, Timestamp};
    use ledger::event::{LearnerRegistered, Opening};
    use ledger::words::{ProvisionalReference, StudentNumber};
    use ledger::{Body, KeySecret, codec};
    use store::contract::block_on;
    use store::{Key, Keys, MemoryStore};

    struct NoKeys;

    impl Keys for NoKeys {
        fn keys_of(&self, _: &Record) -> Vec<Key> {
            Vec::new()
        }
    }

    const LEARNERS: u8 = 40;

    fn store() -> Arc<MemoryStore> {
        let store = MemoryStore::new(Arc::new(NoKeys));
        let mut block = BlockBuilder::new(Head::default(), Timestamp(1));
        for number in 1..=LEARNERS {
            let reference = ProvisionalReference::Student(StudentNumber {
                institution: "uni-a".parse().unwrap(),
                number: number.to_string(),
            });
            let body = Body::LearnerRegistered(LearnerRegistered {
                opening: Opening::Provisional(reference),
                request_id: String::new(),
            });
            let operator = Institution::OPERATOR;
            let learner = Some((chain::Handle([number; 16]), None));
            let salt = Salt([1; 32]);
            block
                .push(
                    codec::number_of(body.kind()),
                    operator,
                    operator,
                    learner,
                    salt,
                    codec::encode(&body),
                )
                .unwrap();
        }
        block_on(store.append(Head::default(), block.finish())).unwrap();
        Arc::new(store)
    }

    fn open(dir: &std::path::Path) -> (Arc<Views>, Opened) {
        let options = Options {
            buffer_entries: 0,
            ..Options::default()
        };
        let (views, opened) = Views::open(dir, [1; 16], KeySecret([7; 32]), options).unwrap();
        (Arc::new(views), opened)
    }

    /// Overwrites every value of a tree with a value of another key.
    fn damage(views: &Views, tree: &str) {
        let trees = views.trees.read().unwrap();
        let tree = trees.as_ref().unwrap().db.open_tree(tree).unwrap();
        let (_, other) = tree.first().unwrap().unwrap();
        for key in tree.iter().keys().skip(1) {
            tree.insert(key.unwrap(), other.clone()).unwrap();
        }
    }

    fn follow_until_whole(store: &Arc<MemoryStore>, views: &Arc<Views>) {
        let whole = views.wait_applied(u64::from(LEARNERS));
        block_on(follow(Arc::clone(store), Arc::clone(views), whole)).unwrap();
    }

    #[test]
    fn damage_that_a_reader_comes_across_is_mended() {
        let dir = tempfile::tempdir().unwrap();
        let store = store();
        let (views, _) = open(dir.path());
        follow_until_whole(&store, &views);
        let whole = u64::from(LEARNERS);
        let pending = || views.pending(None, usize::MAX, whole);
        let before = pending().unwrap();
        assert_eq!(before.0.len(), usize::from(LEARNERS));
        damage(&views, "provisional");
        let fault = pending().unwrap_err();
        assert_eq!(
            fault.to_string(),
            "the views are damaged: a value of the tree `provisional` does not check"
        );
        // `follow` is woken by that, builds anew, and catches up.
        let mended = async {
            while pending().is_err() || views.applied() < whole {
                give_way().await;
            }
        };
        block_on(follow(Arc::clone(&store), Arc::clone(&views), mended)).unwrap();
        assert_eq!(pending().unwrap(), before);
    }

    #[test]
    fn damage_noticed_before_closing_is_remembered() {
        let dir = tempfile::tempdir().unwrap();
        let store = store();
        let (views, _) = open(dir.path());
        follow_until_whole(&store, &views);
        damage(&views, "provisional");
        views.pending(None, 9, u64::from(LEARNERS)).unwrap_err();
        views.close().unwrap();
        drop(views);
        let (_, opened) = open(dir.path());
        let what = "noticed before they were closed".to_owned();
        assert_eq!(
            opened,
            Opened::Rebuilding {
                why: Why::Damaged { what }
            }
        );
    }
}
