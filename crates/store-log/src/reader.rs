//! Reads records by position, and believes none before it has checked it.
//!
//! Apart from the log because readers are many and never wait for the writer. A record that is asked for
//! by its position is read alone, with what stands after it: its leaf must have the chain hash that the
//! next leaf holds (after the last of a block: the next header, or the head), and its body the commitment
//! in the leaf. A record for
//! which that fails, and all that are read in order, are read with their whole block, whose checksum,
//! leaves, links and commitments must hold. What does not check is read once more without an erasure in between, then
//! with offsets made anew, and only then is [`Corruption`]: never silently something else.
//!
//! Reads run on the caller's thread: they are preads, from the page cache when it is warm, and take
//! microseconds; handing one to another thread would cost more than the read itself.

use std::io;
use std::sync::Arc;

use chain::{
    BLOCK_HEADER_LEN, Block, BlockHeader, FRAME_HEAD_LEN, Hash, Head, Position, Record,
    SEGMENT_HEADER_LEN, chain_hash, decode_block,
};
use durable::{File, Fs, read_exact_at};
use store::{Corruption, Fault, ReadError};

use crate::catalog::{Catalog, OpenSegment};
use crate::erase::Erasable;
use crate::scan::Window;
use crate::visit::{Visit, previous_hash};
use crate::width::{length, offset};

/// Bytes read at once when blocks are read one after the other.
const BLOCK_WINDOW_BYTES: usize = 256 * 1024;

/// Positions so far apart are read together, as reading what lies between costs less than reading twice.
const GAP_MAX: u64 = 4;

/// How many positions are looked ahead for that.
const READ_TOGETHER_MAX: usize = 32;

/// Reads the records of a log below its head. Clones share it.
pub struct Reader<F: Fs> {
    catalog: Arc<Catalog<F>>,
}

impl<F: Fs> Clone for Reader<F> {
    fn clone(&self) -> Self {
        Self {
            catalog: Arc::clone(&self.catalog),
        }
    }
}

/// What one call has at hand for its next record: positions come ascending.
struct Hand<R: File> {
    visit: Option<Visit<R>>,
    /// The first position after the segment that is visited.
    visit_end: Position,
    /// The last block that was read whole.
    block: Option<Block>,
}

/// Where the next block is expected when blocks are read in order.
struct Cursor<R: File> {
    segment: Arc<OpenSegment<R>>,
    at: u64,
    window: Window,
}

impl<F: Fs> Reader<F> {
    pub(crate) fn new(catalog: Arc<Catalog<F>>) -> Self {
        Self { catalog }
    }

    /// The head: what this reader can see.
    pub fn head(&self) -> Head {
        self.catalog.head()
    }

    /// The records at these positions, in the order asked.
    ///
    /// # Errors
    /// See [`store::EventStore::get`].
    pub fn get(&self, positions: &[Position]) -> Result<Vec<Record>, ReadError> {
        let size = self.head().size;
        if let Some(position) = positions.iter().find(|position| position.0 >= size) {
            return Err(ReadError::PastHead {
                position: *position,
                size,
            });
        }
        let mut hand = Hand {
            visit: None,
            visit_end: Position(0),
            block: None,
        };
        if positions.is_sorted() {
            let one = |at: usize| self.get_one(positions[at], near(positions, at), &mut hand);
            return (0..positions.len()).map(one).collect();
        }
        // Ascending, so that neighbours are read together.
        let mut order: Vec<(Position, usize)> = positions.iter().copied().zip(0..).collect();
        order.sort_unstable();
        let sorted: Vec<Position> = order.iter().map(|(position, _)| *position).collect();
        let mut found = order
            .into_iter()
            .enumerate()
            .map(|(at, (position, index))| {
                Ok((index, self.get_one(position, near(&sorted, at), &mut hand)?))
            })
            .collect::<Result<Vec<_>, ReadError>>()?;
        found.sort_unstable_by_key(|(index, _)| *index);
        Ok(found.into_iter().map(|(_, record)| record).collect())
    }

