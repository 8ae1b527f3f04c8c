//! What the records of a batch do not say themselves and the store tells: where a changed record was
//! first recorded, and what an erasure takes away.
//!
//! Apart from `apply`, which works under locks and waits for nothing. Asked anew whenever the records are
//! applied again; only rare events ask.

use std::collections::{BTreeMap, BTreeSet};

use chain::{Institution, Position, Record};
use ledger::event::erasure_covers;
use ledger::{EventKind, Handle, KeySecret};
use store::{EventStore, Key};

use crate::apply::{decode, kind_of};
use crate::changed;
use crate::fault::ViewsFault;
use crate::history::History;
use crate::lists;
use crate::views::{Trees, Views, lock};

/// What the store tells about some records.
#[derive(Debug, Default)]
pub(crate) struct Told {
    /// By the position of a new version, a suspension or a revocation: where the record was first recorded.
    pub(crate) firsts: BTreeMap<u64, u64>,
    /// By the position of an erasure.
    pub(crate) erasures: BTreeMap<u64, Gone>,
}

/// What an erasure takes away.
#[derive(Debug, Default)]
pub(crate) struct Gone {
    /// The account and all that it has taken in.
    pub(crate) group: BTreeSet<Handle>,
    /// Those, and every account ever joined with one of them.
    joined: BTreeSet<Handle>,
    /// Positions of events about achievements, ascending.
    records: BTreeMap<Institution, Vec<u64>>,
}

impl Told {
    /// Asks about these records.
    pub(crate) async fn by<S: EventStore>(
        store: &S,
        secret: &KeySecret,
        records: &[Record],
    ) -> Result<Told, ViewsFault> {
        let mut told = Told::default();
        for record in records {
            let position = record.leaf.position.0;
            match kind_of(record)? {
                EventKind::AchievementSuperseded
                | EventKind::AchievementSuspended
                | EventKind::AchievementRevoked
                    if !record.is_erased() =>
                {
                    let first = first_recorded(store, secret, record).await?;
                    told.firsts.extend(first.map(|first| (position, first)));
                }
                EventKind::LearnerErased | EventKind::LearnerIdentityErased => {
                    let gone = Gone::by(store, secret, record).await?;
                    told.erasures.insert(position, gone);
                }
                _ => {}
            }
        }
        Ok(told)
    }
}

/// Where the record that an event is about was first recorded; after an erasure of that, another place,
/// where a search then finds nothing.
async fn first_recorded<S: EventStore>(
    store: &S,
    secret: &KeySecret,
    record: &Record,
) -> Result<Option<u64>, ViewsFault> {
    let event = decode(record)?;
    let Some(record_id) = event.body.record_id() else {
        return Ok(None);
    };
    let key = Key(secret.record(&event.issuer, record_id).0);
    let found = store.find_all(key, Position(0), record.leaf.position).await;
    let found = found.map_err(ViewsFault::Read)?;
    Ok(found.first().map(|first| first.0))
}

impl Gone {
    /// By the record of an erasure.
    async fn by<S: EventStore>(
        store: &S,
        secret: &KeySecret,
        erasure: &Record,
    ) -> Result<Gone, ViewsFault> {
        let Some(link) = &erasure.leaf.learner else {
            return Ok(Gone::default());
        };
        let (handle, size) = (Handle(link.handle.0), erasure.leaf.position.0);
        let kind = kind_of(erasure)?;
        let history = History::read(store, secret, handle, size).await?;
        let group: BTreeSet<Handle> = history.fold(secret, handle).members().collect();
        let covers = |record: &Record, of: EventKind| {
            let learner = record.leaf.learner.map(|link| Handle(link.handle.0));
            erasure_covers(kind, of) && learner.is_some_and(|learner| group.contains(&learner))
        };
        let mut gone = Gone::of(&history, covers);
        gone.group = group;
        Ok(gone)
    }

    /// What of a history is about achievements and is covered.
    fn of(history: &History, covers: impl Fn(&Record, EventKind) -> bool) -> Gone {
        let mut gone = Gone {
            joined: history.tips.keys().copied().collect(),
            ..Gone::default()
        };
        for (record, event) in &history.records {
            let kind = event.body.kind();
            // Whatever stands first about a record is what searches lead to, also when it is no content.
            let about_record = matches!(
                kind,
                EventKind::AchievementRecorded
                    | EventKind::AchievementSuperseded
                    | EventKind::AchievementSuspended
                    | EventKind::AchievementReinstated
                    | EventKind::AchievementRevoked
                    | EventKind::AchievementReassigned
                    | EventKind::AchievementReceived
            );
            if about_record && covers(record, kind) {
                let of_issuer = gone.records.entry(record.leaf.issuer).or_default();
                of_issuer.push(record.leaf.position.0);
            }
        }
        gone
    }
}

impl Views {
    /// After an erasure: drops what is stored of the accounts of these learners, of all that were ever
    /// joined with them, and of what was recorded for them. To be called once the bodies are gone; the
    /// record of the erasure, when it is applied, does the same, but the bodies may have been read again
    /// in between.
    ///
    /// # Errors
    /// As [`Views::search`], or the store fails.
    pub async fn forget<S: EventStore>(
        &self,
        store: &S,
        handles: &[Handle],
    ) -> Result<(), ViewsFault> {
        for handle in handles {
            let history = self.history(store, *handle, u64::MAX).await?;
            let gone = Gone::of(&history, |record, _| record.is_erased());
            // Nothing is written into the lists meanwhile.
            let _writer = self.lock_writer();
            self.with(|trees, _| self.strike(trees, &gone))?;
        }
        Ok(())
    }

    /// Drops it. The writer is locked.
    pub(crate) fn strike(&self, trees: &Trees, gone: &Gone) -> Result<(), ViewsFault> {
        for (issuer, positions) in &gone.records {
            self.buffer.strike(*issuer, positions);
            lists::strike(&trees.lists, *issuer, positions)?;
            changed::strike(&trees.changed, *issuer, positions)?;
        }
        let mut erasures = lock(&self.erasures);
        *erasures = erasures.wrapping_add(1);
        gone.joined
            .iter()
            .try_for_each(|member| trees.accounts.remove(&member.0))
    }
}
