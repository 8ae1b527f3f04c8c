//! `records supersede`: a correction is a new version, whole, under the same record id.
//!
//! Apart from the other commands on records because it alone sends content: read, changed and sent back,
//! or from a file.

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use api::v1;

use crate::args::{Change, Global, Supersede};
use crate::bulk::{LineResult, each_line};
use crate::error::{Failure, REFUSED, Refusal};
use crate::output;
use crate::records::{connect, fetch};
use crate::signing::{sign, signer};
use crate::submit::{OutcomeLine, Tally, acting};
use crate::wire::{Achievement, ToWire};
use client::{Client, Signer};

/// Runs `records supersede`.
///
/// # Errors
///
/// [`Failure`] when there is no answer or a refusal.
pub(crate) async fn run(global: &Global, args: &Supersede) -> Result<ExitCode, Failure> {
    let identity = acting(global, args.acting.institution.as_deref())?;
    let signer = signer(&args.signing, &identity).await?;
    let client = connect(global, &args.acting).await?;
    let Some(record_id) = &args.record_id else {
        let path = args.file.as_deref().unwrap_or(Path::new("-"));
        return supersede_file(global, &client, args, signer, path).await;
    };
    let name = v1::RecordName {
        issuer_id: args.acting.issuer.clone().unwrap_or_default(),
        record_id: record_id.clone(),
    };
    let record = fetch(&client, name, None).await?;
    let content = record
        .versions
        .into_iter()
        .next_back()
        .and_then(|version| version.achievement);
    let Some(mut achievement) = content else {
        return Err(Failure::Usage(format!(
            "the content of {record_id} has been erased"
        )));
    };
    apply(&mut achievement, &args.change);
    // What was signed is the version before.
    achievement.signature = None;
    sign(signer.as_deref(), &mut achievement);
    let sent = send_version(client, achievement, args.reason.clone(), args.validate_only).await?;
    let line = sent.line(1, args.validate_only);
    let mut tally = Tally::default();
    tally.count(&line);
    output::line(&line.render(global.json)?)?;
    Ok(ExitCode::from(if tally.is_clean() { 0 } else { REFUSED }))
}

/// What became of a new version.
struct Sent {
    outcome: v1::RecordOutcome,
    /// What to say when the content is that of a version which is not in force.
    not_in_force: Option<String>,
}

impl Sent {
    fn line(self, number: u64, validate_only: bool) -> OutcomeLine {
        let line = OutcomeLine::answered(number, self.outcome).saying("superseded", validate_only);
        match self.not_in_force {
            None => line,
            Some(sentence) => line.not_in_force(sentence),
        }
    }
}

/// What to say when the version at `position` is not the one in force.
fn not_in_force(versions: &[v1::RecordVersion], position: u64) -> Option<String> {
    let at = |version: &v1::RecordVersion| {
        let receipt = version.receipt.as_ref();
        receipt.map(|receipt| receipt.position)
    };
    let in_force = versions.last().and_then(at)?;
    let number = versions
        .iter()
        .position(|version| at(version) == Some(position))?
        + 1;
    let last = versions.len();
    (number < last).then(|| {
        format!(
            "nothing changed: this is the content of version {number}; version {last}, at position \
             {in_force}, stays in force"
        )
    })
}

async fn send_version(
    client: Client,
    achievement: v1::Achievement,
    reason: String,
    validate_only: bool,
) -> Result<Sent, Refusal> {
    let name = v1::RecordName {
        issuer_id: achievement.issuer_id.clone(),
        record_id: achievement.record_id.clone(),
    };
    let request = v1::SupersedeRecordRequest {
        achievement: Some(achievement),
        reason,
        expected_revision: None,
        validate_only,
    };
    let answer = client.call(request).await?;
    let outcome = answer.outcome.unwrap_or_default();
    let not_in_force = match (outcome.state(), &outcome.receipt) {
        (v1::OutcomeState::AlreadyRecorded, Some(receipt)) => {
            let request = v1::GetRecordRequest {
                name: Some(name),
                ..Default::default()
            };
            let record = client.call(request).await?.record;
            not_in_force(&record.unwrap_or_default().versions, receipt.position)
        }
        _ => None,
    };
    Ok(Sent {
        outcome,
        not_in_force,
    })
}

/// Puts what was given in place of what is there.
fn apply(achievement: &mut v1::Achievement, change: &Change) {
    if let Some(value) = &change.grade {
        let is_grade = |result: &&mut v1::Result| matches!(result.subject.as_str(), "" | "grade");
        match achievement.results.iter_mut().find(is_grade) {
            Some(result) => result.value.clone_from(value),
            None => achievement.results.push(v1::Result {
                value: value.clone(),
                ..Default::default()
            }),
        }
        let scaled = achievement.results.iter_mut().find(is_grade);
        if let (Some(result), Some(scale)) = (scaled, &change.scale) {
            result.scale.clone_from(scale);
        }
    }
    if change.size.is_some() {
        achievement.size.clone_from(&change.size);
    }
    if change.level.is_some() {
        achievement.level.clone_from(&change.level);
    }
    let fields = [
        (&change.field, &mut achievement.field),
        (&change.awarded, &mut achievement.awarded),
        (&change.expires, &mut achievement.expires),
    ];
    for (new, old) in fields {
        if let Some(new) = new {
            old.clone_from(new);
        }
    }
}

async fn supersede_file(
    global: &Global,
    client: &Client,
    args: &Supersede,
    signer: Option<Arc<Signer>>,
    path: &Path,
) -> Result<ExitCode, Failure> {
    let (reason, validate_only) = (args.reason.clone(), args.validate_only);
    let call = move |client: Client, achievement: Achievement| {
        let mut achievement = achievement.to_wire();
        sign(signer.as_deref(), &mut achievement);
        send_version(client, achievement, reason.clone(), validate_only)
    };
    let mut tally = Tally::default();
    each_line(
        path,
        client,
        |line: &Achievement| &line.record_id,
        call,
        |progress, number, result| {
            let line = match result {
                LineResult::Answer(sent) => sent.line(number, validate_only),
                LineResult::Refused(refusal) => OutcomeLine::refused(number, &refusal),
                LineResult::Unreadable(problem) => OutcomeLine::unreadable(number, &problem),
            };
            tally.count(&line);
            progress.line(&line.render(global.json)?)
        },
    )
    .await?;
    Ok(ExitCode::from(if tally.is_clean() { 0 } else { REFUSED }))
}
