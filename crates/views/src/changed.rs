//! Which achievements are not as they were first recorded: got another version, or were suspended or
//! revoked.
//!
//! Tree `changed`: the issuer as in `lists`, the position of the first recording (u64) and of the version
//! (u64, 0 for a change of standing), to a [`Change`]. Apart from the lists because these come out of
//! order; few records change, so that one value each does no harm. What is here is looked at besides
//! what the lists give; whether it matches as of a moment, its events say.

use chain::Institution;
use serde::{Deserialize, Serialize};

use crate::fault::ViewsFault;
use crate::lists::{CodeHash, Scanned, of_issuer};
use crate::sealed::Sealed;

/// How a record changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Change {
    /// Suspended or revoked.
    Standing,
    /// Another version; `code` of one without a code is that of the empty text.
    Content {
        /// Its code.
        code: CodeHash,
        /// Its day of award, in days since 1970-01-01.
        day: i32,
    },
}

/// Notes a change by the event at `position` of the record first recorded at `first`.
pub(crate) fn put(
    changed: &Sealed,
    issuer: Institution,
    (first, position): (u64, u64),
    change: Change,
) -> Result<(), ViewsFault> {
    let version = match change {
        Change::Standing => 0,
        Change::Content { .. } => position,
    };
    changed.put_as(&key(issuer, first, version), &change)
}

/// First positions from `from` on and below `below` of the records with a change that matches, as
/// [`crate::lists::scan`].
pub(crate) fn scan(
    changed: &Sealed,
    issuer: Institution,
    (from, below): (u64, u64),
    matches: impl Fn(&Change) -> bool,
    (look_max, limit): (usize, usize),
) -> Result<Scanned, ViewsFault> {
    let mut scanned = Scanned::default();
    let range = changed.range(key(issuer, from, 0)..key(issuer, below, 0));
    for (looked, found) in range.enumerate() {
        let (key, content) = found?;
        let (first, _) = positions(changed, &key)?;
        // Only between two records, so that the next scan goes on behind all versions of this one.
        let other = scanned.until != Some(first);
        if other && (looked >= look_max || scanned.positions.len() >= limit) {
            return Ok(scanned);
        }
        scanned.until = Some(first);
        let known = scanned.positions.last() == Some(&first);
        if !known && matches(&changed.decode(&content)?) {
            scanned.positions.push(first);
        }
    }
    scanned.until = None;
    Ok(scanned)
}

/// Takes out what is known of erased versions.
pub(crate) fn strike(
    changed: &Sealed,
    issuer: Institution,
    erased: &[u64],
) -> Result<(), ViewsFault> {
    for found in changed.under(&of_issuer(issuer)) {
        let (key, _) = found?;
        let (first, version) = positions(changed, &key)?;
        let of_version = erased.binary_search(&version).is_ok();
        let of_record = version > 0 && erased.binary_search(&first).is_ok();
        if of_version || of_record {
            changed.remove(&key)?;
        }
    }
    Ok(())
}

fn key(issuer: Institution, first: u64, version: u64) -> Vec<u8> {
    let numbers = [first.to_be_bytes(), version.to_be_bytes()].concat();
    [of_issuer(issuer), numbers].concat()
}

fn positions(changed: &Sealed, key: &[u8]) -> Result<(u64, u64), ViewsFault> {
    let numbers = key.len().checked_sub(16).and_then(|from| key.get(from..));
    let (first, version) = numbers
        .and_then(|numbers| numbers.split_at_checked(8))
        .ok_or_else(|| changed.damaged())?;
    match (first.try_into(), version.try_into()) {
        (Ok(first), Ok(version)) => Ok((u64::from_be_bytes(first), u64::from_be_bytes(version))),
        _ => Err(changed.damaged()),
    }
}
