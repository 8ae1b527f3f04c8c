//! Which provisional accounts wait to be bound to a person, now or when the ledger was smaller.
//!
//! Tree `provisional`: position of registration to [`Provisional`], for ever. Tree `registered`: handle to
//! that position. Tree `pending`: the same position to handle, only while it is open, for paging. Tree
//! `settled`: position of the event that settled it and that of registration to nothing, so that those
//! that were open a moment ago are found without going through all.
//!
//! Order: `provisional` last, so that a crash in between is mended by replay: its value still says that
//! the event is to be taken in.

use std::collections::BTreeMap;

use chain::Position;
use ledger::Handle;
use serde::{Deserialize, Serialize};

use crate::fault::ViewsFault;
use crate::sealed::Sealed;

/// Accounts settled since the size asked for that are looked at; if there are more, all registrations
/// are gone through instead.
const SETTLED_MAX: usize = 1 << 9;
/// Registrations that are gone through at once.
const LOOK_MAX: usize = 1 << 14;

/// A provisional account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Provisional {
    handle: [u8; 16],
    /// Where it stood since when; the first is its registration.
    stages: Vec<(u64, Stage)>,
}

/// Where a provisional account stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Stage {
    /// It waits.
    Open,
    /// It is merged into another.
    Merged,
    /// It got a person's attributes; it will not wait again.
    Settled,
}

impl Provisional {
    /// The last event that this reflects, and where the account stands since.
    fn last(&self) -> (u64, Stage) {
        self.stages.last().copied().unwrap_or((0, Stage::Open))
    }

    fn is_open_at(&self, size: u64) -> bool {
        let before = self.stages.iter().take_while(|(since, _)| *since < size);
        before
            .last()
            .is_some_and(|(_, stage)| *stage == Stage::Open)
    }
}

/// Accounts with the position of their registration, ascending, and where to go on if that was not all.
pub type Page = (Vec<(Position, Handle)>, Option<Position>);

/// The trees.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Trees<'a> {
    pub(crate) provisional: &'a Sealed,
    pub(crate) registered: &'a Sealed,
    pub(crate) pending: &'a Sealed,
    pub(crate) settled: &'a Sealed,
}

impl Trees<'_> {
    /// Takes in the registration of a provisional account.
    pub(crate) fn register(&self, position: u64, handle: Handle) -> Result<(), ViewsFault> {
        let key = position.to_be_bytes();
        if self.provisional.get(&key)?.is_some() {
            return Ok(());
        }
        self.pending.put(&key, handle.0.to_vec())?;
        self.registered.put(&handle.0, key.to_vec())?;
        let account = Provisional {
            handle: handle.0,
            stages: vec![(position, Stage::Open)],
        };
        self.provisional.put_as(&key, &account)
    }

    /// Takes in what became of an account, if it is a provisional one.
    pub(crate) fn set(&self, position: u64, handle: Handle, to: Stage) -> Result<(), ViewsFault> {
        let Some(registered) = self.registered.get(&handle.0)? else {
            return Ok(());
        };
        let key = registered.bytes();
        let known = self.provisional.get_as::<Provisional>(key)?;
        let mut account = known.ok_or_else(|| self.registered.damaged())?;
        let (reflects, stage) = account.last();
        if reflects >= position || stage == Stage::Settled {
            return Ok(());
        }
        match to {
            Stage::Open => self.pending.put(key, handle.0.to_vec())?,
            Stage::Merged | Stage::Settled => {
                self.pending.remove(key)?;
                let since = [&position.to_be_bytes(), key].concat();
                self.settled.put(&since, Vec::new())?;
            }
        }
        account.stages.push((position, to));
        self.provisional.put_as(key, &account)
    }

    /// After an erasure of its identity nothing tells any more that it was provisional.
    pub(crate) fn forget(&self, handle: Handle) -> Result<(), ViewsFault> {
        let Some(registered) = self.registered.get(&handle.0)? else {
            return Ok(());
        };
        self.pending.remove(registered.bytes())?;
        self.provisional.remove(registered.bytes())?;
        self.registered.remove(&handle.0)
    }

    /// Accounts that waited when the ledger had `size` records and were registered after `after`, at
    /// most `limit`, which is at least 1.
    pub(crate) fn page(
        &self,
        after: Option<Position>,
        limit: usize,
        size: u64,
    ) -> Result<Page, ViewsFault> {
        let from = after.map_or(Some(0), |after| after.0.checked_add(1));
        let Some(from) = from.filter(|from| *from < size) else {
            return Ok((Vec::new(), None));
        };
        let Some(mut found) = self.settled_since(from, size)? else {
            return self.among_all((from, size), limit);
        };
        let range = from.to_be_bytes()..size.to_be_bytes();
        let mut until = None;
        for (looked, entry) in self.pending.range(range).take(limit).enumerate() {
            let (key, _) = entry?;
            let position = number(self.pending, &key)?;
            until = Some(position).filter(|_| looked + 1 == limit);
            // Given back only after that size, it did not wait then.
            found.extend(self.open_at(position, size)?);
        }
        let reached = |position: &Position| until.is_none_or(|until| position.0 <= until);
        let mut page: Vec<_> = found.into_iter().filter(|(at, _)| reached(at)).collect();
        let mut more = until.map(Position);
        if page.len() > limit {
            page.truncate(limit);
            more = page.last().map(|(position, _)| *position);
        }
        Ok((page, more))
    }

    /// Those that were settled since and waited then; `None` when too many were settled.
    fn settled_since(
        &self,
        from: u64,
        size: u64,
    ) -> Result<Option<BTreeMap<Position, Handle>>, ViewsFault> {
        let mut found = BTreeMap::new();
        let since = self.settled.range(size.to_be_bytes().to_vec()..);
        for (looked, entry) in since.enumerate() {
            if looked >= SETTLED_MAX {
                return Ok(None);
            }
            let (key, _) = entry?;
            let registered = number(self.settled, key.get(8..).unwrap_or_default())?;
            if from <= registered {
                found.extend(self.open_at(registered, size)?);
            }
        }
        Ok(Some(found))
    }

    fn among_all(&self, (from, size): (u64, u64), limit: usize) -> Result<Page, ViewsFault> {
        let mut page = Vec::new();
        let range = self
            .provisional
            .range(from.to_be_bytes()..size.to_be_bytes());
        for (looked, entry) in range.enumerate() {
            let (key, content) = entry?;
            let position = Position(number(self.provisional, &key)?);
            let account = self.provisional.decode::<Provisional>(&content)?;
            if account.is_open_at(size) {
                page.push((position, Handle(account.handle)));
            }
            if looked + 1 >= LOOK_MAX || page.len() >= limit {
                return Ok((page, Some(position)));
            }
        }
        Ok((page, None))
    }

    /// The account registered there, if it waited when the ledger had `size` records.
    fn open_at(&self, position: u64, size: u64) -> Result<Option<(Position, Handle)>, ViewsFault> {
        if position >= size {
            return Ok(None);
        }
        let found = self
            .provisional
            .get_as::<Provisional>(&position.to_be_bytes())?;
        let open = found.filter(|account| account.is_open_at(size));
        Ok(open.map(|account| (Position(position), Handle(account.handle))))
    }
}

fn number(tree: &Sealed, bytes: &[u8]) -> Result<u64, ViewsFault> {
    let number = bytes.try_into().map(u64::from_be_bytes);
    number.map_err(|_| tree.damaged())
}
