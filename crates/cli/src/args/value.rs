//! Values that a person types in one word: identities, student numbers, names, sizes, durations.
//!
//! Apart from the commands because several take them, and because each refuses a mistake with a
//! sentence that shows the right form.

use std::net::SocketAddr;
use std::time::Duration;

use api::v1;
use ledger::EventKind;

pub(crate) use client::Identity;
use server::config::LogFormat;

/// Checks an institution's id: 1 to 64 of `A-Z a-z 0-9 . _ -`.
pub(crate) fn institution_id(text: &str) -> Result<String, String> {
    client::institution_id(text).map_err(|error| error.to_string())
}

/// Checks a learner's handle: 32 hexadecimal digits.
pub(crate) fn handle_text(text: &str) -> Result<String, String> {
    client::handle_text(text).map_err(|error| error.to_string())
}

/// A kind of event, by its word or number.
pub(crate) fn event_kind(text: &str) -> Result<u32, String> {
    let name = text.to_ascii_uppercase().replace('-', "_");
    let number = EventKind::from_str_name(&format!("{KIND_PREFIX}{name}")).map(i32::from);
    let number = number.or_else(|| text.parse().ok());
    number
        .filter(|number| EventKind::try_from(*number).is_ok_and(|it| it != EventKind::Unspecified))
        .and_then(|number| u32::try_from(number).ok())
        .ok_or_else(|| {
            "say a kind of event, such as achievement_recorded or learner_merged".to_owned()
        })
}

/// The word of a kind of event; the number of one that this program does not know.
pub(crate) fn event_kind_word(number: u16) -> String {
    match EventKind::try_from(i32::from(number)) {
        Ok(kind) => crate::wire::word(kind.as_str_name(), KIND_PREFIX),
        Err(_) => number.to_string(),
    }
}

const KIND_PREFIX: &str = "EVENT_KIND_";

/// An address to listen on, with its port.
pub(crate) fn listen(text: &str) -> Result<SocketAddr, String> {
    text.parse()
        .map_err(|_| "say ADDRESS:PORT, such as 127.0.0.1:7410; no names".to_owned())
}

/// Where metrics and health are served, if they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Http(pub(crate) Option<SocketAddr>);

/// An address for metrics and health, or `off`.
pub(crate) fn http(text: &str) -> Result<Http, String> {
    let refused = |_| "say ADDRESS:PORT, such as 127.0.0.1:7411, or off; no names".to_owned();
    server::config::Http::address(text)
        .map(Http)
        .map_err(refused)
}

/// A form of the log.
pub(crate) fn log_format(text: &str) -> Result<LogFormat, String> {
    [LogFormat::Text, LogFormat::Json]
        .into_iter()
        .find(|form| form.word() == text)
        .ok_or_else(|| "say text or json".to_owned())
}

/// A student number: `INSTITUTION:NUMBER`.
pub(crate) fn student(text: &str) -> Result<v1::StudentNumber, String> {
    let (institution, number) = text
        .split_once(':')
        .filter(|(_, number)| !number.is_empty())
        .ok_or("say INSTITUTION:NUMBER, such as hill-university:2020H-0409")?;
    Ok(v1::StudentNumber {
        institution_id: institution_id(institution)?,
        number: number.to_owned(),
    })
}

/// A text with its language: `TEXT` or `TEXT@LANGUAGE`.
pub(crate) fn text(text: &str) -> Result<v1::Text, String> {
    let tag = |tag: &str| {
        let mut parts = tag.split('-');
        parts.next().is_some_and(|first| {
            (2..=8).contains(&first.len()) && first.bytes().all(|b| b.is_ascii_alphabetic())
        }) && parts.all(|part| part.len() <= 8 && part.bytes().all(|b| b.is_ascii_alphanumeric()))
    };
    let (value, language) = match text.rsplit_once('@') {
        Some((value, language)) if tag(language) => (value, language),
        _ => (text, ""),
    };
    if value.trim().is_empty() {
        return Err("say TEXT@LANGUAGE, such as 样山大学@zh-CN".to_owned());
    }
    Ok(v1::Text {
        value: value.to_owned(),
        language: language.to_owned(),
    })
}

/// An identity document: `KIND:NUMBER`.
pub(crate) fn document(text: &str) -> Result<v1::Document, String> {
    let (kind, number) = both(text, "KIND:NUMBER, such as passport:X1234567")?;
    Ok(v1::Document { kind, number })
}

/// A level: `FRAMEWORK:CODE`.
pub(crate) fn level(text: &str) -> Result<v1::Level, String> {
    let (framework, code) = both(text, "FRAMEWORK:CODE, such as eqf:6")?;
    Ok(v1::Level { framework, code })
}

