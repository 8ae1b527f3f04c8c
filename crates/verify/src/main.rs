//! The auditor's command line: `creditbank-verify DIR`.

use std::process::ExitCode;

use clap::Parser;

/// Check a credit bank's ledger against its own hashes and rules.
#[derive(Debug, Parser)]
#[command(name = "creditbank-verify", version)]
struct Cli {
    #[command(flatten)]
    args: creditbank_verify::Args,
}

fn main() -> ExitCode {
    creditbank_verify::run(Cli::parse().args)
}
