//! Fuzz bodies for what the ledger decodes: event bodies, and what institutions send.
//!
//! Functions here rather than in the fuzz targets, so that the ordinary test run executes them too
//! (`tests/it/fuzz.rs`), on a machine without cargo-fuzz.

use api::v1;
use ledger::{Body, Handle, InstitutionId, IssuerSignature, codec};
use prost::Message as _;

/// The first kind whose events lie on a learner's chain.
const LEARNER_KINDS: u16 = 30;

/// Two bytes of kind and a body: refused, or the one encoding of an event.
pub fn event(data: &[u8]) {
    let Some((kind, body)) = data.split_first_chunk::<2>() else {
        return;
    };
    let kind = u16::from_be_bytes(*kind);
    let learner = (kind >= LEARNER_KINDS).then_some(Handle([7; 16]));
    let Ok(event) = codec::decode(kind, "uni", "uni", learner, body) else {
        return;
    };
    assert!(
        !matches!(event.body, Body::Erased(_)),
        "a body never reads as erased"
    );
    assert_eq!(
        codec::encode(&event.body),
        body,
        "a second encoding of {event:?}"
    );
}

/// The bytes that an issuer signed: refused, or the one encoding of a statement.
pub fn statement(data: &[u8]) {
    let Ok(statement) = codec::decode_statement(data) else {
        return;
    };
    let encoded = codec::encode_statement(&statement);
    assert_eq!(encoded, data, "a second encoding of {statement:?}");
    let signature = IssuerSignature::read("k".to_owned(), encoded, [7; 64]);
    let signature = signature.expect("what was decoded decodes again");
    assert!(
        !signature.check(&[1; 32]),
        "nobody signs with what is no key"
    );
}

/// A submission in the bytes of the wire: explained or understood, never a panic. What is understood
/// and well-formed is recorded as an encoding that decodes to the same.
pub fn submission(data: &[u8]) {
    let Ok(wire) = v1::Achievement::decode(data) else {
        return;
    };
    let acting: InstitutionId = "uni".parse().expect("an institution id");
    let drawn = Handle([7; 16]);
    let Ok(action) = server::from_proto::submission(wire, &acting, drawn) else {
        return;
    };
    let ledger::Action::Submit {
        achievement,
        issuer,
        ..
    } = action
    else {
        panic!("a submission is a submission");
    };
    if !ledger::shape::achievement(&issuer, &achievement).is_empty() {
        return;
    }
    let body = Body::AchievementRecorded(achievement.into());
    let encoded = codec::encode(&body);
    let kind = u16::try_from(i32::from(body.kind())).expect("kinds are small");
    let decoded = codec::decode(kind, issuer.as_str(), "uni", Some(drawn), &encoded);
    assert_eq!(decoded.map(|event| event.body), Ok(body));
}
