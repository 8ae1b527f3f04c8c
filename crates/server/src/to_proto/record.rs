//! Records and what became of them.

use ledger::account::HoldingState;
use ledger::words::{Achievement, AchievementResult, Evidence, Origin, PendingReason};
use ledger::{Handle, InstitutionId, IssuerSignature};

use super::{date, level, receipt, record_name, size, texts};
use crate::engine::{Done, Refused};
use crate::status::Explanation;
use api::v1;

/// What became of one record. `drawn` is the handle drawn for a provisional account, which nobody has
/// when nothing was recorded.
#[must_use]
pub fn outcome(
    record_id: String,
    outcome: Result<Done, Refused>,
    drawn: Option<Handle>,
) -> v1::RecordOutcome {
    let done = match outcome {
        Ok(done) => done,
        Err(Refused::Rejected(rejection)) => {
            tracing::debug!(reason = rejection.reason(), "rejected");
            return refused(record_id, Explanation::from(&rejection));
        }
        Err(Refused::NotAttempted) => {
            return v1::RecordOutcome {
                record_id,
                state: v1::OutcomeState::NotAttempted.into(),
                ..v1::RecordOutcome::default()
            };
        }
    };
    let state = match (done.already, done.pending) {
        (true, _) => v1::OutcomeState::AlreadyRecorded,
        (false, Some(_)) => v1::OutcomeState::Pending,
        (false, None) => v1::OutcomeState::Recorded,
    };
    let learner = match done.receipts.is_empty() {
        true => done.learner.filter(|learner| Some(*learner) != drawn),
        false => done.learner,
    };
    v1::RecordOutcome {
        record_id,
        state: state.into(),
        receipt: done.receipts.last().map(receipt),
        learner_handle: learner.map_or_else(String::new, |learner| learner.to_string()),
        pending_reason: pending_reason(done.pending).into(),
        error: None,
    }
}

/// A record that was rejected.
#[must_use]
pub fn refused(record_id: String, why: Explanation) -> v1::RecordOutcome {
    v1::RecordOutcome {
        record_id,
        state: v1::OutcomeState::Rejected.into(),
        error: Some(why.record_error()),
        ..v1::RecordOutcome::default()
    }
}

fn pending_reason(reason: Option<PendingReason>) -> v1::PendingReason {
    match reason {
        None => v1::PendingReason::Unspecified,
        Some(PendingReason::Unlinked) => v1::PendingReason::Unlinked,
        Some(PendingReason::IdentityMismatch) => v1::PendingReason::IdentityMismatch,
    }
}

/// The state of a record.
#[must_use]
pub fn record_state(state: HoldingState) -> v1::RecordState {
    match state {
        HoldingState::Recorded => v1::RecordState::Recorded,
        HoldingState::Pending => v1::RecordState::Pending,
        HoldingState::Suspended => v1::RecordState::Suspended,
        HoldingState::Revoked => v1::RecordState::Revoked,
        HoldingState::Expired => v1::RecordState::Expired,
        HoldingState::Superseded => v1::RecordState::Superseded,
        HoldingState::Duplicate => v1::RecordState::Duplicate,
        HoldingState::Erased => v1::RecordState::Erased,
        HoldingState::NoDeposit => v1::RecordState::NoDeposit,
    }
}

/// An achievement of that issuer and learner, without its signature.
#[must_use]
pub fn achievement(
    issuer: &InstitutionId,
    learner: Handle,
    content: &Achievement,
) -> v1::Achievement {
    v1::Achievement {
        issuer_id: issuer.as_str().to_owned(),
        record_id: content.record_id.clone(),
        learner: Some(v1::LearnerReference {
            reference: Some(v1::learner_reference::Reference::Handle(
                learner.to_string(),
            )),
        }),
        r#type: content.achievement_type.clone(),
        code: content.code.clone(),
        titles: texts(&content.titles),
        size: content.size.as_ref().map(size),
        level: content.level.as_ref().map(level),
        field: content.field.clone(),
        source_kind: content.source_kind.clone(),
        delivery: content.delivery.clone(),
        origin: origin(content.origin).into(),
        source: content.source.as_ref().map(record_name),
        part_of: content.part_of.as_ref().map(record_name),
        offering: content.offering.clone(),
        attempt: content.attempt,
        results: content.results.iter().map(result).collect(),
        study_from: date(content.study_from),
        study_until: date(content.study_until),
        awarded: date(Some(content.awarded)),
        expires: date(content.expires),
        tier: content.tier.clone(),
        outcomes: content.outcomes.clone(),
        evidence: content.evidence.iter().map(evidence).collect(),
        replaces: content.replaces.as_ref().map(record_name),
        signature: None,
    }
}

