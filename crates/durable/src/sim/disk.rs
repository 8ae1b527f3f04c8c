//! The simulated disk: a page cache, what is durable beneath it, and what is pending between them.
//!
//! Apart from the faults so that "what would survive" is one pure function of plain data.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};

/// The unit that a power loss never tears.
pub const SECTOR_BYTES: usize = 512;

/// What survives of the operations that were not synced when the machine stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Survivors {
    /// Nothing: names and bytes are as last synced.
    None,
    /// Everything.
    All,
    /// The first half of them, in order; the next one is torn in its middle.
    Half,
    /// All names and lengths; the new bytes are zero where a file grew, and lost where it did not.
    Zeroed,
    /// All names and lengths, and of the written sectors every second one counted back from the
    /// last: later bytes on disk, earlier ones not.
    Holes,
}

impl Survivors {
    /// Every kind, for sweeps.
    pub const EVERY: [Self; 5] = [Self::None, Self::All, Self::Half, Self::Zeroed, Self::Holes];
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Node {
    Dir,
    File(u64),
}

type Names = BTreeMap<PathBuf, Node>;

/// A change that is in the cache and not yet durable.
#[derive(Debug, Clone)]
enum Pending {
    /// Whole sectors (less at the end of the file) as the cache held them after a write.
    Bytes {
        file: u64,
        start: usize,
        bytes: Vec<u8>,
    },
    /// A name that went, a name that came, or both at once.
    Name {
        gone: Option<PathBuf>,
        here: Option<(PathBuf, Node)>,
    },
}

#[derive(Debug, Clone, Default)]
struct Content {
    cached: Vec<u8>,
    durable: Vec<u8>,
}

#[derive(Debug, Clone)]
pub(super) struct Disk {
    names: Names,
    durable_names: Names,
    files: BTreeMap<u64, Content>,
    pending: Vec<Pending>,
    pub(super) space: Option<u64>,
}

impl Default for Disk {
    fn default() -> Self {
        let roots: Names = [(PathBuf::from("/"), Node::Dir), (PathBuf::new(), Node::Dir)]
            .into_iter()
            .collect();
        Self {
            names: roots.clone(),
            durable_names: roots,
            files: BTreeMap::new(),
            pending: Vec::new(),
            space: None,
        }
    }
}

impl Disk {
    pub(super) fn after_crash(&self, survivors: Survivors) -> Self {
        let mut after = self.clone();
        let pending = std::mem::take(&mut after.pending);
        match survivors {
            Survivors::None => {}
            Survivors::All => pending.iter().for_each(|p| after.persist(p)),
            Survivors::Half => after.persist_half(&pending),
            Survivors::Zeroed => after.persist_lengths(&pending),
            Survivors::Holes => after.persist_holes(&pending),
        }
        after.restart();
        after
    }

    fn persist_half(&mut self, pending: &[Pending]) {
        let whole = pending.len() / 2;
        pending.iter().take(whole).for_each(|p| self.persist(p));
        if let Some(Pending::Bytes { file, start, bytes }) = pending.get(whole) {
            let n_sectors = bytes.len().div_ceil(SECTOR_BYTES);
            let kept = (n_sectors / 2 * SECTOR_BYTES).min(bytes.len());
            self.persist_bytes(*file, *start, &bytes[..kept]);
        }
    }

    fn persist_lengths(&mut self, pending: &[Pending]) {
        for p in pending {
            match p {
                Pending::Bytes { file, start, bytes } => {
                    self.grow_durable(*file, start + bytes.len());
                }
                Pending::Name { .. } => self.persist(p),
            }
        }
    }

    fn persist_holes(&mut self, pending: &[Pending]) {
        self.persist_lengths(pending);
        let n_sectors: usize = pending
            .iter()
            .map(|p| match p {
                Pending::Bytes { bytes, .. } => bytes.len().div_ceil(SECTOR_BYTES),
                Pending::Name { .. } => 0,
            })
            .sum();
        let mut sector_idx = 0;
        for p in pending {
            let Pending::Bytes { file, start, bytes } = p else {
                continue;
            };
            let mut at = *start;
            for sector in bytes.chunks(SECTOR_BYTES) {
                sector_idx += 1;
                if (n_sectors - sector_idx).is_multiple_of(2) {
                    self.persist_bytes(*file, at, sector);
                }
                at += sector.len();
            }
        }
    }

