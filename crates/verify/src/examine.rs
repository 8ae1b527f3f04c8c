//! One record by itself: is the body there, is it what the leaf commits to, which event is it.
//!
//! Apart from what needs the records before it, so that it runs on another core than that.

use chain::{Block, Hash, Leaf, Record, commit};
use ledger::codec;
use ledger::{Body, Event, Handle, KeySecret, Keyed};

use crate::error::chain as error_chain;
use crate::judge::Located;

/// What a pass wants to know of a record beside its leaf.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Wanted {
    /// Whether the commitment holds.
    pub(crate) commitment: bool,
    /// The event.
    pub(crate) event: bool,
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
    /// The body is erased; this is left.
    Erased(Event),
    /// Nothing that can be understood; what is left is the same as of an erased one, if it can be erased.
    Nothing { error: String, left: Option<Event> },
    /// It was not asked for.
    Unasked,
}

/// A record examined.
#[derive(Debug)]
pub(crate) struct Examined {
    pub(crate) leaf: Leaf,
    /// Its chain hash.
    pub(crate) hash: Hash,
    pub(crate) held: Held,
    pub(crate) said: Said,
}

/// A block examined.
#[derive(Debug)]
pub(crate) struct ExaminedBlock {
    pub(crate) segment: u64,
    pub(crate) start: u64,
    pub(crate) records: Vec<Examined>,
}

/// The key for keys, when the block begins with the ledger's opening.
pub(crate) fn secret(block: &Block) -> Option<KeySecret> {
    let first = block.records().first()?;
    let is_opening = first.leaf.position.0 == 0;
    let Said::Event(keyed) = is_opening.then(|| said(first.clone(), Held::Body, None))? else {
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
    let Located {
        segment,
        start,
        block,
    } = located;
    let head = block.head();
    let records = block.into_records();
    // Each leaf holds the hash of the one before; decoding has compared them.
    let mut hashes: Vec<Hash> = records
        .iter()
        .skip(1)
        .map(|r| r.leaf.previous_hash)
        .collect();
    hashes.push(head.hash);
    let examined = records.into_iter().zip(hashes);
    let records = examined.map(|(record, hash)| {
        let wanted = wanted(&record.leaf);
        examine(record, hash, wanted, secret)
    });
    ExaminedBlock {
        segment,
        start,
        records: records.collect(),
    }
}

fn examine(record: Record, hash: Hash, wanted: Wanted, secret: Option<&KeySecret>) -> Examined {
    let leaf = record.leaf;
    let held = held(&record, wanted);
    let said = if wanted.event {
        said(record, held, secret)
    } else {
        Said::Unasked
    };
    Examined {
        leaf,
        hash,
        held,
        said,
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

fn said(record: Record, held: Held, secret: Option<&KeySecret>) -> Said {
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
    match codec::decode(leaf.kind, issuer, submitter, learner, &record.body) {
        Ok(event) => Said::Event(Keyed::read(secret, event, record.body)),
        Err(error) => Said::Nothing {
            error: error_chain(&error),
            left: left().ok(),
        },
    }
}
