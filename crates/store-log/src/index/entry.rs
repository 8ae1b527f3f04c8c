//! An entry of the index: a key and a position in 16 bytes, which compare as one number.
//!
//! Apart from tables and runs because both hold entries and sort them, and neither needs the other.
//!
//! ```text
//!   0 [12] the first 12 bytes of the key      12 u32 position, counted from the first one covered
//! ```
//!
//! Twelve bytes of a keyed hash do for sixteen: among a billion entries, a billion lookups meet the tag
//! of another key with a probability below one in ten billion. It saves a third of the index.

use store::Key;

pub(super) const ENTRY_LEN: usize = 16;

/// How many positions a table or a run may cover; offsets are below it.
pub(super) const POSITIONS_MAX: u64 = 0xffff_ffff;

const OFFSET_MASK: u128 = 0xffff_ffff;
const OFFSET_BITS: u32 = 32;

/// The part of a key that the index knows: its first 12 bytes, as a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Tag(u128);

/// A tag and a position, counted from the first one that a table or run covers. Ordered by key, then by
/// position.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Entry(u128);

impl Tag {
    pub(super) fn of(key: Key) -> Self {
        Self(u128::from_be_bytes(key.0) >> OFFSET_BITS)
    }

    /// The first 8 bytes of the key.
    pub(super) fn first_half(self) -> u64 {
        low_half(self.0 >> OFFSET_BITS)
    }

    /// The last 8 bytes of the tag, of which the first 4 are among those of the first half.
    pub(super) fn last_half(self) -> u64 {
        low_half(self.0 & u128::from(u64::MAX))
    }

    /// The entry at an offset; the greatest possible one when the offset is none.
    pub(super) fn at(self, offset: u64) -> Entry {
        Entry(self.0 << OFFSET_BITS | u128::from(offset).min(OFFSET_MASK))
    }
}

impl Entry {
    /// Less than any other.
    pub(super) const LEAST: Self = Self(0);

    pub(super) fn tag(self) -> Tag {
        Tag(self.0 >> OFFSET_BITS)
    }

    pub(super) fn offset(self) -> u64 {
        low_half(self.0 & OFFSET_MASK)
    }

    /// The first 8 bytes of the key.
    pub(super) fn first_half(self) -> u64 {
        self.tag().first_half()
    }

    /// The same entry, counted from a position that is so much smaller.
    pub(super) fn moved(self, by: u64) -> Self {
        debug_assert!(
            self.offset() + by < POSITIONS_MAX,
            "a range of positions that fits"
        );
        Self(self.0 + u128::from(by))
    }

    pub(super) fn encode(self) -> [u8; ENTRY_LEN] {
        self.0.to_be_bytes()
    }

    pub(super) fn decode(bytes: &[u8; ENTRY_LEN]) -> Self {
        Self(u128::from_be_bytes(*bytes))
    }
}

fn low_half(n: u128) -> u64 {
    u64::try_from(n).expect("the other bits were taken off")
}
