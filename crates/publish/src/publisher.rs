//! The publisher: the one who signs.
//!
//! Order, for every checkpoint:
//! 1. records are durable (a crash: they are added to the tree later);
//! 2. their hashes are written and synced (a crash: they are written again, the same);
//! 3. the root is computed from hashes read back, and compared with the one computed while adding;
//! 4. the new tree is proved to continue the one signed last;
//! 5. the checkpoint is signed and its file replaced durably (a crash: the old one or the new one is
//!    there; the new one is the same however often it is signed);
//! 6. it is shown to others.
//!
//! Invariant: of two checkpoints ever signed one continues the other. What is shown is on disk.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use chain::{
    Checkpoint, Frontier, Node, NoteSigner, Position, Span, TreeHash, VerifierKey, consistency,
    verify_consistency,
};
use durable::Fs;
use store::EventStore;
use tokio::sync::watch;

use crate::fault::PublishFault;
use crate::hashes::{Growing, HashFiles};

/// The file of the latest checkpoint, beside the hashes.
pub const CHECKPOINT_FILE: &str = "checkpoint";

/// Bytes of records that are read at a time.
const READ_BYTES: u64 = 1 << 20;

/// A checkpoint that everybody may see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Published {
    /// Size and root.
    pub checkpoint: Checkpoint,
    /// The signed note.
    pub note: Arc<str>,
}

/// What others read: the latest checkpoint and the hashes under it.
pub struct Reader<F: Fs> {
    files: Arc<HashFiles<F>>,
    published: watch::Receiver<Option<Published>>,
}

impl<F: Fs> Clone for Reader<F> {
    fn clone(&self) -> Self {
        Reader {
            files: Arc::clone(&self.files),
            published: self.published.clone(),
        }
    }
}

impl<F: Fs> Reader<F> {
    /// The latest checkpoint; `None` before the first.
    #[must_use]
    pub fn latest(&self) -> Option<Published> {
        self.published.borrow().clone()
    }

    /// Changes with every checkpoint.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<Option<Published>> {
        self.published.clone()
    }

    /// The hashes of a proof: the parts lie below the size of a checkpoint that was published.
    ///
    /// # Errors
    /// The file system's.
    pub fn proof(&self, parts: &[Span]) -> std::io::Result<Vec<TreeHash>> {
        parts.iter().map(|part| self.files.span(part)).collect()
    }

    /// The files of hashes.
    #[must_use]
    pub fn files(&self) -> &HashFiles<F> {
        &self.files
    }
}

/// Adds records to the tree and signs.
pub struct Publisher<F: Fs, S> {
    fs: F,
    dir: PathBuf,
    store: Arc<S>,
    files: Arc<HashFiles<F>>,
    growing: Growing,
    signer: NoteSigner,
    published: watch::Sender<Option<Published>>,
}

impl<F: Fs, S: EventStore> Publisher<F, S> {
    /// Goes on where the last one stopped. `trusted` are the ledger's keys, the signer's and those before
    /// it: one of them signed the checkpoint that is there.
    ///
    /// Hashes that are missing or do not give the signed root are made again from the log.
    ///
    /// # Errors
    /// The log is not the one that was published, or what it needs cannot be read.
    pub async fn open(
        fs: F,
        dir: &Path,
        store: Arc<S>,
        signer: NoteSigner,
        trusted: &[VerifierKey],
    ) -> Result<Self, PublishFault> {
        let files = Arc::new(HashFiles::open(fs.clone(), dir)?);
        let signed = read_checkpoint(&fs, dir, trusted)?;
        let mut publisher = Publisher {
            fs,
            dir: dir.to_owned(),
            store,
            files,
            growing: Growing::new(Frontier::default()),
            signer,
            published: watch::Sender::new(None),
        };
        if let Some(signed) = signed {
            publisher.take_up(&signed.checkpoint).await?;
            publisher.published.send_replace(Some(signed));
        }
        Ok(publisher)
    }

    /// For others to read.
    #[must_use]
    pub fn reader(&self) -> Reader<F> {
        Reader {
            files: Arc::clone(&self.files),
            published: self.published.subscribe(),
        }
    }

    /// The edge of the tree that was signed last.
    async fn take_up(&mut self, signed: &Checkpoint) -> Result<(), PublishFault> {
        let durable = self.store.head().await?.size;
        if signed.size > durable {
            let published = signed.size;
            return Err(PublishFault::Shrunk { published, durable });
        }
        let kept = self.files.frontier(signed.size).ok();
        if let Some(kept) = kept.filter(|kept| kept.root() == signed.root)
            && self.last_leaf_is_that_of_the_log(signed.size).await?
        {
            self.growing = Growing::new(kept);
            return Ok(());
        }
        tracing::warn!(
            records = signed.size,
            "making the tree's hashes again from the log"
        );
        self.grow(signed.size).await?;
        let found = self.growing.frontier().root();
        if found != signed.root {
            let (size, published) = (signed.size, signed.root);
            return Err(PublishFault::Changed {
                size,
                published,
                found,
            });
        }
        self.growing.settle(&self.files)?;
        Ok(())
    }

