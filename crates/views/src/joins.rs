//! Which accounts were ever joined by a merge, and which are now.
//!
//! Tree `joins`: two handles, both ways round, to a [`Join`]. Kept for ever, also after a separation: an
//! event about a record of a merged account lies on the absorbing account's chain, so every account of
//! the component is needed to know what became of a record.

use std::collections::BTreeSet;

use ledger::Handle;
use serde::{Deserialize, Serialize};

use crate::fault::ViewsFault;
use crate::sealed::Sealed;

/// How the second handle of the key relates to the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Join {
    /// Position of the first merge of the two.
    since: u64,
    /// Position of the last event that this reflects.
    reflects: u64,
    /// Whether the second is merged into the first now.
    absorbed: bool,
}

/// Takes in that `account` was merged into `into`.
pub(crate) fn merge(
    joins: &Sealed,
    position: u64,
    account: Handle,
    into: Handle,
) -> Result<(), ViewsFault> {
    set(joins, position, (into, account), true)?;
    set(joins, position, (account, into), false)
}

/// Takes in that `account` was given back by `from`.
pub(crate) fn separate(
    joins: &Sealed,
    position: u64,
    account: Handle,
    from: Handle,
) -> Result<(), ViewsFault> {
    set(joins, position, (from, account), false)?;
    set(joins, position, (account, from), false)
}

fn set(
    joins: &Sealed,
    position: u64,
    (one, other): (Handle, Handle),
    absorbed: bool,
) -> Result<(), ViewsFault> {
    let key = [one.0, other.0].concat();
    let before = joins.get_as::<Join>(&key)?;
    if before.is_some_and(|join| join.reflects >= position) {
        return Ok(());
    }
    let since = before.map_or(position, |join| join.since);
    joins.put_as(
        &key,
        &Join {
            since,
            reflects: position,
            absorbed,
        },
    )
}

/// Every account that merges below `size` ever joined with this one, itself included.
pub(crate) fn component(
    joins: &Sealed,
    handle: Handle,
    size: u64,
) -> Result<BTreeSet<Handle>, ViewsFault> {
    reachable(joins, handle, |join| join.since < size)
}

/// This account and those that are merged into it now, transitively.
pub(crate) fn group(joins: &Sealed, handle: Handle) -> Result<BTreeSet<Handle>, ViewsFault> {
    reachable(joins, handle, |join| join.absorbed)
}

fn reachable(
    joins: &Sealed,
    handle: Handle,
    counts: impl Fn(&Join) -> bool,
) -> Result<BTreeSet<Handle>, ViewsFault> {
    let mut reached = BTreeSet::from([handle]);
    let mut next = vec![handle];
    while let Some(member) = next.pop() {
        for entry in joins.under(&member.0) {
            let (key, content) = entry?;
            let other = key.get(16..).and_then(|other| other.try_into().ok());
            let other = Handle(other.ok_or_else(|| joins.damaged())?);
            if counts(&joins.decode::<Join>(&content)?) && reached.insert(other) {
                next.push(other);
            }
        }
    }
    Ok(reached)
}
