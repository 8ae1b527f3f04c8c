//! One record by itself: is the body there, is it what the leaf commits to, which event is it.
//!
//! Apart from what needs the records before it, so that it runs on another core than that.

use chain::{Block, Hash, Leaf, Record, commit};
use ledger::codec;
use ledger::{Body, Event, EventKind, Handle, Key, KeySecret, Keyed};

use crate::error::chain as error_chain;
use crate::judge::Located;
use crate::structure::{InPair, Pairs};

/// What a pass wants to know of a record beside its leaf.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Wanted {
    /// Whether the record is one of the pass's own, to be judged and not only known.
    pub(crate) is_own: bool,
    /// Whether the commitment holds.
    pub(crate) commitment: bool,
    /// What of the body.
    pub(crate) reading: Reading,
}

/// How far a body is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reading {
    /// Not at all.
    Nothing,
    /// Only to whom it leads.
    Links,
    /// The whole event.
    Event,
}

/// What salt and body are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Held {
    /// What the leaf commits to; or something else that was not asked for.
    Body,
    /// Zeros.
    Zeros,
    /// Something that commits to this.
    Other(Hash),
}

/// What the record says.
#[derive(Debug)]
pub(crate) enum Said {
    /// An event.
    Event(Keyed),
    /// Of an event, only to whom it leads.
    Links(Links),
    /// The body is erased; this is left.
    Erased(Event),
    /// Nothing that can be understood; what is left is the same as of an erased one, if it can be erased.
    Nothing { error: String, left: Option<Event> },
    /// It was not asked for.
    Unasked,
}

/// To whom an event leads beside its own learner.
#[derive(Debug, Default)]
pub(crate) struct Links {
    /// The learner that it names.
    pub(crate) other: Option<Handle>,
    /// The keys that may lead to other learners, too.
    pub(crate) keys: Vec<Key>,
}

/// A block examined.
#[derive(Debug)]
pub(crate) struct ExaminedBlock {
    pub(crate) segment: u64,
    pub(crate) start: u64,
    /// Whether it ends with the first event of a pair alone.
    pub(crate) ends_half_done: bool,
    /// The block as it was read: its leaves are not copied.
    block: Block,
    /// For each of its records.
    seen: Vec<Seen>,
    last_hash: Hash,
}

/// What examining has added to a record.
#[derive(Debug)]
struct Seen {
    held: Held,
    said: Said,
    in_pair: InPair,
    after_half: bool,
    is_own: bool,
}

/// A record examined.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Examined<'a> {
    pub(crate) leaf: &'a Leaf,
    /// Its chain hash.
    pub(crate) hash: &'a Hash,
    pub(crate) held: Held,
    pub(crate) said: &'a Said,
    pub(crate) in_pair: InPair,
    /// Whether the record before is the first event of a pair, and this is not the second.
    pub(crate) after_half: bool,
    /// Whether it is one of the pass's own.
    pub(crate) is_own: bool,
}

impl ExaminedBlock {
    /// Its records, in order.
    pub(crate) fn records(&self) -> impl Iterator<Item = Examined<'_>> {
        let records = self.block.records();
        // Each leaf holds the hash of the one before; decoding has compared them.
        let hashes = records.iter().skip(1).map(|next| &next.leaf.previous_hash);
        let hashes = hashes.chain([&self.last_hash]);
        let parts = records.iter().zip(hashes).zip(&self.seen);
        parts.map(|((record, hash), seen)| Examined {
            leaf: &record.leaf,
            hash,
            held: seen.held,
            said: &seen.said,
            in_pair: seen.in_pair,
            after_half: seen.after_half,
            is_own: seen.is_own,
        })
    }

    /// The position of its first record; a block without records is not examined.
    pub(crate) fn first_position(&self) -> u64 {
        self.block.prev().size
    }
}

/// The key for keys, when the block begins with the ledger's opening.
pub(crate) fn secret(block: &Block) -> Option<KeySecret> {
    let first = block.records().first()?;
    let is_opening = first.leaf.position.0 == 0;
    let Said::Event(keyed) = is_opening.then(|| said(first, Held::Body, None))? else {
        return None;
    };
    match &keyed.event().body {
        Body::LedgerOpened(opened) => Some(KeySecret(opened.suppression_key)),
        _ => None,
    }
}

