//! Streams that are followed for as long as somebody watches: lost connections, and the way back.
//!
//! Apart from `watch` and `log` because both lose connections alike. The client's own patience is for calls
//! that end.

use std::future::Future;
use std::time::Duration;

use client::Refusal;
use tonic::{Response, Status, Streaming};

use crate::error::Failure;
use crate::output;

/// Asks for a sign of life this often, in seconds.
pub(crate) const HEARTBEAT_SECONDS: u32 = 15;
/// A server that has been silent for so long is not there any more.
const SILENCE_MAX: Duration = Duration::from_secs(45);
const FIRST_WAIT: Duration = Duration::from_millis(250);
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// Whether to read on.
pub(crate) enum Then {
    ReadOn,
    Stop,
}

/// Something that is followed.
pub(crate) trait Follow {
    /// What the server sends.
    type Answer;

    /// Asks for what comes after all that has been taken.
    fn open(
        &self,
    ) -> impl Future<Output = Result<Response<Streaming<Self::Answer>>, Status>> + Send;

    /// Takes an answer.
    fn take(&mut self, answer: Self::Answer) -> Result<Then, Failure>;
}

/// Reads until it is told to stop, or until a "no" stands. Lost connections are said and come back.
///
/// # Errors
/// [`Failure`]: a "no" that would be said again.
pub(crate) async fn follow(followed: &mut impl Follow) -> Result<(), Failure> {
    let mut wait = FIRST_WAIT;
    let mut is_lost = false;
    loop {
        let status = match followed.open().await {
            Ok(stream) => {
                if std::mem::take(&mut is_lost) {
                    output::note("connected again");
                }
                match read(followed, stream.into_inner(), &mut wait).await? {
                    None => return Ok(()),
                    Some(status) => status,
                }
            }
            Err(status) => status,
        };
        let refusal = Refusal::new(&status);
        if !refusal.is_worth_repeating() {
            return Err(status.into());
        }
        if !std::mem::replace(&mut is_lost, true) {
            output::note(&format!("{}; trying again until Ctrl-C", refusal.message));
        }
        tokio::time::sleep(wait.max(refusal.retry_after.unwrap_or_default())).await;
        wait = (wait * 2).min(LONGEST_WAIT);
    }
}

/// Reads one stream; answers how it was lost, or nothing when it need not be read on.
async fn read<F: Follow>(
    followed: &mut F,
    mut stream: Streaming<F::Answer>,
    wait: &mut Duration,
) -> Result<Option<Status>, Failure> {
    loop {
        let answer = match tokio::time::timeout(SILENCE_MAX, stream.message()).await {
            Ok(Ok(Some(answer))) => answer,
            Ok(Ok(None)) => return Ok(Some(Status::unavailable("the server ended the stream"))),
            Ok(Err(status)) => return Ok(Some(status)),
            Err(_) => return Ok(Some(Status::unavailable("the server is silent"))),
        };
        *wait = FIRST_WAIT;
        if let Then::Stop = followed.take(answer)? {
            return Ok(None);
        }
    }
}
