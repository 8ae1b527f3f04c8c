//! The words of the scenario language: dates, learners, achievements, institutions.
//!
//! Apart from the commands so that both stay small. Whatever cannot be read stops the test: these texts are
//! ours; what a client may get wrong is tested where it is read.

use ledger::words::{
    Achievement, AchievementResult, Document, DocumentIdentity, InstitutionProfile, LearnerProfile,
    LearnerReference, Level, Origin, RecordName, Scope, Size, Span, StudentNumber, Text, UnitKind,
};
use ledger::{Credits, Date, Handle, InstitutionId};

/// A command line in parts: plain words, `key=value` options, and the reason after `because`.
pub(crate) struct Words<'a> {
    plain: Vec<&'a str>,
    options: Vec<(&'a str, &'a str)>,
    /// What stands after `because`; empty without.
    pub(crate) reason: String,
}

impl<'a> Words<'a> {
    /// Takes a line apart.
    pub(crate) fn of(line: &'a str) -> Self {
        let (line, reason) = line.split_once(" because ").unwrap_or((line, ""));
        let (options, plain) = line
            .split_whitespace()
            .partition::<Vec<&str>, _>(|w| w.contains('='));
        let options = options
            .iter()
            .map(|word| word.split_once('=').unwrap())
            .collect();
        Words {
            plain,
            options,
            reason: reason.to_owned(),
        }
    }

    /// The plain word at that index.
    pub(crate) fn word(&self, idx: usize) -> &'a str {
        self.plain
            .get(idx)
            .unwrap_or_else(|| panic!("a word is missing in {:?}", self.plain))
    }

    /// The plain words from there on.
    pub(crate) fn words(&self, from: usize) -> &[&'a str] {
        self.plain.get(from..).unwrap_or_default()
    }

    /// The plain word after another.
    pub(crate) fn after(&self, word: &str) -> Option<&'a str> {
        let at = self.plain.iter().position(|plain| *plain == word)?;
        self.plain.get(at + 1).copied()
    }

    /// The option's value.
    pub(crate) fn option(&self, key: &str) -> Option<&'a str> {
        self.options
            .iter()
            .find(|(name, _)| *name == key)
            .map(|(_, value)| *value)
    }

    /// The values of a repeated option.
    pub(crate) fn all(&self, key: &str) -> impl Iterator<Item = &'a str> {
        self.options
            .iter()
            .filter(move |(name, _)| *name == key)
            .map(|(_, value)| *value)
    }

    /// All options, as pairs.
    pub(crate) fn pairs(&self) -> Vec<(String, String)> {
        let pair = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
        self.options.iter().map(pair).collect()
    }

    /// The option's value as text; empty without.
    pub(crate) fn text(&self, key: &str) -> String {
        self.option(key).unwrap_or_default().to_owned()
    }

    /// The option as a date.
    pub(crate) fn date(&self, key: &str) -> Option<Date> {
        self.option(key).map(date)
    }

    /// The option as days `from..until`, each of which may be left out.
    pub(crate) fn span(&self, key: &str) -> Span {
        self.option(key).map(span).unwrap_or_default()
    }
}

/// A day.
pub(crate) fn date(text: &str) -> Date {
    text.parse().unwrap_or_else(|_| panic!("{text} is no date"))
}

fn span(text: &str) -> Span {
    let (from, until) = text
        .split_once("..")
        .unwrap_or_else(|| panic!("{text} is no span"));
    let day = |text: &str| (!text.is_empty()).then(|| date(text));
    Span {
        from: day(from),
        until: day(until),
    }
}

/// An institution.
pub(crate) fn institution(text: &str) -> InstitutionId {
    text.parse()
        .unwrap_or_else(|_| panic!("{text} is no institution"))
}

/// A handle is its label in bytes, so that answers can say it.
pub(crate) fn handle(label: &str) -> Handle {
    let mut bytes = [0; 16];
    bytes[..label.len()].copy_from_slice(label.as_bytes());
    Handle(bytes)
}

/// The label that a handle was made from.
pub(crate) fn label(handle: Handle) -> String {
    let label = handle.0.into_iter().take_while(|byte| *byte != 0).collect();
    String::from_utf8(label).unwrap()
}

/// `uni/S1`.
pub(crate) fn student(text: &str) -> StudentNumber {
    let (id, number) = text
        .split_once('/')
        .unwrap_or_else(|| panic!("{text} is no student"));
    StudentNumber {
        institution: institution(id),
        number: number.to_owned(),
    }
}

/// A handle `L1`, a student number `uni/S1`, or a document `id:123/Ann/2000-02-29`; `-` is no handle.
pub(crate) fn learner(text: &str) -> LearnerReference {
    match text.split('/').collect::<Vec<_>>()[..] {
        ["-"] => LearnerReference::Handle(Handle([0; 16])),
        [label] => LearnerReference::Handle(handle(label)),
        [_, _] => LearnerReference::Student(student(text)),
        [paper, name, born] => LearnerReference::Document(DocumentIdentity {
            document: document(paper),
            name: name.to_owned(),
            birth_date: date(born),
        }),
        _ => panic!("{text} is no learner"),
    }
}

