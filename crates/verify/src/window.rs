//! A part of a file in memory, moved along as it is read.
//!
//! Apart from the scan because it is where a running server's writes could be half seen: whoever doubts
//! what it read forgets the window and reads again.

use std::io;

use chain::first_nonzero;
use durable::File;

use crate::width::{length, offset};

/// Bytes read at once, unless more are wanted.
const READ_BYTES: usize = 1 << 20;

/// A file and the part of it that is in memory.
pub(crate) struct Window<R: File> {
    file: R,
    len: u64,
    start: u64,
    bytes: Vec<u8>,
}

impl<R: File> Window<R> {
    pub(crate) fn new(file: R) -> io::Result<Window<R>> {
        let len = file.len()?;
        Ok(Window {
            file,
            len,
            start: 0,
            bytes: Vec::new(),
        })
    }

    /// Length of the file when it was opened.
    pub(crate) fn len(&self) -> u64 {
        self.len
    }

    /// Makes the next read go to the file.
    pub(crate) fn forget(&mut self) {
        self.bytes.clear();
    }

    /// `wanted` bytes from `from` on, fewer where the file ends.
    pub(crate) fn at(&mut self, from: u64, wanted: usize) -> io::Result<&[u8]> {
        let left = length(self.len.saturating_sub(from));
        let wanted = wanted.min(left);
        let held_end = self.start.saturating_add(offset(self.bytes.len()));
        let is_held = from >= self.start && from.saturating_add(offset(wanted)) <= held_end;
        if !is_held {
            self.fill(from, wanted.max(READ_BYTES).min(left))?;
        }
        let begin = length(from.saturating_sub(self.start)).min(self.bytes.len());
        let end = begin.saturating_add(wanted).min(self.bytes.len());
        Ok(&self.bytes[begin..end])
    }

    fn fill(&mut self, from: u64, len: usize) -> io::Result<()> {
        // Taken out, so that a failed read leaves an empty window and not a stale one.
        let mut bytes = std::mem::take(&mut self.bytes);
        bytes.resize(len, 0);
        let mut filled = 0;
        while filled < len {
            let n = self
                .file
                .read_at(&mut bytes[filled..], from.saturating_add(offset(filled)))?;
            if n == 0 {
                break;
            }
            filled += n;
        }
        bytes.truncate(filled);
        self.start = from;
        self.bytes = bytes;
        Ok(())
    }

    /// The offset of the first byte in the range that is not zero.
    pub(crate) fn first_nonzero(&mut self, from: u64, to: u64) -> io::Result<Option<u64>> {
        let mut at = from;
        while at < to {
            let bytes = self.at(at, length(to - at).min(READ_BYTES))?;
            if let Some(index) = first_nonzero(bytes) {
                return Ok(Some(at.saturating_add(offset(index))));
            }
            at = at.saturating_add(offset(bytes.len().max(1)));
        }
        Ok(None)
    }

    /// The offset after the last byte in the range that is not zero.
    pub(crate) fn nonzero_end(&mut self, from: u64, to: u64) -> io::Result<Option<u64>> {
        let mut last = None;
        let mut at = from;
        while at < to {
            let bytes = self.at(at, length(to - at).min(READ_BYTES))?;
            if let Some(index) = bytes.iter().rposition(|byte| *byte != 0) {
                last = Some(at.saturating_add(offset(index)).saturating_add(1));
            }
            at = at.saturating_add(offset(bytes.len().max(1)));
        }
        Ok(last)
    }
}
