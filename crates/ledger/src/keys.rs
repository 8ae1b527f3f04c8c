//! Keys: keyed hashes under which facts are found, in the state, in a store's index, and in the
//! suppression lists of erasures.
//!
//! The hash is keyed by the ledger's suppression key, so that an index file does not let anyone test
//! student numbers against it. Source: BLAKE3 in keyed mode over a tag and length-prefixed parts.

use crate::event::{Body, Event, Opening};
use crate::ids::{Handle, InstitutionId, Key};
use crate::keyed::Names;
use crate::words::{
    Achievement, Document, DocumentIdentity, ProvisionalReference, RecordName, StudentNumber,
};

/// The ledger's key for keys; from the body of LedgerOpened, served to no one.
#[derive(Clone, PartialEq, Eq)]
pub struct KeySecret(pub [u8; 32]);

impl std::fmt::Debug for KeySecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("KeySecret(..)")
    }
}

/// What a key is about. The numbers are part of the format: suppression lists hold keys of records.
#[derive(Debug, Clone, Copy)]
enum Tag {
    Record = 1,
    Learner = 2,
    Student = 3,
    Document = 4,
    Reference = 5,
    Result = 6,
    Request = 7,
    Profile = 8,
    Absorbed = 9,
    Identity = 10,
    Content = 11,
    Reopened = 12,
    Erasures = 13,
    Registry = 14,
    Seed = 64,
}

impl KeySecret {
    /// A record id in its issuer's name space: every event about that record.
    #[must_use]
    pub fn record(&self, issuer: &InstitutionId, record_id: &str) -> Key {
        self.key(
            Tag::Record,
            &[issuer.as_str().as_bytes(), record_id.as_bytes()],
        )
    }

    /// The same, from a name.
    #[must_use]
    pub fn record_name(&self, name: &RecordName) -> Key {
        self.record(&name.issuer, &name.record_id)
    }

    /// A learner: every event on that chain.
    #[must_use]
    pub fn learner(&self, handle: Handle) -> Key {
        self.key(Tag::Learner, &[&handle.0])
    }

    /// A learner's attributes: registrations and updates.
    #[must_use]
    pub fn profile(&self, handle: Handle) -> Key {
        self.key(Tag::Profile, &[&handle.0])
    }

    /// A learner's merges: absorptions and separations on that chain.
    #[must_use]
    pub fn absorbed(&self, handle: Handle) -> Key {
        self.key(Tag::Absorbed, &[&handle.0])
    }

    /// All erasures: the latest is found under it.
    #[must_use]
    pub fn erasures(&self) -> Key {
        self.key(Tag::Erasures, &[])
    }

    /// The registry: every event without a learner, from the ledger's opening on.
    #[must_use]
    pub fn registry(&self) -> Key {
        self.key(Tag::Registry, &[])
    }

    /// A learner's reopening after a separation.
    #[must_use]
    pub fn reopened(&self, handle: Handle) -> Key {
        self.key(Tag::Reopened, &[&handle.0])
    }

    /// A student number: links, unlinks and the provisional account for it.
    #[must_use]
    pub fn student(&self, student: &StudentNumber) -> Key {
        let parts = [
            student.institution.as_str().as_bytes(),
            student.number.as_bytes(),
        ];
        self.key(Tag::Student, &parts)
    }

    /// A document: registrations and updates of a bound account that carries it.
    #[must_use]
    pub fn document(&self, document: &Document) -> Key {
        self.key(
            Tag::Document,
            &[document.kind.as_bytes(), document.number.as_bytes()],
        )
    }

    /// A document with name and birth date, as sent: the provisional account for it.
    #[must_use]
    pub fn reference(&self, identity: &DocumentIdentity) -> Key {
        self.identity_parts(Tag::Reference, identity)
    }

    /// A document with name and birth date, as registered: what a reference must equal to match.
    #[must_use]
    pub fn identity(&self, identity: &DocumentIdentity) -> Key {
        self.identity_parts(Tag::Identity, identity)
    }

    fn identity_parts(&self, tag: Tag, identity: &DocumentIdentity) -> Key {
        let birth_date = identity.birth_date.to_string();
        let document = &identity.document;
        let parts = [
            &document.kind,
            &document.number,
            &identity.name,
            &birth_date,
        ];
        self.key(tag, &parts.map(|part| part.as_bytes()))
    }

    /// A result: issuer, learner, type, code, offering and attempt; `None` without a code, because
    /// then nothing says that two results are the same.
    #[must_use]
    pub fn result(
        &self,
        issuer: &InstitutionId,
        learner: Handle,
        achievement: &Achievement,
    ) -> Option<Key> {
        if achievement.code.is_empty() {
            return None;
        }
        let parts: [&[u8]; 6] = [
            issuer.as_str().as_bytes(),
            &learner.0,
            achievement.achievement_type.as_bytes(),
            achievement.code.as_bytes(),
            achievement.offering.as_bytes(),
            &achievement.attempt.to_be_bytes(),
        ];
        Some(self.key(Tag::Result, &parts))
    }

