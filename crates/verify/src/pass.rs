//! One pass over the whole log: which checks it makes, and for which learners.
//!
//! Apart from the checks because the same ones run all at once when the ledger fits the memory, and share
//! by share when it does not.

use std::num::NonZero;
use std::panic::resume_unwind;
use std::sync::mpsc::{Receiver, SyncSender, channel, sync_channel};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::thread::ScopedJoinHandle;

use chain::Leaf;
use durable::Fs;
use ledger::KeySecret;

use crate::directory::Directory;
use crate::error::CouldNotRun;
use crate::examine::{self, ExaminedBlock, Reading, Wanted};
use crate::fold::Fold;
use crate::groups::{Groups, Share};
use crate::judge::{Hangup, Item, Stop, read_log};
use crate::readmission::Readmission;

/// What a pass is for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pass<'a> {
    /// Whether to check what holds along the ledger, and report on its bytes.
    pub(crate) structure: bool,
    /// Whose chains, bodies and events to check.
    pub(crate) learners: Option<(Share, &'a Groups)>,
    /// Which keys to follow, to find the learners that belong together.
    pub(crate) keys: Option<Share>,
    /// Whether to read what bodies say, and to admit it again.
    pub(crate) events: bool,
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
        let is_own = self.owns(leaf);
        // Every share admits the registry's events: the rules about learners rest on them.
        let registry = self.events && self.learners.is_some() && leaf.learner.is_none();
        let reading = match (is_own || registry, self.keys) {
            _ if !self.events => Reading::Nothing,
            (true, _) => Reading::Event,
            (false, Some(_)) => Reading::Links,
            (false, None) => Reading::Nothing,
        };
        Wanted {
            is_own,
            commitment: is_own || registry,
            reading,
        }
    }
}

/// An item of the log, its records examined.
pub(crate) enum Found {
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
/// How many batches wait at most before each of the steps.
const BATCHES_WAITING: usize = 4;

/// Reads the log and folds it. Order: one thread reads and follows the chain; as many as there are cores
/// examine batches, whichever is free; the caller's folds them in the order in which they were read; one
/// more admits the events again, which costs as much as everything else that needs an order.
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
    let n_cores = std::thread::available_parallelism().map_or(1, NonZero::get);
    let admits = pass.events && pass.learners.is_some();
    let limit = fold.out.limit;
    std::thread::scope(|scope| {
        let shared = &shared;
        let reader = scope.spawn(move || send_log(fs, dir, shared, &task_sender, &order));
        for _ in 0..n_cores {
            scope.spawn(|| examine_tasks(shared));
        }
        let readmission = admits.then(|| {
            let (folded, batches) = sync_channel(BATCHES_WAITING);
            let spent = spent_sender.clone();
            let admit = move || Readmission::new(limit, n_cores).run(batches, &spent);
            (folded, scope.spawn(admit))
        });
        let (folded, readmission) = readmission.unzip();
        // Whoever takes a batch may have ended, by a panic that is met when it is joined.
        fold_all(in_order, fold, &|batch| match &folded {
            Some(folded) => drop(folded.send(batch)),
            None => drop(spent_sender.send(batch)),
        });
        drop(folded);
        if let Some(readmission) = readmission {
            fold.out.merge(joined(readmission));
        }
        joined(reader)
    })
}

/// What a thread returns, or its panic.
fn joined<T>(thread: ScopedJoinHandle<'_, T>) -> T {
    thread.join().unwrap_or_else(|panic| resume_unwind(panic))
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

/// `done` takes each batch that has been folded.
fn fold_all(
    in_order: Receiver<Receiver<Vec<Found>>>,
    fold: &mut Fold<'_>,
    done: &dyn Fn(Vec<Found>),
) {
    for examined in in_order {
        // Whoever examined it has panicked: so does the pass, when its threads have ended.
        let Ok(batch) = examined.recv() else { return };
        for found in &batch {
            match found {
                Found::Block(block) => fold.block(block),
                Found::Other(item) => fold.item(item),
            }
        }
        done(batch);
    }
}
