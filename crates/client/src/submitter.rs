//! Submitting one achievement after another, each answered once and in order, whatever happens to the
//! connection.
//!
//! Apart from single calls because a stream is not repeated as a whole: what has been answered is settled,
//! and only the rest is sent again.
//!
//! Order: achievements are gathered into requests as they come, a bounded number of requests is on its way,
//! answers come in the order of sending. After a cut a new stream begins with the first request that has no
//! answer; what the bank had recorded of it is answered with its first receipt.

use std::collections::BTreeSet;
use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll};

use api::v1;
use tokio::sync::mpsc;
use tokio_stream::{Stream, StreamExt};

use crate::connection::Client;
use crate::refusal::Refusal;
use crate::resumption::Resumption;

/// Most achievements of one request, which is as many as the bank takes by default.
const BATCH_MAX: usize = 1000;
/// Bytes of a request as a message, well below the bank's limit of 4 MiB.
const BATCH_BYTES_MAX: usize = 1 << 20;

/// How to submit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Submitting {
    /// Most achievements of one request, 1 to 1,000.
    pub batch: usize,
    /// Requests on their way at a time.
    pub in_flight: usize,
}

impl Default for Submitting {
    fn default() -> Self {
        Self {
            batch: 200,
            in_flight: 8,
        }
    }
}

/// An achievement, and the learner to register before it if the student number is bound to nobody yet.
#[derive(Debug, Clone, PartialEq)]
pub struct Submission {
    /// What is submitted.
    pub achievement: v1::Achievement,
    /// See [`v1::NewLearner`].
    pub new_learner: Option<v1::NewLearner>,
}

impl From<v1::Achievement> for Submission {
    fn from(achievement: v1::Achievement) -> Self {
        Self {
            achievement,
            new_learner: None,
        }
    }
}

/// Nothing more is taken: [`Outcomes`] has said why, or has been dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("submitting has ended")]
pub struct Ended;

/// The end that takes achievements. When it and its clones are dropped, submitting ends after the last
/// outcome.
#[derive(Debug, Clone)]
pub struct Submitter(mpsc::Sender<Submission>);

impl Submitter {
    /// Hands an achievement over; waits while as many as are allowed are on their way.
    ///
    /// # Errors
    /// [`Ended`].
    pub async fn send(&self, submission: impl Into<Submission>) -> Result<(), Ended> {
        self.0.send(submission.into()).await.map_err(|_| Ended)
    }

    /// Hands over all that a stream yields.
    ///
    /// # Errors
    /// [`Ended`].
    pub async fn send_all<S>(&self, submissions: S) -> Result<(), Ended>
    where
        S: Stream<Item: Into<Submission>>,
    {
        let mut submissions = std::pin::pin!(submissions);
        while let Some(submission) = submissions.next().await {
            self.send(submission).await?;
        }
        Ok(())
    }
}

/// The end that yields outcomes: one an achievement, in the order of sending. It has to be read, or no more
/// is sent. An error is the last that comes, and says why everything from the first achievement without an
/// outcome on may or may not have been recorded; to submit those again is safe.
#[derive(Debug)]
pub struct Outcomes(mpsc::Receiver<Result<v1::RecordOutcome, Refusal>>);

impl Outcomes {
    /// The next outcome; none after the last.
    pub async fn next(&mut self) -> Option<Result<v1::RecordOutcome, Refusal>> {
        self.0.recv().await
    }
}

impl Stream for Outcomes {
    type Item = Result<v1::RecordOutcome, Refusal>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_recv(cx)
    }
}

impl Client {
    /// Begins to submit as the acting institution. What comes of it is bounded by the client's
    /// [`Patience`](crate::Patience): an answer may take one attempt's time, and without any answer the
    /// connection is tried again for as long as a call would be.
    #[must_use]
    pub fn submitter(&self, submitting: Submitting) -> (Submitter, Outcomes) {
        let batch = submitting.batch.clamp(1, BATCH_MAX);
        let (submitter, submissions) = mpsc::channel(batch);
        let (outcomes, answered) = mpsc::channel(batch);
        let gathering = Gathering {
            submissions,
            batch,
            held: None,
        };
        let resumption = Resumption::new(self.clone(), submitting.in_flight.max(1), outcomes);
        tokio::spawn(resumption.run(gathering));
        (Submitter(submitter), Outcomes(answered))
    }
}

/// Requests without an answer, oldest first.
pub(crate) type Unanswered = VecDeque<v1::StreamSubmitRecordsRequest>;

/// Makes requests of what is there.
pub(crate) struct Gathering {
    submissions: mpsc::Receiver<Submission>,
    batch: usize,
    /// Did not go into the request before.
    held: Option<Submission>,
}

impl Gathering {
    /// The next request: whatever waits, as much as fits. None when everything has been handed over.
    /// Nothing is lost when this is dropped half way: only the first receipt waits, and it is kept.
    pub(crate) async fn next(&mut self) -> Option<v1::StreamSubmitRecordsRequest> {
        if self.held.is_none() {
            self.held = Some(self.submissions.recv().await?);
        }
        let mut request = v1::StreamSubmitRecordsRequest::default();
        let (mut bytes, mut named) = (0, BTreeSet::new());
        while request.achievements.len() < self.batch {
            let Some(next) = self
                .held
                .take()
                .or_else(|| self.submissions.try_recv().ok())
            else {
                break;
            };
            bytes += size(&next);
            if bytes > BATCH_BYTES_MAX && !request.achievements.is_empty() {
                self.held = Some(next);
                break;
            }
            request.achievements.push(next.achievement);
            // At most one for each number, as the bank asks.
            request
                .new_learners
                .extend(next.new_learner.filter(|learner| {
                    let number = learner.student.clone().unwrap_or_default();
                    named.insert((number.institution_id, number.number))
                }));
        }
        Some(request)
    }
}

fn size(submission: &Submission) -> usize {
    use prost::Message;
    let learner = submission.new_learner.as_ref();
    submission.achievement.encoded_len() + learner.map_or(0, Message::encoded_len)
}
