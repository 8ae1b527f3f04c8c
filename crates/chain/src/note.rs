//! Signed notes: a text and signatures of it, and the keys that check them.
//!
//! Apart from checkpoints because a note says nothing about trees: cosignatures and key rotations are
//! notes, too. Source: C2SP signed-note v1.0.0 with Ed25519 (type 0x01) and the timestamped cosignature
//! of tlog-cosignature v1.0.1 (type 0x04).

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use sha2::{Digest as _, Sha256};

use crate::error::NoteError;

/// Longest note in bytes that is read.
pub const NOTE_BYTES_MAX: usize = 1 << 20;
/// Most signature lines that are looked at; others' logs carry dozens.
pub const NOTE_SIGNATURES_MAX: usize = 1_024;

const EM_DASH: &str = "\u{2014} ";
const SECRET: &str = "PRIVATE+KEY+";

/// How a key signs. The number is part of its id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyType {
    /// Ed25519 over the text.
    Ed25519 = 1,
    /// Ed25519 over a time and the text: a witness's.
    Cosignature = 4,
}

impl KeyType {
    fn number(self) -> u8 {
        match self {
            KeyType::Ed25519 => 1,
            KeyType::Cosignature => 4,
        }
    }
}

/// A key that checks signatures, under its name. Text form: `NAME+ID+BASE64`, a *vkey*.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifierKey {
    name: String,
    kind: KeyType,
    key: VerifyingKey,
}

impl VerifierKey {
    /// A key under a name.
    ///
    /// # Errors
    /// [`NoteError::Key`] when the name is empty or has a space or a plus sign.
    pub fn new(name: &str, kind: KeyType, key: VerifyingKey) -> Result<VerifierKey, NoteError> {
        if !is_name(name) {
            let problem = "the name is empty, or has a space, a control character or a plus sign";
            return Err(NoteError::Key { problem });
        }
        let name = name.to_owned();
        Ok(VerifierKey { name, kind, key })
    }

    /// Whose it is; of a log, its origin.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How it signs.
    #[must_use]
    pub fn kind(&self) -> KeyType {
        self.kind
    }

    /// The Ed25519 public key.
    #[must_use]
    pub fn key(&self) -> &VerifyingKey {
        &self.key
    }

    /// What a signature line says to tell keys of one name apart.
    #[must_use]
    pub fn id(&self) -> [u8; 4] {
        key_id(&self.name, self.kind, &self.key)
    }

    /// The signature of a text, checked.
    fn check(&self, text: &str, bytes: &[u8]) -> Result<Option<u64>, NoteError> {
        let forged = || NoteError::Forged {
            name: self.name.clone(),
        };
        let (time, signature) = match self.kind {
            KeyType::Ed25519 => (None, bytes),
            KeyType::Cosignature => {
                let (time, signature) = bytes.split_first_chunk().ok_or_else(forged)?;
                (Some(u64::from_be_bytes(*time)), signature)
            }
        };
        let signature = Signature::from_slice(signature).map_err(|_| forged())?;
        let signed = match time {
            None => text.to_owned(),
            Some(time) => cosigned(time, text),
        };
        let checked = self.key.verify_strict(signed.as_bytes(), &signature);
        checked.map(|()| time).map_err(|_| forged())
    }
}

fn key_id(name: &str, kind: KeyType, key: &VerifyingKey) -> [u8; 4] {
    let hasher = Sha256::new()
        .chain_update(name)
        .chain_update([b'\n', kind.number()])
        .chain_update(key.as_bytes());
    let hash: [u8; 32] = hasher.finalize().into();
    let [a, b, c, d, ..] = hash;
    [a, b, c, d]
}

/// The bytes that a witness signs.
fn cosigned(time: u64, text: &str) -> String {
    format!("cosignature/v1\ntime {time}\n{text}")
}

