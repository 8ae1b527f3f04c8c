//! Reads segments as they lie on disk: blocks, bytes that are no block, and gaps.
//!
//! Apart from recovery because the verifier re-hashes every byte itself: nothing here takes the lock,
//! writes, or believes an index, so it works on the directory of a running server.

use std::io;
use std::path::{Path, PathBuf};

use chain::{
    BLOCK_HEADER_LEN, BLOCK_MAGIC, Block, BlockError, BlockHeader, Position, SEGMENT_HEADER_LEN,
    SegmentError, SegmentHeader, decode_block, first_nonzero, is_zero,
};
use durable::{File, Fs, Mode, read_file};

use crate::error::OpenError;
use crate::width::{length, offset};
use crate::{erase, layout};

/// Bytes read at once.
const WINDOW_BYTES: usize = 1 << 20;

/// A segment that is in the directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SegmentFile {
    /// The number in its name.
    pub number: u64,
    /// Its path.
    pub path: PathBuf,
}

/// The segments of a data directory by number. Gaps in the numbers are left to the caller to find.
///
/// # Errors
/// `NotFound` when there is no log in the directory; whatever listing it returns.
pub fn segments<F: Fs>(fs: &F, dir: &Path) -> io::Result<Vec<SegmentFile>> {
    let names = fs.list(&layout::log_dir(dir))?;
    let mut found: Vec<SegmentFile> = names
        .iter()
        .filter_map(|name| layout::segment_number(name))
        .map(|number| SegmentFile {
            number,
            path: layout::segment_path(dir, number),
        })
        .collect();
    found.sort_by_key(|segment| segment.number);
    Ok(found)
}

/// How far erasures have been carried out; `None` when none has.
///
/// # Errors
/// `InvalidData` when the file does not hold a position; whatever reading it returns.
pub fn erased_through<F: Fs>(fs: &F, dir: &Path) -> io::Result<Option<Position>> {
    let bytes = match read_file(fs, &dir.join(layout::ERASED_THROUGH)) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        other => other?,
    };
    let text = std::str::from_utf8(&bytes)
        .ok()
        .and_then(|text| text.strip_suffix('\n'));
    let position = text.and_then(|text| text.parse().ok().filter(|n: &u64| n.to_string() == text));
    match position {
        Some(position) => Ok(Some(Position(position))),
        None => Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "no position in erased-through",
        )),
    }
}

/// Positions whose erasure was begun and not finished: their bodies may be anything until the ledger is
/// opened again. Empty when there are none, or when the file that says so is damaged.
///
/// # Errors
/// Whatever reading it returns.
pub fn half_erased<F: Fs>(fs: &F, dir: &Path) -> io::Result<Vec<Position>> {
    match erase::unfinished(fs, dir) {
        Ok(unfinished) => Ok(unfinished
            .map(|(positions, _)| positions)
            .unwrap_or_default()),
        Err(OpenError::Read { source, .. }) => Err(source),
        Err(_) => Ok(Vec::new()),
    }
}

/// What lies at one place of a segment.
#[derive(Debug)]
pub enum Piece {
    /// A block or head mark whose checksum, leaves and inner links hold. Whether it continues the one
    /// before it, and whether commitments hold, is for the caller to judge.
    Block {
        /// Where it starts.
        offset: u64,
        /// Its bytes.
        bytes: Vec<u8>,
        /// Its content.
        block: Block,
    },
    /// Bytes that are not a block where one would start.
    Bad(BadBytes),
    /// Bytes that belong to no block: up to the next aligned offset, or to the end of the file.
    Gap {
        /// Where it starts.
        offset: u64,
        /// How long it is.
        len: u64,
        /// The first byte that is not zero, though it should be.
        first_nonzero: Option<u64>,
    },
}

/// Bytes that are not a block where one would start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadBytes {
    /// Where a block would start.
    pub offset: u64,
    /// Why they are not a block.
    pub error: BlockError,
    /// After the last byte that is not zero, before [`BadBytes::resumes_at`] or the end of the file.
    pub nonzero_end: u64,
    /// The next offset with a block whose checksum holds; the scan goes on there.
    pub resumes_at: Option<u64>,
}

