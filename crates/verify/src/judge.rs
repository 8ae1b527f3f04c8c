//! From the pieces of all segments to the records of the ledger: continuity, torn tails and damage.
//!
//! Apart from the scan because what a bad piece means depends on what follows it
//! (`ledger-data/README.md` section 10). Order: a block is handed on only once something stands after it,
//! be it a block, a head mark, a header or torn bytes. The last block without anything after it may
//! itself be torn, inside a body; then it was promised to nobody.
//!
//! After damage it goes on where the next block holds, and says which records cannot be read.

use std::ops::Range;

use chain::{Block, Head};
use durable::Fs;

use crate::directory::{Directory, SegmentFile};
use crate::error::CouldNotRun;
use crate::finding::{Finding, Place};
use crate::invariants as must;
use crate::scan::{Bad, Header, Piece, Scan};
use crate::width::offset;

/// A block that counts, and where it lies.
#[derive(Debug)]
pub(crate) struct Located {
    pub(crate) segment: u64,
    pub(crate) start: u64,
    pub(crate) block: Block,
}

/// What reading the log gives, in order.
#[derive(Debug)]
pub(crate) enum Item {
    /// Records.
    Block(Located),
    /// A head mark.
    Mark,
    /// Something is wrong.
    Finding(Finding),
    /// Something worth knowing that is not wrong.
    Note(String),
    /// The records at these positions cannot be read.
    Lost(Range<u64>),
    /// So many bytes of the log lie behind.
    Read(u64),
}

/// The receiver of the items has gone: nobody wants more.
pub(crate) struct Hangup;

/// Why reading ended early.
pub(crate) enum Stop {
    Hangup,
    Failed(CouldNotRun),
}

impl From<Hangup> for Stop {
    fn from(_: Hangup) -> Stop {
        Stop::Hangup
    }
}

/// Where the items go.
pub(crate) type Sink<'a> = dyn FnMut(Item) -> Result<(), Hangup> + 'a;

/// Reads the whole log.
pub(crate) fn read_log<F: Fs>(fs: &F, dir: &Directory, sink: &mut Sink<'_>) -> Result<(), Stop> {
    let judge = Judge::after(Head::EMPTY, sink);
    judge.segments(fs, &dir.segments, 0)
}

/// Reads the last segments of a log, the first of which continues `head`.
pub(crate) fn read_segments<F: Fs>(
    fs: &F,
    segments: &[SegmentFile],
    head: Head,
    sink: &mut Sink<'_>,
) -> Result<(), Stop> {
    let number = segments.first().map_or(0, |first| first.number);
    Judge::after(head, sink).segments(fs, segments, number)
}

fn with_last(segments: &[SegmentFile]) -> impl Iterator<Item = (&SegmentFile, bool)> {
    let last = segments.last();
    segments
        .iter()
        .map(move |segment| (segment, last == Some(segment)))
}

struct Judge<'a, 'b> {
    sink: &'a mut Sink<'b>,
    /// After the last block that counts.
    head: Head,
    /// That block, while nothing stands after it.
    held: Option<Located>,
    /// Whether the last piece was bad: then a gap in the positions has been reported.
    after_bad: bool,
    /// Whether this segment's header lies before the head: then its blocks are old ones.
    is_behind: bool,
}

impl<'a, 'b> Judge<'a, 'b> {
    fn after(head: Head, sink: &'a mut Sink<'b>) -> Self {
        Judge {
            sink,
            head,
            held: None,
            after_bad: false,
            is_behind: false,
        }
    }

    fn segments<F: Fs>(
        mut self,
        fs: &F,
        segments: &[SegmentFile],
        mut number: u64,
    ) -> Result<(), Stop> {
        let mut bytes_before = 0;
        for (segment, is_last) in with_last(segments) {
            self.check(
                self.here(segment.number, 0),
                must::segment_numbers_have_no_gap(number, segment.number),
            )?;
            self.segment(fs, segment, is_last, bytes_before)?;
            number = segment.number.saturating_add(1);
            bytes_before = bytes_before.saturating_add(segment.len);
            (self.sink)(Item::Read(bytes_before))?;
        }
        self.end()
    }
}

impl Judge<'_, '_> {
    fn here(&self, segment: u64, start: u64) -> Place {
        Place::new(self.head.size, segment, start)
    }

    fn check(&mut self, place: Place, holds: must::Holds) -> Result<(), Hangup> {
        match holds {
            Ok(()) => Ok(()),
            Err(broken) => (self.sink)(Item::Finding(Finding::new(place, broken))),
        }
    }

    fn segment<F: Fs>(
        &mut self,
        fs: &F,
        file: &SegmentFile,
        is_last: bool,
        bytes_before: u64,
    ) -> Result<(), Stop> {
        let failed = |source| {
            Stop::Failed(CouldNotRun::Unreadable {
                path: file.path.clone(),
                source,
            })
        };
        let mut scan = Scan::open(fs, &file.path).map_err(failed)?;
        // A file gets its numbered name when its header is durable, and so is all before it.
        self.confirm()?;
        self.header(file.number, scan.header())?;
        let mut reported = 0;
        while let Some(piece) = scan.next_piece().map_err(failed)? {
            match piece {
                Piece::Block { start, block } => {
                    self.block(file.number, start, block)?;
                    if start.saturating_sub(reported) >= READ_REPORT_BYTES {
                        reported = start;
                        (self.sink)(Item::Read(bytes_before.saturating_add(start)))?;
                    }
                }
                Piece::Gap { first_nonzero } => {
                    let place = self.here(file.number, first_nonzero.unwrap_or(0));
                    self.check(place, must::what_belongs_to_no_block_is_zero(first_nonzero))?;
                }
                Piece::Bad(bad) => self.bad(file.number, *bad, is_last)?,
            }
        }
        Ok(())
    }

