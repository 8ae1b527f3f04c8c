//! `import --columns`: what a file has, to write a mapping for it.
//!
//! Apart from the import because it needs no mapping, no server and no institution.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;

use serde_json::json;

use crate::args::Global;
use crate::error::Failure;
use crate::mapping::{Mapping, layout_of};
use crate::output;
use crate::table::Rows as Table;
use crate::tabular::{Broken, Encoding, Layout, Rows, Source, json_values};

/// Rows that are looked at.
const ROWS: u64 = 1_000;
/// Characters of a value that are shown.
const SHOWN: usize = 40;

/// A column.
#[derive(Default)]
struct Column {
    name: String,
    filled: u64,
    first: String,
}

impl Column {
    fn see(&mut self, value: &str) {
        if value.trim().is_empty() {
            return;
        }
        self.filled += 1;
        if self.filled == 1 {
            self.first = value.trim().chars().take(SHOWN).collect();
        }
    }
}

/// Lists the columns of a file, as the mapping reads it if there is one.
///
/// # Errors
///
/// [`Failure::Usage`] when the file cannot be read.
pub(super) fn show(
    global: &Global,
    path: &Path,
    mapping: Option<&Mapping>,
) -> Result<ExitCode, Failure> {
    let source = Source::open(path)?;
    let name = source.name.clone();
    let broken = |broken: Broken| Failure::Usage(broken.of(&name));
    let layout = mapping.map_or_else(|| layout_of(path), |mapping| mapping.input().layout(path));
    let encoding = mapping.map_or(Encoding::Auto, |mapping| mapping.input().encoding);
    let mut rows = Rows::open(source, encoding, layout, &[]).map_err(broken)?;
    let (columns, seen) = match layout {
        Layout::Csv(_) => of_csv(&mut rows),
        Layout::Json => of_json(&mut rows),
    }
    .map_err(broken)?;
    if global.json {
        for Column {
            name,
            filled,
            first,
        } in &columns
        {
            output::json(
                &json!({ "column": name, "filled": filled, "rows": seen, "first": first }),
            )?;
        }
        return Ok(ExitCode::SUCCESS);
    }
    let filled = format!(">filled of {seen}");
    let mut table = Table::new(&[">", "column", &filled, "first value"]);
    for (index, column) in columns.iter().enumerate() {
        let number = (index + 1).to_string();
        let (name, filled) = (column.name.clone(), column.filled.to_string());
        table.add(vec![number, name, filled, column.first.clone()]);
    }
    output::line(&table.render())?;
    if let ([only], Layout::Csv(b',')) = (columns.as_slice(), layout)
        && let Some(other) = [";", "\t", "|"]
            .into_iter()
            .find(|other| only.name.contains(other))
    {
        let other = if other == "\t" { "tab" } else { other };
        output::note(&format!(
            "there is one column: perhaps the mapping should say delimiter = {other:?} in [input]"
        ));
    }
    Ok(ExitCode::SUCCESS)
}

fn of_csv(rows: &mut Rows) -> Result<(Vec<Column>, u64), Broken> {
    let named = |name: &String| Column {
        name: name.clone(),
        ..Column::default()
    };
    let mut columns: Vec<Column> = rows.columns().iter().map(named).collect();
    let mut seen = 0;
    while seen < ROWS {
        let Some(row) = rows.next()? else {
            break;
        };
        seen += 1;
        for (index, column) in columns.iter_mut().enumerate() {
            column.see(row.cells.get(index));
        }
    }
    Ok((columns, seen))
}

fn of_json(rows: &mut Rows) -> Result<(Vec<Column>, u64), Broken> {
    let mut columns: BTreeMap<String, Column> = BTreeMap::new();
    let mut seen = 0;
    while seen < ROWS {
        let Some(row) = rows.next()? else {
            break;
        };
        seen += 1;
        let values = row
            .original
            .as_deref()
            .and_then(|line| json_values(line).ok());
        for (name, value) in values.unwrap_or_default() {
            let column = columns.entry(name.clone()).or_default();
            column.name = name;
            column.see(&value);
        }
    }
    Ok((columns.into_values().collect(), seen))
}
