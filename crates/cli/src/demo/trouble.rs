//! What goes wrong with records, and how it is put right: corrected, withdrawn, refused.
//!
//! Apart from people because these are about what was issued, and stay on the ledger for ever.

use api::v1;

use super::people::{RICH, called};
use super::sample::Cast;
use super::stage::{Stage, compare, outcome, promised, refusal, say};
use crate::error::Failure;
use crate::records::fetch;
use crate::wire::{Achievement, ToWire};

/// Corrects a grade and a size.
pub(super) async fn supersede(stage: &mut Stage) -> Result<(), Failure> {
    stage.heading("A result was wrong: supersede it")?;
    let (issuer, record_id) = ("hill-university", "2021S-ST210-00024");
    let handle = stage.who(RICH).await?.learner_handle;
    let before = stage.balance(&handle).await?;
    let university = stage.institution(issuer)?;
    let name = v1::RecordName {
        issuer_id: String::new(),
        record_id: record_id.to_owned(),
    };
    let record = fetch(&university, name.clone(), None).await?;
    let content = record
        .versions
        .into_iter()
        .next_back()
        .and_then(|version| version.achievement);
    let mut achievement = content.unwrap_or_default();
    let (mut grades, mut sizes) = (Vec::new(), Vec::new());
    for result in achievement
        .results
        .iter_mut()
        .filter(|result| result.subject == "grade")
    {
        grades.push(std::mem::replace(&mut result.value, "87".to_owned()));
    }
    if let Some(size) = &mut achievement.size {
        sizes.push(std::mem::replace(&mut size.amount, "4.5".to_owned()));
    }
    say(&format!(
        "{issuer} {record_id}: grade {} to 87, size {} to 4.5 credits",
        grades.concat(),
        sizes.concat()
    ))?;
    let request = v1::SupersedeRecordRequest {
        achievement: Some(achievement),
        reason: "examination remarked".to_owned(),
        expected_revision: Some(before.revision),
        validate_only: false,
    };
    outcome(university.call(request).await?.outcome)?;
    let after = stage.balance(&handle).await?;
    compare(&before, &after)?;
    let versions = fetch(&university, name, None).await?.versions.len();
    say(&format!(
        "both versions stay on the ledger: {versions} versions, the last is in force"
    ))?;
    promised(
        versions == 2 && before.totals.len() == after.totals.len(),
        "the record has two versions",
    )
}

/// Withdraws a certificate.
pub(super) async fn revoke(stage: &mut Stage) -> Result<(), Failure> {
    stage.heading("A certificate was issued in error: revoke it")?;
    let (issuer, record_id) = ("vocational-college", "2024-ECO2-00022");
    let learner = stage.who("vocational-college:VC20-124").await?;
    say(&format!("{issuer} {record_id} of {}", called(&learner)))?;
    let before = stage.balance(&learner.learner_handle).await?;
    let request = v1::RevokeRecordsRequest {
        issuer_id: String::new(),
        record_ids: vec![record_id.to_owned()],
        reason: "issued in error".to_owned(),
        atomic: false,
        validate_only: false,
    };
    let answer = stage.institution(issuer)?.call(request).await?;
    outcome(answer.outcomes.into_iter().next())?;
    let after = stage.balance(&learner.learner_handle).await?;
    compare(&before, &after)?;
    let count = |balance: &crate::wire::Balance| -> u64 {
        balance
            .totals
            .iter()
            .map(|total| total.achievement_count)
            .sum()
    };
    promised(
        count(&after) + 1 == count(&before),
        "one record less counts",
    )
}

/// Sends a result whose intake window closed years ago.
pub(super) async fn late(stage: &mut Stage, cast: &Cast) -> Result<(), Failure> {
    stage.heading("A result comes too late: refused")?;
    let achievement = Achievement {
        record_id: "2019S-ED101-LATE".to_owned(),
        offering: "2019S".to_owned(),
        study_from: "2019-03-01".to_owned(),
        study_until: "2019-06-30".to_owned(),
        awarded: "2019-07-10".to_owned(),
        ..cast.achievement("hill-university", "2019A-ED101-00003")?
    };
    say("hill-university sends a result awarded on 2019-07-10:")?;
    let request = v1::SubmitRecordRequest {
        achievement: Some(achievement.to_wire()),
        validate_only: false,
    };
    let university = stage.institution("hill-university")?;
    refusal(university.call(request).await, "WINDOW_FROZEN")
}
