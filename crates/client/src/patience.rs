//! How long a call may take, and how it is made again: deadlines, back-off, jitter.
//!
//! Apart from the calls because this knows nothing of what is asked: only whether asking twice is safe.
//!
//! Back-off is exponential with full jitter (Brooker, "Exponential Backoff and Jitter", 2015): each wait is
//! drawn evenly from zero to a bound that doubles, so that clients cut off together do not come back
//! together. A wait is never shorter than the server asks for (google.rpc.RetryInfo).

use std::future::Future;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};
use tonic::{Response, Status};

use crate::calls::Repetition;
use crate::refusal::Refusal;

/// How long to wait for what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// Deadline of one attempt; the server is told and stops there too.
    pub attempt: Duration,
    /// No attempt begins later than this after the first one failed; zero means that none is repeated.
    pub retry_for: Duration,
    /// Bound of the first wait between two attempts; doubles from one to the next.
    pub first_wait: Duration,
    /// The bound of the waits grows no further.
    pub longest_wait: Duration,
}

impl Default for Patience {
    /// A minute an attempt, as the server allows by default, and half a minute of repeating.
    fn default() -> Self {
        Self {
            attempt: Duration::from_secs(60),
            retry_for: Duration::from_secs(30),
            first_wait: Duration::from_millis(200),
            longest_wait: Duration::from_secs(5),
        }
    }
}

impl Patience {
    /// The deadline in all: whatever happens, a call has ended after this time.
    #[must_use]
    pub fn in_all(&self) -> Duration {
        self.attempt.saturating_add(self.retry_for)
    }

    /// The bound of the wait after so many failed attempts.
    pub(crate) fn bound(&self, failures: u32) -> Duration {
        let factor = 2_u32.saturating_pow(failures.saturating_sub(1));
        self.first_wait
            .saturating_mul(factor)
            .min(self.longest_wait)
    }
}

/// What became of one attempt of a call.
#[derive(Debug)]
pub enum Attempt<'a> {
    /// It failed, and the call will be made again.
    Failed {
        /// How.
        refusal: &'a Refusal,
        /// After how long.
        wait: Duration,
    },
    /// There is an answer, or a "no" that stands.
    Answered,
}

