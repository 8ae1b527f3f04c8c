//! A TOML file whose every key and value knows its place, so that what is wrong with it can be shown.
//!
//! Apart from the mapping because it knows TOML and nothing of records. serde would say which type it
//! expected; a registrar must be told which line to mend.

use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue};

use crate::error::Failure;
use crate::lines::nearest;

/// A text with its name.
#[derive(Debug)]
pub(crate) struct Document {
    /// As it is called in messages.
    pub(crate) path: PathBuf,
    /// Its text.
    pub(crate) text: String,
}

/// A place in a document: an offset in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place(pub(crate) usize);

impl Document {
    /// Reads a mapping.
    ///
    /// # Errors
    ///
    /// [`Failure::Usage`] when it cannot be read or is not UTF-8.
    pub(crate) async fn read(path: &Path) -> Result<Self, Failure> {
        Ok(Self {
            text: crate::input::read_text(path).await?,
            path: path.to_owned(),
        })
    }

    /// The failure of what stands there.
    pub(crate) fn wrong(&self, at: Place, sentence: impl AsRef<str>) -> Failure {
        let before = self.text.get(..at.0).unwrap_or(&self.text);
        let line = before.matches('\n').count() + 1;
        let column = before
            .rsplit('\n')
            .next()
            .unwrap_or_default()
            .chars()
            .count()
            + 1;
        let (path, sentence) = (self.path.display(), sentence.as_ref());
        Failure::Usage(format!("{path}: line {line}, column {column}: {sentence}"))
    }

    /// Parses it and hands out its root.
    ///
    /// # Errors
    ///
    /// [`Failure::Usage`] where it is no TOML, and what `read` finds wrong.
    pub(crate) fn parse<T>(
        &self,
        read: impl FnOnce(Table<'_>) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let root = DeTable::parse(&self.text).map_err(|error| {
            let at = error.span().map_or(0, |span| span.start);
            self.wrong(Place(at), format!("this is not TOML: {}", error.message()))
        })?;
        read(Table {
            document: self,
            entries: root.get_ref(),
            name: String::new(),
            at: Place(0),
        })
    }
}

/// A table and where it stands.
#[derive(Clone)]
pub(crate) struct Table<'a> {
    document: &'a Document,
    entries: &'a DeTable<'a>,
    /// Its dotted name; empty for the root.
    name: String,
    at: Place,
}

/// A value, and under which name.
#[derive(Clone)]
pub(crate) struct Value<'a> {
    document: &'a Document,
    value: &'a Spanned<DeValue<'a>>,
    name: String,
}

impl<'a> Table<'a> {
    /// Where it begins.
    pub(crate) fn at(&self) -> Place {
        self.at
    }

    /// Something is wrong with it.
    pub(crate) fn wrong(&self, sentence: impl AsRef<str>) -> Failure {
        self.document.wrong(self.at, sentence)
    }

    /// Refuses keys that are not known.
    ///
    /// # Errors
    ///
    /// [`Failure::Usage`] with the key that was probably meant.
    pub(crate) fn only(&self, known: &[&str]) -> Result<(), Failure> {
        for key in self.entries.keys() {
            let name = key.get_ref().as_ref();
            if known.contains(&name) {
                continue;
            }
            let place = match self.name.as_str() {
                "" => "at the top".to_owned(),
                name => format!("in {name}"),
            };
            let hint = match nearest(name, known.iter().copied()) {
                Some(near) => format!("; did you mean `{near}`?"),
                None => format!("; known are {}", known.join(", ")),
            };
            let sentence = format!("there is no key `{name}` {place}{hint}");
            return Err(self.document.wrong(Place(key.span().start), sentence));
        }
        Ok(())
    }

