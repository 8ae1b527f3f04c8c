//! What became of each row: said in one of the two files, and counted.
//!
//! Apart from reading, because here rows and answers meet, in the order of the file; and new versions are
//! sent, once the ledger has said that a record is there with other content.

use std::collections::VecDeque;
use std::sync::Arc;

use api::v1;
use tokio::task::JoinHandle;

use crate::error::{Failure, Refusal};
use crate::progress::Progress;
use crate::sending::{Answer, Batch, Sender};
use crate::tabular::{Ours, Problem, Row};
use crate::wire::{FromWire, OutcomeError, Receipt};

use super::opening::Reports;
use super::reading::{Chunk, Slot};
use super::summary::Summary;

/// New versions on their way at a time.
const VERSIONS_IN_FLIGHT: usize = 16;

/// Columns of the file of accepted rows.
pub(super) const ACCEPTED: [&str; 8] = [
    "line",
    "record_id",
    "state",
    "position",
    "chain_hash",
    "recorded_time",
    "learner_handle",
    "pending_reason",
];

/// What is said of them in the end.
pub(super) const WORDS: [(&str, &str); 8] = [
    ("recorded", "recorded"),
    ("would_be_recorded", "would be recorded"),
    ("already_recorded", "there already"),
    ("superseded", "superseded"),
    ("would_be_superseded", "would be superseded"),
    (
        "pending",
        "pending: `creditbank learner pending` shows whom they wait for",
    ),
    (
        "would_be_pending",
        "would be pending: their learners are not registered",
    ),
    ("still_pending", "there already, and still pending"),
];

/// What is kept while rows are settled.
pub(super) struct Settling {
    pub(super) sender: Sender,
    pub(super) dry_run: bool,
    /// Why records are superseded, if changed rows are to be new versions.
    pub(super) supersede: Option<String>,
    pub(super) reports: Reports,
    pub(super) progress: Progress,
    pub(super) summary: Summary,
}

/// An outcome, and whether it is that of a new version.
type Settled = (v1::RecordOutcome, bool);

impl Settling {
    /// Settles a chunk. Answers with the refusal that ends the import, if one does.
    pub(super) async fn chunk(
        &mut self,
        chunk: Chunk,
        batch: Arc<Batch>,
        answer: Answer,
    ) -> Result<Option<Refusal>, Failure> {
        let (outcomes, mut refusal) = match answer {
            Ok(outcomes) => (outcomes, None),
            Err(refusal) => (Vec::new(), Some(refusal)),
        };
        let (outcomes, ended) = self.versions(&batch, outcomes).await;
        refusal = refusal.or(ended);
        let mut outcomes = outcomes.into_iter();
        for Slot { row, problem } in &chunk.slots {
            match problem {
                Some(problem) => self.reject(row, problem)?,
                None => match outcomes.next().flatten() {
                    Some(settled) => self.settle(row, settled)?,
                    None => self.summary.unsent += 1,
                },
            }
        }
        self.summary.skipped += chunk.skipped;
        self.progress.reach(chunk.bytes_read, self.summary.rows());
        Ok(refusal)
    }

    /// Sends as new versions what is there with other content, where that was asked for.
    ///
    /// Order: a version of a record waits for the one before it, so that the last row is the latest version.
    async fn versions(
        &self,
        batch: &Batch,
        outcomes: Vec<v1::RecordOutcome>,
    ) -> (Vec<Option<Settled>>, Option<Refusal>) {
        let mut settled: Vec<Option<Settled>> = Vec::with_capacity(outcomes.len());
        let mut refusal: Option<Refusal> = None;
        let mut sent: VecDeque<(usize, JoinHandle<Result<v1::RecordOutcome, Refusal>>)> =
            VecDeque::new();
        for (index, (outcome, achievement)) in
            outcomes.into_iter().zip(&batch.achievements).enumerate()
        {
            let changed = outcome
                .error
                .as_ref()
                .is_some_and(|error| error.reason == "RECORD_ID_REUSED");
            match &self.supersede {
                Some(reason) if changed => {
                    let same = |(sent, _): &(usize, _)| {
                        let sent: Option<&v1::Achievement> = batch.achievements.get(*sent);
                        sent.is_some_and(|sent| sent.record_id == achievement.record_id)
                    };
                    while sent.len() >= VERSIONS_IN_FLIGHT || sent.iter().any(same) {
                        collect(&mut sent, &mut settled, &mut refusal).await;
                    }
                    settled.push(None);
                    sent.push_back((index, self.version(achievement.clone(), reason.clone())));
                }
                _ => settled.push(Some((outcome, false))),
            }
        }
        while !sent.is_empty() {
            collect(&mut sent, &mut settled, &mut refusal).await;
        }
        (settled, refusal)
    }

