//! sled's files from outside: made durable, digested, removed, waited for.
//!
//! Apart from `open`, which says in which order these steps are taken and why. sled writes the files;
//! what it does not promise about them is done here.

use std::io;
use std::path::Path;
use std::thread;
use std::time::Duration;

use durable::{File, Fs, Mode, OsFs};

use crate::fault::ViewsFault;

/// How much of a file is read at once for its digest.
const READ_BYTES: usize = 1 << 20;

/// How often a file that sled still holds is tried again, a millisecond apart.
const RELEASE_TRIES: u32 = 10_000;

/// Durability: when this returns `Ok`, every file below `dir` and its name survive a power loss.
pub(crate) fn sync_all(dir: &Path) -> Result<(), ViewsFault> {
    let sync = |path: &Path| OsFs.open(path, Mode::Read)?.sync_data();
    let walked = walk(dir, &mut |path, is_dir| {
        if is_dir {
            OsFs.sync_dir(path)
        } else {
            sync(path)
        }
    });
    walked.map_err(ViewsFault::io("sync the files of the views"))
}

/// A digest over names and contents of all files below `dir`.
pub(crate) fn digest_all(dir: &Path) -> Result<[u8; 32], ViewsFault> {
    let mut hasher = blake3::Hasher::new();
    let mut buffer = vec![0; READ_BYTES];
    let walked = walk(dir, &mut |path, is_dir| {
        if is_dir {
            Ok(())
        } else {
            digest_file(dir, path, &mut hasher, &mut buffer)
        }
    });
    walked.map_err(ViewsFault::io("read the files of the views"))?;
    Ok(*hasher.finalize().as_bytes())
}

fn digest_file(
    dir: &Path,
    path: &Path,
    hasher: &mut blake3::Hasher,
    buffer: &mut [u8],
) -> io::Result<()> {
    let name = path
        .strip_prefix(dir)
        .unwrap_or(path)
        .to_string_lossy()
        .into_owned();
    let file = OsFs.open(path, Mode::Read)?;
    let name_len = u64::try_from(name.len()).map_err(io::Error::other)?;
    for number in [name_len, file.len()?] {
        hasher.update(&number.to_be_bytes());
    }
    hasher.update(name.as_bytes());
    let mut offset = 0;
    loop {
        let n = file.read_at(buffer, offset)?;
        if n == 0 {
            return Ok(());
        }
        hasher.update(buffer.get(..n).unwrap_or_default());
        offset += u64::try_from(n).map_err(io::Error::other)?;
    }
}

/// Removes every file below `dir`; empty directories stay.
pub(crate) fn remove_all(dir: &Path) -> Result<(), ViewsFault> {
    let walked = walk(dir, &mut |path, is_dir| {
        if is_dir { Ok(()) } else { OsFs.remove(path) }
    });
    match walked {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other.map_err(ViewsFault::io("remove the files of the views")),
    }
}

/// Waits until sled, whose threads end after the last handle is dropped, has let go of its file, if
/// there is one.
pub(crate) fn wait_released(database: &Path) -> Result<(), ViewsFault> {
    let step = "wait for sled to let go of its files";
    // A lock would create it.
    if OsFs.open(database, Mode::Read).is_err() {
        return Ok(());
    }
    for _ in 0..RELEASE_TRIES {
        match OsFs.lock(database) {
            Ok(_) => return Ok(()),
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => {
                thread::sleep(Duration::from_millis(1));
            }
            Err(e) => return Err(ViewsFault::io(step)(e)),
        }
    }
    Err(ViewsFault::io(step)(io::ErrorKind::TimedOut.into()))
}

/// Calls `visit(path, is_dir)` for everything below `dir` in order of name, and last for `dir`.
fn walk(dir: &Path, visit: &mut impl FnMut(&Path, bool) -> io::Result<()>) -> io::Result<()> {
    for name in OsFs.list(dir)? {
        let path = dir.join(name);
        match walk(&path, visit) {
            Err(e) if e.kind() == io::ErrorKind::NotADirectory => visit(&path, false)?,
            other => other?,
        }
    }
    visit(dir, true)
}
