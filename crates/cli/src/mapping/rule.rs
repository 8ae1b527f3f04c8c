//! How one field is made from a row: a text with cells in it, a value map, a format of dates.
//!
//! Apart from the mapping as a whole because this is the part that runs for every field of every row.

use std::collections::BTreeMap;

use toml::de::DeValue;

use super::dates::{self, Format};
use super::names::{Cell, Names};
use super::tree::Value;
use super::{Input, Values};
use crate::error::Failure;
use crate::tabular::Problem;

/// Why a row gives no record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Stop {
    /// It is to be passed over.
    Skip,
    /// It is rejected.
    Reject(Problem),
}

impl From<Problem> for Stop {
    fn from(problem: Problem) -> Self {
        Self::Reject(problem)
    }
}

/// What becomes of a value that a map does not name.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Otherwise {
    #[default]
    Reject,
    Skip,
    Keep,
    Empty,
}

const OTHERWISE: [(&str, Otherwise); 4] = [
    ("reject", Otherwise::Reject),
    ("skip", Otherwise::Skip),
    ("keep", Otherwise::Keep),
    ("empty", Otherwise::Empty),
];

#[derive(Debug, Clone)]
enum Part {
    Literal(String),
    Cell(Cell),
}

/// A field's rule.
#[derive(Debug, Clone)]
pub(crate) struct Rule {
    /// Dotted name of the field.
    pub(crate) name: String,
    parts: Vec<Part>,
    map: Option<(BTreeMap<String, String>, Otherwise)>,
    default: String,
    /// A text of several cells may have some of them empty.
    gaps: bool,
    /// Cuts the text into several.
    split: Option<String>,
    /// Formats of a date; those of the input when none are named.
    dates: Vec<Format>,
}

const KEYS: [&str; 7] = [
    "from",
    "map",
    "otherwise",
    "default",
    "gaps",
    "split",
    "dates",
];

impl Rule {
    /// Reads a rule: a text, a whole number, or a table with `from`.
    ///
    /// # Errors
    ///
    /// [`Failure::Usage`] with the place that is wrong.
    pub(crate) fn read(
        value: &Value<'_>,
        names: &mut Names,
        input: &Input,
    ) -> Result<Self, Failure> {
        let mut rule = Self {
            name: value.name().to_owned(),
            parts: Vec::new(),
            map: None,
            default: String::new(),
            gaps: false,
            split: None,
            dates: input.dates.clone(),
        };
        match value.raw() {
            DeValue::Integer(number) => {
                let text = number.as_str();
                if number.radix() != 10 || text.contains(['_', '+']) {
                    return Err(value.wrong("write this number in quotes"));
                }
                rule.parts = vec![Part::Literal(text.to_owned())];
                return Ok(rule);
            }
            DeValue::Datetime(date) if date.date.is_some() && date.time.is_none() => {
                rule.parts = vec![Part::Literal(date.to_string())];
                rule.dates = Format::usual();
                return Ok(rule);
            }
            DeValue::Table(_) => {}
            _ => {
                rule.parts = parts(value, names)?;
                if rule
                    .parts
                    .iter()
                    .all(|part| matches!(part, Part::Literal(_)))
                {
                    // A date that the mapping itself says has the service's form.
                    rule.dates = Format::usual();
                }
                return Ok(rule);
            }
        }
        let table = value.table()?;
        table.only(&KEYS)?;
        let from = table.get("from").ok_or_else(|| {
            let name = value.name();
            table.wrong(format!(
                "`{name}` needs `from`, such as from = \"{{column}}\""
            ))
        })?;
        rule.parts = parts(&from, names)?;
        rule.options(&table)?;
        Ok(rule)
    }

    fn options(&mut self, table: &super::tree::Table<'_>) -> Result<(), Failure> {
        let otherwise = table.get("otherwise");
        match (table.get("map"), &otherwise) {
            (Some(map), _) => {
                let mut words = BTreeMap::new();
                for (key, value) in map.table()?.entries() {
                    words.insert(key, value.text()?.to_owned());
                }
                let otherwise = otherwise.map(|word| word.one_of(&OTHERWISE)).transpose()?;
                self.map = Some((words, otherwise.unwrap_or_default()));
            }
            (None, Some(otherwise)) => {
                return Err(
                    otherwise.wrong("`otherwise` says what becomes of values that `map` lacks")
                );
            }
            (None, None) => {}
        }
        if let Some(default) = table.get("default") {
            self.default = default.text()?.to_owned();
        }
        if let Some(gaps) = table.get("gaps") {
            self.gaps = gaps.one_of(&[("keep", true), ("reject", false)])?;
        }
        if let Some(split) = table.get("split") {
            let text = split.text()?;
            if text.is_empty() {
                return Err(split.wrong("`split` is what stands between the texts, such as \";\""));
            }
            self.split = Some(text.to_owned());
        }
        if let Some(dates) = table.get("dates") {
            self.dates = super::read::formats(&dates)?;
        }
        Ok(())
    }

