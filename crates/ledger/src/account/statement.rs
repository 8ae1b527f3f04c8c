//! Statements: every entry of an account in order of time, like a bank's.
//!
//! While events are applied, a log keeps what each did to which holding; a statement plays that log and
//! puts in what expired in between, for the day on which it is asked.
//!
//! Invariant: the last balance of each unit in a statement is that unit's total in the balance of the
//! same day.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Account;
use super::balance::SUMS_FIT;
use super::counting::{Why, is_valid};
use crate::amount::Credits;
use crate::ids::{Date, Position, Timestamp};
use crate::words::{Achievement, Origin, RecordName};

/// An entry: one event's effect on one achievement in one unit, or an event about the account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Where it is recorded; `None` when something expired, which no event says.
    pub position: Option<Position>,
    /// When: of an expiry the beginning of the day after the last day of validity, in UTC.
    pub at: Timestamp,
    /// What it is.
    pub kind: EntryKind,
    /// The record concerned; `None` for the account, and for what has been erased.
    pub name: Option<RecordName>,
    /// The record's content after the entry: code, titles, date awarded.
    pub achievement: Option<Arc<Achievement>>,
    /// Whether that content carries its issuer's signature.
    pub signed: bool,
    /// The unit of the amounts; empty without a size.
    pub unit: String,
    /// What came in.
    pub amount_in: Option<Credits>,
    /// What went out.
    pub amount_out: Option<Credits>,
    /// What is held in that unit after the entry; `None` without a unit.
    pub balance: Option<Credits>,
    /// The reason given, and why it does not count.
    pub note: String,
}

/// What an entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum EntryKind {
    /// An achievement came in.
    Recorded,
    /// A version went out and another came in.
    Superseded,
    /// An achievement went out until reinstated.
    Suspended,
    /// A suspended achievement came back.
    Reinstated,
    /// An achievement went out for good.
    Revoked,
    /// An achievement went to another learner.
    Reassigned,
    /// An achievement came from another learner.
    Received,
    /// Another account was taken in; once for the account, then for each of its achievements.
    Absorbed,
    /// An account was given back; once for the account, then for each of its achievements.
    Separated,
    /// The account was registered.
    Registered,
    /// Attributes were changed.
    Updated,
    /// A student number was linked.
    Linked,
    /// A student number was unlinked.
    Unlinked,
    /// The account was closed into another; then for each of its achievements.
    Merged,
    /// The account goes on by itself; then for each of its achievements.
    Reopened,
    /// Content was erased.
    Erased,
    /// An achievement went out because its last day of validity had passed.
    Expired,
    /// The entry before it made this achievement count, or count no more.
    Adjusted,
}

/// The event behind movements.
#[derive(Debug, Clone)]
pub(super) struct Cause {
    pub(super) position: Position,
    pub(super) at: Timestamp,
    pub(super) kind: EntryKind,
    pub(super) reason: String,
}

impl Cause {
    /// For what follows the entry that has given the reason.
    pub(super) fn without_reason(&self) -> Cause {
        Cause {
            reason: String::new(),
            ..*self
        }
    }
}

/// What an event did to a holding, or to the account.
#[derive(Debug, Clone)]
pub(super) struct Movement {
    pub(super) position: Position,
    pub(super) at: Timestamp,
    pub(super) kind: EntryKind,
    pub(super) reason: String,
    pub(super) holding: Option<usize>,
    pub(super) name: Option<RecordName>,
    pub(super) shown: Option<Arc<Achievement>>,
    /// Whether what is shown carries its issuer's signature.
    pub(super) signed: bool,
    /// What counted before, until it expires.
    pub(super) before: Option<Arc<Achievement>>,
    /// What counts after, until it expires.
    pub(super) after: Option<Arc<Achievement>>,
    pub(super) why: Option<Why>,
}

impl Movement {
    /// One about the account: nothing moves.
    pub(super) fn of(cause: &Cause, kind: EntryKind) -> Movement {
        let reason = match kind {
            EntryKind::Adjusted => String::new(),
            _ => cause.reason.clone(),
        };
        Movement {
            position: cause.position,
            at: cause.at,
            kind,
            reason,
            holding: None,
            name: None,
            shown: None,
            signed: false,
            before: None,
            after: None,
            why: None,
        }
    }
}

impl Account {
    /// The statement as on a day: what expired before it is in.
    #[must_use]
    pub fn statement(&self, today: Date) -> Vec<Entry> {
        let mut running = Running::default();
        let mut day = Date::MIN;
        for movement in &self.log {
            // An event after the day asked for is in the history that was folded, so it is shown, but
            // nothing expires after that day.
            day = movement.at.date().min(today).max(day);
            running.expire_until(day);
            running.take(movement, day);
        }
        running.expire_until(today);
        running.entries
    }
}

/// A statement while it is written.
#[derive(Default)]
struct Running {
    held: BTreeMap<String, Credits>,
    /// What counts and will expire, by the first day on which it does not.
    due: BTreeMap<(Date, usize), Due>,
    entries: Vec<Entry>,
}

/// What will expire.
struct Due {
    name: Option<RecordName>,
    content: Arc<Achievement>,
    signed: bool,
}

