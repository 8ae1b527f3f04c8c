//! Mappings: a TOML file that says how rows of a table become records.
//!
//! Apart from the import because a mapping is checked whole, together with its look-ups and the header of
//! the file, before anything is sent. `docs/import.md` describes the format for whoever writes one.

mod dates;
mod lookup;
mod names;
mod node;
mod read;
mod rule;
mod schema;
#[cfg(test)]
mod tests;
mod tree;

use std::cell::OnceCell;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value as Json};

use crate::error::Failure;
use crate::tabular::{Encoding, Layout, Problem, Row};

use dates::Format;
use lookup::Lookup;
use names::Cell;
use read::Tables;
pub(crate) use rule::Stop;
pub(crate) use tree::Document;

/// An example to begin with.
pub(crate) const EXAMPLE: &str = include_str!("example.toml");

/// What a file of rows is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Achievements: `[record]`, `[learner]` and perhaps `[profile]`.
    Achievements,
    /// Institutions: `[institution]`.
    Institutions,
}

/// What the file is.
#[derive(Debug)]
pub(crate) struct Input {
    pub(crate) encoding: Encoding,
    layout: Option<Layout>,
    trim: bool,
    empty: Vec<String>,
    dates: Vec<Format>,
    optional: Vec<String>,
}

impl Default for Input {
    fn default() -> Self {
        Self {
            encoding: Encoding::default(),
            layout: None,
            trim: true,
            empty: Vec::new(),
            dates: Format::usual(),
            optional: Vec::new(),
        }
    }
}

impl Input {
    /// How the file lies: as the mapping says, or as its name does.
    pub(crate) fn layout(&self, path: &Path) -> Layout {
        self.layout.unwrap_or_else(|| layout_of(path))
    }
}

/// A condition that every row must meet.
#[derive(Debug)]
struct Filter {
    cell: Cell,
    test: Test,
}

#[derive(Debug)]
enum Test {
    In(Vec<String>),
    NotIn(Vec<String>),
    Empty(bool),
}

/// A mapping that is right in itself.
#[derive(Debug)]
pub(crate) struct Mapping {
    document: Document,
    tables: Tables,
}

/// What a row becomes, in the API's JSON.
#[derive(Debug, PartialEq)]
pub(crate) struct Mapped {
    /// The record or the institution.
    pub(crate) subject: Map<String, Json>,
    /// The learner's attributes, where the mapping says any.
    pub(crate) profile: Option<Map<String, Json>>,
}

impl Mapping {
    /// Reads a mapping.
    ///
    /// # Errors
    ///
    /// [`Failure::Usage`] with file, line and column of what is wrong.
    pub(crate) fn parse(document: Document, kind: Kind) -> Result<Self, Failure> {
        let tables = document.parse(|root| Tables::read(&root, kind))?;
        Ok(Self { document, tables })
    }

    /// What it says of the file.
    pub(crate) fn input(&self) -> &Input {
        &self.tables.input
    }

    /// The columns of the file that it uses.
    pub(crate) fn columns(&self) -> Vec<String> {
        let names = self.tables.names.columns.iter();
        names.map(|named| named.name.clone()).collect()
    }

    /// Columns that a file may lack.
    pub(crate) fn is_optional(&self, column: &str) -> bool {
        self.tables
            .input
            .optional
            .iter()
            .any(|optional| optional == column)
    }

    /// Whether it says anything of that field of the institution.
    pub(crate) fn gives(&self, field: &str) -> bool {
        self.tables.subject.has(field)
    }

    /// Whether records name their learners by student number.
    pub(crate) fn names_students(&self) -> bool {
        let learner = self.tables.learner.as_ref();
        learner.is_some_and(|learner| learner.has("student"))
    }

    /// The failure of a column that no row has.
    pub(crate) fn without(&self, column: &str, file: &str) -> Failure {
        let named = self
            .tables
            .names
            .columns
            .iter()
            .find(|named| named.name == column);
        let at = named.map_or(tree::Place(0), |named| named.at);
        let sentence = format!(
            "none of the first rows of {file} has the key `{column}`; if it may be missing, say \
             optional = [{column:?}] in [input]"
        );
        self.document.wrong(at, sentence)
    }

    /// Finds its columns in the header of a file, and loads its look-ups.
    ///
    /// # Errors
    ///
    /// [`Failure::Usage`] with file, line and column of what is wrong.
    pub(crate) fn bind(
        self,
        columns: &[String],
        file: &str,
        lookup_dir: Option<&Path>,
    ) -> Result<Bound, Failure> {
        let beside = self.document.path.parent().map(PathBuf::from);
        let directory = lookup_dir.map(PathBuf::from).or(beside).unwrap_or_default();
        let mut places = Vec::new();
        for named in &self.tables.names.columns {
            let absent = !columns.contains(&named.name);
            places.push(if absent && self.is_optional(&named.name) {
                None
            } else {
                Some(lookup::place(columns, named, file, &self.document)?)
            });
        }
        let mut lookups = Vec::new();
        for (spec, (_, wanted)) in self.tables.lookups.iter().zip(&self.tables.names.lookups) {
            lookups.push(Lookup::load(spec, wanted, &directory, &self.document)?);
        }
        Ok(Bound {
            mapping: self,
            places,
            lookups,
        })
    }
}

