//! Re-admission as a step of its own: batches in order, each record judged or passed over.
//!
//! Apart from `fold` because it needs nothing of what that finds, and so runs beside it; and apart from
//! `admission`, which knows what one record means and not whose turn it is.

use std::sync::mpsc::{Receiver, Sender};

use ledger::Event;

use crate::admission::{Admission, LOST};
use crate::examine::{Examined, ExaminedBlock, Said};
use crate::finding::Place;
use crate::gathered::Gathered;
use crate::judge::Item;
use crate::missing::Missing;
use crate::pass::Found;
use crate::signatures;
use crate::structure::InPair;

/// Events so far, admitted again.
pub(crate) struct Readmission {
    admission: Admission,
    /// What they no longer have to rest on.
    missing: Missing,
    out: Gathered,
    n_cores: usize,
}

impl Readmission {
    /// Nothing from position `limit` on is reported.
    pub(crate) fn new(limit: Option<u64>, n_cores: usize) -> Readmission {
        Readmission {
            admission: Admission::new(),
            missing: Missing::default(),
            out: Gathered::up_to(limit),
            n_cores,
        }
    }

    /// Takes in all batches, hands each on to be freed, and returns what was found.
    pub(crate) fn run(
        mut self,
        batches: Receiver<Vec<Found>>,
        spent: &Sender<Vec<Found>>,
    ) -> Gathered {
        for batch in batches {
            signatures::check(&signed(&batch), self.admission.registry(), self.n_cores);
            for found in &batch {
                match found {
                    Found::Block(block) => self.block(block),
                    // Every pass meets the loss; the one that looks at the bytes reports it.
                    Found::Other(Item::Lost(range)) => {
                        let mut unheard = Gathered::new();
                        self.admission.stop(range.start, LOST, &mut unheard);
                    }
                    Found::Other(_) => {}
                }
            }
            // The examiners may have ended; then it is freed here.
            let _ = spent.send(batch);
        }
        self.out
    }

    fn block(&mut self, block: &ExaminedBlock) {
        for record in block.records() {
            if record.after_half {
                self.admission.await_nothing();
            }
            let place = Place::new(record.leaf.position.0, block.segment, block.start);
            self.record(&record, place);
        }
        if block.ends_half_done {
            self.admission.await_nothing();
        }
    }

    fn record(&mut self, record: &Examined<'_>, place: Place) {
        let leaf = record.leaf;
        if record.is_own {
            self.missing.take(record);
        }
        let is_reported = record.is_own && self.out.covers(leaf.position.0);
        if record.in_pair == InPair::Stray || (!record.is_own && leaf.learner.is_some()) {
            self.admission.skip();
            if is_reported {
                self.out.admissions.damaged += 1;
            }
            return;
        }
        if is_reported {
            self.admission
                .take(record, &self.missing, place, &mut self.out);
        } else {
            // Another share reports on the registry's events; here they only have to be known.
            let mut unheard = Gathered::new();
            self.admission
                .take(record, &self.missing, place, &mut unheard);
        }
    }
}

/// The events of a batch that bring an issuer's signature.
fn signed(batch: &[Found]) -> Vec<&Event> {
    let blocks = batch.iter().filter_map(|found| match found {
        Found::Block(block) => Some(block),
        Found::Other(_) => None,
    });
    let said = blocks.flat_map(|block| block.records());
    said.filter_map(|record| match record.said {
        Said::Event(keyed) => Some(keyed.event()).filter(|event| event.body.signature().is_some()),
        _ => None,
    })
    .collect()
}
