//! What is written beside an imported file: rejected rows with their reasons, accepted rows with receipts.
//!
//! Order: rows go to `NAME.part`; when the import has ended, that file is synced and renamed to `NAME`.
//! A run that was killed leaves a `.part` behind, which the next run overwrites, and never half a line under
//! the name itself.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use client::root_cause;

use crate::error::Failure;

use super::rows::{Layout, Row, reasons_at_the_end};
use super::text::Form;
use super::{Problem, json};

/// Columns that a rejected row gets. A mapping does not name them, so they are ignored when the file is
/// imported again.
pub(crate) const REASON_COLUMNS: [&str; 4] = [
    "rejected_line",
    "rejected_reason",
    "rejected_field",
    "rejected_sentence",
];

/// Rows gathered before they are encoded and written.
const GATHERED_BYTES: usize = 64 * 1024;

/// A cell that we add, rather than one that the file had.
pub(crate) struct Ours(String);

impl Ours {
    /// Never begins with what a spreadsheet takes for a formula.
    pub(crate) fn new(text: impl Into<String>) -> Self {
        let text = text.into();
        if text.starts_with(['=', '+', '-', '@', '\t', '\r']) {
            return Self(format!("'{text}"));
        }
        Self(text)
    }
}

/// A file in the making.
pub(crate) struct Report {
    path: PathBuf,
    part: PathBuf,
    file: BufWriter<File>,
    form: Form,
    layout: Layout,
    rows: csv::Writer<Vec<u8>>,
    lines: String,
    /// Columns of the imported file that were reasons of an earlier import.
    old_reasons: usize,
}

impl Report {
    /// Begins a file with this header, in the encoding and with the delimiter of the imported one.
    ///
    /// # Errors
    ///
    /// [`Failure::Usage`] when it cannot be written.
    pub(crate) fn begin(
        path: &Path,
        form: Form,
        layout: Layout,
        header: &[&str],
    ) -> Result<Self, Failure> {
        let mut name = path.as_os_str().to_owned();
        name.push(".part");
        let part = PathBuf::from(name);
        let file = File::create(&part).map_err(|error| unwritable(path, &error))?;
        let mut this = Self {
            path: path.to_owned(),
            part,
            file: BufWriter::new(file),
            form,
            layout,
            rows: writer(layout),
            lines: String::new(),
            old_reasons: 0,
        };
        this.put(form.mark())?;
        if let Layout::Csv(_) = layout {
            this.row(header.iter().copied())?;
        }
        Ok(this)
    }

    /// Begins the file of rejected rows: the columns as they were, and the reasons.
    ///
    /// # Errors
    ///
    /// [`Failure::Usage`] when it cannot be written.
    pub(crate) fn begin_rejected(
        path: &Path,
        form: Form,
        layout: Layout,
        columns: &[String],
    ) -> Result<Self, Failure> {
        let old_reasons = reasons_at_the_end(columns);
        let kept = columns.len().saturating_sub(old_reasons);
        let names = columns.iter().take(kept).map(String::as_str);
        let header: Vec<&str> = names.chain(REASON_COLUMNS).collect();
        let this = Self::begin(path, form, layout, &header)?;
        Ok(Self {
            old_reasons,
            ..this
        })
    }

    /// Its name when it is finished.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Adds a row as it was, and why it was rejected.
    ///
    /// # Errors
    ///
    /// [`Failure::Usage`] when it cannot be written.
    pub(crate) fn reject(&mut self, row: &Row, problem: &Problem) -> Result<(), Failure> {
        let line = Ours::new(row.line().to_string());
        let reason = Ours::new(&problem.reason);
        let field = Ours::new(&problem.field);
        let sentence = Ours::new(&problem.sentence);
        let ours = [line, reason, field, sentence];
        if let Some(original) = &row.original {
            self.lines.push_str(&with_reasons(original, &ours));
            self.lines.push('\n');
            return self.write_gathered(false);
        }
        let kept = row.cells.len().saturating_sub(self.old_reasons);
        let ours = ours.iter().map(|ours| ours.0.as_str());
        self.row(row.cells.iter().take(kept).chain(ours))
    }

    /// Adds a row: the cells of the file as they were, and ours.
    ///
    /// # Errors
    ///
    /// [`Failure::Usage`] when it cannot be written.
    pub(crate) fn accept(&mut self, theirs: &[&str], ours: &[Ours]) -> Result<(), Failure> {
        let ours = ours.iter().map(|ours| ours.0.as_str());
        self.row(theirs.iter().copied().chain(ours))
    }

