//! The `creditbank` command line.
fn main() {}
