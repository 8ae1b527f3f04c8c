//! The key that signs checkpoints, in a file of its own that nobody else may read.
//!
//! Apart from the publisher because it is asked for once, and because losing it, or showing it, is what an
//! operator has to fear most.

use std::io;
use std::path::Path;

use chain::{NoteError, NoteSigner};
use durable::Fs;

/// The name of the file.
pub const KEY_FILE: &str = "signing-key";

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub enum KeyFault {
    /// The file system's.
    #[error("the signing key cannot be read or written")]
    Io(#[from] io::Error),
    /// Not a key.
    #[error("the signing key's file is damaged; restore it from where you keep a copy")]
    Damaged(#[from] NoteError),
    /// Another ledger's.
    #[error("the signing key is that of {found}, and this ledger's origin is {expected}")]
    OtherOrigin {
        /// The origin that is configured.
        expected: String,
        /// The name in the file.
        found: String,
    },
}

/// The key of a ledger with that origin, from its file.
///
/// # Errors
/// `Ok(None)` when there is no file; whatever is wrong with it.
pub fn load<F: Fs>(fs: &F, dir: &Path, origin: &str) -> Result<Option<NoteSigner>, KeyFault> {
    let bytes = match durable::read_file(fs, &dir.join(KEY_FILE)) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        other => other?,
    };
    let text = String::from_utf8_lossy(&bytes);
    let signer = NoteSigner::from_secret_text(text.trim_end())?;
    if signer.verifier().name() != origin {
        return Err(KeyFault::OtherOrigin {
            expected: origin.to_owned(),
            found: signer.verifier().name().to_owned(),
        });
    }
    Ok(Some(signer))
}

/// Keeps a key: durably, and for the file's owner alone.
///
/// # Errors
/// The file system's.
pub fn keep<F: Fs>(fs: &F, dir: &Path, signer: &NoteSigner) -> Result<(), KeyFault> {
    let text = format!("{}\n", signer.to_secret_text());
    durable::write_atomic_private(fs, dir, KEY_FILE, text.as_bytes())?;
    Ok(())
}
