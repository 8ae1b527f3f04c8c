//! Checkpoints: what a ledger's operator signs about its tree.
//!
//! Apart from notes because a checkpoint is one reading of a note's text. Source: C2SP tlog-checkpoint
//! v1.0.0.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use crate::error::CheckpointError;
use crate::note::{Note, VerifierKey};
use crate::tree::TreeHash;

/// Size and root of a ledger's tree. Text form: the lines origin, size and root in base64, which is what
/// is signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// Which ledger: a name that is its own in the world; also the name of its key.
    pub origin: String,
    /// How many leaves.
    pub size: u64,
    /// The root over them.
    pub root: TreeHash,
}

impl fmt::Display for Checkpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let root = BASE64.encode(self.root.0);
        writeln!(f, "{}\n{}\n{root}", self.origin, self.size)
    }
}

impl Checkpoint {
    /// Reads a note that is a checkpoint of the ledger whose key it is, signed by it.
    ///
    /// # Errors
    /// What is wrong with its form, its origin or the signature.
    pub fn open(bytes: &[u8], key: &VerifierKey) -> Result<Checkpoint, CheckpointError> {
        let note = Note::read(bytes)?;
        let read = Checkpoint::read(note.text())?;
        if read.origin != key.name() {
            return Err(CheckpointError::OtherOrigin {
                expected: key.name().to_owned(),
                found: read.origin,
            });
        }
        note.check(key)?;
        Ok(read)
    }

    /// Reads the text of a checkpoint. Lines after the first three are extensions, which say nothing here.
    ///
    /// # Errors
    /// What is wrong with its form.
    pub fn read(text: &str) -> Result<Checkpoint, CheckpointError> {
        let body = text.strip_suffix('\n').ok_or(CheckpointError::Lines)?;
        let mut lines = body.split('\n');
        let (Some(origin), Some(size), Some(root)) = (lines.next(), lines.next(), lines.next())
        else {
            return Err(CheckpointError::Lines);
        };
        if origin.is_empty() {
            return Err(CheckpointError::Origin);
        }
        if lines.any(str::is_empty) {
            return Err(CheckpointError::Lines);
        }
        let size: u64 = decimal(size).ok_or(CheckpointError::Size)?;
        let root = tree_hash(root).ok_or(CheckpointError::Root)?;
        if size == 0 && root != TreeHash::of_nothing() {
            return Err(CheckpointError::RootOfNothing);
        }
        let origin = origin.to_owned();
        Ok(Checkpoint { origin, size, root })
    }
}

/// A number in its one spelling.
pub(crate) fn decimal(text: &str) -> Option<u64> {
    let number: u64 = text.parse().ok()?;
    (number.to_string() == text).then_some(number)
}

/// A hash in base64, in its one spelling.
pub(crate) fn tree_hash(text: &str) -> Option<TreeHash> {
    let bytes = BASE64.decode(text).ok()?;
    <[u8; 32]>::try_from(bytes.as_slice()).ok().map(TreeHash)
}

/// A hash as checkpoints and proofs write it.
pub(crate) fn to_base64(hash: &TreeHash) -> String {
    BASE64.encode(hash.0)
}
