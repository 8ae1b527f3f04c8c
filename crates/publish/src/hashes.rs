//! The hashes of the tree, in one append-only file per level of tiles: tile `n` of a level is a slice of
//! its file.
//!
//! Apart from publishing because these files say nothing that the log does not: they are made from its
//! leaves and can be made again. Only the hashes of every eighth level are kept; those between are computed
//! from at most 128 of them.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use chain::{Frontier, Node, Span, TILE_HEIGHT, TreeHash};
use durable::{File, Fs, Mode};

/// Bytes of a hash.
const LEN: usize = TreeHash::LEN;
/// Hashes gathered before they are written.
const BUFFERED: usize = 8_192;

/// The files, open.
pub struct HashFiles<F: Fs> {
    fs: F,
    dir: PathBuf,
    /// Of each level of tiles, when there is one.
    files: Mutex<Vec<Arc<F::File>>>,
}

impl<F: Fs> HashFiles<F> {
    /// Opens the files that are there.
    ///
    /// # Errors
    /// The file system's.
    pub fn open(fs: F, dir: &Path) -> io::Result<Self> {
        durable::make_dir(&fs, dir)?;
        let mut files = Vec::new();
        for level in 0.. {
            match fs.open(&path(dir, level), Mode::Write) {
                Ok(file) => files.push(Arc::new(file)),
                Err(e) if e.kind() == io::ErrorKind::NotFound => break,
                Err(e) => return Err(e),
            }
        }
        Ok(HashFiles {
            fs,
            dir: dir.to_owned(),
            files: Mutex::new(files),
        })
    }

    /// How many leaves there are hashes of, whether durable or not.
    ///
    /// # Errors
    /// The file system's.
    pub fn leaves(&self) -> io::Result<u64> {
        match self.file(0) {
            Some(file) => Ok(file.len()? / len_of(1)),
            None => Ok(0),
        }
    }

    /// Hashes of a level of tiles, as they stand in the file.
    ///
    /// # Errors
    /// The file system's; `UnexpectedEof` when there are fewer.
    pub fn read(&self, level: u32, first: u64, count: u64) -> io::Result<Vec<u8>> {
        let file = self.file(level).ok_or(io::ErrorKind::UnexpectedEof)?;
        let mut bytes = vec![0; usize::try_from(len_of(count)).map_err(io::Error::other)?];
        durable::read_exact_at(&*file, &mut bytes, len_of(first))?;
        Ok(bytes)
    }

    /// The hash of a complete subtree.
    ///
    /// # Errors
    /// As of [`HashFiles::read`].
    pub fn node(&self, node: Node) -> io::Result<TreeHash> {
        let above = node.level % TILE_HEIGHT;
        let bytes = self.read(node.level / TILE_HEIGHT, node.index << above, 1 << above)?;
        let (chunks, _) = bytes.as_chunks::<LEN>();
        let mut hashes: Vec<TreeHash> = chunks.iter().copied().map(TreeHash).collect();
        for _ in 0..above {
            let pairs = hashes.chunks_exact(2);
            hashes = pairs
                .filter_map(|pair| Some(TreeHash::of_node(pair.first()?, pair.last()?)))
                .collect();
        }
        let root = hashes.first().copied();
        root.ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
    }

    /// The hash of a stretch of leaves, as a part of a proof.
    ///
    /// # Errors
    /// As of [`HashFiles::read`].
    pub fn span(&self, span: &Span) -> io::Result<TreeHash> {
        let nodes = span.nodes().into_iter().map(|node| self.node(node));
        let nodes: Vec<TreeHash> = nodes.collect::<io::Result<_>>()?;
        Ok(span.hash(&nodes).unwrap_or_else(TreeHash::of_nothing))
    }

    /// The edge of the tree of the first so many leaves, as the files have it.
    ///
    /// # Errors
    /// As of [`HashFiles::read`].
    pub fn frontier(&self, size: u64) -> io::Result<Frontier> {
        let all = Span {
            from: 0,
            until: size,
        };
        let roots = all.nodes().into_iter().map(|node| self.node(node));
        let roots = roots.collect::<io::Result<Vec<_>>>()?;
        Frontier::new(size, roots).ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
    }

