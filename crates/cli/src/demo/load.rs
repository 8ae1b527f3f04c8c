//! The province moves in: institutions, learners, and what they achieved.
//!
//! Apart from what follows because this is the part that an operator does with files of their own.

use api::v1;

use super::sample::{Cast, submitter};
use super::stage::{Stage, WIDTH, promised, say, show};
use crate::error::Failure;
use crate::publish::publish;
use crate::table::Rows;
use crate::wire::ToWire;

/// Records of one call.
const BATCH: usize = 500;

/// Registers institutions, delegations, courses and windows, as the operator.
pub(super) async fn registry(stage: &mut Stage, cast: &Cast) -> Result<(), Failure> {
    stage.heading("Register a province, as the operator")?;
    publish(&stage.operator, &cast.registry, false, |step| {
        match step.result {
            Ok(_) => Ok(()),
            Err(refusal) => Err(Failure::Refused(Box::new(refusal))),
        }
    })
    .await?;
    let registry = &cast.registry;
    say(&format!(
        "{} institutions with what each may issue, {} delegations, {} courses, {} intake window",
        registry.institution.len(),
        registry.delegation.len(),
        registry.course.len(),
        registry.window.len(),
    ))
}

/// Registers learners.
pub(super) async fn learners(stage: &mut Stage, cast: &Cast) -> Result<(), Failure> {
    for learner in &cast.learners {
        let request: v1::RegisterLearnerRequest = learner.clone().to_wire();
        stage.operator.call(request).await?;
    }
    let numbers: usize = cast
        .learners
        .iter()
        .map(|learner| learner.students.len())
        .sum();
    say(&format!(
        "{} learners with {numbers} student numbers",
        cast.learners.len()
    ))
}

/// What became of the records of one institution.
#[derive(Debug, Default)]
struct Row {
    issuer: String,
    sent: u64,
    recorded: u64,
    again: u64,
    pending: u64,
    rejected: u64,
}

/// Submits achievements as the institutions would; then once more, which changes nothing.
pub(super) async fn achievements(stage: &mut Stage, cast: &Cast) -> Result<(), Failure> {
    stage.heading("Submit achievements, as the institutions")?;
    let rows = send_all(stage, cast).await?;
    let mut table = Rows::new(&[
        "issuer",
        "submitted by",
        ">sent",
        ">recorded",
        ">pending",
        ">rejected",
    ]);
    for row in &rows {
        table.add(vec![
            row.issuer.clone(),
            submitter(&row.issuer).to_owned(),
            row.sent.to_string(),
            row.recorded.to_string(),
            row.pending.to_string(),
            row.rejected.to_string(),
        ]);
    }
    show(&table.width(WIDTH).render())?;
    let total = |of: fn(&Row) -> u64| rows.iter().map(of).sum::<u64>();
    let sent = total(|row| row.sent);
    say(&format!(
        "{sent} sent: {} recorded, {} pending, {} rejected; each one durable before it was acknowledged",
        total(|row| row.recorded),
        total(|row| row.pending),
        total(|row| row.rejected),
    ))?;
    promised(
        total(|row| row.rejected) == 0,
        "no record of the sample is rejected",
    )?;
    let before = stage.head().await?;
    let again = send_all(stage, cast).await?;
    let already: u64 = again.iter().map(|row| row.again).sum();
    say(&format!(
        "the same {sent} sent again: {already} answered with their first receipt"
    ))?;
    promised(
        already == sent && stage.head().await? == before,
        "sending again changes nothing",
    )
}

/// Sends every issuer's records in the order of the file, with one row an issuer.
async fn send_all(stage: &Stage, cast: &Cast) -> Result<Vec<Row>, Failure> {
    let mut rows: Vec<Row> = Vec::new();
    for issuer in issuers(cast) {
        let submitter = stage.institution(submitter(issuer))?;
        let mut row = Row {
            issuer: issuer.to_owned(),
            ..Row::default()
        };
        let own = cast
            .achievements
            .iter()
            .filter(|achievement| achievement.issuer_id == issuer);
        let own: Vec<v1::Achievement> = own
            .map(|achievement| achievement.clone().to_wire())
            .collect();
        for batch in own.chunks(BATCH) {
            let request = v1::BatchSubmitRecordsRequest {
                achievements: batch.to_vec(),
                atomic: false,
                validate_only: false,
                ..Default::default()
            };
            let answer = submitter.call(request).await?;
            for outcome in &answer.outcomes {
                row.sent += 1;
                *match outcome.state() {
                    v1::OutcomeState::Recorded => &mut row.recorded,
                    v1::OutcomeState::AlreadyRecorded => &mut row.again,
                    v1::OutcomeState::Pending => &mut row.pending,
                    _ => &mut row.rejected,
                } += 1;
            }
        }
        rows.push(row);
    }
    Ok(rows)
}

/// Issuers in the order in which they first occur.
fn issuers(cast: &Cast) -> Vec<&str> {
    let mut issuers: Vec<&str> = Vec::new();
    for achievement in &cast.achievements {
        if !issuers.contains(&achievement.issuer_id.as_str()) {
            issuers.push(&achievement.issuer_id);
        }
    }
    issuers
}