    /// A request id of a submitter.
    #[must_use]
    pub fn request(&self, submitter: &InstitutionId, request_id: &str) -> Key {
        self.key(
            Tag::Request,
            &[submitter.as_str().as_bytes(), request_id.as_bytes()],
        )
    }

    /// Encoded content, to compare versions without keeping them.
    #[must_use]
    pub fn content(&self, encoded: &[u8]) -> Key {
        self.key(Tag::Content, &[encoded])
    }

    fn key(&self, tag: Tag, parts: &[&[u8]]) -> Key {
        let hash = self.hash(tag, parts);
        // The hash is the beginning of the extended output, which a key is defined as.
        let key = hash.as_bytes().first_chunk().expect("a hash is longer");
        Key(*key)
    }

    /// Most keys are of a few dozen bytes: those are hashed in one go, which costs half of what feeding a
    /// hasher piece by piece does.
    fn hash(&self, tag: Tag, parts: &[&[u8]]) -> blake3::Hash {
        let mut whole = [0; 512];
        let len: usize = 1 + parts.iter().map(|part| 8 + part.len()).sum::<usize>();
        let Some(message) = whole.get_mut(..len) else {
            let mut hasher = blake3::Hasher::new_keyed(&self.0);
            hasher.update(&[tag_byte(tag)]);
            for part in parts {
                hasher.update(&len_bytes(part));
                hasher.update(part);
            }
            return hasher.finalize();
        };
        let (first, mut rest) = message.split_at_mut(1);
        first.fill(tag_byte(tag));
        for part in parts {
            for piece in [&len_bytes(part), *part] {
                let (here, after) = rest.split_at_mut(piece.len());
                here.copy_from_slice(piece);
                rest = after;
            }
        }
        blake3::keyed_hash(&self.0, message)
    }

    /// How keys are spread in memory: nothing that leaves the process depends on it.
    pub(crate) fn seed(&self) -> [u64; 2] {
        let Key(key) = self.key(Tag::Seed, &[]);
        let number = |bytes: Option<&[u8; 8]>| bytes.map_or(0, |bytes| u64::from_le_bytes(*bytes));
        [number(key.first_chunk()), number(key.last_chunk())]
    }
}

fn len_bytes(part: &[u8]) -> [u8; 8] {
    u64::try_from(part.len())
        .expect("a length fits 64 bits")
        .to_be_bytes()
}

#[allow(clippy::as_conversions, reason = "a fieldless enum of small numbers")]
fn tag_byte(tag: Tag) -> u8 {
    tag as u8
}

/// The keys under which an event is found. An erased one keeps those that its leaf alone gives.
#[must_use]
pub fn keys_of(secret: &KeySecret, event: &Event) -> Vec<Key> {
    index_keys(secret, event, &Names::of(secret, event, &[]))
}

/// The same, with the names of the event known.
pub(crate) fn index_keys(secret: &KeySecret, event: &Event, names: &Names) -> Vec<Key> {
    let Some(handle) = event.learner else {
        return vec![secret.registry()];
    };
    let mut keys = Vec::with_capacity(3);
    keys.push(secret.learner(handle));
    keys.extend(names.record());
    keys.extend(names.result());
    match &event.body {
        Body::LearnerRegistered(registered) => {
            keys.push(secret.profile(handle));
            if !registered.request_id.is_empty() {
                keys.push(secret.request(&event.submitter, &registered.request_id));
            }
            match &registered.opening {
                Opening::Person(profile) => {
                    keys.extend(profile.documents.iter().map(|d| secret.document(d)));
                }
                Opening::Provisional(ProvisionalReference::Student(student)) => {
                    keys.push(secret.student(student));
                }
                Opening::Provisional(ProvisionalReference::Document(identity, _)) => {
                    keys.push(secret.reference(identity));
                }
            }
        }
        Body::LearnerUpdated(profile) => {
            keys.push(secret.profile(handle));
            keys.extend(profile.documents.iter().map(|d| secret.document(d)));
        }
        Body::IdentityLinked(student) | Body::IdentityUnlinked(student) => {
            keys.push(secret.student(student));
        }
        Body::LearnerAbsorbed(_) | Body::LearnersSeparated(_) => keys.push(secret.absorbed(handle)),
        Body::LearnerReopened(_) => keys.push(secret.reopened(handle)),
        Body::LearnerErased(erased) => {
            keys.push(secret.erasures());
            keys.extend(erased.suppressed.iter().copied());
        }
        Body::LearnerIdentityErased => keys.push(secret.erasures()),
        _ => {}
    }
    keys
}
