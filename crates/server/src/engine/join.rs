//! Where the ledger's events and the chain's records meet.
//!
//! The chain does not know what a record means, the ledger does not know that it is hashed: the few
//! conversions between them stand here, and (for the auditor, who trusts no server) once more in
//! `verify`.

use std::sync::OnceLock;

use chain::{Institution, Record};
use ledger::codec::{self, CodecError};
use ledger::{Body, Event, Handle, InstitutionId, KeySecret, Position, Timestamp};

/// The event that a record holds; an erased body leaves what its leaf tells.
pub(crate) fn event(record: &Record) -> Result<Event, CodecError> {
    let leaf = &record.leaf;
    let learner = leaf.learner.map(|link| Handle(link.handle.0));
    let (issuer, submitter) = (leaf.issuer.as_str(), leaf.submitter.as_str());
    if record.is_erased() {
        return codec::erased(leaf.kind, issuer, submitter, learner);
    }
    codec::decode(leaf.kind, issuer, submitter, learner, &record.body)
}

/// The event kind as the leaf carries it.
pub(crate) fn kind(event: &Event) -> u16 {
    u16::try_from(i32::from(event.body.kind())).expect("event kinds are small and positive")
}

/// An institution as the leaf carries it.
pub(crate) fn institution(id: &InstitutionId) -> Institution {
    Institution::try_from(id.as_str()).expect("a ledger's institution id is a leaf's")
}

/// The ledger's position of a record.
pub(crate) fn position(record: &Record) -> Position {
    Position(record.leaf.position.0)
}

/// A time of the ledger as the chain's.
pub(crate) fn recorded_at(at: Timestamp) -> chain::Timestamp {
    chain::Timestamp(at.0)
}

/// A handle of the ledger as the chain's.
pub(crate) fn handle(handle: Handle) -> chain::Handle {
    chain::Handle(handle.0)
}

/// Goes up whenever `ledger::keys_of` gives other keys for an event: 1 since events without a learner are
/// found as the registry's.
const SCHEME: u32 = 1;

/// Tells a store the keys of each record. The secret that keys them lies in the first record.
#[derive(Debug, Default)]
pub struct LedgerKeys {
    secret: OnceLock<KeySecret>,
}

impl store::Keys for LedgerKeys {
    fn keys_of(&self, record: &Record) -> Vec<store::Key> {
        let Ok(event) = event(record) else {
            // Reading a body that does not decode reports it. Opening reads the registry's, and must
            // not miss one.
            let secret = self.secret.get().filter(|_| record.leaf.learner.is_none());
            return secret
                .map(KeySecret::registry)
                .map(store_key)
                .into_iter()
                .collect();
        };
        if let Body::LedgerOpened(opened) = &event.body {
            // The same record yields the same secret.
            let _ = self.secret.set(KeySecret(opened.suppression_key));
        }
        let Some(secret) = self.secret.get() else {
            return Vec::new();
        };
        ledger::keys_of(secret, &event)
            .into_iter()
            .map(store_key)
            .collect()
    }

    fn scheme(&self) -> u32 {
        SCHEME
    }
}

/// A key of the ledger as the store's.
pub(crate) fn store_key(key: ledger::Key) -> store::Key {
    store::Key(key.0)
}
