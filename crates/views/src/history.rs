//! An account's history as of a size: positions from the store's key index, bodies from the store.
//!
//! Apart from `account` because the learners' history also answers who is linked to it. No view is
//! asked: the history is as current as the store, and as of any earlier size it is the same for ever,
//! but for what has been erased since.

use std::collections::BTreeMap;

use chain::{Position, Record};
use ledger::event::erasure_covers;
use ledger::{Account, Event, EventKind, Handle, KeySecret, Timestamp};
use store::{EventStore, Key};

use crate::apply::decode;
use crate::fault::ViewsFault;

/// All events below a size on the chains of an account and of every account that was joined with it by
/// merges below that size, either way and transitively. A record of a merged account is revoked or
/// superseded on the absorbing account's chain, hence all of them.
#[derive(Debug, Clone, Default)]
pub struct History {
    /// The records with their events, in order of position.
    pub records: Vec<(Record, Event)>,
    /// The accounts, each with the position of its last event; without any event, not there.
    pub(crate) tips: BTreeMap<Handle, u64>,
}

impl History {
    /// Reads it.
    pub(crate) async fn read<S: EventStore>(
        store: &S,
        secret: &KeySecret,
        handle: Handle,
        size: u64,
    ) -> Result<History, ViewsFault> {
        let mut history = History::default();
        let mut members = vec![handle];
        let mut next = 0;
        while let Some(member) = members.get(next).copied() {
            next += 1;
            let positions = store
                .find_all(learner_key(secret, member), Position(0), Position(size))
                .await
                .map_err(ViewsFault::Read)?;
            let Some(tip) = positions.last() else {
                continue;
            };
            history.tips.insert(member, tip.0);
            for record in store.get(&positions).await.map_err(ViewsFault::Read)? {
                let event = decode(&record)?;
                if let Some(other) = event.body.joined().filter(|it| !members.contains(it)) {
                    members.push(other);
                }
                history.records.push((record, event));
            }
        }
        history
            .records
            .sort_unstable_by_key(|(record, _)| record.leaf.position);
        Ok(history)
    }

    /// The account that these events make.
    #[must_use]
    pub fn fold(&self, secret: &KeySecret, handle: Handle) -> Account {
        let mut account = Account::new(handle, secret);
        for (record, event) in &self.records {
            let position = ledger::Position(record.leaf.position.0);
            account.apply(position, Timestamp(record.leaf.recorded_at.0), event);
        }
        account
    }

    /// Whether any of the accounts has been erased as a whole, or is being erased.
    pub(crate) fn has_erasure(&self) -> bool {
        let mut kinds = self.records.iter().map(|(_, event)| event.body.kind());
        kinds.any(|kind| kind == EventKind::LearnerErased)
    }

    /// Whether a body is still there that an erasure in the history covers, or may cover: then what is
    /// folded now may differ from what will be folded once it is gone.
    pub(crate) fn is_being_erased(&self) -> bool {
        let mut erasures: Vec<EventKind> = Vec::new();
        // From the end, because an erasure covers what came before it.
        for (record, event) in self.records.iter().rev() {
            let kind = event.body.kind();
            let covered = erasures.iter().any(|it| erasure_covers(*it, kind));
            if !record.is_erased() && covered {
                return true;
            }
            let erases = matches!(
                kind,
                EventKind::LearnerErased | EventKind::LearnerIdentityErased
            );
            if erases && !erasures.contains(&kind) {
                erasures.push(kind);
            }
        }
        false
    }
}

/// Under which all events of a chain are found.
pub(crate) fn learner_key(secret: &KeySecret, handle: Handle) -> Key {
    Key(secret.learner(handle).0)
}
