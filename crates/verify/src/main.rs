//! The auditor's command line: `creditbank-verify DIR`.

use std::process::ExitCode;

use clap::Parser;

/// Records are read on one thread and freed on another, which this one is made for.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Check a credit bank's ledger against its own hashes and rules.
#[derive(Debug, Parser)]
#[command(name = "creditbank-verify", version)]
struct Cli {
    #[command(flatten)]
    args: creditbank_verify::Args,
}

fn main() -> ExitCode {
    creditbank_verify::run(&Cli::parse().args)
}
