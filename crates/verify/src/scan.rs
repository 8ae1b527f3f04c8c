//! Reads one segment from front to back as pieces: blocks, bytes that are no block, and gaps.
//!
//! A second reading of the format, on purpose: the verifier shares no code with the store whose files it
//! judges, only the decoders of `chain`. Every byte of the file is in exactly one piece. What a bad piece
//! means for the ledger is judged in [`crate::judge`].
//!
//! A damaged checksum says nothing about the block under it. So a block that decodes once its checksum is
//! made right is handed on as *mended*, for the checks that follow to say what really differs.

use std::io;
use std::path::Path;

use chain::{
    BLOCK_BYTES_MAX, BLOCK_CHECKSUM_LEN, BLOCK_HEADER_LEN, BLOCK_MAGIC, Block, BlockError,
    BlockHeader, Head, SEGMENT_HEADER_LEN, SegmentError, SegmentHeader, decode_block,
};
use durable::{Fs, Mode};

use crate::width::{length, offset};
use crate::window::Window;

/// What lies at one place of a segment.
#[derive(Debug)]
pub(crate) enum Piece {
    /// A block or head mark: checksum, leaves and inner links hold.
    Block { start: u64, block: Block },
    /// Bytes that are no such block where one would start.
    Bad(Box<Bad>),
    /// Bytes that belong to no block, with the first that is not zero.
    Gap { first_nonzero: Option<u64> },
}

/// Bytes that are not a block where one would start.
#[derive(Debug)]
pub(crate) struct Bad {
    pub(crate) start: u64,
    pub(crate) error: BlockError,
    /// What its header says of the head before it, if it can be read.
    pub(crate) prev: Option<Head>,
    /// What the bytes decode to when the checksum is made right, or why they still do not.
    pub(crate) mended: Option<Result<Block, BlockError>>,
    /// The first byte from there on that is not zero.
    pub(crate) nonzero_start: u64,
    /// After the last byte of the file that is not zero.
    pub(crate) nonzero_end: u64,
    /// Where the next block with a checksum that holds starts.
    pub(crate) resumes_at: Option<u64>,
}

/// A segment's header as found.
#[derive(Debug, Clone)]
pub(crate) enum Header {
    /// It decodes.
    Sound(SegmentHeader),
    /// Its checksum differs; made right, it decodes. The key of its blocks is not to be trusted.
    Mended(SegmentHeader, SegmentError),
    /// It does not decode; the blocks cannot be found.
    Unreadable(SegmentError),
}

/// Reads one segment.
pub(crate) struct Scan<F: Fs> {
    window: Window<F::File>,
    header: Header,
    /// Where the next piece starts; `None` at the end.
    at: Option<u64>,
    /// The last search for a block that holds: from where, and what it found.
    search: Option<(u64, Option<u64>)>,
}

impl<F: Fs> Scan<F> {
    pub(crate) fn open(fs: &F, path: &Path) -> io::Result<Scan<F>> {
        let mut window = Window::new(fs.open(path, Mode::Read)?)?;
        let header = read_header(window.at(0, SEGMENT_HEADER_LEN)?);
        let at = match &header {
            Header::Unreadable(_) => None,
            _ => Some(offset(SEGMENT_HEADER_LEN)),
        };
        Ok(Scan {
            window,
            header,
            at,
            search: None,
        })
    }

    pub(crate) fn header(&self) -> &Header {
        &self.header
    }

    /// The next piece; `None` at the end.
    pub(crate) fn next_piece(&mut self) -> io::Result<Option<Piece>> {
        let Some(at) = self.at else { return Ok(None) };
        let (Header::Sound(header) | Header::Mended(header, _)) = self.header else {
            return Ok(None);
        };
        let len = self.window.len();
        if at >= len {
            self.at = None;
            return Ok(None);
        }
        let start = header.next_block_start(at).unwrap_or(u64::MAX).min(len);
        if start > at {
            self.at = Some(start);
            let first_nonzero = self.window.first_nonzero(at, start)?;
            return Ok(Some(Piece::Gap { first_nonzero }));
        }
        if let Ok(block) = self.block_at(&header, start)? {
            return Ok(Some(self.block(start, block)));
        }
        // A running server may have been writing just here: only what is read afresh counts.
        self.window.forget();
        match self.block_at(&header, start)? {
            Ok(block) => Ok(Some(self.block(start, block))),
            Err(error) => self.no_block(&header, start, error).map(Some),
        }
    }

    fn block(&mut self, start: u64, block: Block) -> Piece {
        self.at = Some(start.saturating_add(offset(block.encoded_len())));
        Piece::Block { start, block }
    }

