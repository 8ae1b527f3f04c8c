//! The crate seen from outside: one binary, so that it links once.

#![allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

// The name that every other crate of the workspace uses.
extern crate creditbank_ledger as ledger;

mod account_history;
mod account_random;
mod account_stories;
mod codec;
mod sample_events;
mod shape;
mod signature;
mod state;
