//! The crate seen from outside, on logs in memory: one binary, so that it links once.

#![allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

// The name that every other crate of the workspace uses.
extern crate creditbank_views as views;

mod accounts;
mod files;
mod follow;
mod lists;
mod random;
mod sample;
