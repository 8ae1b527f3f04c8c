//! A run: keys and positions of a range of records in one immutable sorted file.
//!
//! Apart from the index because it is a format. All integers big-endian, pages of 4096 bytes, each but
//! the first closed by 12 zeros and a CRC-32 over the page's content and its number as u64:
//!
//! ```text
//! page 0     0 "CBKEYRUN"              24 u64 to (position)       80 u64 filter pages
//!            8 u16 format = 3          32 [32] chain hash at to   88 u64 entry pages
//!           10 u16 reserved = 0        64 u64 entries             96 [32] BLAKE3 of bytes 0 to 96
//!           12 u32 scheme of the keys  72 u64 reserved = 0
//!           16 u64 from (position)
//! then       filter pages: 63 blocks of 512 bits; a key has one page by its first 8 bytes, in it one
//!            block and six bits by its bytes 4 to 12
//! then       entry pages: 255 entries (see `entry`), ascending; an entry may be repeated
//! then       fence pages: 510 fences, each the first 8 bytes of the first key of every 4th entry page
//! ```
//!
//! Every position of a key is kept, not only the latest: when the latest is erased, the one before it
//! is the answer. (Format 1 kept the latest only, format 2 whole keys; such a run is made again.)
//!
//! The chain hash at `to` names the ledger and its whole history up to there. Keys are keyed hashes and
//! so uniform: between two fences a page is found by interpolation, mostly at once. Fences are held in
//! memory, eight bytes for 1,020 entries, and filters within a bound.
//!
//! A CRC notices what a disk or a torn write does to a page; the file is as safe from people as the
//! records beside it, from which it is made again. It is checked whenever a page is read, so it has to
//! be many times cheaper than the reading: BLAKE3 took twice as long.

use std::io;
use std::path::PathBuf;
use std::sync::Mutex;

use chain::{Hash, Head};
use durable::File;

use super::entry::{ENTRY_LEN, Entry, Tag};
use crate::near::partition_near;
use crate::width::{length, offset};

pub(super) const PAGE_LEN: usize = 4096;
const CHECK_LEN: usize = 16;
pub(super) const ENTRIES_PER_PAGE: usize = (PAGE_LEN - CHECK_LEN) / ENTRY_LEN;
const MAGIC: &[u8; 8] = b"CBKEYRUN";
const FORMAT: u16 = 3;
const HEADER_CHECKED_LEN: usize = 96;
const FILTER_BLOCKS_PER_PAGE: u64 = 63;
const FILTER_BLOCK_LEN: usize = 64;
/// Ten bits per key: one lookup in a hundred reads a page in vain.
const KEYS_PER_FILTER_PAGE: u64 = 3200;
/// Entry pages between two fences.
pub(super) const PAGES_PER_FENCE: u64 = 4;
const FENCE_LEN: usize = 8;
const FENCES_PER_PAGE: usize = (PAGE_LEN - CHECK_LEN) / FENCE_LEN;

pub(super) type Page = [u8; PAGE_LEN];

/// A block of a filter, in a cache line of its own: a lookup touches one.
#[derive(Clone)]
#[repr(align(64))]
struct FilterBlock([u8; FILTER_BLOCK_LEN]);

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

/// The page that was read last: keys that come sorted often find it at hand.
pub(super) struct Hand {
    number: Option<u64>,
    page: Box<Page>,
}

impl Hand {
    pub(super) fn empty() -> Self {
        Self {
            number: None,
            page: Box::new([0; PAGE_LEN]),
        }
    }