fn document(text: &str) -> Document {
    let (kind, number) = text
        .split_once(':')
        .unwrap_or_else(|| panic!("{text} is no document"));
    Document {
        kind: kind.to_owned(),
        number: number.to_owned(),
    }
}

/// `r1` of that institution, or `uni/r1`.
pub(crate) fn record(text: &str, issuer: &InstitutionId) -> RecordName {
    match text.split_once('/') {
        Some((id, name)) => RecordName {
            issuer: institution(id),
            record_id: name.to_owned(),
        },
        None => RecordName {
            issuer: issuer.clone(),
            record_id: text.to_owned(),
        },
    }
}

/// `eqf:5`.
pub(crate) fn level(text: &str) -> Level {
    let (framework, code) = text
        .split_once(':')
        .unwrap_or_else(|| panic!("{text} is no level"));
    Level {
        framework: framework.to_owned(),
        code: code.to_owned(),
    }
}

/// `6:ects`.
pub(crate) fn size(text: &str) -> Size {
    let (amount, unit) = text
        .split_once(':')
        .unwrap_or_else(|| panic!("{text} is no size"));
    Size {
        amount: amount.parse::<Credits>().unwrap(),
        unit: unit.to_owned(),
    }
}

/// A title in no language.
pub(crate) fn text(value: &str) -> Text {
    Text {
        value: value.to_owned(),
        language: String::new(),
    }
}

/// An achievement: a course awarded on 2026-06-30 unless the options say otherwise.
pub(crate) fn achievement(words: &Words<'_>, name: &RecordName) -> Achievement {
    let issuer = &name.issuer;
    let named = |key: &str| words.option(key).map(|text| record(text, issuer));
    let study = words.span("study");
    let result = |value: &str| AchievementResult {
        value: value.to_owned(),
        scale: String::new(),
        subject: String::new(),
    };
    Achievement {
        record_id: name.record_id.clone(),
        achievement_type: words.option("type").unwrap_or("Course").to_owned(),
        code: words.text("code"),
        titles: vec![text(words.option("title").unwrap_or("A course"))],
        size: words.option("size").map(size),
        level: words.option("level").map(level),
        field: words.text("field"),
        source_kind: words.text("kind"),
        delivery: words.text("delivery"),
        origin: origin(words.option("origin").unwrap_or("earned")),
        source: named("source"),
        part_of: named("part_of"),
        offering: words.text("offering"),
        attempt: words
            .option("attempt")
            .map_or(1, |attempt| attempt.parse().unwrap()),
        results: words.all("grade").map(result).collect(),
        study_from: study.from,
        study_until: study.until,
        awarded: words.date("awarded").unwrap_or_else(|| date("2026-06-30")),
        expires: words.date("expires"),
        tier: words.text("tier"),
        outcomes: Vec::new(),
        evidence: Vec::new(),
        replaces: named("replaces"),
    }
}

fn origin(word: &str) -> Origin {
    match word {
        "earned" => Origin::Earned,
        "assessed" => Origin::Assessed,
        "transferred" => Origin::Transferred,
        "exempted" => Origin::Exempted,
        _ => panic!("{word} is no origin"),
    }
}

/// An institution; without `scope=` it may only submit for others.
pub(crate) fn profile(words: &Words<'_>) -> InstitutionProfile {
    InstitutionProfile {
        id: institution(words.word(1)),
        names: vec![text(words.option("name").unwrap_or("An institution"))],
        kind: String::new(),
        region: words.text("region"),
        parent: words.option("parent").map(institution),
        scopes: words.all("scope").map(scope).collect(),
        signatures_required: words.option("signed") == Some("required"),
    }
}

/// `any`, or parts such as `type:Course,code:CS,field:06,kind:exam,level:eqf:5,awarded:2026-01-01..`.
fn scope(text: &str) -> Scope {
    let mut scope = Scope::default();
    for part in text.split(',').filter(|part| *part != "any") {
        let (what, value) = part
            .split_once(':')
            .unwrap_or_else(|| panic!("{part} is no scope"));
        match what {
            "type" => scope.types.push(value.to_owned()),
            "code" => scope.code_prefixes.push(value.to_owned()),
            "field" => scope.fields.push(value.to_owned()),
            "kind" => scope.source_kinds.push(value.to_owned()),
            "level" => scope.level_max = Some(level(value)),
            "awarded" => scope.awarded = span(value),
            _ => panic!("{what} is no dimension of a scope"),
        }
    }
    scope
}

/// A learner's attributes.
pub(crate) fn attributes(words: &Words<'_>) -> LearnerProfile {
    LearnerProfile {
        names: words.all("name").map(text).collect(),
        documents: words.all("doc").map(document).collect(),
        birth_date: words.date("born"),
        region: words.text("region"),
    }
}

/// What a unit measures.
pub(crate) fn unit_kind(word: &str) -> UnitKind {
    match word {
        "credits" => UnitKind::Credits,
        "hours" => UnitKind::Hours,
        "points" => UnitKind::Points,
        _ => panic!("{word} is no kind of unit"),
    }
}
