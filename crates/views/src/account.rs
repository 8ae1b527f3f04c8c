//! Accounts: folded from the bodies in the store, and summed up for the next balance.
//!
//! Tree `accounts`: handle to a [`Summary`], made when a balance is first asked for. A summary names
//! every account whose events it is made from, each with its last event. It holds exactly while the
//! store's key index still gives these as the last ones: whatever changes an account, a merge too, lies
//! on the chain of one of them. So a balance is one look-up here and one in the key index, however long
//! the history and the ledger are, and the views need not have applied anything.

use chain::{Position, Record};
use ledger::account::Balance;
use ledger::codec::number_of;
use ledger::words::StudentNumber;
use ledger::{Account, Date, EventKind, Handle, Revision};
use store::{EventStore, Key};

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

    /// The same of an account that is open and not erased: its handle leads to it and to no other, so that
    /// nothing else need be looked up. `None` of any other, and where there is none.
    ///
    /// # Errors
    /// As [`Views::history`].
    pub async fn open_balance<S: EventStore>(
        &self,
        store: &S,
        handle: Handle,
        size: u64,
        on: Date,
    ) -> Result<Option<AccountBalance>, ViewsFault> {
        let summary = self.summary(store, handle, size).await?;
        let open = !summary.closed && !summary.erased && summary.revision() > Revision(0);
        Ok(open.then(|| AccountBalance::of(&summary, on)))
    }

    /// The account as of a size, under the same condition.
    ///
    /// # Errors
    /// As [`Views::history`].
    pub async fn open_account<S: EventStore>(
        &self,
        store: &S,
        handle: Handle,
        size: u64,
    ) -> Result<Option<Account>, ViewsFault> {
        let history = self.history(store, handle, size).await?;
        if history.has_erasure() {
            return Ok(None);
        }
        let account = history.fold(&self.secret, handle);
        let open = !account.is_closed() && account.revision() > Revision(0);
        Ok(open.then_some(account))
    }

    /// The account to which the latest event about a student number links it, where that event's leaf says
    /// so; `None` where more has to be read. What has become of the account since is not looked at.
    ///
    /// # Errors
    /// The store fails.
    pub async fn linked<S: EventStore>(
        &self,
        store: &S,
        student: &StudentNumber,
    ) -> Result<Option<Handle>, ViewsFault> {
        let key = Key(self.secret.student(student).0);
        let found = store.find(&[key]).await.map_err(ViewsFault::Read)?;
        let Some(Some(position)) = found.first() else {
            return Ok(None);
        };
        let records = store.get(&[*position]).await.map_err(ViewsFault::Read)?;
        let links = |record: &&Record| {
            record.leaf.kind == number_of(EventKind::IdentityLinked) && !record.is_erased()
        };
        let link = records.first().filter(links);
        let learner = link.and_then(|record| record.leaf.learner);
        Ok(learner.map(|learner| Handle(learner.handle.0)))
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
        let mut summary = Summary::of(&history.fold(&self.secret, handle), &history.tips);
        summary.erased = history.has_erasure();
        // An account of nobody is not worth a value, and anyone could ask for any number of them.
        let worth = !summary.tips.is_empty() && !summary.erased && !history.is_being_erased();
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