    /// Goes to another run, with the memory of the one before.
    pub(super) fn turn(&mut self) -> &mut Self {
        self.number = None;
        self
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
    /// The blocks of the filter, when they are kept in memory.
    filter: Option<Vec<FilterBlock>>,
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
pub(super) fn filter_page_of(tag: Tag, n_filter_pages: u64) -> u64 {
    scaled(tag.first_half(), n_filter_pages)
}

/// The block of a key in its filter page, and six times the byte in that and the bit mask.
fn filter_bits(tag: Tag) -> (usize, [(usize, u8); 6]) {
    let bits = tag.last_half();
    let block = length(bits % FILTER_BLOCKS_PER_PAGE);
    let mut bits = bits / FILTER_BLOCKS_PER_PAGE;
    let places = std::array::from_fn(|_| {
        let place = (length(bits / 8 % 64), 1 << (bits % 8));
        bits >>= 9;
        place
    });
    (block, places)
}

/// Notes a key in its filter page.
pub(super) fn note_in_filter(page: &mut Page, tag: Tag) {
    let (block, places) = filter_bits(tag);
    for (byte, mask) in places {
        page[block * FILTER_BLOCK_LEN + byte] |= mask;
    }
}

impl FilterBlock {
    /// Without branches: most keys are in no run, and a processor that need not guess looks at several
    /// at once.
    fn may_hold(&self, places: [(usize, u8); 6]) -> bool {
        let missing = places.map(|(byte, mask)| mask & !self.0[byte]);
        missing.into_iter().fold(0, |all, one| all | one) == 0
    }
}

/// Closes a page with its check.
pub(super) fn seal(page: &mut Page, number: u64) {
    let check = check_of(page, number);
    page[PAGE_LEN - CHECK_LEN..].copy_from_slice(&check);
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
        let mut hand = Hand::empty();
        for fence in (0..header.n_fences()).step_by(FENCES_PER_PAGE) {
            let page = run.page(header.fence_page(fence), &mut hand)?;
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

    /// Keeps the filter in memory if it takes at most so many bytes.
    pub(super) fn keep_filter(&mut self, bytes_max: u64) -> Result<(), RunError> {
        if self.header.n_filter_pages * offset(PAGE_LEN) > bytes_max {
            return Ok(());
        }
        let mut filter = Vec::new();
        filter.reserve_exact(length(self.header.n_filter_pages) * PAGE_LEN / FILTER_BLOCK_LEN);
        let mut hand = Hand::empty();
        for index in 0..self.header.n_filter_pages {
            let page = self.page(1 + index, &mut hand)?;
            filter.extend(page.as_chunks().0.iter().copied().map(FilterBlock));
        }
        self.filter = Some(filter);
        Ok(())
    }

    /// Bytes that its filter takes in memory.
    pub(super) fn filter_bytes(&self) -> u64 {
        let n_blocks = self.filter.as_ref().map_or(0, Vec::len);
        offset(n_blocks * FILTER_BLOCK_LEN)
    }

    /// Which of these keys the run holds unless its filter errs, one answer a key. The keys come ascending.
    pub(super) fn may_hold(
        &self,
        sought: impl Iterator<Item = Tag>,
        hand: &mut Hand,
        answers: &mut Vec<bool>,
    ) -> Result<(), RunError> {
        answers.clear();
        match &self.filter {
            _ if self.header.n_entries == 0 => answers.extend(sought.map(|_| false)),
            // Nothing here hangs on an answer, so that a processor waits for many blocks at once.
            Some(filter) => answers.extend(sought.map(|tag| self.held_in(filter, tag))),
            None => {
                for tag in sought {
                    let number = filter_page_of(tag, self.header.n_filter_pages);
                    let (block, places) = filter_bits(tag);
                    let page = self.page(1 + number, hand)?;
                    answers.push(FilterBlock(page.as_chunks().0[block]).may_hold(places));
                }
            }
        }
        Ok(())
    }

    fn held_in(&self, filter: &[FilterBlock], tag: Tag) -> bool {
        let number = filter_page_of(tag, self.header.n_filter_pages);
        let (block, places) = filter_bits(tag);
        filter[length(number) * (PAGE_LEN / FILTER_BLOCK_LEN) + block].may_hold(places)
    }

    /// The latest position of a key in this run, whatever its filter says.
    pub(super) fn find(&self, tag: Tag, hand: &mut Hand) -> Result<Option<u64>, RunError> {
        let up_to = self.locate(tag.at(u64::MAX), hand)?;
        Ok(up_to
            .filter(|(_, entry)| entry.tag() == tag)
            .map(|(_, entry)| self.header.from + entry.offset()))
    }

    /// Adds the positions of a key in a range, ascending, each once.
    pub(super) fn find_all(
        &self,
        tag: Tag,
        from: u64,
        below: u64,
        hand: &mut Hand,
        out: &mut Vec<u64>,
    ) -> Result<(), RunError> {
        let base = self.header.from;
        let mut may_hold = Vec::with_capacity(1);
        self.may_hold(std::iter::once(tag), hand, &mut may_hold)?;
        if below <= base || may_hold != [true] {
            return Ok(());
        }
        let (first, end) = (tag.at(from.saturating_sub(base)), tag.at(below - base));
        let begin = self.seek(first, hand)?.page;
        for index in begin..self.header.n_entry_pages() {
            let entries = self.entries(index, hand)?;
            let n = entries.partition_point(|bytes| Entry::decode(bytes) < first);
            let mut last = None;
            for entry in entries[n..].iter().map(Entry::decode) {
                last = Some(entry);
                if entry >= end {
                    break;
                }
                // Copies stand in the place of a forgotten neighbour.
                let position = base + entry.offset();
                if out.last() != Some(&position) {
                    out.push(position);
                }
            }
            if last.is_some_and(|last| last >= end) {
                break;
            }
        }
        Ok(())
    }

    /// Overwrites a fence on disk; the one in memory stays, as it only bounds.
    pub(super) fn set_fence(&self, fence: u64, value: u64) -> Result<(), RunError> {
        let number = self.header.fence_page(fence);
        let mut page = *self.page(number, &mut Hand::empty())?;
        let at = length(fence % offset(FENCES_PER_PAGE)) * FENCE_LEN;
        page[at..at + FENCE_LEN].copy_from_slice(&value.to_be_bytes());
        seal(&mut page, number);
        self.file.write_all_at(&page, number * offset(PAGE_LEN))?;
        Ok(())
    }

    /// The greatest entry up to `wanted` and an entry page that holds it. Pages that cannot hold the key
    /// of `wanted` are not looked at, so an entry with another key may be missed.
    pub(super) fn locate(
        &self,
        wanted: Entry,
        hand: &mut Hand,
    ) -> Result<Option<(u64, Entry)>, RunError> {
        self.seek(wanted, hand).map(|sought| sought.up_to)
    }

    /// Looks for an entry, among the pages that can hold its key.
    fn seek(&self, wanted: Entry, hand: &mut Hand) -> Result<Sought, RunError> {
        let half = wanted.first_half();
        let n_fences = self.fences.len();
        let guess = length(scaled(half, offset(n_fences)));
        let above = partition_near(n_fences, guess, |at| self.fences[at] <= half);
        // Keys may share their first half with a fence and lie on either side of it.
        let below = match self.fences[..above].last() {
            Some(fence) if *fence == half => self.fences.partition_point(|fence| *fence < half),
            _ => above,
        };
        let below = below.saturating_sub(1);
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
            let entries = self.entries(index, hand)?;
            let (Some(first), Some(last)) = (entries.first(), entries.last()) else {
                return Err(RunError::Damaged);
            };
            let (first, last) = (Entry::decode(first), Entry::decode(last));
            if wanted < first {
                (high, high_key) = (index, first.first_half());
            } else if wanted > last {
                up_to = Some((index, last));
                (low, low_key) = (index + 1, last.first_half());
            } else {
                let n = entries.partition_point(|bytes| Entry::decode(bytes) <= wanted);
                let last = entries[..n].last();
                let up_to = last.map(|bytes| (index, Entry::decode(bytes)));
                return Ok(Sought { up_to, page: index });
            }
        }
        Ok(Sought { up_to, page: low })
    }

    /// The page with this number, if its check holds; read unless it is at hand.
    fn page<'a>(&self, number: u64, hand: &'a mut Hand) -> Result<&'a Page, RunError> {
        if hand.number != Some(number) {
            hand.number = None;
            let page = hand.page.as_mut_slice();
            durable::read_exact_at(&self.file, page, number * offset(PAGE_LEN))?;
            if hand.page[PAGE_LEN - CHECK_LEN..] != check_of(&hand.page, number) {
                return Err(RunError::Damaged);
            }
            hand.number = Some(number);
        }
        Ok(&hand.page)
    }

