//! Achievements and what happens to them, to and from their messages.
//!
//! Apart from the other nouns because the content's encoding also serves to compare submissions.

use std::sync::Arc;

use prost::Message;

use super::CodecError;
use super::fields::{read_date, read_handle, read_optional_date, read_record_name, required};
use super::signature::{read_signature, signature};
use super::writer::Writer;
use crate::amount::Credits;
use crate::event::{
    AchievementReassigned, AchievementReceived, AchievementRecorded, AchievementStatus,
    AchievementSuperseded,
};
use crate::generated as wire;
use crate::words::{
    Achievement, AchievementResult, Evidence, Level, Origin, RecordName, Size, Text,
};

pub(super) fn recorded(content: &AchievementRecorded) -> Vec<u8> {
    let rest = wire::AchievementContent {
        signature: signature(content.signature.as_deref()),
        ..wire::AchievementContent::default()
    };
    carrying(&content.achievement, &rest)
}

pub(super) fn read_recorded(
    body: wire::AchievementContent,
) -> Result<AchievementRecorded, CodecError> {
    Ok(AchievementRecorded {
        achievement: Arc::new(read_achievement(required(
            "achievement",
            body.achievement,
        )?)?),
        signature: read_signature(body.signature)?,
    })
}

pub(super) fn superseded(version: &AchievementSuperseded) -> Vec<u8> {
    let rest = wire::AchievementContent {
        achievement: None,
        reason: version.reason.clone(),
        signature: signature(version.signature.as_deref()),
    };
    carrying(&version.achievement, &rest)
}

