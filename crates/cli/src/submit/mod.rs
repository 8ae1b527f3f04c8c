//! `submit`: a file of achievements, sent in batches, an outcome for every line.
//!
//! Order: lines are read, batched and sent with a few batches on their way at a time, and answered in
//! the order of the file. When sending ends early, what was sent is recorded and what was not is said
//! line by line; sending the file again settles the rest.

mod chunk;
mod outcome;

use std::process::ExitCode;

use api::v1;

use crate::args::value::Identity;
use crate::args::{Global, SubmitArgs};
use crate::error::{COULD_NOT_RUN, Failure, REFUSED, Refusal};
use crate::input::Lines;
use crate::progress::Progress;
use crate::sending::{Answer, Sender, in_flight};
use crate::signing::signer;
use chunk::{Chunk, Chunks, Slot};
use client::Client;
pub(crate) use outcome::{OutcomeLine, Tally};

/// Most records of one call.
const BATCH_MAX: usize = 1000;

/// Runs `submit`.
///
/// # Errors
///
/// [`Failure`] when nothing could be sent, or a whole batch was refused.
pub(crate) async fn run(global: &Global, args: &SubmitArgs) -> Result<ExitCode, Failure> {
    let identity = acting(global, args.institution.as_deref())?;
    let signer = signer(&args.signing, &identity).await?;
    let lines = Lines::open(&args.file).await?;
    let client = Client::connect(&global.server, &identity).await?;
    let progress = Progress::over(lines.bytes_total);
    let sender = Sender {
        client: progress.watching(&client, args.retry_for),
        atomic: args.atomic,
        validate_only: args.validate_only,
        signer,
    };
    let mut report = Report {
        json: global.json,
        progress,
        tally: Tally::default(),
    };
    let refusal = if args.atomic {
        send_at_once(lines, &sender, &mut report).await?
    } else {
        send_in_batches(lines, &sender, args, &mut report).await?
    };
    let time = report.progress.finish();
    crate::output::note(&report.tally.summary(time, args.validate_only));
    if let Some(refusal) = refusal {
        let read = report.tally.total() + report.tally.blank;
        crate::output::note(&format!("error: {refusal}\nstopped at line {read}"));
        return Ok(ExitCode::from(COULD_NOT_RUN));
    }
    Ok(ExitCode::from(if report.tally.is_clean() {
        0
    } else {
        REFUSED
    }))
}

/// Who acts: `--institution`, or `--as`, but somebody, and not two.
pub(crate) fn acting(global: &Global, institution: Option<&str>) -> Result<Identity, Failure> {
    let named = institution.map(|id| Identity::Institution(id.to_owned()));
    if let (Some(named), Some(acts)) = (&named, &global.identity)
        && named != acts
    {
        let (named, acts) = (named.metadata(), acts.metadata());
        return Err(Failure::Usage(format!(
            "--as {acts} and --institution (which is --as {named}) contradict each other: say one; \
             CREDITBANK_AS and CREDITBANK_INSTITUTION count as said"
        )));
    }
    named
        .or_else(|| global.identity.clone())
        .ok_or_else(|| Failure::Usage("say which institution acts: --institution ID".to_owned()))
}

/// Sends batches, a few at a time. Answers with the refusal that ended it early, if one did.
async fn send_in_batches(
    lines: Lines,
    sender: &Sender,
    args: &SubmitArgs,
    report: &mut Report,
) -> Result<Option<Refusal>, Failure> {
    let mut chunks = Chunks::new(lines, usize::from(args.batch));
    let next = async || {
        let chunk = chunks.next().await?;
        Ok(chunk.map(|mut chunk| {
            let batch = chunk.take();
            (chunk, batch)
        }))
    };
    let settle = async |chunk: Chunk, _, answer| Ok(report.chunk(&chunk, answer)?.err());
    in_flight(usize::from(args.in_flight), sender, next, settle).await
}

/// Sends everything as one atomic batch; nothing when a line does not read.
async fn send_at_once(
    lines: Lines,
    sender: &Sender,
    report: &mut Report,
) -> Result<Option<Refusal>, Failure> {
    let mut chunks = Chunks::new(lines, BATCH_MAX);
    let Some(mut chunk) = chunks.next().await? else {
        return Ok(None);
    };
    if chunks.next().await?.is_some() {
        return Err(Failure::Usage(format!(
            "--atomic sends one batch of at most {BATCH_MAX} records, and the file holds more; \
             nothing was sent"
        )));
    }
    let all_read = !chunk
        .slots
        .iter()
        .any(|slot| matches!(slot, Slot::Unreadable { .. }));
    let batch = chunk.take();
    let answer = if all_read {
        sender.send(&batch).await
    } else {
        Ok(batch.achievements.into_iter().map(not_attempted).collect())
    };
    Ok(report.chunk(&chunk, answer)?.err())
}

/// What the server would say of a record beside one that it rejects.
fn not_attempted(achievement: v1::Achievement) -> v1::RecordOutcome {
    v1::RecordOutcome {
        record_id: achievement.record_id,
        state: i32::from(v1::OutcomeState::NotAttempted),
        ..Default::default()
    }
}

/// Writes outcomes and counts them.
struct Report {
    json: bool,
    progress: Progress,
    tally: Tally,
}

impl Report {
    /// Writes the outcomes of a chunk. The inner error is the refusal of the whole batch.
    fn chunk(&mut self, chunk: &Chunk, answer: Answer) -> Result<Result<(), Refusal>, Failure> {
        let (outcomes, refusal) = match answer {
            Ok(outcomes) => (outcomes, None),
            Err(refusal) => (Vec::new(), Some(refusal)),
        };
        let mut outcomes = outcomes.into_iter();
        let mut text = Vec::with_capacity(chunk.slots.len());
        for slot in &chunk.slots {
            let line = match slot {
                Slot::Unreadable { line, problem } => OutcomeLine::unreadable(*line, problem),
                Slot::Sent { line, record_id } => match outcomes.next() {
                    Some(outcome) => OutcomeLine::answered(*line, outcome),
                    None => OutcomeLine::unsent(*line, record_id, refusal.as_ref()),
                },
            };
            self.tally.count(&line);
            text.push(line.render(self.json)?);
        }
        if !text.is_empty() {
            self.progress.line(&text.join("\n"))?;
        }
        self.tally.blank += chunk.blank;
        self.progress.advance(chunk.bytes, self.tally.total());
        Ok(refusal.map_or(Ok(()), Err))
    }
}
