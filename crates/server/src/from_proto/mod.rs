//! Wire messages into the ledger's words, with every malformed field found at once.
//!
//! The only place that reads what a client wrote; what passes is in one form (a decimal, a date, a
//! handle have one spelling each), so that equal content is equal bytes. Free functions named after the
//! noun. Paths of fields begin inside the message that describes the thing (`size.amount` of an
//! achievement, `names[0].value` of an institution), as the ledger's own do.

mod achievement;
mod filter;
mod learner;
mod newcomer;
mod registry;
mod subscription;

use std::fmt;

use ledger::words::{Level, RecordName, Size, Span, Text};
use ledger::{Credits, Date, Handle, InstitutionId, Rejection, Violation, codec};

use api::v1;

pub use achievement::{Change, reassignment, record_name, records, submission, supersession};
pub use filter::{RecordFilter, record_filter};
pub use learner::{
    erasure, handle, learner_reference, link, merge, own_or_named, registration, separation,
    unlink, update,
};
pub use newcomer::NewLearners;
pub use registry::{
    code_list, course, credit_unit, delegation, framework, institution, institution_key,
    institution_or_acting, institution_state, key_revocation, optional_institution, window,
};
pub use subscription::{Filter, filter};

/// Where in a message: a path that costs nothing until something is wrong there.
#[derive(Debug, Clone, Copy)]
pub struct At<'a> {
    parent: Option<&'a At<'a>>,
    name: &'a str,
    idx: Option<usize>,
}

impl<'a> At<'a> {
    /// A field of the message itself.
    #[must_use]
    pub fn field(name: &'a str) -> Self {
        At {
            parent: None,
            name,
            idx: None,
        }
    }

    /// A field of the message in this one.
    #[must_use]
    pub fn sub(&'a self, name: &'a str) -> Self {
        At {
            parent: Some(self),
            name,
            idx: None,
        }
    }

    /// An entry of this repeated field.
    #[must_use]
    pub fn entry(self, idx: usize) -> Self {
        At {
            idx: Some(idx),
            ..self
        }
    }
}

impl fmt::Display for At<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(parent) = self.parent {
            write!(f, "{parent}.")?;
        }
        f.write_str(self.name)?;
        self.idx.map_or(Ok(()), |idx| write!(f, "[{idx}]"))
    }
}

/// What is wrong with a message so far.
///
/// Reading goes on after a problem, with a harmless value in its place, so that a client learns of
/// everything at once; [`Problems::finish`] lets such a value go nowhere.
#[derive(Debug, Default)]
pub struct Problems(Vec<Violation>);

impl Problems {
    /// Notes a problem.
    pub fn say(&mut self, at: At<'_>, problem: impl Into<String>) {
        self.0.push(Violation {
            field: at.to_string(),
            problem: problem.into(),
        });
    }

    /// The value, if there was no problem. Otherwise all problems, also those that `shape` finds in
    /// what could be read; without any, `shape` is left to the engine, which judges it in any case.
    ///
    /// # Errors
    /// [`Rejection::Malformed`] with every problem.
    pub fn finish<T>(
        mut self,
        value: T,
        shape: impl FnOnce(&T) -> Vec<Violation>,
    ) -> Result<T, Rejection> {
        if self.0.is_empty() {
            return Ok(value);
        }
        self.0.extend(shape(&value));
        Err(Rejection::Malformed(self.0))
    }
}

/// No more is known of the shape of the value.
fn shapeless<T>(_: &T) -> Vec<Violation> {
    Vec::new()
}

/// One malformed field.
#[must_use]
pub fn malformed(field: &str, problem: impl Into<String>) -> Rejection {
    let mut problems = Problems::default();
    problems.say(At::field(field), problem);
    Rejection::Malformed(problems.0)
}

/// A message that must be there.
///
/// # Errors
/// [`Rejection::Malformed`] when it is not.
pub fn required<T>(field: &str, message: Option<T>) -> Result<T, Rejection> {
    message.ok_or_else(|| malformed(field, "is required"))
}

fn text(wire: v1::Text) -> Text {
    Text {
        value: wire.value,
        language: wire.language,
    }
}

fn texts(wire: Vec<v1::Text>) -> Vec<Text> {
    wire.into_iter().map(text).collect()
}

