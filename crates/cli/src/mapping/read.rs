//! A mapping's tables read, one after the other.
//!
//! Apart from what a mapping does with rows: this runs once, and everything wrong here is a line and a
//! column of the mapping.

use std::path::PathBuf;

use crate::error::Failure;
use crate::tabular::{Encoding, Layout};

use super::dates::Format;
use super::lookup::Spec;
use super::names::{Named, Names};
use super::node::Group;
use super::tree::{Table, Value};
use super::{Filter, Input, Kind, Test, layout_of, schema};

/// The tables of a mapping.
#[derive(Debug)]
pub(super) struct Tables {
    pub(super) input: Input,
    pub(super) names: Names,
    pub(super) lookups: Vec<Spec>,
    pub(super) filters: Vec<Filter>,
    /// `[record]` or `[institution]`.
    pub(super) subject: Group,
    pub(super) learner: Option<Group>,
    pub(super) profile: Option<Group>,
}

impl Tables {
    /// Reads all tables.
    ///
    /// # Errors
    ///
    /// [`Failure::Usage`] with line and column of what is wrong.
    pub(super) fn read(root: &Table<'_>, kind: Kind) -> Result<Self, Failure> {
        let subject = match kind {
            Kind::Achievements => "record",
            Kind::Institutions => "institution",
        };
        let known: &[&str] = match kind {
            Kind::Achievements => &["input", "only", "lookup", "record", "learner", "profile"],
            Kind::Institutions => &["input", "only", "lookup", "institution"],
        };
        root.only(known)?;
        let input = match root.get("input") {
            Some(value) => input(&value.table()?)?,
            None => Input::default(),
        };
        let mut names = Names::default();
        let lookups = lookups(root, &mut names)?;
        let filters = filters(root, &mut names)?;
        let mut group = |key: &str, message| -> Result<Option<Group>, Failure> {
            let Some(value) = root.get(key) else {
                return Ok(None);
            };
            Group::read(&value.table()?, message, &mut names, &input).map(Some)
        };
        let missing = |key: &str| root.wrong(format!("the mapping needs a table [{key}]"));
        let message = match kind {
            Kind::Achievements => &schema::RECORD,
            Kind::Institutions => &schema::INSTITUTION,
        };
        let subject = group(subject, message)?.ok_or_else(|| missing(subject))?;
        let learner = group("learner", &schema::LEARNER)?;
        let profile = group("profile", &schema::PROFILE)?;
        if kind == Kind::Achievements {
            one_reference(root, learner.as_ref())?;
        }
        Ok(Self {
            input,
            names,
            lookups,
            filters,
            subject,
            learner,
            profile,
        })
    }
}

fn one_reference(root: &Table<'_>, learner: Option<&Group>) -> Result<(), Failure> {
    let forms = ["student", "document", "handle"];
    let count = forms
        .iter()
        .filter(|form| learner.is_some_and(|learner| learner.has(form)))
        .count();
    if count == 1 {
        return Ok(());
    }
    let sentence = "[learner] names a learner by exactly one of student, document and handle, such as \
                    student = { number = \"{student_number}\" }";
    Err(match root.get("learner") {
        Some(value) => value.wrong(sentence),
        None => root.wrong(format!("the mapping needs a table [learner]: {sentence}")),
    })
}

const INPUT: [&str; 7] = [
    "format",
    "encoding",
    "delimiter",
    "trim",
    "empty",
    "dates",
    "optional",
];

fn input(table: &Table<'_>) -> Result<Input, Failure> {
    table.only(&INPUT)?;
    let mut input = Input {
        encoding: encoding(table)?,
        layout: layout(table)?,
        ..Input::default()
    };
    if let Some(trim) = table.get("trim") {
        input.trim = trim.yes()?;
    }
    if let Some(dates) = table.get("dates") {
        input.dates = formats(&dates)?;
    }
    for (key, list) in [
        ("empty", &mut input.empty),
        ("optional", &mut input.optional),
    ] {
        if let Some(value) = table.get(key) {
            *list = value.texts()?.into_iter().map(str::to_owned).collect();
        }
    }
    Ok(input)
}

fn encoding(table: &Table<'_>) -> Result<Encoding, Failure> {
    let said = table.get("encoding");
    let said = said
        .map(|encoding| encoding.one_of(&Encoding::NAMES))
        .transpose()?;
    Ok(said.unwrap_or_default())
}