    /// Records from `from` on, in order.
    ///
    /// # Errors
    /// See [`store::EventStore::read`].
    pub fn read(&self, from: Position, bytes_max: u64) -> Result<Vec<Record>, ReadError> {
        let size = self.head().size;
        if from.0 > size {
            return Err(ReadError::PastHead {
                position: from,
                size,
            });
        }
        let mut found: Vec<Record> = Vec::new();
        let mut bytes: u64 = 0;
        let mut at = from;
        let mut cursor = None;
        while at.0 < size && (found.is_empty() || bytes < bytes_max) {
            let erasures = self.catalog.erasures();
            let block = match self.catalog.kept_block(at) {
                Some(block) => block,
                None => Arc::new(self.next_block(at, &mut cursor)?),
            };
            let first = length(at.0 - block.prev().size);
            let mut n = 0;
            for record in &block.records()[first..] {
                let more = bytes.saturating_add(offset(record.frame_len()));
                if more > bytes_max && !(found.is_empty() && n == 0) {
                    break;
                }
                bytes = more;
                n += 1;
            }
            let is_rest = first + n == block.records().len();
            at = Position(at.0 + offset(n));
            match Arc::try_unwrap(block) {
                Ok(block) if is_rest => found.extend(block.into_records().drain(first..)),
                Ok(block) => {
                    found.extend_from_slice(&block.records()[first..first + n]);
                    self.catalog.keep_block(Arc::new(block), erasures);
                }
                Err(kept) => found.extend_from_slice(&kept.records()[first..first + n]),
            }
            if !is_rest {
                break;
            }
        }
        Ok(found)
    }

    /// A record; those up to `until` are asked for next.
    fn get_one(
        &self,
        position: Position,
        until: Position,
        hand: &mut Hand<F::File>,
    ) -> Result<Record, ReadError> {
        let kept = hand.block.as_ref().and_then(|block| block.record(position));
        if let Some(record) = kept {
            return Ok(record.clone());
        }
        let visit = match hand.visit.take() {
            Some(visit) if position < hand.visit_end => visit,
            other => {
                let (number, end) = self.catalog.segment_of(position);
                // The active segment may have been sealed since, and goes on growing in place till then.
                hand.visit_end = end.unwrap_or(Position(0));
                let segment = self.catalog.segment(number)?;
                match other {
                    Some(visit) if Arc::ptr_eq(&visit.segment, &segment) => visit,
                    Some(mut visit) => {
                        visit.turn_to(segment);
                        visit
                    }
                    None => Visit::new(segment),
                }
            }
        };
        let visit = hand.visit.insert(visit);
        let fault = |source| Fault::backend("read a record", source);
        if let Some(record) = self.lone_record(visit, position, until).map_err(fault)? {
            return Ok(record);
        }
        hand.visit = None;
        let block = hand.block.insert(self.block_with(position)?);
        let record = block.record(position).cloned();
        record.ok_or_else(|| not_there(position, "another block").into())
    }

    /// The block with a position, in its segment by the offsets, checked. See the head of this file.
    pub(crate) fn block_with(&self, position: Position) -> Result<Block, ReadError> {
        let (number, _) = self.catalog.segment_of(position);
        let segment = self.catalog.segment(number)?;
        if let Ok(block) = self.try_block(&segment, position)? {
            return Ok(block);
        }
        let guard = self.catalog.without_erasure();
        let found = match self.try_block(&segment, position)? {
            Ok(block) => return Ok(block),
            Err(found) => found,
        };
        if !segment.is_scanned {
            self.catalog.rescan(number)?;
            if let Ok(block) = self.try_block(&segment, position)? {
                return Ok(block);
            }
        }
        drop(guard);
        Err(not_there(position, &found).into())
    }

