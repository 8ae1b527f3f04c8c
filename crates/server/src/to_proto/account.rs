//! Balances and statements.

use ledger::account::{Balance, Entry, EntryKind};
use ledger::{Credits, Date};

use super::{date, level, record_name, record_state, texts, time};
use api::v1;

/// A balance: totals by unit, and the lines.
#[must_use]
pub fn balance(balance: &Balance) -> (Vec<v1::UnitTotal>, Vec<v1::BalanceLine>) {
    let totals = balance.totals.iter().map(|(unit, sum)| v1::UnitTotal {
        unit: unit.clone(),
        amount: sum.amount.to_string(),
        achievement_count: sum.count,
    });
    let lines = balance.lines.iter().map(|(key, sum)| v1::BalanceLine {
        unit: key.unit.clone(),
        level: key.level.as_ref().map(level),
        field: key.field.clone(),
        state: record_state(key.state).into(),
        achievement_count: sum.count,
        amount: sum.amount.to_string(),
    });
    (totals.collect(), lines.collect())
}

/// An entry of a statement.
#[must_use]
pub fn entry(entry: &Entry) -> v1::StatementEntry {
    let amount = |amount: Option<Credits>| amount.map_or_else(String::new, |a| a.to_string());
    let content = entry.achievement.as_deref();
    v1::StatementEntry {
        position: entry.position.map_or(0, |position| position.0),
        recorded_time: Some(time(entry.at.0)),
        kind: kind(entry.kind).into(),
        name: entry.name.as_ref().map(record_name),
        code: content.map_or_else(String::new, |content| content.code.clone()),
        titles: content.map_or_else(Vec::new, |content| texts(&content.titles)),
        awarded: date(content.map(|content| -> Date { content.awarded })),
        unit: entry.unit.clone(),
        amount_in: amount(entry.amount_in),
        amount_out: amount(entry.amount_out),
        balance: amount(entry.balance),
        note: entry.note.clone(),
        signed: entry.signed,
    }
}

fn kind(kind: EntryKind) -> v1::EntryKind {
    match kind {
        EntryKind::Recorded => v1::EntryKind::Recorded,
        EntryKind::Superseded => v1::EntryKind::Superseded,
        EntryKind::Suspended => v1::EntryKind::Suspended,
        EntryKind::Reinstated => v1::EntryKind::Reinstated,
        EntryKind::Revoked => v1::EntryKind::Revoked,
        EntryKind::Reassigned => v1::EntryKind::Reassigned,
        EntryKind::Received => v1::EntryKind::Received,
        EntryKind::Absorbed => v1::EntryKind::Absorbed,
        EntryKind::Separated => v1::EntryKind::Separated,
        EntryKind::Registered => v1::EntryKind::Registered,
        EntryKind::Updated => v1::EntryKind::Updated,
        EntryKind::Linked => v1::EntryKind::Linked,
        EntryKind::Unlinked => v1::EntryKind::Unlinked,
        EntryKind::Merged => v1::EntryKind::Merged,
        EntryKind::Reopened => v1::EntryKind::Reopened,
        EntryKind::Erased => v1::EntryKind::Erased,
        EntryKind::Expired => v1::EntryKind::Expired,
        EntryKind::Adjusted => v1::EntryKind::Adjusted,
    }
}
