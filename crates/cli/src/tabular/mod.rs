//! Tables as registrars have them: CSV and JSON Lines, row by row, in bounded memory.
//!
//! Apart from the mapping because this knows nothing of achievements: it says what the rows are, and
//! which of them are none.

mod csv;
mod json;
mod report;
mod rows;
mod source;
mod text;

pub(crate) use json::values as json_values;
pub(crate) use report::{Ours, Report};
pub(crate) use rows::{Layout, Row, Rows};
pub(crate) use source::Source;
pub(crate) use text::Encoding;

/// Longest row that is read, in bytes. What is longer is a quote that was never closed.
pub(crate) const ROW_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Longest cell that is taken, in bytes.
pub(crate) const CELL_BYTES_MAX: usize = 64 * 1024;

/// Why a file cannot be read on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Broken {
    /// Line, from 1.
    pub(crate) line: u64,
    /// A sentence.
    pub(crate) sentence: String,
}

impl Broken {
    pub(crate) fn at(line: u64, sentence: impl Into<String>) -> Self {
        Self {
            line,
            sentence: sentence.into(),
        }
    }

    /// With the name of the file.
    pub(crate) fn of(&self, name: &str) -> String {
        format!("{name}: line {}: {}", self.line, self.sentence)
    }
}

/// Why a row is not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problem {
    /// A stable word, such as `RAGGED_ROW`.
    pub(crate) reason: String,
    /// The column, or the field of the record.
    pub(crate) field: String,
    /// A sentence.
    pub(crate) sentence: String,
}

impl Problem {
    pub(crate) fn new(reason: &str, field: &str, sentence: impl Into<String>) -> Self {
        Self {
            reason: reason.to_owned(),
            field: field.to_owned(),
            sentence: sentence.into(),
        }
    }
}
