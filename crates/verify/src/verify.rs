//! The whole verification: how many passes it takes, and their sum.
//!
//! Apart from a single pass because how the work is cut is a question of memory alone, and must change
//! nothing in the report.
//!
//! Memory: what is kept for each record or learner is cut into shares that fit the bound, by an estimate from
//! the ledger's size. Beside it stand a few batches on their way, each a block of at most 8 MiB and what it
//! decodes to. Two things are not cut: some 80 bytes for each learner that is joined to another (merged, given
//! a record, with a document or number that another had, or erased, as erasures share a key), and what
//! learners joined to each other hold, as they are in one share.
//!
//! Order: when not everything fits at once, the first pass checks the bytes and what holds along the
//! ledger, and follows the first share of the keys; further passes follow the other shares of the keys;
//! then one pass for each share of the learners checks their chains, bodies and events.

use std::path::Path;

use chain::Head;
use durable::Fs;

use crate::directory::Directory;
use crate::error::CouldNotRun;
use crate::fold::Fold;
use crate::gathered::Gathered;
use crate::groups::{Groups, Holders, Share};
use crate::learners::Learners;
use crate::pass::{self, Pass};
use crate::report::Report;
use crate::structure::Structure;

/// What to compare with, and how much memory to use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// A head that was kept elsewhere: the ledger must hold it.
    pub expect_head: Option<Head>,
    /// Memory for what is known of learners, in bytes. More records than fit take more passes.
    pub memory_bytes: u64,
    /// The number of shares to cut the learners into, instead of as many as memory asks for.
    pub shares: Option<u64>,
    /// Checks everything that hashes alone decide, and reads no body: neither whether it is an event, nor
    /// whether the rules admit it, nor what an issuer has signed.
    pub hashes_only: bool,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            expect_head: None,
            memory_bytes: 1 << 30,
            shares: None,
            hashes_only: false,
        }
    }
}

/// How far a verification has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Bytes read, over all passes.
    pub bytes_done: u64,
    /// Bytes to read, over all passes.
    pub bytes_total: u64,
}

/// Memory for one record of which everything is known, in bytes: measured as 500 at most, just after the
/// tables have grown, 20 records a learner.
const STATE_BYTES_PER_RECORD: u64 = 512;
/// Memory for the keys of one record, in bytes.
const KEY_BYTES_PER_RECORD: u64 = 96;
/// Memory for one record of which only the hashes are checked, in bytes.
const CHAIN_BYTES_PER_RECORD: u64 = 64;

/// Verifies the ledger in a data directory: the one that holds `log`.
///
/// Reads only, without a lock. `progress` is called from time to time.
///
/// # Errors
/// [`CouldNotRun`] when nothing can be said about the ledger. Whatever is wrong with the ledger itself is
/// a finding of the report.
pub fn verify<F: Fs>(
    fs: &F,
    dir: &Path,
    options: &Options,
    progress: &mut dyn FnMut(Progress),
) -> Result<Report, CouldNotRun> {
    let mut dir = Directory::read(fs, dir)?;
    let records = dir.records_estimate(fs);
    let memory = options.memory_bytes.max(1);
    let shares_of = |bytes_each: u64| {
        let asked = records.saturating_mul(bytes_each).div_ceil(memory);
        options.shares.unwrap_or(asked).max(1)
    };
    let (learner_shares, key_shares) = if options.hashes_only {
        (shares_of(CHAIN_BYTES_PER_RECORD), 1)
    } else {
        (
            shares_of(STATE_BYTES_PER_RECORD),
            shares_of(KEY_BYTES_PER_RECORD),
        )
    };

    let mut out = Gathered::new();
    dir.findings.drain(..).for_each(|finding| out.find(finding));
    dir.notes
        .drain(..)
        .for_each(|note| out.note(u64::MAX, note));
    let n_passes = if learner_shares == 1 {
        1
    } else {
        key_shares.saturating_add(learner_shares)
    };
    let bytes_total = dir.bytes().saturating_mul(n_passes);
    let work = Work {
        fs,
        dir: &dir,
        options,
        bytes_total,
    };
    let structure = if learner_shares == 1 {
        work.all_at_once(&mut out, progress)?
    } else {
        work.by_shares(key_shares, learner_shares, &mut out, progress)?
    };
    Ok(report(&dir, options, structure, out))
}

