//! Bodies of the fuzz targets, and helpers shared by the integration tests.

pub mod fuzz_chain;
pub mod fuzz_ledger;