/// An issuer's signature, as it came.
#[must_use]
pub fn signature(signature: &IssuerSignature) -> v1::IssuerSignature {
    v1::IssuerSignature {
        key_id: signature.key_id.clone(),
        statement: signature.statement_bytes().to_vec(),
        signature: signature.signature.to_vec(),
    }
}

fn origin(origin: Origin) -> v1::Origin {
    match origin {
        Origin::Earned => v1::Origin::Earned,
        Origin::Assessed => v1::Origin::Assessed,
        Origin::Transferred => v1::Origin::Transferred,
        Origin::Exempted => v1::Origin::Exempted,
    }
}

fn result(result: &AchievementResult) -> v1::Result {
    v1::Result {
        value: result.value.clone(),
        scale: result.scale.clone(),
        subject: result.subject.clone(),
    }
}

fn evidence(evidence: &Evidence) -> v1::Evidence {
    v1::Evidence {
        uri: evidence.uri.clone(),
        digest: evidence.digest.clone(),
    }
}

#[cfg(test)]
mod tests {
    use ledger::Action;
    use ledger::words::{LearnerReference, RecordName};

    use super::*;
    use crate::from_proto;

    #[test]
    fn what_is_read_and_sent_again_is_the_same_content() {
        let issuer: InstitutionId = "college-a".parse().unwrap();
        let handle = Handle([9; 16]);
        let text = |value: &str| ledger::words::Text {
            value: value.to_owned(),
            language: "en".to_owned(),
        };
        let name = |id: &str| {
            Some(RecordName {
                issuer: issuer.clone(),
                record_id: id.to_owned(),
            })
        };
        let day = |text: &str| ledger::codec::parse_date(text);
        let content = Achievement {
            record_id: "r-1".to_owned(),
            achievement_type: "Course".to_owned(),
            code: "CS-1".to_owned(),
            titles: vec![text("Computing"), text("Computers")],
            size: Some(ledger::words::Size {
                amount: "2.5".parse().unwrap(),
                unit: "ects".to_owned(),
            }),
            level: Some(ledger::words::Level {
                framework: "eqf".to_owned(),
                code: "6".to_owned(),
            }),
            field: "0613".to_owned(),
            source_kind: "formal-study".to_owned(),
            delivery: "online".to_owned(),
            origin: Origin::Transferred,
            source: name("s"),
            part_of: name("p"),
            offering: "2026".to_owned(),
            attempt: 2,
            results: vec![AchievementResult {
                value: "85".to_owned(),
                scale: "percent".to_owned(),
                subject: "grade".to_owned(),
            }],
            study_from: day("2026-01-10"),
            study_until: day("2026-06-20"),
            awarded: day("2026-07-01").unwrap(),
            expires: day("2030-07-01"),
            tier: "elementary".to_owned(),
            outcomes: vec!["urn:x".to_owned()],
            evidence: vec![Evidence {
                uri: "urn:e".to_owned(),
                digest: String::new(),
            }],
            replaces: name("o"),
        };
        let sent = achievement(&issuer, handle, &content);
        let acting = "college-b".parse().unwrap();
        let action = from_proto::submission(sent, &acting, Handle([1; 16])).unwrap();
        let learner = LearnerReference::Handle(handle);
        let fresh = Handle([1; 16]);
        assert_eq!(
            action,
            Action::Submit {
                issuer,
                learner,
                achievement: content.into(),
                signature: None,
                fresh,
                register: None,
            }
        );
    }

    #[test]
    fn a_checked_record_names_no_account_that_is_not_there() {
        let drawn = Handle([7; 16]);
        let done = Done {
            receipts: Vec::new(),
            already: false,
            learner: Some(drawn),
            revision: None,
            pending: Some(PendingReason::Unlinked),
        };
        let shown = outcome("r-1".to_owned(), Ok(done), Some(drawn));
        assert_eq!(shown.state(), v1::OutcomeState::Pending);
        assert_eq!(shown.learner_handle, "");
    }
}
