//! One integration binary: tests that join several crates.
