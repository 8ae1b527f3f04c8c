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
    let records = store.read(Position(from), views.options.read_bytes).await;
    let records = records.map_err(|error| match error {
        // An older copy of the log was put back.
        ReadError::PastHead { size, .. } => ViewsFault::OtherHistory {
            position: Position(size),
        },
        other => ViewsFault::Read(other),
    })?;
    views.apply(&records)?;
    if views.applied() > from {
        return Ok(Step::Applied);
    }
    // What was read and not applied is the first half of a pair that is still being appended.
    let size = records.last().map_or(from, |last| last.leaf.position.0 + 1);
    if records.is_empty() {
        check_head(store, views).await?;
    }
    tokio::select! {
        head = store.wait_past(Position(size)) => head.map(drop).map_err(ViewsFault::Store)?,
        () = views.wait_damaged() => return Err(ViewsFault::damaged("a reader came across it")),
    }
    Ok(Step::CaughtUp)
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
            what: other.to_string(),
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
