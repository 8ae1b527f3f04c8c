//! Where a watcher of a statement is, and what of the statement comes next.
//!
//! Apart from `watching` because it is a function of the statement alone. A statement grows only at its
//! end, but its entries have no numbers: one record can make many, and what expires has no record at all.
//! So a place says up to which position entries were sent, how many of the record that stands there, and
//! up to when expiries were; in which account, because a merge leads on to another one.

use std::fmt;
use std::str::FromStr;

use ledger::account::{Entry, EntryKind};
use ledger::{Handle, Timestamp};

/// What has been sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    /// Entries of records below have all been sent.
    pub(super) next: u64,
    /// How many entries of the record at `next` have been sent too.
    pub(super) sent: usize,
    /// What expired up to this moment has been sent; `None` before the first.
    pub(super) expired: Option<Timestamp>,
    /// Whose account; `None` before the first look.
    pub(super) account: Option<Handle>,
}

/// What of a statement comes next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Rest<'s> {
    /// In order; not yet cut to the length of an answer.
    pub(super) entries: Vec<&'s Entry>,
    /// When the next entry will expire that has not yet, if nothing happens before.
    pub(super) expires_next: Option<Timestamp>,
}

impl Place {
    /// Entries of records from a position on, and what expires after the record before.
    pub(super) fn from(next: u64, expired: Option<Timestamp>) -> Self {
        Place {
            next,
            sent: 0,
            expired,
            account: None,
        }
    }

    /// What comes next of a statement with everything that will ever expire in it, when all records made
    /// until `settled` are in it.
    pub(super) fn rest<'s>(&self, statement: &'s [Entry], settled: Timestamp) -> Rest<'s> {
        let recorded = statement.iter().rposition(|entry| entry.position.is_some());
        // What expired before a later record, expired before anything that is still to come.
        let past = recorded.map_or(0, |idx| idx + 1);
        let mut at_next = 0;
        let mut entries = Vec::new();
        let mut expires_next = None;
        for (idx, entry) in statement.iter().enumerate() {
            let is_new = match entry.position {
                Some(position) if position.0 == self.next => {
                    at_next += 1;
                    at_next > self.sent
                }
                Some(position) => position.0 > self.next,
                None if idx >= past && entry.at > settled => {
                    expires_next = Some(entry.at);
                    break;
                }
                None => Some(entry.at) > self.expired,
            };
            if is_new {
                entries.push(entry);
            }
        }
        Rest {
            entries,
            expires_next,
        }
    }

    /// Goes past an entry that has been sent.
    pub(super) fn pass(&mut self, entry: &Entry) {
        match entry.position {
            Some(position) if position.0 == self.next => self.sent += 1,
            Some(position) => (self.next, self.sent) = (position.0, 1),
            None => self.expired = self.expired.max(Some(entry.at)),
        }
    }

    /// Goes to the end of a ledger of which everything has been sent.
    pub(super) fn pass_all(&mut self, size: u64) {
        if size > self.next {
            (self.next, self.sent) = (size, 0);
        }
    }
}

/// Whether an answer may end between two entries: not between what expires at the same moment, of which a
/// place does not say how much has been sent.
pub(super) fn may_part(before: &Entry, after: &Entry) -> bool {
    let expired = |entry: &Entry| entry.kind == EntryKind::Expired;
    !(expired(before) && expired(after) && before.at == after.at)
}

/// As a token.
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "w{}.{}.", self.next, self.sent)?;
        match self.expired {
            Some(at) => write!(f, "{}.", at.0)?,
            None => f.write_str("-.")?,
        }
        match self.account {
            Some(handle) => write!(f, "{handle}"),
            None => f.write_str("-"),
        }
    }
}

/// Not a token of a watcher.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NoPlace;

impl FromStr for Place {
    type Err = NoPlace;

