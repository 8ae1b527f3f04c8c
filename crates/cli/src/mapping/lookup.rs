//! Look-ups: another table, by key columns, in memory.
//!
//! Apart from the rules because a look-up is a file of its own, with mistakes of its own: a key that is
//! there twice would make a record say one thing or another by chance.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use crate::error::Failure;
use crate::tabular::{Broken, Encoding, Layout, Rows, Source};

use super::names::Named;
use super::tree::{Document, Place};

/// Most rows of a look-up.
const ROWS_MAX: usize = 1_000_000;
/// Most bytes that the keys and the wanted columns of a look-up take.
const BYTES_MAX: usize = 256 * 1024 * 1024;

/// A look-up as a mapping describes it.
#[derive(Debug)]
pub(crate) struct Spec {
    /// Its name.
    pub(crate) name: String,
    /// Where it stands in the mapping.
    pub(crate) at: Place,
    /// Its file, as the mapping says it.
    pub(crate) file: PathBuf,
    /// Its key columns.
    pub(crate) key: Vec<Named>,
    /// What is compared with them: columns of the imported file.
    pub(crate) with: Vec<super::names::Cell>,
    /// A key that it lacks gives nothing, rather than rejecting the row.
    pub(crate) may_miss: bool,
    pub(crate) encoding: Encoding,
    pub(crate) layout: Layout,
}

/// A loaded look-up.
#[derive(Debug)]
pub(crate) struct Lookup {
    /// Its file as it is called in messages.
    pub(crate) file: String,
    rows: HashMap<Vec<String>, (u64, Vec<String>)>,
}

impl Lookup {
    /// Reads the file whole; `wanted` are the columns that the mapping uses.
    ///
    /// # Errors
    ///
    /// [`Failure::Usage`] when it cannot be read, lacks a column, or has a key twice.
    pub(crate) fn load(
        spec: &Spec,
        wanted: &[Named],
        directory: &Path,
        document: &Document,
    ) -> Result<Self, Failure> {
        let path = directory.join(&spec.file);
        let source = Source::open(&path).map_err(|failure| {
            let hint = "look-up files lie beside the mapping, or where --lookup-dir says";
            document.wrong(spec.at, format!("look-up {}: {failure}; {hint}", spec.name))
        })?;
        let file = source.name.clone();
        let broken = |broken: Broken| Failure::Usage(broken.of(&file));
        let mut rows = Rows::open(source, spec.encoding, spec.layout, &[]).map_err(broken)?;
        let places = |names: &[Named]| -> Result<Vec<usize>, Failure> {
            let names = names.iter();
            names
                .map(|named| place(rows.columns(), named, &file, document))
                .collect()
        };
        let (key, wanted) = (places(&spec.key)?, places(wanted)?);
        let mut found: HashMap<Vec<String>, (u64, Vec<String>)> = HashMap::new();
        let mut bytes = 0;
        while let Some(row) = rows.next().map_err(broken)? {
            let line = row.line();
            if let Some(problem) = &row.problem {
                return Err(broken(Broken::at(line, &problem.sentence)));
            }
            let cells = |places: &[usize]| -> Vec<String> {
                let cell = |place: &usize| row.cells.get(*place).trim().to_owned();
                places.iter().map(cell).collect()
            };
            let (key, values) = (cells(&key), cells(&wanted));
            bytes += key.iter().chain(&values).map(String::len).sum::<usize>();
            if found.len() >= ROWS_MAX || bytes > BYTES_MAX {
                let mib = BYTES_MAX / 1024 / 1024;
                let sentence =
                    format!("a look-up holds at most {ROWS_MAX} rows and {mib} MiB in memory");
                return Err(broken(Broken::at(line, sentence)));
            }
            if let Some((first, _)) = found.get(&key) {
                let key = key.join(", ");
                let sentence = format!("the key {key} is there already, in line {first}");
                return Err(broken(Broken::at(line, sentence)));
            }
            found.insert(key, (line, values));
        }
        Ok(Self { file, rows: found })
    }

    /// The wanted columns of the row with that key.
    pub(crate) fn get(&self, key: &[String]) -> Option<&[String]> {
        self.rows.get(key).map(|(_, values)| values.as_slice())
    }
}

/// Where a column stands in a header.
///
/// # Errors
///
/// [`Failure::Usage`] with the place in the mapping that names it.
pub(crate) fn place(
    columns: &[String],
    named: &Named,
    file: &str,
    document: &Document,
) -> Result<usize, Failure> {
    let found = columns.iter().position(|column| *column == named.name);
    found.ok_or_else(|| {
        let name = &named.name;
        let near = crate::lines::nearest(name, columns.iter().map(String::as_str));
        let hint = match near {
            Some(near) => format!("; did you mean `{near}`?"),
            None => String::new(),
        };
        let all = columns.join(", ");
        let sentence = format!("{file} has no column `{name}`{hint} (it has: {all})");
        document.wrong(named.at, sentence)
    })
}
