//! Lines gathered into batches.
//!
//! Apart from sending, because what is malformed takes a place in the output and none in the batch.

use api::v1;

use crate::error::Failure;
use crate::input::Lines;
use crate::lines::{self, Unreadable};
use crate::sending::Batch;
use crate::wire::{Achievement, ToWire};

/// Most bytes of JSON in a batch. As a message it is shorter, and signed no more than twice as long, so it
/// stays below the limit of 4 MiB.
const CHUNK_BYTES_MAX: u64 = 2 * 1024 * 1024;
/// Most lines that end up in one chunk when most of them do not read.
const CHUNK_SLOTS_MAX: usize = 5000;

/// A place in the output.
#[derive(Debug)]
pub(crate) enum Slot {
    /// Takes the next outcome of the batch.
    Sent {
        /// Line number.
        line: u64,
        /// The record id, in case no outcome comes.
        record_id: String,
    },
    /// Was not understood.
    Unreadable {
        /// Line number.
        line: u64,
        /// Why.
        problem: Unreadable,
    },
}

/// Some lines: a batch, and the places of its outcomes among those that did not read.
#[derive(Debug, Default)]
pub(crate) struct Chunk {
    /// The batch.
    pub(crate) achievements: Vec<v1::Achievement>,
    /// A place a line.
    pub(crate) slots: Vec<Slot>,
    /// Bytes of input.
    pub(crate) bytes: u64,
    /// Lines with nothing on them.
    pub(crate) blank: u64,
}

impl Chunk {
    /// Takes the batch out.
    pub(crate) fn take(&mut self) -> Batch {
        Batch {
            achievements: std::mem::take(&mut self.achievements),
            new_learners: Vec::new(),
        }
    }
}

/// Gathers lines.
pub(crate) struct Chunks {
    lines: Lines,
    batch: usize,
}

impl Chunks {
    /// Chunks of at most `batch` records.
    pub(crate) fn new(lines: Lines, batch: usize) -> Self {
        Self { lines, batch }
    }

    /// The next chunk; none at the end.
    ///
    /// # Errors
    ///
    /// [`Failure::Usage`] when the input cannot be read on.
    pub(crate) async fn next(&mut self) -> Result<Option<Chunk>, Failure> {
        let mut chunk = Chunk::default();
        while chunk.achievements.len() < self.batch
            && chunk.bytes < CHUNK_BYTES_MAX
            && chunk.slots.len() < CHUNK_SLOTS_MAX
        {
            let Some(line) = self.lines.next().await? else {
                break;
            };
            chunk.bytes += line.bytes;
            if line.is_blank() {
                chunk.blank += 1;
                continue;
            }
            match read(line.content) {
                Ok(achievement) => {
                    let record_id = achievement.record_id.clone();
                    chunk.slots.push(Slot::Sent {
                        line: line.number,
                        record_id,
                    });
                    chunk.achievements.push(achievement.to_wire());
                }
                Err(problem) => {
                    chunk.slots.push(Slot::Unreadable {
                        line: line.number,
                        problem,
                    });
                }
            }
        }
        Ok((chunk.bytes > 0).then_some(chunk))
    }
}

fn read(content: Result<Vec<u8>, Unreadable>) -> Result<Achievement, Unreadable> {
    lines::parse(lines::decode(&content?)?)
}
