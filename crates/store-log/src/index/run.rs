//! A run: keys and positions of a range of records in one immutable sorted file.
//!
//! Apart from the index because it is a format. All integers big-endian, pages of 4096 bytes, each but
//! the first closed by 16 bytes of BLAKE3 over the page's content and number:
//!
//! ```text
//! page 0     0 "CBKEYRUN"              24 u64 to (position)       80 u64 filter pages
//!            8 u16 format = 2          32 [32] chain hash at to   88 u64 entry pages
//!           10 u16 reserved = 0        64 u64 entries             96 [32] BLAKE3 of bytes 0 to 96
//!           12 u32 scheme of the keys  72 u64 reserved = 0
//!           16 u64 from (position)
//! then       filter pages: 63 blocks of 512 bits; a key has one page by its first 8 bytes, in it one
//!            block and six bits by its last 8
//! then       entry pages: 170 entries, each: [16] key | u64 position; ascending by key, then by
//!            position; an entry may be repeated
//! then       fence pages: 510 fences, each the first 8 bytes of the first key of every 16th entry page
//! ```
//!
//! Every position of a key is kept, not only the latest: when the latest is erased, the one before it
//! is the answer. (Format 1 kept the latest only; such a run is made again.)
//!
//! The chain hash at `to` names the ledger and its whole history up to there. Keys are keyed hashes and
//! so uniform: between two fences a page is found by interpolation, mostly at once. Fences are held in
//! memory, eight bytes for 2,720 entries; nothing else is.

use std::io;
use std::path::PathBuf;
use std::sync::Mutex;

use chain::{Hash, Head};
use durable::File;
use store::Key;

use super::Entry;
use crate::width::{length, offset};

pub(super) const PAGE_LEN: usize = 4096;
const CHECK_LEN: usize = 16;
const ENTRY_LEN: usize = 24;
pub(super) const ENTRIES_PER_PAGE: usize = (PAGE_LEN - CHECK_LEN) / ENTRY_LEN;
const MAGIC: &[u8; 8] = b"CBKEYRUN";
const FORMAT: u16 = 2;
const HEADER_CHECKED_LEN: usize = 96;
const FILTER_BLOCKS_PER_PAGE: u64 = 63;
const FILTER_BLOCK_LEN: usize = 64;
/// Ten bits per key: one lookup in a hundred reads a page in vain.
const KEYS_PER_FILTER_PAGE: u64 = 3200;
/// Entry pages between two fences.
pub(super) const PAGES_PER_FENCE: u64 = 16;
const FENCE_LEN: usize = 8;
const FENCES_PER_PAGE: usize = (PAGE_LEN - CHECK_LEN) / FENCE_LEN;

pub(super) type Page = [u8; PAGE_LEN];

/// What a run says about itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RunHeader {
    pub(super) scheme: u32,
    /// The first position that it covers.
    pub(super) from: u64,
    /// The head after the last one.
    pub(super) to: Head,
    pub(super) n_entries: u64,
    pub(super) n_filter_pages: u64,
}

/// Why a lookup gave no answer.
#[derive(Debug)]
pub(super) enum RunError {
    /// The file could not be read.
    Io(io::Error),
    /// The file is not what was written.
    Damaged,
}

impl From<io::Error> for RunError {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::UnexpectedEof {
            Self::Damaged
        } else {
            Self::Io(error)
        }
    }
}

/// Where an entry is, or would be.
struct Sought {
    /// The greatest entry up to it, and an entry page that holds that.
    up_to: Option<(u64, Entry)>,
    /// The first entry page that may hold an entry of its key from it on.
    page: u64,
}

/// An open run.
pub(super) struct Run<R: File> {
    pub(super) file: R,
    pub(super) path: PathBuf,
    pub(super) header: RunHeader,
    fences: Vec<u64>,
    /// The filter pages, when they are kept in memory.
    pub(super) filter: Option<Vec<u8>>,
    /// Pages are overwritten in place when keys are forgotten, one caller at a time.
    pub(super) writing: Mutex<()>,
}

impl RunHeader {
    pub(super) fn n_entry_pages(&self) -> u64 {
        self.n_entries.div_ceil(offset(ENTRIES_PER_PAGE))
    }

    pub(super) fn n_fences(&self) -> u64 {
        self.n_entry_pages().div_ceil(PAGES_PER_FENCE)
    }

    pub(super) fn file_len(&self) -> u64 {
        let n_fence_pages = self.n_fences().div_ceil(offset(FENCES_PER_PAGE));
        (self.fence_page(0).saturating_add(n_fence_pages)).saturating_mul(offset(PAGE_LEN))
    }