fn optional_date(problems: &mut Problems, at: At<'_>, text: &str) -> Option<Date> {
    if text.is_empty() {
        return None;
    }
    let date = codec::parse_date(text);
    if date.is_none() {
        problems.say(at, "is not a date such as 2026-11-21");
    }
    date
}

fn required_date(problems: &mut Problems, at: At<'_>, text: &str) -> Date {
    if text.is_empty() {
        problems.say(at, "is required: a date such as 2026-11-21");
    }
    optional_date(problems, at, text).unwrap_or_default()
}

fn span(problems: &mut Problems, at: At<'_>, wire: Option<v1::Span>) -> Span {
    let wire = wire.unwrap_or_default();
    Span {
        from: optional_date(problems, at.sub("from"), &wire.from),
        until: optional_date(problems, at.sub("until"), &wire.until),
    }
}

fn level(wire: v1::Level) -> Level {
    Level {
        framework: wire.framework,
        code: wire.code,
    }
}

fn size(problems: &mut Problems, at: At<'_>, wire: v1::Size) -> Size {
    let amount = match wire.amount.parse() {
        Ok(amount) => amount,
        Err(error) => {
            let error: ledger::amount::CreditsError = error;
            problems.say(at.sub("amount"), error.to_string());
            Credits::ZERO
        }
    };
    Size {
        amount,
        unit: wire.unit,
    }
}

/// An institution's id; empty becomes the operator's, which the ledger's shape refuses where it may
/// not stand.
fn institution_id(problems: &mut Problems, at: At<'_>, text: &str) -> InstitutionId {
    text.parse().unwrap_or_else(|_| {
        problems.say(
            at,
            "is not an institution id: 1 to 64 characters of A-Z a-z 0-9 . _ -",
        );
        unread()
    })
}

fn optional_institution_id(
    problems: &mut Problems,
    at: At<'_>,
    text: &str,
) -> Option<InstitutionId> {
    (!text.is_empty()).then(|| institution_id(problems, at, text))
}

/// The institution that a message leaves out is the acting one.
fn id_or_acting(
    problems: &mut Problems,
    at: At<'_>,
    text: &str,
    acting: &InstitutionId,
) -> InstitutionId {
    if text.is_empty() {
        acting.clone()
    } else {
        institution_id(problems, at, text)
    }
}

/// Stands in for an id that could not be read, and offends no rule of shape.
fn unread() -> InstitutionId {
    "unread".parse().expect("six letters are an institution id")
}

fn handle_at(problems: &mut Problems, at: At<'_>, text: &str) -> Handle {
    text.parse().unwrap_or_else(|_| {
        let problem = if text.is_empty() {
            "is required: 32 hexadecimal digits"
        } else {
            "is not a handle: 32 hexadecimal digits, not all zero"
        };
        problems.say(at, problem);
        Handle([1; 16])
    })
}

fn name_at(
    problems: &mut Problems,
    at: At<'_>,
    wire: v1::RecordName,
    acting: &InstitutionId,
) -> RecordName {
    let issuer = id_or_acting(problems, at.sub("issuer_id"), &wire.issuer_id, acting);
    RecordName {
        issuer,
        record_id: wire.record_id,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_read_as_in_the_proto_files() {
        let learner = At::field("learner");
        let student = learner.sub("student");
        assert_eq!(student.sub("number").to_string(), "learner.student.number");
        let title = At::field("titles").entry(1);
        assert_eq!(title.sub("value").to_string(), "titles[1].value");
    }

    #[test]
    fn dates_have_one_form() {
        let mut problems = Problems::default();
        let at = At::field("awarded");
        assert_eq!(
            required_date(&mut problems, at, "2024-02-29").to_string(),
            "2024-02-29"
        );
        assert_eq!(optional_date(&mut problems, at, ""), None);
        assert!(problems.0.is_empty());
        for bad in [
            "2023-02-29",
            "2024-2-9",
            "20240229",
            " 2024-02-29",
            "+2024-02-29",
            "29.02.2024",
        ] {
            assert_eq!(optional_date(&mut problems, at, bad), None, "{bad}");
        }
        assert_eq!(problems.0.len(), 6);
    }
}
