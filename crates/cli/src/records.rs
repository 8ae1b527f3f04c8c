//! `records`: looking after what was submitted.
//!
//! Apart from `submit` because these name records that exist already, and change or withdraw them.

use std::path::Path;
use std::process::ExitCode;

use api::v1;
use api::v1::learner_reference::Reference;

use crate::account::level;
use crate::args::{
    ActingArgs, Global, List, Named, Reassign, RecordsCommand, ShowRecord, Withdraw,
};
use crate::error::{Failure, REFUSED};
use crate::input::Lines;
use crate::submit::{OutcomeLine, Tally, acting};
use crate::table::{Reader, Rows, facts};
use crate::wire::{Achievement, FromWire, Record, Version};
use crate::{lines, output, supersede};
use client::Client;

/// Records asked for at a time.
const PAGE_SIZE: u32 = 500;
/// Most record ids of one call.
const BATCH_MAX: usize = 1000;

/// Which of three things to do with records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Doing {
    Revoke,
    Suspend,
    Reinstate,
}

impl Doing {
    /// The word when it is done.
    fn done(self) -> &'static str {
        match self {
            Self::Revoke => "revoked",
            Self::Suspend => "suspended",
            Self::Reinstate => "reinstated",
        }
    }
}

/// Runs `records`.
///
/// # Errors
///
/// [`Failure`] when there is no answer or a refusal.
pub(crate) async fn run(global: &Global, command: &RecordsCommand) -> Result<ExitCode, Failure> {
    match command {
        RecordsCommand::List(args) => list(global, args).await,
        RecordsCommand::Show(args) => show(global, args).await,
        RecordsCommand::Revoke(args) => withdraw(global, args, Doing::Revoke).await,
        RecordsCommand::Suspend(args) => withdraw(global, args, Doing::Suspend).await,
        RecordsCommand::Reinstate(args) => withdraw(global, args, Doing::Reinstate).await,
        RecordsCommand::Supersede(args) => supersede::run(global, args).await,
        RecordsCommand::Reassign(args) => reassign(global, args).await,
    }
}

pub(crate) async fn connect(global: &Global, acts: &ActingArgs) -> Result<Client, Failure> {
    let identity = acting(global, acts.institution.as_deref())?;
    Ok(Client::connect(&global.server, &identity).await?)
}

fn name(named: &Named) -> v1::RecordName {
    v1::RecordName {
        issuer_id: named.acting.issuer.clone().unwrap_or_default(),
        record_id: named.record_id.clone(),
    }
}

async fn list(global: &Global, args: &List) -> Result<ExitCode, Failure> {
    let client = connect(global, &args.acting).await?;
    let limit = if args.limit == 0 {
        usize::MAX
    } else {
        args.limit
    };
    let mut request = v1::ListRecordsRequest {
        page_size: u32::try_from(limit).unwrap_or(PAGE_SIZE).min(PAGE_SIZE),
        page_token: String::new(),
        issuer_id: args.acting.issuer.clone().unwrap_or_default(),
        filter: args.filter.wire(),
        as_of: args.at.as_of(),
    };
    let reader = Reader::new(global.language.as_deref());
    let mut rows = Rows::new(&[
        "record",
        "state",
        "awarded",
        "code",
        "title",
        "size",
        ">versions",
    ]);
    let mut shown = 0;
    let more = loop {
        let page = client.call(request.clone()).await?;
        let left = limit - shown;
        let more = page.records.len() > left || !page.next_page_token.is_empty();
        for record in page.records.into_iter().take(left).map(Record::from_wire) {
            shown += 1;
            if global.json {
                output::json(&record)?;
            } else {
                rows.add(record_row(&record, &reader));
            }
        }
        if shown >= limit || page.next_page_token.is_empty() {
            break more;
        }
        request.page_token = page.next_page_token;
    };
    if !global.json {
        let none = match request.filter {
            Some(_) => "no such records",
            None => "no records yet",
        };
        let none = none.to_owned();
        output::line(&if rows.is_empty() { none } else { rows.render() })?;
    }
    if more {
        output::note(&format!("the first {shown} records; --limit 0 shows all"));
    }
    Ok(ExitCode::SUCCESS)
}

fn record_row(record: &Record, reader: &Reader) -> Vec<String> {
    let record_id = record.name.as_ref().map(|name| name.record_id.clone());
    let content = record
        .versions
        .last()
        .and_then(|version| version.achievement.clone());
    let content = content.unwrap_or_default();
    vec![
        record_id.unwrap_or_default(),
        record.state.to_string(),
        content.awarded.clone(),
        content.code.clone(),
        reader.pick(&content.titles).to_owned(),
        size(&content),
        record.versions.len().to_string(),
    ]
}

fn size(content: &Achievement) -> String {
    let size = content.size.clone().unwrap_or_default();
    format!("{} {}", size.amount, size.unit).trim().to_owned()
}

async fn show(global: &Global, args: &ShowRecord) -> Result<ExitCode, Failure> {
    let client = connect(global, &args.named.acting).await?;
    let record = fetch(&client, name(&args.named), args.at.as_of()).await?;
    let record = Record::from_wire(record);
    if global.json {
        output::json(&record)?;
    } else {
        let reader = Reader::new(global.language.as_deref());
        output::line(&record_text(&record, &reader))?;
    }
    Ok(ExitCode::SUCCESS)
}

pub(crate) async fn fetch(
    client: &Client,
    name: v1::RecordName,
    as_of: Option<v1::AsOf>,
) -> Result<v1::Record, Failure> {
    let request = v1::GetRecordRequest {
        name: Some(name),
        as_of,
    };
    let answer = client.call(request).await?;
    Ok(answer.record.unwrap_or_default())
}

