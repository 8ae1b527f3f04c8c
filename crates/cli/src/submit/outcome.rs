//! What became of a line, and of all lines together.
//!
//! Apart from sending, because this is what a registrar reads and a program parses.

use std::collections::BTreeMap;
use std::time::Duration;

use api::v1;
use serde::Serialize;

use crate::error::{Failure, Refusal};
use crate::lines::Unreadable;
use crate::progress::{grouped, seconds};
use crate::wire::{FromWire, OutcomeError, Receipt, word};

/// What became of one line. As JSON, every key is there; what does not apply is null.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct OutcomeLine {
    /// Line number in the input, from 1.
    line: u64,
    /// The issuer's record id.
    record_id: Option<String>,
    /// `recorded`, `already_recorded`, `pending`, `rejected`, `not_attempted`, `unreadable`, `unsent`; of
    /// other commands their own words, such as `revoked`, `already_revoked` and `would_be_revoked`, and
    /// `not_in_force`.
    state: String,
    /// Position in the ledger.
    position: Option<u64>,
    /// Chain hash, hexadecimal.
    chain_hash: Option<String>,
    /// When it was recorded.
    recorded_time: Option<String>,
    /// The learner; of a pending record, the provisional account.
    learner_handle: Option<String>,
    /// Stable reason of a rejection, or why it is pending.
    reason: Option<String>,
    /// A sentence.
    message: Option<String>,
    /// Path of the field that is at fault, or the column of a line that does not read.
    field: Option<String>,
    /// Details of a rejection.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    metadata: BTreeMap<String, String>,
}

impl OutcomeLine {
    fn new(line: u64, record_id: &str, state: &str) -> Self {
        Self {
            line,
            record_id: given(record_id),
            state: state.to_owned(),
            position: None,
            chain_hash: None,
            recorded_time: None,
            learner_handle: None,
            reason: None,
            message: None,
            field: None,
            metadata: BTreeMap::new(),
        }
    }

    /// The server said what became of it.
    pub(crate) fn answered(line: u64, outcome: v1::RecordOutcome) -> Self {
        let state = word(outcome.state().as_str_name(), "OUTCOME_STATE_");
        let mut this = Self::new(line, &outcome.record_id, &state);
        this.reason = match outcome.pending_reason() {
            v1::PendingReason::Unspecified => None,
            reason => reason
                .as_str_name()
                .strip_prefix("PENDING_REASON_")
                .map(str::to_owned),
        };
        this.message = match outcome.pending_reason() {
            v1::PendingReason::Unspecified => None,
            v1::PendingReason::Unlinked => {
                Some("the number or document belongs to no learner yet".to_owned())
            }
            v1::PendingReason::IdentityMismatch => {
                Some("the document is known, but name or birth date differs".to_owned())
            }
        };
        this.learner_handle = given(&outcome.learner_handle);
        if let Some(receipt) = outcome.receipt.map(Receipt::from_wire) {
            this.position = Some(receipt.position);
            this.chain_hash = given(receipt.chain_hash.as_str());
            this.recorded_time = given(receipt.recorded_time.as_str());
        }
        if let Some(error) = outcome.error.map(OutcomeError::from_wire) {
            this.reason = given(&error.reason);
            this.message = given(&error.message);
            this.field = given(&error.field);
            this.metadata = error.metadata;
        }
        this
    }

    /// The same in the words of the command: `done` is what was done, such as `revoked`.
    pub(crate) fn saying(mut self, done: &str, validate_only: bool) -> Self {
        self.state = match self.state.as_str() {
            "recorded" if validate_only => format!("would_be_{done}"),
            "recorded" => done.to_owned(),
            "already_recorded" => format!("already_{done}"),
            _ => self.state,
        };
        self
    }

    /// The content was recorded before, and is not the version in force.
    pub(crate) fn not_in_force(mut self, sentence: String) -> Self {
        self.state = "not_in_force".to_owned();
        self.message = Some(sentence);
        self
    }

    /// Whether it was recorded before and still waits for a learner.
    fn waits_still(&self) -> bool {
        // Only a rejection and a pending record have a reason.
        self.state == "already_recorded" && self.reason.is_some()
    }

    /// The line could not be understood; nothing of it was sent.
    pub(crate) fn unreadable(line: u64, problem: &Unreadable) -> Self {
        let mut this = Self::new(line, "", "unreadable");
        this.reason = Some("UNREADABLE".to_owned());
        this.message = Some(problem.message.clone());
        this.field = (problem.column > 0).then(|| format!("column {}", problem.column));
        this
    }

