//! One run of a workload through faults, as a careful caller does it, with the bounds it must keep.
//!
//! Apart from the sweeps, which choose the faults.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chain::{Block, Head, Position, Record};
use durable::{SimFs, Survivors};
use store::{AppendError, Key};

use super::{Judge, Step, Workload};
use crate::width::{length, offset};
use crate::{Log, RecoveryReport};

pub(super) struct Run<'a> {
    workload: &'a Workload,
    judge: Judge<'a>,
    pub(super) fs: SimFs,
    note: String,
    log: Option<Log<SimFs>>,
    /// All blocks of the workload.
    blocks: Arc<Vec<Block>>,
    next_step: usize,
    n_acknowledged: usize,
    n_attempted: usize,
    erased: BTreeSet<Position>,
    erasing: BTreeSet<Position>,
}

impl<'a> Run<'a> {
    pub(super) fn new(workload: &'a Workload, judge: Judge<'a>, fs: SimFs, note: String) -> Self {
        let mut head = Head::EMPTY;
        let mut blocks = Vec::new();
        for step in &workload.steps {
            if let Step::Append(make) = step {
                let block = make(head);
                head = block.head();
                blocks.push(block);
            }
        }
        Self {
            workload,
            judge,
            fs,
            note,
            log: None,
            blocks: Arc::new(blocks),
            next_step: 0,
            n_acknowledged: 0,
            n_attempted: 0,
            erased: BTreeSet::new(),
            erasing: BTreeSet::new(),
        }
    }

