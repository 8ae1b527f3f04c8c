//! One line of a JSON Lines file, read strictly.
//!
//! Apart from `wire` because a person mends a file line by line: what does not read is said with its
//! column, what was expected there, and never stops the lines after it.

use serde::Serialize;
use serde::de::DeserializeOwned;

/// Longest line that is read, in bytes.
pub(crate) const LINE_BYTES_MAX: usize = 1024 * 1024;

/// Why a line was not understood.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Unreadable {
    /// Column in characters, from 1; 0 when it is the whole line.
    pub(crate) column: usize,
    /// A sentence.
    pub(crate) message: String,
}

impl Unreadable {
    /// The whole line is at fault.
    pub(crate) fn whole(message: String) -> Self {
        Self { column: 0, message }
    }
}

impl std::fmt::Display for Unreadable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.column > 0 {
            write!(f, "column {}: ", self.column)?;
        }
        f.write_str(&self.message)
    }
}

/// Reads a line as text.
///
/// # Errors
///
/// [`Unreadable`] when it is not UTF-8.
pub(crate) fn decode(bytes: &[u8]) -> Result<&str, Unreadable> {
    std::str::from_utf8(bytes).map_err(|error| {
        let good = bytes.get(..error.valid_up_to()).unwrap_or_default();
        let culprit = bytes.get(error.valid_up_to()).copied().unwrap_or_default();
        let message = if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
            "the file is UTF-16; save it as UTF-8".to_owned()
        } else {
            format!("byte 0x{culprit:02x} is not UTF-8; save the file as UTF-8")
        };
        Unreadable {
            column: String::from_utf8_lossy(good).chars().count() + 1,
            message,
        }
    })
}

/// Reads a line of JSON as a `T`, refusing keys that `T` does not have.
///
/// # Errors
///
/// [`Unreadable`] with the column where reading stopped.
pub(crate) fn parse<T: DeserializeOwned>(text: &str) -> Result<T, Unreadable> {
    serde_json::from_str(text).map_err(|error| {
        // serde_json counts bytes; editors count characters.
        let bytes = error.column().min(text.len());
        let column = text.as_bytes().get(..bytes).unwrap_or_default();
        let column = String::from_utf8_lossy(column).chars().count().max(1);
        let full = error.to_string();
        let plain = full
            .rsplit_once(" at line ")
            .map_or(full.as_str(), |(plain, _)| plain);
        Unreadable {
            column,
            message: explain(plain, text, error.is_eof()),
        }
    })
}

/// The parser's words, with what to do about the mistakes that people make.
fn explain(plain: &str, text: &str, ends_early: bool) -> String {
    let start = text.trim_start().chars().next();
    if start == Some('[') {
        return "a line must be one JSON object, not a list; write one object a line".to_owned();
    }
    if ends_early {
        return format!("{plain}; a whole object must stand on one line");
    }
    if start != Some('{') {
        return "this is not JSON; a line must be one JSON object".to_owned();
    }
    let number =
        plain.contains("invalid type: integer") || plain.contains("invalid type: floating");
    if number && plain.contains("expected a string") {
        return format!("{plain}; write it in quotes");
    }
    for (theirs, ours) in [("u32", "a whole number"), ("a sequence", "a list [...]")] {
        if let Some(found) = plain.strip_suffix(&format!("expected {theirs}")) {
            return format!("{found}expected {ours}");
        }
    }
    if let Some(better) = plain.strip_prefix("unknown field `").and_then(meant) {
        return better;
    }
    match plain.split_once("expected struct ") {
        Some((found, _)) => format!("{found}expected an object {{...}}"),
        None => plain.to_owned(),
    }
}

/// The key that was probably meant, out of `KEY`, expected one of `A`, `B`, `C`.
fn meant(rest: &str) -> Option<String> {
    let (key, expected) = rest.split_once('`')?;
    let known = nearest(key, expected.split('`').skip(1).step_by(2))?;
    Some(format!(
        "unknown field `{key}`; `{known}` is one that exists"
    ))
}

/// The word that was probably meant, out of those that are known.
pub(crate) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let known = known.into_iter().filter(|known| !known.is_empty());
    let near = known.map(|known| (distance(word, known), known)).min()?;
    let (steps, known) = near;
    let alike = steps <= 2 || known.contains(word) || word.contains(known);
    alike.then_some(known)
}

