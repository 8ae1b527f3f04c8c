//! The data directory: which segments there are, how far erasures went, and whether the spare is empty.
//!
//! Apart from the scan because names and small files are read once, before any record. Names and meaning:
//! `ledger-data/README.md` sections 2 and 11.

use std::io;
use std::path::{Path, PathBuf};

use chain::{SEGMENT_HEADER_LEN, SegmentHeader};
use durable::{File, Fs, Mode, read_file};

use crate::error::CouldNotRun;
use crate::finding::{Finding, Place};
use crate::invariants;
use crate::width::offset;
use crate::window::Window;

/// A file of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SegmentFile {
    pub(crate) number: u64,
    pub(crate) path: PathBuf,
    /// Its length in bytes.
    pub(crate) len: u64,
}

/// What a data directory holds beside the records themselves.
#[derive(Debug)]
pub(crate) struct Directory {
    /// Ascending by number; at least one.
    pub(crate) segments: Vec<SegmentFile>,
    /// Position of the last erasing record that was carried out, as the directory says.
    pub(crate) erased_through: Option<u64>,
    pub(crate) findings: Vec<Finding>,
    pub(crate) notes: Vec<String>,
}

impl Directory {
    /// Reads the names and the small files.
    ///
    /// Order: the mark of erasures before any segment, because a running server erases what was
    /// already read, and then moves the mark: an older mark is only more lenient.
    pub(crate) fn read<F: Fs>(fs: &F, dir: &Path) -> Result<Directory, CouldNotRun> {
        let log = dir.join("log");
        let names = list(fs, dir, &log)?;
        let (mut findings, mut notes) = (Vec::new(), Vec::new());
        let erased_through = erased_through(fs, dir, &mut findings)?;
        findings.extend(spare(fs, &log.join("spare"))?);
        let mut segments = Vec::new();
        for name in names.iter().filter(|name| name.ends_with(".seg")) {
            let path = log.join(name);
            match segment_number(name) {
                Some(number) => {
                    let len = file_len(fs, &path)?;
                    segments.push(SegmentFile { number, path, len });
                }
                None => notes.push(format!("{} is no segment's name: not read", path.display())),
            }
        }
        segments.sort_by_key(|segment| segment.number);
        if segments.is_empty() {
            return Err(CouldNotRun::NoLedger {
                dir: dir.to_path_buf(),
            });
        }
        Ok(Directory {
            segments,
            erased_through,
            findings,
            notes,
        })
    }

    /// Bytes of all segments.
    pub(crate) fn bytes(&self) -> u64 {
        self.segments
            .iter()
            .fold(0, |sum: u64, segment| sum.saturating_add(segment.len))
    }

    /// At least as many records as the log can hold, give or take: from the header of the last segment,
    /// and the length of that one.
    pub(crate) fn records_estimate<F: Fs>(&self, fs: &F) -> u64 {
        const RECORD_BYTES_LIKELY: u64 = 256;
        let Some(last) = self.segments.last() else {
            return 0;
        };
        let header = fs.open(&last.path, Mode::Read).and_then(|file| {
            let mut bytes = vec![0; SEGMENT_HEADER_LEN];
            durable::read_exact_at(&file, &mut bytes, 0)?;
            Ok(SegmentHeader::decode(&bytes).ok())
        });
        match header {
            Ok(Some(header)) => header
                .head
                .size
                .saturating_add(last.len / RECORD_BYTES_LIKELY),
            _ => self.bytes() / RECORD_BYTES_LIKELY,
        }
    }
}

fn list<F: Fs>(fs: &F, dir: &Path, log: &Path) -> Result<Vec<String>, CouldNotRun> {
    let unreadable = |path: &Path, source| CouldNotRun::Unreadable {
        path: path.into(),
        source,
    };
    match fs.list(log) {
        Ok(names) => return Ok(names),
        Err(e) if e.kind() == io::ErrorKind::NotFound => {}
        Err(source) => return Err(unreadable(log, source)),
    }
    match fs.list(dir) {
        Ok(names) if names.iter().any(|name| segment_number(name).is_some()) => {
            Err(CouldNotRun::LogItself {
                dir: dir.to_path_buf(),
            })
        }
        Ok(_) => Err(CouldNotRun::NoLedger {
            dir: dir.to_path_buf(),
        }),
        Err(e) if is_absent(&e) => Err(CouldNotRun::NoDirectory {
            dir: dir.to_path_buf(),
        }),
        Err(source) => Err(unreadable(dir, source)),
    }
}

fn is_absent(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    )
}

/// The number in a segment's name; `None` for any other name. A number has one spelling.
fn segment_number(name: &str) -> Option<u64> {
    let number: u64 = name.strip_suffix(".seg")?.parse().ok()?;
    (format!("{number:08}.seg") == name).then_some(number)
}

fn file_len<F: Fs>(fs: &F, path: &Path) -> Result<u64, CouldNotRun> {
    let len = fs.open(path, Mode::Read).and_then(|file| file.len());
    len.map_err(|source| CouldNotRun::Unreadable {
        path: path.to_path_buf(),
        source,
    })
}

fn erased_through<F: Fs>(
    fs: &F,
    dir: &Path,
    findings: &mut Vec<Finding>,
) -> Result<Option<u64>, CouldNotRun> {
    let path = dir.join("erased-through");
    let bytes = match read_file(fs, &path) {
        Ok(bytes) => bytes,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(CouldNotRun::Unreadable { path, source }),
    };
    match invariants::the_erased_through_mark_is_a_position(&bytes) {
        Ok(position) => Ok(Some(position)),
        Err(broken) => {
            findings.push(Finding::new(Place::default(), broken));
            Ok(None)
        }
    }
}

/// Looks at the spare twice before it reports: a running server may have turned it into a segment, and
/// written to it, while it was read.
fn spare<F: Fs>(fs: &F, path: &Path) -> Result<Option<Finding>, CouldNotRun> {
    let mut finding = None;
    for _ in 0..2 {
        match spare_once(fs, path) {
            Ok(None) => return Ok(None),
            Ok(found) => finding = found,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => {
                return Err(CouldNotRun::Unreadable {
                    path: path.into(),
                    source,
                });
            }
        }
    }
    Ok(finding)
}

fn spare_once<F: Fs>(fs: &F, path: &Path) -> io::Result<Option<Finding>> {
    let mut window = Window::new(fs.open(path, Mode::Read)?)?;
    let header = window.at(0, SEGMENT_HEADER_LEN)?;
    let has_header = SegmentHeader::decode(header).is_ok();
    let from = if has_header {
        offset(SEGMENT_HEADER_LEN)
    } else {
        0
    };
    let len = window.len();
    let nonzero = window.first_nonzero(from, len)?;
    let place = Place {
        offset: nonzero,
        ..Place::default()
    };
    Ok(invariants::the_spare_holds_no_record(nonzero)
        .err()
        .map(|b| Finding::new(place, b)))
}
