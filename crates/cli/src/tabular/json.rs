//! JSON Lines by rows: an object a line, its values under dotted keys (`student.number`, `titles.0`).
//!
//! Apart from `lines`, which reads messages of the API: here any keys may stand, and numbers are taken as
//! they are written, because 1.10 is not 1.1 to a registrar.

use std::collections::BTreeMap;

use serde_json::value::RawValue;

use super::text::Text;
use super::{Broken, Problem, ROW_BYTES_MAX};

/// How deep objects may lie in objects.
const DEPTH_MAX: usize = 8;

/// Lines of a text.
pub(crate) struct JsonRows {
    text: Text,
    piece: String,
    at: usize,
    line: u64,
}

/// A line and its number.
pub(crate) struct JsonLine {
    /// Its number, from 1.
    pub(crate) line: u64,
    /// Without its line end.
    pub(crate) text: String,
}

impl JsonRows {
    /// Lines of that text.
    pub(crate) fn new(text: Text) -> Self {
        Self {
            text,
            piece: String::new(),
            at: 0,
            line: 0,
        }
    }

    /// The text they are read from.
    pub(crate) fn text(&self) -> &Text {
        &self.text
    }

    /// The next line that is not blank; none at the end.
    ///
    /// # Errors
    ///
    /// [`Broken`] when the text breaks off, or a line is too long to hold.
    pub(crate) fn next(&mut self) -> Result<Option<JsonLine>, Broken> {
        loop {
            let Some(text) = self.line()? else {
                return Ok(None);
            };
            self.line += 1;
            if !text.trim().is_empty() {
                let line = self.line;
                return Ok(Some(JsonLine { line, text }));
            }
        }
    }

    fn line(&mut self) -> Result<Option<String>, Broken> {
        let mut line = String::new();
        let mut any = false;
        loop {
            let rest = self.piece.get(self.at..).unwrap_or_default();
            if rest.is_empty() {
                self.piece.clear();
                self.at = 0;
                if !self.text.more(&mut self.piece)? {
                    return Ok(any.then_some(line));
                }
                continue;
            }
            any = true;
            let end = rest.find('\n');
            line.push_str(rest.get(..end.unwrap_or(rest.len())).unwrap_or_default());
            self.at += end.map_or(rest.len(), |end| end + 1);
            if line.len() > ROW_BYTES_MAX {
                let sentence = format!(
                    "the line has more than {} MiB; write one object a line",
                    ROW_BYTES_MAX / 1024 / 1024
                );
                return Err(Broken::at(self.line + 1, sentence));
            }
            if end.is_some() {
                return Ok(Some(line));
            }
        }
    }
}

/// The values of an object under their dotted keys; null is as if it were not there.
///
/// # Errors
///
/// [`Problem`] when the line is no JSON object, or has a key twice.
pub(crate) fn values(line: &str) -> Result<BTreeMap<String, String>, Problem> {
    let mut found = BTreeMap::new();
    if !line.trim_start().starts_with('{') {
        let sentence = "the line is not a JSON object; write one object a line";
        return Err(Problem::new("UNREADABLE", "", sentence));
    }
    flatten(line, "", 0, &mut found)?;
    Ok(found)
}

fn flatten(
    json: &str,
    path: &str,
    depth: usize,
    found: &mut BTreeMap<String, String>,
) -> Result<(), Problem> {
    let unread = |error: serde_json::Error| {
        let text = error.to_string();
        let plain = text.split(" at line ").next().unwrap_or(&text);
        let at = if path.is_empty() {
            format!("column {}", error.column())
        } else {
            path.to_owned()
        };
        Problem::new("UNREADABLE", &at, format!("this is not JSON: {plain}"))
    };
    if depth > DEPTH_MAX {
        let sentence = format!("lies more than {DEPTH_MAX} objects deep");
        return Err(Problem::new("UNREADABLE", path, sentence));
    }
    let below = |key: &str| {
        if path.is_empty() {
            key.to_owned()
        } else {
            format!("{path}.{key}")
        }
    };
    let json = json.trim();
    match json.bytes().next() {
        Some(b'{') => {
            let object: Entries<'_> = serde_json::from_str(json).map_err(unread)?;
            for (key, value) in object.0 {
                flatten(value.get(), &below(&key), depth + 1, found)?;
            }
            Ok(())
        }
        Some(b'[') => {
            let list: Vec<&RawValue> = serde_json::from_str(json).map_err(unread)?;
            for (index, value) in list.into_iter().enumerate() {
                flatten(value.get(), &below(&index.to_string()), depth + 1, found)?;
            }
            Ok(())
        }
        Some(b'n') => Ok(()),
        first => {
            let text = match first {
                Some(b'"') => serde_json::from_str(json).map_err(unread)?,
                _ => json.to_owned(),
            };
            if found.insert(path.to_owned(), text).is_some() {
                let sentence = format!("the key {path} is there twice");
                return Err(Problem::new("UNREADABLE", path, sentence));
            }
            Ok(())
        }
    }
}

/// The entries of an object in their order, twice where a key is there twice.
struct Entries<'a>(Vec<(String, &'a RawValue)>);

impl<'de> serde::Deserialize<'de> for Entries<'de> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> serde::de::Visitor<'de> for Visitor {
            type Value = Entries<'de>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: serde::de::MapAccess<'de>>(
                self,
                mut map: A,
            ) -> Result<Self::Value, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Entries(entries))
            }
        }
        deserializer.deserialize_map(Visitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(line: &str) -> String {
        match values(line) {
            Ok(found) => found
                .iter()
                .map(|(key, value)| format!("{key}={value};"))
                .collect(),
            Err(problem) => format!("{}: {}", problem.field, problem.sentence),
        }
    }

    #[test]
    fn values_stand_under_dotted_keys_as_they_are_written() {
        for (line, expected) in [
            (
                r#"{"a":"x","b":1.10,"c":true,"d":null}"#,
                "a=x;b=1.10;c=true;",
            ),
            (
                r#"{"s":{"n":"1"},"t":["u",{"v":2}]}"#,
                "s.n=1;t.0=u;t.1.v=2;",
            ),
            (r#"{"a":"样\n\"本\""}"#, "a=样\n\"本\";"),
            ("{}", ""),
            (r#"{"a":1,"a":2}"#, "a: the key a is there twice"),
            (
                r#"{"a":"#,
                "column 5: this is not JSON: EOF while parsing a value",
            ),
            (
                "[1]",
                ": the line is not a JSON object; write one object a line",
            ),
            (
                r#"{"a":1} x"#,
                "column 9: this is not JSON: trailing characters",
            ),
        ] {
            assert_eq!(said(line), expected, "{line}");
        }
        let deep = format!("{}1{}", r#"{"a":"#.repeat(20), "}".repeat(20));
        assert!(said(&deep).ends_with("objects deep"), "{}", said(&deep));
    }
}