    /// A call of its own was refused.
    pub(crate) fn refused(line: u64, refusal: &Refusal) -> Self {
        let mut this = Self::new(line, "", "rejected");
        this.reason = given(&refusal.reason);
        this.message = given(&refusal.message);
        this.field = refusal.fields.first().map(|field| field.path.clone());
        this.metadata = refusal.metadata.clone();
        this
    }

    /// No answer came for it.
    pub(crate) fn unsent(line: u64, record_id: &str, refusal: Option<&Refusal>) -> Self {
        let mut this = Self::new(line, record_id, "unsent");
        this.reason = refusal.and_then(|refusal| given(&refusal.reason));
        this.message = Some("no answer from the server; send it again".to_owned());
        this
    }

    /// As a line of text or of JSON.
    ///
    /// # Errors
    ///
    /// [`Failure::Output`] when it cannot be written as JSON, which does not happen.
    pub(crate) fn render(&self, json: bool) -> Result<String, Failure> {
        if json {
            return serde_json::to_string(self).map_err(|e| Failure::Output(e.into()));
        }
        let record_id = self.record_id.as_deref().unwrap_or("-");
        let position = self
            .position
            .map(|position| position.to_string())
            .unwrap_or_default();
        let hash = self.chain_hash.as_deref().unwrap_or_default();
        let hash = hash.get(..12).unwrap_or(hash);
        let head = format!(
            "{:>6}  {record_id:<22}  {:<16} {position:>8}  {hash:<12}",
            self.line, self.state
        );
        let tail = self.why();
        let text = if tail.is_empty() {
            head
        } else {
            format!("{}  {tail}", head.trim_end())
        };
        Ok(text.trim_end().to_owned())
    }

    /// Reason, field and sentence.
    fn why(&self) -> String {
        let reason = self
            .reason
            .as_deref()
            .filter(|_| self.state != "unreadable");
        // A sentence that begins with the field need not name it twice.
        let message = self.message.as_deref().unwrap_or_default();
        let field = self
            .field
            .as_deref()
            .filter(|field| !message.starts_with(*field));
        let parts: Vec<&str> = [reason, field, self.message.as_deref()]
            .into_iter()
            .flatten()
            .collect();
        parts.join(": ")
    }
}

/// One line, two lines.
fn lines(count: u64) -> &'static str {
    if count == 1 { "line" } else { "lines" }
}

fn given(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

/// How many lines became what.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    states: BTreeMap<String, u64>,
    reasons: BTreeMap<String, u64>,
    /// Recorded before, and pending still.
    waiting_still: u64,
    /// Lines with nothing on them.
    pub(crate) blank: u64,
}

impl Tally {
    /// Counts a line.
    pub(crate) fn count(&mut self, line: &OutcomeLine) {
        *self.states.entry(line.state.clone()).or_default() += 1;
        self.waiting_still += u64::from(line.waits_still());
        if line.state == "rejected" {
            let reason = line.reason.clone().unwrap_or_default();
            *self.reasons.entry(reason).or_default() += 1;
        }
    }

    /// All lines that were not blank.
    pub(crate) fn total(&self) -> u64 {
        self.states.values().sum()
    }

    /// How many became this.
    pub(crate) fn of(&self, state: &str) -> u64 {
        self.states.get(state).copied().unwrap_or_default()
    }

    /// Whether everything was taken.
    pub(crate) fn is_clean(&self) -> bool {
        let bad = [
            "rejected",
            "not_attempted",
            "unreadable",
            "unsent",
            "not_in_force",
        ];
        bad.iter().all(|state| self.of(state) == 0)
    }

