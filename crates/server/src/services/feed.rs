//! Answers that come as they are made: what the three streams of the API share.
//!
//! Apart from the streams so that their bounds are in one place: how many are open, how far each is ahead
//! of its reader, how each ends. A task makes the answers and a bounded channel carries them, so that a
//! reader who does not read costs a few messages of memory and no work; the reader's side of the channel
//! holds nothing else, least of all the store.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use ledger::Rejection;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot, watch};
use tokio::time::{Interval, MissedTickBehavior};
use tokio_stream::Stream;
use tonic::{Code, Status};

use crate::from_proto::malformed;
use crate::limits::StreamLimits;
use crate::status::Explanation;

/// Messages that are made ahead of the reader.
const AHEAD: usize = 1;
/// Longest time between two signs of life; the proto files promise it.
const HEARTBEAT_SECONDS_MAX: u32 = 300;
/// Time between two signs of life when the caller does not say.
const HEARTBEAT_SECONDS_DEFAULT: u32 = 15;

/// What all streams of a server share.
#[derive(Debug)]
pub struct Streams {
    places: Arc<Semaphore>,
    stopping: watch::Receiver<bool>,
    /// Bounds of each.
    pub(super) limits: StreamLimits,
}

/// How a stream ends before its caller ends it.
#[derive(Debug)]
pub(super) enum Over {
    /// The caller has gone: there is nobody to tell.
    Gone,
    /// The server stops.
    Stopping,
    /// With a "no".
    Refused(Status),
}

/// The side that makes answers.
#[derive(Debug)]
pub(super) struct Feed<T> {
    sender: mpsc::Sender<T>,
    end: oneshot::Sender<Result<(), Status>>,
    stopping: watch::Receiver<bool>,
    _place: OwnedSemaphorePermit,
}

/// The side that the transport reads.
#[derive(Debug)]
pub struct Answers<T> {
    answers: mpsc::Receiver<T>,
    /// Taken when there are no more answers.
    end: Option<oneshot::Receiver<Result<(), Status>>>,
}

impl Streams {
    /// As many places as the limits say, until `stopping` becomes true.
    #[must_use]
    pub fn new(limits: StreamLimits, stopping: watch::Receiver<bool>) -> Self {
        Streams {
            places: Arc::new(Semaphore::new(limits.open_max)),
            stopping,
            limits,
        }
    }

    /// How many are open, and how many may be.
    pub(crate) fn open_count(&self) -> (u64, u64) {
        let wide = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
        let max = self.limits.open_max;
        let open = max.saturating_sub(self.places.available_permits());
        (wide(open), wide(max))
    }

    /// Opens a stream, unless too many are open.
    pub(super) fn open<T>(&self) -> Result<(Feed<T>, Answers<T>), Status> {
        let place = Arc::clone(&self.places).try_acquire_owned();
        let place = place.map_err(|_| self.full())?;
        let (sender, answers) = mpsc::channel(AHEAD);
        let (end, ended) = oneshot::channel();
        let feed = Feed {
            sender,
            end,
            stopping: self.stopping.clone(),
            _place: place,
        };
        let end = Some(ended);
        Ok((feed, Answers { answers, end }))
    }

    fn full(&self) -> Status {
        let max = self.limits.open_max;
        let sentence = format!("{max} streams are open, as many as may be: try again later");
        let full = Explanation::new(Code::ResourceExhausted, "TOO_MANY_STREAMS", sentence);
        let retry_after = Some(Duration::from_secs(5));
        Explanation {
            retry_after,
            ..full.with("limit", max)
        }
        .status()
    }
}

impl<T> Feed<T> {
    /// Waits until the reader has room for an answer, which is then sent with [`Feed::send_now`].
    pub(super) async fn room(&mut self) -> Result<(), Over> {
        let Feed {
            sender, stopping, ..
        } = self;
        tokio::select! {
            biased;
            () = told(stopping) => Err(Over::Stopping),
            room = sender.reserve() => room.map(drop).map_err(|_| Over::Gone),
        }
    }

