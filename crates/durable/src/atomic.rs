//! Small compositions of [`Fs`] calls whose order matters: whole files, durable directories.
//!
//! They stand apart from the two file systems because both, and every crash test, run the same steps.

use std::io;
use std::path::Path;

use crate::{File, Fs, Mode};

/// Writes a small file so that a crash leaves the old content or the new, never a mix.
///
/// Order:
/// 1. remove a left-over temporary file (a crash leaves the old file);
/// 2. create `NAME.tmp`, write and sync it (a crash leaves the old file and perhaps a temporary);
/// 3. rename it over `NAME` (a crash leaves the old file or the new one);
/// 4. sync the directory. Durability: only now the new content survives a power loss.
///
/// # Errors
/// Any step that fails. Afterwards the file holds the old or the new content.
pub fn write_atomic<F: Fs>(fs: &F, dir: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    write_as(fs, dir, name, bytes, Mode::Create)
}

/// [`write_atomic`] of a secret: only its owner may read the file, from its first moment on.
///
/// # Errors
/// As there.
pub fn write_atomic_private<F: Fs>(fs: &F, dir: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    write_as(fs, dir, name, bytes, Mode::CreatePrivate)
}

fn write_as<F: Fs>(fs: &F, dir: &Path, name: &str, bytes: &[u8], mode: Mode) -> io::Result<()> {
    let temporary = dir.join(format!("{name}.tmp"));
    match fs.remove(&temporary) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
        _ => {}
    }
    let file = fs.open(&temporary, mode)?;
    file.write_all_at(bytes, 0)?;
    file.sync_data()?;
    fs.rename(&temporary, &dir.join(name))?;
    fs.sync_dir(dir)
}

/// Creates a directory with its missing parents, and makes their names durable, also when they were
/// there: an earlier attempt may have been stopped between the two.
///
/// # Errors
/// Any step that fails; some of the directories may exist afterwards.
pub fn make_dir<F: Fs>(fs: &F, dir: &Path) -> io::Result<()> {
    fs.create_dir_all(dir)?;
    // Order: outermost first, so that a crash never leaves a durable name in a directory without one.
    let mut parents: Vec<&Path> = dir.ancestors().skip(1).collect();
    parents.reverse();
    for parent in parents {
        match fs.sync_dir(parent) {
            // A directory that we may not even read was made by somebody else, who keeps it.
            Err(e) if e.kind() == io::ErrorKind::PermissionDenied => {}
            other => other?,
        }
    }
    Ok(())
}

/// Reads the whole of a file.
///
/// # Errors
/// `NotFound` when there is none; whatever opening or reading returns.
pub fn read_file<F: Fs>(fs: &F, path: &Path) -> io::Result<Vec<u8>> {
    let file = fs.open(path, Mode::Read)?;
    let len = usize::try_from(file.len()?).map_err(io::Error::other)?;
    let mut bytes = vec![0; len];
    read_exact_at(&file, &mut bytes, 0)?;
    Ok(bytes)
}

/// Fills `buf` from `offset` on.
///
/// # Errors
/// `UnexpectedEof` when the file ends before; whatever reading returns.
pub fn read_exact_at<F: File>(file: &F, mut buf: &mut [u8], mut offset: u64) -> io::Result<()> {
    while !buf.is_empty() {
        let n = file.read_at(buf, offset)?;
        if n == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        buf = &mut buf[n..];
        offset += u64::try_from(n).map_err(io::Error::other)?;
    }
    Ok(())
}
