//! Names in the data directory (`ledger-data/README.md` section 2).
//!
//! Apart from the code that opens the files so that the layout is read in one place.

use std::path::{Path, PathBuf};

/// Held by the one process that writes.
pub(crate) const LOCK: &str = "LOCK";
/// The next segment in the making, in [`log_dir`].
pub(crate) const SPARE: &str = "spare";
/// How far erasures have been carried out.
pub(crate) const ERASED_THROUGH: &str = "erased-through";

/// The erasure that is being carried out.
pub(crate) const ERASING: &str = "erasing";

pub(crate) fn log_dir(dir: &Path) -> PathBuf {
    dir.join("log")
}

pub(crate) fn keys_dir(dir: &Path) -> PathBuf {
    dir.join("keys")
}

pub(crate) fn segment_path(dir: &Path, number: u64) -> PathBuf {
    log_dir(dir).join(format!("{number:08}.seg"))
}

/// The disposable offsets of a sealed segment, beside it.
pub(crate) fn offsets_path(dir: &Path, number: u64) -> PathBuf {
    log_dir(dir).join(format!("{number:08}.idx"))
}

/// The number in a segment's name; `None` for any other name.
pub(crate) fn segment_number(name: &str) -> Option<u64> {
    let number = name.strip_suffix(".seg")?.parse().ok()?;
    // One spelling: "+0000001.seg" and "1.seg" are not ours.
    (format!("{number:08}.seg") == name).then_some(number)
}
