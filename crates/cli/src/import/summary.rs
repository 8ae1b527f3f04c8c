//! What became of all rows together.
//!
//! Apart from the run because it is what a registrar reads, and what a nightly job parses.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::progress::{grouped, per_second, seconds};

/// How many rows became what.
#[derive(Debug, Default)]
pub(super) struct Summary {
    /// By what was done: `recorded`, `already_recorded` and so on.
    pub(super) done: BTreeMap<&'static str, u64>,
    /// By reason.
    pub(super) rejected: BTreeMap<String, u64>,
    /// Passed over by filters and value maps.
    pub(super) skipped: u64,
    /// Sent without an answer.
    pub(super) unsent: u64,
}

impl Summary {
    /// Counts a row of which that was done.
    pub(super) fn count(&mut self, done: &'static str) {
        *self.done.entry(done).or_default() += 1;
    }

    /// Counts a rejected row.
    pub(super) fn reject(&mut self, reason: &str) {
        *self.rejected.entry(reason.to_owned()).or_default() += 1;
    }

    /// Rejected rows.
    pub(super) fn rejected(&self) -> u64 {
        self.rejected.values().sum()
    }

    /// Rows whose fate is known.
    pub(super) fn settled(&self) -> u64 {
        self.done.values().sum::<u64>() + self.rejected() + self.skipped
    }

    /// All rows that were read.
    pub(super) fn rows(&self) -> u64 {
        self.settled() + self.unsent
    }

    /// For people. `words` are the keys of `done` in the order to say them, with what to say.
    pub(super) fn text(&self, time: Duration, words: &[(&str, &str)], dry_run: bool) -> String {
        let rows = self.rows();
        let noun = if rows == 1 { "row" } else { "rows" };
        let rate = grouped(per_second(rows, time));
        let mut text = format!("{} {noun} in {} ({rate}/s)", grouped(rows), seconds(time));
        if dry_run {
            text.push_str(", checked only: nothing was recorded");
        }
        let mut line = |count: u64, words: &str| {
            if count > 0 {
                text.push_str(&format!("\n{:>12}  {words}", grouped(count)));
            }
        };
        for (key, words) in words {
            line(self.done.get(key).copied().unwrap_or_default(), words);
        }
        line(self.skipped, "skipped, as the mapping says");
        line(self.unsent, "without an answer from the server");
        line(self.rejected(), "rejected");
        for (reason, count) in &self.rejected {
            text.push_str(&format!("\n{:>22}  {reason}", grouped(*count)));
        }
        text
    }

    /// For programs.
    pub(super) fn json(&self, time: Duration, dry_run: bool) -> serde_json::Value {
        let milliseconds = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        serde_json::json!({
            "rows": self.rows(),
            "done": self.done,
            "rejected": self.rejected,
            "skipped": self.skipped,
            "unsent": self.unsent,
            "dry_run": dry_run,
            "milliseconds": milliseconds,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_in_the_summary() {
        let mut summary = Summary::default();
        (0..1200).for_each(|_| summary.count("recorded"));
        summary.count("pending");
        summary.reject("MALFORMED");
        summary.reject("BAD_DATE");
        summary.reject("BAD_DATE");
        summary.skipped = 7;
        let words = [("recorded", "recorded"), ("pending", "pending")];
        expect_test::expect![[r#"
            1,211 rows in 2.0 s (605/s)
                   1,200  recorded
                       1  pending
                       7  skipped, as the mapping says
                       3  rejected
                                 2  BAD_DATE
                                 1  MALFORMED"#]]
        .assert_eq(&summary.text(Duration::from_secs(2), &words, false));
        assert_eq!(summary.json(Duration::from_secs(2), true)["rows"], 1211);
    }
}
