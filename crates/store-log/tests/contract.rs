//! The log keeps the contract of a store, on the machine's files and on simulated ones.
//!
//! Apart from the crash tests: here nothing fails.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use creditbank_store_log::{LogStore, Options};
use durable::{Fs, OsFs, SimFs};
use store::contract::{Harness, SampleKeys};

struct OnFiles<F: Fs> {
    fs: F,
    dir: PathBuf,
    options: Options,
    _temporary: Option<tempfile::TempDir>,
}

impl<F: Fs> Harness for OnFiles<F> {
    type Store = LogStore<F>;

    fn open(&self) -> LogStore<F> {
        let (fs, options) = (self.fs.clone(), self.options.clone());
        let opened = LogStore::open(fs, &self.dir, options, Arc::new(SampleKeys));
        let (store, report) = opened.expect("opened");
        assert_eq!(report.torn_tail, None);
        store
    }

    fn idle(&self, store: &LogStore<F>) {
        self.block_on(store.mark()).expect("marked");
    }
}

fn on_disk(options: Options) -> OnFiles<OsFs> {
    let temporary = tempfile::tempdir().expect("a directory");
    let dir = temporary.path().join("ledger");
    OnFiles {
        fs: OsFs,
        dir,
        options,
        _temporary: Some(temporary),
    }
}

fn simulated(options: Options) -> OnFiles<SimFs> {
    let dir = Path::new("/ledger").to_path_buf();
    OnFiles {
        fs: SimFs::new(),
        dir,
        options,
        _temporary: None,
    }
}

/// Room for the largest block, and otherwise as small as can be.
fn small() -> Options {
    Options {
        segment_bytes: 9 << 20,
        memtable_keys_max: 16,
        filter_cache_bytes: 8192,
        ..Options::small()
    }
}

mod default_on_disk {
    use super::*;
    store::contract_tests!(on_disk(Options::default()));
}

mod small_on_disk {
    use super::*;
    store::contract_tests!(on_disk(small()));
}

mod small_simulated {
    use super::*;
    store::contract_tests!(simulated(small()));
}

mod aligned_simulated {
    use super::*;
    store::contract_tests!(simulated(Options {
        block_align: 512,
        ..small()
    }));
}
