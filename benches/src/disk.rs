//! What a ledger takes on disk, by part, and how long the machine takes to read it.
//!
//! Apart from the benchmarks because several compare with the same reading: whatever opens or checks a
//! ledger cannot be faster than that.

use std::io::Read as _;
use std::path::{Path, PathBuf};

/// Bytes by part.
#[derive(Debug, Clone, Copy, Default)]
pub struct Disk {
    /// Segments and their offsets, without the spare one.
    pub log: u64,
    /// The key index.
    pub index: u64,
    /// The read models.
    pub views: u64,
    /// The spare segment, which is zeros, and small files.
    pub other: u64,
}

impl Disk {
    /// Everything.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.log + self.index + self.views + self.other
    }
}

/// Adds up a ledger's directory.
///
/// # Panics
/// When it cannot be read.
#[must_use]
pub fn of(dir: &Path) -> Disk {
    let mut disk = Disk::default();
    for (path, bytes) in files(dir) {
        let inside = path.strip_prefix(dir).unwrap();
        let part = inside.components().next().unwrap();
        let is_spare = path.file_name().is_some_and(|name| name == "spare");
        match part.as_os_str().to_string_lossy().as_ref() {
            "log" if !is_spare => disk.log += bytes,
            "keys" => disk.index += bytes,
            "views" => disk.views += bytes,
            _ => disk.other += bytes,
        }
    }
    disk
}

/// Reads the segments from one end to the other; how many bytes that are.
///
/// # Panics
/// When one cannot be read.
#[must_use]
pub fn read_log(dir: &Path) -> u64 {
    let mut buf = vec![0; 1 << 20];
    let mut bytes = 0;
    for (path, _) in files(&dir.join("log")) {
        if path.extension().is_none_or(|extension| extension != "seg") {
            continue;
        }
        let mut file = std::fs::File::open(path).unwrap();
        loop {
            match file.read(&mut buf).unwrap() {
                0 => break,
                n => bytes += n as u64,
            }
        }
    }
    bytes
}

fn files(dir: &Path) -> Vec<(PathBuf, u64)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let entry = entry.unwrap();
        let about = entry.metadata().unwrap();
        if about.is_dir() {
            found.extend(files(&entry.path()));
        } else {
            found.push((entry.path(), about.len()));
        }
    }
    found.sort();
    found
}
