//! Which segments there are, and the few that are open: what readers and the writer share.
//!
//! Apart from the reader because the writer changes it. Bounded: of a sealed segment only its header
//! (about 100 bytes per 64 MiB) stays in memory; files and offsets are kept for the recently read ones.

use std::collections::BTreeSet;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use chain::{Block, Head, Position, SegmentHeader};
use durable::{File, Fs, Mode, read_file};
use store::{Corruption, Fault, ReadError};

use crate::layout;
use crate::offsets::Offsets;
use crate::scan::{Piece, Scan};

/// A segment that can be read.
pub(crate) struct OpenSegment<R: File> {
    pub(crate) header: SegmentHeader,
    pub(crate) file: R,
    pub(crate) file_len: u64,
    pub(crate) offsets: RwLock<Offsets>,
    /// Offsets from a file may be wrong in every way; those made by scanning are not.
    pub(crate) is_scanned: bool,
}

/// The number lies outside, side by side with the others, as every read looks through them.
type Numbered<R> = (u64, Arc<OpenSegment<R>>);

/// What readers and the writer share.
pub(crate) struct Catalog<F: Fs> {
    pub(crate) fs: F,
    pub(crate) dir: PathBuf,
    /// By number. The last one is active.
    headers: RwLock<Vec<SegmentHeader>>,
    active: RwLock<Arc<OpenSegment<F::File>>>,
    /// Most recently used last.
    recent: Mutex<Vec<Numbered<F::File>>>,
    recent_max: usize,
    head: RwLock<Head>,
    /// Sealed segments whose offsets are not yet in a file.
    unsaved: Mutex<Vec<Arc<OpenSegment<F::File>>>>,
    erasing: RwLock<()>,
    erasures: AtomicU64,
    /// Records whose erasure has begun: their bodies count as zeros, whatever bytes are still there.
    half_erased: RwLock<BTreeSet<Position>>,
    /// A block of which only a part was asked for; the next page is likely to want the rest.
    last_block: Mutex<Option<Arc<Block>>>,
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Panics abort in production; in tests the data behind a poisoned lock is plain and whole.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(crate) fn shared<T>(rw: &RwLock<T>) -> RwLockReadGuard<'_, T> {
    rw.read().unwrap_or_else(PoisonError::into_inner)
}

pub(crate) fn exclusive<T>(rw: &RwLock<T>) -> RwLockWriteGuard<'_, T> {
    rw.write().unwrap_or_else(PoisonError::into_inner)
}

impl<F: Fs> Catalog<F> {
    pub(crate) fn new(
        fs: F,
        dir: PathBuf,
        headers: Vec<SegmentHeader>,
        active: OpenSegment<F::File>,
        head: Head,
        recent_max: usize,
    ) -> Self {
        Self {
            fs,
            dir,
            headers: RwLock::new(headers),
            active: RwLock::new(Arc::new(active)),
            recent: Mutex::default(),
            recent_max,
            head: RwLock::new(head),
            unsaved: Mutex::default(),
            erasing: RwLock::new(()),
            erasures: AtomicU64::new(0),
            half_erased: RwLock::default(),
            last_block: Mutex::default(),
        }
    }

    pub(crate) fn head(&self) -> Head {
        *shared(&self.head)
    }

    pub(crate) fn publish(&self, head: Head) {
        *exclusive(&self.head) = head;
    }

    pub(crate) fn active(&self) -> Arc<OpenSegment<F::File>> {
        Arc::clone(&shared(&self.active))
    }

    /// Seals the active segment; readers go on finding it among the recent ones.
    pub(crate) fn roll_over(&self, next: OpenSegment<F::File>) {
        // Order: first where the sealed segment will be looked for, then the new segment.
        let sealed = self.active();
        self.remember(&sealed);
        lock(&self.unsaved).push(sealed);
        let mut headers = exclusive(&self.headers);
        headers.push(next.header);
        *exclusive(&self.active) = Arc::new(next);
    }

    /// The number of the segment that holds a position below the head, and where the next one begins.
    pub(crate) fn segment_of(&self, position: Position) -> (u64, Option<Position>) {
        let headers = shared(&self.headers);
        let n = headers.partition_point(|header| header.head.size <= position.0);
        let number = headers
            .get(n.saturating_sub(1))
            .map_or(0, |header| header.number);
        (
            number,
            headers.get(n).map(|header| header.head.next_position()),
        )
    }

    /// The head at the end of a sealed segment, as the next one names it.
    pub(crate) fn head_after(&self, number: u64) -> Option<Head> {
        let headers = shared(&self.headers);
        let n = headers.partition_point(|header| header.number <= number);
        headers.get(n).map(|header| header.head)
    }

    pub(crate) fn segment(&self, number: u64) -> Result<Arc<OpenSegment<F::File>>, ReadError> {
        let active = self.active();
        if active.header.number == number {
            return Ok(active);
        }
        if let Some(open) = self.recent(number) {
            return Ok(open);
        }
        let header = shared(&self.headers)
            .iter()
            .find(|header| header.number == number)
            .copied()
            .unwrap_or(active.header);
        let open = self.open_sealed(header)?;
        self.remember(&open);
        Ok(open)
    }

    /// Replaces the offsets of a sealed segment by ones made from its bytes.
    pub(crate) fn rescan(&self, number: u64) -> Result<(), ReadError> {
        let open = self.segment(number)?;
        let scanned = self.scan_offsets(&open.header)?;
        *exclusive(&open.offsets) = scanned;
        lock(&self.unsaved).push(open);
        Ok(())
    }

