//! The 32-byte hash and the chain hash, which links every record to the one before it.
//!
//! Apart from `commitment` because the two use BLAKE3 in different modes on purpose: a chain hash can
//! never be mistaken for a commitment, whatever bytes an issuer sends.

use std::fmt;
use std::str::FromStr;
use std::sync::LazyLock;

use blake3::hazmat::{ContextKey, HasherExt, hash_derive_key_context};

use crate::error::ParseError;
use crate::hex;

/// The context string of the chain hash (`ledger-data/README.md` section 4).
pub const CHAIN_CONTEXT: &str = "creditbank 2026-11-21 record chain v1";

/// The context string hashed once: deriving it again for every record would cost a third compression
/// for nothing. The values are those of `blake3::derive_key`; a test compares.
static CHAIN_KEY: LazyLock<ContextKey> = LazyLock::new(|| hash_derive_key_context(CHAIN_CONTEXT));

/// A 32-byte BLAKE3 output. Text form: 64 lower-case hexadecimal digits.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hash(pub [u8; 32]);

impl Hash {
    /// All zero: what a first link holds instead of a hash.
    pub const ZERO: Hash = Hash([0; 32]);

    /// Whether this is the absent hash of a first link.
    #[must_use]
    pub fn is_zero(&self) -> bool {
        *self == Hash::ZERO
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        hex::write(f, &self.0)
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        hex::write(f, &self.0)
    }
}

impl FromStr for Hash {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Hash, ParseError> {
        hex::read(text).map(Hash)
    }
}

/// The chain hash of a record: BLAKE3 in `derive_key` mode with [`CHAIN_CONTEXT`] over the leaf bytes.
///
/// One hash serves both chains, the ledger's and the learner's, because the leaf contains both previous
/// hashes. Source: BLAKE3 specification, section 2.1 (modes); `ledger-data/README.md` section 4.
#[must_use]
pub fn chain_hash(leaf_bytes: &[u8]) -> Hash {
    let mut hasher = blake3::Hasher::new_from_context_key(&CHAIN_KEY);
    hasher.update(leaf_bytes);
    Hash(*hasher.finalize().as_bytes())
}
