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
use crate::input::{Line, Lines};
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

/// A line on its way: what it is about, its number and length, and what will have become of it.
type UnderWay<R> = (String, u64, u64, JoinHandle<LineResult<R>>);

/// Reads every line as a `T`, calls, and reports in order. Says how many lines were not blank.
///
/// Order: a line waits while another that is `about` the same is on its way, so that they take effect in the
/// order of the file. What is about nothing waits for nothing.
///
/// # Errors
///
/// [`Failure`] when the file cannot be read, or `report` fails.
pub(crate) async fn each_line<T, R, F, Fut>(
    path: &Path,
    client: &Client,
    about: fn(&T) -> &str,
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
    let mut under_way: VecDeque<UnderWay<R>> = VecDeque::new();
    let mut done = 0;
    loop {
        let line = lines.next().await?;
        if line.as_ref().is_some_and(Line::is_blank) {
            continue;
        }
        let over = line.is_none();
        let next = line.map(|line| (line.number, line.bytes, read::<T>(line.content)));
        let same = match &next {
            Some((_, _, Ok(value))) => about(value).to_owned(),
            _ => String::new(),
        };
        let waits = |under_way: &VecDeque<UnderWay<R>>| {
            let met = |(about, ..): &UnderWay<R>| !same.is_empty() && *about == same;
            over || under_way.len() >= IN_FLIGHT || under_way.iter().any(met)
        };
        while waits(&under_way)
            && let Some((_, number, bytes, task)) = under_way.pop_front()
        {
            let result = task.await.unwrap_or_else(|broken| {
                LineResult::Refused(Refusal::new(&Status::internal(broken.to_string())))
            });
            report(&progress, number, result)?;
            done += 1;
            progress.advance(bytes, done);
        }
        let Some((number, bytes, value)) = next else {
            break;
        };
        let (call, client) = (call.clone(), client.clone());
        let task = tokio::spawn(async move { one(value, |value| call(client, value)).await });
        under_way.push_back((same, number, bytes, task));
    }
    progress.finish();
    Ok(done)
}

fn read<T: DeserializeOwned>(content: Result<Vec<u8>, Unreadable>) -> Result<T, Unreadable> {
    lines::parse(lines::decode(&content?)?)
}

async fn one<T, R, F, Fut>(value: Result<T, Unreadable>, call: F) -> LineResult<R>
where
    F: FnOnce(T) -> Fut,
    Fut: Future<Output = Result<R, Refusal>>,
{
    match value {
        Err(unreadable) => LineResult::Unreadable(unreadable),
        Ok(value) => match call(value).await {
            Ok(answer) => LineResult::Answer(answer),
            Err(refusal) => LineResult::Refused(refusal),
        },
    }
}