pub(super) fn read_superseded(
    body: wire::AchievementContent,
) -> Result<AchievementSuperseded, CodecError> {
    let achievement = Arc::new(read_achievement(required(
        "achievement",
        body.achievement,
    )?)?);
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

pub(super) fn received(moved: &AchievementReceived) -> Vec<u8> {
    let rest = wire::AchievementReceived {
        achievement: None,
        from_learner: moved.from.0.to_vec(),
        suspended: moved.suspended,
        signature: signature(moved.signature.as_deref()),
    };
    carrying(&moved.achievement, &rest)
}

pub(super) fn read_received(
    body: wire::AchievementReceived,
) -> Result<AchievementReceived, CodecError> {
    let achievement = Arc::new(read_achievement(required(
        "achievement",
        body.achievement,
    )?)?);
    let from = read_handle("from_learner", &body.from_learner)?;
    Ok(AchievementReceived {
        achievement,
        from,
        suspended: body.suspended,
        signature: read_signature(body.signature)?,
    })
}

/// A message whose first field is the achievement; `rest` is the same message without it.
fn carrying(content: &Achievement, rest: &impl Message) -> Vec<u8> {
    let mut writer = Writer::new();
    writer.message(1, |fields| achievement(fields, content));
    let mut bytes = writer.into_bytes();
    bytes.reserve(rest.encoded_len());
    rest.encode(&mut bytes).expect("a vector grows");
    bytes
}

/// The fields of [`wire::Achievement`].
pub(super) fn achievement(to: &mut Writer, content: &Achievement) {
    to.text(1, &content.record_id);
    to.text(2, &content.achievement_type);
    to.text(3, &content.code);
    for title in &content.titles {
        to.message(4, |to| {
            to.text(1, &title.value);
            to.text(2, &title.language);
        });
    }
    if let Some(size) = &content.size {
        to.message(5, |to| {
            to.number(1, size.amount.thousandths());
            to.text(2, &size.unit);
        });
    }
    if let Some(level) = &content.level {
        to.message(6, |to| {
            to.text(1, &level.framework);
            to.text(2, &level.code);
        });
    }
    to.text(7, &content.field);
    to.text(8, &content.source_kind);
    to.text(9, &content.delivery);
    to.number(10, origin(content.origin));
    name(to, 11, content.source.as_ref());
    name(to, 12, content.part_of.as_ref());
    to.text(13, &content.offering);
    to.number(14, u64::from(content.attempt));
    for result in &content.results {
        to.message(15, |to| {
            to.text(1, &result.value);
            to.text(2, &result.scale);
            to.text(3, &result.subject);
        });
    }
    to.date(16, content.study_from);
    to.date(17, content.study_until);
    to.date(18, Some(content.awarded));
    to.date(19, content.expires);
    to.text(20, &content.tier);
    for outcome in &content.outcomes {
        to.entry(21, outcome);
    }
    for evidence in &content.evidence {
        to.message(22, |to| {
            to.text(1, &evidence.uri);
            to.text(2, &evidence.digest);
        });
    }
    name(to, 23, content.replaces.as_ref());
}

fn name(to: &mut Writer, field: u64, name: Option<&RecordName>) {
    if let Some(name) = name {
        to.message(field, |to| {
            to.text(1, name.issuer.as_str());
            to.text(2, &name.record_id);
        });
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

fn read_result(result: wire::Result) -> AchievementResult {
    AchievementResult {
        value: result.value,
        scale: result.scale,
        subject: result.subject,
    }
}

fn read_evidence(evidence: wire::Evidence) -> Evidence {
    Evidence {
        uri: evidence.uri,
        digest: evidence.digest,
    }
}

fn origin(origin: Origin) -> u64 {
    let number: i32 = match origin {
        Origin::Earned => wire::Origin::Earned,
        Origin::Assessed => wire::Origin::Assessed,
        Origin::Transferred => wire::Origin::Transferred,
        Origin::Exempted => wire::Origin::Exempted,
    }
    .into();
    u64::from(number.unsigned_abs())
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

/// The record's name alone, for those who only ask which records belong together.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct GlanceAtName {
    #[prost(message, optional, tag = "1")]
    pub(super) achievement: Option<GlanceName>,
}

/// The same of [`wire::Achievement`].
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct GlanceName {
    #[prost(string, tag = "1")]
    pub(super) record_id: String,
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::collection::vec;
    use proptest::prelude::{Strategy, any, prop_assert_eq, proptest};
    use proptest::{option, prop_oneof};

    use super::*;
    use crate::ids::Date;

    fn text() -> impl Strategy<Value = String> {
        prop_oneof![".{0,3}", ".{0,200}"]
    }

    fn name() -> impl Strategy<Value = Option<RecordName>> {
        let name = ("[a-z]{1,9}", text());
        option::of(name.prop_map(|(issuer, record_id)| RecordName {
            issuer: issuer.parse().expect("an id"),
            record_id,
        }))
    }

    fn day() -> impl Strategy<Value = Date> {
        (1..9_999, 1..366_u32).prop_map(|(year, day)| {
            let known = Date::from_yo_opt(year, day);
            known.unwrap_or(Date::MIN)
        })
    }

    proptest! {
        /// The one encoding is the one that the schema's own code makes.
        #[test]
        fn what_is_written_is_what_the_message_encodes_to(
            texts in vec(text(), 9),
            titles in vec((text(), text()), 0..4),
            names in (name(), name(), name()),
            days in (option::of(day()), option::of(day()), day(), option::of(day())),
            size in option::of((0..Credits::ACHIEVEMENT_MAX.thousandths(), text())),
            results in vec((text(), text(), text()), 0..3),
            outcomes in vec(text(), 0..3),
            attempt in any::<u32>(),
        ) {
            let text = |idx: usize| texts.get(idx).cloned().unwrap_or_default();
            let result = |(value, scale, subject)| AchievementResult { value, scale, subject };
            let (of_titles, of_evidence) = (titles.clone(), titles);
            let content = Achievement {
                record_id: text(0),
                achievement_type: text(1),
                code: text(2),
                titles: of_titles.into_iter().map(|(value, language)| Text { value, language }).collect(),
                size: size.map(|(amount, unit)| Size {
                    amount: Credits::from_thousandths(amount),
                    unit,
                }),
                level: names.0.is_some().then(|| Level { framework: text(3), code: text(4) }),
                field: text(4),
                source_kind: text(5),
                delivery: text(6),
                origin: if attempt % 2 == 0 { Origin::Assessed } else { Origin::Exempted },
                source: names.0,
                part_of: names.1,
                offering: text(7),
                attempt,
                results: results.into_iter().map(result).collect(),
                study_from: days.0,
                study_until: days.1,
                awarded: days.2,
                expires: days.3,
                tier: text(8),
                outcomes,
                evidence: of_evidence.into_iter().map(|(uri, digest)| Evidence { uri, digest }).collect(),
                replaces: names.2,
            };
            let bytes = super::super::encode_achievement(&content);
            let message = wire::Achievement::decode(&*bytes).expect("a message");
            prop_assert_eq!(&message.encode_to_vec(), &bytes);
            let days = [&message.study_from, &message.study_until, &message.awarded, &message.expires];
            let said = [content.study_from, content.study_until, Some(content.awarded), content.expires];
            for (day, said) in days.into_iter().zip(said) {
                prop_assert_eq!(day, &said.map_or_else(String::new, |said| said.to_string()));
            }
            let whole = wire::AchievementContent {
                achievement: Some(message),
                ..wire::AchievementContent::default()
            };
            let encoded = recorded(&AchievementRecorded {
                achievement: Arc::new(content),
                signature: None,
            });
            prop_assert_eq!(&whole.encode_to_vec(), &encoded);
            prop_assert_eq!(super::super::achievement_in(&encoded), Some(&*bytes));
        }
    }
}