    /// Makes what was written of the first so many levels durable.
    ///
    /// # Errors
    /// The file system's; what was written since the last time is to be written again then.
    pub fn sync(&self, levels: u32) -> io::Result<()> {
        let files = (0..levels).filter_map(|level| self.file(level));
        files.into_iter().try_for_each(|file| file.sync_data())
    }

    fn file(&self, level: u32) -> Option<Arc<F::File>> {
        let files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        files.get(usize::try_from(level).ok()?).cloned()
    }

    fn file_or_new(&self, level: u32) -> io::Result<Arc<F::File>> {
        let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        let idx = usize::try_from(level).map_err(io::Error::other)?;
        // Levels come into being one after the other.
        if idx == files.len() {
            let file = self.fs.open(&path(&self.dir, level), Mode::Create)?;
            self.fs.sync_dir(&self.dir)?;
            files.push(Arc::new(file));
        }
        files
            .get(idx)
            .cloned()
            .ok_or_else(|| io::Error::other("a level of hashes is missing between others"))
    }
}

/// Adds leaves to the files.
#[derive(Debug)]
pub struct Growing {
    frontier: Frontier,
    /// Of each level of tiles: the index of the first hash that has not been written, and those hashes.
    unwritten: Vec<(u64, Vec<u8>)>,
    /// How many levels have been written to since the last sync.
    levels: u32,
}

impl Growing {
    /// Goes on from an edge; whatever the files have beyond it is written over.
    #[must_use]
    pub fn new(frontier: Frontier) -> Self {
        Growing {
            frontier,
            unwritten: Vec::new(),
            levels: 0,
        }
    }

    /// The edge, with what was added.
    #[must_use]
    pub fn frontier(&self) -> &Frontier {
        &self.frontier
    }

    /// Adds a leaf by its bytes.
    pub fn push(&mut self, leaf: &[u8]) {
        let size = self.frontier.size();
        let unwritten = &mut self.unwritten;
        self.frontier.push(TreeHash::of_leaf(leaf), |level, hash| {
            if level % TILE_HEIGHT != 0 {
                return;
            }
            let idx = usize::try_from(level / TILE_HEIGHT).expect("at most eight levels");
            if idx == unwritten.len() {
                unwritten.push((size >> level, Vec::new()));
            }
            let (first, bytes) = &mut unwritten[idx];
            if bytes.is_empty() {
                *first = size >> level;
            }
            bytes.extend_from_slice(&hash.0);
        });
    }

    /// Whether it is time to write.
    #[must_use]
    pub fn is_full(&self) -> bool {
        let bytes = self.unwritten.first().map_or(0, |(_, bytes)| bytes.len());
        bytes >= BUFFERED * LEN
    }

    /// Writes what was added. Not durable before [`Growing::settle`].
    ///
    /// # Errors
    /// The file system's: then go on from the last edge that is durable.
    pub fn write<F: Fs>(&mut self, files: &HashFiles<F>) -> io::Result<()> {
        for (level, (first, bytes)) in (0..).zip(&mut self.unwritten) {
            if !bytes.is_empty() {
                let file = files.file_or_new(level)?;
                file.write_all_at(bytes, len_of(*first))?;
                bytes.clear();
                self.levels = self.levels.max(level + 1);
            }
        }
        Ok(())
    }

    /// Writes what was added and makes it durable.
    ///
    /// # Errors
    /// The file system's: then go on from the last edge that is durable.
    pub fn settle<F: Fs>(&mut self, files: &HashFiles<F>) -> io::Result<()> {
        self.write(files)?;
        files.sync(std::mem::take(&mut self.levels))
    }
}

fn path(dir: &Path, level: u32) -> PathBuf {
    dir.join(format!("hashes-{level}"))
}

/// Bytes of so many hashes.
fn len_of(count: u64) -> u64 {
    count.saturating_mul(32)
}