    /// Where salt and body of a record lie in its segment.
    pub(crate) fn erasable(&self, position: Position) -> Result<Erasable<F::File>, ReadError> {
        let block = self.block_with(position)?;
        let (number, _) = self.catalog.segment_of(position);
        let segment = self.catalog.segment(number)?;
        let fault = |source| Fault::backend("read a record", source);
        let place = Visit::new(Arc::clone(&segment))
            .block(position)
            .map_err(fault)?;
        match (place, block.erasable_range(position)) {
            (Some((start, _)), Some(range)) => {
                let (offset, len) = (start + offset(range.start), range.len());
                Ok(Erasable {
                    segment,
                    offset,
                    len,
                })
            }
            _ => Err(not_there(position, "another block").into()),
        }
    }

    /// The block that begins at `at` when it is where the cursor points; otherwise as `block_with`.
    fn next_block(
        &self,
        at: Position,
        cursor: &mut Option<Cursor<F::File>>,
    ) -> Result<Block, ReadError> {
        let fault = |source| Fault::backend("read a block", source);
        let (number, _) = self.catalog.segment_of(at);
        if cursor
            .as_ref()
            .is_none_or(|cursor| cursor.segment.header.number != number)
        {
            let segment = self.catalog.segment(number)?;
            let mut visit = Visit::new(Arc::clone(&segment));
            let start = match visit.block(at).map_err(fault)? {
                Some((start, _)) => start,
                None => offset(SEGMENT_HEADER_LEN),
            };
            let window = Window::new(segment.file_len, BLOCK_WINDOW_BYTES);
            *cursor = Some(Cursor {
                segment,
                at: start,
                window,
            });
        }
        if let Some(cursor) = cursor
            && let Some(block) = self.block_at_cursor(cursor, at).map_err(fault)?
        {
            return Ok(block);
        }
        *cursor = None;
        self.block_with(at)
    }

    fn block_at_cursor(
        &self,
        cursor: &mut Cursor<F::File>,
        position: Position,
    ) -> io::Result<Option<Block>> {
        let Cursor {
            segment,
            at,
            window,
        } = cursor;
        loop {
            let Some(start) = segment.header.next_block_start(*at) else {
                return Ok(None);
            };
            let head = window.at(&segment.file, start, BLOCK_HEADER_LEN)?;
            let Ok(header) = BlockHeader::decode(head) else {
                return Ok(None);
            };
            let len = header.encoded_len();
            let bytes = window.at(&segment.file, start, len)?;
            let Ok((block, _)) = decode_block(bytes, &segment.header.checksum_key) else {
                return Ok(None);
            };
            *at = start + offset(len);
            if block.is_mark() {
                continue;
            }
            return Ok(self.checked(block, position).ok());
        }
    }

    /// The inner error is what is wrong with the stored bytes.
    fn try_block(
        &self,
        segment: &Arc<OpenSegment<F::File>>,
        position: Position,
    ) -> Result<Result<Block, String>, ReadError> {
        let fault = |source| Fault::backend("read a block", source);
        let mut visit = Visit::new(Arc::clone(segment));
        let Some((start, header)) = visit.block(position).map_err(fault)? else {
            return Ok(Err("bytes that lead to no block".to_owned()));
        };
        let mut bytes = vec![0; header.encoded_len()];
        match read_exact_at(&segment.file, &mut bytes, start) {
            Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => {
                return Ok(Err("the end of the file inside a block".to_owned()));
            }
            other => other.map_err(fault)?,
        }
        Ok(match decode_block(&bytes, &segment.header.checksum_key) {
            Ok((block, _)) => self.checked(block, position),
            Err(error) => Err(error.to_string()),
        })
    }

