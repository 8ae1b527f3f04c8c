//! Signing on this machine: an institution's private key, and what is signed with it.
//!
//! Apart from sending because a private key never leaves here: only signatures do, and the public half. No
//! message shows anything of the key file but its path.

use std::path::Path;
use std::sync::Arc;

use api::v1;
use clap::Args;
use client::{Signer, SigningError, root_cause};
use ed25519_dalek::pkcs8::spki::der::pem::LineEnding;
use ed25519_dalek::pkcs8::{DecodePrivateKey, DecodePublicKey, EncodePrivateKey, KeypairBytes};
use ed25519_dalek::{SigningKey, VerifyingKey};
use tokio::io::AsyncWriteExt;

use crate::args::value::Identity;
use crate::error::Failure;
use crate::input;

/// With which key to sign, if at all.
#[derive(Debug, Clone, Args)]
pub(crate) struct SigningArgs {
    /// Sign every achievement here with this private key file, which never leaves this machine; its
    /// institution must have registered the public half. Files with a passphrase are not read. A record that is
    /// there already stays as it was made, signed or not
    #[arg(long = "sign", value_name = "KEYFILE", requires = "key_id")]
    pub(crate) key_file: Option<std::path::PathBuf>,
    /// The name under which the issuer registered the key
    #[arg(long, value_name = "ID", requires = "key_file")]
    pub(crate) key_id: Option<String>,
}

/// The signer that the options ask for.
///
/// # Errors
///
/// [`Failure::Usage`] when the file holds no private key, or no institution acts.
pub(crate) async fn signer(
    args: &SigningArgs,
    identity: &Identity,
) -> Result<Option<Arc<Signer>>, Failure> {
    let (Some(path), Some(key_id)) = (&args.key_file, &args.key_id) else {
        return Ok(None);
    };
    let Identity::Institution(acting) = identity else {
        let text = "only an institution signs achievements: say --institution ID";
        return Err(Failure::Usage(text.to_owned()));
    };
    let pem = input::read_text(path).await?;
    match Signer::from_pem(&pem, key_id, acting) {
        Ok(signer) => Ok(Some(Arc::new(signer))),
        Err(SigningError::Key) => Err(no_private_key(path)),
        Err(error) => Err(Failure::Usage(error.to_string())),
    }
}

/// Signs, where that was asked for. What cannot be read stays unsigned: the server says what is wrong with it.
pub(crate) fn sign(signer: Option<&Signer>, achievement: &mut v1::Achievement) {
    if let Some(signer) = signer {
        let _ = signer.sign(achievement);
    }
}

/// Makes a private key and keeps it in a new file that only its owner reads; gives its public half.
///
/// # Errors
///
/// [`Failure::Usage`] when the file is there already or cannot be written.
pub(crate) async fn generate(path: &Path) -> Result<[u8; 32], Failure> {
    let mut secret_key = [0; 32];
    getrandom::fill(&mut secret_key)
        .map_err(|error| Failure::Unexpected(format!("no random bytes: {error}")))?;
    let key = SigningKey::from_bytes(&secret_key);
    let pair = KeypairBytes {
        secret_key,
        public_key: None,
    };
    let pem = pair
        .to_pkcs8_pem(LineEnding::LF)
        .map_err(|error| Failure::Unexpected(format!("the key cannot be encoded: {error}")))?;
    let failed = |error: &std::io::Error| {
        Failure::Usage(match error.kind() {
            std::io::ErrorKind::AlreadyExists => format!(
                "{} is there already and is not overwritten: name a new file",
                path.display()
            ),
            _ => format!(
                "{} cannot be written: {}",
                path.display(),
                root_cause(error)
            ),
        })
    };
    let mut options = tokio::fs::OpenOptions::new();
    options.write(true).create_new(true).mode(0o600);
    let mut file = options.open(path).await.map_err(|error| failed(&error))?;
    file.write_all(pem.as_bytes())
        .await
        .map_err(|error| failed(&error))?;
    file.sync_all().await.map_err(|error| failed(&error))?;
    Ok(key.verifying_key().to_bytes())
}

/// A public key, from 64 hexadecimal digits or from a file: such digits, a PEM public key, or the private key
/// file, of which only the public half is taken.
///
/// # Errors
///
/// [`Failure::Usage`] when it is none of these.
pub(crate) async fn public_key(given: &str) -> Result<Vec<u8>, Failure> {
    if let Some(key) = from_hex(given) {
        return Ok(key);
    }
    let path = Path::new(given);
    let text = input::read_text(path).await?;
    let of_private = SigningKey::from_pkcs8_pem(&text).ok();
    let key = of_private
        .map(|key| key.verifying_key())
        .or_else(|| VerifyingKey::from_public_key_pem(&text).ok())
        .map(|key| key.to_bytes().to_vec());
    key.or_else(|| from_hex(text.trim())).ok_or_else(|| {
        Failure::Usage(format!(
            "{} holds no Ed25519 public key: neither 64 hexadecimal digits nor a PEM file",
            path.display()
        ))
    })
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    let key = crate::wire::bytes_of_hex(text)?;
    (key.len() == 32).then_some(key)
}

fn no_private_key(path: &Path) -> Failure {
    Failure::Usage(format!(
        "{} holds no Ed25519 private key (PKCS#8, PEM, without a passphrase); \
         `creditbank institution key generate` makes one",
        path.display()
    ))
}