    /// Whether it cuts its text into several.
    pub(crate) fn splits(&self) -> bool {
        self.split.is_some()
    }

    /// The text for a row; empty when there is nothing.
    ///
    /// # Errors
    ///
    /// [`Stop`] when the row cannot be taken.
    pub(crate) fn text(&self, values: &Values<'_>) -> Result<String, Stop> {
        let text = self.joined(values)?;
        let Some((map, otherwise)) = &self.map else {
            return Ok(self.or_default(text));
        };
        if let Some(word) = map.get(&text) {
            return Ok(self.or_default(word.clone()));
        }
        match otherwise {
            _ if text.is_empty() => Ok(self.default.clone()),
            Otherwise::Skip => Err(Stop::Skip),
            Otherwise::Keep => Ok(text),
            Otherwise::Empty => Ok(self.default.clone()),
            Otherwise::Reject => {
                let sentence = format!(
                    "{} has no place in the value map of {}",
                    shown(&text),
                    self.name
                );
                Err(Problem::new("UNMAPPED_VALUE", &self.column(values), sentence).into())
            }
        }
    }

    fn or_default(&self, text: String) -> String {
        if text.is_empty() {
            self.default.clone()
        } else {
            text
        }
    }

    /// A date in the service's form; empty when there is nothing.
    pub(crate) fn date(&self, values: &Values<'_>) -> Result<String, Stop> {
        let text = self.text(values)?;
        if text.is_empty() {
            return Ok(text);
        }
        let wrong = |sentence| Problem::new("BAD_DATE", &self.column(values), sentence);
        Ok(dates::read(&text, &self.dates).map_err(wrong)?)
    }

    /// The text cut into several, without empty ones.
    pub(crate) fn texts(&self, values: &Values<'_>) -> Result<Vec<String>, Stop> {
        let text = self.text(values)?;
        let pieces: Vec<&str> = match &self.split {
            Some(between) => text.split(between.as_str()).map(str::trim).collect(),
            None => vec![text.as_str()],
        };
        let pieces = pieces.into_iter().filter(|piece| !piece.is_empty());
        Ok(pieces.map(str::to_owned).collect())
    }

    /// What to call the place in the file: the column, if it is one.
    pub(crate) fn column(&self, values: &Values<'_>) -> String {
        let mut cells = self.parts.iter().filter_map(|part| match part {
            Part::Cell(cell) => Some(values.name(*cell)),
            Part::Literal(_) => None,
        });
        match (cells.next(), cells.next()) {
            (Some(only), None) => only,
            _ => self.name.clone(),
        }
    }

    fn joined(&self, values: &Values<'_>) -> Result<String, Problem> {
        let mut text = String::new();
        let (mut empty, mut full) = (None, 0);
        for part in &self.parts {
            match part {
                Part::Literal(literal) => text.push_str(literal),
                Part::Cell(cell) => match values.cell(*cell)? {
                    "" => empty = Some(*cell),
                    found => {
                        full += 1;
                        text.push_str(found);
                    }
                },
            }
        }
        let Some(empty) = empty.filter(|_| !self.gaps) else {
            return Ok(values.tidy(text.trim()));
        };
        if full == 0 {
            return Ok(String::new());
        }
        let column = values.name(empty);
        let sentence = format!("{column} is empty, and {} is made with it", self.name);
        Err(Problem::new("EMPTY_CELL", &column, sentence))
    }
}

/// A value as a sentence shows it: in quotes, and not all of it when it is long.
fn shown(text: &str) -> String {
    let short: String = text.chars().take(60).collect();
    format!("{short:?}")
}

/// Takes `{code}-{number}` apart; `{{` and `}}` are braces.
fn parts(value: &Value<'_>, names: &mut Names) -> Result<Vec<Part>, Failure> {
    let text = value.text()?;
    let mut parts = Vec::new();
    let mut literal = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(['{', '}']) {
        let (before, from) = rest.split_at(at);
        literal.push_str(before);
        if from.starts_with("{{") || from.starts_with("}}") {
            literal.push_str(from.get(..1).unwrap_or_default());
            rest = from.get(2..).unwrap_or_default();
            continue;
        }
        let cell = from
            .strip_prefix('{')
            .and_then(|from| from.split_once('}'))
            .filter(|(name, _)| !name.contains('{'));
        let Some((name, after)) = cell else {
            return Err(value.wrong(format!(
                "`{}` has a brace without its other half; a brace itself is written {{{{ or }}}}",
                value.name()
            )));
        };
        if !literal.is_empty() {
            parts.push(Part::Literal(std::mem::take(&mut literal)));
        }
        parts.push(Part::Cell(names.cell(name.trim(), value)?));
        rest = after;
    }
    literal.push_str(rest);
    if !literal.is_empty() {
        parts.push(Part::Literal(literal));
    }
    Ok(parts)
}
