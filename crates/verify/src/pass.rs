//! One pass over the whole log: which checks it makes, and for which learners.
//!
//! Apart from the checks because the same ones run all at once when the ledger fits the memory, and share
//! by share when it does not.

use std::num::NonZero;
use std::ops::Range;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::sync::{Mutex, OnceLock, PoisonError};

use chain::{Handle, Leaf};
use durable::Fs;
use ledger::{Body, Event, KeySecret};

use crate::admission::Admission;
use crate::directory::Directory;
use crate::error::CouldNotRun;
use crate::examine::{self, Examined, ExaminedBlock, Said, Wanted};
use crate::finding::Place;
use crate::gathered::Gathered;
use crate::groups::{Groups, Holders, Share};
use crate::judge::{Hangup, Item, Stop, read_log};
use crate::learners::Learners;
use crate::signatures;
use crate::structure::{InPair, Pairs, Structure};

/// What a pass is for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pass<'a> {
    /// Whether to check what holds along the ledger, and report on its bytes.
    pub(crate) structure: bool,
    /// Whose chains, bodies and events to check.
    pub(crate) learners: Option<(Share, &'a Groups)>,
    /// Which keys to follow, to find the learners that belong together.
    pub(crate) keys: Option<Share>,
}

impl Pass<'_> {
    fn owns(&self, leaf: &Leaf) -> bool {
        let Some((share, groups)) = self.learners else {
            return false;
        };
        match leaf.learner {
            Some(link) => share.holds(&groups.root(link.handle).0),
            None => share.is_first(),
        }
    }

    fn wants(&self, leaf: &Leaf) -> Wanted {
        // Every share admits the registry's events: the rules about learners rest on them.
        let registry = self.learners.is_some() && leaf.learner.is_none();
        let opening = leaf.position.0 == 0;
        let keys = self.keys.is_some() && (leaf.learner.is_some() || opening);
        let commitment = registry || self.owns(leaf);
        Wanted {
            commitment,
            event: commitment || keys,
        }
    }
}

/// An item of the log, its records examined.
enum Found {
    Block(ExaminedBlock),
    Other(Item),
}

/// Some items, and where they go when they are examined.
struct Task {
    items: Vec<Item>,
    done: SyncSender<Vec<Found>>,
}

/// What the threads of a pass share.
struct Shared<'a> {
    pass: &'a Pass<'a>,
    /// The key for keys, from the ledger's first record on.
    secret: OnceLock<KeySecret>,
    tasks: Mutex<Receiver<Task>>,
    /// What has been folded, to be freed by whoever has time.
    spent: Mutex<Receiver<Vec<Found>>>,
}

/// How many records a batch has at least before it is handed over: enough that handing over costs
/// nothing beside them.
const BATCH_RECORDS: usize = 512;
/// How many batches wait at most, examined or not.
const BATCHES_WAITING: usize = 8;

/// Reads the log and folds it. Order: one thread reads and follows the chain; as many as there are cores
/// examine batches, whichever is free; the caller's folds them in the order in which they were read.
pub(crate) fn run<F: Fs>(
    fs: &F,
    dir: &Directory,
    pass: &Pass<'_>,
    fold: &mut Fold<'_>,
) -> Result<(), CouldNotRun> {
    let (task_sender, tasks) = sync_channel(BATCHES_WAITING);
    let (spent_sender, spent) = channel();
    let (order, in_order) = sync_channel(BATCHES_WAITING);
    let shared = Shared {
        pass,
        secret: OnceLock::new(),
        tasks: Mutex::new(tasks),
        spent: Mutex::new(spent),
    };
    let examiners = std::thread::available_parallelism().map_or(1, NonZero::get);
    std::thread::scope(|scope| {
        let shared = &shared;
        let reader = scope.spawn(move || send_log(fs, dir, shared, &task_sender, &order));
        for _ in 0..examiners {
            scope.spawn(|| examine_tasks(shared));
        }
        fold_all(in_order, &spent_sender, fold);
        match reader.join() {
            Ok(result) => result,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })
}

fn send_log<F: Fs>(
    fs: &F,
    dir: &Directory,
    shared: &Shared<'_>,
    tasks: &SyncSender<Task>,
    order: &SyncSender<Receiver<Vec<Found>>>,
) -> Result<(), CouldNotRun> {
    let mut items = Vec::new();
    let mut records = 0;
    let hand_over = |items: Vec<Item>| {
        let (done, examined) = sync_channel(1);
        order.send(examined).map_err(|_| Hangup)?;
        tasks.send(Task { items, done }).map_err(|_| Hangup)
    };
    let read = read_log(fs, dir, &mut |item| {
        if let Item::Block(located) = &item {
            records += located.block.records().len();
            if let Some(secret) = examine::secret(&located.block) {
                shared.secret.get_or_init(|| secret);
            }
        }
        items.push(item);
        if records < BATCH_RECORDS {
            return Ok(());
        }
        records = 0;
        hand_over(std::mem::take(&mut items))
    });
    match read {
        Ok(()) | Err(Stop::Hangup) => {
            // A receiver that has gone wants no more.
            let _ = hand_over(items);
            Ok(())
        }
        Err(Stop::Failed(error)) => Err(error),
    }
}

fn examine_tasks(shared: &Shared<'_>) {
    let next = || {
        let tasks = shared.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        tasks.recv()
    };
    while let Ok(Task { items, done }) = next() {
        if let Ok(spent) = shared.spent.try_lock() {
            spent.try_iter().for_each(drop);
        }
        let wanted = |leaf: &Leaf| shared.pass.wants(leaf);
        let found = items.into_iter().map(|item| match item {
            Item::Block(located) => {
                Found::Block(examine::block(located, shared.secret.get(), &wanted))
            }
            other => Found::Other(other),
        });
        // A receiver that has gone wants no more.
        let _ = done.send(found.collect());
    }
}

fn fold_all(
    in_order: Receiver<Receiver<Vec<Found>>>,
    spent: &Sender<Vec<Found>>,
    fold: &mut Fold<'_>,
) {
    for examined in in_order {
        // Whoever examined it has panicked: so does the pass, when its threads have ended.
        let Ok(batch) = examined.recv() else { return };
        if fold.pass.learners.is_some() {
            signatures::check(&signed(&batch), fold.admission.registry());
        }
        for found in &batch {
            match found {
                Found::Block(block) => fold.block(block),
                Found::Other(item) => fold.item(item),
            }
        }
        // The examiners may have ended; then it is freed with the channel.
        let _ = spent.send(batch);
    }
}

/// The events of a batch that bring an issuer's signature.
fn signed(batch: &[Found]) -> Vec<&Event> {
    let blocks = batch.iter().filter_map(|found| match found {
        Found::Block(block) => Some(block),
        Found::Other(_) => None,
    });
    let said = blocks.flat_map(|block| &block.records);
    said.filter_map(|record| match &record.said {
        Said::Event(keyed) => Some(keyed.event()).filter(|event| event.body.signature().is_some()),
        _ => None,
    })
    .collect()
}

/// What a pass has made of the log so far.
pub(crate) struct Fold<'a> {
    pub(crate) pass: Pass<'a>,
    pub(crate) out: &'a mut Gathered,
    pub(crate) structure: Structure,
    pub(crate) learners: Learners,
    pub(crate) admission: Admission,
    pub(crate) groups: Groups,
    pub(crate) holders: Holders,
    pub(crate) secret: Option<KeySecret>,
    /// Told how many bytes lie behind.
    pub(crate) progress: &'a mut dyn FnMut(u64),
}

