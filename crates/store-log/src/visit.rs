//! Finds frames by following lengths, from the nearest noted offset or from where it was before.
//!
//! Apart from the reader because it proves nothing: whatever it finds, the reader checks. A visit keeps
//! the bytes around the last frame, so ascending positions cost one read for many of them.

use std::io;
use std::sync::Arc;

use chain::{BLOCK_HEADER_LEN, BlockHeader, FRAME_HEAD_LEN, Hash, LEAF_LEN_MAX, Leaf, Position};
use durable::{File, read_exact_at};

use crate::catalog::{OpenSegment, shared};
use crate::offsets::Entry;
use crate::scan::Window;
use crate::width::offset;

/// Bytes read at once to find a frame: what lies between two noted offsets, and the frame.
const FRAME_WINDOW_BYTES: usize = 6 * 1024;
const SALT_LEN: usize = 32;

/// Where a position lies, if offsets and lengths on the way there are right.
#[derive(Clone, Copy)]
pub(crate) struct Place {
    pub(crate) block: u64,
    pub(crate) header: BlockHeader,
    pub(crate) frame: u64,
    position: u64,
}

impl Place {
    /// The position after the last of its block.
    pub(crate) fn end(&self) -> u64 {
        self.header.prev.size + u64::from(self.header.count)
    }
}

/// One way through a segment.
pub(crate) struct Visit<R: File> {
    pub(crate) segment: Arc<OpenSegment<R>>,
    window: Window,
    last: Option<Place>,
}

impl<R: File> Visit<R> {
    pub(crate) fn new(segment: Arc<OpenSegment<R>>) -> Self {
        let window = Window::new(segment.file_len, FRAME_WINDOW_BYTES);
        Self {
            segment,
            window,
            last: None,
        }
    }

    /// Goes on in another segment.
    pub(crate) fn turn_to(&mut self, segment: Arc<OpenSegment<R>>) {
        self.window.turn_to(segment.file_len);
        self.segment = segment;
        self.last = None;
    }

    /// Where a position lies; `None` when the bytes lead nowhere.
    pub(crate) fn walk(&mut self, position: Position) -> io::Result<Option<Place>> {
        let Some(noted) = shared(&self.segment.offsets).before(position) else {
            return Ok(None);
        };
        let nearer = noted.position..=position.0;
        let last = self.last.take();
        let start = match last.filter(|last| nearer.contains(&last.position)) {
            None => self.begin(noted, last)?,
            last => last,
        };
        let Some(mut place) = start else {
            return Ok(None);
        };
        while position.0 >= place.end() {
            let Some(header) = self.header_after(&place)? else {
                return Ok(None);
            };
            let (block, header) = header;
            place = Place {
                block,
                header,
                frame: block + offset(BLOCK_HEADER_LEN),
                position: place.end(),
            };
        }
        self.last = self.along(place, position)?;
        Ok(self.last)
    }

    /// The block or mark after the block of a place, and where it starts.
    pub(crate) fn header_after(&mut self, place: &Place) -> io::Result<Option<(u64, BlockHeader)>> {
        let after = place.block + offset(place.header.encoded_len());
        let Some(start) = self.segment.header.next_block_start(after) else {
            return Ok(None);
        };
        let head = self
            .window
            .at(&self.segment.file, start, BLOCK_HEADER_LEN)?;
        Ok(BlockHeader::decode(head).ok().map(|header| (start, header)))
    }

    /// The bytes from a place on: its frame, and as much after it as the next frame's leaf may take.
    /// With them the lengths of its leaf and of its frame.
    pub(crate) fn frame(&mut self, place: &Place) -> io::Result<Option<(&[u8], usize, usize)>> {
        let head = self
            .window
            .at(&self.segment.file, place.frame, FRAME_HEAD_LEN)?;
        let Some((leaf_len, frame_len)) = frame_lengths(head) else {
            return Ok(None);
        };
        let len = frame_len + FRAME_HEAD_LEN + LEAF_LEN_MAX;
        let bytes = self.window.at(&self.segment.file, place.frame, len)?;
        Ok(Some((bytes, leaf_len, frame_len)))
    }

    fn begin(&mut self, noted: Entry, last: Option<Place>) -> io::Result<Option<Place>> {
        let (block, frame) = (u64::from(noted.block), u64::from(noted.frame));
        if let Some(last) = last.filter(|last| last.block == block) {
            return Ok(Some(Place {
                frame,
                position: noted.position,
                ..last
            }));
        }
        // The header may lie far before the noted frame: read it alone.
        let mut alone = [0; BLOCK_HEADER_LEN];
        let is_far = frame.saturating_sub(block) > offset(BLOCK_HEADER_LEN);
        let head = if is_far {
            match read_exact_at(&self.segment.file, &mut alone, block) {
                Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
                other => other?,
            }
            &alone
        } else {
            self.window
                .at(&self.segment.file, block, BLOCK_HEADER_LEN)?
        };
        Ok(BlockHeader::decode(head).ok().map(|header| Place {
            block,
            header,
            frame,
            position: noted.position,
        }))
    }

    /// Follows frames inside the block of a place.
    fn along(&mut self, mut place: Place, position: Position) -> io::Result<Option<Place>> {
        let frames_start = place.block + offset(BLOCK_HEADER_LEN);
        let frames_end = frames_start + u64::from(place.header.frames_len);
        while place.position < position.0 && place.frame < frames_end {
            let head = self
                .window
                .at(&self.segment.file, place.frame, FRAME_HEAD_LEN)?;
            let Some((_, frame_len)) = frame_lengths(head) else {
                return Ok(None);
            };
            place.frame += offset(frame_len);
            place.position += 1;
        }
        let is_here = place.position == position.0 && place.frame < frames_end;
        Ok(is_here.then_some(place))
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
