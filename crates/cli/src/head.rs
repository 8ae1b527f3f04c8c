//! `head`: the ledger's size and chain hash as one word, to keep where the operator cannot reach it.
//!
//! Apart from `judge`, which takes such a word and needs no server: this one asks a server for it.

use std::process::ExitCode;

use api::v1;

use crate::args::value::Identity;
use crate::args::{At, Global};
use crate::error::Failure;
use crate::output;
use crate::wire::{FromWire, Head};
use client::Client;

/// Runs `head`.
///
/// # Errors
///
/// [`Failure`] when there is no answer or a refusal.
pub(crate) async fn run(global: &Global, at: &At) -> Result<ExitCode, Failure> {
    let identity = global.identity.clone().unwrap_or(Identity::Operator);
    let client = Client::connect(&global.server, &identity).await?;
    let request = v1::GetHeadRequest { as_of: at.as_of() };
    let head = Head::from_wire(client.call(request).await?);
    if global.json {
        output::json(&head)?;
    } else {
        output::line(&format!("{}:{}", head.size, head.chain_hash.as_str()))?;
    }
    Ok(ExitCode::SUCCESS)
}