    fn row<'a>(&mut self, cells: impl Iterator<Item = &'a str>) -> Result<(), Failure> {
        let written = self.rows.write_record(cells.map(str::as_bytes));
        written
            .map_err(|error| Failure::Unexpected(format!("a row cannot be written: {error}")))?;
        self.write_gathered(false)
    }

    /// Encodes and writes what has gathered, when it is much or `all` is to be written.
    fn write_gathered(&mut self, all: bool) -> Result<(), Failure> {
        if all || self.lines.len() > GATHERED_BYTES {
            let lines = self.form.encode(&std::mem::take(&mut self.lines));
            self.put(&lines)?;
        }
        if all || self.rows.get_ref().len() > GATHERED_BYTES {
            let rows = std::mem::replace(&mut self.rows, writer(self.layout));
            let bytes = rows.into_inner().map_err(|error| {
                Failure::Unexpected(format!("a row cannot be written: {error}"))
            })?;
            let bytes = self.form.encode(&String::from_utf8_lossy(&bytes));
            self.put(&bytes)?;
        }
        Ok(())
    }

    fn put(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        let path = &self.path;
        let written = self.file.write_all(bytes);
        written.map_err(|error| unwritable(path, &error))
    }

    /// Durability: synced, then renamed; under its own name the file is whole.
    ///
    /// # Errors
    ///
    /// [`Failure::Usage`] when it cannot be written.
    pub(crate) fn finish(mut self) -> Result<(), Failure> {
        self.write_gathered(true)?;
        let ended = self
            .file
            .flush()
            .and_then(|()| self.file.get_ref().sync_all());
        ended
            .and_then(|()| std::fs::rename(&self.part, &self.path))
            .map_err(|error| unwritable(&self.path, &error))
    }

    /// Takes the unfinished file away: nothing happened that it could tell of.
    pub(crate) fn discard(self) {
        // Whoever cannot remove it will overwrite it the next time.
        let _ = std::fs::remove_file(&self.part);
    }
}

fn writer(layout: Layout) -> csv::Writer<Vec<u8>> {
    let delimiter = match layout {
        Layout::Csv(delimiter) => delimiter,
        Layout::Json => b',',
    };
    csv::WriterBuilder::new()
        .delimiter(delimiter)
        .flexible(true)
        .from_writer(Vec::new())
}

fn unwritable(path: &Path, error: &std::io::Error) -> Failure {
    Failure::Usage(format!(
        "{} cannot be written: {}; name other places with --rejected and --accepted",
        path.display(),
        root_cause(error)
    ))
}

/// A JSON line with the reasons as further keys; what is no object is kept as a text in one.
fn with_reasons(original: &str, ours: &[Ours]) -> String {
    let text = |text: &str| serde_json::Value::from(text).to_string();
    let reasons: Vec<String> = REASON_COLUMNS
        .iter()
        .zip(ours)
        .map(|(key, ours)| format!("{}:{}", text(key), text(&ours.0)))
        .collect();
    let reasons = reasons.join(",");
    let Ok(values) = json::values(original) else {
        return format!("{{\"rejected_text\":{},{reasons}}}", text(original));
    };
    let mut body = original.trim().trim_end_matches('}');
    // An earlier import's reasons stand at the end.
    let first = format!("{}:", text(REASON_COLUMNS[0]));
    if values.contains_key(REASON_COLUMNS[0])
        && let Some(at) = body.rfind(&first)
    {
        body = body
            .get(..at)
            .unwrap_or(body)
            .trim_end()
            .trim_end_matches(',');
    } else if let Some(without) = original.trim().strip_suffix('}') {
        body = without;
    }
    let comma = if body.trim() == "{" { "" } else { "," };
    format!("{body}{comma}{reasons}}}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ours() -> Vec<Ours> {
        ["3", "MALFORMED", "size.amount", "is \"no\" amount"]
            .map(Ours::new)
            .into()
    }

    #[test]
    fn reasons_are_added_to_a_line_once() {
        let line = r#"{"a":{"b":"}"}}"#;
        let rejected = with_reasons(line, &ours());
        let expected = concat!(
            r#"{"a":{"b":"}"},"rejected_line":"3","rejected_reason":"MALFORMED","#,
            r#""rejected_field":"size.amount","rejected_sentence":"is \"no\" amount"}"#
        );
        assert_eq!(rejected, expected);
        assert_eq!(with_reasons(&rejected, &ours()), expected);
        assert!(with_reasons("{}", &ours()).starts_with(r#"{"rejected_line":"3","#));
        assert!(with_reasons("{x", &ours()).starts_with(r#"{"rejected_text":"{x","#));
    }

    #[test]
    fn what_we_add_is_no_formula() {
        for (text, expected) in [
            ("=1+1", "'=1+1"),
            ("+1", "'+1"),
            ("-1", "'-1"),
            ("@x", "'@x"),
            ("a=1", "a=1"),
            ("", ""),
        ] {
            assert_eq!(Ours::new(text).0, expected);
        }
    }
}
