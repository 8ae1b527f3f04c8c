//! One integration binary: tests that join several crates.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a test stops at what it does not expect"
)]

mod accounts;
mod bad_input;
mod bank;
mod crashes;
mod fuzz;
mod generated;
mod newcomers;
mod raw;
mod streams;
mod submitter;
mod tidy;
mod web;
