//! Recovery of the last segment: from bytes that a crash may have left to a segment that may be served.
//!
//! Apart from the log because it is a type of its own: an [`UnverifiedSegment`] cannot be appended to
//! or read from, only recovered (`ledger-data/README.md` section 10).
//!
//! Order:
//! 1. every block is read and judged; nothing is written. Corruption ends here (a crash changes
//!    nothing);
//! 2. a torn tail is overwritten with zeros and synced (a crash leaves a shorter or a torn tail, which
//!    the next recovery cuts);
//! 3. the last block, and the mark after it, are written again as they are and synced. Durability: what
//!    was read may have come from a page cache that survived a kill or a failed sync, so only now may
//!    the head be served (a crash leaves the same bytes).

use std::io;
use std::path::{Path, PathBuf};

use chain::{BLOCK_BYTES_MAX, Block, Head, Position, Record, SegmentHeader};
use durable::File;
use store::Corruption;

use crate::error::OpenError;
use crate::offsets::Offsets;
use crate::scan::{BadBytes, Piece, Scan};
use crate::width::{length, offset};

/// A torn tail that was cut: what a crash left of a block that nobody was told about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TornTail {
    /// The segment's file.
    pub path: PathBuf,
    /// Where in the file it began.
    pub offset: u64,
    /// How many bytes, up to the last one that was not zero.
    pub bytes: u64,
}

/// The last segment of a ledger as it was found.
pub(crate) struct UnverifiedSegment<R: File> {
    scan: Scan<R>,
    header: SegmentHeader,
    path: PathBuf,
}

/// A segment that was checked from its header to its end, and whose content is durable.
pub(crate) struct Segment<R: File> {
    pub(crate) file: R,
    pub(crate) header: SegmentHeader,
    pub(crate) offsets: Offsets,
    pub(crate) head: Head,
    /// Where the last block or mark, or the header, ends.
    pub(crate) end: u64,
    /// Length of the file.
    pub(crate) capacity: u64,
    /// Whether a block without a mark is the last thing in it.
    pub(crate) needs_mark: bool,
}

/// A block with records and the marks that follow it; the header and its marks before the first.
struct Last {
    offset: u64,
    bytes: Vec<u8>,
    head_before: Head,
    /// The first record with a body that its leaf does not commit to, and that is not erased.
    bad: Option<Position>,
    /// The first record that is erased, or that a crash left without its body.
    zeroed: Option<Position>,
    is_marked: bool,
}

/// Where a torn tail begins and ends.
type Tail = (u64, u64);

impl<R: File> UnverifiedSegment<R> {
    pub(crate) fn of(file: R, header: SegmentHeader, path: &Path) -> Result<Self, OpenError> {
        let path = path.to_path_buf();
        match Scan::of(file) {
            Ok(scan) => Ok(Self { scan, header, path }),
            Err(source) => Err(OpenError::Read { path, source }),
        }
    }

    /// Checks everything, cuts a torn tail, and makes sure that the rest is durable.
    ///
    /// `half_erased` are the positions whose erasure was under way: their bodies may be anything.
    pub(crate) fn recover(
        mut self,
        half_erased: &[Position],
    ) -> Result<(Segment<R>, Option<TornTail>), OpenError> {
        let mut offsets = Offsets::default();
        let mut head = self.header.head;
        let mut last = Last::header(head, self.scan.header_bytes());
        let mut before_last = None;
        let mut tail = None;
        while let Some(piece) = self.next_piece()? {
            match piece {
                Piece::Block {
                    offset: at,
                    bytes,
                    block,
                } => {
                    self.check_follows(&last, &block, head, at)?;
                    offsets.note(at, &block);
                    head = block.head();
                    if block.is_mark() {
                        last.mark(at, &bytes);
                    } else {
                        before_last = Some(std::mem::replace(
                            &mut last,
                            Last::block(at, bytes, &block, half_erased),
                        ));
                    }
                }
                Piece::Gap {
                    first_nonzero: None,
                    ..
                } => {}
                Piece::Gap {
                    first_nonzero: Some(at),
                    ..
                } => {
                    return Err(self.corrupt(head, "zeros between blocks", "other bytes", at));
                }
                Piece::Bad(bad) => tail = Some(self.judge_tail(&last, head, &bad)?),
            }
        }
        if let Some(position) = last.unproven() {
            // Whole by its checksum, but a body is missing: the write was torn inside one. Nothing is
            // erased in the last block, so zeros are no excuse; nor in the one that is last without it.
            let whole = before_last.filter(|before| before.unproven().is_none() && !last.is_marked);
            let Some(whole) = whole else {
                return Err(self.no_body(position));
            };
            tail = Some((last.offset, last.end()));
            head = last.head_before;
            offsets.forget(head.next_position());
            last = whole;
        }
        self.finish(offsets, head, &last, tail)
    }

