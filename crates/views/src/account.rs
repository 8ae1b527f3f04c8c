//! Accounts: folded from the bodies in the store, and summed up for the next balance.
//!
//! Tree `accounts`: handle to a [`Summary`], made when a balance is first asked for. A summary names
//! every account whose events it is made from, each with its last event. It holds exactly while the
//! store's key index still gives these as the last ones: whatever changes an account, a merge too, lies
//! on the chain of one of them. So a balance is one look-up here and one in the key index, however long
//! the history and the ledger are, and the views need not have applied anything.

use chain::Position;
use ledger::account::Balance;
use ledger::{Account, Date, Handle, Revision};
use store::EventStore;

use crate::fault::ViewsFault;
use crate::history::{History, learner_key};
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
}

impl AccountBalance {
    fn of(summary: &Summary, on: Date) -> AccountBalance {
        AccountBalance {
            balance: summary.balance(on),
            provisional: summary.provisional,
            closed: summary.closed,
            revision: summary.revision(),
        }
    }
}

impl Views {
    /// The account's events as of a size.
    ///
    /// # Errors
    /// The store fails, or one of its records does not decode.
    pub async fn history<S: EventStore>(
        &self,
        store: &S,
        handle: Handle,
        size: u64,
    ) -> Result<History, ViewsFault> {
        History::read(store, &self.secret, handle, size).await
    }

    /// The account as of a size, folded from the bodies in the store. Without any history it is empty.
    ///
    /// # Errors
    /// As [`Views::history`].
    pub async fn account<S: EventStore>(
        &self,
        store: &S,
        handle: Handle,
        size: u64,
    ) -> Result<Account, ViewsFault> {
        let history = self.history(store, handle, size).await?;
        Ok(history.fold(&self.secret, handle))
    }

    /// The balance as of a size, on a day. Reads bodies only when the account has had an event since the
    /// last time, or since that size.
    ///
    /// # Errors
    /// As [`Views::history`]. What is wrong with the views themselves only makes it slower.
    pub async fn balance<S: EventStore>(
        &self,
        store: &S,
        handle: Handle,
        size: u64,
        on: Date,
    ) -> Result<AccountBalance, ViewsFault> {
        let summary = self.summary(store, handle, size).await?;
        Ok(AccountBalance::of(&summary, on))
    }

    /// The same, if it is summed up already and the account is open: then it is what the handle leads to,
    /// and nothing else need be looked up. Two look-ups, however large the ledger is.
    ///
    /// # Errors
    /// The store fails.
    pub async fn summed_up<S: EventStore>(
        &self,
        store: &S,
        handle: Handle,
        size: u64,
        on: Date,
    ) -> Result<Option<AccountBalance>, ViewsFault> {
        let summary = self.current(store, handle, size).await?;
        let open = summary.filter(|summary| !summary.closed);
        Ok(open.map(|summary| AccountBalance::of(&summary, on)))
    }

    /// Whether a record of that issuer is with the account as of a size, whatever its state.
    ///
    /// # Errors
    /// As [`Views::balance`].
    pub async fn holds_of<S: EventStore>(
        &self,
        store: &S,
        handle: Handle,
        size: u64,
        issuer: &str,
    ) -> Result<bool, ViewsFault> {
        let summary = self.summary(store, handle, size).await?;
        Ok(summary.issuers.iter().any(|of| of == issuer))
    }

    async fn summary<S: EventStore>(
        &self,
        store: &S,
        handle: Handle,
        size: u64,
    ) -> Result<Summary, ViewsFault> {
        if let Some(summary) = self.current(store, handle, size).await? {
            return Ok(summary);
        }
        let erasures = *lock(&self.erasures);
        let history = self.history(store, handle, size).await?;
        let summary = Summary::of(&history.fold(&self.secret, handle), &history.tips);
        // An account of nobody is not worth a value, and anyone could ask for any number of them.
        let worth = !summary.tips.is_empty() && !history.is_being_erased();
        if worth && self.is_current(store, &summary).await? {
            self.keep(handle, &summary, erasures);
        }
        Ok(summary)
    }

    /// What is stored, if nothing has happened since, nor since that size.
    async fn current<S: EventStore>(
        &self,
        store: &S,
        handle: Handle,
        size: u64,
    ) -> Result<Option<Summary>, ViewsFault> {
        // A value that cannot be read is as good as none; `with` has it mended.
        let known = self.with(|trees, _| trees.accounts.get_as::<Summary>(&handle.0));
        if let Ok(Some(summary)) = known
            && summary.tips.iter().all(|(_, tip)| *tip < size)
            && self.is_current(store, &summary).await?
        {
            return Ok(Some(summary));
        }
        Ok(None)
    }

    /// Whether no account that it is made from has had an event since.
    async fn is_current<S: EventStore>(
        &self,
        store: &S,
        summary: &Summary,
    ) -> Result<bool, ViewsFault> {
        let keys = summary.tips.iter();
        let keys: Vec<_> = keys
            .map(|(member, _)| learner_key(&self.secret, Handle(*member)))
            .collect();
        let found = store.find(&keys).await.map_err(ViewsFault::Read)?;
        let tips = summary.tips.iter().map(|(_, tip)| Some(Position(*tip)));
        Ok(tips.eq(found))
    }

    /// Stores a summary, unless something was erased since `erasures` were counted: what it is made from
    /// may be gone.
    fn keep(&self, handle: Handle, summary: &Summary, erasures: u64) {
        let kept = self.with(|trees, _| {
            let now = lock(&self.erasures);
            match *now == erasures {
                true => trees.accounts.put_as(&handle.0, summary),
                false => Ok(()),
            }
        });
        if let Err(fault) = kept {
            // The answer is right without it; whoever needs the views reports what is wrong with them.
            tracing::debug!(%fault, "an account's sums were not stored");
        }
    }
}
