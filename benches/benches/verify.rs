//! Verifying a ledger: its hashes alone, and with everything re-admitted, all at once and in shares. Beside it
//! stand hashing as many bodies of its size on one core, and reading as many bytes, in the same run. The
//! ledger is made without a server: decided, put into blocks, appended.
//!
//! Shares are what verifying takes when the memory it may use is too little for all at once: more of them
//! are more passes over the log, not more threads.

#![allow(
    missing_docs,
    clippy::as_conversions,
    clippy::float_arithmetic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a benchmark prints figures for people, and stops when anything fails"
)]

use std::collections::HashMap;
use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;

use chain::{BlockBuilder, Head, Institution, LearnerTip, Salt, commit};
use creditbank_benches::sample::{AT, opening, submissions};
use creditbank_benches::{is_full_size, per_second, timed};
use durable::OsFs;
use ledger::{Handle, InstitutionId, Keyed, State, carry_out, codec};
use server::engine::LedgerKeys;
use store::EventStore as _;
use store_log::LogStore;
use verify::Options;

const BLOCK_BYTES: usize = 1 << 20;

/// A ledger in the making.
struct Writer {
    log: LogStore<OsFs>,
    state: State,
    head: Head,
    tips: HashMap<Handle, LearnerTip>,
}

impl Writer {
    fn push(&mut self, block: &mut BlockBuilder, keyed: Keyed) {
        let (event, body) = keyed.into_parts();
        let institution = |id: &InstitutionId| Institution::try_from(id.as_str()).unwrap();
        let tip = |handle: Handle| self.tips.get(&handle).copied();
        let learner = event
            .learner
            .map(|handle| (chain::Handle(handle.0), tip(handle)));
        let (issuer, submitter) = (institution(&event.issuer), institution(&event.submitter));
        let kind = codec::number_of(event.body.kind());
        let pushed = block
            .push(kind, issuer, submitter, learner, Salt([5; 32]), body)
            .unwrap();
        if let (Some(handle), Some(tip)) = (event.learner, pushed.tip) {
            self.tips.insert(handle, tip);
        }
    }

    async fn append(&mut self, block: &mut BlockBuilder) {
        let next = BlockBuilder::new(self.head, chain::Timestamp(AT.0));
        let full = std::mem::replace(block, next).finish();
        self.head = self.log.append(self.head, full).await.unwrap();
        *block = BlockBuilder::new(self.head, chain::Timestamp(AT.0));
    }
}

async fn write(dir: &Path, records: u64, learners: u64) -> u64 {
    let keys = Arc::new(LedgerKeys::default());
    let (log, _) = LogStore::open(OsFs, dir, store_log::Options::default(), keys).unwrap();
    let mut writer = Writer {
        log,
        state: State::new(),
        head: Head::EMPTY,
        tips: HashMap::new(),
    };
    let mut block = BlockBuilder::new(writer.head, chain::Timestamp(AT.0));
    for command in opening(learners)
        .into_iter()
        .chain(submissions(records, learners))
    {
        let decision = carry_out(&mut writer.state, &command, AT).unwrap();
        for keyed in decision.events {
            writer.push(&mut block, keyed);
        }
        if block.bytes() > BLOCK_BYTES {
            writer.append(&mut block).await;
        }
    }
    writer.append(&mut block).await;
    writer.head.size
}

fn main() {
    let (records, learners) = if is_full_size() {
        (1_000_000, 50_000)
    } else {
        (500, 100)
    };
    let dir = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let n = runtime.block_on(write(dir.path(), records, learners));
    println!(
        "{n} records of {learners} learners, once each: records per second, and of the baseline"
    );
    let body = [b'x'; 120];
    let hash = |_| commit(&Salt([5; 32]), &body);
    let (hashes, time) = timed(|| (0..n).map(hash).collect::<Vec<_>>());
    assert_eq!(hashes.first(), hashes.last());
    let baseline = per_second(n, time);
    let show = |what: &str, rate: f64| {
        println!("  {what:<36} {rate:>9.0} {:>6.2}", rate / baseline);
    };
    show("one hash of 120 bytes a record", baseline);
    show("bytes of the log read", read(dir.path(), n));
    let everything = Options::default();
    let hashes_only = Options {
        hashes_only: true,
        ..Options::default()
    };
    let in_shares = |n| Options {
        shares: Some(n),
        ..Options::default()
    };
    show("hashes only", verified(dir.path(), n, &hashes_only));
    show("everything", verified(dir.path(), n, &everything));
    for shares in [2, 5] {
        let what = format!("everything, in {shares} shares");
        show(&what, verified(dir.path(), n, &in_shares(shares)));
    }
}

/// Records per second.
fn verified(dir: &Path, n: u64, options: &Options) -> f64 {
    let (report, time) = timed(|| verify::verify(&OsFs, dir, options, &mut |_| {}).unwrap());
    assert!(report.clean, "{report}");
    assert_eq!(report.counts.records, n);
    per_second(n, time)
}

/// As many records per second as their bytes are read in.
fn read(dir: &Path, n: u64) -> f64 {
    let segments = std::fs::read_dir(dir.join("log")).unwrap();
    let paths = segments.map(|entry| entry.unwrap().path());
    let paths: Vec<_> = paths
        .filter(|path| path.extension() == Some("seg".as_ref()))
        .collect();
    let mut buffer = vec![0; 1 << 20];
    let ((), time) = timed(|| {
        for path in &paths {
            let mut file = std::fs::File::open(path).unwrap();
            while file.read(&mut buffer).unwrap() > 0 {}
        }
    });
    per_second(n, time)
}
