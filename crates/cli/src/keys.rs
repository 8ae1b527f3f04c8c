//! `institution key`: the keys with which institutions sign.
//!
//! Apart from `institution` because one of its commands asks no server, and the others are the
//! institution's own business as well as the operator's.

use std::process::ExitCode;

use api::v1;
use client::Client;

use crate::args::value::Identity;
use crate::args::{Global, KeyCommand};
use crate::error::Failure;
use crate::institution::{Shown, span};
use crate::table::Rows;
use crate::wire::{FromWire, Institution, InstitutionKey};
use crate::{output, signing};

/// Runs `institution key`.
///
/// # Errors
///
/// [`Failure`] when a file cannot be read or written, there is no answer, or a refusal.
pub(crate) async fn run(global: &Global, command: &KeyCommand) -> Result<ExitCode, Failure> {
    if let KeyCommand::Generate(args) = command {
        let public_key = hex(&signing::generate(&args.out).await?);
        if global.json {
            output::json(&serde_json::json!({ "public_key": public_key }))?;
        } else {
            output::line(&public_key)?;
        }
        return Ok(ExitCode::SUCCESS);
    }
    // What the options say wrongly is said before anybody is called.
    let key = match command {
        KeyCommand::Add(args) => Some(v1::InstitutionKey {
            key_id: args.key_id.clone(),
            public_key: signing::public_key(&args.public_key).await?,
            during: (args.from.is_some() || args.until.is_some()).then(|| v1::Span {
                from: args.from.clone().unwrap_or_default(),
                until: args.until.clone().unwrap_or_default(),
            }),
            ..Default::default()
        }),
        _ => None,
    };
    let identity = global.identity.clone().unwrap_or(Identity::Operator);
    let client = Client::connect(&global.server, &identity).await?;
    match command {
        KeyCommand::Generate(_) => {}
        KeyCommand::Add(args) => {
            let shown = Shown::before_change(global, &client).await?;
            let request = v1::AddInstitutionKeyRequest {
                institution_id: args.id.clone(),
                key,
            };
            let answer = client.call(request).await?;
            shown.changed(answer.institution, answer.receipt)?;
        }
        KeyCommand::Revoke(args) => {
            let shown = Shown::before_change(global, &client).await?;
            let request = v1::RevokeInstitutionKeyRequest {
                institution_id: args.id.clone(),
                key_id: args.key_id.clone(),
                reason: args.reason.clone(),
            };
            let answer = client.call(request).await?;
            shown.changed(answer.institution, answer.receipt)?;
        }
        KeyCommand::List(args) => {
            let request = v1::GetInstitutionRequest {
                institution_id: args.id.clone(),
                ..Default::default()
            };
            let answer = client.call(request).await?;
            let institution = Institution::from_wire(answer.institution.unwrap_or_default());
            list(global, &institution.keys)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn list(global: &Global, keys: &[InstitutionKey]) -> Result<(), Failure> {
    if global.json {
        return keys.iter().try_for_each(output::json);
    }
    output::line(&if keys.is_empty() {
        "no keys yet; `creditbank institution key add` registers one".to_owned()
    } else {
        rows(keys).render()
    })
}

/// Keys for people.
pub(crate) fn rows(keys: &[InstitutionKey]) -> Rows {
    let mut rows = Rows::new(&["key", "public key", "signs what is recorded", "state"]);
    for key in keys {
        let state = if key.revoked {
            format!("revoked: {}", key.revoked_reason)
        } else {
            "registered".to_owned()
        };
        let during = span(key.during.as_ref());
        rows.add(vec![
            key.key_id.clone(),
            key.public_key.as_str().to_owned(),
            if during.is_empty() {
                "always".to_owned()
            } else {
                during
            },
            state,
        ]);
    }
    rows
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
