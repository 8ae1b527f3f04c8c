//! Taking a batch of records in.
//!
//! Apart from the trees so that the order of their writes is in one place. Positions on chains and of
//! issuers, which are one per record, go into the buffer; the rare events (registrations, merges,
//! erasures) are written one by one.
//!
//! Order: rare events, in order of position; the buffer; the reach in memory, which readers ask for
//! first; then what is due of the buffer, and after a round the mark (see `open`). A crash or a failure
//! after any of these leaves values ahead of the mark: the records are applied again, and each value
//! tells what it reflects already.

use std::collections::BTreeMap;

use chain::{Institution, Position, Record};
use ledger::event::Opening;
use ledger::{Body, Event, EventKind, Handle, codec};

use crate::chains::Link;
use crate::fault::ViewsFault;
use crate::joins;
use crate::mark::Reach;
use crate::pending::Stage;
use crate::views::{Trees, Views};

impl Views {
    /// Takes in records in order of position, without gaps from [`Views::applied`] on; those below are
    /// skipped. A last record that is the first half of a pair (a merge, a separation, a reassignment)
    /// is left for next time, so that no answer shows half of it.
    ///
    /// # Errors
    /// [`ViewsFault::Gap`] and [`ViewsFault::OtherHistory`] before anything is changed;
    /// [`ViewsFault::Record`], [`ViewsFault::Damaged`] or a failure of the database in the middle, after
    /// which the same records can be applied again.
    pub fn apply(&self, records: &[Record]) -> Result<(), ViewsFault> {
        let mut writer = self.lock_writer();
        let new = new_records(writer.reach, records)?;
        let Some(last) = new.last() else {
            return Ok(());
        };
        let reach = Reach {
            size: last.leaf.position.0 + 1,
            hash: last.hash().0,
        };
        let batch = Batch::of(new)?;
        self.with(|trees, _| {
            for record in batch.rare {
                self.apply_rare(trees, record)?;
            }
            self.buffer.put(&batch.links, &batch.issued);
            writer.reach = reach;
            self.applied.send_replace(reach.size);
            self.sweep(trees, &mut writer)
        })
    }

    fn apply_rare(&self, trees: &Trees, record: &Record) -> Result<(), ViewsFault> {
        let Some(handle) = learner_of(record) else {
            return Ok(());
        };
        let position = record.leaf.position.0;
        let pending = trees.pending();
        match decode(record)?.body {
            Body::LearnerRegistered(registered) => match registered.opening {
                Opening::Provisional(_) => pending.register(position, handle),
                Opening::Person(_) => Ok(()),
            },
            Body::LearnerMerged(into) => {
                joins::merge(&trees.joins, position, handle, into.learner)?;
                pending.set(position, handle, Stage::Merged)
            }
            Body::LearnersSeparated(account) => {
                joins::separate(&trees.joins, position, account.learner, handle)
            }
            Body::LearnerReopened(_) => pending.set(position, handle, Stage::Open),
            Body::LearnerUpdated(_) | Body::Erased(EventKind::LearnerUpdated) => {
                pending.set(position, handle, Stage::Settled)
            }
            Body::LearnerErased(_) | Body::LearnerIdentityErased => {
                for member in joins::group(&trees.joins, handle)? {
                    pending.set(position, member, Stage::Settled)?;
                }
                self.forget_component(trees, handle)
            }
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
    links: Vec<Link>,
    issued: BTreeMap<Institution, Vec<u64>>,
}

impl Batch<'_> {
    fn of(records: &[Record]) -> Result<Batch<'_>, ViewsFault> {
        let mut batch = Batch {
            rare: Vec::new(),
            links: Vec::with_capacity(records.len()),
            issued: BTreeMap::new(),
        };
        for record in records {
            let leaf = &record.leaf;
            let position = leaf.position.0;
            if let Some(link) = &leaf.learner {
                let (handle, revision) = (link.handle.0, link.revision);
                batch.links.push(Link {
                    handle,
                    revision,
                    position,
                });
            }
            let kind = kind_of(record)?;
            if kind == EventKind::AchievementRecorded {
                batch.issued.entry(leaf.issuer).or_default().push(position);
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

/// Kinds whose body is looked at.
fn is_rare(kind: EventKind) -> bool {
    matches!(
        kind,
        EventKind::LearnerRegistered
            | EventKind::LearnerUpdated
            | EventKind::LearnerMerged
            | EventKind::LearnersSeparated
            | EventKind::LearnerReopened
            | EventKind::LearnerErased
            | EventKind::LearnerIdentityErased
    )
}

fn learner_of(record: &Record) -> Option<Handle> {
    record.leaf.learner.map(|link| Handle(link.handle.0))
}

fn kind_of(record: &Record) -> Result<EventKind, ViewsFault> {
    let position = record.leaf.position;
    codec::kind_of(record.leaf.kind).map_err(|source| ViewsFault::Record { position, source })
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
    event.map_err(|source| ViewsFault::Record {
        position: leaf.position,
        source,
    })
}
