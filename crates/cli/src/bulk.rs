//! One call for each line of a file, a few at a time, answered in the order of the file.
//!
//! Apart from `submit`, which sends batches: the calls here have no batch form and are repeated by
//! their request id or record id.

use std::collections::VecDeque;
use std::future::Future;
use std::path::Path;
use std::time::Duration;

use client::Client;
use serde::de::DeserializeOwned;
use tokio::task::JoinHandle;
use tonic::Status;

use crate::error::{Failure, Refusal};
use crate::input::Lines;
use crate::lines::{self, Unreadable};
use crate::progress::Progress;

/// Calls on their way at a time.
const IN_FLIGHT: usize = 16;
/// How long to keep trying when the server cannot be reached.
const RETRY_FOR: Duration = Duration::from_secs(30);

/// What became of a line.
pub(crate) enum LineResult<R> {
    /// The server's answer.
    Answer(R),
    /// The server said no.
    Refused(Refusal),
    /// Nothing was sent.
    Unreadable(Unreadable),
}

/// Reads every line as a `T`, calls, and reports in order. Says how many lines were not blank.
///
/// # Errors
///
/// [`Failure`] when the file cannot be read, or `report` fails.
pub(crate) async fn each_line<T, R, F, Fut>(
    path: &Path,
    client: &Client,
    call: F,
    mut report: impl FnMut(&Progress, u64, LineResult<R>) -> Result<(), Failure>,
) -> Result<u64, Failure>
where
    T: DeserializeOwned + Send + Sync + 'static,
    R: Send + 'static,
    F: Fn(Client, T) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = Result<R, Refusal>> + Send + 'static,
{
    let mut lines = Lines::open(path).await?;
    let progress = Progress::over(lines.bytes_total);
    let client = progress.watching(client, RETRY_FOR);
    let mut under_way: VecDeque<(u64, u64, JoinHandle<LineResult<R>>)> = VecDeque::new();
    let mut done = 0;
    loop {
        while under_way.len() < IN_FLIGHT {
            let Some(line) = lines.next().await? else {
                break;
            };
            if line.is_blank() {
                continue;
            }
            let content = line.content;
            let (call, client) = (call.clone(), client.clone());
            let task = tokio::spawn(async move { one(content, |value| call(client, value)).await });
            under_way.push_back((line.number, line.bytes, task));
        }
        let Some((number, bytes, task)) = under_way.pop_front() else {
            break;
        };
        let result = task.await.unwrap_or_else(|broken| {
            LineResult::Refused(Refusal::new(&Status::internal(broken.to_string())))
        });
        report(&progress, number, result)?;
        done += 1;
        progress.advance(bytes, done);
    }
    progress.finish();
    Ok(done)
}

async fn one<T, R, F, Fut>(content: Result<Vec<u8>, Unreadable>, call: F) -> LineResult<R>
where
    T: DeserializeOwned,
    F: FnOnce(T) -> Fut,
    Fut: Future<Output = Result<R, Refusal>>,
{
    let read = content.and_then(|bytes| lines::parse::<T>(lines::decode(&bytes)?));
    match read {
        Err(unreadable) => LineResult::Unreadable(unreadable),
        Ok(value) => match call(value).await {
            Ok(answer) => LineResult::Answer(answer),
            Err(refusal) => LineResult::Refused(refusal),
        },
    }
}