    fn from_str(token: &str) -> Result<Self, NoPlace> {
        let parts: Vec<&str> = token.strip_prefix('w').ok_or(NoPlace)?.split('.').collect();
        let [next, sent, expired, account] = parts[..] else {
            return Err(NoPlace);
        };
        let number = |text: &str| text.parse::<u64>().map_err(|_| NoPlace);
        let place = Place {
            next: number(next)?,
            sent: usize::try_from(number(sent)?).map_err(|_| NoPlace)?,
            expired: match expired {
                "-" => None,
                at => Some(Timestamp(number(at)?)),
            },
            account: match account {
                "-" => None,
                handle => Some(handle.parse().map_err(|_| NoPlace)?),
            },
        };
        // One place has one token.
        (place.to_string() == token).then_some(place).ok_or(NoPlace)
    }
}

#[cfg(test)]
mod tests {
    use ledger::Position;

    use super::*;

    fn entry(position: Option<u64>, at: u64) -> Entry {
        let kind = match position {
            Some(_) => EntryKind::Recorded,
            None => EntryKind::Expired,
        };
        Entry {
            position: position.map(Position),
            at: Timestamp(at),
            kind,
            name: None,
            achievement: None,
            signed: false,
            unit: String::new(),
            amount_in: None,
            amount_out: None,
            balance: None,
            note: String::new(),
        }
    }

    /// Records at 3 (two entries), 5 and 9; two things expire at 10, one at 20 and one at 30.
    fn statement() -> Vec<Entry> {
        vec![
            entry(Some(3), 1),
            entry(Some(3), 1),
            entry(None, 10),
            entry(None, 10),
            entry(Some(5), 11),
            entry(Some(9), 12),
            entry(None, 20),
            entry(None, 30),
        ]
    }

    #[test]
    fn from_any_entry_on_the_rest_is_what_was_not_sent() {
        let statement = statement();
        let settled = Timestamp(25);
        let mut place = Place::from(0, None);
        for sent in 0..=7 {
            let rest = place.rest(&statement, settled);
            let expected: Vec<&Entry> = statement[sent..7].iter().collect();
            // Two things that expire together are sent together.
            if sent == 3 {
                assert!(!may_part(&statement[2], &statement[3]));
            } else {
                assert_eq!(rest.entries, expected, "after {sent}");
            }
            assert_eq!(rest.expires_next, Some(Timestamp(30)));
            assert_eq!(place.to_string().parse(), Ok(place));
            if sent < 7 {
                place.pass(&statement[sent]);
            }
        }
        place.pass_all(12);
        let rest = place.rest(&statement, Timestamp(30));
        assert_eq!(rest.entries, [&statement[7]]);
        assert_eq!(rest.expires_next, None);
    }

    #[test]
    fn what_expires_waits_until_nothing_can_come_before_it() {
        let statement = statement();
        let rest = Place::from(0, None).rest(&statement, Timestamp(12));
        assert_eq!(rest.entries.len(), 6);
        assert_eq!(rest.expires_next, Some(Timestamp(20)));
        // A later record is proof enough.
        let rest = Place::from(0, None).rest(&statement, Timestamp(0));
        assert_eq!(rest.entries.len(), 6);
    }

    #[test]
    fn a_position_alone_says_where_to_begin() {
        let statement = statement();
        let from = |next, at| {
            let rest = Place::from(next, Some(Timestamp(at))).rest(&statement, Timestamp(25));
            rest.entries.len()
        };
        assert_eq!(from(4, 1), 5);
        assert_eq!(from(5, 10), 3);
        assert_eq!(from(10, 12), 1);
    }

    #[test]
    fn other_tokens_are_refused() {
        for bad in [
            "",
            "w",
            "w1.2.3",
            "w1.2.3.4",
            "w01.0.-.-",
            "x1.0.-.-",
            "w1.0.-.-.-",
        ] {
            assert_eq!(bad.parse::<Place>(), Err(NoPlace), "{bad}");
        }
    }
}
