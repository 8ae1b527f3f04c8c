//! What a pass has made of the log so far, apart from re-admission.
//!
//! Apart from `pass` because that only knows how batches reach it: here they are taken in one after the
//! other, by one thread.

use std::ops::Range;

use chain::Handle;

use crate::admission::LOST;
use crate::examine::{Examined, ExaminedBlock, Said};
use crate::finding::Place;
use crate::gathered::Gathered;
use crate::groups::{Groups, Holders};
use crate::judge::Item;
use crate::learners::Learners;
use crate::pass::Pass;
use crate::structure::{InPair, Structure};

/// Everything that needs an order and no event.
pub(crate) struct Fold<'a> {
    pub(crate) pass: Pass<'a>,
    pub(crate) out: &'a mut Gathered,
    pub(crate) structure: Structure,
    pub(crate) learners: Learners,
    pub(crate) groups: Groups,
    pub(crate) holders: Holders,
    /// Told how many bytes lie behind.
    pub(crate) progress: &'a mut dyn FnMut(u64),
}

impl Fold<'_> {
    pub(crate) fn item(&mut self, item: &Item) {
        match item {
            Item::Finding(finding) if self.pass.structure => self.out.find(finding.clone()),
            Item::Note(note) if self.pass.structure => self.out.note(u64::MAX, note.clone()),
            Item::Mark if self.pass.structure => self.structure.counts.head_marks += 1,
            Item::Read(bytes) => (self.progress)(*bytes),
            Item::Lost(range) => self.lose(range),
            _ => {}
        }
    }

    fn lose(&mut self, range: &Range<u64>) {
        if self.pass.structure && self.pass.events {
            self.out.stop(range.start, LOST);
        }
        self.learners.lose(range.clone());
        let lost = range.end.saturating_sub(range.start);
        self.structure.counts.unreadable = self.structure.counts.unreadable.saturating_add(lost);
    }

    pub(crate) fn block(&mut self, block: &ExaminedBlock) {
        if self.pass.structure {
            self.structure.take(block, self.out);
        }
        let first = block.first_position();
        for record in block.records() {
            if self.pass.keys.is_some() {
                self.follow_links(&record);
            }
            if record.is_own {
                let place = Place::new(record.leaf.position.0, block.segment, block.start);
                self.learners.take(&record, place, first, self.out);
            }
        }
    }

    /// Joins the learners that the record, or one of its keys, leads to.
    fn follow_links(&mut self, record: &Examined<'_>) {
        let Some(link) = record.leaf.learner else {
            return;
        };
        // Invariant: the leaves of a pair are enough, so its learners share what is missing of either.
        if let InPair::Second(before) = record.in_pair {
            self.groups.join(before, link.handle);
        }
        let Said::Links(links) = record.said else {
            return;
        };
        if let Some(other) = links.other {
            self.groups.join(link.handle, Handle(other.0));
        }
        for key in &links.keys {
            self.holders.note(key.0, link.handle, &mut self.groups);
        }
    }

    /// What can be judged only at the end; gives back what other passes need.
    pub(crate) fn finish(self) -> (Structure, Groups) {
        if self.pass.structure {
            self.structure.finish(self.out);
        }
        if self.pass.learners.is_some() {
            self.out.erased = self.out.erased.saturating_add(self.learners.erased());
            self.learners.finish(self.out);
        }
        (self.structure, self.groups)
    }
}
