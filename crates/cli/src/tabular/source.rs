//! A file of a registrar as bytes: plain or gzip, with a count of how far it was read.
//!
//! Apart from `input`, which reads lines of JSON for `submit`: tables are read on a thread of their own,
//! may be compressed, and every way in which such a file can be none is a sentence here.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use flate2::bufread::MultiGzDecoder;

use client::root_cause;

use crate::error::Failure;
use crate::input::unreadable_file;

const READ_BYTES: usize = 16 * 1024;
const GZIP_MARK: &[u8] = &[0x1f, 0x8b];

/// Bytes of a table, decompressed.
pub(crate) struct Source {
    reader: Box<dyn Read + Send>,
    /// As it is called in messages.
    pub(crate) name: String,
    /// Size of the file as it lies on disk; none for standard input and pipes.
    pub(crate) bytes_total: Option<u64>,
    /// Bytes of the file read so far, compressed ones where it is compressed.
    pub(crate) bytes_read: Arc<AtomicU64>,
    gzip: bool,
}

impl Source {
    /// Opens a file; `-` is standard input.
    ///
    /// # Errors
    ///
    /// [`Failure::Usage`] when it is missing, a directory, or named like gzip without being it.
    pub(crate) fn open(path: &Path) -> Result<Self, Failure> {
        if path == Path::new("-") {
            return Self::of(Box::new(io::stdin()), "standard input".to_owned(), None);
        }
        let name = path.display().to_string();
        let failed = |error: io::Error| unreadable_file(&name, &error);
        let file = File::open(path).map_err(failed)?;
        let metadata = file.metadata().map_err(failed)?;
        if metadata.is_dir() {
            return Err(Failure::Usage(format!("{name} is a directory, not a file")));
        }
        let total = metadata.is_file().then_some(metadata.len());
        Self::of(Box::new(file), name, total)
    }

    /// Sniffs what the bytes are.
    pub(crate) fn of(
        bytes: Box<dyn Read + Send>,
        name: String,
        bytes_total: Option<u64>,
    ) -> Result<Self, Failure> {
        let bytes_read = Arc::new(AtomicU64::new(0));
        let counted = Counted {
            inner: bytes,
            count: Arc::clone(&bytes_read),
        };
        let mut reader = BufReader::with_capacity(READ_BYTES, counted);
        let first = reader
            .fill_buf()
            .map_err(|error| unreadable_file(&name, &error))?;
        let gzip = first.starts_with(GZIP_MARK);
        if name.ends_with(".gz") && !gzip && !first.is_empty() {
            return Err(Failure::Usage(format!(
                "{name} is named like a gzip file, but is none; rename it, or compress it"
            )));
        }
        let reader: Box<dyn Read + Send> = if gzip {
            Box::new(MultiGzDecoder::new(reader))
        } else {
            Box::new(reader)
        };
        Ok(Self {
            reader,
            name,
            bytes_total,
            bytes_read,
            gzip,
        })
    }

    /// Reads on.
    ///
    /// # Errors
    ///
    /// A sentence without the file's name.
    pub(crate) fn read(&mut self, into: &mut [u8]) -> Result<usize, String> {
        loop {
            match self.reader.read(into) {
                Ok(count) => return Ok(count),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.broken(&error)),
            }
        }
    }

    fn broken(&self, error: &io::Error) -> String {
        match error.kind() {
            io::ErrorKind::UnexpectedEof if self.gzip => {
                "the compressed data end too early: the file was cut off; fetch it again".to_owned()
            }
            io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData if self.gzip => {
                "the compressed data are damaged; fetch the file again".to_owned()
            }
            _ => format!("the file cannot be read on: {}", root_cause(error)),
        }
    }
}

/// Counts what passes.
struct Counted {
    inner: Box<dyn Read + Send>,
    count: Arc<AtomicU64>,
}

impl Read for Counted {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(into)?;
        let more = u64::try_from(count).unwrap_or(u64::MAX);
        self.count.fetch_add(more, Ordering::Relaxed);
        Ok(count)
    }
}