    fn header(&mut self, number: u64, header: &Header) -> Result<(), Hangup> {
        let place = self.here(number, 0);
        let (sound, error) = match header {
            Header::Sound(header) => (Some(header), None),
            Header::Mended(header, error) => (Some(header), Some(error)),
            Header::Unreadable(error) => (None, Some(error)),
        };
        self.check(place, must::a_segment_header_is_sound(error))?;
        self.is_behind = false;
        let was_bad = std::mem::replace(&mut self.after_bad, sound.is_none());
        let Some(header) = sound else {
            return Ok(());
        };
        self.check(
            place,
            must::a_segment_carries_the_number_in_its_name(number, header.number),
        )?;
        if error.is_some() && header.head != self.head {
            // Which of its fields is damaged is not known; the first block will tell.
            return Ok(());
        }
        // After bad bytes at the end of the segment before, missing records have been reported.
        if !(was_bad && header.head.size > self.head.size) {
            let continues = must::a_segment_continues_the_head_before_it(self.head, header.head);
            self.check(place, continues)?;
        }
        self.is_behind = header.head.size < self.head.size;
        self.skip_to(header.head)
    }

    /// Goes on from a later head: the records between cannot be read.
    fn skip_to(&mut self, head: Head) -> Result<(), Hangup> {
        if head.size > self.head.size {
            (self.sink)(Item::Lost(self.head.size..head.size))?;
            self.head = head;
        }
        Ok(())
    }

    fn block(&mut self, segment: u64, start: u64, block: Block) -> Result<(), Hangup> {
        let prev = block.prev();
        self.confirm()?;
        let is_reported = (self.after_bad && prev.size > self.head.size)
            || (self.is_behind && prev.size < self.head.size);
        if !is_reported {
            let before = self.head;
            let place = self.here(segment, start);
            self.check(
                place,
                must::a_block_continues_the_head_before_it(before, prev),
            )?;
        }
        self.after_bad = false;
        if prev.size < self.head.size {
            // An old block, once more. Its records were read where they belong, or will be missed.
            return Ok(());
        }
        self.is_behind = false;
        self.skip_to(prev)?;
        if block.is_mark() {
            return (self.sink)(Item::Mark);
        }
        self.head = block.head();
        self.held = Some(Located {
            segment,
            start,
            block,
        });
        Ok(())
    }

    fn bad(&mut self, segment: u64, bad: Bad, is_last: bool) -> Result<(), Hangup> {
        self.confirm()?;
        let bytes = bad.nonzero_end.saturating_sub(bad.start);
        if is_last && bad.resumes_at.is_none() {
            let place = self.here(segment, bad.start);
            return match must::a_torn_tail_is_at_most_one_block_long(bytes) {
                Ok(()) => self.torn_tail(segment, bad.start, bytes),
                Err(broken) => (self.sink)(Item::Finding(Finding::new(place, broken))),
            };
        }
        let beneath = bad.mended.as_ref().and_then(|mended| mended.as_ref().err());
        let error = beneath.unwrap_or(&bad.error);
        let mut place = self.here(segment, bad.start);
        if bad.resumes_at.is_none() && bad.nonzero_start >= bad.start.saturating_add(MAGIC_LEN) {
            // No block was begun here.
            self.after_bad = true;
            place.offset = Some(bad.nonzero_start);
            let at = Some(bad.nonzero_start);
            return self.check(place, must::what_belongs_to_no_block_is_zero(at));
        }
        if bad.prev == Some(self.head) {
            // Only then are the positions that decoding met to be trusted.
            place.position = position_in(error).or(place.position);
        }
        self.check(place, must::a_block_is_sound(&bad.error, beneath))?;
        match bad.mended {
            Some(Ok(block)) => self.block(segment, bad.start, block)?,
            _ => self.after_bad = true,
        }
        Ok(())
    }

    fn torn_tail(&mut self, segment: u64, start: u64, bytes: u64) -> Result<(), Hangup> {
        let note = format!(
            "torn tail: {bytes} bytes from byte {start} of segment {segment} on are the rest of a \
             write that was never acknowledged; the next start of the ledger cuts them"
        );
        (self.sink)(Item::Note(note))
    }

    /// Something stands after the block that is held.
    fn confirm(&mut self) -> Result<(), Hangup> {
        self.held
            .take()
            .map_or(Ok(()), |held| (self.sink)(Item::Block(held)))
    }

    fn end(mut self) -> Result<(), Stop> {
        match self.held.take() {
            Some(held) if !held.block.all_commitments_hold() => {
                let bytes = offset(held.block.encoded_len());
                self.torn_tail(held.segment, held.start, bytes)?;
            }
            Some(held) => (self.sink)(Item::Block(held))?,
            None => {}
        }
        Ok(())
    }
}

/// Bytes that open a block.
const MAGIC_LEN: u64 = 4;

/// How often a long segment says how far it has been read.
const READ_REPORT_BYTES: u64 = 4 << 20;

/// The position that the error names, if any.
fn position_in(error: &chain::BlockError) -> Option<u64> {
    use chain::BlockError as E;
    match error {
        E::Leaf { position, .. }
        | E::PreviousHash { position, .. }
        | E::LearnerLink { position, .. }
        | E::RecordedAt { position, .. }
        | E::Position {
            expected: position, ..
        } => Some(position.0),
        _ => None,
    }
}
