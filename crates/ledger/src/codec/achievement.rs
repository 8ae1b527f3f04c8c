//! Achievements and what happens to them, to and from their messages.
//!
//! Apart from the other nouns because the content's encoding also serves to compare submissions.

use super::CodecError;
use super::fields::{
    date, read_date, read_handle, read_optional_date, read_record_name, record_name, required,
};
use super::signature::{read_signature, signature};
use crate::amount::Credits;
use crate::event::{
    AchievementReassigned, AchievementReceived, AchievementRecorded, AchievementStatus,
    AchievementSuperseded,
};
use crate::generated as wire;
use crate::words::{Achievement, AchievementResult, Evidence, Level, Origin, Size, Text};

pub(super) fn recorded(content: &AchievementRecorded) -> wire::AchievementContent {
    wire::AchievementContent {
        achievement: Some(achievement(&content.achievement)),
        reason: String::new(),
        signature: signature(content.signature.as_deref()),
    }
}

pub(super) fn read_recorded(
    body: wire::AchievementContent,
) -> Result<AchievementRecorded, CodecError> {
    Ok(AchievementRecorded {
        achievement: read_achievement(required("achievement", body.achievement)?)?,
        signature: read_signature(body.signature)?,
    })
}

pub(super) fn superseded(version: &AchievementSuperseded) -> wire::AchievementContent {
    wire::AchievementContent {
        achievement: Some(achievement(&version.achievement)),
        reason: version.reason.clone(),
        signature: signature(version.signature.as_deref()),
    }
}

pub(super) fn read_superseded(
    body: wire::AchievementContent,
) -> Result<AchievementSuperseded, CodecError> {
    let achievement = read_achievement(required("achievement", body.achievement)?)?;
    Ok(AchievementSuperseded {
        achievement,
        reason: body.reason,
        signature: read_signature(body.signature)?,
    })
}

pub(super) fn status(status: &AchievementStatus) -> wire::AchievementStatus {
    wire::AchievementStatus {
        record_id: status.record_id.clone(),
        reason: status.reason.clone(),
    }
}

pub(super) fn read_status(body: wire::AchievementStatus) -> AchievementStatus {
    AchievementStatus {
        record_id: body.record_id,
        reason: body.reason,
    }
}

pub(super) fn reassigned(moved: &AchievementReassigned) -> wire::AchievementReassigned {
    wire::AchievementReassigned {
        record_id: moved.record_id.clone(),
        to_learner: moved.to.0.to_vec(),
        reason: moved.reason.clone(),
    }
}

pub(super) fn read_reassigned(
    body: wire::AchievementReassigned,
) -> Result<AchievementReassigned, CodecError> {
    let to = read_handle("to_learner", &body.to_learner)?;
    Ok(AchievementReassigned {
        record_id: body.record_id,
        to,
        reason: body.reason,
    })
}

pub(super) fn received(moved: &AchievementReceived) -> wire::AchievementReceived {
    wire::AchievementReceived {
        achievement: Some(achievement(&moved.achievement)),
        from_learner: moved.from.0.to_vec(),
        suspended: moved.suspended,
        signature: signature(moved.signature.as_deref()),
    }
}

pub(super) fn read_received(
    body: wire::AchievementReceived,
) -> Result<AchievementReceived, CodecError> {
    let achievement = read_achievement(required("achievement", body.achievement)?)?;
    let from = read_handle("from_learner", &body.from_learner)?;
    Ok(AchievementReceived {
        achievement,
        from,
        suspended: body.suspended,
        signature: read_signature(body.signature)?,
    })
}

pub(super) fn achievement(content: &Achievement) -> wire::Achievement {
    wire::Achievement {
        record_id: content.record_id.clone(),
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
    }
}