    fn version(
        &self,
        achievement: v1::Achievement,
        reason: String,
    ) -> JoinHandle<Result<v1::RecordOutcome, Refusal>> {
        let (sender, validate_only) = (self.sender.clone(), self.dry_run);
        tokio::spawn(async move {
            let record_id = achievement.record_id.clone();
            let mut achievement = achievement;
            sender.sign(&mut achievement);
            let request = v1::SupersedeRecordRequest {
                achievement: Some(achievement),
                reason,
                expected_revision: None,
                validate_only,
            };
            match sender.client.call(request).await {
                Ok(answer) => Ok(answer.outcome.unwrap_or_default()),
                Err(refusal) if refusal.is_an_answer() => Ok(rejected(record_id, &refusal)),
                Err(refusal) => Err(refusal),
            }
        })
    }

    fn reject(&mut self, row: &Row, problem: &Problem) -> Result<(), Failure> {
        self.summary.reject(&problem.reason);
        self.reports.rejected.reject(row, problem)
    }

    fn settle(&mut self, row: &Row, (outcome, version): Settled) -> Result<(), Failure> {
        if let Some(error) = outcome.error.clone() {
            let error = OutcomeError::from_wire(error);
            let problem = Problem::new(&error.reason, &error.field, error.message);
            return self.reject(row, &problem);
        }
        let Some(state) = state(&outcome, version, self.dry_run) else {
            let sentence = "the server gave an outcome that this program does not know";
            return self.reject(row, &Problem::new("UNKNOWN_OUTCOME", "", sentence));
        };
        self.summary.count(state);
        let pending = match outcome.pending_reason() {
            v1::PendingReason::Unspecified => "",
            reason => reason.as_str_name(),
        };
        let pending = pending.trim_start_matches("PENDING_REASON_").to_owned();
        let line = row.line().to_string();
        let receipt = state_and_receipt(state, outcome.receipt);
        let ours = receipt.into_iter().chain([outcome.learner_handle, pending]);
        let ours: Vec<Ours> = ours.map(Ours::new).collect();
        let accepted = &mut self.reports.accepted;
        accepted.accept(&[&line, &outcome.record_id], &ours)
    }
}

/// Cells of a state and a receipt, which may be absent.
pub(super) fn state_and_receipt(state: &str, receipt: Option<v1::Receipt>) -> [String; 4] {
    let mut cells = [
        state.to_owned(),
        String::new(),
        String::new(),
        String::new(),
    ];
    if let Some(receipt) = receipt.map(Receipt::from_wire) {
        cells = [
            state.to_owned(),
            receipt.position.to_string(),
            receipt.chain_hash.as_str().to_owned(),
            receipt.recorded_time.as_str().to_owned(),
        ];
    }
    cells
}

/// Takes in the first version that is on its way.
async fn collect(
    sent: &mut VecDeque<(usize, JoinHandle<Result<v1::RecordOutcome, Refusal>>)>,
    settled: &mut [Option<Settled>],
    refusal: &mut Option<Refusal>,
) {
    let Some((index, task)) = sent.pop_front() else {
        return;
    };
    let outcome = task
        .await
        .unwrap_or_else(|broken| Err(Refusal::new(&tonic::Status::internal(broken.to_string()))));
    match outcome {
        Ok(outcome) => {
            if let Some(slot) = settled.get_mut(index) {
                *slot = Some((outcome, true));
            }
        }
        Err(ended) => {
            refusal.get_or_insert(ended);
        }
    }
}

/// The word for what became of a row.
fn state(outcome: &v1::RecordOutcome, version: bool, dry_run: bool) -> Option<&'static str> {
    let waits = outcome.pending_reason() != v1::PendingReason::Unspecified;
    Some(match (outcome.state(), version, dry_run) {
        (v1::OutcomeState::Recorded | v1::OutcomeState::Pending, true, false) => "superseded",
        (v1::OutcomeState::Recorded | v1::OutcomeState::Pending, true, true) => {
            "would_be_superseded"
        }
        (v1::OutcomeState::Recorded, false, false) => "recorded",
        (v1::OutcomeState::Recorded, false, true) => "would_be_recorded",
        (v1::OutcomeState::Pending, false, false) => "pending",
        (v1::OutcomeState::Pending, false, true) => "would_be_pending",
        (v1::OutcomeState::AlreadyRecorded, _, _) if waits => "still_pending",
        (v1::OutcomeState::AlreadyRecorded, _, _) => "already_recorded",
        _ => return None,
    })
}

/// What a refused call of its own would have been as an outcome.
fn rejected(record_id: String, refusal: &Refusal) -> v1::RecordOutcome {
    v1::RecordOutcome {
        record_id,
        state: i32::from(v1::OutcomeState::Rejected),
        error: Some(v1::RecordError {
            code: 0,
            reason: refusal.reason.clone(),
            message: refusal.message.clone(),
            field: refusal
                .fields
                .first()
                .map(|field| field.path.clone())
                .unwrap_or_default(),
            metadata: Default::default(),
        }),
        ..Default::default()
    }
}
