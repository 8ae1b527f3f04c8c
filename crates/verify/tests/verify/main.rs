//! What the verifier says about good, torn, tampered and forged ledgers, and how its command says it.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod bank;
mod clean;
mod cli;
mod erasure;
mod forge;
mod forge_erased;
mod history;
mod image;
mod signatures;
mod structure;
mod tamper;
