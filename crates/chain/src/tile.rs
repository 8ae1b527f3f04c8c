//! Tiles: the tree cut into files of 256 hashes, and the entries under them.
//!
//! Apart from the tree because it is how others fetch it: names and widths, and bundles of entries.
//! Source: C2SP tlog-tiles v0.1.0.

use std::fmt;
use std::str::FromStr;

use crate::checkpoint::decimal;
use crate::error::TilePathError;

/// Hashes of a full tile, entries of a full bundle.
pub const TILE_WIDTH: u64 = 256;
/// Levels of the tree in a tile.
pub const TILE_HEIGHT: u32 = 8;

/// What a tile holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum TileKind {
    /// Hashes of the tree's level `8 * level`.
    Hashes {
        /// 0 to 63.
        level: u32,
    },
    /// Leaves, each after its length.
    Entries,
}

/// A tile or an entry bundle. Text form: its path, such as `tile/0/x001/234.p/17`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Tile {
    /// What it holds.
    pub kind: TileKind,
    /// Which of its kind, from 0.
    pub index: u64,
    /// How many hashes or entries: 256, or fewer of a partial one; never 0.
    pub width: u64,
}

impl Tile {
    /// How many hashes of its level come before it. `None` when no tree is that large.
    #[must_use]
    pub fn first(&self) -> Option<u64> {
        self.index.checked_mul(TILE_WIDTH)
    }

    /// Whether the tree of that size has it, in this width or a greater one.
    #[must_use]
    pub fn is_in(&self, size: u64) -> bool {
        let level = match self.kind {
            TileKind::Hashes { level } => level,
            TileKind::Entries => 0,
        };
        let hashes = size.checked_shr(level * TILE_HEIGHT).unwrap_or(0);
        let end = self.first().and_then(|first| first.checked_add(self.width));
        end.is_some_and(|end| end <= hashes)
    }
}

impl fmt::Display for Tile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            TileKind::Hashes { level } => write!(f, "tile/{level}/")?,
            TileKind::Entries => f.write_str("tile/entries/")?,
        }
        let mut groups = vec![self.index % 1_000];
        let mut rest = self.index / 1_000;
        while rest > 0 {
            groups.push(rest % 1_000);
            rest /= 1_000;
        }
        while let Some(group) = groups.pop() {
            if groups.is_empty() {
                write!(f, "{group:03}")?;
            } else {
                write!(f, "x{group:03}/")?;
            }
        }
        if self.width < TILE_WIDTH {
            write!(f, ".p/{}", self.width)?;
        }
        Ok(())
    }
}

impl FromStr for Tile {
    type Err = TilePathError;

    fn from_str(path: &str) -> Result<Tile, TilePathError> {
        let rest = path.strip_prefix("tile/").ok_or(TilePathError::Shape)?;
        let (kind, rest) = rest.split_once('/').ok_or(TilePathError::Shape)?;
        let kind = match kind {
            "entries" => TileKind::Entries,
            level => {
                let level = decimal(level).and_then(|level| u32::try_from(level).ok());
                let level = level.filter(|level| *level < 64);
                let level = level.ok_or(TilePathError::Level)?;
                TileKind::Hashes { level }
            }
        };
        let (index, width) = match rest.split_once(".p/") {
            None => (rest, TILE_WIDTH),
            Some((index, width)) => {
                let width = decimal(width).filter(|width| (1..TILE_WIDTH).contains(width));
                (index, width.ok_or(TilePathError::Width)?)
            }
        };
        let index = read_index(index).ok_or(TilePathError::Index)?;
        let read = Tile { kind, index, width };
        // One tile has one path: no group of zeros in front.
        (read.to_string() == path)
            .then_some(read)
            .ok_or(TilePathError::Index)
    }
}

fn read_index(text: &str) -> Option<u64> {
    let mut index: u64 = 0;
    let mut groups = text.split('/').peekable();
    while let Some(group) = groups.next() {
        let digits = match groups.peek() {
            Some(_) => group.strip_prefix('x')?,
            None => group,
        };
        if digits.len() != 3 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let group: u64 = digits.parse().ok()?;
        index = index.checked_mul(1_000)?.checked_add(group)?;
    }
    Some(index)
}

/// A bundle of entries: each after its length in two bytes, big-endian. `None` when an entry is too long for
/// that.
#[must_use]
pub fn entry_bundle<'e>(entries: impl IntoIterator<Item = &'e [u8]>) -> Option<Vec<u8>> {
    let mut bundle = Vec::new();
    for entry in entries {
        let len = u16::try_from(entry.len()).ok()?;
        bundle.extend_from_slice(&len.to_be_bytes());
        bundle.extend_from_slice(entry);
    }
    Some(bundle)
}

/// The entries of a bundle. `None` when it ends within one.
#[must_use]
pub fn bundled_entries(bundle: &[u8]) -> Option<Vec<&[u8]>> {
    let mut entries = Vec::new();
    let mut rest = bundle;
    while !rest.is_empty() {
        let (len, after) = rest.split_first_chunk()?;
        let (entry, after) = after.split_at_checked(usize::from(u16::from_be_bytes(*len)))?;
        entries.push(entry);
        rest = after;
    }
    Some(entries)
}