struct Work<'a, F: Fs> {
    fs: &'a F,
    dir: &'a Directory,
    options: &'a Options,
    bytes_total: u64,
}

impl<F: Fs> Work<'_, F> {
    fn all_at_once(
        &self,
        out: &mut Gathered,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Structure, CouldNotRun> {
        let groups = Groups::default();
        let learners = Some((Share::ALL, &groups));
        let pass = Pass {
            structure: true,
            learners,
            keys: None,
            events: self.events(),
        };
        let (structure, _) = self.pass(pass, 0, Groups::default(), out, progress)?;
        Ok(structure)
    }

    fn by_shares(
        &self,
        key_shares: u64,
        learner_shares: u64,
        out: &mut Gathered,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Structure, CouldNotRun> {
        let mut groups = Groups::default();
        let mut structure = None;
        let mut n_done = 0;
        for share in Share::each(key_shares) {
            let is_first = structure.is_none();
            let pass = Pass {
                structure: is_first,
                learners: None,
                keys: Some(share),
                events: self.events(),
            };
            let (seen, joined) = self.pass(pass, n_done, groups, out, progress)?;
            groups = joined;
            if is_first {
                // Invariant: what a running server appends from here on is not this report's.
                out.limit = Some(seen.head.size);
            }
            structure.get_or_insert(seen);
            n_done = n_done.saturating_add(1);
        }
        for share in Share::each(learner_shares) {
            let pass = Pass {
                structure: false,
                learners: Some((share, &groups)),
                keys: None,
                events: self.events(),
            };
            self.pass(pass, n_done, Groups::default(), out, progress)?;
            n_done = n_done.saturating_add(1);
        }
        Ok(structure.unwrap_or_else(|| self.structure()))
    }

    fn events(&self) -> bool {
        !self.options.hashes_only
    }

    fn structure(&self) -> Structure {
        Structure::new(self.options.expect_head, self.dir.erased_through)
    }

    fn pass(
        &self,
        pass: Pass<'_>,
        n_done: u64,
        groups: Groups,
        out: &mut Gathered,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<(Structure, Groups), CouldNotRun> {
        let before = self.dir.bytes().saturating_mul(n_done);
        let bytes_total = self.bytes_total;
        let mut report = |bytes: u64| {
            progress(Progress {
                bytes_done: before.saturating_add(bytes),
                bytes_total,
            });
        };
        let mut fold = Fold {
            pass,
            out,
            structure: self.structure(),
            learners: Learners::new(self.dir.erased_through),
            groups,
            holders: Holders::new(pass.keys.unwrap_or(Share::ALL)),
            progress: &mut report,
        };
        pass::run(self.fs, self.dir, &pass, &mut fold)?;
        Ok(fold.finish())
    }
}

fn report(dir: &Directory, options: &Options, structure: Structure, mut out: Gathered) -> Report {
    let mut counts = structure.counts;
    counts.erased_bodies = out.erased;
    counts.segments = u64::try_from(dir.segments.len()).unwrap_or(u64::MAX);
    counts.bytes = dir.bytes();
    let findings_total = out.findings.total();
    let notes = out.notes();
    Report {
        clean: findings_total == 0,
        head: structure.head.to_string(),
        expected_head: options.expect_head.map(|head| head.to_string()),
        counts,
        admissions: out.admissions,
        hashes_only: options.hashes_only,
        signatures: out.signatures,
        findings_total,
        findings: out.findings.into_sorted(),
        notes,
    }
}