    pub(super) fn encode(&self) -> Page {
        let mut out = MAGIC.to_vec();
        out.extend_from_slice(&FORMAT.to_be_bytes());
        out.extend_from_slice(&[0; 2]);
        out.extend_from_slice(&self.scheme.to_be_bytes());
        out.extend_from_slice(&self.from.to_be_bytes());
        out.extend_from_slice(&self.to.size.to_be_bytes());
        out.extend_from_slice(&self.to.hash.0);
        out.extend_from_slice(&self.n_entries.to_be_bytes());
        out.extend_from_slice(&[0; 8]);
        out.extend_from_slice(&self.n_filter_pages.to_be_bytes());
        out.extend_from_slice(&self.n_entry_pages().to_be_bytes());
        debug_assert_eq!(out.len(), HEADER_CHECKED_LEN);
        let hash = blake3::hash(&out);
        out.extend_from_slice(hash.as_bytes());
        let mut page = [0; PAGE_LEN];
        page[..out.len()].copy_from_slice(&out);
        page
    }

    /// `None` for anything that `encode` cannot have given.
    pub(super) fn decode(page: &Page) -> Option<Self> {
        let u64_at = |at: usize| {
            page[at..]
                .first_chunk()
                .map(|bytes| u64::from_be_bytes(*bytes))
        };
        let header = Self {
            scheme: u32::from_be_bytes(*page[12..].first_chunk()?),
            from: u64_at(16)?,
            to: Head {
                size: u64_at(24)?,
                hash: Hash(*page[32..].first_chunk()?),
            },
            n_entries: u64_at(64)?,
            n_filter_pages: u64_at(80)?,
        };
        (header.encode() == *page).then_some(header)
    }

    pub(super) fn entry_page(&self, index: u64) -> u64 {
        1 + self.n_filter_pages + index
    }

    /// The number of the page of a fence.
    fn fence_page(&self, fence: u64) -> u64 {
        let before = self.n_filter_pages.saturating_add(self.n_entry_pages());
        before.saturating_add(1 + fence / offset(FENCES_PER_PAGE))
    }
}

/// How many filter pages a run of so many entries needs.
pub(super) fn filter_pages_for(n_entries: u64) -> u64 {
    n_entries.div_ceil(KEYS_PER_FILTER_PAGE)
}

/// The filter page of a key, by its first 8 bytes: keys in order have pages in order.
pub(super) fn filter_page_of(key: Key, n_filter_pages: u64) -> u64 {
    scaled(first_half(key), n_filter_pages)
}

/// The byte in a filter page and the bit mask in it, six times.
pub(super) fn filter_bits(key: Key) -> impl Iterator<Item = (usize, u8)> {
    let mut bits = last_half(key);
    let block = length(bits % FILTER_BLOCKS_PER_PAGE) * FILTER_BLOCK_LEN;
    bits /= FILTER_BLOCKS_PER_PAGE;
    (0..6).map(move |_| {
        let bit = length(bits % 512);
        bits /= 512;
        (block + bit / 8, 1 << (bit % 8))
    })
}

/// Closes a page with its check.
pub(super) fn seal(page: &mut Page, number: u64) {
    let check = check_of(page, number);
    page[PAGE_LEN - CHECK_LEN..].copy_from_slice(&check);
}

fn decode_entry(bytes: &[u8; ENTRY_LEN]) -> Entry {
    let mut key = [0; 16];
    key.copy_from_slice(&bytes[..16]);
    let mut position = [0; 8];
    position.copy_from_slice(&bytes[16..]);
    (Key(key), u64::from_be_bytes(position))
}

fn encode_entry(entry: Entry) -> [u8; ENTRY_LEN] {
    let mut bytes = [0; ENTRY_LEN];
    bytes[..16].copy_from_slice(&entry.0.0);
    bytes[16..].copy_from_slice(&entry.1.to_be_bytes());
    bytes
}

impl<R: File> Run<R> {
    pub(super) fn new(file: R, path: PathBuf, header: RunHeader, fences: Vec<u64>) -> Self {
        Self {
            file,
            path,
            header,
            fences,
            filter: None,
            writing: Mutex::default(),
        }
    }

    /// Opens a run with this header: reads its fences.
    pub(super) fn open(file: R, path: PathBuf, header: RunHeader) -> Result<Self, RunError> {
        let mut run = Self::new(file, path, header, Vec::new());
        for fence in (0..header.n_fences()).step_by(FENCES_PER_PAGE) {
            let page = run.page(header.fence_page(fence))?;
            let fences = page[..FENCES_PER_PAGE * FENCE_LEN].as_chunks().0;
            let n = length(header.n_fences() - fence).min(FENCES_PER_PAGE);
            run.fences.extend(
                fences
                    .iter()
                    .take(n)
                    .map(|bytes| u64::from_be_bytes(*bytes)),
            );
        }
        Ok(run)
    }

