//! Files of lines, or standard input, read a line at a time in bounded memory.
//!
//! Apart from `lines`, which looks at one line: this decides where a line ends, and gets past lines
//! that are too long to hold.

use std::io;
use std::path::Path;

use tokio::io::{AsyncBufRead, AsyncBufReadExt, BufReader};

use crate::error::Failure;
use crate::lines::{LINE_BYTES_MAX, Unreadable};
use client::root_cause;

const READ_BYTES: usize = 256 * 1024;
const BYTE_ORDER_MARK: &[u8] = &[0xef, 0xbb, 0xbf];

/// Where lines come from.
pub(crate) struct Lines {
    reader: Box<dyn AsyncBufRead + Unpin + Send>,
    name: String,
    /// Size of the file; none for standard input and pipes.
    pub(crate) bytes_total: Option<u64>,
    /// Number of the last line.
    number: u64,
}

/// One line.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Line {
    /// Its number, from 1.
    pub(crate) number: u64,
    /// Its bytes in the file, with the line end.
    pub(crate) bytes: u64,
    /// Its bytes without the line end; an error when there were too many to keep.
    pub(crate) content: Result<Vec<u8>, Unreadable>,
}

impl Line {
    /// Whether there is nothing on it but spaces.
    pub(crate) fn is_blank(&self) -> bool {
        matches!(&self.content, Ok(bytes) if bytes.iter().all(u8::is_ascii_whitespace))
    }
}

impl Lines {
    /// Opens a file; `-` is standard input.
    ///
    /// This goes through tokio rather than the crate `durable`: the input is the caller's own, nothing
    /// of it is promised to last, and it may be a pipe, which has no positions to read at.
    ///
    /// # Errors
    ///
    /// [`Failure::Usage`] when the file cannot be opened.
    pub(crate) async fn open(path: &Path) -> Result<Self, Failure> {
        if path == Path::new("-") {
            let stdin = BufReader::with_capacity(READ_BYTES, tokio::io::stdin());
            return Ok(Self::of(Box::new(stdin), "standard input".to_owned()));
        }
        let name = path.display().to_string();
        let failed = |error: &io::Error| unreadable_file(&name, error);
        let file = tokio::fs::File::open(path).await.map_err(|e| failed(&e))?;
        let metadata = file.metadata().await.map_err(|e| failed(&e))?;
        if metadata.is_dir() {
            return Err(Failure::Usage(format!("{name} is a directory, not a file")));
        }
        let reader = BufReader::with_capacity(READ_BYTES, file);
        let mut lines = Self::of(Box::new(reader), name);
        lines.bytes_total = metadata.is_file().then_some(metadata.len());
        Ok(lines)
    }

    fn of(reader: Box<dyn AsyncBufRead + Unpin + Send>, name: String) -> Self {
        Self {
            reader,
            name,
            bytes_total: None,
            number: 0,
        }
    }

    /// The next line; none at the end. The last line needs no line end.
    ///
    /// # Errors
    ///
    /// [`Failure::Usage`] when the file cannot be read on.
    pub(crate) async fn next(&mut self) -> Result<Option<Line>, Failure> {
        let mut kept: Vec<u8> = Vec::new();
        let mut bytes: usize = 0;
        loop {
            let chunk = self.reader.fill_buf().await;
            let chunk = chunk.map_err(|e| unreadable_file(&self.name, &e))?;
            if chunk.is_empty() && bytes == 0 {
                return Ok(None);
            }
            let end = chunk.iter().position(|byte| *byte == b'\n');
            let text = chunk.get(..end.unwrap_or(chunk.len())).unwrap_or_default();
            // Past the limit only the count goes on, so that memory stays bounded.
            if kept.len() <= LINE_BYTES_MAX {
                let room = LINE_BYTES_MAX + 1 - kept.len();
                kept.extend_from_slice(text.get(..room.min(text.len())).unwrap_or_default());
            }
            let used = text.len() + usize::from(end.is_some());
            let over = end.is_some() || chunk.is_empty();
            self.reader.consume(used);
            bytes += used;
            if over {
                return Ok(Some(self.finish(kept, bytes, end.is_some())));
            }
        }
    }

