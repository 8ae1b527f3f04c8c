//! Opening a ledger: the lock, the segments, recovery of the last one, unfinished erasures, the index.
//!
//! Apart from the writer because everything here runs once, before anything is served.
//!
//! Order:
//! 1. the directory is made, and locked (a crash leaves an empty directory);
//! 2. all headers are read and must follow each other; without any, the first segment is made as in a
//!    roll-over (a crash leaves a spare, which is made again, or an empty segment);
//! 3. the last segment is recovered (`recover`) and the directory of the log synced. Durability: a name
//!    that a kill left in the cache must not be lost under new blocks;
//! 4. an erasure that was under way is finished (`erase`; a crash leaves it unfinished);
//! 5. the key index reads the records that it does not cover. Sealed segments are not read: the header
//!    of each next one holds the head at their end.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, RwLock};

use chain::{Head, Position, SEGMENT_HEADER_LEN, SegmentHeader};
use durable::{File, Fs, Mode, make_dir};
use store::{Corruption, Keys};

use crate::catalog::{Catalog, OpenSegment};
use crate::error::OpenError;
use crate::index::Index;
use crate::log::{install, new_header};
use crate::reader::Reader;
use crate::recover::{Segment, TornTail, UnverifiedSegment};
use crate::spare::Spare;
use crate::width::offset;
use crate::{Log, Options, erase, layout, scan};

/// What opening a ledger found and did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecoveryReport {
    /// The head that is served.
    pub head: Head,
    /// How many segments there are.
    pub n_segments: u64,
    /// What was cut off the end, if anything.
    pub torn_tail: Option<TornTail>,
    /// How many records were read again for the key index.
    pub n_indexed: u64,
}

impl<F: Fs> Log<F> {
    /// Locks, recovers and opens the ledger in `dir`; makes an empty one when there is none.
    ///
    /// # Errors
    /// See [`OpenError`]. Corruption is never repaired here.
    pub fn open(
        fs: F,
        dir: &Path,
        options: Options,
        keys: Arc<dyn Keys>,
    ) -> Result<(Self, RecoveryReport), OpenError> {
        options.check()?;
        let log_dir = layout::log_dir(dir);
        let directory = |source| OpenError::Directory {
            path: log_dir.clone(),
            source,
        };
        make_dir(&fs, &log_dir).map_err(directory)?;
        let held = take_lock(&fs, dir)?;
        let read = |source| OpenError::Read {
            path: dir.join(layout::ERASED_THROUGH),
            source,
        };
        let mut erased_through = scan::erased_through(&fs, dir).map_err(read)?;
        let unfinished = erase::unfinished(&fs, dir)?;
        let mut headers = read_headers(&fs, dir)?;
        if headers.is_empty() {
            nothing_remembers(&fs, dir, Head::EMPTY, erased_through)?;
            headers.push(create_first(&fs, dir, &options)?);
        }
        let half_erased = unfinished
            .as_ref()
            .map_or(&[][..], |(positions, _)| positions);
        let (segment, torn_tail) = recover_last(&fs, dir, &headers, half_erased)?;
        fs.sync_dir(&log_dir).map_err(directory)?;
        nothing_remembers(&fs, dir, segment.head, erased_through)?;

        let (head, end, needs_mark) = (segment.head, segment.end, segment.needs_mark);
        let n_segments = offset(headers.len());
        let recent_max = options.open_segments_max;
        let active = active_of(segment);
        let catalog = Catalog::new(
            fs.clone(),
            dir.to_owned(),
            headers,
            active,
            head,
            recent_max,
        );
        let catalog = Arc::new(catalog);
        let reader = Reader::new(Arc::clone(&catalog));
        if let Some((positions, through)) = unfinished {
            let through = erased_through.max(Some(through)).unwrap_or(through);
            finish_erasure(&catalog, &reader, &positions, through)?;
            erased_through = Some(through);
        }
        let keys_dir = layout::keys_dir(dir);
        let (index, n_indexed) = Index::open(fs.clone(), keys_dir, keys, &options, reader.clone())?;
        let spare = Spare::new(fs, log_dir.join(layout::SPARE), options.segment_bytes);
        let report = RecoveryReport {
            head,
            n_segments,
            torn_tail,
            n_indexed,
        };
        let log = Self {
            catalog,
            reader,
            index: Arc::new(index),
            spare: Arc::new(Mutex::new(spare)),
            options,
            end,
            needs_mark,
            dead: None,
            erased_through,
            buffer: Vec::new(),
            _lock: held,
        };
        Ok((log, report))
    }
}

