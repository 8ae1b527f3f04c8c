//! Arguments of `institution key`.
//!
//! Apart because keys are what an institution does itself, on its own machine.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::value;

pub(crate) const EXAMPLES: &str = "\
Examples:
  creditbank institution key generate --out hill.pem
  creditbank institution key add hill-university --key-id 2026 --public-key hill.pem
  creditbank submit results.jsonl --institution hill-university --sign hill.pem --key-id 2026

The private key stays in its file and is never sent. It has no passphrase: keep the file where only those who \
may sign can read it, and revoke the key when it was seen.";

/// The commands about keys.
#[derive(Debug, Subcommand)]
pub(crate) enum KeyCommand {
    /// Make a private key file (PKCS#8, PEM, no passphrase, readable by its owner alone) and print its public key
    #[command(
        after_help = "Example:\n  creditbank institution key generate --out hill.pem\n\nA file that is there is never overwritten."
    )]
    Generate(Generate),
    /// Register a public key with which an institution signs from now on
    #[command(
        after_help = "Examples:\n  creditbank institution key add hill-university --key-id 2026 --public-key hill.pem\n  creditbank institution key add hill-university --key-id 2027 --public-key 64-HEX-DIGITS --from 2027-01-01\n\nOf a private key file only the public half is sent. Neither a key's name nor the key is ever used again."
    )]
    Add(Add),
    /// End a key for good; what was recorded before stays signed
    #[command(
        after_help = "Example:\n  creditbank institution key revoke hill-university --key-id 2026 --reason \"laptop stolen\""
    )]
    Revoke(Revoke),
    /// List an institution's keys, also those that ended
    #[command(after_help = "Example:\n  creditbank institution key list hill-university")]
    List(ListKeys),
}

/// Arguments of `institution key generate`.
#[derive(Debug, Args)]
pub(crate) struct Generate {
    /// The file to make
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
}

/// Arguments of `institution key add`.
#[derive(Debug, Args)]
pub(crate) struct Add {
    /// The institution's id
    #[arg(value_name = "ID", value_parser = value::institution_id)]
    pub(crate) id: String,
    /// The institution's own name for the key
    #[arg(long, value_name = "KEY")]
    pub(crate) key_id: String,
    /// 64 hexadecimal digits, or a file with them, a PEM public key, or the private key file
    #[arg(long, value_name = "FILE|HEX")]
    pub(crate) public_key: String,
    /// First day of recording on which it signs
    #[arg(long, value_name = "DATE", value_parser = value::date)]
    pub(crate) from: Option<String>,
    /// First day after
    #[arg(long, value_name = "DATE", value_parser = value::date)]
    pub(crate) until: Option<String>,
}

/// Arguments of `institution key revoke`.
#[derive(Debug, Args)]
pub(crate) struct Revoke {
    /// The institution's id
    #[arg(value_name = "ID", value_parser = value::institution_id)]
    pub(crate) id: String,
    /// Which key
    #[arg(long, value_name = "KEY")]
    pub(crate) key_id: String,
    /// Why, for people; kept in the ledger
    #[arg(long)]
    pub(crate) reason: String,
}

/// Arguments of `institution key list`.
#[derive(Debug, Args)]
pub(crate) struct ListKeys {
    /// The institution's id
    #[arg(value_name = "ID", value_parser = value::institution_id)]
    pub(crate) id: String,
}