fn is_name(name: &str) -> bool {
    let bad = |c: char| c.is_whitespace() || c.is_control() || c == '+';
    !name.is_empty() && !name.contains(bad)
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let id = u32::from_be_bytes(self.id());
        let mut typed = vec![self.kind.number()];
        typed.extend_from_slice(self.key.as_bytes());
        write!(f, "{}+{id:08x}+{}", self.name, BASE64.encode(typed))
    }
}

impl FromStr for VerifierKey {
    type Err = NoteError;

    fn from_str(text: &str) -> Result<VerifierKey, NoteError> {
        let wrong = |problem| NoteError::Key { problem };
        // Base64 can have plus signs, too.
        let mut parts = text.splitn(3, '+');
        let (Some(name), Some(id), Some(typed)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(wrong("it has fewer than three parts"));
        };
        let typed = BASE64
            .decode(typed)
            .map_err(|_| wrong("the key is not base64"))?;
        let Some((kind, key)) = typed.split_first() else {
            return Err(wrong("the key is empty"));
        };
        let kind = match kind {
            1 => KeyType::Ed25519,
            4 => KeyType::Cosignature,
            _ => return Err(wrong("the key is of a type that is not known here")),
        };
        let key = <[u8; 32]>::try_from(key).map_err(|_| wrong("an Ed25519 key has 32 bytes"))?;
        let key = VerifyingKey::from_bytes(&key)
            .ok()
            .filter(|key| !key.is_weak())
            .ok_or_else(|| wrong("the key is no Ed25519 key"))?;
        let read = VerifierKey::new(name, kind, key)?;
        let expected = format!("{:08x}", u32::from_be_bytes(read.id()));
        if id != expected {
            return Err(wrong("the id is not that of name and key"));
        }
        Ok(read)
    }
}

/// A key that signs, under its name.
pub struct NoteSigner {
    verifier: VerifierKey,
    key: SigningKey,
}

/// Leaves the key out.
impl fmt::Debug for NoteSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NoteSigner({})", self.verifier)
    }
}

impl NoteSigner {
    /// Signs texts (type 0x01) under a name, from the 32 secret bytes of an Ed25519 key.
    ///
    /// # Errors
    /// [`NoteError::Key`] when the name is none.
    pub fn new(name: &str, secret: &[u8; 32]) -> Result<NoteSigner, NoteError> {
        let key = SigningKey::from_bytes(secret);
        let verifier = VerifierKey::new(name, KeyType::Ed25519, key.verifying_key())?;
        Ok(NoteSigner { verifier, key })
    }

    /// The secret in the text form of Go's `x/mod/sumdb/note`, `PRIVATE+KEY+NAME+ID+BASE64`, which others'
    /// tools read.
    #[must_use]
    pub fn to_secret_text(&self) -> String {
        let id = u32::from_be_bytes(self.verifier.id());
        let mut typed = vec![self.verifier.kind.number()];
        typed.extend_from_slice(self.key.as_bytes());
        let key = BASE64.encode(typed);
        format!("{SECRET}{}+{id:08x}+{key}", self.verifier.name)
    }

    /// Reads [`NoteSigner::to_secret_text`].
    ///
    /// # Errors
    /// [`NoteError::Key`], which never tells what it read.
    pub fn from_secret_text(text: &str) -> Result<NoteSigner, NoteError> {
        let wrong = |problem| NoteError::Key { problem };
        let rest = text.strip_prefix(SECRET);
        let rest = rest.ok_or_else(|| wrong("it does not begin with PRIVATE+KEY+"))?;
        let mut parts = rest.splitn(3, '+');
        let (Some(name), Some(id), Some(typed)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(wrong("it has fewer than three parts"));
        };
        let typed = BASE64
            .decode(typed)
            .map_err(|_| wrong("the key is not base64"))?;
        let Some((1, secret)) = typed.split_first() else {
            return Err(wrong("the key is not of the type that signs notes"));
        };
        let secret: [u8; 32] = secret
            .try_into()
            .map_err(|_| wrong("an Ed25519 secret has 32 bytes"))?;
        let signer = NoteSigner::new(name, &secret)?;
        let expected = format!("{:08x}", u32::from_be_bytes(signer.verifier.id()));
        if id != expected {
            return Err(wrong("the id is not that of name and key"));
        }
        Ok(signer)
    }

