//! Dates as a mapping names their formats, and nothing else: 3/4/2021 is not guessed at.
//!
//! Apart from the rules because spreadsheets mangle dates in ways of their own, and each deserves its
//! sentence.

use chrono::format::{Item, Numeric, StrftimeItems};
use chrono::{Datelike, Days, NaiveDate};

/// Years that a date may fall into; what is outside was read with the wrong format.
const YEARS: std::ops::RangeInclusive<i32> = 1900..=2200;

/// A way to write a date.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Format {
    /// As `strftime` describes it.
    Pattern(String),
    /// A spreadsheet's days since 1899-12-30.
    Serial,
}

impl Format {
    /// What is used where a mapping says nothing.
    pub(crate) fn usual() -> Vec<Self> {
        vec![Self::Pattern("%Y-%m-%d".to_owned())]
    }

    /// Reads a format.
    ///
    /// # Errors
    ///
    /// A sentence when it is none, or leaves day, month or year open.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        if text == "spreadsheet-serial" {
            return Ok(Self::Serial);
        }
        let mut parts = [false; 3];
        for item in StrftimeItems::new(text) {
            let part = match item {
                Item::Error => return Err(format!("{text:?} is no date format; %Y-%m-%d is one")),
                Item::Numeric(Numeric::Year, _) => 0,
                Item::Numeric(Numeric::Month, _) => 1,
                Item::Fixed(
                    chrono::format::Fixed::ShortMonthName | chrono::format::Fixed::LongMonthName,
                ) => 1,
                Item::Numeric(Numeric::Day, _) => 2,
                Item::Numeric(Numeric::YearMod100, _) => {
                    let sentence = "%y has no century; only years of four digits (%Y) are read";
                    return Err(sentence.to_owned());
                }
                _ => continue,
            };
            if let Some(part) = parts.get_mut(part) {
                *part = true;
            }
        }
        if parts.contains(&false) {
            return Err(format!(
                "{text:?} leaves something open: a date format has %Y, %m (or %b, %B) and %d"
            ));
        }
        Ok(Self::Pattern(text.to_owned()))
    }

    fn read(&self, text: &str) -> Option<NaiveDate> {
        let date = match self {
            Self::Pattern(pattern) => NaiveDate::parse_from_str(text, pattern).ok()?,
            Self::Serial => {
                let days: u64 = text.parse().ok()?;
                NaiveDate::from_ymd_opt(1899, 12, 30)?.checked_add_days(Days::new(days))?
            }
        };
        YEARS.contains(&date.year()).then_some(date)
    }

    fn name(&self) -> &str {
        match self {
            Self::Pattern(pattern) => pattern,
            Self::Serial => "spreadsheet-serial",
        }
    }
}

/// The date in the form of the service.
///
/// # Errors
///
/// A sentence when no format fits, or two fit and disagree.
pub(crate) fn read(text: &str, formats: &[Format]) -> Result<String, String> {
    let mut found = formats.iter().filter_map(|format| format.read(text));
    let Some(date) = found.next() else {
        return Err(refusal(text, formats));
    };
    if let Some(other) = found.find(|other| *other != date) {
        return Err(format!(
            "{text:?} is {date} in one of the named formats and {other} in another; name one of them"
        ));
    }
    Ok(date.format("%Y-%m-%d").to_string())
}

fn refusal(text: &str, formats: &[Format]) -> String {
    let names: Vec<&str> = formats.iter().map(Format::name).collect();
    let names = names.join(", ");
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let parts: Vec<&str> = text.split(['/', '.', '-', ' ']).collect();
    let serial =
        digits(text.split('.').next().unwrap_or_default()) && text.len() >= 4 && parts.len() <= 2;
    if serial && !text.contains(['/', '-', ' ']) && text.len() != 8 {
        return format!(
            "{text:?} is a spreadsheet's serial number, not a date: give the column a date format such as \
             2021-04-03 there and export it again, or say dates = [\"spreadsheet-serial\"]"
        );
    }
    let short = parts.len() == 3 && parts.iter().all(|part| digits(part));
    let day_first = short && parts.first().is_some_and(|part| part.len() <= 2);
    if day_first {
        return format!(
            "{text:?} is in none of the formats that the mapping names ({names}), and which number is the \
             day is not guessed; say dates = [\"%d/%m/%Y\"], or [\"%m/%d/%Y\"], or what it is"
        );
    }
    format!("{text:?} is no date in a format that the mapping names ({names})")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(text: &str, formats: &[&str]) -> String {
        let formats: Vec<Format> = formats
            .iter()
            .map(|format| Format::parse(format).unwrap())
            .collect();
        read(text, &formats).unwrap_or_else(|sentence| sentence)
    }

    #[test]
    fn dates_are_read_in_named_formats_only() {
        let iso = &["%Y-%m-%d"][..];
        let rows: &[(&str, &[&str], &str)] = &[
            ("2021-04-03", iso, "2021-04-03"),
            ("2021/04/03", &["%Y-%m-%d", "%Y/%m/%d"], "2021-04-03"),
            ("3/4/2021", &["%d/%m/%Y"], "2021-04-03"),
            ("3/4/2021", &["%m/%d/%Y"], "2021-03-04"),
            ("3 April 2021", &["%d %B %Y"], "2021-04-03"),
            ("2021-04-03 00:00:00", &["%Y-%m-%d %H:%M:%S"], "2021-04-03"),
            ("2021年4月3日", &["%Y年%m月%d日"], "2021-04-03"),
            ("44289", &["spreadsheet-serial"], "2021-04-03"),
            ("3/3/2021", &["%d/%m/%Y", "%m/%d/%Y"], "2021-03-03"),
        ];
        for (text, formats, expected) in rows {
            assert_eq!(said(text, formats), *expected, "{text} {formats:?}");
        }
    }

    #[test]
    fn what_a_spreadsheet_mangles_is_refused_with_a_sentence() {
        for (text, formats, part) in [
            ("45123", "%Y-%m-%d", "spreadsheet's serial number"),
            ("45123.5", "%Y-%m-%d", "spreadsheet's serial number"),
            ("3/4/2021", "%Y-%m-%d", "not guessed"),
            ("3.4.2021", "%Y-%m-%d", "not guessed"),
            ("21-04-03", "%Y-%m-%d", "not guessed"),
            ("2021-02-30", "%Y-%m-%d", "is no date in a format"),
            ("20210403", "%Y-%m-%d", "is no date in a format"),
            ("3-Apr", "%d-%b-%Y", "is no date in a format"),
            ("soon", "%Y-%m-%d", "is no date in a format"),
            ("0", "spreadsheet-serial", "is no date in a format"),
        ] {
            let sentence = said(text, &[formats]);
            assert!(sentence.contains(part), "{text}: {sentence}");
        }
        let twice = said("3/4/2021", &["%d/%m/%Y", "%m/%d/%Y"]);
        assert!(twice.contains("2021-04-03 in one of"), "{twice}");
    }

    #[test]
    fn formats_leave_nothing_open() {
        for (format, part) in [
            ("%Y-%m", "leaves something open"),
            ("%d/%m/%y", "no century"),
            ("%Q", "is no date format"),
            ("", "leaves something open"),
        ] {
            assert!(
                Format::parse(format).unwrap_err().contains(part),
                "{format}"
            );
        }
    }
}
