//! Which provisional accounts wait to be bound to a person.
//!
//! Tree `provisional`: handle to [`Provisional`], kept after the account is merged, because a separation
//! opens it again. Tree `pending`: position of registration to handle, only while it is open, for
//! paging. Order: `pending` first, so that a crash between the two is mended by replay: the value in
//! `provisional` still says that the event is to be taken in.

use chain::Position;
use ledger::Handle;
use serde::{Deserialize, Serialize};

use crate::fault::ViewsFault;
use crate::sealed::Sealed;

/// A provisional account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Provisional {
    /// Position of its registration.
    registered: u64,
    /// Position of the last event that this reflects.
    reflects: u64,
    /// Where it stands.
    stage: Stage,
}

/// Where a provisional account stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Stage {
    /// It waits.
    Open,
    /// It is merged into another.
    Merged,
    /// It got a person's attributes, or was erased; it will not wait again.
    Settled,
}

/// The two trees.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Trees<'a> {
    pub(crate) provisional: &'a Sealed,
    pub(crate) pending: &'a Sealed,
}

impl Trees<'_> {
    /// Takes in the registration of a provisional account.
    pub(crate) fn register(&self, position: u64, handle: Handle) -> Result<(), ViewsFault> {
        if self.provisional.get_as::<Provisional>(&handle.0)?.is_some() {
            return Ok(());
        }
        self.pending
            .put(&position.to_be_bytes(), handle.0.to_vec())?;
        let stage = Stage::Open;
        let value = Provisional {
            registered: position,
            reflects: position,
            stage,
        };
        self.provisional.put_as(&handle.0, &value)
    }

    /// Takes in what became of an account, if it is a provisional one.
    pub(crate) fn set(&self, position: u64, handle: Handle, to: Stage) -> Result<(), ViewsFault> {
        let Some(before) = self.provisional.get_as::<Provisional>(&handle.0)? else {
            return Ok(());
        };
        if before.reflects >= position || before.stage == Stage::Settled {
            return Ok(());
        }
        let key = before.registered.to_be_bytes();
        match to {
            Stage::Open => self.pending.put(&key, handle.0.to_vec())?,
            Stage::Merged | Stage::Settled => self.pending.remove(&key)?,
        }
        let after = Provisional {
            reflects: position,
            stage: to,
            ..before
        };
        self.provisional.put_as(&handle.0, &after)
    }

    /// Accounts that wait and were registered after `after` and below `size`, at most `limit`.
    pub(crate) fn page(
        &self,
        after: Option<Position>,
        limit: usize,
        size: u64,
    ) -> Result<Vec<(Position, Handle)>, ViewsFault> {
        let from = after.map_or(Some(0), |after| after.0.checked_add(1));
        let Some(from) = from.filter(|from| *from < size) else {
            return Ok(Vec::new());
        };
        let found = self.pending.range(from.to_be_bytes()..size.to_be_bytes());
        let read = |entry| {
            let (key, content): (sled::IVec, crate::sealed::Content) = entry?;
            let position = key.as_ref().try_into().map(u64::from_be_bytes);
            let handle = content.bytes().try_into().map(Handle);
            match (position, handle) {
                (Ok(position), Ok(handle)) => Ok((Position(position), handle)),
                _ => Err(self.pending.damaged()),
            }
        };
        found.take(limit).map(read).collect()
    }
}
