//! The auditor's verifier: no network, no async, no sled.
//!
//! It reads a data directory that it does not trust, takes no lock and writes nothing, so it also runs
//! beside a running server. [`verify`] is generic over the file system, because every crash test asks
//! the same code for its verdict.
//!
//! Read in this order: [`invariants`] (what must hold), `scan` and `judge` (from bytes to records),
//! `structure`, `learners` and `admission` (what records must be), `missing` and `excuse` (what can no
//! longer be asked of them), `groups` and `pass` (how that stays within a bound of memory), [`Report`] (what
//! comes out).

mod admission;
mod args;
mod directory;
mod error;
mod examine;
mod excuse;
mod finding;
mod fold;
mod gathered;
mod groups;
pub mod invariants;
mod judge;
mod learners;
mod missing;
mod pass;
mod readmission;
mod report;
mod scan;
mod signatures;
mod structure;
mod tail;
mod verify;
mod width;
mod window;

pub use args::{Args, run};
pub use error::CouldNotRun;
pub use finding::{FINDINGS_MAX, Finding, Place};
pub use report::{Admissions, Counts, Report};
pub use tail::{Tail, tail};
pub use verify::{Options, Progress, verify};
