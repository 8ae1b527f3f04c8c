//! Taking a batch of records in.
//!
//! Apart from the trees so that the order of their writes is in one place. Entries of lists, one or two
//! per recorded achievement, go into the buffer; the rare events (registrations, merges, changes of
//! records, erasures) are written one by one. What the records alone do not tell (`told`) is read from
//! the store before.
//!
//! Order: rare events, in order of position; the buffer; the reach in memory, which readers ask for
//! first; then, when much waits, all of it, and the mark (see `open`). A crash or a failure after any of
//! these leaves values ahead of the mark: the records are applied again, and each value tells what it
//! reflects already.

use chain::{Position, Record};
use ledger::event::Opening;
use ledger::{Body, Event, EventKind, Handle, KeySecret, codec};
use store::EventStore;

use crate::buffer::Lists;
use crate::changed::{self, Change};
use crate::chunk::{Entry, NO_DAY};
use crate::fault::ViewsFault;
use crate::lists::{ListKey, hash_of};
use crate::mark::Reach;
use crate::pending::Stage;
use crate::told::Told;
use crate::views::{Trees, Views};

impl Views {
    /// Takes in records in order of position, without gaps from [`Views::applied`] on; those below are
    /// skipped. A last record that is the first half of a pair (a merge, a separation, a reassignment)
    /// is left for next time, so that no answer shows half of it.
    ///
    /// # Errors
    /// [`ViewsFault::Gap`] and [`ViewsFault::OtherHistory`] before anything is changed;
    /// [`ViewsFault::Record`], [`ViewsFault::Damaged`] or a failure of the store or the database in the
    /// middle, after which the same records can be applied again.
    pub async fn apply<S: EventStore>(
        &self,
        store: &S,
        records: &[Record],
    ) -> Result<(), ViewsFault> {
        let told = Told::by(store, &self.secret, new_records(self.reach(), records)?).await?;
        let mut writer = self.lock_writer();
        let new = new_records(writer.reach, records)?;
        let Some(last) = new.last() else {
            return Ok(());
        };
        let reach = Reach {
            size: last.leaf.position.0 + 1,
            hash: last.hash().0,
        };
        let batch = Batch::of(&self.secret, new)?;
        self.with(|trees, _| {
            for record in batch.rare {
                self.apply_rare(trees, record, &told)?;
            }
            self.buffer.put(batch.lists);
            writer.reach = reach;
            self.applied.send_replace(reach.size);
            self.sweep(trees, reach)
        })
    }

    fn apply_rare(&self, trees: &Trees, record: &Record, told: &Told) -> Result<(), ViewsFault> {
        let Some(handle) = learner_of(record) else {
            return Ok(());
        };
        let position = record.leaf.position.0;
        let pending = trees.pending();
        let change = |change| match told.firsts.get(&position) {
            Some(first) => changed::put(
                &trees.changed,
                record.leaf.issuer,
                (*first, position),
                change,
            ),
            None => Ok(()),
        };
        match decode(record)?.body {
            Body::LearnerRegistered(registered) => match registered.opening {
                Opening::Provisional(_) => pending.register(position, handle),
                Opening::Person(_) => Ok(()),
            },
            Body::LearnerMerged(_) => pending.set(position, handle, Stage::Merged),
            Body::LearnerReopened(_) => pending.set(position, handle, Stage::Open),
            Body::LearnerUpdated(_) | Body::Erased(EventKind::LearnerUpdated) => {
                pending.set(position, handle, Stage::Settled)
            }
            Body::LearnerErased(_) | Body::LearnerIdentityErased => {
                let Some(gone) = told.erasures.get(&position) else {
                    return Ok(());
                };
                for member in &gone.group {
                    pending.forget(*member)?;
                }
                self.strike(trees, gone)
            }
            Body::AchievementSuperseded(new) => change(Change::Content {
                code: hash_of(&self.secret, &new.achievement.code),
                day: new.achievement.awarded.to_epoch_days(),
            }),
            Body::AchievementSuspended(_) | Body::AchievementRevoked(_) => change(Change::Standing),
            _ => Ok(()),
        }
    }
}

