//! Asking again while the server cannot be reached.
//!
//! Apart from `client` because only calls that may be repeated come here: those that carry a record id
//! or a request id, so that a second arrival changes nothing.

use std::future::Future;
use std::time::{Duration, Instant};

use tonic::Status;

use crate::client::is_worth_retrying;
use crate::progress::Progress;

const FIRST_WAIT: Duration = Duration::from_millis(100);
const LONGEST_WAIT: Duration = Duration::from_secs(3);

/// Calls until there is an answer, or until `retry_for` has passed since the first failure.
///
/// # Errors
///
/// The last status.
pub(crate) async fn retrying<T, F, Fut>(
    retry_for: Duration,
    progress: &Progress,
    mut call: F,
) -> Result<T, Status>
where
    F: FnMut() -> Fut,
    Fut: Future<Output = Result<T, Status>>,
{
    let mut wait = FIRST_WAIT;
    let mut failing_since: Option<Instant> = None;
    loop {
        let status = match call().await {
            Ok(answer) => {
                progress.reached();
                return Ok(answer);
            }
            Err(status) if is_worth_retrying(&status) => status,
            Err(status) => return Err(status),
        };
        progress.unreachable(retry_for);
        let since = *failing_since.get_or_insert_with(Instant::now);
        if since.elapsed() + wait > retry_for {
            return Err(status);
        }
        tokio::time::sleep(wait).await;
        wait = (wait * 2).min(LONGEST_WAIT);
    }
}