    /// The last leaf under the hashes is the log's. A leaf holds the hash of the one before it, so that the
    /// last tells of all.
    async fn last_leaf_is_that_of_the_log(&self, size: u64) -> Result<bool, PublishFault> {
        let Some(last) = size.checked_sub(1) else {
            return Ok(true);
        };
        let records = self.store.get(&[Position(last)]).await?;
        let of_log = records
            .first()
            .map(|record| TreeHash::of_leaf(&record.leaf.encode()));
        let (level, index) = (0, last);
        Ok(of_log == self.files.node(Node { level, index }).ok())
    }

    /// Adds records until the tree has that size.
    async fn grow(&mut self, size: u64) -> Result<(), PublishFault> {
        while self.growing.frontier().size() < size {
            let from = Position(self.growing.frontier().size());
            for record in self.store.read(from, READ_BYTES).await? {
                if self.growing.frontier().size() < size {
                    self.growing.push(&record.leaf.encode());
                }
            }
            if self.growing.is_full() {
                self.growing.write(&self.files)?;
            }
        }
        Ok(())
    }

    /// Publishes a checkpoint over everything that is durable now. Returns the latest; `None` while there
    /// are no records.
    ///
    /// After an error the tree goes on from what was signed last, so that calling again is safe.
    ///
    /// # Errors
    /// Nothing was signed.
    pub async fn publish(&mut self) -> Result<Option<Published>, PublishFault> {
        let outcome = self.try_publish().await;
        if outcome.is_err()
            && let Some(signed) = self.published.borrow().clone()
        {
            let edge = self.files.frontier(signed.checkpoint.size)?;
            self.growing = Growing::new(edge);
        } else if outcome.is_err() {
            self.growing = Growing::new(Frontier::default());
        }
        outcome
    }

    async fn try_publish(&mut self) -> Result<Option<Published>, PublishFault> {
        let latest = self.published.borrow().clone();
        let size = self.store.head().await?.size;
        if latest.as_ref().map_or(0, |latest| latest.checkpoint.size) == size {
            return Ok(latest);
        }
        self.grow(size).await?;
        self.growing.settle(&self.files)?;
        let expected = self.growing.frontier().root();
        let found = self.files.frontier(size)?.root();
        if found != expected {
            return Err(PublishFault::ReadBack { expected, found });
        }
        if let Some(latest) = &latest {
            self.continues(&latest.checkpoint, size, &found)?;
        }
        let checkpoint = Checkpoint {
            origin: self.signer.verifier().name().to_owned(),
            size,
            root: found,
        };
        let note = self.signer.sign(&checkpoint.to_string());
        durable::write_atomic(&self.fs, &self.dir, CHECKPOINT_FILE, note.as_bytes())?;
        let note = note.into();
        let new = Some(Published { checkpoint, note });
        self.published.send_replace(new.clone());
        Ok(new)
    }

    fn continues(&self, old: &Checkpoint, size: u64, root: &TreeHash) -> Result<(), PublishFault> {
        let parts = consistency(old.size, size).unwrap_or_default();
        let parts = parts.iter().map(|part| self.files.span(part));
        let proof = parts.collect::<std::io::Result<Vec<_>>>()?;
        verify_consistency((old.size, &old.root), (size, root), &proof)
            .map_err(PublishFault::Inconsistent)
    }
}

/// The checkpoint on disk, signed by one of the keys.
fn read_checkpoint<F: Fs>(
    fs: &F,
    dir: &Path,
    trusted: &[VerifierKey],
) -> Result<Option<Published>, PublishFault> {
    let bytes = match durable::read_file(fs, &dir.join(CHECKPOINT_FILE)) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        other => other?,
    };
    let mut refused = None;
    for key in trusted {
        match Checkpoint::open(&bytes, key) {
            Ok(checkpoint) => {
                let note = String::from_utf8_lossy(&bytes).into();
                return Ok(Some(Published { checkpoint, note }));
            }
            Err(error) => refused = refused.or(Some(error)),
        }
    }
    let unsigned = || chain::NoteError::Unsigned {
        name: "any key of this ledger".to_owned(),
    };
    Err(refused.unwrap_or_else(|| unsigned().into()).into())
}