/// Examines the records of a block.
pub(crate) fn block(
    located: Located,
    secret: Option<&KeySecret>,
    wanted: &dyn Fn(&Leaf) -> Wanted,
) -> ExaminedBlock {
    let mut pairs = Pairs::default();
    let records = located.block.records();
    let mut seen = Vec::with_capacity(records.len());
    for record in records {
        let wanted = wanted(&record.leaf);
        let held = held(record, wanted);
        let (in_pair, after_half) = pairs.take(&record.leaf);
        seen.push(Seen {
            held,
            said: match wanted.reading {
                Reading::Nothing => Said::Unasked,
                Reading::Links => links(record, held, secret),
                Reading::Event => said(record, held, secret),
            },
            in_pair,
            after_half,
            is_own: wanted.is_own,
        });
    }
    ExaminedBlock {
        segment: located.segment,
        start: located.start,
        ends_half_done: pairs.ends_half_done(),
        last_hash: located.block.head().hash,
        block: located.block,
        seen,
    }
}

fn held(record: &Record, wanted: Wanted) -> Held {
    if record.is_erased() {
        return Held::Zeros;
    }
    if !wanted.commitment {
        return Held::Body;
    }
    let found = commit(&record.salt, &record.body);
    // A salt of zeros is no key, whatever the body.
    if found == record.leaf.commitment && !record.salt.is_zero() {
        Held::Body
    } else {
        Held::Other(found)
    }
}

fn said(record: &Record, held: Held, secret: Option<&KeySecret>) -> Said {
    let leaf = &record.leaf;
    let learner = leaf.learner.map(|link| Handle(link.handle.0));
    let (issuer, submitter) = (leaf.issuer.as_str(), leaf.submitter.as_str());
    let left = || codec::erased(leaf.kind, issuer, submitter, learner);
    if held == Held::Zeros {
        return match left() {
            Ok(event) => Said::Erased(event),
            Err(error) => Said::Nothing {
                error: error_chain(&error),
                left: None,
            },
        };
    }
    match Keyed::decode(
        secret,
        leaf.kind,
        (issuer, submitter),
        learner,
        &record.body,
    ) {
        Ok(keyed) => Said::Event(keyed),
        Err(error) => Said::Nothing {
            error: error_chain(&error),
            left: left().ok(),
        },
    }
}

/// Invariant: leads at least to everyone to whom the event does that [`said`] would find. That it may find
/// more, as in a body that is no event after all, only puts learners together that need not be.
fn links(record: &Record, held: Held, secret: Option<&KeySecret>) -> Said {
    let (leaf, Some(secret)) = (&record.leaf, secret) else {
        return Said::Unasked;
    };
    if held == Held::Zeros || leaf.learner.is_none() {
        return Said::Unasked;
    }
    let kind = codec::kind_of(leaf.kind);
    if let Ok(EventKind::AchievementRecorded | EventKind::AchievementSuperseded) = kind {
        // Most records by far: of their keys, only the record's is not the learner's own.
        let issuer = leaf.issuer.as_str().parse().ok();
        let record = issuer.zip(codec::glance_record_id(&record.body).ok());
        let keys = record.map(|(issuer, id)| vec![secret.record(&issuer, &id)]);
        return keys.map_or(Said::Unasked, |keys| {
            Said::Links(Links { other: None, keys })
        });
    }
    let Said::Event(keyed) = said(record, held, Some(secret)) else {
        return Said::Unasked;
    };
    let other = match &keyed.event().body {
        Body::LearnerMerged(other)
        | Body::LearnerAbsorbed(other)
        | Body::LearnersSeparated(other)
        | Body::LearnerReopened(other) => Some(other.learner),
        Body::AchievementReassigned(moved) => Some(moved.to),
        Body::AchievementReceived(moved) => Some(moved.from),
        _ => None,
    };
    let keys = keyed.keys(secret);
    Said::Links(Links { other, keys })
}
