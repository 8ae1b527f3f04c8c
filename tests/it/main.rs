//! One integration binary: tests that join several crates.

mod bad_input;
mod bank;
mod crashes;
mod fuzz;
mod generated;
mod raw;
mod tidy;