    /// The value of a key.
    pub(crate) fn get(&self, key: &str) -> Option<Value<'a>> {
        let value = self.entries.get(key)?;
        Some(self.value(key, value))
    }

    /// All keys with their values, in the order of their names.
    pub(crate) fn entries(&self) -> impl Iterator<Item = (String, Value<'a>)> {
        self.entries.iter().map(|(key, value)| {
            let key = key.get_ref().to_string();
            let value = self.value(&key, value);
            (key, value)
        })
    }

    fn value(&self, key: &str, value: &'a Spanned<DeValue<'a>>) -> Value<'a> {
        let name = if self.name.is_empty() {
            key.to_owned()
        } else {
            format!("{}.{key}", self.name)
        };
        Value {
            document: self.document,
            value,
            name,
        }
    }
}

impl<'a> Value<'a> {
    /// Where it begins.
    pub(crate) fn at(&self) -> Place {
        Place(self.value.span().start)
    }

    /// Its dotted name.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Something is wrong with it.
    pub(crate) fn wrong(&self, sentence: impl AsRef<str>) -> Failure {
        self.document.wrong(self.at(), sentence)
    }

    /// The value itself.
    pub(crate) fn raw(&self) -> &'a DeValue<'a> {
        self.value.get_ref()
    }

    /// A text.
    ///
    /// # Errors
    ///
    /// [`Failure::Usage`] when it is something else.
    pub(crate) fn text(&self) -> Result<&'a str, Failure> {
        let text = self.value.get_ref().as_str();
        text.ok_or_else(|| self.wrong(format!("`{}` is a text: write it in quotes", self.name)))
    }

    /// Yes or no.
    ///
    /// # Errors
    ///
    /// [`Failure::Usage`] when it is something else.
    pub(crate) fn yes(&self) -> Result<bool, Failure> {
        let yes = self.value.get_ref().as_bool();
        yes.ok_or_else(|| self.wrong(format!("`{}` is true or false", self.name)))
    }

    /// A table.
    ///
    /// # Errors
    ///
    /// [`Failure::Usage`] when it is something else.
    pub(crate) fn table(&self) -> Result<Table<'a>, Failure> {
        let entries = self.value.get_ref().as_table();
        let entries = entries.ok_or_else(|| {
            let name = &self.name;
            self.wrong(format!("`{name}` is a table: write [{name}], or {{ ... }}"))
        })?;
        Ok(Table {
            document: self.document,
            entries,
            name: self.name.clone(),
            at: self.at(),
        })
    }

    /// The entries of a list.
    ///
    /// # Errors
    ///
    /// [`Failure::Usage`] when it is something else.
    pub(crate) fn list(&self) -> Result<Vec<Value<'a>>, Failure> {
        let list: Option<&DeArray<'_>> = self.value.get_ref().as_array();
        let list = list.ok_or_else(|| {
            let name = &self.name;
            self.wrong(format!(
                "`{name}` is a list: write [...], or [[{name}]] for tables"
            ))
        })?;
        let entry = |(index, value)| Value {
            document: self.document,
            value,
            name: format!("{}[{index}]", self.name),
        };
        Ok(list.iter().enumerate().map(entry).collect())
    }

    /// The texts of a list.
    ///
    /// # Errors
    ///
    /// [`Failure::Usage`] when it is something else.
    pub(crate) fn texts(&self) -> Result<Vec<&'a str>, Failure> {
        self.list()?.iter().map(Value::text).collect()
    }

    /// One of some words.
    ///
    /// # Errors
    ///
    /// [`Failure::Usage`] when it is none of them.
    pub(crate) fn one_of<T: Copy>(&self, words: &[(&str, T)]) -> Result<T, Failure> {
        let text = self.text()?;
        let found = words.iter().find(|(word, _)| *word == text);
        found.map(|(_, meaning)| *meaning).ok_or_else(|| {
            let words: Vec<String> = words.iter().map(|(word, _)| format!("{word:?}")).collect();
            self.wrong(format!("`{}` is one of {}", self.name, words.join(", ")))
        })
    }
}
