//! CSV by rows: cells of text, quotes and line ends inside quotes included.
//!
//! Apart from `rows` because of what the parser below leaves open: it reads on without end after a quote
//! that is never closed, and it does not say where a row began.

use csv_core::{ReadRecordResult, Reader, ReaderBuilder};

use super::text::{Text, lines_in};
use super::{Broken, ROW_BYTES_MAX};

/// Room that a row begins with; it grows.
const CELLS_ROOM: usize = 64;
const BYTES_ROOM: usize = 4096;

/// Cells of one row.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Cells {
    /// Line in which it begins, from 1.
    pub(crate) line: u64,
    /// All cells, one after the other.
    text: String,
    /// Where each of them ends.
    ends: Vec<usize>,
}

impl Cells {
    /// From cells.
    pub(crate) fn of<'a>(line: u64, cells: impl IntoIterator<Item = &'a str>) -> Self {
        let mut all = Self {
            line,
            ..Self::default()
        };
        for cell in cells {
            all.text.push_str(cell);
            all.ends.push(all.text.len());
        }
        all
    }

    /// How many.
    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    /// Bytes of all of them.
    pub(crate) fn bytes(&self) -> usize {
        self.text.len()
    }

    /// The cell at that index; empty beyond the last.
    pub(crate) fn get(&self, index: usize) -> &str {
        let until = self.ends.get(index).copied().unwrap_or_default();
        let from = index.checked_sub(1).and_then(|index| self.ends.get(index));
        let from = from.copied().unwrap_or_default();
        self.text.get(from..until).unwrap_or_default()
    }

    /// All of them, in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &str> {
        (0..self.len()).map(|index| self.get(index))
    }
}

/// Rows of a CSV text.
pub(crate) struct CsvRows {
    text: Text,
    parser: Reader,
    piece: String,
    /// Bytes of the piece that were parsed.
    at: usize,
    /// Line of the next byte.
    line: u64,
}

impl CsvRows {
    /// Rows with this delimiter, which is ASCII.
    pub(crate) fn new(text: Text, delimiter: u8) -> Self {
        Self {
            text,
            parser: ReaderBuilder::new().delimiter(delimiter).build(),
            piece: String::new(),
            at: 0,
            line: 1,
        }
    }

    /// The text they are read from.
    pub(crate) fn text(&self) -> &Text {
        &self.text
    }

    /// The next row that is not blank; none at the end.
    ///
    /// # Errors
    ///
    /// [`Broken`] when the text breaks off, or a quote is never closed.
    pub(crate) fn next(&mut self) -> Result<Option<Cells>, Broken> {
        if !self.skip_line_ends()? {
            return Ok(None);
        }
        let line = self.line;
        let mut bytes = vec![0; BYTES_ROOM];
        let mut ends = vec![0; CELLS_ROOM];
        let (mut bytes_len, mut ends_len) = (0, 0);
        loop {
            let over = self.at == self.piece.len() && !self.more()?;
            let rest = self.piece.as_bytes().get(self.at..).unwrap_or_default();
            // At the end of the text a line end is all that an honest row can lack.
            let input = if over { b"\n" } else { rest };
            let (result, used, written, ended) = self.parser.read_record(
                input,
                bytes.get_mut(bytes_len..).unwrap_or_default(),
                ends.get_mut(ends_len..).unwrap_or_default(),
            );
            if !over {
                self.line += lines_in(rest.get(..used).unwrap_or_default());
                self.at += used;
            }
            bytes_len += written;
            ends_len += ended;
            match result {
                ReadRecordResult::InputEmpty if !over => {}
                ReadRecordResult::OutputFull if bytes.len() < ROW_BYTES_MAX => {
                    bytes.resize(bytes.len() * 2, 0);
                }
                ReadRecordResult::OutputEndsFull if ends.len() < ROW_BYTES_MAX => {
                    ends.resize(ends.len() * 2, 0);
                }
                ReadRecordResult::OutputFull | ReadRecordResult::OutputEndsFull => {
                    let sentence = format!(
                        "the row that begins here has more than {} MiB: probably a quote is never closed",
                        ROW_BYTES_MAX / 1024 / 1024
                    );
                    return Err(Broken::at(line, sentence));
                }
                ReadRecordResult::Record => {
                    bytes.truncate(bytes_len);
                    ends.truncate(ends_len);
                    let text = String::from_utf8(bytes).map_err(|_| {
                        Broken::at(line, "the row is not text; save the file as UTF-8")
                    })?;
                    return Ok(Some(Cells { line, text, ends }));
                }
                ReadRecordResult::InputEmpty | ReadRecordResult::End => {
                    let sentence = "a quote in the row that begins here is never closed";
                    return Err(Broken::at(line, sentence));
                }
            }
        }
    }

    /// Passes over empty lines; false at the end.
    fn skip_line_ends(&mut self) -> Result<bool, Broken> {
        loop {
            let byte = self.piece.as_bytes().get(self.at).copied();
            match byte {
                Some(b'\n') => {
                    self.line += 1;
                    self.at += 1;
                }
                Some(b'\r') => self.at += 1,
                Some(_) => return Ok(true),
                None if self.more()? => {}
                None => return Ok(false),
            }
        }
    }

    fn more(&mut self) -> Result<bool, Broken> {
        self.piece.clear();
        self.at = 0;
        self.text.more(&mut self.piece)
    }
}
