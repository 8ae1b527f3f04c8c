//! Rows gathered into batches, on a thread of their own.
//!
//! Apart from sending so that reading, decompressing and mapping go on while batches are under way, never
//! further ahead than the channel between them allows.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use api::v1;
use api::v1::learner_reference::Reference;
use prost::Message;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value as Json};
use tokio::sync::mpsc;

use crate::mapping::{Bound, Mapped, Stop};
use crate::sending::Batch;
use crate::tabular::{Broken, Problem, Row, Rows};
use crate::wire::{Achievement, Profile, ToWire};

/// Chunks that wait to be sent.
const CHUNKS_AHEAD: usize = 2;
/// Most bytes of a batch as a message; the server takes 4 MiB.
const BATCH_BYTES_MAX: usize = 3 * 1024 * 1024;
/// Most bytes of one record as a message; the server takes far less.
const RECORD_BYTES_MAX: usize = 256 * 1024;
/// Most bytes that a signature adds to its statement: key id, signature, and whose names the statement spells
/// out where the record leaves them to who submits it.
const SIGNATURE_BYTES_MAX: usize = 1024;
/// Most rows of a chunk when most of them are not sent, and most bytes of them.
const CHUNK_ROWS_MAX: usize = 5_000;
pub(super) const CHUNK_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Rows passed over before a chunk reports how far it has come.
const SKIPPED_MAX: u64 = 50_000;

/// A row, and whether it takes an outcome of the batch.
#[derive(Debug)]
pub(super) struct Slot {
    pub(super) row: Row,
    /// Why it was not sent, if it was not.
    pub(super) problem: Option<Problem>,
}

/// Some rows.
#[derive(Debug, Default)]
pub(super) struct Chunk {
    pub(super) slots: Vec<Slot>,
    /// Rows passed over by filters and value maps.
    pub(super) skipped: u64,
    /// Bytes of the file read up to here.
    pub(super) bytes_read: u64,
}

impl Chunk {
    fn is_empty(&self) -> bool {
        self.slots.is_empty() && self.skipped == 0
    }
}

/// Turns rows into batches.
pub(super) struct Reading {
    pub(super) rows: Rows,
    pub(super) bound: Bound,
    /// Rows that were read already.
    pub(super) ahead: VecDeque<Row>,
    /// Records of a batch.
    pub(super) batch: usize,
    /// Whether learners are registered.
    pub(super) register: bool,
    /// Whether records are signed when they are sent.
    pub(super) signed: bool,
    /// Where the first attempt to read on failed, kept until all before it is sent.
    pub(super) broken: Option<Broken>,
}

/// A chunk with its batch; or where the file breaks off.
pub(super) type Read = Result<(Chunk, Batch), Broken>;

impl Reading {
    /// Reads on a thread of its own until the end, or until nobody listens any more.
    pub(super) fn start(mut self) -> mpsc::Receiver<Read> {
        let (chunks, receiver) = mpsc::channel(CHUNKS_AHEAD);
        tokio::task::spawn_blocking(move || {
            loop {
                let read = match self.chunk() {
                    Ok(Some(read)) => Ok(read),
                    Ok(None) => return,
                    Err(broken) => Err(broken),
                };
                let over = read.is_err();
                if chunks.blocking_send(read).is_err() || over {
                    return;
                }
            }
        });
        receiver
    }

    /// The next chunk; none at the end.
    ///
    /// # Errors
    ///
    /// [`Broken`] when the file cannot be read on; what was read before came in a chunk.
    pub(super) fn chunk(&mut self) -> Result<Option<(Chunk, Batch)>, Broken> {
        if let Some(broken) = self.broken.take() {
            return Err(broken);
        }
        let read: Arc<AtomicU64> = Arc::clone(&self.rows.source().bytes_read);
        let mut chunk = Chunk::default();
        let mut batch = Batch::default();
        let mut students = HashSet::new();
        let (mut batch_bytes, mut row_bytes) = (0, 0);
        while batch.achievements.len() < self.batch
            && batch_bytes < BATCH_BYTES_MAX - RECORD_BYTES_MAX
            && chunk.slots.len() < CHUNK_ROWS_MAX
            && row_bytes < CHUNK_BYTES_MAX
            && chunk.skipped < SKIPPED_MAX
        {
            let row = match self.ahead.pop_front() {
                Some(row) => row,
                None => match self.rows.next() {
                    Ok(Some(row)) => row,
                    Ok(None) => break,
                    Err(broken) if chunk.is_empty() => return Err(broken),
                    Err(broken) => {
                        self.broken = Some(broken);
                        break;
                    }
                },
            };
            let problem = match self
                .bound
                .map(&row)
                .and_then(|mapped| Ok(self.message(mapped)?))
            {
                Ok((achievement, learner)) => {
                    batch_bytes += self.sent_bytes(&achievement);
                    batch.achievements.push(achievement);
                    if let Some(learner) =
                        learner.filter(|learner| students.insert(number(learner)))
                    {
                        batch_bytes += learner.encoded_len();
                        batch.new_learners.push(learner);
                    }
                    None
                }
                Err(Stop::Skip) => {
                    chunk.skipped += 1;
                    continue;
                }
                Err(Stop::Reject(problem)) => Some(problem),
            };
            row_bytes += row.bytes();
            chunk.slots.push(Slot { row, problem });
        }
        chunk.bytes_read = read.load(Ordering::Relaxed);
        Ok((!chunk.is_empty()).then_some((chunk, batch)))
    }

    /// Most bytes that a record takes in its batch: a signature comes with a statement of the whole record.
    fn sent_bytes(&self, achievement: &v1::Achievement) -> usize {
        let bytes = achievement.encoded_len();
        if self.signed {
            2 * bytes + SIGNATURE_BYTES_MAX
        } else {
            bytes
        }
    }

    /// The messages for a row.
    fn message(
        &self,
        mapped: Mapped,
    ) -> Result<(v1::Achievement, Option<v1::NewLearner>), Problem> {
        let achievement: v1::Achievement = read::<Achievement>(mapped.subject)?.to_wire();
        let student = match &achievement.learner {
            Some(v1::LearnerReference {
                reference: Some(Reference::Student(student)),
            }) if self.register => Some(student.clone()),
            _ => None,
        };
        let mut learner = None;
        if let Some(student) = student {
            let profile = read::<Profile>(mapped.profile.unwrap_or_default())?;
            learner = Some(v1::NewLearner {
                student: Some(student),
                profile: Some(profile.to_wire()),
            });
        }
        let bytes = achievement.encoded_len() + learner.as_ref().map_or(0, Message::encoded_len);
        if bytes > RECORD_BYTES_MAX {
            let sentence = format!(
                "the record made of this row has {bytes} bytes; at most {RECORD_BYTES_MAX} are sent"
            );
            return Err(Problem::new("RECORD_TOO_LONG", "", sentence));
        }
        Ok((achievement, learner))
    }
}

/// Reads what a mapping made as a message.
///
/// # Errors
///
/// [`Problem`] when it does not fit, which the mapping's own checks leave little room for.
pub(super) fn read<T: DeserializeOwned>(object: Map<String, Json>) -> Result<T, Problem> {
    serde_json::from_value(Json::Object(object))
        .map_err(|error| Problem::new("MALFORMED", "", error.to_string()))
}

fn number(learner: &v1::NewLearner) -> (String, String) {
    let student = learner.student.clone().unwrap_or_default();
    (student.institution_id, student.number)
}
