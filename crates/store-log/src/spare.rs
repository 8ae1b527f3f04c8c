//! The spare: the next segment, filled with zeros before it is needed.
//!
//! Apart from the log because it is filled in the background: overwriting zeros is made durable several
//! times faster than a file that grows. A crash at any step leaves `log/spare`, which holds no record
//! and is removed when the log is opened.

use std::io;
use std::path::PathBuf;

use durable::{File, Fs, Mode};

use crate::width::{length, offset};

/// Bytes written and synced in one step: little enough that an append beside it hardly waits.
const STEP_BYTES: u64 = 1 << 20;

pub(crate) struct Spare<F: Fs> {
    fs: F,
    path: PathBuf,
    bytes: u64,
    file: Option<F::File>,
    filled: u64,
}

impl<F: Fs> Spare<F> {
    pub(crate) fn new(fs: F, path: PathBuf, bytes: u64) -> Self {
        Self {
            fs,
            path,
            bytes,
            file: None,
            filled: 0,
        }
    }

    pub(crate) fn is_ready(&self) -> bool {
        self.file.is_some() && self.filled == self.bytes
    }

    /// Creates the file, or fills and syncs the next part of it; false when there was nothing to do.
    ///
    /// A full disk leaves what is filled, for when there is space again. After any other error the file
    /// is begun anew: nothing is known of it.
    pub(crate) fn step(&mut self) -> io::Result<bool> {
        if self.is_ready() {
            return Ok(false);
        }
        let result = match self.file.take() {
            None => self.create(),
            Some(file) => {
                let result = self.fill(&file);
                if result.as_ref().is_err_and(is_full) || result.is_ok() {
                    self.file = Some(file);
                }
                result
            }
        };
        result.map(|()| true)
    }

    /// Hands the filled file over, to be renamed by the caller.
    pub(crate) fn take(&mut self) -> Option<F::File> {
        if !self.is_ready() {
            return None;
        }
        self.filled = 0;
        self.file.take()
    }

    fn create(&mut self) -> io::Result<()> {
        match self.fs.remove(&self.path) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
            _ => {}
        }
        self.filled = 0;
        self.file = Some(self.fs.open(&self.path, Mode::Create)?);
        Ok(())
    }

    fn fill(&mut self, file: &F::File) -> io::Result<()> {
        let zeros = vec![0; length(STEP_BYTES.min(self.bytes - self.filled))];
        file.write_all_at(&zeros, self.filled)?;
        file.sync_data()?;
        self.filled += offset(zeros.len());
        Ok(())
    }
}

/// Whether an error says that there is no space, now.
pub(crate) fn is_full(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
    )
}