impl Fold<'_> {
    fn item(&mut self, item: &Item) {
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
        // Every pass meets the loss; the one that looks at the bytes reports it.
        let mut unheard = Gathered::new();
        let out = if self.pass.structure {
            &mut *self.out
        } else {
            &mut unheard
        };
        self.admission
            .stop(range.start, "records cannot be read from here on", out);
        self.learners.lose(range.clone());
        let lost = range.end.saturating_sub(range.start);
        self.structure.counts.unreadable = self.structure.counts.unreadable.saturating_add(lost);
    }

    fn block(&mut self, block: &ExaminedBlock) {
        if self.pass.structure {
            self.structure.take(block, self.out);
        }
        let Some(first) = block.records.first() else {
            return;
        };
        let block_first = first.leaf.position.0;
        let mut pairs = Pairs::default();
        for record in &block.records {
            let (in_pair, is_half) = pairs.take(record);
            if is_half {
                self.admission.await_nothing();
            }
            if self.pass.keys.is_some() {
                self.follow_keys(record, in_pair);
            }
            if self.pass.learners.is_some() {
                let place = Place::new(record.leaf.position.0, block.segment, block.start);
                self.check(record, place, block_first, in_pair);
            }
        }
        if pairs.ends_half_done() {
            self.admission.await_nothing();
        }
    }

    fn check(&mut self, record: &Examined, place: Place, block_first: u64, in_pair: InPair) {
        let leaf = &record.leaf;
        let is_own = self.pass.owns(leaf);
        if is_own {
            let before = match in_pair {
                InPair::Second(before) => Some(before),
                InPair::No | InPair::Stray => None,
            };
            self.learners
                .take(record, place, block_first, before, self.out);
        }
        if in_pair == InPair::Stray || (!is_own && leaf.learner.is_some()) {
            self.admission.skip();
            if is_own && self.out.covers(leaf.position.0) {
                self.out.admissions.damaged += 1;
            }
            return;
        }
        let missing = self.learners.missing();
        if is_own && self.out.covers(leaf.position.0) {
            self.admission.take(record, missing, place, self.out);
        } else {
            // Another share reports on the registry's events; here they only have to be known.
            self.admission
                .take(record, missing, place, &mut Gathered::new());
        }
    }

    /// Joins the learners that the record, or one of its keys, leads to.
    fn follow_keys(&mut self, record: &Examined, in_pair: InPair) {
        // Invariant: the leaves of a pair are enough, so its learners share what is missing of either.
        if let (InPair::Second(before), Some(link)) = (in_pair, record.leaf.learner) {
            self.groups.join(before, link.handle);
        }
        let Said::Event(keyed) = &record.said else {
            return;
        };
        let event = keyed.event();
        if let Body::LedgerOpened(opened) = &event.body {
            self.secret.get_or_insert(KeySecret(opened.suppression_key));
        }
        let Some(link) = record.leaf.learner else {
            return;
        };
        let own = link.handle;
        let Some(secret) = &self.secret else { return };
        let counterpart = match &event.body {
            Body::LearnerMerged(other)
            | Body::LearnerAbsorbed(other)
            | Body::LearnersSeparated(other)
            | Body::LearnerReopened(other) => Some(other.learner),
            Body::AchievementReassigned(moved) => Some(moved.to),
            Body::AchievementReceived(moved) => Some(moved.from),
            _ => None,
        };
        if let Some(other) = counterpart {
            self.groups.join(own, Handle(other.0));
        }
        for key in keyed.keys(secret) {
            self.holders.note(key.0, own, &mut self.groups);
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