    /// Keeps the filter in memory if it takes at most so many bytes; returns how many it takes.
    pub(super) fn keep_filter(&mut self, bytes_max: u64) -> Result<u64, RunError> {
        let bytes = self.header.n_filter_pages * offset(PAGE_LEN);
        if bytes > bytes_max {
            return Ok(0);
        }
        let mut filter = Vec::with_capacity(length(bytes));
        for index in 0..self.header.n_filter_pages {
            filter.extend_from_slice(&self.page(1 + index)?);
        }
        self.filter = Some(filter);
        Ok(bytes)
    }

    /// The latest position of a key in this run.
    pub(super) fn find(&self, key: Key) -> Result<Option<u64>, RunError> {
        if self.header.n_entries == 0 || !self.may_hold(key)? {
            return Ok(None);
        }
        let below = self.locate((key, u64::MAX))?;
        Ok(below
            .filter(|(_, entry)| entry.0 == key)
            .map(|(_, entry)| entry.1))
    }

    /// Adds the positions of a key in a range, ascending, each once.
    pub(super) fn find_all(
        &self,
        key: Key,
        from: u64,
        below: u64,
        out: &mut Vec<u64>,
    ) -> Result<(), RunError> {
        if from >= below || self.header.n_entries == 0 || !self.may_hold(key)? {
            return Ok(());
        }
        let (first, end) = ((key, from), (key, below));
        let mut entries = Vec::new();
        let begin = self.seek(first)?.page;
        for index in begin..self.header.n_entry_pages() {
            self.read_entries(index, &mut entries)?;
            let n = entries.partition_point(|entry| *entry < first);
            let in_range = entries[n..].iter().take_while(|entry| **entry < end);
            for (_, position) in in_range {
                // Copies stand in the place of a forgotten neighbour.
                if out.last() != Some(position) {
                    out.push(*position);
                }
            }
            if entries.last().is_none_or(|last| *last >= end) {
                break;
            }
        }
        Ok(())
    }

    /// Overwrites a fence on disk; the one in memory stays, as it only bounds.
    pub(super) fn set_fence(&self, fence: u64, value: u64) -> Result<(), RunError> {
        let number = self.header.fence_page(fence);
        let mut page = self.page(number)?;
        let at = length(fence % offset(FENCES_PER_PAGE)) * FENCE_LEN;
        page[at..at + FENCE_LEN].copy_from_slice(&value.to_be_bytes());
        seal(&mut page, number);
        self.file.write_all_at(&page, number * offset(PAGE_LEN))?;
        Ok(())
    }

    /// The greatest entry up to `wanted` and an entry page that holds it. Pages that cannot hold the key
    /// of `wanted` are not looked at, so an entry with another key may be missed.
    pub(super) fn locate(&self, wanted: Entry) -> Result<Option<(u64, Entry)>, RunError> {
        self.seek(wanted).map(|sought| sought.up_to)
    }

    /// Looks for an entry, among the pages that can hold its key.
    fn seek(&self, wanted: Entry) -> Result<Sought, RunError> {
        let half = first_half(wanted.0);
        // Keys may share their first half with a fence and lie on either side of it.
        let below = self
            .fences
            .partition_point(|fence| *fence < half)
            .saturating_sub(1);
        let above = self.fences.partition_point(|fence| *fence <= half);
        let mut low = offset(below) * PAGES_PER_FENCE;
        let mut high = (offset(above) * PAGES_PER_FENCE).min(self.header.n_entry_pages());
        let mut low_key = self.fences.get(below).copied().unwrap_or(0);
        let mut high_key = self.fences.get(above).copied().unwrap_or(u64::MAX);
        let mut n_tries = 0;
        let mut up_to = None;
        while low < high {
            // Interpolation on uniform keys needs two or three pages; bisection bounds any others.
            let guess = if n_tries < 6 && high_key > low_key {
                let range = u128::from(high_key - low_key) + 1;
                let part = u128::from(half.clamp(low_key, high_key) - low_key);
                low + u64::try_from(part * u128::from(high - low) / range).unwrap_or(0)
            } else {
                low + (high - low) / 2
            };
            n_tries += 1;
            let index = guess.clamp(low, high - 1);
            let page = self.page(self.header.entry_page(index))?;
            let entries = self.entries_of(&page, index);
            let (Some(first), Some(last)) = (entries.first(), entries.last()) else {
                return Err(RunError::Damaged);
            };
            let (first, last) = (decode_entry(first), decode_entry(last));
            if wanted < first {
                (high, high_key) = (index, first_half(first.0));
            } else if wanted > last {
                up_to = Some((index, last));
                (low, low_key) = (index + 1, first_half(last.0));
            } else {
                let n = entries.partition_point(|bytes| decode_entry(bytes) <= wanted);
                let last = entries[..n].last();
                let up_to = last.map(|bytes| (index, decode_entry(bytes)));
                return Ok(Sought { up_to, page: index });
            }
        }
        Ok(Sought { up_to, page: low })
    }

