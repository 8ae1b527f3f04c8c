//! Everything that is checked before the first row is sent: mapping, file, header, look-ups, and where the
//! results go.
//!
//! Apart from the run itself, because what fails here has changed nothing anywhere.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};

use crate::args::Places;
use crate::error::Failure;
use crate::mapping::{Bound, Mapping};
use crate::tabular::{Layout, Report, Rows, Source};

use super::reading::CHUNK_BYTES_MAX;

/// Most rows of a file without a header that are looked at for its keys; fewer when they are long.
const ROWS_AHEAD: usize = 500;

/// A file that fits its mapping.
pub(super) struct Opened {
    /// Its rows, after those in `ahead`.
    pub(super) rows: Rows,
    /// Rows that were read to know their keys.
    pub(super) ahead: VecDeque<crate::tabular::Row>,
    /// Where it breaks off, when that showed already.
    pub(super) broken: Option<crate::tabular::Broken>,
    pub(super) bound: Bound,
    pub(super) layout: Layout,
    pub(super) name: String,
}

/// Opens a file and fits the mapping to it. Blocks.
///
/// # Errors
///
/// [`Failure::Usage`] with file, line and column of what is wrong.
pub(super) fn open(
    path: &Path,
    mapping: Mapping,
    lookup_dir: Option<&Path>,
) -> Result<Opened, Failure> {
    let source = Source::open(path)?;
    let name = source.name.clone();
    let layout = mapping.input().layout(path);
    let wanted = mapping.columns();
    let broken = |broken: crate::tabular::Broken| Failure::Usage(broken.of(&name));
    let mut rows = Rows::open(source, mapping.input().encoding, layout, &wanted).map_err(broken)?;
    let mut ahead = VecDeque::new();
    let mut later = None;
    if layout == Layout::Json {
        let mut bytes = 0;
        while ahead.len() < ROWS_AHEAD && bytes < CHUNK_BYTES_MAX && later.is_none() {
            match rows.next() {
                Ok(Some(row)) => {
                    bytes += row.bytes();
                    ahead.push_back(row);
                }
                Ok(None) => break,
                Err(breaks) if ahead.is_empty() => return Err(broken(breaks)),
                Err(breaks) => later = Some(breaks),
            }
        }
        if ahead.is_empty() {
            return Err(Failure::Usage(format!("{name} is empty: it has no rows")));
        }
        for (index, column) in wanted.iter().enumerate() {
            let seen = ahead.iter().any(|row| !row.cells.get(index).is_empty());
            if !seen && !mapping.is_optional(column) {
                return Err(mapping.without(column, &name));
            }
        }
    }
    let bound = mapping.bind(rows.columns(), &name, lookup_dir)?;
    Ok(Opened {
        rows,
        ahead,
        broken: later,
        bound,
        layout,
        name,
    })
}

/// The two files that an import leaves.
pub(super) struct Reports {
    pub(super) rejected: Report,
    pub(super) accepted: Report,
}

impl Reports {
    /// Begins both.
    ///
    /// # Errors
    ///
    /// [`Failure::Usage`] when they cannot be written, or would overwrite what is read.
    pub(super) fn begin(
        file: &Path,
        places: &Places,
        opened: &Opened,
        accepted_header: &[&str],
    ) -> Result<Self, Failure> {
        let extension = match opened.layout {
            Layout::Csv(_) => "csv",
            Layout::Json => "jsonl",
        };
        let rejected = place(file, places.rejected.as_deref(), "rejected", extension)?;
        let accepted = place(file, places.accepted.as_deref(), "accepted", "csv")?;
        if same(&rejected, &accepted) || same(&rejected, file) || same(&accepted, file) {
            return Err(Failure::Usage(
                "FILE, --rejected and --accepted are three different files".to_owned(),
            ));
        }
        let form = opened.rows.form();
        let columns = opened.rows.columns();
        let csv = match opened.layout {
            Layout::Csv(delimiter) => Layout::Csv(delimiter),
            Layout::Json => Layout::Csv(b','),
        };
        let rejected = Report::begin_rejected(&rejected, form, opened.layout, columns)?;
        let accepted = match Report::begin(&accepted, form, csv, accepted_header) {
            Ok(accepted) => accepted,
            Err(failure) => {
                rejected.discard();
                return Err(failure);
            }
        };
        Ok(Self { rejected, accepted })
    }

    /// Finishes both; or takes both away when they would tell of nothing.
    ///
    /// # Errors
    ///
    /// [`Failure::Usage`] when they cannot be written.
    pub(super) fn end(self, keep: bool) -> Result<(), Failure> {
        if keep {
            self.accepted.finish()?;
            return self.rejected.finish();
        }
        self.accepted.discard();
        self.rejected.discard();
        Ok(())
    }
}

fn place(
    file: &Path,
    said: Option<&Path>,
    what: &str,
    extension: &str,
) -> Result<PathBuf, Failure> {
    match said {
        Some(said) => Ok(said.to_owned()),
        None if file == Path::new("-") => Err(Failure::Usage(format!(
            "standard input has no name: say with --{what} where {what} rows go"
        ))),
        None => {
            let mut name = file.as_os_str().to_owned();
            name.push(format!(".{what}.{extension}"));
            Ok(PathBuf::from(name))
        }
    }
}

fn same(one: &Path, other: &Path) -> bool {
    let real = |path: &Path| std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    real(one) == real(other)
}