    /// Zeros to the end of the file, or bad bytes.
    fn no_block(
        &mut self,
        header: &SegmentHeader,
        start: u64,
        error: BlockError,
    ) -> io::Result<Piece> {
        let len = self.window.len();
        let Some(nonzero_end) = self.window.nonzero_end(start, len)? else {
            self.at = None;
            return Ok(Piece::Gap {
                first_nonzero: None,
            });
        };
        let resumes_at = self.search(header, start, nonzero_end)?;
        // Blocks are written one after the other: when a later one is there and this one was still being
        // written when it was read, it is whole by now.
        self.window.forget();
        if let Ok(block) = self.block_at(header, start)? {
            return Ok(self.block(start, block));
        }
        let prev = BlockHeader::decode(self.block_bytes(start)?)
            .ok()
            .map(|header| header.prev);
        let nonzero_start = self.window.first_nonzero(start, len)?.unwrap_or(start);
        let mended = match &error {
            BlockError::Checksum { expected, .. } => {
                let bytes = self.block_bytes(start)?;
                Some(decode_block(
                    &with_checksum(bytes, &expected.0),
                    &header.checksum_key,
                ))
            }
            _ => None,
        };
        let mended = mended.map(|result| result.map(|(block, _)| block));
        self.at = match &mended {
            Some(Ok(block)) => Some(start.saturating_add(offset(block.encoded_len()))),
            _ => resumes_at,
        };
        Ok(Piece::Bad(Box::new(Bad {
            start,
            error,
            prev,
            mended,
            nonzero_start,
            nonzero_end,
            resumes_at,
        })))
    }

    /// The block at `start`. In a segment whose key is damaged, its checksum is not asked for.
    fn block_at(
        &mut self,
        header: &SegmentHeader,
        start: u64,
    ) -> io::Result<Result<Block, BlockError>> {
        let key_is_sound = matches!(self.header, Header::Sound(_));
        let bytes = self.block_bytes(start)?;
        let decoded = match decode_block(bytes, &header.checksum_key) {
            Err(BlockError::Checksum { expected, .. }) if !key_is_sound => {
                decode_block(&with_checksum(bytes, &expected.0), &header.checksum_key)
            }
            other => other,
        };
        Ok(decoded.map(|(block, _)| block))
    }

    /// As many bytes as the block that starts there says it has; too few where it cannot say.
    fn block_bytes(&mut self, start: u64) -> io::Result<&[u8]> {
        let head = self.window.at(start, BLOCK_HEADER_LEN)?;
        let len = BlockHeader::decode(head).map_or(BLOCK_HEADER_LEN, |header| header.encoded_len());
        self.window.at(start, len.min(BLOCK_BYTES_MAX))
    }

    /// Where the next block that holds starts, after `start`.
    fn search(
        &mut self,
        header: &SegmentHeader,
        start: u64,
        nonzero_end: u64,
    ) -> io::Result<Option<u64>> {
        // Every bad block asks this; without memory, many of them would cost the square of their number.
        if let Some((from, found)) = self.search
            && from <= start
            && found.is_none_or(|found| start < found)
        {
            return Ok(found);
        }
        let found = self.search_afresh(header, start, nonzero_end)?;
        self.search = Some((start, found));
        Ok(found)
    }

    fn search_afresh(
        &mut self,
        header: &SegmentHeader,
        start: u64,
        nonzero_end: u64,
    ) -> io::Result<Option<u64>> {
        const WINDOW_BYTES: u64 = 1 << 20;
        let align = u64::from(header.block_align);
        let mut at = start.saturating_add(1);
        while at < nonzero_end {
            let bytes = self.window.at(at, length(WINDOW_BYTES))?;
            let found = bytes
                .windows(BLOCK_MAGIC.len())
                .position(|four| four == BLOCK_MAGIC);
            let Some(index) = found else {
                // The last bytes of the window may begin a magic that the next one completes.
                let step = bytes.len().saturating_sub(BLOCK_MAGIC.len() - 1).max(1);
                at = at.saturating_add(offset(step));
                continue;
            };
            let candidate = at.saturating_add(offset(index));
            if candidate.is_multiple_of(align) && self.block_at(header, candidate)?.is_ok() {
                return Ok(Some(candidate));
            }
            at = candidate.saturating_add(1);
        }
        Ok(None)
    }
}

fn read_header(bytes: &[u8]) -> Header {
    match SegmentHeader::decode(bytes) {
        Ok(header) => Header::Sound(header),
        Err(error @ SegmentError::Checksum { expected, .. }) => {
            let bytes = with_checksum(bytes, &expected.0);
            match SegmentHeader::decode(&bytes) {
                Ok(header) => Header::Mended(header, error),
                Err(_) => Header::Unreadable(error),
            }
        }
        Err(error) => Header::Unreadable(error),
    }
}

/// The same bytes with another checksum at their end.
fn with_checksum(bytes: &[u8], checksum: &[u8; BLOCK_CHECKSUM_LEN]) -> Vec<u8> {
    let kept = bytes.len().saturating_sub(BLOCK_CHECKSUM_LEN);
    let mut mended = bytes.get(..kept).unwrap_or_default().to_vec();
    mended.extend_from_slice(checksum);
    mended
}
