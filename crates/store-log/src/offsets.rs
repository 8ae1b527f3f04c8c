//! Where in a segment a position lies: a sparse index, an entry for the first frame of each block and
//! about one per KiB between, and its file.
//!
//! Apart from the segment because it is disposable: it is never believed without the bytes it leads to,
//! and is made again from them. In memory it exists for the active segment and for a bounded number of
//! recently read ones. The file beside a sealed segment (`log/00000000.idx`):
//!
//! ```text
//!   0 "CBOFFST2"                         48 entries, each: 1 bit: whether first of its block, 31 bits:
//!   8 [32] checksum of the segment's        position counted from that of the first entry, u32 offset
//!          header                           of its frame
//!  40 u64 position of the first entry    [32] BLAKE3 of all bytes before
//! ```
//!
//! Because each block has an entry, a frame is found by following lengths inside one block, and what is
//! between two entries is read at once. (The first format had an entry per 4 KiB, wherever blocks begin.)

use chain::{BLOCK_HEADER_LEN, Block, Position, SEGMENT_HEADER_LEN};

use crate::near::partition_near;
use crate::width::{length, offset};

/// Bytes of segment between two entries inside a block, at least.
const SPAN_BYTES: u64 = 1024;
const MAGIC: &[u8; 8] = b"CBOFFST2";
const HASH_LEN: usize = 32;
const ENTRY_LEN: usize = 8;
/// The bit of an entry that says whether its frame is the first of its block.
const FIRST: u64 = 1 << 63;
/// Positions in a segment are fewer than what fits beside that bit: no frame is shorter than 188 bytes.
const POSITIONS_MAX: u64 = 1 << 31;

/// Frames whose places are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span {
    /// The position of the first one.
    pub(crate) position: u64,
    /// Where it starts.
    pub(crate) frame: u64,
    /// Where the first noted frame after the span starts, if there is one.
    pub(crate) end: Option<u64>,
}

/// The entries of one segment, ascending.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Offsets {
    first_position: u64,
    entries: Vec<u64>,
}

impl Offsets {
    /// Takes note of the block that starts at `start`, which follows all noted before.
    pub(crate) fn note(&mut self, start: u64, block: &Block) {
        let mut first = FIRST;
        for (range, record) in block.frame_ranges().zip(block.records()) {
            let at = start + offset(range.start);
            let last = self.entries.last().map(|last| frame_in(*last));
            let is_due = first != 0 || last.is_none_or(|last| at >= last + SPAN_BYTES);
            if !is_due {
                continue;
            }
            let position = record.leaf.position.0;
            if self.entries.is_empty() {
                self.first_position = position;
            }
            let after_first = position.saturating_sub(self.first_position);
            if after_first < POSITIONS_MAX && at <= u64::from(u32::MAX) {
                self.entries.push(first | after_first << 32 | at);
            }
            first = 0;
        }
    }

    /// Drops what was noted of this position and all after it.
    pub(crate) fn forget(&mut self, from: Position) {
        let n = self.up_to(from.0.saturating_sub(1));
        self.entries.truncate(if from.0 == 0 { 0 } else { n });
    }

    /// The noted frames around positions, ascending, that lie close together.
    pub(crate) fn span(&self, from: Position, until: Position) -> Option<Span> {
        let first = self.up_to(from.0).checked_sub(1)?;
        let after = |entry: &&u64| self.position(**entry) > until.0;
        Some(Span {
            position: self.position(self.entries[first]),
            frame: frame_in(self.entries[first]),
            end: self.entries[first + 1..]
                .iter()
                .find(after)
                .map(|entry| frame_in(*entry)),
        })
    }

    /// Where the block with a position starts.
    pub(crate) fn block(&self, position: Position) -> Option<u64> {
        let mut up_to = self.entries[..self.up_to(position.0)].iter().rev();
        let first = up_to.find(|entry| **entry & FIRST != 0)?;
        frame_in(*first).checked_sub(offset(BLOCK_HEADER_LEN))
    }

    /// How many entries are at or before a position.
    ///
    /// Records are about as long as each other, so the place is guessed.
    fn up_to(&self, position: u64) -> usize {
        let n = self.entries.len();
        let (Some(last), Some(wanted)) = (
            self.entries.last(),
            position.checked_sub(self.first_position),
        ) else {
            return 0;
        };
        let last = self.position(*last) - self.first_position;
        if wanted >= last {
            return n;
        }
        // Both are below 2^31, and the quotient is below n.
        let guess = length(wanted * offset(n) / (last + 1));
        partition_near(n, guess, |at| self.position(self.entries[at]) <= position)
    }