    fn finish(&mut self, mut kept: Vec<u8>, bytes: usize, with_end: bool) -> Line {
        self.number += 1;
        let content = if kept.len() > LINE_BYTES_MAX {
            let length = bytes - usize::from(with_end);
            Err(Unreadable::whole(format!(
                "the line has {length} bytes; at most {LINE_BYTES_MAX} are read"
            )))
        } else {
            if self.number == 1 && kept.starts_with(BYTE_ORDER_MARK) {
                kept.drain(..BYTE_ORDER_MARK.len());
            }
            Ok(kept)
        };
        Line {
            number: self.number,
            bytes: u64::try_from(bytes).unwrap_or(u64::MAX),
            content,
        }
    }
}

/// Reads a whole small text file.
///
/// # Errors
///
/// [`Failure::Usage`] when it cannot be read or is not UTF-8.
pub(crate) async fn read_text(path: &Path) -> Result<String, Failure> {
    let name = path.display().to_string();
    let bytes = tokio::fs::read(path)
        .await
        .map_err(|e| unreadable_file(&name, &e))?;
    String::from_utf8(bytes)
        .map_err(|_| Failure::Usage(format!("{name} is not UTF-8; save it as UTF-8")))
}

/// A file that cannot be opened or read.
pub(crate) fn unreadable_file(name: &str, error: &io::Error) -> Failure {
    Failure::Usage(format!("{name} cannot be read: {}", root_cause(error)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(bytes: &'static [u8], capacity: usize) -> Vec<Line> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        runtime.block_on(async {
            let reader = BufReader::with_capacity(capacity, bytes);
            let mut lines = Lines::of(Box::new(reader), "test".to_owned());
            let mut found = Vec::new();
            while let Some(line) = lines.next().await.unwrap() {
                found.push(line);
            }
            found
        })
    }

    fn texts(bytes: &'static [u8], capacity: usize) -> Vec<String> {
        let text = |line: Line| String::from_utf8(line.content.unwrap()).unwrap();
        all(bytes, capacity).into_iter().map(text).collect()
    }

    #[test]
    fn lines_are_the_same_however_the_bytes_arrive() {
        for capacity in [1, 2, 3, 7, 1000] {
            assert_eq!(texts(b"", capacity), [""; 0]);
            assert_eq!(texts(b"a\nbc\n", capacity), ["a", "bc"]);
            assert_eq!(texts(b"a\n\nbc", capacity), ["a", "", "bc"]);
            assert_eq!(
                texts(b"\xef\xbb\xbfa\n\xef\xbb\xbfb", capacity),
                ["a", "\u{feff}b"]
            );
        }
    }

    #[test]
    fn lines_too_long_are_counted_and_passed() {
        static LONG: std::sync::LazyLock<Vec<u8>> = std::sync::LazyLock::new(|| {
            let mut bytes = vec![b'x'; LINE_BYTES_MAX];
            bytes.push(b'\n');
            bytes.extend(vec![b'y'; LINE_BYTES_MAX + 1]);
            bytes.extend(b"\nz");
            bytes
        });
        let found = all(&LONG, 4096);
        assert_eq!(found.len(), 3);
        assert_eq!(found[0].content.as_ref().unwrap().len(), LINE_BYTES_MAX);
        let said = found[1].content.as_ref().unwrap_err().to_string();
        assert_eq!(said, "the line has 1048577 bytes; at most 1048576 are read");
        assert_eq!((found[1].bytes, found[2].number), (1_048_578, 3));
    }

    #[test]
    fn blank_lines_are_known() {
        let blank: Vec<bool> = all(b"a\n \t\r\n\nb", 10)
            .iter()
            .map(Line::is_blank)
            .collect();
        assert_eq!(blank, [false, true, true, false]);
    }
}
