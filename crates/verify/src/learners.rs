//! Learners' chains, and erasures: what can be judged from leaves and from whether a body is there.
//!
//! Apart from admission because none of it needs a body: it still holds when all have been erased. An
//! erasure covers what lies before it, so it is known only later: what it may settle is kept per learner
//! until then, and what is never settled is a finding.

use std::collections::HashMap;
use std::ops::Range;

use chain::{Handle, Hash, Leaf, LearnerLink};
use ledger::EventKind;
use ledger::event::erasure_covers;

use crate::examine::{Examined, Held};
use crate::finding::Place;
use crate::gathered::Gathered;
use crate::invariants::{self as must, Tip};
use crate::structure::InPair;

/// What an erasure may cover: the identity, or the rest. Only LEARNER_ERASED covers both.
const IDENTITY: usize = 0;
const REST: usize = 1;

/// A body that is not as its leaf says; an erasure may explain it.
#[derive(Debug, Clone)]
struct Open {
    place: Place,
    kind: u16,
    class: usize,
    committed: Hash,
    held: Held,
}

/// Bodies that an erasure would have to remove.
#[derive(Debug, Clone, Copy, Default)]
struct Live {
    /// Position, segment and offset of the first; meaningless when there are none.
    first: [u64; 3],
    count: u64,
    /// Position of the last record of the class, erased or not.
    last: Option<u64>,
}

/// What is kept of every learner: small, because there are millions, met in no order.
#[derive(Debug, Default)]
struct Account {
    tip: Option<Tip>,
    live: [Live; 2],
    rare: Option<Box<Rare>>,
}

/// What few learners have.
#[derive(Debug, Default)]
struct Rare {
    absorbed: Vec<Handle>,
    open: Vec<Open>,
}

/// The learners seen so far.
#[derive(Debug)]
pub(crate) struct Learners {
    accounts: HashMap<Handle, Account>,
    erased_through: Option<u64>,
    lost: Vec<Range<u64>>,
    erased: u64,
}

impl Learners {
    pub(crate) fn new(erased_through: Option<u64>) -> Learners {
        Learners {
            accounts: HashMap::new(),
            erased_through,
            lost: Vec::new(),
            erased: 0,
        }
    }

    /// These records cannot be read: links into them cannot be judged.
    pub(crate) fn lose(&mut self, range: Range<u64>) {
        self.lost.push(range);
    }

    /// Bodies that are zero and covered by an erasure.
    pub(crate) fn erased(&self) -> u64 {
        self.erased
    }

    /// Takes in a record; `block_first` is the first position of its block.
    pub(crate) fn take(
        &mut self,
        record: &Examined<'_>,
        place: Place,
        block_first: u64,
        out: &mut Gathered,
    ) {
        let Some(link) = record.leaf.learner else {
            return out.check(
                place,
                uncovered(record.leaf.kind, record.leaf.commitment, record.held),
            );
        };
        let kind = must::kind_of(record.leaf.kind);
        let is_lost = |position| self.lost.iter().any(|range| range.contains(&position));
        let mut account = self.accounts.entry(link.handle).or_default();
        account.follow(record, &link, is_lost, place, out);
        let class = class_of(kind);
        if record.in_pair != InPair::No || must::is_erasing(kind) {
            if let (InPair::Second(before), Some(kind)) = (record.in_pair, kind) {
                self.tie(kind, before, link.handle);
            }
            if must::is_erasing(kind) {
                self.erase(link.handle, kind, place, block_first, out);
            }
            account = self.accounts.entry(link.handle).or_default();
        }
        match class {
            Some(class) => account.note(record.leaf, record.held, class, place),
            None => {
                let leaf = record.leaf;
                out.check(place, uncovered(leaf.kind, leaf.commitment, record.held));
            }
        }
    }

    /// The pair that a record closes.
    fn tie(&mut self, kind: EventKind, before: Handle, handle: Handle) {
        match kind {
            EventKind::LearnerAbsorbed => {
                let absorbing = self.accounts.entry(handle).or_default();
                absorbing.rare().absorbed.push(before);
            }
            EventKind::LearnerReopened => {
                let absorbing = self.accounts.entry(before).or_default();
                let rare = absorbing.rare();
                rare.absorbed.retain(|absorbed| *absorbed != handle);
            }
            _ => {}
        }
    }

    /// An erasure settles what it covers, and must have been carried out up to the mark.
    fn erase(
        &mut self,
        handle: Handle,
        kind: Option<EventKind>,
        place: Place,
        block_first: u64,
        out: &mut Gathered,
    ) {
        let classes: &[usize] = if kind == Some(EventKind::LearnerErased) {
            &[IDENTITY, REST]
        } else {
            &[IDENTITY]
        };
        let mut covered = Covered::default();
        for member in self.group(handle) {
            if let Some(account) = self.accounts.get_mut(&member) {
                account.settle(classes, block_first, &mut covered);
            }
        }
        self.erased = self.erased.saturating_add(covered.zeros);
        out.check(
            place,
            must::an_erasing_record_shares_no_block_with_what_it_covers(covered.in_block),
        );
        let position = place.position.unwrap_or(0);
        if self.erased_through >= Some(position) {
            let first = covered.first_left.unwrap_or(place);
            let left = covered.left;
            out.check(
                first,
                must::an_erasure_that_was_carried_out_leaves_no_body(position, left),
            );
        } else if covered.left > 0 {
            let left = covered.left;
            let bodies = if left == 1 { "body is" } else { "bodies are" };
            let note = format!(
                "the erasure at position {position} has not been carried out: {left} {bodies} still \
                 there; the next start of the ledger carries it out"
            );
            out.note(position, note);
        }
    }

