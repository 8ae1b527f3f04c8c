//! Issuers' signatures, checked on all cores before the rules judge what was signed.
//!
//! Apart from admission because a check costs more than everything else about a record, and needs nothing of
//! the records before it but the key. A key registered in the same batch is not known yet: admission
//! checks with it, one by one.

use ledger::Event;
use ledger::registry::Registry;

/// Signatures for which a thread of their own is worth it.
const THREAD_SIGNATURES: usize = 16;

/// Checks the signatures of these events with the keys that are registered by now.
pub(crate) fn check(signed: &[&Event], registry: &Registry, n_cores: usize) {
    if signed.is_empty() {
        return;
    }
    let share = signed.len().div_ceil(n_cores.max(1)).max(THREAD_SIGNATURES);
    let check_all = |share: &[&Event]| {
        for event in share {
            check_one(event, registry);
        }
    };
    std::thread::scope(|scope| {
        let mut shares = signed.chunks(share);
        let own = shares.next().unwrap_or_default();
        for share in shares {
            scope.spawn(move || check_all(share));
        }
        check_all(own);
    });
}

/// Checks the signature of one event; whether it bears one and it is genuine.
pub(crate) fn check_one(event: &Event, registry: &Registry) -> bool {
    let Some(signature) = event.body.signature() else {
        return false;
    };
    registry.check(&event.issuer, signature);
    let key = registry.key(&event.issuer, &signature.key_id);
    key.is_some_and(|key| signature.checked_with(&key.key.value.public_key) == Some(true))
}