    fn persist(&mut self, pending: &Pending) {
        match pending {
            Pending::Bytes { file, start, bytes } => self.persist_bytes(*file, *start, bytes),
            Pending::Name { gone, here } => {
                if let Some(path) = gone {
                    self.durable_names.remove(path);
                }
                if let Some((path, node)) = here {
                    self.durable_names.insert(path.clone(), *node);
                }
            }
        }
    }

    fn persist_bytes(&mut self, file: u64, start: usize, bytes: &[u8]) {
        self.grow_durable(file, start + bytes.len());
        if let Some(content) = self.files.get_mut(&file) {
            content.durable[start..start + bytes.len()].copy_from_slice(bytes);
        }
    }

    fn grow_durable(&mut self, file: u64, len: usize) {
        if let Some(content) = self.files.get_mut(&file) {
            let len = len.max(content.durable.len());
            content.durable.resize(len, 0);
        }
    }

    /// The cache is empty after a restart; names in a directory that was lost are lost with it.
    fn restart(&mut self) {
        let all = self.durable_names.clone();
        let reachable = |path: &Path| {
            path.ancestors()
                .skip(1)
                .all(|dir| matches!(all.get(dir), Some(Node::Dir)))
        };
        self.durable_names.retain(|path, _| reachable(path));
        self.names = self.durable_names.clone();
        for content in self.files.values_mut() {
            content.cached = content.durable.clone();
        }
    }

    pub(super) fn flip(&mut self, path: &Path, offset: u64, mask: u8) -> io::Result<()> {
        let file = self.file(path)?;
        let at = usize::try_from(offset).map_err(io::Error::other)?;
        let content = self.content(file)?;
        *content
            .cached
            .get_mut(at)
            .ok_or(io::ErrorKind::UnexpectedEof)? ^= mask;
        // What was never synced may not be there.
        if let Some(byte) = content.durable.get_mut(at) {
            *byte ^= mask;
        }
        Ok(())
    }

    pub(super) fn create_dir_all(&mut self, dir: &Path) -> io::Result<()> {
        let ancestors: Vec<&Path> = dir.ancestors().collect();
        for path in ancestors.into_iter().rev() {
            match self.names.get(path) {
                Some(Node::Dir) => {}
                Some(Node::File(_)) => return Err(io::ErrorKind::AlreadyExists.into()),
                None => self.change(None, Some((path.to_path_buf(), Node::Dir))),
            }
        }
        Ok(())
    }

    pub(super) fn create(&mut self, path: &Path) -> io::Result<u64> {
        self.require_parent(path)?;
        if self.names.contains_key(path) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let file = self.files.keys().next_back().map_or(0, |last| last + 1);
        self.files.insert(file, Content::default());
        self.change(None, Some((path.to_path_buf(), Node::File(file))));
        Ok(file)
    }

    pub(super) fn file(&self, path: &Path) -> io::Result<u64> {
        match self.names.get(path) {
            Some(Node::File(file)) => Ok(*file),
            Some(Node::Dir) => Err(io::ErrorKind::IsADirectory.into()),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }

    pub(super) fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        let file = self.file(from)?;
        self.require_parent(to)?;
        if matches!(self.names.get(to), Some(Node::Dir)) {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        if from != to {
            let here = (to.to_path_buf(), Node::File(file));
            self.change(Some(from.to_path_buf()), Some(here));
        }
        Ok(())
    }

    pub(super) fn remove(&mut self, path: &Path) -> io::Result<()> {
        self.file(path)?;
        self.change(Some(path.to_path_buf()), None);
        Ok(())
    }

    pub(super) fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        match self.names.get(dir) {
            Some(Node::Dir) => {}
            Some(Node::File(_)) => return Err(io::ErrorKind::NotADirectory.into()),
            None => return Err(io::ErrorKind::NotFound.into()),
        }
        let in_dir = |path: &&PathBuf| path.parent() == Some(dir);
        let names: BTreeSet<String> = self
            .names
            .keys()
            .filter(in_dir)
            .filter_map(|path| path.file_name())
            .map(|name| name.to_string_lossy().into_owned())
            .collect();
        Ok(names.into_iter().collect())
    }