    /// The page with this number, if its check holds.
    pub(super) fn page(&self, number: u64) -> Result<Page, RunError> {
        let mut page = [0; PAGE_LEN];
        durable::read_exact_at(&self.file, &mut page, number * offset(PAGE_LEN))?;
        let holds = page[PAGE_LEN - CHECK_LEN..] == check_of(&page, number);
        if holds {
            Ok(page)
        } else {
            Err(RunError::Damaged)
        }
    }

    /// The entries of one entry page, counted from the first.
    pub(super) fn entry_page(&self, index: u64) -> Result<Vec<Entry>, RunError> {
        let mut entries = Vec::new();
        self.read_entries(index, &mut entries)?;
        Ok(entries)
    }

    /// Replaces what is in `out` by the entries of one entry page.
    pub(super) fn read_entries(&self, index: u64, out: &mut Vec<Entry>) -> Result<(), RunError> {
        let page = self.page(self.header.entry_page(index))?;
        out.clear();
        out.extend(self.entries_of(&page, index).iter().map(decode_entry));
        Ok(())
    }

    fn may_hold(&self, key: Key) -> Result<bool, RunError> {
        let number = filter_page_of(key, self.header.n_filter_pages);
        let has = |page: &[u8]| filter_bits(key).all(|(byte, mask)| page[byte] & mask != 0);
        let start = length(number) * PAGE_LEN;
        match self
            .filter
            .as_ref()
            .and_then(|filter| filter.get(start..start + PAGE_LEN))
        {
            Some(page) => Ok(has(page)),
            None => self.page(1 + number).map(|page| has(&page)),
        }
    }

    fn entries_of<'a>(&self, page: &'a Page, index: u64) -> &'a [[u8; ENTRY_LEN]] {
        let before = index.saturating_mul(offset(ENTRIES_PER_PAGE));
        let n = length(self.header.n_entries.saturating_sub(before)).min(ENTRIES_PER_PAGE);
        page[..n * ENTRY_LEN].as_chunks().0
    }
}

/// The fence pages, beginning with this number.
pub(super) fn fence_pages(fences: &[u64], number: u64) -> Vec<u8> {
    let mut out = Vec::new();
    for (fences, number) in fences.chunks(FENCES_PER_PAGE).zip(number..) {
        let mut page = [0; PAGE_LEN];
        for (place, fence) in page.as_chunks_mut().0.iter_mut().zip(fences) {
            *place = fence.to_be_bytes();
        }
        seal(&mut page, number);
        out.extend_from_slice(&page);
    }
    out
}

/// An entry page with these entries.
pub(super) fn page_of(entries: &[Entry], number: u64) -> Page {
    let mut page = [0; PAGE_LEN];
    for (place, entry) in page.as_chunks_mut::<ENTRY_LEN>().0.iter_mut().zip(entries) {
        *place = encode_entry(*entry);
    }
    seal(&mut page, number);
    page
}

fn check_of(page: &Page, number: u64) -> [u8; CHECK_LEN] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&page[..PAGE_LEN - CHECK_LEN]);
    hasher.update(&number.to_be_bytes());
    let mut check = [0; CHECK_LEN];
    check.copy_from_slice(&hasher.finalize().as_bytes()[..CHECK_LEN]);
    check
}

/// `of * part / 2^64`: the place of a uniform number among so many.
fn scaled(part: u64, of: u64) -> u64 {
    u64::try_from((u128::from(part) * u128::from(of)) >> 64).unwrap_or(0)
}

pub(super) fn first_half(key: Key) -> u64 {
    key.0
        .first_chunk()
        .map_or(0, |bytes| u64::from_be_bytes(*bytes))
}

fn last_half(key: Key) -> u64 {
    key.0
        .last_chunk()
        .map_or(0, |bytes| u64::from_be_bytes(*bytes))
}