    /// The entries of one entry page, counted from the first.
    fn entries<'a>(
        &self,
        index: u64,
        hand: &'a mut Hand,
    ) -> Result<&'a [[u8; ENTRY_LEN]], RunError> {
        let before = index.saturating_mul(offset(ENTRIES_PER_PAGE));
        let n = length(self.header.n_entries.saturating_sub(before)).min(ENTRIES_PER_PAGE);
        let page = self.page(self.header.entry_page(index), hand)?;
        Ok(page[..n * ENTRY_LEN].as_chunks().0)
    }

    /// The same, decoded.
    pub(super) fn entry_page(&self, index: u64, hand: &mut Hand) -> Result<Vec<Entry>, RunError> {
        let entries = self.entries(index, hand)?;
        Ok(entries.iter().map(Entry::decode).collect())
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
        *place = entry.encode();
    }
    seal(&mut page, number);
    page
}

fn check_of(page: &Page, number: u64) -> [u8; CHECK_LEN] {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&page[..PAGE_LEN - CHECK_LEN]);
    hasher.update(&number.to_be_bytes());
    let mut check = [0; CHECK_LEN];
    check[CHECK_LEN - 4..].copy_from_slice(&hasher.finalize().to_be_bytes());
    check
}

/// `of * part / 2^64`: the place of a uniform number among so many.
fn scaled(part: u64, of: u64) -> u64 {
    u64::try_from((u128::from(part) * u128::from(of)) >> 64).unwrap_or(0)
}