/// A mapping that fits a file.
#[derive(Debug)]
pub(crate) struct Bound {
    pub(crate) mapping: Mapping,
    /// Where each column stands; nothing for one that the file lacks.
    places: Vec<Option<usize>>,
    lookups: Vec<Lookup>,
}

impl Bound {
    /// What a row becomes.
    ///
    /// # Errors
    ///
    /// [`Stop`] when it becomes nothing.
    pub(crate) fn map(&self, row: &Row) -> Result<Mapped, Stop> {
        if let Some(problem) = &row.problem {
            return Err(Stop::Reject(problem.clone()));
        }
        let values = Values {
            bound: self,
            row,
            found: self.lookups.iter().map(|_| OnceCell::new()).collect(),
        };
        for filter in &self.mapping.tables.filters {
            let text = values.cell(filter.cell)?;
            let listed = |list: &[String]| list.iter().any(|word| word == text);
            let meets = match &filter.test {
                Test::In(list) => listed(list),
                Test::NotIn(list) => !listed(list),
                Test::Empty(empty) => text.is_empty() == *empty,
            };
            if !meets {
                return Err(Stop::Skip);
            }
        }
        let mut subject = self
            .mapping
            .tables
            .subject
            .evaluate(&values)?
            .unwrap_or_default();
        if let Some(learner) = &self.mapping.tables.learner
            && let Some(learner) = learner.evaluate(&values)?
        {
            subject.insert("learner".to_owned(), Json::Object(learner));
        }
        let profile = match &self.mapping.tables.profile {
            Some(profile) => Some(profile.evaluate(&values)?.unwrap_or_default()),
            None => None,
        };
        Ok(Mapped { subject, profile })
    }
}

/// The values of one row.
pub(crate) struct Values<'a> {
    bound: &'a Bound,
    row: &'a Row,
    found: Vec<OnceCell<Option<&'a [String]>>>,
}

impl<'a> Values<'a> {
    /// What stands in a cell; empty for what the mapping calls empty.
    ///
    /// # Errors
    ///
    /// [`Problem`] when a look-up lacks the row's key.
    fn cell(&self, cell: Cell) -> Result<&'a str, Problem> {
        match cell {
            Cell::Column(index) => Ok(self.column(index)),
            Cell::Lookup(index, column) => {
                let found = self.found.get(index);
                let row = match found.and_then(OnceCell::get) {
                    Some(row) => *row,
                    None => {
                        let row = self.look_up(index)?;
                        if let Some(found) = found {
                            // Only this thread sets it, and only here.
                            let _ = found.set(row);
                        }
                        row
                    }
                };
                let value = row.and_then(|row| row.get(column));
                Ok(value.map_or("", |value| self.plain(value)))
            }
        }
    }

    fn column(&self, index: usize) -> &'a str {
        let place = self.bound.places.get(index).copied().flatten();
        place.map_or("", |place| self.plain(self.row.cells.get(place)))
    }

    fn plain(&self, text: &'a str) -> &'a str {
        let input = &self.bound.mapping.tables.input;
        let text = if input.trim { text.trim() } else { text };
        let empty = input.empty.iter().any(|empty| empty == text);
        if empty { "" } else { text }
    }

    /// One line: a line end inside a cell is a space to whoever reads a title.
    fn tidy(&self, text: &str) -> String {
        let broken = text.contains(['\n', '\r', '\t']);
        if !broken || !self.bound.mapping.input().trim {
            return text.to_owned();
        }
        let pieces = text.split(['\n', '\r', '\t']).map(str::trim);
        let pieces: Vec<&str> = pieces.filter(|piece| !piece.is_empty()).collect();
        pieces.join(" ")
    }

    fn look_up(&self, index: usize) -> Result<Option<&'a [String]>, Problem> {
        let (Some(spec), Some(lookup)) = (
            self.bound.mapping.tables.lookups.get(index),
            self.bound.lookups.get(index),
        ) else {
            return Ok(None);
        };
        let mut key = Vec::new();
        for cell in &spec.with {
            key.push(self.cell(*cell)?.to_owned());
        }
        if key.iter().all(String::is_empty) {
            return Ok(None);
        }
        match lookup.get(&key) {
            None if !spec.may_miss => {
                let columns: Vec<String> = spec.with.iter().map(|cell| self.name(*cell)).collect();
                let (columns, key) = (columns.join(", "), key.join(", "));
                let sentence = format!("{} has no row for {columns} = {key}", lookup.file);
                Err(Problem::new("LOOKUP_MISSING", &columns, sentence))
            }
            found => Ok(found),
        }
    }

    /// What a cell is called.
    fn name(&self, cell: Cell) -> String {
        let names = &self.bound.mapping.tables.names;
        match cell {
            Cell::Column(index) => names.columns.get(index).map(|named| named.name.clone()),
            Cell::Lookup(index, column) => names.lookups.get(index).and_then(|(lookup, wanted)| {
                let column = wanted.get(column)?;
                Some(format!("{lookup}.{}", column.name))
            }),
        }
        .unwrap_or_default()
    }
}

/// The layout that a file's name says; CSV with commas when it says nothing.
pub(crate) fn layout_of(path: &Path) -> Layout {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let name = name.to_ascii_lowercase();
    let plain = name.strip_suffix(".gz").unwrap_or(&name);
    match plain.rsplit('.').next() {
        Some("jsonl" | "ndjson") => Layout::Json,
        Some("tsv" | "tab") => Layout::Csv(b'\t'),
        _ => Layout::Csv(b','),
    }
}
