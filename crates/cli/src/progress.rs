//! How far a long command has got, on standard error: a bar on a terminal, a line now and then elsewhere.
//!
//! Apart because lines of output and the bar share a screen, and one must step aside for the other.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use client::{Attempt, Client, Patience};
use indicatif::{ProgressBar, ProgressStyle};

use crate::error::Failure;
use crate::output;

/// How often a line is written where there is no terminal, in seconds.
const TELL_EVERY_SECONDS: u64 = 5;

/// A bar; where standard error is no terminal, nothing, or lines for who asks for them.
#[derive(Debug, Clone)]
pub(crate) struct Progress {
    bar: ProgressBar,
    started: Instant,
    /// Whether an outage has been told of: several calls notice the same one.
    outage: Arc<AtomicBool>,
    /// Without a terminal, lines are written; the last one at this second.
    told: Option<Arc<AtomicU64>>,
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
            told: None,
        }
    }

    /// Writes a line now and then where there is no terminal.
    pub(crate) fn telling(self) -> Self {
        let told = self.bar.is_hidden().then(Arc::default);
        Self { told, ..self }
    }

    /// The input is read up to there, and so many rows are through.
    pub(crate) fn reach(&self, bytes: u64, rows: u64) {
        self.bar.set_position(bytes);
        let elapsed = self.started.elapsed();
        let rate = per_second(rows, elapsed);
        let message = format!("{} rows, {}/s", grouped(rows), grouped(rate));
        if let Some(told) = &self.told
            && elapsed.as_secs() >= told.load(Ordering::Relaxed) + TELL_EVERY_SECONDS
        {
            told.store(elapsed.as_secs(), Ordering::Relaxed);
            let share = match self.bar.length().filter(|length| *length > 0) {
                Some(length) => format!(
                    "{:>3}%  {message}, {} left",
                    (bytes.saturating_mul(100) / length).min(100),
                    left(elapsed, bytes, length)
                ),
                None => message.clone(),
            };
            output::note(&share);
        }
        self.bar.set_message(message);
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

/// How long the rest will take, if it goes on as it went.
fn left(elapsed: Duration, done: u64, all: u64) -> String {
    let rest = u128::from(all.saturating_sub(done));
    let milliseconds = elapsed.as_millis() * rest / u128::from(done.max(1));
    let seconds = u64::try_from(milliseconds / 1000).unwrap_or(u64::MAX);
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, seconds) => format!("{seconds} s"),
        (0, minutes, seconds) => format!("{minutes} min {seconds} s"),
        (hours, minutes, _) => format!("{hours} h {minutes} min"),
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
        let ten = Duration::from_secs(10);
        for (done, all, text) in [
            (50, 100, "10 s"),
            (1, 10, "1 min 30 s"),
            (1, 1000, "2 h 46 min"),
            (0, 1, "10 s"),
            (5, 4, "0 s"),
        ] {
            assert_eq!(left(ten, done, all), text, "{done} of {all}");
        }
    }
}
