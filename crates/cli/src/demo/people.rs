//! Learners: what one holds, who a record belongs to, and being forgotten.
//!
//! Apart from corrections to records because these are about persons.

use api::v1;

use super::sample::{Cast, names, submitter};
use super::stage::{Stage, WIDTH, by_handle, by_number, compare, promised, refusal, say, show};
use crate::account::{balance_text, fetch_statement, keep_last, statement_text};
use crate::args::PendingArgs;
use crate::args::value::student;
use crate::error::{Failure, Refusal};
use crate::learner::{link, merge as merge_accounts};
use crate::pending::{fetch_pending, pending_text};
use crate::wire::{FromWire, Learner, Pending, ToWire};

/// The learner with the richest account.
pub(super) const RICH: &str = "open-university:OU2022-10001";

/// Shows a balance and a statement.
pub(super) async fn account(stage: &mut Stage) -> Result<(), Failure> {
    let learner = stage.who(RICH).await?;
    stage.heading(&format!("What {} holds", called(&learner)))?;
    let balance = stage.balance(&learner.learner_handle).await?;
    show(&balance_text(&balance, &stage.labels, Some(WIDTH - 2)))?;
    stage.heading("The statement, like a bank's")?;
    let mut statement = fetch_statement(&stage.operator, Some(by_number(RICH)?), None).await?;
    let earlier = keep_last(&mut statement, Some(12));
    show(&statement_text(
        &statement,
        earlier,
        &stage.reader,
        Some(WIDTH - 2),
    ))?;
    promised(
        !balance.totals.is_empty() && earlier > 0,
        "there is a rich account",
    )
}

/// Binds pending records to the learner they belong to.
pub(super) async fn bind(stage: &mut Stage) -> Result<(), Failure> {
    stage.heading("Records that wait for a learner: bind them")?;
    let waiting: Vec<Pending> =
        FromWire::from_wire(fetch_pending(&stage.operator, &PendingArgs::default()).await?);
    show(&pending_text(&waiting, Some(WIDTH - 2)))?;
    let number = "hill-university:2023H-9907";
    let learner = stage.who("open-university:OU2021-10007").await?;
    say(&format!(
        "\n{number} turns out to be {}: link the number",
        called(&learner)
    ))?;
    let before = stage.balance(&learner.learner_handle).await?;
    let reference = Some(by_handle(&learner.learner_handle));
    let number = student(number).map_err(Failure::Unexpected)?;
    link(&stage.operator, reference, number).await?;
    let after = stage.balance(&learner.learner_handle).await?;
    compare(&before, &after)?;
    let left = fetch_pending(&stage.operator, &PendingArgs::default())
        .await?
        .len();
    promised(left + 1 == waiting.len(), "one account less is pending")?;
    // An unlinked number is settled by linking it; a mismatch is settled by merging.
    let mismatch = waiting
        .iter()
        .find(|account| account.reason == "IDENTITY_MISMATCH");
    let Some(mismatch) = mismatch else {
        return promised(false, "a document does not match its name");
    };
    let owner = stage.who("open-university:OU2020-10054").await?;
    say(&format!(
        "the mismatched name is {}'s, misspelt: merge the accounts",
        called(&owner)
    ))?;
    merge_accounts(
        &stage.operator,
        &mismatch.learner_handle,
        &owner.learner_handle,
        "name misspelt on the application",
    )
    .await?;
    let left = fetch_pending(&stage.operator, &PendingArgs::default())
        .await?
        .len();
    say(&format!(
        "pending accounts: {} before, {left} now",
        waiting.len()
    ))
}

/// Merges two accounts of one person.
pub(super) async fn merge(stage: &mut Stage) -> Result<(), Failure> {
    stage.heading("One person, registered twice: merge")?;
    let from = stage.who("county-school:XX-0111").await?;
    let into = stage.who("hill-university:2019H-0441").await?;
    say(&format!(
        "{} has two accounts; the county school's goes into the university's",
        called(&into)
    ))?;
    let before = stage.balance(&into.learner_handle).await?;
    let reason = "same person, registered twice";
    merge_accounts(
        &stage.operator,
        &from.learner_handle,
        &into.learner_handle,
        reason,
    )
    .await?;
    let after = stage.balance(&into.learner_handle).await?;
    compare(&before, &after)?;
    let found = stage.who("county-school:XX-0111").await?.learner_handle;
    promised(
        found == into.learner_handle,
        "the old number leads to the new account",
    )
}

/// Erases a learner; the record does not come back.
pub(super) async fn erase(stage: &mut Stage, cast: &Cast) -> Result<(), Failure> {
    stage.heading("A learner asks to be forgotten: erase")?;
    let learner = stage.who("township-school:TS-0248").await?;
    let held = stage.balance(&learner.learner_handle).await?;
    let records: u64 = held.lines.iter().map(|line| line.achievement_count).sum();
    say(&format!("{} holds {records} records", called(&learner)))?;
    let request = v1::EraseLearnerRequest {
        learner_handle: learner.learner_handle.clone(),
        scope: i32::from(v1::ErasureScope::All),
    };
    let answer = stage.operator.call(request).await?;
    say(&format!(
        "erased: {} bodies, the identity among them, overwritten on disk; the hash chain stays whole",
        answer.erased_count
    ))?;
    match fetch_statement(
        &stage.operator,
        Some(by_handle(&learner.learner_handle)),
        None,
    )
    .await
    {
        Ok(statement) => show(&statement_text(
            &statement,
            0,
            &stage.reader,
            Some(WIDTH - 2),
        ))?,
        Err(Failure::Refused(refusal)) => show_refused("the statement", &refusal)?,
        Err(other) => return Err(other),
    }
    say("then a nightly job sends one of the records again:")?;
    let achievement = cast.achievement("township-school", "2021-DANC-00006")?;
    let request = v1::SubmitRecordRequest {
        achievement: Some(achievement.to_wire()),
        validate_only: false,
    };
    let school = stage.institution(submitter("township-school"))?;
    refusal(school.call(request).await, "ERASED")
}

fn show_refused(what: &str, refusal: &Refusal) -> Result<(), Failure> {
    show(&format!("{what}: {}, {}", refusal.reason, refusal.message))
}

/// Somebody's names.
pub(super) fn called(learner: &Learner) -> String {
    names(
        learner
            .profile
            .as_ref()
            .map(|profile| profile.names.as_slice())
            .unwrap_or_default(),
    )
}
