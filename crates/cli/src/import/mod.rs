//! `import`: a registrar's file, row by row, into the ledger.
//!
//! Order: mapping, look-ups and header are checked, then rows are read, sent in batches and settled in the
//! order of the file; each row ends in one of two files, or is counted as passed over. A run that is
//! killed leaves what was acknowledged in the ledger and two `.part` files; the same command again finds
//! those records there and goes on.

mod columns;
mod institutions;
mod opening;
mod reading;
mod settling;
mod summary;
#[cfg(test)]
mod tests;

use std::cell::RefCell;
use std::path::Path;
use std::process::ExitCode;

use client::Client;

use crate::args::{Changed, Global, ImportArgs};
use crate::error::{COULD_NOT_RUN, Failure, REFUSED, Refusal};
use crate::mapping::{Document, EXAMPLE, Kind, Mapping};
use crate::output;
use crate::progress::Progress;
use crate::sending::{Sender, in_flight};
use crate::signing::signer;
use crate::submit::acting;
use crate::tabular::Broken;

pub(crate) use institutions::run as institutions;
use opening::{Opened, Reports, open};
use reading::Reading;
use settling::{ACCEPTED, Settling, WORDS};
use summary::Summary;

/// Runs `import`.
///
/// # Errors
///
/// [`Failure`] when nothing was sent.
pub(crate) async fn run(global: &Global, args: &ImportArgs) -> Result<ExitCode, Failure> {
    if args.example_mapping {
        output::line(EXAMPLE.trim_end())?;
        return Ok(ExitCode::SUCCESS);
    }
    let file = args.file.as_deref().unwrap_or(Path::new("-"));
    let mapping = match &args.mapping {
        Some(path) => {
            let document = Document::read(path).await?;
            Some(Mapping::parse(document, Kind::Achievements)?)
        }
        None => None,
    };
    if args.columns {
        return columns::show(global, file, mapping.as_ref());
    }
    let Some(mapping) = mapping else {
        return Err(Failure::Usage(
            "say which mapping: --mapping FILE".to_owned(),
        ));
    };
    if args.register_learners && !mapping.names_students() {
        return Err(Failure::Usage(
            "--register-learners needs a mapping that names learners by student number: \
             [learner] student = { number = \"{column}\" }"
                .to_owned(),
        ));
    }
    let identity = acting(global, args.institution.as_deref())?;
    let signer = signer(&args.signing, &identity).await?;
    let (path, lookups) = (file.to_owned(), args.places.lookup_dir.clone());
    let opened = blocking(move || open(&path, mapping, lookups.as_deref())).await?;
    let client = Client::connect(&global.server, &identity).await?;
    let reports = Reports::begin(file, &args.places, &opened, &ACCEPTED)?;
    let sender = Sender {
        client,
        signer,
        atomic: false,
        validate_only: args.dry_run,
    };
    import(global, args, opened, sender, reports).await
}

/// Runs what reads files where it may block.
async fn blocking<T: Send + 'static>(
    read: impl FnOnce() -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    let done = tokio::task::spawn_blocking(read).await;
    done.unwrap_or_else(|broken| Err(Failure::Unexpected(broken.to_string())))
}

async fn import(
    global: &Global,
    args: &ImportArgs,
    opened: Opened,
    sender: Sender,
    reports: Reports,
) -> Result<ExitCode, Failure> {
    let progress = Progress::over(opened.rows.source().bytes_total).telling();
    let sender = Sender {
        client: progress.watching(&sender.client, args.retry_for),
        ..sender
    };
    let name = opened.name;
    let reading = Reading {
        rows: opened.rows,
        bound: opened.bound,
        ahead: opened.ahead,
        batch: usize::from(args.batch),
        register: args.register_learners,
        signed: sender.signer.is_some(),
        broken: opened.broken,
    };
    let mut chunks = reading.start();
    let broken: RefCell<Option<Broken>> = RefCell::new(None);
    let mut settling = Settling {
        sender: sender.clone(),
        dry_run: args.dry_run,
        supersede: (args.changed == Changed::Supersede).then(|| args.reason.clone()),
        reports,
        progress,
        summary: Summary::default(),
    };
    let next = async || match chunks.recv().await {
        Some(Ok(read)) => Ok(Some(read)),
        Some(Err(breaks)) => {
            // What is on its way is settled before this is said.
            *broken.borrow_mut() = Some(breaks);
            Ok(None)
        }
        None => Ok(None),
    };
    let settle = async |chunk, batch, answer| settling.chunk(chunk, batch, answer).await;
    let refusal = in_flight(usize::from(args.in_flight), &sender, next, settle).await?;
    let broken = broken.into_inner();
    let stopped = stopped(&name, broken.as_ref(), refusal.as_ref(), &settling);
    end(global, settling, stopped)
}

/// What ended it early, and what to do.
fn stopped(
    name: &str,
    broken: Option<&Broken>,
    refusal: Option<&Refusal>,
    settling: &Settling,
) -> Option<String> {
    let (summary, dry_run) = (&settling.summary, settling.dry_run);
    let why = match (broken, refusal) {
        (None, None) => return None,
        (Some(broken), _) => broken.of(name),
        (None, Some(refusal)) => Failure::Refused(Box::new(refusal.clone())).to_string(),
    };
    let again = "import the file again when this is mended: that is safe";
    let then = match (summary.settled() > 0, summary.unsent > 0) {
        (false, false) => "nothing was recorded".to_owned(),
        (true, false) => format!("what came before is settled; {again}"),
        // An earlier attempt may have arrived, whatever was said of the last one.
        (false, true) if dry_run => "nothing was recorded: rows were only checked".to_owned(),
        (false, true) => format!("some rows may have been recorded; {again}"),
        (true, true) if dry_run => format!("what came before was checked; {again}"),
        (true, true) => format!(
            "what came before is settled, and some of the rows without an answer may have been \
             recorded; {again}"
        ),
    };
    Some(format!("{why}\n  {then}"))
}

/// Finishes the files, and says what became of the rows.
fn end(global: &Global, settling: Settling, stopped: Option<String>) -> Result<ExitCode, Failure> {
    let Settling {
        dry_run,
        reports,
        progress,
        summary,
        ..
    } = settling;
    let time = progress.finish();
    let keep = stopped.is_none() || summary.settled() > 0;
    let rejected = reports.rejected.path().display().to_string();
    let accepted = reports.accepted.path().display().to_string();
    reports.end(keep)?;
    if global.json {
        let mut json = summary.json(time, dry_run);
        if let Some(object) = json.as_object_mut() {
            object.insert("stopped".to_owned(), stopped.clone().into());
            object.insert("rejected_file".to_owned(), keep.then_some(rejected).into());
            object.insert("accepted_file".to_owned(), keep.then_some(accepted).into());
        }
        output::json(&json)?;
    } else {
        output::line(&summary.text(time, &WORDS, dry_run))?;
        if summary.rejected() > 0 {
            output::line(&format!("mend and import again: {rejected}"))?;
        }
        if keep {
            let what = if dry_run {
                "rows that would be taken"
            } else {
                "receipts"
            };
            output::line(&format!("{what}: {accepted}"))?;
        }
    }
    if let Some(why) = stopped {
        output::note(&format!("error: {why}"));
        return Ok(ExitCode::from(COULD_NOT_RUN));
    }
    Ok(ExitCode::from(if summary.rejected() > 0 {
        REFUSED
    } else {
        0
    }))
}
