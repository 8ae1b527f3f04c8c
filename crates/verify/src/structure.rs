//! What holds along the whole ledger and can be judged from leaves in order: times, the opening, pairs,
//! heads from elsewhere; and the counts.
//!
//! Apart from learners and admission because it needs no memory that grows.

use chain::{Handle, Hash, Head, Leaf};
use ledger::EventKind;

use crate::examine::{Examined, ExaminedBlock};
use crate::finding::Place;
use crate::gathered::Gathered;
use crate::invariants as must;
use crate::report::Counts;

/// The ledger as far as it has been read.
#[derive(Debug)]
pub(crate) struct Structure {
    expected: Option<Head>,
    erased_through: Option<u64>,
    /// Chain hash after as many records as the expected head has.
    hash_at_expected: Option<Hash>,
    kind_at_mark: Option<u16>,
    recorded_at: u64,
    pub(crate) head: Head,
    pub(crate) counts: Counts,
}

impl Structure {
    pub(crate) fn new(expected: Option<Head>, erased_through: Option<u64>) -> Structure {
        Structure {
            expected,
            erased_through,
            hash_at_expected: expected.filter(|head| head.size == 0).map(|_| Hash::ZERO),
            kind_at_mark: None,
            recorded_at: 0,
            head: Head::EMPTY,
            counts: Counts::default(),
        }
    }

    pub(crate) fn take(&mut self, block: &ExaminedBlock, out: &mut Gathered) {
        self.counts.blocks += 1;
        let at = |position| Place::new(position, block.segment, block.start);
        let mut before = None;
        for record in block.records() {
            self.record(&record, at(record.leaf.position.0), out);
            let kind = Some(record.leaf.kind);
            let place = at(record.leaf.position.0);
            out.check(place, must::pairs_are_neighbours_in_one_block(before, kind));
            before = kind;
        }
        let last = at(self.head.size.saturating_sub(1));
        out.check(last, must::pairs_are_neighbours_in_one_block(before, None));
    }

    fn record(&mut self, record: &Examined<'_>, place: Place, out: &mut Gathered) {
        let leaf = record.leaf;
        let position = leaf.position.0;
        out.check(
            place,
            must::recorded_at_never_decreases(self.recorded_at, leaf.recorded_at.0),
        );
        self.recorded_at = leaf.recorded_at.0;
        out.check(
            place,
            must::the_first_record_and_no_other_opens_the_ledger(position, leaf.kind),
        );
        self.head = Head {
            size: position.saturating_add(1),
            hash: *record.hash,
        };
        if self
            .expected
            .is_some_and(|expected| expected.size == self.head.size)
        {
            self.hash_at_expected = Some(*record.hash);
        }
        if self.erased_through == Some(position) {
            self.kind_at_mark = Some(leaf.kind);
        }
        self.counts.count(must::kind_of(leaf.kind));
    }

    /// What can be judged only at the end.
    pub(crate) fn finish(&self, out: &mut Gathered) {
        if let Some(position) = self.erased_through {
            let place = Place::position(position);
            out.check(
                place,
                must::the_erased_through_mark_names_an_erasing_record(self.kind_at_mark),
            );
        }
        if let Some(expected) = self.expected {
            let place = Place::position(expected.size.saturating_sub(1));
            let (size, hash) = (self.head.size, self.hash_at_expected);
            out.check(
                place,
                must::the_ledger_holds_the_expected_head(expected, size, hash),
            );
            if size > expected.size && hash == Some(expected.hash) {
                let more = size.saturating_sub(expected.size);
                out.note(
                    size,
                    format!("the ledger has {more} records after the expected head"),
                );
            }
        }
    }
}

/// Where a record stands within its block, as far as pairs go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum InPair {
    /// It belongs to no pair, or is the first of one.
    No,
    /// It is the second; the first is on this learner's chain.
    Second(Handle),
    /// It should be the second, but the first is not there.
    Stray,
}

/// Follows pairs through a block; both passes and shares see the same.
#[derive(Debug, Default)]
pub(crate) struct Pairs {
    before: Option<(EventKind, Option<Handle>)>,
}

impl Pairs {
    /// Takes in the next record; also says whether a pair before it was left half done.
    pub(crate) fn take(&mut self, leaf: &Leaf) -> (InPair, bool) {
        let kind = must::kind_of(leaf.kind);
        let handle = leaf.learner.map(|link| link.handle);
        let before = std::mem::replace(&mut self.before, kind.map(|kind| (kind, handle)));
        let awaited = before.and_then(|(kind, _)| must::second_of(kind));
        let closes = awaited.is_some() && awaited == kind;
        let is_half = awaited.is_some() && !closes;
        match before.and_then(|(_, first)| first).filter(|_| closes) {
            Some(first) => (InPair::Second(first), false),
            None if must::pairs_are_neighbours_in_one_block(None, Some(leaf.kind)).is_err() => {
                (InPair::Stray, is_half)
            }
            None => (InPair::No, is_half),
        }
    }

    /// Whether the block ends with a pair half done.
    pub(crate) fn ends_half_done(&self) -> bool {
        self.before
            .is_some_and(|(kind, _)| must::second_of(kind).is_some())
    }
}
