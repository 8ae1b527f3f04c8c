//! Rows of a table, whatever its format: cells under columns, and what is wrong with a row as such.
//!
//! Apart from the formats so that a mapping sees columns and cells and nothing else.

use super::csv::{Cells, CsvRows};
use super::json::{JsonRows, values};
use super::report::REASON_COLUMNS;
use super::source::Source;
use super::text::{Encoding, Form, Text};
use super::{Broken, CELL_BYTES_MAX, Problem};

/// How a table lies in its file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Layout {
    /// CSV with this delimiter.
    Csv(u8),
    /// JSON Lines.
    Json,
}

/// A row.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    /// Its cells; of a row that is not in order, as far as they could be read.
    pub(crate) cells: Cells,
    /// Of JSON Lines, the line itself.
    pub(crate) original: Option<String>,
    /// Why it is not taken, if that shows already.
    pub(crate) problem: Option<Problem>,
}

impl Row {
    /// Line in which it begins, from 1.
    pub(crate) fn line(&self) -> u64 {
        self.cells.line
    }

    /// Bytes that it keeps in memory, about.
    pub(crate) fn bytes(&self) -> usize {
        self.cells.bytes() + self.original.as_ref().map_or(0, String::len)
    }
}

enum Format {
    Csv(Box<CsvRows>),
    Json(Box<JsonRows>),
}

/// Rows of a file, after its header.
pub(crate) struct Rows {
    format: Format,
    columns: Vec<String>,
}

impl Rows {
    /// Opens a table and reads its header; JSON Lines have none, and `wanted` says which keys to read.
    ///
    /// # Errors
    ///
    /// [`Broken`] when there is no header, or none that can be used.
    pub(crate) fn open(
        source: Source,
        encoding: Encoding,
        layout: Layout,
        wanted: &[String],
    ) -> Result<Self, Broken> {
        let text = Text::new(source, encoding)?;
        let delimiter = match layout {
            Layout::Csv(delimiter) => delimiter,
            Layout::Json => {
                return Ok(Self {
                    format: Format::Json(Box::new(JsonRows::new(text))),
                    columns: wanted.to_vec(),
                });
            }
        };
        let mut rows = CsvRows::new(text, delimiter);
        let Some(header) = rows.next()? else {
            return Err(Broken::at(
                1,
                "the file is empty: there is not even a header",
            ));
        };
        let columns: Vec<String> = header.iter().map(|name| name.trim().to_owned()).collect();
        check_header(&columns, header.line)?;
        Ok(Self {
            format: Format::Csv(Box::new(rows)),
            columns,
        })
    }

    /// Names of the columns.
    pub(crate) fn columns(&self) -> &[String] {
        &self.columns
    }

    /// How the file is encoded.
    pub(crate) fn form(&self) -> Form {
        self.text().form()
    }

    /// Where the rows come from.
    pub(crate) fn source(&self) -> &Source {
        self.text().source()
    }

    fn text(&self) -> &Text {
        match &self.format {
            Format::Csv(rows) => rows.text(),
            Format::Json(rows) => rows.text(),
        }
    }

    /// The next row; none at the end.
    ///
    /// # Errors
    ///
    /// [`Broken`] when the file cannot be read on.
    pub(crate) fn next(&mut self) -> Result<Option<Row>, Broken> {
        let row = match &mut self.format {
            Format::Csv(rows) => {
                let Some(cells) = rows.next()? else {
                    return Ok(None);
                };
                let problem = ragged(&cells, self.columns.len());
                Row {
                    cells,
                    original: None,
                    problem,
                }
            }
            Format::Json(rows) => {
                let Some(line) = rows.next()? else {
                    return Ok(None);
                };
                let (mut values, problem) = match values(&line.text) {
                    Ok(values) => (values, None),
                    Err(problem) => (std::collections::BTreeMap::new(), Some(problem)),
                };
                let cells: Vec<String> = self
                    .columns
                    .iter()
                    .map(|column| values.remove(column).unwrap_or_default())
                    .collect();
                Row {
                    cells: Cells::of(line.line, cells.iter().map(String::as_str)),
                    original: Some(line.text),
                    problem,
                }
            }
        };
        let problem = row.problem.clone();
        let problem = problem.or_else(|| unusable(&row.cells, &self.columns));
        Ok(Some(Row { problem, ..row }))
    }
}

fn check_header(columns: &[String], line: u64) -> Result<(), Broken> {
    if columns.iter().any(|name| name.contains('\0')) {
        let sentence = "the header holds NUL bytes: if the file is UTF-16, save it as UTF-8";
        return Err(Broken::at(line, sentence));
    }
    if columns.iter().all(String::is_empty) {
        return Err(Broken::at(line, "the header names no columns"));
    }
    for (index, name) in columns.iter().enumerate() {
        let before = columns.iter().take(index).position(|other| other == name);
        if let Some(before) = before.filter(|_| !name.is_empty()) {
            let sentence = format!(
                "the header has {name:?} twice, in columns {} and {}; rename one of them",
                before + 1,
                index + 1
            );
            return Err(Broken::at(line, sentence));
        }
    }
    Ok(())
}

fn ragged(cells: &Cells, columns: usize) -> Option<Problem> {
    let found = cells.len();
    let why = match found.cmp(&columns) {
        std::cmp::Ordering::Equal => return None,
        std::cmp::Ordering::Less => "cells are missing, or a line end is not quoted",
        std::cmp::Ordering::Greater => "a cell that holds the delimiter must stand in quotes",
    };
    let sentence = format!("the row has {found} cells and the header {columns}: {why}");
    Some(Problem::new("RAGGED_ROW", "", sentence))
}

/// What no column may hold.
fn unusable(cells: &Cells, columns: &[String]) -> Option<Problem> {
    columns.iter().enumerate().find_map(|(index, column)| {
        let cell = cells.get(index);
        if cell.len() > CELL_BYTES_MAX {
            let sentence = format!(
                "the cell has {} characters; at most {CELL_BYTES_MAX} bytes are taken: perhaps a quote \
                 is missing",
                cell.chars().count()
            );
            return Some(Problem::new("CELL_TOO_LONG", column, sentence));
        }
        cell.contains('\0').then(|| {
            let sentence = "the cell holds a NUL byte, which is no text; remove it";
            Problem::new("NUL_BYTE", column, sentence)
        })
    })
}

/// How many columns at the end are the reasons of an earlier import.
pub(crate) fn reasons_at_the_end(columns: &[String]) -> usize {
    let ours = columns.len().checked_sub(REASON_COLUMNS.len());
    let ours = ours.and_then(|from| columns.get(from..));
    if ours.is_some_and(|ours| ours == REASON_COLUMNS) {
        REASON_COLUMNS.len()
    } else {
        0
    }
}
