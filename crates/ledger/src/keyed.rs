//! An event with what follows from it: the encoding of its body, and the keys that name its facts.
//!
//! Apart from the event because these are not facts of their own: they are hashed and encoded once, when
//! an event is proposed or read, and then deciding, admitting, applying, indexing and storing all use
//! them. They cost more than all the rules together.

use crate::codec::{self, CodecError};
use crate::event::{Body, Event};
use crate::ids::{Handle, InstitutionId, Key};
use crate::keys::{KeySecret, index_keys};
use crate::ready::Ready;
use crate::rejection::Rejection;
use crate::words::Achievement;

/// An event, its encoded body and its keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keyed {
    event: Event,
    body: Vec<u8>,
    names: Names,
}

impl Keyed {
    /// Encodes and hashes. `secret` is the ledger's; what stands before its opening has no keys.
    #[must_use]
    pub fn new(secret: Option<&KeySecret>, event: Event) -> Self {
        let body = codec::encode(&event.body);
        Self::read(secret, event, body)
    }

    /// Reads an event from what its leaf shows, issuer and submitter first, and its body. To be its one
    /// encoding, the body is compared with it; so that encoding is the body of the result.
    ///
    /// # Errors
    ///
    /// As [`codec::decode`].
    pub fn decode(
        secret: Option<&KeySecret>,
        kind: u16,
        (issuer, submitter): (&str, &str),
        learner: Option<Handle>,
        body: &[u8],
    ) -> Result<Self, CodecError> {
        let (event, body) = codec::decode_encoded(kind, issuer, submitter, learner, body)?;
        Ok(Self::read(secret, event, body))
    }

    /// Of an event with that encoding.
    fn read(secret: Option<&KeySecret>, event: Event, body: Vec<u8>) -> Self {
        let names = secret.map(|secret| Names::of(secret, &event, &body));
        let names = names.unwrap_or_default();
        Keyed { event, body, names }
    }

    /// The same, of an event about the record with that key.
    pub(crate) fn about(secret: &KeySecret, record: Key, event: Event) -> Self {
        let body = codec::encode(&event.body);
        let names = Names::about(secret, &event, &body, Some(record));
        Keyed { event, body, names }
    }

    /// The same, of a submission that was made ready.
    pub(crate) fn ready(
        secret: &KeySecret,
        (issuer, submitter, learner): (InstitutionId, InstitutionId, Handle),
        ready: Ready,
    ) -> Self {
        let Ready {
            body,
            encoded,
            record,
            content,
        } = ready;
        let result = match &body {
            Body::AchievementRecorded(new) => secret.result(&issuer, learner, &new.achievement),
            _ => None,
        };
        let signature = body.signature();
        let signature = signature.map(|signature| secret.content(&signature.signature));
        let event = Event {
            issuer,
            submitter,
            learner: Some(learner),
            body,
        };
        let names = Names {
            record: Some(record),
            result,
            content,
            signature,
        };
        debug_assert_eq!(
            names,
            Names::of(secret, &event, &encoded),
            "made ready for another command"
        );
        Keyed {
            event,
            body: encoded,
            names,
        }
    }

    /// The event.
    #[must_use]
    pub fn event(&self) -> &Event {
        &self.event
    }

    /// Its body, encoded: what the ledger stores and hashes.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// The keys under which a store finds it; the same as [`crate::keys_of`].
    #[must_use]
    pub fn keys(&self, secret: &KeySecret) -> Vec<Key> {
        index_keys(secret, &self.event, &self.names)
    }

    /// The event, and its body encoded.
    #[must_use]
    pub fn into_parts(self) -> (Event, Vec<u8>) {
        (self.event, self.body)
    }

    pub(crate) fn names(&self) -> &Names {
        &self.names
    }
}

/// The keys of what an event says, as far as rules and state ask for them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Names {
    /// [`KeySecret::record`] of the record that it is about.
    record: Option<Key>,
    /// [`KeySecret::result`] of its achievement, on its own learner.
    result: Option<Key>,
    /// [`KeySecret::content`] of its achievement, or of a registration that can be repeated.
    content: Option<Key>,
    /// [`KeySecret::content`] of its issuer's signature.
    signature: Option<Key>,
}

impl Names {
    /// Of an event with that encoded body.
    pub(crate) fn of(secret: &KeySecret, event: &Event, body: &[u8]) -> Names {
        Self::about(secret, event, body, None)
    }

    fn about(secret: &KeySecret, event: &Event, body: &[u8], record: Option<Key>) -> Names {
        let record = |record_id: &str| {
            Some(record.unwrap_or_else(|| secret.record(&event.issuer, record_id)))
        };
        let achievement = |achievement: &Achievement| Names {
            record: record(&achievement.record_id),
            result: event
                .learner
                .and_then(|learner| secret.result(&event.issuer, learner, achievement)),
            content: codec::achievement_in(body).map(|encoded| secret.content(encoded)),
            signature: event
                .body
                .signature()
                .map(|signature| secret.content(&signature.signature)),
        };
        let alone = |record_id: &str| Names {
            record: record(record_id),
            ..Names::default()
        };
        match &event.body {
            Body::AchievementRecorded(new) => achievement(&new.achievement),
            Body::AchievementSuperseded(new) => achievement(&new.achievement),
            Body::AchievementReceived(received) => achievement(&received.achievement),
            Body::AchievementSuspended(status)
            | Body::AchievementReinstated(status)
            | Body::AchievementRevoked(status) => alone(&status.record_id),
            Body::AchievementReassigned(reassigned) => alone(&reassigned.record_id),
            Body::LearnerRegistered(registered) if !registered.request_id.is_empty() => Names {
                content: Some(secret.content(body)),
                ..Names::default()
            },
            _ => Names::default(),
        }
    }

    /// The same, of an event that nobody has encoded.
    pub(crate) fn of_event(secret: &KeySecret, event: &Event) -> Names {
        let is_compared = match &event.body {
            Body::AchievementRecorded(_)
            | Body::AchievementSuperseded(_)
            | Body::AchievementReceived(_) => true,
            Body::LearnerRegistered(registered) => !registered.request_id.is_empty(),
            _ => false,
        };
        let body = is_compared.then(|| codec::encode(&event.body));
        Self::of(secret, event, &body.unwrap_or_default())
    }

    /// The record that the event is about.
    pub(crate) fn record(&self) -> Result<Key, Rejection> {
        let problem = "the event is about no record";
        self.record.ok_or(Rejection::OutOfPlace { problem })
    }

    /// What the event says, to be compared.
    pub(crate) fn content(&self) -> Result<Key, Rejection> {
        let problem = "the event has no content";
        self.content.ok_or(Rejection::OutOfPlace { problem })
    }

    /// The signature that the event brings, to be compared.
    pub(crate) fn signature(&self) -> Option<Key> {
        self.signature
    }

    /// The result on the event's own learner; `None` when nothing says that two results are the same.
    pub(crate) fn result(&self) -> Option<Key> {
        self.result
    }
}