    fn position(&self, entry: u64) -> u64 {
        self.first_position + ((entry & !FIRST) >> 32)
    }

    /// The file's bytes, bound to the segment with this header.
    pub(crate) fn encode(&self, header: &[u8; SEGMENT_HEADER_LEN]) -> Vec<u8> {
        let mut out = MAGIC.to_vec();
        out.extend_from_slice(binding(header));
        out.extend_from_slice(&self.first_position.to_be_bytes());
        out.extend(self.entries.iter().flat_map(|entry| entry.to_be_bytes()));
        let hash = blake3::hash(&out);
        out.extend_from_slice(hash.as_bytes());
        out
    }

    /// Reads the file; `None` for anything that `encode` for this segment cannot have given.
    pub(crate) fn decode(bytes: &[u8], header: &[u8; SEGMENT_HEADER_LEN]) -> Option<Self> {
        let (content, hash) = bytes.split_at_checked(bytes.len().checked_sub(HASH_LEN)?)?;
        if blake3::hash(content).as_bytes() != hash {
            return None;
        }
        let rest = content.strip_prefix(MAGIC)?.strip_prefix(binding(header))?;
        let (first_position, entries) = rest.split_first_chunk()?;
        let first_position = u64::from_be_bytes(*first_position);
        // Whoever made the hash may have made up the position: it must not overflow.
        first_position.checked_add(POSITIONS_MAX)?;
        let (entries, []) = entries.as_chunks::<ENTRY_LEN>() else {
            return None;
        };
        Some(Self {
            first_position,
            entries: entries
                .iter()
                .map(|bytes| u64::from_be_bytes(*bytes))
                .collect(),
        })
    }
}

/// Where the frame of an entry starts.
fn frame_in(entry: u64) -> u64 {
    entry & u64::from(u32::MAX)
}

/// The last 32 bytes of a segment's header: its keyed checksum, which no other segment has.
fn binding(header: &[u8; SEGMENT_HEADER_LEN]) -> &[u8] {
    &header[SEGMENT_HEADER_LEN - HASH_LEN..]
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Entries with these distances of positions and frames.
    fn offsets(first_position: u64, steps: &[(u64, u64)]) -> Offsets {
        let (mut position, mut frame) = (0, 184);
        let entries = steps.iter().enumerate().map(|(at, (positions, bytes))| {
            let first = if at % 3 == 0 { FIRST } else { 0 };
            let entry = first | position << 32 | frame;
            (position, frame) = (position + positions, frame + bytes);
            entry
        });
        Offsets {
            first_position,
            entries: entries.collect(),
        }
    }

    proptest! {
        #[test]
        fn a_guessed_search_finds_what_a_plain_one_finds(
            first_position in 0..100_u64,
            steps in proptest::collection::vec((1..2_000_u64, 188..4_000_u64), 0..200),
            position in 0..200_000_u64,
            ahead in 0..50_u64,
        ) {
            let offsets = offsets(first_position, &steps);
            let plain = offsets.entries.partition_point(|entry| offsets.position(*entry) <= position);
            prop_assert_eq!(offsets.up_to(position), plain);
            let span = offsets.span(Position(position), Position(position + ahead));
            prop_assert_eq!(span.is_some(), plain > 0);
            let after = offsets.entries.iter().find(|entry| offsets.position(**entry) > position + ahead);
            prop_assert_eq!(span.and_then(|span| span.end), after.filter(|_| plain > 0).map(|it| frame_in(*it)));
            let mut cut = offsets.clone();
            cut.forget(Position(position));
            let kept = offsets.entries.iter().filter(|entry| offsets.position(**entry) < position);
            prop_assert_eq!(cut.entries, kept.copied().collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_file_of_another_format_or_segment_is_made_again() {
        let header = [7; SEGMENT_HEADER_LEN];
        let offsets = offsets(9, &[(3, 1_100), (2, 1_200), (5, 1_300)]);
        let bytes = offsets.encode(&header);
        assert_eq!(Offsets::decode(&bytes, &header), Some(offsets));
        assert_eq!(Offsets::decode(&bytes, &[8; SEGMENT_HEADER_LEN]), None);
        let mut old = bytes.clone();
        old.truncate(bytes.len() - HASH_LEN);
        old[..8].copy_from_slice(b"CBOFFSET");
        old.extend_from_slice(blake3::hash(&old.clone()).as_bytes());
        assert_eq!(Offsets::decode(&old, &header), None);
    }
}