    pub(super) fn sync_dir(&mut self, dir: &Path) -> io::Result<()> {
        if !matches!(self.names.get(dir), Some(Node::Dir)) {
            return Err(io::ErrorKind::NotFound.into());
        }
        // A rename between directories becomes durable with either; what it builds on, in whichever
        // directory, was there before it and becomes durable too.
        let mut touched: BTreeSet<PathBuf> = BTreeSet::new();
        let mut left = Vec::new();
        let mut done = Vec::new();
        for p in std::mem::take(&mut self.pending).into_iter().rev() {
            let paths: Vec<PathBuf> = match &p {
                Pending::Bytes { .. } => Vec::new(),
                Pending::Name { gone, here } => gone
                    .iter()
                    .chain(here.iter().map(|(path, _)| path))
                    .cloned()
                    .collect(),
            };
            if paths
                .iter()
                .any(|path| path.parent() == Some(dir) || touched.contains(path))
            {
                touched.extend(paths);
                done.push(p);
            } else {
                left.push(p);
            }
        }
        left.reverse();
        self.pending = left;
        done.iter().rev().for_each(|p| self.persist(p));
        Ok(())
    }

    pub(super) fn read_at(&self, file: u64, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        let content = self.files.get(&file).ok_or(io::ErrorKind::NotFound)?;
        let Ok(start) = usize::try_from(offset) else {
            return Ok(0);
        };
        let rest = content.cached.get(start..).unwrap_or_default();
        let n = rest.len().min(buf.len());
        buf[..n].copy_from_slice(&rest[..n]);
        Ok(n)
    }

    pub(super) fn write_at(&mut self, file: u64, buf: &[u8], offset: u64) -> io::Result<()> {
        let start = usize::try_from(offset).map_err(io::Error::other)?;
        let space = self.space;
        let content = self.content(file)?;
        let old_len = content.cached.len();
        let wanted = (start + buf.len()).saturating_sub(old_len);
        let growth = match space {
            Some(space) => wanted.min(usize::try_from(space).unwrap_or(usize::MAX)),
            None => wanted,
        };
        let end = if wanted > 0 {
            (old_len + growth).max(start)
        } else {
            start + buf.len()
        };
        let full = growth < wanted;
        let fitted = &buf[..(end - start).min(buf.len())];
        if !fitted.is_empty() {
            let end = start + fitted.len();
            if end > old_len {
                content.cached.resize(end, 0);
            }
            content.cached[start..end].copy_from_slice(fitted);
            // What reaches the disk is sectors of the cache, with whatever else they hold.
            let first = start.min(old_len) / SECTOR_BYTES * SECTOR_BYTES;
            let last = end.next_multiple_of(SECTOR_BYTES).min(content.cached.len());
            let bytes = content.cached[first..last].to_vec();
            self.pending.push(Pending::Bytes {
                file,
                start: first,
                bytes,
            });
        }
        if let Some(space) = &mut self.space {
            *space = space.saturating_sub(u64::try_from(growth).map_err(io::Error::other)?);
        }
        if full {
            Err(io::ErrorKind::StorageFull.into())
        } else {
            Ok(())
        }
    }

    pub(super) fn sync(&mut self, file: u64) -> io::Result<()> {
        let of_file = |p: &Pending| matches!(p, Pending::Bytes { file: of, .. } if *of == file);
        let (done, left): (Vec<_>, _) = std::mem::take(&mut self.pending)
            .into_iter()
            .partition(of_file);
        self.pending = left;
        done.iter().for_each(|p| self.persist(p));
        Ok(())
    }

    /// The pages count as clean although they never reached the disk.
    pub(super) fn lose(&mut self, file: u64) {
        self.pending
            .retain(|p| !matches!(p, Pending::Bytes { file: of, .. } if *of == file));
    }

    pub(super) fn len(&self, file: u64) -> io::Result<u64> {
        let content = self.files.get(&file).ok_or(io::ErrorKind::NotFound)?;
        u64::try_from(content.cached.len()).map_err(io::Error::other)
    }

    fn change(&mut self, gone: Option<PathBuf>, here: Option<(PathBuf, Node)>) {
        if let Some(path) = &gone {
            self.names.remove(path);
        }
        if let Some((path, node)) = &here {
            self.names.insert(path.clone(), *node);
        }
        self.pending.push(Pending::Name { gone, here });
    }

    fn require_parent(&self, path: &Path) -> io::Result<()> {
        match path.parent().and_then(|dir| self.names.get(dir)) {
            Some(Node::Dir) => Ok(()),
            Some(Node::File(_)) => Err(io::ErrorKind::NotADirectory.into()),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }

    fn content(&mut self, file: u64) -> io::Result<&mut Content> {
        self.files
            .get_mut(&file)
            .ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}