/// How many characters to add, drop or change to get from one word to the other (Levenshtein).
fn distance(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (index, found) in from.chars().enumerate() {
        let mut corner = index;
        let mut left = index + 1;
        for (cell, wanted) in row.iter_mut().skip(1).zip(&to) {
            let change = corner + usize::from(found != *wanted);
            corner = *cell;
            left = change.min(left + 1).min(*cell + 1);
            *cell = left;
        }
        if let Some(first) = row.first_mut() {
            *first = index + 1;
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{Achievement, RegisterLearner};

    /// What is read, back as JSON; or what is said.
    fn read(line: &str) -> String {
        match parse::<Achievement>(line) {
            Ok(achievement) => serde_json::to_string(&achievement).unwrap(),
            Err(unreadable) => unreadable.to_string(),
        }
    }

    const ROWS: &[&str] = &[
        r#"{"record_id":"r1"}"#,
        "{}",
        r#"{"learner":{"handle":"ab"},"origin":"earned"}"#,
        r#"{"record_id":"r1" "code":"c"}"#,
        r#"{"size":{"amount":4,"unit":"ects"}}"#,
        r#"{"size":{"amount":2.5,"unit":"ects"}}"#,
        r#"{"size":{"amount":"4","units":"ects"}}"#,
        r#"{"awarrded":"2026-11-21"}"#,
        r#"{"issuer":"a"}"#,
        r#"{"learner":{"email":"x"}}"#,
        r#"{"learner":{"handle":"x","student":{}}}"#,
        r#"{"learner":{}}"#,
        r#"{"learner":"2020H-0409"}"#,
        r#"{"size":"4 ects"}"#,
        r#"{"size":null}"#,
        r#"{"origin":"bought"}"#,
        r#"{"attempt":-1}"#,
        r#"{"attempt":"2"}"#,
        r#"{"code":"a","code":"b"}"#,
        r#"{"titles":[{"value":"样"}],"awarded":20261121}"#,
        r#"{"titles":"Statistics"}"#,
        r#"{"record_id":"r1","#,
        r#"[{"record_id":"r1"}]"#,
        r#"{} {}"#,
        "record_id,code",
        "\u{feff}{}",
    ];

    #[test]
    fn a_line_is_read_or_says_what_is_wrong_and_where() {
        let said: Vec<String> = ROWS
            .iter()
            .map(|row| format!("{row}\n  {}\n", read(row)))
            .collect();
        expect_test::expect![[r#"
            {"record_id":"r1"}
              {"record_id":"r1"}
            {}
              {}
            {"learner":{"handle":"ab"},"origin":"earned"}
              {"learner":{"handle":"ab"},"origin":"earned"}
            {"record_id":"r1" "code":"c"}
              column 19: expected `,` or `}`
            {"size":{"amount":4,"unit":"ects"}}
              column 19: invalid type: integer `4`, expected a string; write it in quotes
            {"size":{"amount":2.5,"unit":"ects"}}
              column 21: invalid type: floating point `2.5`, expected a string; write it in quotes
            {"size":{"amount":"4","units":"ects"}}
              column 29: unknown field `units`; `unit` is one that exists
            {"awarrded":"2026-11-21"}
              column 11: unknown field `awarrded`; `awarded` is one that exists
            {"issuer":"a"}
              column 9: unknown field `issuer`; `issuer_id` is one that exists
            {"learner":{"email":"x"}}
              column 19: unknown field `email`, expected one of `handle`, `student`, `document`
            {"learner":{"handle":"x","student":{}}}
              column 39: a learner is named by exactly one of `handle`, `student` and `document`
            {"learner":{}}
              column 14: a learner is named by exactly one of `handle`, `student` and `document`
            {"learner":"2020H-0409"}
              column 23: invalid type: string "2020H-0409", expected an object {...}
            {"size":"4 ects"}
              column 16: invalid type: string "4 ects", expected an object {...}
            {"size":null}
              {}
            {"origin":"bought"}
              column 18: unknown variant `bought`, expected one of `earned`, `assessed`, `transferred`, `exempted`
            {"attempt":-1}
              column 13: invalid value: integer `-1`, expected a whole number
            {"attempt":"2"}
              column 14: invalid type: string "2", expected a whole number
            {"code":"a","code":"b"}
              column 18: duplicate field `code`
            {"titles":[{"value":"样"}],"awarded":20261121}
              column 44: invalid type: integer `20261121`, expected a string; write it in quotes
            {"titles":"Statistics"}
              column 22: invalid type: string "Statistics", expected a list [...]
            {"record_id":"r1",
              column 18: EOF while parsing a value; a whole object must stand on one line
            [{"record_id":"r1"}]
              column 1: a line must be one JSON object, not a list; write one object a line
            {} {}
              column 4: trailing characters
            record_id,code
              column 1: this is not JSON; a line must be one JSON object
            ﻿{}
              column 1: this is not JSON; a line must be one JSON object
        "#]].assert_eq(&said.concat());
    }

    #[test]
    fn distances_count_single_changes() {
        for (from, to, steps) in [
            ("", "", 0),
            ("", "ab", 2),
            ("ab", "", 2),
            ("awarrded", "awarded", 1),
            ("kitten", "sitting", 3),
        ] {
            assert_eq!(distance(from, to), steps, "{from} {to}");
        }
    }

    #[test]
    fn bytes_that_are_no_text_are_placed() {
        assert_eq!(decode("样".as_bytes()), Ok("样"));
        let gbk = [b'{', 0xe6, 0xa0, 0xb7, 0xd1, 0xf9, b'}'];
        assert_eq!(
            decode(&gbk).unwrap_err().to_string(),
            "column 3: byte 0xd1 is not UTF-8; save the file as UTF-8"
        );
        assert_eq!(
            decode(&[0xff, 0xfe, b'{', 0]).unwrap_err().to_string(),
            "column 1: the file is UTF-16; save it as UTF-8"
        );
    }

    #[test]
    fn every_line_of_the_sample_reads_and_writes_the_same() {
        let achievements = include_str!("../../../ledger-data/sample/achievements.jsonl");
        for line in achievements.lines() {
            let read: Achievement = parse(line).unwrap();
            let again: serde_json::Value = serde_json::to_value(&read).unwrap();
            assert_eq!(
                again,
                serde_json::from_str::<serde_json::Value>(line).unwrap()
            );
        }
        let learners = include_str!("../../../ledger-data/sample/learners.jsonl");
        for line in learners.lines() {
            let read: RegisterLearner = parse(line).unwrap();
            let again = serde_json::to_value(&read).unwrap();
            assert_eq!(
                again,
                serde_json::from_str::<serde_json::Value>(line).unwrap()
            );
        }
    }
}