    /// For people: what happened, and what to do about the rest.
    pub(crate) fn summary(&self, time: Duration, validate_only: bool) -> String {
        let would = if validate_only { "would be " } else { "" };
        let before = match self.waiting_still {
            0 => "recorded before".to_owned(),
            count => format!("recorded before ({} of them pending)", grouped(count)),
        };
        let counts: Vec<String> = [
            ("recorded", format!("{would}recorded")),
            ("already_recorded", before),
            ("pending", format!("{would}pending")),
            ("rejected", "rejected".to_owned()),
            ("not_attempted", "not attempted".to_owned()),
            ("unreadable", "unreadable".to_owned()),
            ("unsent", "without an answer".to_owned()),
        ]
        .iter()
        .filter(|(state, _)| self.of(state) > 0)
        .map(|(state, words)| format!("{} {words}", grouped(self.of(state))))
        .collect();
        let total = grouped(self.total());
        let list = if counts.is_empty() {
            "nothing to send".to_owned()
        } else {
            counts.join(", ")
        };
        let mut text = format!(
            "{total} {} in {}: {list}",
            lines(self.total()),
            seconds(time)
        );
        for (reason, count) in &self.reasons {
            text.push_str(&format!("\n  rejected  {count:>6}  {reason}"));
        }
        if self.of("pending") + self.waiting_still > 0 && !validate_only {
            text.push_str("\n  pending: `creditbank learner pending` shows whom they wait for");
        }
        if self.of("not_attempted") > 0 {
            text.push_str("\n  nothing was recorded: the batch is all or nothing");
        }
        if self.of("unsent") > 0 {
            text.push_str("\n  send the file again when the server is back: that is safe");
        }
        if self.blank > 0 {
            text.push_str(&format!(
                "\n  {} empty {} passed over",
                self.blank,
                lines(self.blank)
            ));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rejected() -> v1::RecordOutcome {
        v1::RecordOutcome {
            record_id: "2026-1".to_owned(),
            state: i32::from(v1::OutcomeState::Rejected),
            error: Some(v1::RecordError {
                code: 9,
                reason: "WINDOW_FROZEN".to_owned(),
                message: "window w is closed".to_owned(),
                field: "awarded".to_owned(),
                metadata: [("window_id".to_owned(), "w".to_owned())].into(),
            }),
            ..Default::default()
        }
    }

    #[test]
    fn a_line_of_text_shows_what_and_why() {
        let line = OutcomeLine::answered(7, rejected());
        assert_eq!(
            line.render(false).unwrap(),
            "     7  2026-1                  rejected  WINDOW_FROZEN: awarded: window w is closed"
        );
        let problem = Unreadable {
            column: 4,
            message: "expected `,`".to_owned(),
        };
        assert_eq!(
            OutcomeLine::unreadable(8, &problem).render(false).unwrap(),
            "     8  -                       unreadable  column 4: expected `,`"
        );
    }

    #[test]
    fn a_line_of_json_has_every_key() {
        let line = OutcomeLine::answered(7, rejected()).render(true).unwrap();
        let expected = r#"{"line":7,"record_id":"2026-1","state":"rejected","position":null,"chain_hash":null,"recorded_time":null,"learner_handle":null,"reason":"WINDOW_FROZEN","message":"window w is closed","field":"awarded","metadata":{"window_id":"w"}}"#;
        assert_eq!(line, expected);
    }

    #[test]
    fn a_pending_record_sent_again_is_pending_too() {
        let again = v1::RecordOutcome {
            record_id: "2026-2".to_owned(),
            state: i32::from(v1::OutcomeState::AlreadyRecorded),
            pending_reason: i32::from(v1::PendingReason::Unlinked),
            ..Default::default()
        };
        let mut tally = Tally::default();
        tally.count(&OutcomeLine::answered(1, again));
        assert!(tally.is_clean());
        assert_eq!(
            tally.summary(Duration::from_millis(250), false),
            "1 line in 0.2 s: 1 recorded before (1 of them pending)\n  \
             pending: `creditbank learner pending` shows whom they wait for"
        );
    }

    #[test]
    fn a_command_says_it_in_its_own_words() {
        let state = |state: v1::OutcomeState, validate_only| {
            let outcome = v1::RecordOutcome {
                state: i32::from(state),
                ..Default::default()
            };
            OutcomeLine::answered(1, outcome)
                .saying("revoked", validate_only)
                .state
        };
        assert_eq!(state(v1::OutcomeState::Recorded, false), "revoked");
        assert_eq!(state(v1::OutcomeState::Recorded, true), "would_be_revoked");
        assert_eq!(
            state(v1::OutcomeState::AlreadyRecorded, false),
            "already_revoked"
        );
        assert_eq!(state(v1::OutcomeState::Rejected, false), "rejected");
    }

    #[test]
    fn the_summary_counts_and_says_what_to_do() {
        let mut tally = Tally::default();
        tally.count(&OutcomeLine::answered(1, rejected()));
        tally.count(&OutcomeLine::unsent(2, "b", None));
        tally.blank = 1;
        assert!(!tally.is_clean());
        assert_eq!(
            tally.summary(Duration::from_millis(250), false),
            "2 lines in 0.2 s: 1 rejected, 1 without an answer\n  rejected       1  WINDOW_FROZEN\n  \
             send the file again when the server is back: that is safe\n  1 empty line passed over"
        );
    }
}
