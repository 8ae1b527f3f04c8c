//! The auditor's command line.
fn main() {}
