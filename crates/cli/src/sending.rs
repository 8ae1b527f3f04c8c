//! Batches on their way: a few at a time, answered in the order in which they were read.
//!
//! Apart from `submit` and `import`, which both send so: what a batch is made of and what is said of its
//! outcomes is theirs, that none is lost and none overtakes another about the same record is said here.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;

use api::v1;
use client::{Client, Signer};
use tokio::task::JoinHandle;

use crate::error::{Failure, Refusal};
use crate::signing::sign;

/// Records of one call.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    /// The records.
    pub(crate) achievements: Vec<v1::Achievement>,
    /// Learners to register with them.
    pub(crate) new_learners: Vec<v1::NewLearner>,
}

/// One outcome a record; or the refusal of the whole batch.
pub(crate) type Answer = Result<Vec<v1::RecordOutcome>, Refusal>;

/// Sends batches.
#[derive(Clone)]
pub(crate) struct Sender {
    /// To whom; repeats what an outage cut off, which is harmless by the record ids.
    pub(crate) client: Client,
    /// Signs each record before it is sent.
    pub(crate) signer: Option<Arc<Signer>>,
    /// All or nothing.
    pub(crate) atomic: bool,
    /// Check only.
    pub(crate) validate_only: bool,
}

impl Sender {
    /// Signs a record, where that was asked for.
    pub(crate) fn sign(&self, achievement: &mut v1::Achievement) {
        sign(self.signer.as_deref(), achievement);
    }

    /// Sends a batch until there is an answer.
    pub(crate) async fn send(&self, batch: &Batch) -> Answer {
        let expected = batch.achievements.len();
        if expected == 0 {
            return Ok(Vec::new());
        }
        let mut achievements = batch.achievements.clone();
        achievements.iter_mut().for_each(|sent| self.sign(sent));
        let request = v1::BatchSubmitRecordsRequest {
            achievements,
            atomic: self.atomic,
            validate_only: self.validate_only,
            new_learners: batch.new_learners.clone(),
        };
        let outcomes = self.client.call(request).await?.outcomes;
        if outcomes.len() == expected {
            return Ok(outcomes);
        }
        let found = outcomes.len();
        let text = format!("the server gave {found} outcomes for {expected} records");
        Err(Refusal::new(&tonic::Status::internal(text)))
    }
}

/// What is read, beside its batch.
type UnderWay<C> = (C, Arc<Batch>, JoinHandle<Answer>);

/// Sends what `next` gives, at most `limit` batches at a time, and hands every answer to `settle`, in
/// order. Answers with the refusal that ended it early, if one did.
///
/// Order: a batch that names a record which is on its way already waits, so that two rows about one record
/// are settled in the order of the file. So does one that says something else of a learner to register, so that
/// the first row counts.
///
/// # Errors
///
/// What `next` and `settle` fail with.
pub(crate) async fn in_flight<C>(
    limit: usize,
    sender: &Sender,
    mut next: impl AsyncFnMut() -> Result<Option<(C, Batch)>, Failure>,
    mut settle: impl AsyncFnMut(C, Arc<Batch>, Answer) -> Result<Option<Refusal>, Failure>,
) -> Result<Option<Refusal>, Failure> {
    let mut under_way: VecDeque<UnderWay<C>> = VecDeque::new();
    let mut held: Option<(C, Batch)> = None;
    let mut refusal: Option<Refusal> = None;
    loop {
        while refusal.is_none() && under_way.len() < limit {
            let (read, batch) = match held.take() {
                Some(held) => held,
                None => match next().await? {
                    Some(read) => read,
                    None => break,
                },
            };
            if overtakes(&under_way, &batch) {
                held = Some((read, batch));
                break;
            }
            let (batch, sender) = (Arc::new(batch), sender.clone());
            let sent = Arc::clone(&batch);
            let task = tokio::spawn(async move { sender.send(&sent).await });
            under_way.push_back((read, batch, task));
        }
        let Some((read, batch, task)) = under_way.pop_front() else {
            return Ok(refusal);
        };
        let answer = task.await.unwrap_or_else(|broken| {
            Err(Refusal::new(&tonic::Status::internal(broken.to_string())))
        });
        if let Some(ended) = settle(read, batch, answer).await? {
            refusal.get_or_insert(ended);
        }
    }
}

fn overtakes<C>(under_way: &VecDeque<UnderWay<C>>, batch: &Batch) -> bool {
    if under_way.is_empty() {
        return false;
    }
    let sent = || under_way.iter().map(|(_, batch, _)| batch);
    let records = sent().flat_map(|batch| &batch.achievements);
    let ids: HashSet<&str> = records.map(|sent| sent.record_id.as_str()).collect();
    let learners: HashMap<_, _> = sent()
        .flat_map(|batch| &batch.new_learners)
        .map(|learner| (number(learner), learner))
        .collect();
    let same = |new: &v1::Achievement| ids.contains(new.record_id.as_str());
    let other = |new: &v1::NewLearner| learners.get(&number(new)).is_some_and(|sent| *sent != new);
    batch.achievements.iter().any(same) || batch.new_learners.iter().any(other)
}

fn number(learner: &v1::NewLearner) -> Option<(&str, &str)> {
    let student = learner.student.as_ref()?;
    Some((&student.institution_id, &student.number))
}
