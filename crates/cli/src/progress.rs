//! How far a long command has got, on standard error and only on a terminal.
//!
//! Apart because lines of output and the bar share a screen, and one must step aside for the other.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use client::{Attempt, Client, Patience};
use indicatif::{ProgressBar, ProgressStyle};

use crate::error::Failure;
use crate::output;

/// A bar; nothing where standard error is no terminal.
#[derive(Debug, Clone)]
pub(crate) struct Progress {
    bar: ProgressBar,
    started: Instant,
    /// Whether an outage has been told of: several calls notice the same one.
    outage: Arc<AtomicBool>,
}

impl Progress {
    /// A bar over so many bytes of input; one without an end when that is not known.
    pub(crate) fn over(bytes: Option<u64>) -> Self {
        let (bar, template) = match bytes {
            Some(bytes) => (
                ProgressBar::new(bytes),
                "{bar:30} {percent:>3}%  {msg}  {eta} left",
            ),
            None => (ProgressBar::no_length(), "{spinner} {msg}  {elapsed}"),
        };
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style.progress_chars("━╸─"));
        }
        Self {
            bar,
            started: Instant::now(),
            outage: Arc::new(AtomicBool::new(false)),
        }
    }

    /// So many bytes of input and so many records are through.
    pub(crate) fn advance(&self, bytes: u64, records: u64) {
        self.bar.inc(bytes);
        let rate = per_second(records, self.started.elapsed());
        self.bar
            .set_message(format!("{} records, {}/s", grouped(records), grouped(rate)));
    }

    /// Writes a line of output while the bar steps aside.
    pub(crate) fn line(&self, text: &str) -> Result<(), Failure> {
        self.bar.suspend(|| output::line(text))
    }

    /// Tells a person something while the bar steps aside.
    fn note(&self, text: &str) {
        self.bar.suspend(|| output::note(text));
    }

    /// The server does not answer; said once an outage.
    fn unreachable(&self, retry_for: Duration) {
        if !self.outage.swap(true, Ordering::Relaxed) {
            let time = seconds(retry_for);
            self.note(&format!(
                "the server does not answer; trying again for {time}"
            ));
        }
    }

    /// The server answers again.
    fn reached(&self) {
        if self.outage.swap(false, Ordering::Relaxed) {
            self.note("the server answers again");
        }
    }

    /// The client, whose outages a person hears of.
    pub(crate) fn watching(&self, client: &Client, retry_for: Duration) -> Client {
        let patience = Patience {
            retry_for,
            ..client.patience()
        };
        let progress = self.clone();
        let heard = move |attempt: Attempt<'_>| match attempt {
            Attempt::Failed { .. } => progress.unreachable(retry_for),
            Attempt::Answered => progress.reached(),
        };
        client.with_patience(patience).observed_by(heard)
    }

    /// Takes the bar away; says how long it took.
    pub(crate) fn finish(&self) -> Duration {
        self.bar.finish_and_clear();
        self.started.elapsed()
    }
}

/// So many a second, in whole numbers.
pub(crate) fn per_second(count: u64, time: Duration) -> u64 {
    let milliseconds = u64::try_from(time.as_millis()).unwrap_or(u64::MAX).max(1);
    count.saturating_mul(1000) / milliseconds
}

/// A number with a comma between thousands.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A time with a tenth of a second.
pub(crate) fn seconds(time: Duration) -> String {
    format!("{}.{} s", time.as_secs(), time.subsec_millis() / 100)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped() {
        for (number, text) in [
            (0, "0"),
            (999, "999"),
            (1000, "1,000"),
            (1_234_567, "1,234,567"),
        ] {
            assert_eq!(grouped(number), text);
        }
        assert_eq!(per_second(500, Duration::from_millis(250)), 2000);
        assert_eq!(per_second(1, Duration::ZERO), 1000);
        assert_eq!(seconds(Duration::from_millis(1290)), "1.2 s");
    }
}