fn layout(table: &Table<'_>) -> Result<Option<Layout>, Failure> {
    let format = match table.get("format") {
        Some(format) => Some(format.one_of(&[("csv", false), ("jsonl", true)])?),
        None => None,
    };
    let Some(delimiter) = table.get("delimiter") else {
        return Ok(format.map(|json| {
            if json {
                Layout::Json
            } else {
                Layout::Csv(b',')
            }
        }));
    };
    if format == Some(true) {
        return Err(delimiter.wrong("JSON Lines have no delimiter"));
    }
    let byte = match delimiter.text()?.as_bytes() {
        b"tab" | b"\t" => b'\t',
        [byte] if byte.is_ascii_punctuation() && *byte != b'"' || *byte == b' ' => *byte,
        _ => {
            let sentence = "`delimiter` is one character such as \",\", \";\" or \"|\", or \"tab\"";
            return Err(delimiter.wrong(sentence));
        }
    };
    Ok(Some(Layout::Csv(byte)))
}

/// Formats of dates.
///
/// # Errors
///
/// [`Failure::Usage`] where one is none.
pub(super) fn formats(value: &Value<'_>) -> Result<Vec<Format>, Failure> {
    let mut formats = Vec::new();
    for entry in value.list()? {
        let format = Format::parse(entry.text()?);
        formats.push(format.map_err(|sentence| entry.wrong(sentence))?);
    }
    if formats.is_empty() {
        return Err(value.wrong("name at least one format, such as \"%Y-%m-%d\""));
    }
    Ok(formats)
}

fn filters(root: &Table<'_>, names: &mut Names) -> Result<Vec<Filter>, Failure> {
    let Some(only) = root.get("only") else {
        return Ok(Vec::new());
    };
    let mut filters = Vec::new();
    for entry in only.list()? {
        let table = entry.table()?;
        table.only(&["column", "in", "not_in", "empty"])?;
        let column = table.get("column");
        let column = column.ok_or_else(|| table.wrong("`column` is missing here"))?;
        let cell = names.cell(column.text()?, &column)?;
        let words = |value: Value<'_>| -> Result<Vec<String>, Failure> {
            Ok(value.texts()?.into_iter().map(str::to_owned).collect())
        };
        let tests = [
            table.get("in").map(words).transpose()?.map(Test::In),
            table.get("not_in").map(words).transpose()?.map(Test::NotIn),
            table
                .get("empty")
                .map(|value| value.yes())
                .transpose()?
                .map(Test::Empty),
        ];
        let mut tests = tests.into_iter().flatten();
        match (tests.next(), tests.next()) {
            (Some(test), None) => filters.push(Filter { cell, test }),
            _ => {
                let sentence =
                    "say exactly one of `in`, `not_in` and `empty`; for more, write [[only]] again";
                return Err(table.wrong(sentence));
            }
        }
    }
    Ok(filters)
}

fn lookups(root: &Table<'_>, names: &mut Names) -> Result<Vec<Spec>, Failure> {
    let Some(lookup) = root.get("lookup") else {
        return Ok(Vec::new());
    };
    let mut specs = Vec::new();
    for (name, value) in lookup.table()?.entries() {
        let table = value.table()?;
        table.only(&["file", "key", "with", "missing", "encoding", "delimiter"])?;
        let needed = |key: &str| {
            let value = table.get(key);
            value.ok_or_else(|| table.wrong(format!("`{key}` is missing here")))
        };
        let file = PathBuf::from(needed("file")?.text()?);
        let keys = needed("key")?;
        let named = |value: &Value<'_>| -> Result<Named, Failure> {
            let name = value.text()?.to_owned();
            Ok(Named {
                name,
                at: value.at(),
            })
        };
        let key: Vec<Named> = keys.list()?.iter().map(named).collect::<Result<_, _>>()?;
        let with: Vec<Named> = match table.get("with") {
            Some(with) => with.list()?.iter().map(named).collect::<Result<_, _>>()?,
            None => key.clone(),
        };
        if key.is_empty() || with.len() != key.len() {
            let sentence =
                "`key` names at least one column of the look-up, and `with` as many of the file";
            return Err(keys.wrong(sentence));
        }
        let missing = table.get("missing");
        let missing = missing.map(|word| word.one_of(&[("reject", false), ("empty", true)]));
        let layout = layout(&table)?.unwrap_or_else(|| layout_of(&file));
        if layout == Layout::Json {
            return Err(table.wrong("a look-up is a CSV file"));
        }
        let with = with.iter().map(|named| names.column(&named.name, named.at));
        specs.push(Spec {
            name: name.clone(),
            at: table.at(),
            key,
            with: with.collect(),
            may_miss: missing.transpose()?.unwrap_or_default(),
            encoding: encoding(&table)?,
            layout,
            file,
        });
        names.lookups.push((name, Vec::new()));
    }
    Ok(specs)
}
