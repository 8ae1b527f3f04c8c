//! The fields that a mapping may fill: those of the API's messages, under the same names.
//!
//! Apart from the parser so that the whole surface can be read here; a test compares it with the messages.

/// What stands in a field.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Shape {
    /// A text.
    Text,
    /// A whole number.
    Number,
    /// A date.
    Date,
    /// One of these words.
    OneOf(&'static [&'static str]),
    /// Several texts: a list, or one that is cut by `split`.
    Words,
    /// A message.
    Group(&'static Message),
    /// Several messages.
    List(&'static Message),
}

/// A message.
#[derive(Debug)]
pub(crate) struct Message {
    /// Its fields. Where `led` by the first of them, the message is left out when that is empty;
    /// otherwise when all are.
    pub(crate) fields: &'static [(&'static str, Shape)],
    pub(crate) led: bool,
}

use Shape::{Date, Group, List, Number, OneOf, Words};

const TEXT: Message = led(&[("value", Shape::Text), ("language", Shape::Text)]);
const SIZE: Message = led(&[("amount", Shape::Text), ("unit", Shape::Text)]);
const LEVEL: Message = led(&[("code", Shape::Text), ("framework", Shape::Text)]);
const NAME: Message = led(&[("record_id", Shape::Text), ("issuer_id", Shape::Text)]);
const EVIDENCE: Message = led(&[("uri", Shape::Text), ("digest", Shape::Text)]);
const DOCUMENT: Message = led(&[("number", Shape::Text), ("kind", Shape::Text)]);
const STUDENT: Message = led(&[("number", Shape::Text), ("institution_id", Shape::Text)]);
const RESULT: Message = led(&[
    ("value", Shape::Text),
    ("scale", Shape::Text),
    ("subject", Shape::Text),
]);
const IDENTITY: Message = led(&[
    ("document", Group(&DOCUMENT)),
    ("name", Shape::Text),
    ("birth_date", Date),
]);
const SPAN: Message = any(&[("from", Date), ("until", Date)]);
const SCOPE: Message = any(&[
    ("types", Words),
    ("code_prefixes", Words),
    ("fields", Words),
    ("source_kinds", Words),
    ("level_max", Group(&LEVEL)),
    ("awarded", Group(&SPAN)),
]);

/// `[learner]`: whom a record is about.
pub(crate) const LEARNER: Message = any(&[
    ("student", Group(&STUDENT)),
    ("document", Group(&IDENTITY)),
    ("handle", Shape::Text),
]);

/// `[profile]`: a learner's attributes, for `--register-learners`.
pub(crate) const PROFILE: Message = any(&[
    ("names", List(&TEXT)),
    ("documents", List(&DOCUMENT)),
    ("birth_date", Date),
    ("region", Shape::Text),
]);

/// `[record]`: an achievement.
pub(crate) const RECORD: Message = any(&[
    ("record_id", Shape::Text),
    ("issuer_id", Shape::Text),
    ("type", Shape::Text),
    ("code", Shape::Text),
    ("titles", List(&TEXT)),
    ("size", Group(&SIZE)),
    ("level", Group(&LEVEL)),
    ("field", Shape::Text),
    ("source_kind", Shape::Text),
    ("delivery", Shape::Text),
    (
        "origin",
        OneOf(&["earned", "assessed", "transferred", "exempted"]),
    ),
    ("source", Group(&NAME)),
    ("part_of", Group(&NAME)),
    ("offering", Shape::Text),
    ("attempt", Number),
    ("results", List(&RESULT)),
    ("study_from", Date),
    ("study_until", Date),
    ("awarded", Date),
    ("expires", Date),
    ("tier", Shape::Text),
    ("outcomes", Words),
    ("evidence", List(&EVIDENCE)),
    ("replaces", Group(&NAME)),
]);

/// `[institution]`.
pub(crate) const INSTITUTION: Message = any(&[
    ("institution_id", Shape::Text),
    ("names", List(&TEXT)),
    ("kind", Shape::Text),
    ("region", Shape::Text),
    ("parent_id", Shape::Text),
    ("scopes", List(&SCOPE)),
]);

const fn led(fields: &'static [(&'static str, Shape)]) -> Message {
    Message { fields, led: true }
}

const fn any(fields: &'static [(&'static str, Shape)]) -> Message {
    Message { fields, led: false }
}