    /// The same caller after a restart on another file system.
    pub(super) fn after(&self, fs: SimFs, note: String) -> Run<'a> {
        Run {
            workload: self.workload,
            judge: self.judge,
            fs,
            note,
            log: None,
            blocks: Arc::clone(&self.blocks),
            next_step: self.next_step,
            n_acknowledged: self.n_acknowledged,
            n_attempted: self.n_attempted,
            erased: self.erased.clone(),
            erasing: self.erasing.clone(),
        }
    }

    /// Goes on until the workload is done or the machine has crashed. Restarts after what a caller
    /// restarts after.
    pub(super) fn drive(&mut self) {
        let mut n_restarts = 0;
        while self.next_step < self.workload.steps.len() || self.log.is_none() {
            let result = match self.log {
                None => self.open(),
                Some(_) => self.step(),
            };
            match result {
                Ok(()) => {}
                Err(_) if self.fs.crashed() => {
                    self.log = None;
                    return;
                }
                Err(why) => {
                    n_restarts += 1;
                    assert!(
                        n_restarts < 5,
                        "{}: one failure, and again: {why}",
                        self.note
                    );
                    self.log = None;
                    // The process alone restarts: what the page cache shows may not be on the disk.
                    self.fs = self.fs.after_kill();
                }
            }
        }
        let log = self.log.take().expect("it was opened");
        if log.close().is_err() && !self.fs.crashed() {
            self.fs = self.fs.after_kill();
        }
    }

    /// What a restart finds is within bounds, and holds through the next crash.
    pub(super) fn check(&self) {
        let before = (self.judge)(&self.fs, &self.workload.dir);
        let before = before.unwrap_or_else(|e| panic!("{}: judged before: {e}", self.note));
        let (log, report) = self.opened(&self.fs);
        let n_found = self.n_found(report.head);
        assert_eq!(
            before, report.head,
            "{}: the judge sees what is served",
            self.note
        );
        self.check_records(&log, n_found);
        let judged = (self.judge)(&self.fs, &self.workload.dir);
        assert_eq!(
            judged,
            Ok(report.head),
            "{}: judged after recovery",
            self.note
        );
        drop(log);
        let (again, later) = self.opened(&self.fs.after_crash(Survivors::None));
        assert_eq!(
            later.head, report.head,
            "{}: what was served is durable",
            self.note
        );
        self.check_records(&again, n_found);
    }

    /// The whole workload is there, in each of the ways that its end may be looked at.
    pub(super) fn check_all_done(&self, ends: &[SimFs]) {
        assert_eq!(self.next_step, self.workload.steps.len(), "{}", self.note);
        assert_eq!(self.n_acknowledged, self.blocks.len(), "{}", self.note);
        for fs in ends {
            self.after(fs.clone(), format!("{}, at the end", self.note))
                .check();
        }
    }

    fn open(&mut self) -> Result<(), String> {
        let workload = self.workload;
        let (log, report) = Log::open(
            self.fs.clone(),
            &workload.dir,
            workload.options.clone(),
            Arc::clone(&workload.keys),
        )
        .map_err(|e| format!("{e:?}"))?;
        // Resolves what was in flight: it is there or it is not, and now that is for good.
        self.n_acknowledged = self.n_found(report.head);
        let n_appends = |steps: &[Step]| {
            steps
                .iter()
                .filter(|s| matches!(s, Step::Append(_)))
                .count()
        };
        if n_appends(&workload.steps[..self.next_step]) < self.n_acknowledged {
            self.next_step += 1;
        }
        self.log = Some(log);
        Ok(())
    }

    fn step(&mut self) -> Result<(), String> {
        let workload = self.workload;
        let log = self.log.as_mut().expect("only called when open");
        match &workload.steps[self.next_step] {
            Step::Append(_) => {
                let block = &self.blocks[self.n_acknowledged];
                self.n_attempted = self.n_attempted.max(self.n_acknowledged + 1);
                match log.append(block.prev(), block) {
                    Ok(head) => assert_eq!(head, block.head()),
                    // Nothing was written: simply once more.
                    Err(AppendError::Full { .. }) if !self.fs.crashed() => return Ok(()),
                    Err(other) => return Err(format!("{other:?}")),
                }
                self.n_acknowledged += 1;
            }
            Step::Mark => {
                log.mark_if_idle().map_err(|e| format!("{e:?}"))?;
            }
            Step::Work(n) => {
                let work = log.background();
                for _ in 0..*n {
                    if let Err(error) = work.step()
                        && self.fs.crashed()
                    {
                        return Err(format!("{error:?}"));
                    }
                }
            }
            Step::Erase(positions, through) => {
                self.erasing.extend(positions);
                log.erase(positions, *through)
                    .map_err(|e| format!("{e:?}"))?;
                self.erased.extend(positions);
            }
            Step::Reopen => {
                let log = self.log.take().expect("open");
                // Done even if closing fails: the next start does what was left.
                self.next_step += 1;
                return log.close().map_err(|e| format!("{e:?}"));
            }
        }
        self.next_step += 1;
        Ok(())
    }

    fn opened(&self, fs: &SimFs) -> (Log<SimFs>, RecoveryReport) {
        let Workload {
            dir, options, keys, ..
        } = self.workload;
        let opened = Log::open(fs.clone(), dir, options.clone(), Arc::clone(keys));
        opened.unwrap_or_else(|e| panic!("{}: a restart needs no help: {e:?}", self.note))
    }

    /// How many blocks a head stands for; it must be one of the attempted and hold the acknowledged.
    fn n_found(&self, head: Head) -> usize {
        let heads = std::iter::once(Head::EMPTY).chain(self.blocks.iter().map(Block::head));
        let found = heads.enumerate().find(|(_, at)| *at == head);
        let (n_found, _) = found.unwrap_or_else(|| panic!("{}: {head} is no prefix", self.note));
        let bounds = self.n_acknowledged..=self.n_attempted.max(self.n_acknowledged);
        assert!(
            bounds.contains(&n_found),
            "{}: found {n_found} of {bounds:?}",
            self.note
        );
        n_found
    }

    fn check_records(&self, log: &Log<SimFs>, n_found: usize) {
        let expected: Vec<&Record> = self.blocks[..n_found]
            .iter()
            .flat_map(Block::records)
            .collect();
        let mut found = Vec::new();
        while found.len() < expected.len() {
            let from = Position(offset(found.len()));
            let more = log.reader().read(from, 700);
            found.extend(more.unwrap_or_else(|e| panic!("{}: {e:?}", self.note)));
        }
        let mut latest: BTreeMap<Key, Position> = BTreeMap::new();
        for (record, made) in found.iter().zip(&expected) {
            let position = made.leaf.position;
            assert_eq!(record.leaf, made.leaf, "{}", self.note);
            let is_erased = record.is_erased();
            let may_be = self.erasing.contains(&position);
            let must_be = self.erased.contains(&position);
            assert!(
                is_erased == must_be || is_erased && may_be,
                "{}: {position}",
                self.note
            );
            assert!(
                is_erased || record == *made,
                "{}: another body at {position}",
                self.note
            );
            let got = log
                .reader()
                .get(&[position])
                .unwrap_or_else(|e| panic!("{}: {e:?}", self.note));
            assert_eq!(
                got.as_slice(),
                std::slice::from_ref(record),
                "{}",
                self.note
            );
            latest.extend(
                self.workload
                    .keys
                    .keys_of(record)
                    .into_iter()
                    .map(|key| (key, position)),
            );
        }
        for (key, position) in latest {
            let answer = log
                .find(&[key])
                .unwrap_or_else(|e| panic!("{}: {e:?}", self.note));
            // A record whose erasure was begun may have left the index before its body was zero.
            let is_begun = found[length(position.0)..]
                .iter()
                .any(|record| self.erasing.contains(&record.leaf.position))
                || self.erasing.contains(&position);
            let is_right = answer == [Some(position)];
            assert!(
                is_right || is_begun,
                "{}: {key:?} {answer:?} {position}",
                self.note
            );
        }
    }
}
