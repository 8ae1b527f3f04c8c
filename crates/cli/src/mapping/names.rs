//! The names that a mapping uses: columns of the file, and columns of look-ups.
//!
//! Apart from the rules because a name is looked up once, when the mapping is read, and used for every
//! row.

use crate::error::Failure;

use super::tree::{Place, Value};

/// Where a value comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cell {
    /// A column, by its place in [`Names::columns`].
    Column(usize),
    /// A look-up, and which of the columns wanted of it.
    Lookup(usize, usize),
}

/// A name and where it was first used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Named {
    /// The name.
    pub(crate) name: String,
    /// Where.
    pub(crate) at: Place,
}

/// All names.
#[derive(Debug, Default)]
pub(crate) struct Names {
    /// Columns of the file.
    pub(crate) columns: Vec<Named>,
    /// Look-ups by name, with the columns wanted of each.
    pub(crate) lookups: Vec<(String, Vec<Named>)>,
}

impl Names {
    /// The cell that a name in braces means: a column, or `lookup.column`.
    pub(crate) fn cell(&mut self, name: &str, used: &Value<'_>) -> Result<Cell, Failure> {
        if name.is_empty() {
            return Err(used.wrong("there is no name between the braces"));
        }
        if let Some((lookup, column)) = name.split_once('.')
            && let Some(index) = self.lookups.iter().position(|(known, _)| known == lookup)
            && let Some((_, wanted)) = self.lookups.get_mut(index)
        {
            return Ok(Cell::Lookup(index, place(wanted, column, used.at())));
        }
        Ok(self.column(name, used.at()))
    }

    /// A column of the file.
    pub(crate) fn column(&mut self, name: &str, at: Place) -> Cell {
        Cell::Column(place(&mut self.columns, name, at))
    }
}

fn place(names: &mut Vec<Named>, name: &str, at: Place) -> usize {
    if let Some(index) = names.iter().position(|known| known.name == name) {
        return index;
    }
    names.push(Named {
        name: name.to_owned(),
        at,
    });
    names.len() - 1
}