    /// The block, if it holds a position and the bodies that its leaves commit to.
    fn checked(&self, mut block: Block, position: Position) -> Result<Block, String> {
        if block.record(position).is_none() {
            return Err(format!("a block after the head {}", block.prev()));
        }
        let bad: Vec<Position> = block.bad_commitments().collect();
        for position in bad {
            if !self.catalog.is_half_erased(position) {
                return Err(format!(
                    "a body at {position} that its leaf does not commit to"
                ));
            }
            block.erase(position);
        }
        // Order: the head is read after the bytes. An erasure follows the block that allows it, so
        // whoever sees its zeros sees that block too.
        let head = self.head();
        if block.head().size == head.size {
            if block.head() != head {
                return Err(format!("a block that ends at {}", block.head()));
            }
            if let Some(record) = block.records().iter().find(|record| record.is_erased()) {
                return Err(format!(
                    "no body at {} in the last block",
                    record.leaf.position
                ));
            }
        }
        Ok(block)
    }

    /// A record, if its leaf and body and the hash after it prove each other.
    fn lone_record(
        &self,
        visit: &mut Visit<F::File>,
        position: Position,
        until: Position,
    ) -> io::Result<Option<Record>> {
        let Some(frame) = visit.frame(position, until)? else {
            return Ok(None);
        };
        let Ok((record, _)) = Record::decode_frame(frame.bytes) else {
            return Ok(None);
        };
        // The bytes may have been read anew since the frame was measured, and say otherwise by now.
        let leaf_end = FRAME_HEAD_LEN.saturating_add(frame.leaf_len);
        let Some(leaf) = frame.bytes.get(FRAME_HEAD_LEN..leaf_end) else {
            return Ok(None);
        };
        let (hash, frame_end) = (chain_hash(leaf), frame.end);
        let next = frame.bytes.get(frame.len..);
        let next_hash = next.and_then(|next| previous_hash(next, position.0 + 1));
        if record.leaf.position != position {
            return Ok(None);
        }
        // Whatever stands there, a hash that is equal proves the leaf: nothing else has it.
        if next_hash != Some(hash) && !self.ends_block(visit, position, frame_end, hash)? {
            return Ok(None);
        }
        let is_body = match record.is_erased() {
            true => self.is_before_last_block(visit, position)?,
            false => record.commitment_holds(),
        };
        Ok(is_body.then_some(record))
    }

    /// Whether a hash stands as the one after this position where a block ends with it: as the head, or
    /// in the header of the next segment or of the next block.
    fn ends_block(
        &self,
        visit: &mut Visit<F::File>,
        position: Position,
        frame_end: u64,
        hash: Hash,
    ) -> io::Result<bool> {
        let size = position.0 + 1;
        let number = visit.segment.header.number;
        let known = [Some(self.head()), self.catalog.head_after(number)];
        let mut known = known.into_iter().flatten();
        if let Some(head) = known.find(|head| head.size == size) {
            return Ok(head.hash == hash);
        }
        let next = visit.header_after(frame_end)?;
        Ok(next.is_some_and(|next| next.prev == Head { size, hash }))
    }

    /// Whether a record may be erased: see `checked` for the order.
    fn is_before_last_block(
        &self,
        visit: &mut Visit<F::File>,
        position: Position,
    ) -> io::Result<bool> {
        let end = |header: BlockHeader| header.prev.size.saturating_add(u64::from(header.count));
        let block = visit.block(position)?;
        Ok(block.is_some_and(|(_, header)| end(header) < self.head().size))
    }
}

/// The last of the positions, ascending, after the one at this place, that lie so close together that
/// they are read at once.
fn near(positions: &[Position], at: usize) -> Position {
    let pairs = positions[at..].windows(2);
    let close = pairs.take_while(|pair| pair[1].0 - pair[0].0 <= GAP_MAX);
    positions[at + close.take(READ_TOGETHER_MAX).count()]
}

fn not_there(position: Position, found: &str) -> Corruption {
    let expected = "the block with this record, whole".to_owned();
    Corruption {
        position,
        expected,
        found: found.to_owned(),
    }
}
