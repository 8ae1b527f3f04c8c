//! The stream below a submitter: sending, reading answers, and beginning again after a cut.
//!
//! Apart from `submitter`, which is what a caller holds: this is the task that works for it.

use std::time::Duration;

use api::v1;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Status, Streaming};

use crate::connection::Client;
use crate::patience::{Attempt, drawn};
use crate::refusal::Refusal;
use crate::submitter::{Gathering, Unanswered};

/// Reasons for which a request as a whole is refused and its parts may not be.
const TOO_LARGE: [&str; 2] = ["MESSAGE_TOO_LARGE", "BATCH_TOO_LARGE"];

/// Why a stream is over.
enum Over {
    /// Everything has been answered.
    Done,
    /// Nobody reads the outcomes.
    Unread,
    /// It broke, or was refused.
    Cut(Refusal),
}

/// What is on its way, and where the outcomes go.
pub(crate) struct Resumption {
    client: Client,
    in_flight: usize,
    outcomes: mpsc::Sender<Result<v1::RecordOutcome, Refusal>>,
    unanswered: Unanswered,
    /// Attempts in a row that brought no answer, and since when.
    failures: u32,
    failing_since: Option<Instant>,
}

impl Resumption {
    pub(crate) fn new(
        client: Client,
        in_flight: usize,
        outcomes: mpsc::Sender<Result<v1::RecordOutcome, Refusal>>,
    ) -> Self {
        Self {
            client,
            in_flight,
            outcomes,
            unanswered: Unanswered::new(),
            failures: 0,
            failing_since: None,
        }
    }

    /// Streams until everything is answered, or a "no" stands, or there is no time left.
    pub(crate) async fn run(mut self, mut gathering: Gathering) {
        // No connection before there is something to send.
        match gathering.next().await {
            Some(first) => self.unanswered.push_back(first),
            None => return,
        }
        loop {
            let refusal = match self.stream(&mut gathering).await {
                Over::Done | Over::Unread => return,
                Over::Cut(refusal) => refusal,
            };
            let goes_on = if refusal.is_worth_repeating() {
                self.wait(&refusal).await
            } else {
                self.narrowed(&refusal).await
            };
            if !goes_on {
                let _ = self.outcomes.send(Err(refusal)).await;
                return;
            }
        }
    }

    /// One stream, from the first request without an answer on.
    async fn stream(&mut self, gathering: &mut Gathering) -> Over {
        let (requests, stream) = mpsc::channel(self.in_flight.max(self.unanswered.len()));
        for request in &self.unanswered {
            // There is room for all of them.
            let _ = requests.try_send(request.clone());
        }
        let mut records = self.client.records();
        let time = self.client.patience().attempt;
        let request = Request::new(ReceiverStream::new(stream));
        let mut answers = match timeout(time, records.stream_submit_records(request)).await {
            Ok(Ok(answers)) => answers.into_inner(),
            Ok(Err(status)) => return Over::Cut(Refusal::new(&status)),
            Err(_) => return Over::Cut(Refusal::too_late(time)),
        };
        let mut requests = Some(requests);
        loop {
            if self.unanswered.is_empty() && requests.is_none() {
                return Over::Done;
            }
            let more = requests.is_some() && self.unanswered.len() < self.in_flight;
            tokio::select! {
                // Answers first: they make room.
                biased;
                answer = answered(&mut answers, time), if !self.unanswered.is_empty() => {
                    let told = match answer {
                        Ok(answer) => self.tell(answer).await,
                        Err(refusal) => return Over::Cut(refusal),
                    };
                    if let Err(over) = told {
                        return over;
                    }
                }
                next = gathering.next(), if more => match (next, &requests) {
                    (Some(next), Some(sender)) => {
                        self.unanswered.push_back(next.clone());
                        // Room there is; a stream that is gone says so when it is read.
                        let _ = sender.try_send(next);
                    }
                    _ => requests = None,
                },
                () = self.outcomes.closed() => return Over::Unread,
            }
        }
    }

