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
mod candidates;
mod crashes;
mod days;
mod earlier;
mod fuzz;
mod generated;
mod log;
mod newcomers;
mod numbers;
mod observed;
mod pages;
mod raw;
mod signatures;
mod story;
mod streams;
mod submitter;
mod tidy;
mod web;
