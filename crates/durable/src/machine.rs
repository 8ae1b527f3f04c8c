//! What the machine says of a directory and of a lock, without changing either: space, the kind of file
//! system, who holds a lock.
//!
//! Apart from the file systems because none of it is part of the durability contract, and a simulation has
//! no use for it.

use std::fs::{self, TryLockError};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Room on the file system that holds a path, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Space {
    /// What an ordinary process may still write.
    pub available: u64,
    /// Its size.
    pub total: u64,
    /// What kind it is.
    pub file_system: FileSystem,
}

/// Kinds of file systems that differ in what a sync is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileSystem {
    /// On a disk of this machine, as far as can be seen.
    Local(&'static str),
    /// In memory: everything is gone with a restart.
    Memory,
    /// On another machine, or handed through by a program: whether a sync reaches a disk is up to that.
    Remote(&'static str),
    /// A layer of a container, which is removed with it.
    Layer,
    /// One that is not known here, by its magic number.
    Other(u64),
}

/// The space on the file system that holds `path`.
///
/// # Errors
/// Whatever the system returns.
pub fn space(path: &Path) -> io::Result<Space> {
    let found = rustix::fs::statfs(path)?;
    // Types and signs of these fields differ between machines; none of them is ever negative.
    let wide = |n: i128| u64::try_from(n).unwrap_or(u64::MAX);
    let block = i128::from(found.f_bsize);
    Ok(Space {
        available: wide(i128::from(found.f_bavail).saturating_mul(block)),
        total: wide(i128::from(found.f_blocks).saturating_mul(block)),
        file_system: FileSystem::of(wide(i128::from(found.f_type))),
    })
}

impl FileSystem {
    /// By the magic number of `statfs(2)`.
    fn of(magic: u64) -> Self {
        match magic & 0xffff_ffff {
            0xef53 => Self::Local("ext4"),
            0x5846_5342 => Self::Local("xfs"),
            0x9123_683e => Self::Local("btrfs"),
            0x2fc1_2fc1 => Self::Local("zfs"),
            0xf2f5_2010 => Self::Local("f2fs"),
            0x0102_1994 | 0x8584_58f6 => Self::Memory,
            0x6969 => Self::Remote("nfs"),
            0xff53_4d42 | 0xfe53_4d42 | 0x517b => Self::Remote("smb"),
            0x6573_5546 => Self::Remote("fuse"),
            0x0102_1997 => Self::Remote("9p"),
            0x00c3_6400 => Self::Remote("ceph"),
            0x794c_7630 => Self::Layer,
            other => Self::Other(other),
        }
    }
}

/// Whether somebody holds the lock on a file, and who as far as the system tells: the number of the process.
/// Never creates the file; `None` when nobody holds it, also when there is no such file.
///
/// # Errors
/// Whatever opening or locking returns otherwise.
pub fn lock_holder(path: &Path) -> io::Result<Option<Option<u32>>> {
    let file = match fs::File::open(path) {
        Ok(file) => file,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(e),
    };
    // Shared, and given back at once, so that it is in nobody's way for longer than this takes.
    match file.try_lock_shared() {
        Ok(()) => Ok(None),
        Err(TryLockError::WouldBlock) => {
            let inode = file.metadata()?.ino();
            let locks = fs::read_to_string("/proc/locks").unwrap_or_default();
            Ok(Some(holder_in(&locks, inode)))
        }
        Err(TryLockError::Error(e)) => Err(e),
    }
}

/// The process in the lines of `/proc/locks`, such as
/// `1: FLOCK  ADVISORY  WRITE 1234 fe:01:5678 0 EOF`.
fn holder_in(locks: &str, inode: u64) -> Option<u32> {
    locks.lines().find_map(|line| {
        let mut words = line.split_whitespace().skip(1);
        if words.next()? != "FLOCK" {
            return None;
        }
        let mut words = words.skip_while(|word| word.parse::<i64>().is_err());
        let process = words.next()?.parse().ok()?;
        let place = words.next()?.rsplit(':').next()?;
        (place.parse() == Ok(inode)).then_some(process)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Fs, OsFs};

    #[test]
    fn the_holder_of_a_lock_is_this_process() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("LOCK");
        assert_eq!(lock_holder(&path).unwrap(), None);
        assert!(!path.exists(), "asking makes no file");
        let lock = OsFs.lock(&path).unwrap();
        let holder = lock_holder(&path).unwrap();
        // Where /proc is hidden, only that it is held.
        assert!(matches!(holder, Some(None)) || holder == Some(Some(std::process::id())));
        drop(lock);
        assert_eq!(lock_holder(&path).unwrap(), None);
    }

    #[test]
    fn a_holder_is_found_among_other_locks() {
        let locks = "1: POSIX  ADVISORY  READ 12 fe:01:77 128 128\n\
                     2: -> FLOCK  ADVISORY  WRITE 13 fe:01:77 0 EOF\n\
                     3: FLOCK  ADVISORY  WRITE 14 fe:01:177 0 EOF\n\
                     4: FLOCK  ADVISORY  WRITE 15 fe:01:77 0 EOF\n";
        assert_eq!(holder_in(locks, 77), Some(15));
        assert_eq!(holder_in(locks, 78), None);
    }

    #[test]
    fn a_directory_has_space_on_some_file_system() {
        let dir = tempfile::tempdir().unwrap();
        let space = space(dir.path()).unwrap();
        assert!(space.available <= space.total && space.total > 0);
        assert_eq!(FileSystem::of(0xef53), FileSystem::Local("ext4"));
        assert!(super::space(&dir.path().join("nothing")).is_err());
    }
}
