//! Where in a segment a position lies: a sparse index, about one entry per 4 KiB, and its file.
//!
//! Apart from the segment because it is disposable: it is never believed without the bytes it leads to,
//! and is made again from them. In memory it exists for the active segment and for a bounded number of
//! recently read ones. The file beside a sealed segment (`log/00000000.idx`):
//!
//! ```text
//!   0 "CBOFFSET"                         44 entries, each: u64 position, u32 offset of its frame,
//!   8 [32] checksum of the segment's        u32 offset of its block
//!          header                           [32] BLAKE3 of all bytes before
//!  40 u32 number of entries
//! ```

use chain::{Block, Position, SEGMENT_HEADER_LEN};

use crate::width::offset;

/// Bytes of segment between two entries, at least.
const SPAN_BYTES: u64 = 4 * 1024;
const MAGIC: &[u8; 8] = b"CBOFFSET";
const HASH_LEN: usize = 32;
const ENTRY_LEN: usize = 16;

/// A frame whose place is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) position: u64,
    pub(crate) frame: u32,
    pub(crate) block: u32,
}

/// The entries of one segment, ascending.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Offsets(Vec<Entry>);

impl Offsets {
    /// Takes note of the block that starts at `start`, which follows all noted before.
    pub(crate) fn note(&mut self, start: u64, block: &Block) {
        let Ok(block_offset) = u32::try_from(start) else {
            return;
        };
        for (range, record) in block.frame_ranges().zip(block.records()) {
            let at = start + offset(range.start);
            let is_due = self
                .0
                .last()
                .is_none_or(|last| at >= u64::from(last.frame) + SPAN_BYTES);
            if is_due && let Ok(frame) = u32::try_from(at) {
                let position = record.leaf.position.0;
                self.0.push(Entry {
                    position,
                    frame,
                    block: block_offset,
                });
            }
        }
    }

    /// Drops what was noted of this position and all after it.
    pub(crate) fn forget(&mut self, from: Position) {
        self.0.retain(|entry| entry.position < from.0);
    }

    /// The last entry at or before a position.
    pub(crate) fn before(&self, position: Position) -> Option<Entry> {
        let n = self.0.partition_point(|entry| entry.position <= position.0);
        self.0.get(n.checked_sub(1)?).copied()
    }

    /// The file's bytes, bound to the segment with this header.
    pub(crate) fn encode(&self, header: &[u8; SEGMENT_HEADER_LEN]) -> Vec<u8> {
        let mut out = MAGIC.to_vec();
        out.extend_from_slice(binding(header));
        out.extend_from_slice(
            &u32::try_from(self.0.len())
                .unwrap_or(u32::MAX)
                .to_be_bytes(),
        );
        for entry in &self.0 {
            out.extend_from_slice(&entry.position.to_be_bytes());
            out.extend_from_slice(&entry.frame.to_be_bytes());
            out.extend_from_slice(&entry.block.to_be_bytes());
        }
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
        let (_count, entries) = rest.split_at_checked(4)?;
        let (entries, []) = entries.as_chunks::<ENTRY_LEN>() else {
            return None;
        };
        let entry = |bytes: &[u8; ENTRY_LEN]| {
            let (position, rest) = bytes.split_first_chunk()?;
            let (frame, rest) = rest.split_first_chunk()?;
            let block = rest.first_chunk()?;
            Some(Entry {
                position: u64::from_be_bytes(*position),
                frame: u32::from_be_bytes(*frame),
                block: u32::from_be_bytes(*block),
            })
        };
        entries.iter().map(entry).collect::<Option<_>>().map(Self)
    }
}

/// The last 32 bytes of a segment's header: its keyed checksum, which no other segment has.
fn binding(header: &[u8; SEGMENT_HEADER_LEN]) -> &[u8] {
    &header[SEGMENT_HEADER_LEN - HASH_LEN..]
}