/// The records that are not reflected yet, after a check that they are the ones that come next.
fn new_records(reach: Reach, records: &[Record]) -> Result<&[Record], ViewsFault> {
    let known = records
        .iter()
        .take_while(|record| record.leaf.position.0 < reach.size)
        .count();
    let mut new = records.get(known..).unwrap_or_default();
    for (record, expected) in new.iter().zip(reach.size..) {
        let (expected, found) = (Position(expected), record.leaf.position);
        if expected != found {
            return Err(ViewsFault::Gap { expected, found });
        }
    }
    if let Some(first) = new.first()
        && first.leaf.previous_hash.0 != reach.hash
    {
        let position = Position(reach.size.saturating_sub(1));
        return Err(ViewsFault::OtherHistory { position });
    }
    if let Some((last, before)) = new.split_last()
        && opens_pair(kind_of(last)?)
    {
        new = before;
    }
    Ok(new)
}

/// What a batch comes to.
struct Batch<'a> {
    rare: Vec<&'a Record>,
    lists: Lists,
}

impl Batch<'_> {
    fn of<'a>(secret: &KeySecret, records: &'a [Record]) -> Result<Batch<'a>, ViewsFault> {
        let mut batch = Batch {
            rare: Vec::new(),
            lists: Lists::new(),
        };
        // The same course often comes many times in a row.
        let mut last = (String::new(), hash_of(secret, ""));
        for record in records {
            let kind = kind_of(record)?;
            if kind == EventKind::AchievementRecorded {
                let (position, issuer) = (record.leaf.position.0, record.leaf.issuer);
                let mut day = NO_DAY;
                if !record.is_erased() {
                    let (code, awarded) = glance(record)?;
                    day = awarded.to_epoch_days();
                    if code != last.0 {
                        let hash = hash_of(secret, &code);
                        last = (code, hash);
                    }
                    if !last.0.is_empty() {
                        let code = Some(last.1);
                        let list = batch.lists.entry(ListKey { issuer, code }).or_default();
                        list.push(Entry { position, day });
                    }
                }
                let all = ListKey { issuer, code: None };
                let list = batch.lists.entry(all).or_default();
                list.push(Entry { position, day });
            }
            if is_rare(kind) {
                batch.rare.push(record);
            }
        }
        Ok(batch)
    }
}

fn opens_pair(kind: EventKind) -> bool {
    matches!(
        kind,
        EventKind::LearnerMerged | EventKind::LearnersSeparated | EventKind::AchievementReassigned
    )
}

/// Kinds whose body is looked at, apart from what is recorded.
fn is_rare(kind: EventKind) -> bool {
    matches!(
        kind,
        EventKind::LearnerRegistered
            | EventKind::LearnerUpdated
            | EventKind::LearnerMerged
            | EventKind::LearnerReopened
            | EventKind::LearnerErased
            | EventKind::LearnerIdentityErased
            | EventKind::AchievementSuperseded
            | EventKind::AchievementSuspended
            | EventKind::AchievementRevoked
    )
}

fn learner_of(record: &Record) -> Option<Handle> {
    record.leaf.learner.map(|link| Handle(link.handle.0))
}

pub(crate) fn kind_of(record: &Record) -> Result<EventKind, ViewsFault> {
    codec::kind_of(record.leaf.kind).map_err(undecoded(record))
}

fn glance(record: &Record) -> Result<(String, ledger::Date), ViewsFault> {
    codec::glance(&record.body).map_err(undecoded(record))
}

fn undecoded(record: &Record) -> impl FnOnce(codec::CodecError) -> ViewsFault {
    let position = record.leaf.position;
    move |source| ViewsFault::Record { position, source }
}

/// The event of a record, erased or not.
pub(crate) fn decode(record: &Record) -> Result<Event, ViewsFault> {
    let leaf = &record.leaf;
    let (issuer, submitter) = (leaf.issuer.as_str(), leaf.submitter.as_str());
    let learner = learner_of(record);
    let event = if record.is_erased() {
        codec::erased(leaf.kind, issuer, submitter, learner)
    } else {
        codec::decode(leaf.kind, issuer, submitter, learner, &record.body)
    };
    event.map_err(undecoded(record))
}