    /// The key that checks what this one signs.
    #[must_use]
    pub fn verifier(&self) -> &VerifierKey {
        &self.verifier
    }

    /// The note of that text, signed. The text ends with a line feed.
    #[must_use]
    pub fn sign(&self, text: &str) -> String {
        format!("{text}\n{}", self.line(text))
    }

    /// The signature line of a text, with its line feed.
    #[must_use]
    pub fn line(&self, text: &str) -> String {
        let signature = self.key.sign(text.as_bytes());
        let mut bytes = self.verifier.id().to_vec();
        bytes.extend_from_slice(&signature.to_bytes());
        format!("{EM_DASH}{} {}\n", self.verifier.name, BASE64.encode(bytes))
    }
}

/// A note whose form is right and whose signatures nobody has checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    text: String,
    signatures: Vec<Line>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Line {
    name: String,
    id: [u8; 4],
    bytes: Vec<u8>,
}

/// A signature that holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Signed {
    /// Of a cosignature, when it was made: seconds since 1970.
    pub time: Option<u64>,
}

impl Note {
    /// Reads a note.
    ///
    /// # Errors
    /// What is wrong with its form.
    pub fn read(bytes: &[u8]) -> Result<Note, NoteError> {
        if bytes.len() > NOTE_BYTES_MAX {
            let (found, max) = (bytes.len(), NOTE_BYTES_MAX);
            return Err(NoteError::Length { found, max });
        }
        let whole = std::str::from_utf8(bytes).map_err(|_| NoteError::Text)?;
        if whole.contains(|c: char| c < ' ' && c != '\n') {
            return Err(NoteError::Text);
        }
        // The text may have blank lines itself.
        let blank = whole.rfind("\n\n").ok_or(NoteError::Shape)?;
        let (text, lines) = whole.split_at(blank + 1);
        let lines = lines.strip_prefix('\n').ok_or(NoteError::Shape)?;
        let lines = lines.strip_suffix('\n').ok_or(NoteError::Shape)?;
        let found = lines.split('\n').count();
        if found > NOTE_SIGNATURES_MAX {
            let max = NOTE_SIGNATURES_MAX;
            return Err(NoteError::TooMany { found, max });
        }
        let lines = (1..).zip(lines.split('\n'));
        let line = |(line, text)| signature_line(text).ok_or(NoteError::SignatureLine { line });
        Ok(Note {
            text: text.to_owned(),
            signatures: lines.map(line).collect::<Result<_, _>>()?,
        })
    }

    /// What is signed, with its last line feed.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Checks the signature by a key. Signatures by keys that are not this one are not looked at, also
    /// when they have its name or its id.
    ///
    /// # Errors
    /// [`NoteError::Unsigned`] when there is none; [`NoteError::Forged`] when there is one that does not
    /// hold: then nothing of the note is to be believed.
    pub fn check(&self, key: &VerifierKey) -> Result<Signed, NoteError> {
        let id = key.id();
        let by_key = |line: &&Line| line.name == key.name && line.id == id;
        let mut signed = None;
        for line in self.signatures.iter().filter(by_key) {
            let time = key.check(&self.text, &line.bytes)?;
            signed = signed.or(Some(Signed { time }));
        }
        signed.ok_or_else(|| NoteError::Unsigned {
            name: key.name.clone(),
        })
    }
}

fn signature_line(line: &str) -> Option<Line> {
    let (name, encoded) = line.strip_prefix(EM_DASH)?.split_once(' ')?;
    let bytes = BASE64.decode(encoded).ok()?;
    let (id, signature) = bytes.split_first_chunk()?;
    if !is_name(name) || signature.is_empty() {
        return None;
    }
    Some(Line {
        name: name.to_owned(),
        id: *id,
        bytes: signature.to_vec(),
    })
}
