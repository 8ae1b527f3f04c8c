//! The commitment to a body: what stays in the leaf when the body is erased.
//!
//! Apart from `hash` because it is keyed by a secret that is destroyed with the body: a bare hash of a
//! short body could be found by trying every student number, a salted one cannot once the salt is gone.

use std::fmt;

use crate::hash::Hash;
use crate::zeros::is_zero;

/// The random key of one record's commitment. Never served without its body, never printed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Salt(pub [u8; 32]);

impl Salt {
    /// What an erased record holds. Never the salt of a live record.
    pub const ZERO: Salt = Salt([0; 32]);

    /// Whether this is the salt of an erased record.
    #[must_use]
    pub fn is_zero(&self) -> bool {
        is_zero(&self.0)
    }
}

impl fmt::Debug for Salt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Whoever holds the salt can test guesses of the body, so a log line must not contain it.
        f.write_str(if self.is_zero() {
            "Salt(zero)"
        } else {
            "Salt(..)"
        })
    }
}

/// A salt and the commitment that it makes to one body. Hashing a body is most of what a record costs and
/// needs no order, so it can be done before the record has its place, and on another thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Commitment {
    pub(crate) salt: Salt,
    pub(crate) hash: Hash,
}

impl Commitment {
    /// Commits to `body` with `salt`, which is random, not zero, and used for nothing else.
    #[must_use]
    pub fn new(salt: Salt, body: &[u8]) -> Commitment {
        let hash = commit(&salt, body);
        Commitment { salt, hash }
    }

    /// Whether it is to that body.
    #[must_use]
    pub fn is_to(&self, body: &[u8]) -> bool {
        commit(&self.salt, body) == self.hash
    }
}

/// Commits to `body`: keyed BLAKE3 with the salt as the key.
///
/// Source: BLAKE3 specification, section 2.1 (`keyed_hash`); `ledger-data/README.md` section 6.
#[must_use]
pub fn commit(salt: &Salt, body: &[u8]) -> Hash {
    Hash(*blake3::keyed_hash(&salt.0, body).as_bytes())
}