    /// Passes the outcomes of the oldest request on.
    async fn tell(&mut self, answer: v1::StreamSubmitRecordsResponse) -> Result<(), Over> {
        let expected = self
            .unanswered
            .front()
            .map(|request| request.achievements.len());
        if expected != Some(answer.outcomes.len()) {
            let found = answer.outcomes.len();
            let text = format!("the server gave {found} outcomes for {expected:?} records");
            return Err(Over::Cut(Refusal::new(&Status::internal(text))));
        }
        self.unanswered.pop_front();
        if self.failing_since.take().is_some() {
            self.client.tell(Attempt::Answered);
        }
        self.failures = 0;
        for outcome in answer.outcomes {
            let sent = self.outcomes.send(Ok(outcome)).await;
            sent.map_err(|_| Over::Unread)?;
        }
        Ok(())
    }

    /// Waits before the next stream; `false` when there is no time for one.
    async fn wait(&mut self, refusal: &Refusal) -> bool {
        let patience = self.client.patience();
        self.failures += 1;
        let now = Instant::now();
        let since = *self.failing_since.get_or_insert(now);
        let wait = drawn(patience.bound(self.failures));
        let wait = wait.max(refusal.retry_after.unwrap_or_default());
        if now + wait >= since + patience.retry_for {
            return false;
        }
        self.client.tell(Attempt::Failed { refusal, wait });
        sleep(wait).await;
        true
    }

    /// After a "no" that stands, to the oldest request as a whole: when it was too large its parts are sent
    /// instead, and a single achievement that is too large is rejected. `false` for any other "no".
    async fn narrowed(&mut self, refusal: &Refusal) -> bool {
        if !TOO_LARGE.contains(&refusal.reason.as_str()) {
            return false;
        }
        let Some(mut first) = self.unanswered.pop_front() else {
            return false;
        };
        if let [alone] = first.achievements.as_slice() {
            let outcome = rejected(&alone.record_id, refusal);
            return self.outcomes.send(Ok(outcome)).await.is_ok();
        }
        let half = first.achievements.len() / 2;
        let second = v1::StreamSubmitRecordsRequest {
            achievements: first.achievements.split_off(half),
            // To both: whoever is registered by the first is left out of the second without a word.
            new_learners: first.new_learners.clone(),
        };
        for part in [second, first] {
            self.unanswered.push_front(concerned(part));
        }
        true
    }
}

/// A request with those new learners alone that its achievements are about.
fn concerned(mut request: v1::StreamSubmitRecordsRequest) -> v1::StreamSubmitRecordsRequest {
    use v1::learner_reference::Reference;
    let about = |student: &Option<v1::StudentNumber>| {
        let mut references = request
            .achievements
            .iter()
            .filter_map(|a| a.learner.as_ref());
        references.any(|learner| match &learner.reference {
            Some(Reference::Student(named)) => Some(named) == student.as_ref(),
            _ => false,
        })
    };
    let learners = std::mem::take(&mut request.new_learners);
    request.new_learners = learners
        .into_iter()
        .filter(|learner| about(&learner.student))
        .collect();
    request
}

/// What a batch would have said of it.
fn rejected(record_id: &str, refusal: &Refusal) -> v1::RecordOutcome {
    let error = v1::RecordError {
        code: i32::from(refusal.code),
        reason: refusal.reason.clone(),
        message: refusal.message.clone(),
        field: String::new(),
        metadata: refusal.metadata.clone().into_iter().collect(),
    };
    v1::RecordOutcome {
        record_id: record_id.to_owned(),
        state: i32::from(v1::OutcomeState::Rejected),
        error: Some(error),
        ..v1::RecordOutcome::default()
    }
}

/// The next answer, if it comes in time.
async fn answered(
    answers: &mut Streaming<v1::StreamSubmitRecordsResponse>,
    time: Duration,
) -> Result<v1::StreamSubmitRecordsResponse, Refusal> {
    match timeout(time, answers.message()).await {
        Ok(Ok(Some(answer))) => Ok(answer),
        // A stream that ends without a word has been cut off.
        Ok(Ok(None)) => Err(Refusal::new(&Status::unavailable("the stream ended early"))),
        Ok(Err(status)) => Err(Refusal::new(&status)),
        Err(_) => Err(Refusal::too_late(time)),
    }
}
