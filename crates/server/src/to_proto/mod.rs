//! The ledger's words into wire messages.
//!
//! The mirror of `from_proto`: free functions named after the noun. What is normalised there has one
//! form here, so that a client that reads and sends again sends the same content.

mod account;
mod learner;
mod record;
mod registry;

use ledger::Date;
use ledger::words::{Level, RecordName, Size, Span, Text};

use crate::engine::Receipt;
use api::v1;

pub use account::{balance, entry};
pub use learner::{change, learner_profile, pending_learner, student_number};
pub use record::{achievement, outcome, record_state, refused, signature};
pub use registry::{code_entry, code_list, course, credit_unit, framework, institution, window};

/// A receipt.
#[must_use]
pub fn receipt(receipt: &Receipt) -> v1::Receipt {
    v1::Receipt {
        position: receipt.position.0,
        leaf: receipt.leaf.to_vec(),
        chain_hash: receipt.chain_hash.0.to_vec(),
        recorded_time: Some(time(receipt.recorded_at.0)),
    }
}

/// The receipt of a record as read from the store.
#[must_use]
pub fn receipt_of(record: &chain::Record) -> v1::Receipt {
    let leaf = record.leaf.encode();
    v1::Receipt {
        position: record.leaf.position.0,
        chain_hash: chain::chain_hash(&leaf).0.to_vec(),
        leaf,
        recorded_time: Some(time(record.leaf.recorded_at.0)),
    }
}

/// A time in microseconds since the Unix epoch.
#[must_use]
pub fn time(microseconds: u64) -> prost_types::Timestamp {
    let seconds = i64::try_from(microseconds / 1_000_000).unwrap_or(i64::MAX);
    let nanos = i32::try_from(microseconds % 1_000_000 * 1_000).expect("less than a second");
    prost_types::Timestamp { seconds, nanos }
}

/// A date, empty for none.
#[must_use]
pub fn date(date: Option<Date>) -> String {
    date.map_or_else(String::new, |date| date.to_string())
}

fn text(text: &Text) -> v1::Text {
    v1::Text {
        value: text.value.clone(),
        language: text.language.clone(),
    }
}

fn texts(texts: &[Text]) -> Vec<v1::Text> {
    texts.iter().map(text).collect()
}

fn span(span: &Span) -> Option<v1::Span> {
    let given = span.from.is_some() || span.until.is_some();
    given.then(|| v1::Span {
        from: date(span.from),
        until: date(span.until),
    })
}

fn level(level: &Level) -> v1::Level {
    v1::Level {
        framework: level.framework.clone(),
        code: level.code.clone(),
    }
}

fn size(size: &Size) -> v1::Size {
    v1::Size {
        amount: size.amount.to_string(),
        unit: size.unit.clone(),
    }
}

/// A record's name.
#[must_use]
pub fn record_name(name: &RecordName) -> v1::RecordName {
    v1::RecordName {
        issuer_id: name.issuer.as_str().to_owned(),
        record_id: name.record_id.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_exact() {
        let shown = time(1_795_219_200_123_456);
        assert_eq!((shown.seconds, shown.nanos), (1_795_219_200, 123_456_000));
    }
}