/// Reads one segment from front to back.
#[derive(Debug)]
pub struct Scan<R: File> {
    file: R,
    window: Window,
    header_bytes: Vec<u8>,
    header: Result<SegmentHeader, SegmentError>,
    /// Where the last piece ended; `None` at the end.
    at: Option<u64>,
}

impl<R: File> Scan<R> {
    /// Opens a segment and reads its header.
    ///
    /// # Errors
    /// Whatever opening or reading the file returns.
    pub fn open<F: Fs<File = R>>(fs: &F, path: &Path) -> io::Result<Self> {
        Self::of(fs.open(path, Mode::Read)?)
    }

    pub(crate) fn of(file: R) -> io::Result<Self> {
        let mut window = Window::new(file.len()?, WINDOW_BYTES);
        let header_bytes = window.at(&file, 0, SEGMENT_HEADER_LEN)?.to_vec();
        let header = SegmentHeader::decode(&header_bytes);
        let at = header.is_ok().then_some(offset(SEGMENT_HEADER_LEN));
        Ok(Self {
            file,
            window,
            header_bytes,
            header,
            at,
        })
    }

    /// The header, or what is wrong with it; then there are no pieces.
    pub fn header(&self) -> Result<&SegmentHeader, &SegmentError> {
        self.header.as_ref()
    }

    /// The header's bytes as they are: fewer than 128 when the file is shorter.
    pub fn header_bytes(&self) -> &[u8] {
        &self.header_bytes
    }

    /// Length of the file in bytes when it was opened.
    pub fn file_len(&self) -> u64 {
        self.window.len
    }

    /// The next piece; `None` at the end. Pieces follow each other without holes.
    ///
    /// # Errors
    /// Whatever reading the file returns.
    pub fn next_piece(&mut self) -> io::Result<Option<Piece>> {
        let (Some(at), Ok(header)) = (self.at, self.header.as_ref()) else {
            return Ok(None);
        };
        let header = *header;
        if at >= self.window.len {
            self.at = None;
            return Ok(None);
        }
        let start = header
            .next_block_start(at)
            .unwrap_or(u64::MAX)
            .min(self.window.len);
        if start > at {
            self.at = Some(start);
            return self.gap(at, start).map(Some);
        }
        match self.block_at(&header, start)? {
            Ok((bytes, block)) => {
                self.at = Some(start.saturating_add(offset(bytes.len())));
                Ok(Some(Piece::Block {
                    offset: start,
                    bytes,
                    block,
                }))
            }
            Err(error) => self.not_a_block(&header, start, error).map(Some),
        }
    }

    pub(crate) fn into_file(self) -> R {
        self.file
    }

    fn gap(&mut self, from: u64, to: u64) -> io::Result<Piece> {
        let len = to - from;
        let bytes = self.window.at(&self.file, from, length(len))?;
        let first_nonzero = first_nonzero(bytes).map(|index| from + offset(index));
        Ok(Piece::Gap {
            offset: from,
            len,
            first_nonzero,
        })
    }

    fn block_at(
        &mut self,
        header: &SegmentHeader,
        start: u64,
    ) -> io::Result<Result<(Vec<u8>, Block), BlockError>> {
        let head = self.window.at(&self.file, start, BLOCK_HEADER_LEN)?;
        let len = match BlockHeader::decode(head) {
            Ok(found) => found.encoded_len(),
            Err(error) => return Ok(Err(error)),
        };
        let bytes = self.window.at(&self.file, start, len)?;
        Ok(decode_block(bytes, &header.checksum_key)
            .map(|(block, len)| (bytes[..len].to_vec(), block)))
    }

    /// Zeros to the end of the file, or bad bytes: then looks for what was written after them.
    fn not_a_block(
        &mut self,
        header: &SegmentHeader,
        start: u64,
        error: BlockError,
    ) -> io::Result<Piece> {
        let Some(nonzero_end) = self.nonzero_end(start, self.window.len)? else {
            self.at = None;
            let len = self.window.len - start;
            return Ok(Piece::Gap {
                offset: start,
                len,
                first_nonzero: None,
            });
        };
        let resumes_at = self.next_block_after(header, start, nonzero_end)?;
        self.at = resumes_at;
        let nonzero_end = match resumes_at {
            Some(end) => self.nonzero_end(start, end)?.unwrap_or(start),
            None => nonzero_end,
        };
        Ok(Piece::Bad(BadBytes {
            offset: start,
            error,
            nonzero_end,
            resumes_at,
        }))
    }