fn record_text(record: &Record, reader: &Reader) -> String {
    let name = record.name.clone().unwrap_or_default();
    let mut text = facts(&[
        (
            "record",
            format!("{} of {}", name.record_id, name.issuer_id),
        ),
        ("state", record.state.to_string()),
        ("reason", record.state_reason.clone()),
        ("learner", record.learner_handle.clone()),
    ]);
    for (index, version) in record.versions.iter().enumerate() {
        text.push_str(&format!(
            "\n\nversion {}\n{}",
            index + 1,
            version_text(version, reader)
        ));
    }
    text
}

fn version_text(version: &Version, reader: &Reader) -> String {
    let receipt = version.receipt.as_ref();
    let content = version.achievement.clone();
    let erased = if content.is_none() { "erased" } else { "" };
    let content = content.unwrap_or_default();
    let signed = match &content.signature {
        Some(signature) => format!("by its issuer, with key {}", signature.key_id),
        None if erased.is_empty() => "unsigned".to_owned(),
        None => String::new(),
    };
    let results: Vec<String> = content
        .results
        .iter()
        .map(|result| format!("{} {} ({})", result.subject, result.value, result.scale))
        .collect();
    facts(&[
        ("  content", erased.to_owned()),
        (
            "  what",
            format!("{} {}", content.code, reader.pick(&content.titles))
                .trim()
                .to_owned(),
        ),
        ("  type", content.r#type.clone()),
        ("  size", size(&content)),
        ("  level", level(content.level.as_ref())),
        ("  field", content.field.clone()),
        ("  results", results.join(", ")),
        ("  awarded", content.awarded.clone()),
        ("  expires", content.expires.clone()),
        ("  because", version.reason.clone()),
        ("  signature", signed),
        (
            "  position",
            receipt
                .map(|receipt| receipt.position.to_string())
                .unwrap_or_default(),
        ),
        (
            "  recorded",
            receipt
                .map(|receipt| receipt.recorded_time.minute())
                .unwrap_or_default(),
        ),
        (
            "  chain hash",
            receipt
                .map(|receipt| receipt.chain_hash.as_str().to_owned())
                .unwrap_or_default(),
        ),
    ])
}

async fn withdraw(global: &Global, args: &Withdraw, doing: Doing) -> Result<ExitCode, Failure> {
    let ids = match &args.file {
        Some(path) => read_ids(path).await?,
        None => args.record_ids.clone(),
    };
    if args.atomic && ids.len() > BATCH_MAX {
        return Err(Failure::Usage(format!(
            "--atomic takes at most {BATCH_MAX} records, and these are {}; nothing was sent",
            ids.len()
        )));
    }
    let client = connect(global, &args.acting).await?;
    let mut tally = Tally::default();
    for (index, batch) in ids.chunks(BATCH_MAX).enumerate() {
        let outcomes = send_withdrawal(&client, args, batch.to_vec(), doing).await?;
        for (place, outcome) in outcomes.into_iter().enumerate() {
            let number = u64::try_from(index * BATCH_MAX + place + 1).unwrap_or(u64::MAX);
            let line =
                OutcomeLine::answered(number, outcome).saying(doing.done(), args.validate_only);
            tally.count(&line);
            output::line(&line.render(global.json)?)?;
        }
    }
    Ok(ExitCode::from(if tally.is_clean() { 0 } else { REFUSED }))
}

async fn send_withdrawal(
    client: &Client,
    args: &Withdraw,
    record_ids: Vec<String>,
    doing: Doing,
) -> Result<Vec<v1::RecordOutcome>, Failure> {
    let issuer_id = args.acting.issuer.clone().unwrap_or_default();
    let reason = args.reason.clone();
    let (atomic, validate_only) = (args.atomic, args.validate_only);
    Ok(match doing {
        Doing::Revoke => {
            let request = v1::RevokeRecordsRequest {
                issuer_id,
                record_ids,
                reason,
                atomic,
                validate_only,
            };
            client.call(request).await?.outcomes
        }
        Doing::Suspend => {
            let request = v1::SuspendRecordsRequest {
                issuer_id,
                record_ids,
                reason,
                atomic,
                validate_only,
            };
            client.call(request).await?.outcomes
        }
        Doing::Reinstate => {
            let request = v1::ReinstateRecordsRequest {
                issuer_id,
                record_ids,
                reason,
                atomic,
                validate_only,
            };
            client.call(request).await?.outcomes
        }
    })
}

/// Record ids of a file, one a line.
async fn read_ids(path: &Path) -> Result<Vec<String>, Failure> {
    let mut source = Lines::open(path).await?;
    let mut ids = Vec::new();
    while let Some(line) = source.next().await? {
        if line.is_blank() {
            continue;
        }
        let place =
            |problem| Failure::Usage(format!("line {}: {problem}; nothing was sent", line.number));
        let bytes = line.content.map_err(place)?;
        let text = lines::decode(&bytes).map_err(place)?;
        ids.push(text.trim().to_owned());
    }
    Ok(ids)
}

async fn reassign(global: &Global, args: &Reassign) -> Result<ExitCode, Failure> {
    let client = connect(global, &args.named.acting).await?;
    let handle = args.to.to_handle.clone().map(Reference::Handle);
    let reference = handle.or_else(|| args.to.to_student.clone().map(Reference::Student));
    let request = v1::ReassignRecordRequest {
        name: Some(name(&args.named)),
        to_learner: Some(v1::LearnerReference { reference }),
        reason: args.reason.clone(),
        expected_revision: None,
        validate_only: args.validate_only,
    };
    let answer = client.call(request).await?;
    let line = OutcomeLine::answered(1, answer.outcome.unwrap_or_default())
        .saying("reassigned", args.validate_only);
    output::line(&line.render(global.json)?)?;
    Ok(ExitCode::SUCCESS)
}