/// Calls until there is an answer, a "no" that stands, or no time.
pub(crate) async fn retrying<T, F, Fut>(
    patience: Patience,
    repetition: Repetition,
    mut attempt: F,
    observe: impl Fn(Attempt<'_>),
) -> Result<T, Refusal>
where
    F: FnMut(Duration) -> Fut,
    Fut: Future<Output = Result<Response<T>, Status>>,
{
    let deadline = Instant::now() + patience.in_all();
    let mut last_start = None;
    let mut failures = 0;
    loop {
        let time = patience.attempt.min(deadline - Instant::now());
        let refusal = match timeout(time, attempt(time)).await {
            Ok(Ok(answer)) => {
                observe(Attempt::Answered);
                return Ok(answer.into_inner());
            }
            Ok(Err(status)) => Refusal::new(&status),
            Err(_) => Refusal::too_late(time),
        };
        let safe = repetition == Repetition::ChangesNothing || refusal.left_nothing();
        if !safe || !refusal.is_worth_repeating() {
            if refusal.is_an_answer() {
                observe(Attempt::Answered);
            }
            return Err(refusal);
        }
        failures += 1;
        let now = Instant::now();
        let last_start = *last_start.get_or_insert(now + patience.retry_for);
        let wait = drawn(patience.bound(failures)).max(refusal.retry_after.unwrap_or_default());
        if now + wait >= last_start {
            return Err(refusal);
        }
        observe(Attempt::Failed {
            refusal: &refusal,
            wait,
        });
        sleep(wait).await;
    }
}

/// A time between zero and `bound`, in whole milliseconds, evenly; `bound` itself where the system has no
/// randomness to give.
pub(crate) fn drawn(bound: Duration) -> Duration {
    let bound_ms = u64::try_from(bound.as_millis()).unwrap_or(u64::MAX);
    match (getrandom::u64(), bound_ms.checked_add(1)) {
        (Ok(random), Some(choices)) => Duration::from_millis(random % choices),
        _ => bound,
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use tonic::Code;
    use tonic_types::{ErrorDetails, StatusExt};

    use super::*;

    /// What comes back of `script` in order, then success; with the time of each attempt in milliseconds.
    async fn run(
        repetition: Repetition,
        patience: Patience,
        script: Vec<Status>,
    ) -> (Result<(), Refusal>, Vec<u128>) {
        let start = Instant::now();
        let times = RefCell::new(Vec::new());
        let mut script = script.into_iter();
        let attempt = |_| {
            times.borrow_mut().push(start.elapsed().as_millis());
            std::future::ready(script.next().map_or(Ok(Response::new(())), Err))
        };
        let result = retrying(patience, repetition, attempt, |_| {}).await;
        (result, times.into_inner())
    }

    fn overloaded(after: Duration) -> Status {
        let mut details = ErrorDetails::with_error_info("OVERLOADED", "creditbank", []);
        details.set_retry_info(Some(after));
        Status::with_error_details(Code::ResourceExhausted, "later", details)
    }

    #[tokio::test(start_paused = true)]
    async fn only_what_is_safe_is_repeated() {
        let gone = || vec![Status::unavailable("gone")];
        let patience = Patience::default();
        let (result, times) = run(Repetition::ChangesNothing, patience, gone()).await;
        assert!(result.is_ok() && times.len() == 2, "{times:?}");
        let (result, times) = run(Repetition::MayChange, patience, gone()).await;
        assert!(result.is_err() && times.len() == 1, "{times:?}");
        let later = vec![overloaded(Duration::from_millis(700))];
        let (result, times) = run(Repetition::MayChange, patience, later).await;
        assert!(result.is_ok(), "nothing was done: safe for any call");
        assert!(times[1] >= 700, "the server's own wait is kept: {times:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_no_that_stands_comes_back_at_once() {
        for code in [Code::InvalidArgument, Code::Aborted, Code::Unauthenticated] {
            let script = vec![Status::new(code, "no")];
            let (result, times) =
                run(Repetition::ChangesNothing, Patience::default(), script).await;
            assert_eq!(result.unwrap_err().code, code);
            assert_eq!(times, [0]);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn waits_grow_up_to_their_bound_and_end_in_time() {
        let patience = Patience {
            retry_for: Duration::from_secs(60),
            ..Patience::default()
        };
        let script = vec![Status::unavailable("gone"); 10_000];
        let (result, times) = run(Repetition::ChangesNothing, patience, script).await;
        assert!(result.is_err());
        assert!(*times.last().unwrap() < 60_000, "{times:?}");
        for (failures, pair) in (1..).zip(times.windows(2)) {
            let bound = patience.bound(failures);
            assert!(pair[1] - pair[0] <= bound.as_millis() + 1, "{times:?}");
        }
        assert_eq!(patience.bound(1), Duration::from_millis(200));
        assert_eq!(patience.bound(4), Duration::from_millis(1600));
        assert_eq!(patience.bound(100), patience.longest_wait);
        let none = Patience {
            retry_for: Duration::ZERO,
            ..patience
        };
        let script = vec![Status::unavailable("gone"); 2];
        let (_, times) = run(Repetition::ChangesNothing, none, script).await;
        assert_eq!(times, [0], "without patience there is one attempt");
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_server_is_left_at_the_deadline() {
        let patience = Patience {
            attempt: Duration::from_secs(2),
            retry_for: Duration::from_secs(3),
            ..Patience::default()
        };
        let start = Instant::now();
        let silent = |_| std::future::pending::<Result<Response<()>, Status>>();
        let refusal = retrying(patience, Repetition::ChangesNothing, silent, |_| {}).await;
        assert_eq!(refusal.unwrap_err().code, Code::DeadlineExceeded);
        assert!(start.elapsed() <= patience.in_all() + Duration::from_millis(5));
        assert!(start.elapsed() > patience.attempt, "it was tried again");
    }
}
