//! The rules for single fields, and the list of violations that they fill.
//!
//! Paths are formatted only when something is wrong: shape is judged once per submission, on the one
//! thread that decides, and nearly all submissions are well-formed.

use std::fmt::Arguments;

use super::{
    ACHIEVEMENT_TYPES, CODE_BYTES_MAX, LANGUAGE_BYTES_MAX, RECORD_ID_BYTES_MAX, STRING_BYTES_MAX,
    TITLES_MAX,
};
use crate::ids::{Date, InstitutionId};
use crate::rejection::Violation;
use crate::words::{Level, Span, Text};

/// What was found so far.
#[derive(Default)]
pub(super) struct Check {
    pub(super) found: Vec<Violation>,
    /// Bytes of all texts seen.
    pub(super) text_bytes: usize,
}

impl Check {
    pub(super) fn say(&mut self, field: Arguments<'_>, problem: impl Into<String>) {
        self.found.push(Violation {
            field: field.to_string(),
            problem: problem.into(),
        });
    }

    /// A text that may be empty.
    pub(super) fn text(&mut self, field: Arguments<'_>, value: &str, bytes_max: usize) {
        self.text_bytes = self.text_bytes.saturating_add(value.len());
        if value.len() > bytes_max {
            self.say(
                field,
                format!("is {} bytes long; at most {bytes_max}", value.len()),
            );
        } else if let Some(at) = control_character(value) {
            self.say(field, format!("contains a control character at byte {at}"));
        }
    }

    /// A text that may not be empty.
    pub(super) fn required(&mut self, field: Arguments<'_>, value: &str, bytes_max: usize) {
        if value.is_empty() {
            self.say(field, "is required");
        } else {
            self.text(field, value, bytes_max);
        }
    }

    /// A code that may be empty.
    pub(super) fn code(&mut self, field: Arguments<'_>, value: &str) {
        self.text(field, value, CODE_BYTES_MAX);
    }

    pub(super) fn required_code(&mut self, field: Arguments<'_>, value: &str) {
        self.required(field, value, CODE_BYTES_MAX);
    }

    /// White space at the ends would make two ids out of what people take for one.
    pub(super) fn record_id(&mut self, field: Arguments<'_>, value: &str) {
        let n_found = self.found.len();
        self.required(field, value, RECORD_ID_BYTES_MAX);
        if self.found.len() == n_found && value.trim() != value {
            self.say(field, "begins or ends with white space");
        }
    }

    /// Its form is the type's; that it is not the operator's is checked here.
    pub(super) fn institution_id(&mut self, field: Arguments<'_>, id: &InstitutionId) {
        if id.is_operator() {
            self.say(field, "is required");
        }
    }

    /// A key's name, of the same form as an institution's.
    pub(super) fn key_id(&mut self, field: Arguments<'_>, value: &str) {
        let legal = value.parse::<InstitutionId>().is_ok();
        if value.is_empty() {
            self.say(field, "is required");
        } else if !legal {
            self.say(field, "is not 1 to 64 characters of A-Z a-z 0-9 . _ -");
        }
    }

    pub(super) fn achievement_type(&mut self, field: Arguments<'_>, word: &str) {
        let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        let extends = word
            .strip_prefix("ext:")
            .is_some_and(|rest| !rest.is_empty() && rest.bytes().all(legal));
        if word.is_empty() || word.len() > CODE_BYTES_MAX {
            self.required_code(field, word);
        } else if !extends && !ACHIEVEMENT_TYPES.contains(&word) {
            self.say(
                field,
                "is not an AchievementType of Open Badges 3.0, such as Course or Certificate, nor \
                 ext: and a word of A-Z a-z 0-9 . _ -",
            );
        }
    }

    pub(super) fn titles(&mut self, titles: &[Text]) {
        self.texts(format_args!("titles"), titles, 1, TITLES_MAX);
    }

    pub(super) fn texts(&mut self, field: Arguments<'_>, texts: &[Text], min: usize, max: usize) {
        self.count(field, texts.len(), min, max);
        for (idx, text) in texts.iter().enumerate() {
            self.required(
                format_args!("{field}[{idx}].value"),
                &text.value,
                STRING_BYTES_MAX,
            );
            self.language(format_args!("{field}[{idx}].language"), &text.language);
        }
    }

    fn language(&mut self, field: Arguments<'_>, tag: &str) {
        let n_found = self.found.len();
        self.text(field, tag, LANGUAGE_BYTES_MAX);
        let legal = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        if self.found.len() == n_found && !tag.bytes().all(legal) {
            self.say(field, "is not a BCP 47 language tag such as zh-CN or en");
        }
    }

    pub(super) fn count(&mut self, field: Arguments<'_>, n: usize, min: usize, max: usize) {
        if n == 0 && min > 0 {
            self.say(field, "is required");
        } else if n > max {
            self.say(field, format!("has {n} entries; at most {max}"));
        }
    }

    pub(super) fn level(&mut self, field: Arguments<'_>, level: Option<&Level>) {
        let Some(level) = level else { return };
        self.required_code(format_args!("{field}.framework"), &level.framework);
        self.required_code(format_args!("{field}.code"), &level.code);
    }

    pub(super) fn span(&mut self, field: Arguments<'_>, span: &Span) {
        self.day(format_args!("{field}.from"), span.from);
        self.day(format_args!("{field}.until"), span.until);
        if let (Some(from), Some(until)) = (span.from, span.until)
            && from >= until
        {
            let problem =
                format!("({until}) is not after from ({from}); it is the first day after");
            self.say(format_args!("{field}.until"), problem);
        }
    }

    /// ISO 8601 gives four digits to a year; bodies hold no others.
    pub(super) fn day(&mut self, field: Arguments<'_>, day: Option<Date>) {
        const FIRST: Date = Date::from_ymd_opt(1, 1, 1).expect("a calendar date");
        const LAST: Date = Date::from_ymd_opt(9999, 12, 31).expect("a calendar date");
        if day.is_some_and(|day| day < FIRST || day > LAST) {
            self.say(field, "is outside the years 1 to 9999");
        }
    }

    /// Says which entries repeat an earlier one.
    pub(super) fn distinct<'a>(
        &mut self,
        values: impl Iterator<Item = &'a str>,
        field: impl Fn(usize) -> String,
    ) {
        let mut seen = std::collections::BTreeSet::new();
        for (idx, value) in values.enumerate() {
            if !seen.insert(value) {
                self.say(format_args!("{}", field(idx)), "repeats an earlier entry");
            }
        }
    }
}

/// Unicode's control characters (Cc), and the two separators that end a line or a paragraph: none of
/// them belongs in a text that is shown on one line, printed in a table or written to a log.
fn control_character(text: &str) -> Option<usize> {
    // Nearly every text is plain, which its bytes tell.
    if text.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
        return None;
    }
    let ends_line = |c: char| matches!(c, '\u{2028}' | '\u{2029}');
    text.char_indices()
        .find(|(_, c)| c.is_control() || ends_line(*c))
        .map(|(at, _)| at)
}
