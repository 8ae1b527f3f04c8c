//! Finds frames by following lengths from the nearest noted offset, and what proves them.
//!
//! Apart from the reader because it proves nothing: whatever it finds, the reader checks. One read brings
//! a frame, those before it since the nearest noted one, and what stands after it; the bytes are kept, so
//! that positions that lie close together cost one read.

use std::io;
use std::sync::Arc;

use chain::{
    BLOCK_HEADER_LEN, BLOCK_OVERHEAD_LEN, BlockHeader, FRAME_HEAD_LEN, Hash, LEAF_LEN_MAX, Leaf,
    Position,
};
use durable::File;

use crate::catalog::{OpenSegment, shared};
use crate::scan::Window;
use crate::width::{length, offset};

/// Bytes read at once to find a frame where no offset after it is noted.
const LAST_FRAMES_BYTES: usize = 4 * 1024;
/// Bytes read at once for positions that lie close together.
const FRAMES_BYTES_MAX: usize = 64 * 1024;
/// What stands after a frame and proves it: the next frame's leaf, or a block's checksum and the next
/// block's header.
const PROOF_LEN: usize = FRAME_HEAD_LEN + LEAF_LEN_MAX;
const SALT_LEN: usize = 32;

/// A frame, if offsets and lengths on the way there are right.
pub(crate) struct Frame<'a> {
    /// Its bytes, and as many after it as the next frame's leaf may take.
    pub(crate) bytes: &'a [u8],
    pub(crate) leaf_len: usize,
    pub(crate) len: usize,
    /// Where in the segment it ends.
    pub(crate) end: u64,
}

/// One way through a segment.
pub(crate) struct Visit<R: File> {
    pub(crate) segment: Arc<OpenSegment<R>>,
    window: Window,
}

impl<R: File> Visit<R> {
    pub(crate) fn new(segment: Arc<OpenSegment<R>>) -> Self {
        let window = Window::new(segment.file_len, BLOCK_HEADER_LEN);
        Self { segment, window }
    }

    /// Goes on in another segment.
    pub(crate) fn turn_to(&mut self, segment: Arc<OpenSegment<R>>) {
        self.window.turn_to(segment.file_len);
        self.segment = segment;
    }

    /// The frame of a position; `None` when the bytes lead nowhere. Those of the positions up to `until`
    /// will be asked for next.
    pub(crate) fn frame(
        &mut self,
        position: Position,
        until: Position,
    ) -> io::Result<Option<Frame<'_>>> {
        let Some(span) = shared(&self.segment.offsets).span(position, until) else {
            return Ok(None);
        };
        let ahead = match span.end {
            Some(end) => length(end.saturating_sub(span.frame)).min(FRAMES_BYTES_MAX) + PROOF_LEN,
            None => LAST_FRAMES_BYTES,
        };
        let (file, window) = (&self.segment.file, &mut self.window);
        let mut at = span.frame;
        let mut n_before = position.0.saturating_sub(span.position);
        let (leaf_len, len) = loop {
            let head = window.at_ahead(file, at, FRAME_HEAD_LEN, ahead)?;
            let Some((leaf_len, len)) = frame_lengths(head) else {
                return Ok(None);
            };
            if n_before == 0 {
                break (leaf_len, len);
            }
            n_before -= 1;
            at += offset(len);
        };
        let bytes = window.at_ahead(file, at, len.saturating_add(PROOF_LEN), ahead)?;
        Ok(Some(Frame {
            bytes,
            leaf_len,
            len,
            end: at.saturating_add(offset(len)),
        }))
    }

    /// The header of the block or mark after the block whose last frame ends here.
    pub(crate) fn header_after(&mut self, frame_end: u64) -> io::Result<Option<BlockHeader>> {
        let end = frame_end.saturating_add(offset(BLOCK_OVERHEAD_LEN - BLOCK_HEADER_LEN));
        match self.segment.header.next_block_start(end) {
            Some(start) => self.header_at(start),
            None => Ok(None),
        }
    }

    /// Where the block with a position starts, by the offsets, and its header.
    pub(crate) fn block(&mut self, position: Position) -> io::Result<Option<(u64, BlockHeader)>> {
        let Some(start) = shared(&self.segment.offsets).block(position) else {
            return Ok(None);
        };
        let header = self.header_at(start)?;
        Ok(header.map(|header| (start, header)))
    }

    fn header_at(&mut self, start: u64) -> io::Result<Option<BlockHeader>> {
        let head = self
            .window
            .at(&self.segment.file, start, BLOCK_HEADER_LEN)?;
        Ok(BlockHeader::decode(head).ok())
    }
}

/// The chain hash in the leaf of the frame that begins with these bytes, if it is at `position`.
pub(crate) fn previous_hash(frame: &[u8], position: u64) -> Option<Hash> {
    let (leaf_len, _) = frame_lengths(frame)?;
    let leaf = Leaf::decode(frame.get(FRAME_HEAD_LEN..FRAME_HEAD_LEN + leaf_len)?).ok()?;
    (leaf.position.0 == position).then_some(leaf.previous_hash)
}

/// The lengths of the leaf and of the whole frame that begins with these bytes.
fn frame_lengths(head: &[u8]) -> Option<(usize, usize)> {
    let (leaf_len, rest) = head.split_first_chunk()?;
    let leaf_len = usize::from(u16::from_be_bytes(*leaf_len));
    let body_len = usize::try_from(u32::from_be_bytes(*rest.first_chunk()?)).ok()?;
    let frame_len = (FRAME_HEAD_LEN + SALT_LEN)
        .checked_add(leaf_len)?
        .checked_add(body_len)?;
    Some((leaf_len, frame_len))
}
