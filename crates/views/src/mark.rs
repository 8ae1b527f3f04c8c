//! The mark: the small file that says whose views these are, how far they reach, and how they were left.
//!
//! Outside sled, because it must be read before sled is trusted with the files, and because it is
//! replaced atomically and durably, which sled does not promise. Layout: magic `CBVW`, u32 version,
//! the rest as postcard, and the first 16 bytes of the BLAKE3 of all that.

use std::io;
use std::path::Path;

use chain::{Hash, Head};
use durable::{File, Fs, Mode, OsFs, read_file, write_atomic};
use serde::{Deserialize, Serialize};

use crate::fault::{ViewsFault, Why};

/// Version of everything in the directory. Raised with any change to a tree's keys or values.
pub const VERSION: u32 = 2;

const NAME: &str = "mark";
const MAGIC: [u8; 4] = *b"CBVW";
const PREFIX_LEN: usize = 8;
const CHECKSUM_LEN: usize = 16;

/// What the mark says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Mark {
    /// Whose views.
    pub(crate) ledger_id: [u8; 16],
    /// The boot of the machine under which it was written; empty when unknown.
    pub(crate) boot: String,
    /// How they were left.
    pub(crate) phase: Phase,
}

/// How views were left.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Phase {
    /// While sled was opening its files. If that stopped the process it would do so again.
    Opening,
    /// Closed after someone came across damage.
    Damaged,
    /// While open; they reach at least this far.
    Open(Reach),
    /// Closed: all is durable, and the files have this digest.
    Closed(Reach, [u8; 32]),
}

/// How far views reach: a head of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Reach {
    /// Number of records reflected.
    pub(crate) size: u64,
    /// Chain hash of the last of them.
    pub(crate) hash: [u8; 32],
}

impl Reach {
    /// Of the empty log.
    pub(crate) const NOTHING: Reach = Reach {
        size: 0,
        hash: [0; 32],
    };

    /// As a head.
    pub(crate) fn head(self) -> Head {
        Head {
            size: self.size,
            hash: Hash(self.hash),
        }
    }
}

impl Mark {
    /// Replaces the mark durably.
    pub(crate) fn write(&self, dir: &Path) -> Result<(), ViewsFault> {
        let step = "write the mark of the views";
        let mut bytes = MAGIC.to_vec();
        bytes.extend_from_slice(&VERSION.to_be_bytes());
        let mut bytes =
            postcard::to_extend(self, bytes).map_err(|source| ViewsFault::Database {
                step,
                source: source.into(),
            })?;
        let checksum = blake3::hash(&bytes);
        bytes.extend_from_slice(&checksum.as_bytes()[..CHECKSUM_LEN]);
        write_atomic(&OsFs, dir, NAME, &bytes).map_err(ViewsFault::io(step))
    }

    /// Reads the mark; `Err` inside says why there is none to go by.
    pub(crate) fn read(dir: &Path) -> Result<Result<Mark, Why>, ViewsFault> {
        match read_file(&OsFs, &dir.join(NAME)) {
            Ok(bytes) => Ok(Mark::decode(&bytes)),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(Err(Why::Missing)),
            Err(e) => Err(ViewsFault::io("read the mark of the views")(e)),
        }
    }

    fn decode(bytes: &[u8]) -> Result<Mark, Why> {
        let damaged = || Why::Damaged {
            what: "the mark does not check".to_owned(),
        };
        let content_len = bytes.len().checked_sub(CHECKSUM_LEN).ok_or_else(damaged)?;
        let (content, checksum) = bytes.split_at(content_len);
        if blake3::hash(content).as_bytes()[..CHECKSUM_LEN] != *checksum {
            return Err(damaged());
        }
        let (prefix, rest) = content.split_at_checked(PREFIX_LEN).ok_or_else(damaged)?;
        let version = prefix.strip_prefix(&MAGIC).and_then(|v| v.try_into().ok());
        match version.map(u32::from_be_bytes).ok_or_else(damaged)? {
            VERSION => postcard::from_bytes(rest).map_err(|_| damaged()),
            found => Err(Why::OtherVersion { found }),
        }
    }
}

/// Names the current boot of the machine; empty where the system has no such name.
pub(crate) fn boot_id() -> String {
    let mut buffer = [0; 64];
    let read = OsFs
        .open(Path::new("/proc/sys/kernel/random/boot_id"), Mode::Read)
        .and_then(|file| file.read_at(&mut buffer, 0));
    let text = buffer.get(..read.unwrap_or(0)).unwrap_or_default();
    String::from_utf8_lossy(text).trim().to_owned()
}