    /// Writes one file of offsets; false when there was none to write. It is not synced: a torn one is
    /// noticed by its hash and made again.
    pub(crate) fn save_offsets(&self) -> io::Result<bool> {
        let Some(open) = lock(&self.unsaved).pop() else {
            return Ok(false);
        };
        let path = layout::offsets_path(&self.dir, open.header.number);
        match self.fs.remove(&path) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
            _ => {}
        }
        let bytes = shared(&open.offsets).encode(&open.header.encode());
        self.fs.open(&path, Mode::Create)?.write_all_at(&bytes, 0)?;
        Ok(true)
    }

    /// From here on readers see these records erased.
    pub(crate) fn begin_erasure(&self, positions: &[Position]) {
        exclusive(&self.half_erased).extend(positions);
        self.forget_kept_block();
    }

    /// Runs the overwriting: readers that may have seen half of it wait here and read again.
    pub(crate) fn erasing(&self, overwrite: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
        let _alone = exclusive(&self.erasing);
        overwrite()?;
        exclusive(&self.half_erased).clear();
        self.forget_kept_block();
        Ok(())
    }

    /// Whether the erasure of a record has begun.
    pub(crate) fn is_half_erased(&self, position: Position) -> bool {
        shared(&self.half_erased).contains(&position)
    }

    fn forget_kept_block(&self) {
        self.erasures.fetch_add(1, Ordering::SeqCst);
        *lock(&self.last_block) = None;
    }

    pub(crate) fn without_erasure(&self) -> RwLockReadGuard<'_, ()> {
        shared(&self.erasing)
    }

    pub(crate) fn erasures(&self) -> u64 {
        self.erasures.load(Ordering::SeqCst)
    }

    pub(crate) fn kept_block(&self, position: Position) -> Option<Arc<Block>> {
        lock(&self.last_block)
            .as_ref()
            .filter(|block| block.record(position).is_some())
            .cloned()
    }

    /// Keeps a block that was read after `erasures` erasures, unless there was another since.
    pub(crate) fn keep_block(&self, block: Arc<Block>, erasures: u64) {
        let mut kept = lock(&self.last_block);
        if self.erasures() == erasures {
            *kept = Some(block);
        }
    }

    fn recent(&self, number: u64) -> Option<Arc<OpenSegment<F::File>>> {
        let mut recent = lock(&self.recent);
        let index = recent.iter().rposition(|(other, _)| *other == number)?;
        // Half way to the end: cheap, and often read ones outlast the others.
        let towards = index + (recent.len() - 1 - index).div_ceil(2);
        recent.swap(index, towards);
        Some(Arc::clone(&recent[towards].1))
    }

    fn remember(&self, open: &Arc<OpenSegment<F::File>>) {
        let mut recent = lock(&self.recent);
        recent.retain(|(other, _)| *other != open.header.number);
        if recent.len() >= self.recent_max.max(1) {
            recent.remove(0);
        }
        recent.push((open.header.number, Arc::clone(open)));
    }

    fn open_sealed(&self, header: SegmentHeader) -> Result<Arc<OpenSegment<F::File>>, ReadError> {
        let fault = |source| Fault::backend("open a segment", source);
        let path = layout::segment_path(&self.dir, header.number);
        // For writing, as an erasure overwrites bodies in sealed segments too.
        let file = self.fs.open(&path, Mode::Write).map_err(fault)?;
        let file_len = file.len().map_err(fault)?;
        let saved = read_file(&self.fs, &layout::offsets_path(&self.dir, header.number)).ok();
        let saved = saved.and_then(|bytes| Offsets::decode(&bytes, &header.encode()));
        let is_scanned = saved.is_none();
        let offsets = match saved {
            Some(offsets) => offsets,
            None => self.scan_offsets(&header)?,
        };
        let offsets = RwLock::new(offsets);
        let open = Arc::new(OpenSegment {
            header,
            file,
            file_len,
            offsets,
            is_scanned,
        });
        if is_scanned {
            lock(&self.unsaved).push(Arc::clone(&open));
        }
        Ok(open)
    }

    fn scan_offsets(&self, header: &SegmentHeader) -> Result<Offsets, ReadError> {
        let fault = |source| Fault::backend("scan a segment", source);
        let path = layout::segment_path(&self.dir, header.number);
        let mut scan = Scan::open(&self.fs, &path).map_err(fault)?;
        let corrupt = |head: Head, found: String| Corruption {
            position: head.next_position(),
            expected: format!("a block after the head {head} in {}", path.display()),
            found,
        };
        let mut head = header.head;
        if scan.header() != Ok(header) {
            return Err(corrupt(head, "another segment header".to_owned()).into());
        }
        let mut offsets = Offsets::default();
        while let Some(piece) = scan.next_piece().map_err(fault)? {
            match piece {
                Piece::Block { offset, block, .. } if block.prev() == head => {
                    offsets.note(offset, &block);
                    head = block.head();
                }
                Piece::Block { block, .. } => {
                    return Err(corrupt(head, format!("one after {}", block.prev())).into());
                }
                Piece::Bad(bad) => return Err(corrupt(head, bad.error.to_string()).into()),
                Piece::Gap { .. } => {}
            }
        }
        Ok(offsets)
    }
}