    /// Sends an answer for which there is room: nobody else takes it.
    pub(super) fn send_now(&self, answer: T) -> Result<(), Over> {
        self.sender.try_send(answer).map_err(|_| Over::Gone)
    }

    /// Sends an answer as soon as there is room, also while the server stops.
    pub(super) async fn send(&self, answer: T) -> Result<(), Over> {
        let sent = self.sender.send(answer).await;
        sent.map_err(|_| Over::Gone)
    }

    /// What a future answers, unless the stream is over before.
    pub(super) async fn unless_over<O>(
        &mut self,
        future: impl Future<Output = O>,
    ) -> Result<O, Over> {
        let Feed {
            sender, stopping, ..
        } = self;
        tokio::select! {
            biased;
            () = told(stopping) => Err(Over::Stopping),
            () = sender.closed() => Err(Over::Gone),
            output = future => Ok(output),
        }
    }

    /// Becomes true when the server stops.
    pub(super) fn stopping(&self) -> watch::Receiver<bool> {
        self.stopping.clone()
    }

    /// Ends the stream after what has been sent. `again` says what to do when the server stops.
    pub(super) fn end(self, over: Result<(), Over>, again: &str) {
        let end = match over {
            Ok(()) | Err(Over::Gone) => Ok(()),
            Err(Over::Stopping) => Err(stopping(again)),
            Err(Over::Refused(status)) => Err(status),
        };
        // Order: the end is known before the sender goes, which is when the reader asks for it.
        let _ = self.end.send(end);
    }
}

impl<T> Stream for Answers<T> {
    type Item = Result<T, Status>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        match self.answers.poll_recv(context) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Some(answer)) => Poll::Ready(Some(Ok(answer))),
            Poll::Ready(None) => Poll::Ready(self.end.take().and_then(last).map(Err)),
        }
    }
}

/// The status of the end, if it is a "no".
fn last(mut end: oneshot::Receiver<Result<(), Status>>) -> Option<Status> {
    match end.try_recv() {
        Ok(end) => end.err(),
        Err(_) => Some(Status::internal("the stream was cut off")),
    }
}

/// Returns when the server stops.
pub(super) async fn told(stopping: &mut watch::Receiver<bool>) {
    // A server that is gone has stopped as well.
    let _ = stopping.wait_for(|stop| *stop).await;
}

/// What is said when the server stops.
fn stopping(again: &str) -> Status {
    let sentence = format!("the server is stopping: {again}");
    let stopping = Explanation::new(Code::Unavailable, "SERVER_STOPPING", sentence);
    let retry_after = Some(Duration::from_secs(1));
    Explanation {
        retry_after,
        ..stopping
    }
    .status()
}

/// Signs of life on a stream that has nothing else to say.
#[derive(Debug)]
pub(super) struct Beat(Interval);

impl Beat {
    /// One after so many seconds of silence; 0 for the default.
    pub(super) fn every(seconds: u32) -> Result<Self, Rejection> {
        let seconds = match seconds {
            0 => HEARTBEAT_SECONDS_DEFAULT,
            1..=HEARTBEAT_SECONDS_MAX => seconds,
            _ => {
                let problem = format!(
                    "is {seconds}; from 1 to {HEARTBEAT_SECONDS_MAX}, or 0 for \
                     {HEARTBEAT_SECONDS_DEFAULT}"
                );
                return Err(malformed("heartbeat_seconds", problem));
            }
        };
        let mut interval = tokio::time::interval(Duration::from_secs(seconds.into()));
        interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
        interval.reset();
        Ok(Beat(interval))
    }

    /// Something was sent: the silence begins anew.
    pub(super) fn sent(&mut self) {
        self.0.reset();
    }

    /// Returns when the silence has been long enough.
    pub(super) async fn due(&mut self) {
        self.0.tick().await;
    }

    /// Whether the silence has been long enough.
    pub(super) async fn is_due(&mut self) -> bool {
        tokio::select! {
            biased;
            () = self.due() => true,
            () = std::future::ready(()) => false,
        }
    }
}