    fn finish(
        self,
        offsets: Offsets,
        head: Head,
        last: &Last,
        tail: Option<Tail>,
    ) -> Result<(Segment<R>, Option<TornTail>), OpenError> {
        let write = |source| OpenError::Write {
            path: self.path.clone(),
            source,
        };
        let capacity = self.scan.file_len();
        let file = self.scan.into_file();
        if let Some((from, to)) = tail {
            cut_torn_tail(&file, from, to).map_err(write)?;
        }
        // Durability: see step 3 above.
        file.write_all_at(&last.bytes, last.offset)
            .and_then(|()| file.sync_data())
            .map_err(write)?;
        let end = last.end();
        let needs_mark = !last.is_marked;
        let header = self.header;
        let segment = Segment {
            file,
            header,
            offsets,
            head,
            end,
            capacity,
            needs_mark,
        };
        let torn = tail.map(|(from, to)| TornTail {
            path: self.path,
            offset: from,
            bytes: to - from,
        });
        Ok((segment, torn))
    }

    fn next_piece(&mut self) -> Result<Option<Piece>, OpenError> {
        let path = &self.path;
        self.scan.next_piece().map_err(|source| OpenError::Read {
            path: path.clone(),
            source,
        })
    }

    /// A block or mark whose checksum holds was written after everything before it was durable.
    fn check_follows(
        &self,
        last: &Last,
        block: &Block,
        head: Head,
        at: u64,
    ) -> Result<(), OpenError> {
        if block.prev() != head {
            let found = format!("one after the head {}", block.prev());
            return Err(self.corrupt(head, &format!("a block after the head {head}"), &found, at));
        }
        // Zeroed bodies are legal as soon as a block with records follows, which may hold the erasure.
        last.bad
            .map_or(Ok(()), |position| Err(self.no_body(position)))
    }

    fn judge_tail(&self, last: &Last, head: Head, bad: &BadBytes) -> Result<Tail, OpenError> {
        let found = bad.error.to_string();
        if let Some(resumes_at) = bad.resumes_at {
            let expected = format!("a block, as there is another at byte {resumes_at},");
            return Err(self.corrupt(head, &expected, &found, bad.offset));
        }
        let bytes = bad.nonzero_end - bad.offset;
        if bytes > offset(BLOCK_BYTES_MAX) {
            let found = format!("{bytes} bytes that are neither");
            return Err(self.corrupt(head, "a block or zeros", &found, bad.offset));
        }
        // Something was begun after the last block, so that had been durable.
        last.unproven().map_or(
            Ok((bad.offset, bad.nonzero_end)),
            |at| Err(self.no_body(at)),
        )
    }

    fn no_body(&self, position: Position) -> OpenError {
        let expected = format!(
            "a body that its leaf commits to, in {}",
            self.path.display()
        );
        Corruption {
            position,
            expected,
            found: "another body, or none".to_owned(),
        }
        .into()
    }

    fn corrupt(&self, head: Head, expected: &str, found: &str, at: u64) -> OpenError {
        let expected = format!("{expected} at byte {at} of {}", self.path.display());
        Corruption {
            position: head.next_position(),
            expected,
            found: found.to_owned(),
        }
        .into()
    }
}

impl Last {
    /// A segment without records. Its header counts as a mark of what the segment before it holds.
    fn header(head_before: Head, bytes: &[u8]) -> Self {
        let bytes = bytes.to_vec();
        Self {
            offset: 0,
            bytes,
            head_before,
            bad: None,
            zeroed: None,
            is_marked: true,
        }
    }

    fn block(offset: u64, bytes: Vec<u8>, block: &Block, half_erased: &[Position]) -> Self {
        let mut bad = block.bad_commitments();
        let bad = bad.find(|position| !half_erased.contains(position));
        // In the last block half erased is as impossible as erased.
        let is_zeroed = |record: &&Record| !record.commitment_holds();
        let zeroed = block.records().iter().find(is_zeroed);
        Self {
            offset,
            bytes,
            head_before: block.prev(),
            bad,
            zeroed: zeroed.map(|record| record.leaf.position),
            is_marked: false,
        }
    }

    /// Takes in the mark at `at`, with the zeros between.
    fn mark(&mut self, at: u64, bytes: &[u8]) {
        self.bytes.resize(length(at - self.offset), 0);
        self.bytes.extend_from_slice(bytes);
        self.is_marked = true;
    }

    fn unproven(&self) -> Option<Position> {
        self.bad.or(self.zeroed)
    }

    fn end(&self) -> u64 {
        self.offset + offset(self.bytes.len())
    }
}

/// Cuts a torn tail: the only place where bytes that once followed a block are given up.
///
/// Invariant: called only for the end of the last segment, for bytes after the last block that holds,
/// within one block's maximum length, and with nothing that holds after them.
fn cut_torn_tail<R: File>(file: &R, from: u64, to: u64) -> io::Result<()> {
    file.write_all_at(&vec![0; length(to - from)], from)?;
    file.sync_data()
}