pub(super) fn read_achievement(body: wire::Achievement) -> Result<Achievement, CodecError> {
    Ok(Achievement {
        record_id: body.record_id,
        achievement_type: body.r#type,
        code: body.code,
        titles: read_texts(body.titles),
        size: body.size.map(read_size).transpose()?,
        level: body.level.map(read_level),
        field: body.field,
        source_kind: body.source_kind,
        delivery: body.delivery,
        origin: read_origin(body.origin)?,
        source: read_record_name("source", body.source)?,
        part_of: read_record_name("part_of", body.part_of)?,
        offering: body.offering,
        attempt: body.attempt,
        results: body.results.into_iter().map(read_result).collect(),
        study_from: read_optional_date("study_from", &body.study_from)?,
        study_until: read_optional_date("study_until", &body.study_until)?,
        awarded: read_date("awarded", &body.awarded)?,
        expires: read_optional_date("expires", &body.expires)?,
        tier: body.tier,
        outcomes: body.outcomes,
        evidence: body.evidence.into_iter().map(read_evidence).collect(),
        replaces: read_record_name("replaces", body.replaces)?,
    })
}

pub(super) fn texts(texts: &[Text]) -> Vec<wire::Text> {
    let text = |text: &Text| wire::Text {
        value: text.value.clone(),
        language: text.language.clone(),
    };
    texts.iter().map(text).collect()
}

pub(super) fn read_texts(texts: Vec<wire::Text>) -> Vec<Text> {
    texts
        .into_iter()
        .map(|text| Text {
            value: text.value,
            language: text.language,
        })
        .collect()
}

pub(super) fn size(size: &Size) -> wire::Size {
    wire::Size {
        thousandths: size.amount.thousandths(),
        unit: size.unit.clone(),
    }
}

pub(super) fn read_size(size: wire::Size) -> Result<Size, CodecError> {
    let amount = Credits::from_thousandths(size.thousandths);
    if amount > Credits::ACHIEVEMENT_MAX {
        return Err(CodecError::Amount {
            field: "size.thousandths",
        });
    }
    Ok(Size {
        amount,
        unit: size.unit,
    })
}

pub(super) fn level(level: &Level) -> wire::Level {
    wire::Level {
        framework: level.framework.clone(),
        code: level.code.clone(),
    }
}

pub(super) fn read_level(level: wire::Level) -> Level {
    Level {
        framework: level.framework,
        code: level.code,
    }
}

fn result(result: &AchievementResult) -> wire::Result {
    wire::Result {
        value: result.value.clone(),
        scale: result.scale.clone(),
        subject: result.subject.clone(),
    }
}

fn read_result(result: wire::Result) -> AchievementResult {
    AchievementResult {
        value: result.value,
        scale: result.scale,
        subject: result.subject,
    }
}

fn evidence(evidence: &Evidence) -> wire::Evidence {
    wire::Evidence {
        uri: evidence.uri.clone(),
        digest: evidence.digest.clone(),
    }
}

fn read_evidence(evidence: wire::Evidence) -> Evidence {
    Evidence {
        uri: evidence.uri,
        digest: evidence.digest,
    }
}

fn origin(origin: Origin) -> wire::Origin {
    match origin {
        Origin::Earned => wire::Origin::Earned,
        Origin::Assessed => wire::Origin::Assessed,
        Origin::Transferred => wire::Origin::Transferred,
        Origin::Exempted => wire::Origin::Exempted,
    }
}

fn read_origin(number: i32) -> Result<Origin, CodecError> {
    match wire::Origin::try_from(number) {
        Ok(wire::Origin::Earned) => Ok(Origin::Earned),
        Ok(wire::Origin::Assessed) => Ok(Origin::Assessed),
        Ok(wire::Origin::Transferred) => Ok(Origin::Transferred),
        Ok(wire::Origin::Exempted) => Ok(Origin::Exempted),
        Ok(wire::Origin::Unspecified) | Err(_) => Err(CodecError::Unspecified { field: "origin" }),
    }
}

/// The first fields of [`wire::AchievementContent`] that an index is made of; the others are skipped.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Glance {
    #[prost(message, optional, tag = "1")]
    pub(super) achievement: Option<GlanceContent>,
}

/// The same of [`wire::Achievement`].
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct GlanceContent {
    #[prost(string, tag = "3")]
    pub(super) code: String,
    #[prost(string, tag = "18")]
    pub(super) awarded: String,
}
