//! Tables for people: aligned columns, wide characters counted as wide, numbers to the right.
//!
//! Apart from the commands so that all tables look alike, and so that one place decides how wide they
//! are: the terminal, or what a file or a pipe can take.

use comfy_table::{
    Cell, CellAlignment, ColumnConstraint, ContentArrangement, LineStyle, Row, Table, TableStyle,
};

use crate::wire::Text;

const STYLE: TableStyle =
    TableStyle::new().header_separator(LineStyle::none().fill('─').junction('─'));

/// Builds a table row by row.
#[derive(Debug)]
pub(crate) struct Rows {
    table: Table,
    right: Vec<bool>,
}

impl Rows {
    /// A table with these column headings; a heading that begins with `>` aligns its column right.
    pub(crate) fn new(headings: &[&str]) -> Self {
        let right: Vec<bool> = headings.iter().map(|name| name.starts_with('>')).collect();
        let mut table = Table::new();
        table
            .load_style(STYLE)
            .set_content_arrangement(ContentArrangement::Dynamic);
        let names = headings
            .iter()
            .map(|name| name.trim_start_matches('>').to_owned());
        let mut rows = Self { table, right };
        let header = rows.row(names.collect());
        rows.table.set_header(header);
        for column in rows.table.column_iter_mut() {
            column.set_padding((0, 1));
        }
        rows
    }

    /// Wraps at this width even where there is no terminal.
    pub(crate) fn width(mut self, columns: u16) -> Self {
        self.table.set_width(columns);
        self
    }

    /// Never breaks the cells of these columns: a broken handle cannot be copied.
    pub(crate) fn whole(mut self, columns: &[usize]) -> Self {
        for index in columns {
            if let Some(column) = self.table.column_mut(*index) {
                column.set_constraint(ColumnConstraint::ContentWidth);
            }
        }
        self
    }

    /// Adds a row.
    pub(crate) fn add(&mut self, cells: Vec<String>) {
        let row = self.row(cells);
        self.table.add_row(row);
    }

    /// Whether no row was added.
    pub(crate) fn is_empty(&self) -> bool {
        self.table.is_empty()
    }

    /// The lines, without spaces at their ends.
    pub(crate) fn render(&self) -> String {
        let lines: Vec<String> = self
            .table
            .lines()
            .map(|line| line.trim_end().to_owned())
            .collect();
        lines.join("\n")
    }

    fn row(&self, cells: Vec<String>) -> Row {
        let cells = cells
            .into_iter()
            .zip(self.right.iter().copied())
            .map(|(text, right)| {
                let cell = Cell::new(text);
                if right {
                    cell.set_alignment(CellAlignment::Right)
                } else {
                    cell
                }
            });
        Row::from(cells.collect::<Vec<Cell>>())
    }
}

/// Columns that a text takes: characters of East Asian scripts take two.
pub(crate) fn columns(text: &str) -> usize {
    let wide = |c: char| ('\u{2e80}'..='\u{ffef}').contains(&c) || c >= '\u{20000}';
    text.chars().map(|c| if wide(c) { 2 } else { 1 }).sum()
}

/// Breaks a sentence at its spaces.
pub(crate) fn wrap(text: &str, width: usize) -> String {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if columns(line) + 1 + columns(word) <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines.join("\n")
}

/// A list of names and values, one a line; empty values are left out.
pub(crate) fn facts(pairs: &[(&str, String)]) -> String {
    let given = || pairs.iter().filter(|(_, value)| !value.is_empty());
    let width = given()
        .map(|(name, _)| name.len())
        .max()
        .unwrap_or_default();
    let lines: Vec<String> = given()
        .map(|(name, value)| format!("{name:width$}  {value}"))
        .collect();
    lines.join("\n")
}

/// The language a person reads, which picks one of several names or titles.
#[derive(Debug, Clone, Default)]
pub(crate) struct Reader(String);

impl Reader {
    /// From a language tag or a locale name such as `zh_CN.UTF-8`; nothing for `C` and `POSIX`.
    pub(crate) fn new(tag: Option<&str>) -> Self {
        let tag = tag.unwrap_or_default();
        let plain = tag
            .split(['.', '@'])
            .next()
            .unwrap_or_default()
            .replace('_', "-");
        Self(match plain.as_str() {
            "C" | "POSIX" => String::new(),
            _ => plain.to_ascii_lowercase(),
        })
    }

    /// The text in that language, or in its main language, or the first.
    pub(crate) fn pick<'a>(&self, texts: &'a [Text]) -> &'a str {
        let main = |tag: &str| {
            tag.split('-')
                .next()
                .unwrap_or_default()
                .to_ascii_lowercase()
        };
        let exact = texts
            .iter()
            .find(|text| text.language.eq_ignore_ascii_case(&self.0));
        let near = || {
            texts
                .iter()
                .find(|text| main(&text.language) == main(&self.0))
        };
        exact
            .filter(|_| !self.0.is_empty())
            .or_else(|| near().filter(|_| !self.0.is_empty()))
            .or_else(|| texts.first())
            .map_or("", |text| &text.value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(value: &str, language: &str) -> Text {
        Text {
            value: value.to_owned(),
            language: language.to_owned(),
        }
    }

    #[test]
    fn wide_characters_take_two_columns() {
        let mut rows = Rows::new(&["name", ">n"]);
        rows.add(vec!["样山".to_owned(), "1".to_owned()]);
        rows.add(vec!["Hill".to_owned(), "10".to_owned()]);
        assert_eq!(rows.render(), "name   n\n─────────\n样山   1\nHill  10");
    }

    #[test]
    fn the_reader_gets_their_language_or_the_first() {
        let texts = [text("样山大学", "zh-CN"), text("Hill University", "en")];
        for (tag, expected) in [
            (Some("en_GB.UTF-8"), "Hill University"),
            (Some("zh_TW"), "样山大学"),
            (Some("C.UTF-8"), "样山大学"),
            (Some("fr"), "样山大学"),
            (None, "样山大学"),
        ] {
            assert_eq!(Reader::new(tag).pick(&texts), expected, "{tag:?}");
        }
        assert_eq!(Reader::new(None).pick(&[]), "");
    }

    #[test]
    fn sentences_break_at_spaces() {
        assert_eq!(wrap("one two three", 7), "one two\nthree");
        assert_eq!(wrap("样山 大学 x", 7), "样山\n大学 x");
        assert_eq!((columns("样a。"), columns("(中级)")), (5, 6));
    }

    #[test]
    fn facts_leave_out_what_is_empty() {
        let pairs = [
            ("id", "a".to_owned()),
            ("region", String::new()),
            ("kind", "b".to_owned()),
        ];
        assert_eq!(facts(&pairs), "id    a\nkind  b");
    }
}