    /// The learner and all that are merged into it now, directly or through others.
    fn group(&self, handle: Handle) -> Vec<Handle> {
        let mut group = vec![handle];
        let mut next = 0;
        while let Some(account) = group.get(next).map(|member| self.accounts.get(member)) {
            let rare = account.and_then(|account| account.rare.as_ref());
            for absorbed in rare
                .map(|rare| rare.absorbed.as_slice())
                .unwrap_or_default()
            {
                // A forged ledger may merge in a circle.
                if !group.contains(absorbed) {
                    group.push(*absorbed);
                }
            }
            next += 1;
        }
        group
    }

    /// What no erasure has settled by the end of the ledger.
    pub(crate) fn finish(self, out: &mut Gathered) {
        let rare = self
            .accounts
            .into_values()
            .filter_map(|account| account.rare);
        for open in rare.flat_map(|rare| rare.open) {
            out.check(open.place, uncovered(open.kind, open.committed, open.held));
        }
    }
}

impl Account {
    fn rare(&mut self) -> &mut Rare {
        self.rare.get_or_insert_default()
    }

    /// The learner's chain.
    fn follow(
        &mut self,
        record: &Examined<'_>,
        link: &LearnerLink,
        is_lost: impl Fn(u64) -> bool,
        place: Place,
        out: &mut Gathered,
    ) {
        if link.revision == 0 || !is_lost(link.previous_position.0) {
            out.check(place, must::a_learners_history_has_no_gap(self.tip, link));
        }
        out.check(
            place,
            must::a_learners_history_begins_with_its_registration(record.leaf),
        );
        self.tip = Some(Tip {
            revision: link.revision,
            position: record.leaf.position.0,
            hash: *record.hash,
        });
    }

    fn note(&mut self, leaf: &Leaf, held: Held, class: usize, place: Place) {
        let live = &mut self.live[class];
        live.last = Some(leaf.position.0);
        if held == Held::Body {
            if live.count == 0 {
                live.first =
                    [place.position, place.segment, place.offset].map(Option::unwrap_or_default);
            }
            live.count = live.count.saturating_add(1);
        } else {
            let (kind, committed) = (leaf.kind, leaf.commitment);
            self.rare().open.push(Open {
                place,
                kind,
                class,
                committed,
                held,
            });
        }
    }

    fn settle(&mut self, classes: &[usize], block_first: u64, covered: &mut Covered) {
        for class in classes {
            let live = &mut self.live[*class];
            let [position, segment, start] = live.first;
            let first = Place::new(position, segment, start);
            covered.leave(Some(first).filter(|_| live.count > 0), live.count);
            *live = Live {
                last: live.last,
                ..Live::default()
            };
            if let Some(last) = live.last.filter(|last| *last >= block_first) {
                covered.in_block = Some(covered.in_block.map_or(last, |other| other.min(last)));
            }
        }
        let Some(rare) = &mut self.rare else { return };
        let (settled, open) = std::mem::take(&mut rare.open)
            .into_iter()
            .partition(|open| classes.contains(&open.class));
        rare.open = open;
        let settled: Vec<Open> = settled;
        for open in settled {
            if open.held == Held::Zeros {
                covered.zeros = covered.zeros.saturating_add(1);
            } else {
                covered.leave(Some(open.place), 1);
            }
        }
    }
}

/// What an erasure covers, summed over the learners.
#[derive(Debug, Default)]
struct Covered {
    zeros: u64,
    left: u64,
    first_left: Option<Place>,
    in_block: Option<u64>,
}

impl Covered {
    fn leave(&mut self, first: Option<Place>, count: u64) {
        self.left = self.left.saturating_add(count);
        let Some(first) = first else { return };
        let is_earlier = self
            .first_left
            .is_none_or(|known| first.position < known.position);
        if is_earlier {
            self.first_left = Some(first);
        }
    }
}

/// What kind of erasure may cover a record of that kind.
fn class_of(kind: Option<EventKind>) -> Option<usize> {
    let kind = kind?;
    if erasure_covers(EventKind::LearnerIdentityErased, kind) {
        Some(IDENTITY)
    } else {
        erasure_covers(EventKind::LearnerErased, kind).then_some(REST)
    }
}

/// A body that no erasure explains.
fn uncovered(kind: u16, committed: Hash, held: Held) -> must::Holds {
    match held {
        Held::Body => Ok(()),
        Held::Zeros => must::zeros_are_covered_by_a_later_erasure(false, kind),
        Held::Other(found) => must::a_body_is_what_its_leaf_commits_to(committed, found),
    }
}
