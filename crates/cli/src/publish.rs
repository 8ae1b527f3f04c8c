//! A registry file, table by table: institutions, delegations, courses, intake windows.
//!
//! Apart from `institution`, which handles one at a time: a file goes on after a refusal, and the demo
//! loads its sample the same way.

use std::process::ExitCode;

use api::v1;

use crate::args::Global;
use crate::args::value::Identity;
use crate::error::{Failure, REFUSED, Refusal};
use crate::output;
use crate::wire::{RegistryFile, ToWire};
use client::Client;

/// Publishes a file and shows what became of each table.
///
/// # Errors
///
/// [`Failure`] when the server cannot be reached.
pub(crate) async fn publish_file(
    global: &Global,
    client: &Client,
    file: RegistryFile,
    update: bool,
) -> Result<ExitCode, Failure> {
    let mut refused = false;
    publish(client, &file, update, |step| {
        refused |= step.result.is_err();
        if global.json {
            return output::json(&step.to_json());
        }
        let text = match &step.result {
            Ok(Some(position)) if step.already_so => format!("already so  position {position}"),
            Ok(Some(position)) => format!("done        position {position}"),
            Ok(None) => "done".to_owned(),
            Err(refusal) => format!("rejected    {}: {}", refusal.reason, refusal.message),
        };
        output::line(&format!("{:<12} {:<42} {text}", step.kind, step.name))
    })
    .await?;
    Ok(ExitCode::from(if refused { REFUSED } else { 0 }))
}

/// One table of a registry file, and what became of it.
pub(crate) struct Step {
    /// Which kind of table.
    pub(crate) kind: &'static str,
    /// What it names.
    pub(crate) name: String,
    /// Its position in the ledger, or the refusal.
    pub(crate) result: Result<Option<u64>, Refusal>,
    /// It was so before; nothing changed.
    pub(crate) already_so: bool,
}

impl Step {
    fn to_json(&self) -> serde_json::Value {
        let refusal = self.result.as_ref().err();
        serde_json::json!({
            "kind": self.kind,
            "name": self.name,
            "state": match refusal {
                Some(_) => "rejected",
                None if self.already_so => "already_so",
                None => "done",
            },
            "position": self.result.as_ref().ok().copied().flatten(),
            "reason": refusal.map(|refusal| &refusal.reason),
            "message": refusal.map(|refusal| &refusal.message),
        })
    }
}

/// Publishes all tables of a file, in the order in which they build on each other.
///
/// # Errors
///
/// [`Failure`] when the server cannot be reached, or `report` fails; a refusal is reported instead.
pub(crate) async fn publish(
    client: &Client,
    file: &RegistryFile,
    update: bool,
    mut report: impl FnMut(Step) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let before = client.head().await?.size;
    let step = |kind, name, result| step(before, kind, name, result);
    for institution in &file.institution {
        let sent = Some(institution.to_send());
        let result = if update {
            let request = v1::UpdateInstitutionRequest { institution: sent };
            client.call(request).await.map(|answer| answer.receipt)
        } else {
            let request = v1::RegisterInstitutionRequest { institution: sent };
            client.call(request).await.map(|answer| answer.receipt)
        };
        report(step(
            "institution",
            institution.institution_id.clone(),
            result,
        )?)?;
    }
    for delegation in &file.delegation {
        let name = format!("{} for {}", delegation.delegate_id, delegation.issuer_id);
        let request: v1::DelegateInstitutionRequest = delegation.clone().to_wire();
        let answer = client.call(request).await;
        report(step(
            "delegation",
            name,
            answer.map(|answer| answer.receipt),
        )?)?;
    }
    for course in &file.course {
        let name = format!("{} {}", course.institution_id, course.code);
        let request = v1::PublishCourseRequest {
            course: Some(course.clone().to_wire()),
        };
        let publisher = publisher(client, &course.institution_id)?;
        let answer = publisher.call(request).await;
        report(step("course", name, answer.map(|answer| answer.receipt))?)?;
    }
    for window in &file.window {
        let request = v1::PublishIntakeWindowRequest {
            window: Some(window.clone().to_wire()),
        };
        let answer = client.call(request).await;
        let receipt = answer.map(|answer| answer.receipt);
        report(step("window", window.window_id.clone(), receipt)?)?;
    }
    Ok(())
}

/// A catalogue is its institution's to publish, whoever loads the file.
fn publisher(client: &Client, institution_id: &str) -> Result<Client, Failure> {
    if institution_id.is_empty() {
        return Ok(client.clone());
    }
    Ok(client.acting_as(&Identity::Institution(institution_id.to_owned()))?)
}

/// A refusal is the table's; anything else ends the file. A receipt from below the size that the ledger
/// had before is that of an earlier publication.
fn step(
    before: u64,
    kind: &'static str,
    name: String,
    result: Result<Option<v1::Receipt>, Refusal>,
) -> Result<Step, Failure> {
    let result = match result {
        Ok(receipt) => Ok(receipt.map(|receipt| receipt.position)),
        Err(refusal) if refusal.is_an_answer() => Err(refusal),
        Err(other) => return Err(other.into()),
    };
    let already_so = matches!(&result, Ok(Some(position)) if *position < before);
    Ok(Step {
        kind,
        name,
        result,
        already_so,
    })
}