/// Refuses a log without the records that something beside it remembers: a lost or an emptied one must
/// not become a new ledger.
fn nothing_remembers<F: Fs>(
    fs: &F,
    dir: &Path,
    head: Head,
    erased_through: Option<Position>,
) -> Result<(), OpenError> {
    let missing = |trace: String| OpenError::RecordsMissing {
        dir: dir.to_path_buf(),
        trace,
    };
    if let Some(through) = erased_through.filter(|through| through.0 >= head.size) {
        let trace = format!("erasures were carried out through position {through}");
        return Err(missing(trace));
    }
    if head.size > 0 {
        return Ok(());
    }
    // Runs are written only of records that were durable.
    let keys = layout::keys_dir(dir);
    match fs.list(&keys) {
        Ok(names) => match names.iter().find(|name| name.ends_with(".run")) {
            Some(name) => Err(missing(format!("its key index has {name}"))),
            None => Ok(()),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(source) => Err(OpenError::Directory { path: keys, source }),
    }
}

fn active_of<R: File>(segment: Segment<R>) -> OpenSegment<R> {
    OpenSegment {
        header: segment.header,
        file: segment.file,
        file_len: segment.capacity,
        offsets: RwLock::new(segment.offsets),
        is_scanned: true,
    }
}

fn take_lock<F: Fs>(fs: &F, dir: &Path) -> Result<F::Lock, OpenError> {
    let path = dir.join(layout::LOCK);
    match fs.lock(&path) {
        Err(e) if e.kind() == io::ErrorKind::WouldBlock => Err(OpenError::Locked {
            dir: dir.to_path_buf(),
        }),
        other => other.map_err(|source| OpenError::Lock { path, source }),
    }
}

/// The headers of all segments, which must follow each other from 0.
fn read_headers<F: Fs>(fs: &F, dir: &Path) -> Result<Vec<SegmentHeader>, OpenError> {
    let log_dir = layout::log_dir(dir);
    let list = |source| OpenError::Directory {
        path: log_dir.clone(),
        source,
    };
    let mut headers: Vec<SegmentHeader> = Vec::new();
    for (segment, number) in scan::segments(fs, dir).map_err(list)?.into_iter().zip(0..) {
        let head_min = headers.last().map_or(Head::EMPTY, |header| header.head);
        let corrupt = |found: String| Corruption {
            position: head_min.next_position(),
            expected: format!("segment {number} that continues {head_min}"),
            found: format!("{found} in {}", segment.path.display()),
        };
        if segment.number != number {
            return Err(corrupt(format!("segment {}", segment.number)).into());
        }
        let header = read_header(fs, &segment.path)?.map_err(|e| corrupt(e.to_string()))?;
        let is_first_empty = number != 0 || header.head == Head::EMPTY;
        let follows = header.number == number && header.head.size >= head_min.size;
        if !follows || !is_first_empty {
            return Err(corrupt(format!("segment {} after {}", header.number, header.head)).into());
        }
        headers.push(header);
    }
    Ok(headers)
}

fn read_header<F: Fs>(
    fs: &F,
    path: &Path,
) -> Result<Result<SegmentHeader, chain::SegmentError>, OpenError> {
    let read = |source| OpenError::Read {
        path: path.to_path_buf(),
        source,
    };
    let file = fs.open(path, Mode::Read).map_err(read)?;
    let mut bytes = [0; SEGMENT_HEADER_LEN];
    let mut filled = 0;
    while filled < bytes.len() {
        let n = file
            .read_at(&mut bytes[filled..], offset(filled))
            .map_err(read)?;
        if n == 0 {
            break;
        }
        filled += n;
    }
    Ok(SegmentHeader::decode(&bytes[..filled]))
}

fn recover_last<F: Fs>(
    fs: &F,
    dir: &Path,
    headers: &[SegmentHeader],
    half_erased: &[Position],
) -> Result<(Segment<F::File>, Option<TornTail>), OpenError> {
    let header = *headers.last().expect("there is a first segment");
    let path = layout::segment_path(dir, header.number);
    let read = |source| OpenError::Read {
        path: path.clone(),
        source,
    };
    let file = fs.open(&path, Mode::Write).map_err(read)?;
    UnverifiedSegment::of(file, header, &path)?.recover(half_erased)
}

/// Carries out an erasure that a crash interrupted, before anything is served.
fn finish_erasure<F: Fs>(
    catalog: &Catalog<F>,
    reader: &Reader<F>,
    positions: &[Position],
    through: Position,
) -> Result<(), OpenError> {
    let write = |source| OpenError::Write {
        path: catalog.dir.join(layout::ERASING),
        source,
    };
    catalog.begin_erasure(positions);
    let planned = erase::locate(reader, positions).map_err(|source| OpenError::Erase { source })?;
    catalog
        .erasing(|| erase::overwrite(&planned))
        .map_err(write)?;
    erase::mark(&catalog.fs, &catalog.dir, through).map_err(write)?;
    erase::done(&catalog.fs, &catalog.dir).map_err(write)
}

fn create_first<F: Fs>(fs: &F, dir: &Path, options: &Options) -> Result<SegmentHeader, OpenError> {
    let path: PathBuf = layout::log_dir(dir).join(layout::SPARE);
    let write = |source| OpenError::Write {
        path: path.clone(),
        source,
    };
    let mut spare = Spare::new(fs.clone(), path.clone(), options.segment_bytes);
    let file = loop {
        if let Some(file) = spare.take() {
            break file;
        }
        spare.step().map_err(write)?;
    };
    let header = new_header(0, Head::EMPTY, options.block_align)
        .map_err(|source| OpenError::Random { source })?;
    install(fs, dir, &file, &header).map_err(write)?;
    Ok(header)
}
