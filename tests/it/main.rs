//! One integration binary: tests that join several crates.

mod fuzz;
mod generated;
mod tidy;