/// A size: `AMOUNT:UNIT`.
pub(crate) fn size(text: &str) -> Result<v1::Size, String> {
    let (amount, unit) = both(text, "AMOUNT:UNIT, such as 3:ects")?;
    Ok(v1::Size { amount, unit })
}

/// A calendar date: `YYYY-MM-DD`; the server judges whether the day exists.
pub(crate) fn date(text: &str) -> Result<String, String> {
    let digits = |range: std::ops::Range<usize>| {
        text.as_bytes()
            .get(range)
            .is_some_and(|part| part.iter().all(u8::is_ascii_digit))
    };
    let dashes = text.as_bytes().get(4) == Some(&b'-') && text.as_bytes().get(7) == Some(&b'-');
    if text.len() == 10 && dashes && digits(0..4) && digits(5..7) && digits(8..10) {
        return Ok(text.to_owned());
    }
    Err("say a date as YYYY-MM-DD, such as 2026-11-21".to_owned())
}

/// A period: `FROM..UNTIL`, the second day not in it; either may be left out.
pub(crate) fn period(text: &str) -> Result<v1::Span, String> {
    let say = "say FROM..UNTIL, such as 2024-09-01..2025-09-01, the second day not in it; either may be \
               left out";
    let (from, until) = text.split_once("..").ok_or(say)?;
    let day = |text: &str| match text {
        "" => Ok(String::new()),
        text => date(text),
    };
    Ok(v1::Span {
        from: day(from)?,
        until: day(until)?,
    })
}

/// The state of a record, in lower case.
pub(crate) fn record_state(text: &str) -> Result<v1::RecordState, String> {
    let name = format!("RECORD_STATE_{}", text.to_uppercase().replace('-', "_"));
    v1::RecordState::from_str_name(&name)
        .filter(|state| {
            !matches!(
                state,
                v1::RecordState::Unspecified | v1::RecordState::Superseded
            )
        })
        .ok_or_else(|| {
            "say recorded, pending, suspended, revoked, expired, duplicate, erased or no-deposit"
                .to_owned()
        })
}

/// A span of time: a number and `ms`, `s`, `m` or `h`.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let say = "say a number and a unit, such as 500ms, 30s, 2m or 1h";
    let split = text.find(|c: char| !c.is_ascii_digit()).ok_or(say)?;
    let (number, unit) = text.split_at(split);
    let number: u64 = number.parse().map_err(|_| say)?;
    let milliseconds = match unit {
        "ms" => Some(1),
        "s" => Some(1_000),
        "m" => Some(60_000),
        "h" => Some(3_600_000),
        _ => None,
    };
    milliseconds
        .and_then(|each| number.checked_mul(each))
        .map(Duration::from_millis)
        .ok_or_else(|| say.to_owned())
}

/// Two words with a colon between them, neither empty.
fn both(text: &str, form: &str) -> Result<(String, String), String> {
    match text.split_once(':') {
        Some((left, right)) if !left.is_empty() && !right.is_empty() => {
            Ok((left.to_owned(), right.to_owned()))
        }
        _ => Err(format!("say {form}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_ends_in_its_language_if_that_looks_like_one() {
        let pair = |given: &str| text(given).map(|text| (text.value, text.language)).unwrap();
        assert_eq!(pair("样山大学@zh-CN"), ("样山大学".into(), "zh-CN".into()));
        assert_eq!(pair("Hill"), ("Hill".into(), String::new()));
        assert_eq!(pair("a@b c"), ("a@b c".into(), String::new()));
        assert!(text("@en").is_err());
    }

    #[test]
    fn durations_have_a_unit() {
        assert_eq!(duration("30s"), Ok(Duration::from_secs(30)));
        assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(duration("0s"), Ok(Duration::ZERO));
        for wrong in ["", "30", "s", "1.5s", "-1s", "1 s", "99999999999999999999h"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn pairs_need_both_sides() {
        assert!(student("hill-university:2020H-0409").is_ok());
        assert_eq!(student("a:1:2").unwrap().number, "1:2");
        for wrong in ["", "a", "a:", ":1"] {
            assert!(student(wrong).is_err() && size(wrong).is_err(), "{wrong}");
        }
        assert!(date("2026-11-21").is_ok() && date("21.11.2026").is_err());
        assert!(date("2026-1-21").is_err());
        let year = period("2024-09-01..2025-09-01").unwrap();
        assert_eq!((&*year.from, &*year.until), ("2024-09-01", "2025-09-01"));
        assert_eq!(period("..2025-09-01").unwrap().from, "");
        assert!(period("2024-09-01").is_err() && period("2024..2025").is_err());
        assert_eq!(record_state("no-deposit"), Ok(v1::RecordState::NoDeposit));
        assert!(record_state("superseded").is_err() && record_state("gone").is_err());
    }
}
