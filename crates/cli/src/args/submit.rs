//! Arguments of `submit`.
//!
//! Apart because it is the command that runs every night, and its options say what happens when
//! something goes wrong.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::value;
use crate::signing::SigningArgs;

/// Arguments of `submit`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  creditbank submit results.jsonl --institution hill-university
  creditbank submit results.jsonl --institution hill-university --validate-only
  creditbank submit results.jsonl --institution hill-university --sign hill.pem --key-id 2026
  zcat results.jsonl.gz | creditbank submit - --institution hill-university --json

A line is one achievement, with the keys of the proto message Achievement as they are written there:
  {\"record_id\":\"2026S-ST210-17\",\"learner\":{\"student\":{\"number\":\"2020H-0409\"}},\"type\":\"Course\",
   \"code\":\"HU-ST210\",\"titles\":[{\"value\":\"Statistics\",\"language\":\"en\"}],
   \"size\":{\"amount\":\"4\",\"unit\":\"cn-credit\"},\"awarded\":\"2026-07-10\"}      (on one line)
It is not protobuf's JSON mapping: keys are record_id and not recordId, origin is one of earned, assessed, \
transferred, exempted, and an amount is a decimal in quotes. \
ledger-data/sample/achievements.jsonl shows 460 lines.

Every line of the input gets one line of output. Sending a file again is safe: a record that is \
there already is answered with its first receipt. So after any interruption, send the file again.")]
pub(crate) struct SubmitArgs {
    /// A JSON Lines file, one achievement a line; - reads standard input
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// The institution that submits; it may submit for others that delegated to it
    #[arg(
        long,
        value_name = "ID",
        env = "CREDITBANK_INSTITUTION",
        hide_env_values = true,
        value_parser = value::institution_id
    )]
    pub(crate) institution: Option<String>,
    /// With which key to sign.
    #[command(flatten)]
    pub(crate) signing: SigningArgs,
    /// Records sent together
    #[arg(long, value_name = "N", default_value_t = 500, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub(crate) batch: u16,
    /// Batches on their way at a time; 1 keeps their order strictly
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=64))]
    pub(crate) in_flight: u16,
    /// All or nothing: the file must fit into one batch of 1,000
    #[arg(long)]
    pub(crate) atomic: bool,
    /// Check only; record nothing
    #[arg(long)]
    pub(crate) validate_only: bool,
    /// How long to keep trying when the server cannot be reached
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = value::duration)]
    pub(crate) retry_for: Duration,
}