    /// After the last byte that is not zero, if there is one.
    fn nonzero_end(&mut self, from: u64, to: u64) -> io::Result<Option<u64>> {
        let mut last = None;
        let mut at = from;
        while at < to {
            let len = length(to - at).min(WINDOW_BYTES);
            let bytes = self.window.at(&self.file, at, len)?;
            if !is_zero(bytes) {
                let index = bytes.iter().rposition(|byte| *byte != 0).unwrap_or(0);
                last = Some(at + offset(index) + 1);
            }
            at += offset(bytes.len().max(1));
        }
        Ok(last)
    }

    fn next_block_after(
        &mut self,
        header: &SegmentHeader,
        start: u64,
        nonzero_end: u64,
    ) -> io::Result<Option<u64>> {
        let align = u64::from(header.block_align);
        let mut at = start + 1;
        while at < nonzero_end {
            let bytes = self.window.at(&self.file, at, WINDOW_BYTES)?;
            let found = bytes
                .windows(BLOCK_MAGIC.len())
                .position(|four| four == BLOCK_MAGIC);
            let Some(index) = found else {
                // The last bytes of the window may begin a magic that the next one completes.
                at += offset(bytes.len().saturating_sub(BLOCK_MAGIC.len() - 1).max(1));
                continue;
            };
            let candidate = at + offset(index);
            if candidate.is_multiple_of(align) && self.block_at(header, candidate)?.is_ok() {
                return Ok(Some(candidate));
            }
            at = candidate + 1;
        }
        Ok(None)
    }
}

/// A part of a file in memory, moved along as it is read.
#[derive(Debug)]
pub(crate) struct Window {
    len: u64,
    start: u64,
    /// Never shortened, so that memory is set to zeros once and not for every read.
    bytes: Vec<u8>,
    /// How many of the bytes were read.
    filled: usize,
    read_bytes_min: usize,
}

impl Window {
    pub(crate) fn new(len: u64, read_bytes_min: usize) -> Self {
        Self {
            len,
            start: 0,
            bytes: Vec::new(),
            filled: 0,
            read_bytes_min,
        }
    }

    /// Goes to another file, with the memory of the one before.
    pub(crate) fn turn_to(&mut self, len: u64) {
        self.len = len;
        self.filled = 0;
    }

    /// `wanted` bytes from `from` on, fewer where the file ends.
    pub(crate) fn at<R: File>(&mut self, file: &R, from: u64, wanted: usize) -> io::Result<&[u8]> {
        self.at_ahead(file, from, wanted, self.read_bytes_min)
    }

    /// The same; when it has to read, it reads at least `ahead` bytes.
    pub(crate) fn at_ahead<R: File>(
        &mut self,
        file: &R,
        from: u64,
        wanted: usize,
        ahead: usize,
    ) -> io::Result<&[u8]> {
        let left = length(self.len.saturating_sub(from));
        let wanted = wanted.min(left);
        let held = self.start..=self.start + offset(self.filled);
        let inside = from >= *held.start() && from.saturating_add(offset(wanted)) <= *held.end();
        if !inside {
            // A failed read leaves an empty window and not a stale one.
            self.filled = 0;
            self.start = from;
            let len = wanted.max(ahead).min(left);
            if self.bytes.len() < len {
                self.bytes = vec![0; len];
            }
            let mut filled = 0;
            while filled < len {
                let n = file.read_at(&mut self.bytes[filled..len], from + offset(filled))?;
                if n == 0 {
                    break;
                }
                filled += n;
            }
            self.filled = filled;
        }
        let at = length(from - self.start);
        let end = (at + wanted).min(self.filled);
        Ok(&self.bytes[at.min(end)..end])
    }
}
