//! Dates, ids, handles and record names as fields of messages.
//!
//! Apart from the nouns because they all share these, and because here text becomes a checked value.

use super::CodecError;
use crate::generated as wire;
use crate::ids::{Date, Handle, InstitutionId};
use crate::words::RecordName;

/// A date in the one form that bodies have, `2026-11-21`; `None` for anything else.
#[must_use]
pub fn parse_date(text: &str) -> Option<Date> {
    let digits = |from: usize, until: usize| {
        let part = text.get(from..until)?;
        part.bytes()
            .all(|byte| byte.is_ascii_digit())
            .then_some(part)
    };
    if text.len() != 10 || text.get(4..5) != Some("-") || text.get(7..8) != Some("-") {
        return None;
    }
    let year = digits(0, 4)?.parse().ok()?;
    Date::from_ymd_opt(
        year,
        digits(5, 7)?.parse().ok()?,
        digits(8, 10)?.parse().ok()?,
    )
}

/// A message that must be there.
pub(super) fn required<T>(field: &'static str, value: Option<T>) -> Result<T, CodecError> {
    value.ok_or(CodecError::Missing { field })
}

/// A date, or the empty text for none.
pub(super) fn date(day: Option<Date>) -> String {
    day.map_or_else(String::new, |day| day.to_string())
}

pub(super) fn read_date(field: &'static str, text: &str) -> Result<Date, CodecError> {
    parse_date(text).ok_or(CodecError::Date { field })
}

pub(super) fn read_optional_date(
    field: &'static str,
    text: &str,
) -> Result<Option<Date>, CodecError> {
    if text.is_empty() {
        Ok(None)
    } else {
        read_date(field, text).map(Some)
    }
}

/// The operator is no institution that a body could name, so empty is refused.
pub(super) fn read_institution_id(
    field: &'static str,
    text: &str,
) -> Result<InstitutionId, CodecError> {
    match text.parse::<InstitutionId>() {
        Ok(id) if !id.is_operator() => Ok(id),
        _ => Err(CodecError::Institution { field }),
    }
}

pub(super) fn read_optional_institution_id(
    field: &'static str,
    text: &str,
) -> Result<Option<InstitutionId>, CodecError> {
    if text.is_empty() {
        Ok(None)
    } else {
        read_institution_id(field, text).map(Some)
    }
}

pub(super) fn read_handle(field: &'static str, bytes: &[u8]) -> Result<Handle, CodecError> {
    match bytes.try_into() {
        Ok(handle) if handle != [0; 16] => Ok(Handle(handle)),
        _ => Err(CodecError::Handle { field }),
    }
}

pub(super) fn read_record_name(
    field: &'static str,
    name: Option<wire::RecordName>,
) -> Result<Option<RecordName>, CodecError> {
    name.map(|name| {
        let issuer = read_institution_id(field, &name.issuer_id)?;
        Ok(RecordName {
            issuer,
            record_id: name.record_id,
        })
    })
    .transpose()
}
