//! The reference store keeps the contract.
//!
//! Apart from the suite, which belongs to every store.

use std::sync::{Arc, Mutex};

use creditbank_store::contract::{Harness, SampleKeys};
use creditbank_store::{MemoryStore, contract_tests};

#[derive(Default)]
struct InMemory(Mutex<Option<MemoryStore>>);

impl Harness for InMemory {
    type Store = MemoryStore;

    fn open(&self) -> MemoryStore {
        let mut kept = self.0.lock().expect("no panic");
        let origin = kept.get_or_insert_with(|| MemoryStore::new(Arc::new(SampleKeys)));
        origin.reopen(Arc::new(SampleKeys))
    }
}

contract_tests!(InMemory::default());