impl Running {
    fn take(&mut self, movement: &Movement, day: Date) {
        let live = |content: &Option<Arc<Achievement>>| {
            content.clone().filter(|content| is_valid(content, day))
        };
        let (before, after) = (live(&movement.before), live(&movement.after));
        self.schedule(movement, before.as_ref(), after.as_ref());
        let unchanged = match (&before, &after) {
            (Some(before), Some(after)) => Arc::ptr_eq(before, after),
            _ => false,
        };
        let entry = Entry {
            position: Some(movement.position),
            at: movement.at,
            kind: movement.kind,
            name: movement.name.clone(),
            achievement: movement.shown.clone(),
            signed: movement.signed,
            unit: String::new(),
            amount_in: None,
            amount_out: None,
            balance: None,
            note: note(movement, day),
        };
        let (out, into) = if unchanged {
            (None, None)
        } else {
            (before, after)
        };
        let (out, into) = (sized(out.as_deref()), sized(into.as_deref()));
        match (out, into) {
            (Some((unit_out, out)), Some((unit_in, into))) if unit_out != unit_in => {
                self.push(entry.clone(), unit_out, Some(out), None);
                self.push(entry, unit_in, None, Some(into));
            }
            (None, None) => {
                let shown = sized(movement.shown.as_deref());
                self.push(entry, shown.map_or("", |(unit, _)| unit), None, None);
            }
            (out, into) => {
                let unit = into.or(out).map_or("", |(unit, _)| unit);
                self.push(
                    entry,
                    unit,
                    out.map(|(_, out)| out),
                    into.map(|(_, into)| into),
                );
            }
        }
    }

    fn schedule(
        &mut self,
        movement: &Movement,
        before: Option<&Arc<Achievement>>,
        after: Option<&Arc<Achievement>>,
    ) {
        let Some(idx) = movement.holding else { return };
        let due = |content: &Arc<Achievement>| content.expires.and_then(|last| last.succ_opt());
        if let Some(day) = before.and_then(due) {
            self.due.remove(&(day, idx));
        }
        if let Some((content, day)) = after.and_then(|content| Some((content, due(content)?))) {
            let expiring = Due {
                name: movement.name.clone(),
                content: Arc::clone(content),
                signed: movement.signed,
            };
            self.due.insert((day, idx), expiring);
        }
    }

    /// Writes what does not count any more on that day.
    fn expire_until(&mut self, today: Date) {
        while let Some(first) = self
            .due
            .first_entry()
            .filter(|first| first.key().0 <= today)
        {
            let ((day, _), expired) = first.remove_entry();
            let Due {
                name,
                content,
                signed,
            } = expired;
            let entry = Entry {
                position: None,
                at: beginning(day),
                kind: EntryKind::Expired,
                name,
                achievement: Some(Arc::clone(&content)),
                signed,
                unit: String::new(),
                amount_in: None,
                amount_out: None,
                balance: None,
                note: valid_until(&content),
            };
            let out = sized(Some(&content));
            self.push(
                entry,
                out.map_or("", |(unit, _)| unit),
                out.map(|(_, out)| out),
                None,
            );
        }
    }

    fn push(&mut self, entry: Entry, unit: &str, out: Option<Credits>, into: Option<Credits>) {
        if unit.is_empty() {
            self.entries.push(entry);
            return;
        }
        let held = self.held.get(unit).copied().unwrap_or_default();
        let less = held
            .checked_sub(out.unwrap_or_default())
            .expect("only what came in goes out");
        let balance = less.checked_add(into.unwrap_or_default()).expect(SUMS_FIT);
        if out.is_some() || into.is_some() {
            self.held.insert(unit.to_owned(), balance);
        }
        self.entries.push(Entry {
            unit: unit.to_owned(),
            amount_in: into,
            amount_out: out,
            balance: Some(balance),
            ..entry
        });
    }
}

/// Unit and amount; without a unit there is nothing to sum.
fn sized(content: Option<&Achievement>) -> Option<(&str, Credits)> {
    let size = content?.size.as_ref()?;
    Some((&size.unit, size.amount))
}

fn note(movement: &Movement, day: Date) -> String {
    let explains = match movement.kind {
        EntryKind::Suspended
        | EntryKind::Revoked
        | EntryKind::Reassigned
        | EntryKind::Separated
        | EntryKind::Merged
        | EntryKind::Erased => String::new(),
        EntryKind::Adjusted if movement.after.is_some() => "counts now".to_owned(),
        _ => why_not(movement, day),
    };
    match (movement.reason.is_empty(), explains.is_empty()) {
        (true, _) => explains,
        (false, true) => movement.reason.clone(),
        (false, false) => format!("{}; {explains}", movement.reason),
    }
}

fn why_not(movement: &Movement, day: Date) -> String {
    match &movement.why {
        Some(Why::Erased) => "erased".to_owned(),
        Some(Why::Pending) => "pending: the account is not bound to a person yet".to_owned(),
        Some(Why::Revoked) => "revoked".to_owned(),
        Some(Why::Suspended) => "suspended".to_owned(),
        Some(Why::NoDeposit(Origin::Transferred)) => "transferred: no deposit".to_owned(),
        Some(Why::NoDeposit(_)) => "exempted: no deposit".to_owned(),
        Some(Why::PartOf(whole)) => format!("part of {} and not counted besides it", named(whole)),
        Some(Why::Duplicate(Some(first))) => format!("the same result as {}", named(first)),
        Some(Why::Duplicate(None)) => "a result that is held already".to_owned(),
        None => match &movement.after {
            Some(content) if !is_valid(content, day) => valid_until(content),
            _ => String::new(),
        },
    }
}

fn valid_until(content: &Achievement) -> String {
    content
        .expires
        .map_or_else(String::new, |last| format!("valid until {last}"))
}

fn named(name: &RecordName) -> String {
    format!("{} of {}", name.record_id, name.issuer)
}

fn beginning(day: Date) -> Timestamp {
    let days = day.signed_duration_since(Date::default()).num_days();
    Timestamp(
        u64::try_from(days)
            .unwrap_or_default()
            .saturating_mul(86_400 * 1_000_000),
    )
}
