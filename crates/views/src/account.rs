//! Accounts: folded from the bodies in the store, and summed up for the next balance.
//!
//! Apart from `views` because only here the store is read. Tree `accounts`: handle to a [`Summary`],
//! made when a balance is first asked for. A summary says the last position of the history it is made
//! from; since the log only grows, it is up to date exactly when the history still ends there.

use chain::{Position, Record};
use ledger::account::Balance;
use ledger::event::erasure_covers;
use ledger::{Account, Date, EventKind, Handle, KeySecret, Revision, Timestamp, codec};
use store::EventStore;

use crate::apply::decode;
use crate::fault::ViewsFault;
use crate::summary::Summary;
use crate::views::{Views, lock};

/// A balance with what else is shown of the account beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountBalance {
    /// What is held on the day.
    pub balance: Balance,
    /// Whether the account is bound to no person.
    pub provisional: bool,
    /// Whether it is closed into another one, which then holds everything.
    pub closed: bool,
    /// The revision that the next event on its chain gets; 0 when there is no such account.
    pub revision: Revision,
    /// Number of records reflected.
    pub size: u64,
}

impl Views {
    /// The account as of the size that is returned with it, folded from the bodies in the store. Without
    /// any history it is empty.
    ///
    /// # Errors
    /// As [`Views::history`], or the store fails, or one of its records does not decode.
    pub async fn account<S: EventStore>(
        &self,
        store: &S,
        secret: &KeySecret,
        handle: Handle,
    ) -> Result<(Account, u64), ViewsFault> {
        let (history, size) = self.history_now(handle)?;
        let records = read(store, &history).await?;
        Ok((fold(&records, secret, handle)?, size))
    }

    /// The balance on a day. Reads bodies only when the account has had an event since the last time.
    ///
    /// # Errors
    /// As [`Views::account`].
    pub async fn balance<S: EventStore>(
        &self,
        store: &S,
        secret: &KeySecret,
        handle: Handle,
        on: Date,
    ) -> Result<AccountBalance, ViewsFault> {
        let (history, size) = self.history_now(handle)?;
        let tip = history.last().map_or(0, |tip| tip.0);
        let known = self.with(|trees, _| trees.accounts.get_as::<Summary>(&handle.0))?;
        let summary = match known.filter(|summary| summary.tip == tip && !history.is_empty()) {
            Some(summary) => summary,
            None => self.summarise(store, secret, handle, &history).await?,
        };
        Ok(AccountBalance {
            balance: summary.balance(on),
            provisional: summary.provisional,
            closed: summary.closed,
            revision: summary.revision(),
            size,
        })
    }

    async fn summarise<S: EventStore>(
        &self,
        store: &S,
        secret: &KeySecret,
        handle: Handle,
        history: &[Position],
    ) -> Result<Summary, ViewsFault> {
        let erasures = *lock(&self.erasures);
        let records = read(store, history).await?;
        let tip = history.last().map_or(0, |tip| tip.0);
        let summary = Summary::of(&fold(&records, secret, handle)?, tip);
        // An account of nobody is not worth a value, and anyone could ask for any number of them.
        if !history.is_empty() && !is_being_erased(&records)? {
            self.with(|trees, _| {
                let now = lock(&self.erasures);
                match *now == erasures {
                    true => trees.accounts.put_as(&handle.0, &summary),
                    false => Ok(()),
                }
            })?;
        }
        Ok(summary)
    }
}

async fn read<S: EventStore>(store: &S, history: &[Position]) -> Result<Vec<Record>, ViewsFault> {
    store.get(history).await.map_err(ViewsFault::Read)
}

fn fold(records: &[Record], secret: &KeySecret, handle: Handle) -> Result<Account, ViewsFault> {
    let mut account = Account::new(handle, secret);
    for record in records {
        let position = ledger::Position(record.leaf.position.0);
        let at = Timestamp(record.leaf.recorded_at.0);
        account.apply(position, at, &decode(record)?);
    }
    Ok(account)
}

/// Whether a body is still there that an erasure in the history covers, or may cover: then what is
/// folded now may differ from what will be folded once it is gone.
fn is_being_erased(records: &[Record]) -> Result<bool, ViewsFault> {
    let mut erasures: Vec<EventKind> = Vec::new();
    // From the end, because an erasure covers what came before it.
    for record in records.iter().rev() {
        let position = record.leaf.position;
        let kind = codec::kind_of(record.leaf.kind)
            .map_err(|source| ViewsFault::Record { position, source })?;
        let covered = || {
            erasures
                .iter()
                .any(|erasure| erasure_covers(*erasure, kind))
        };
        if !record.is_erased() && covered() {
            return Ok(true);
        }
        if matches!(
            kind,
            EventKind::LearnerErased | EventKind::LearnerIdentityErased
        ) && !erasures.contains(&kind)
        {
            erasures.push(kind);
        }
    }
    Ok(false)
}
