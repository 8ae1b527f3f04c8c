//! Values with a checksum, and the trees that hold nothing else.
//!
//! sled checks what it reads from its files, but not that a value is where it was put. Each value here
//! ends with four bytes of the BLAKE3 of tree, key and content, so that damage, a mistaken key or a
//! value of another tree is noticed when it is read, and never becomes a wrong answer.

use std::ops::RangeBounds;

use serde::Serialize;
use serde::de::DeserializeOwned;
use sled::IVec;

use crate::fault::ViewsFault;

const CHECKSUM_LEN: usize = 4;

/// A tree of sealed values.
#[derive(Debug, Clone)]
pub(crate) struct Sealed {
    name: &'static str,
    tree: sled::Tree,
}

impl Sealed {
    /// Opens or creates the tree.
    pub(crate) fn open(db: &sled::Db, name: &'static str) -> Result<Sealed, ViewsFault> {
        let tree = db
            .open_tree(name)
            .map_err(ViewsFault::sled("open a tree of the views"))?;
        Ok(Sealed { name, tree })
    }

    /// The value of a key.
    pub(crate) fn get(&self, key: &[u8]) -> Result<Option<Content>, ViewsFault> {
        let found = self
            .tree
            .get(key)
            .map_err(ViewsFault::sled("read the views"))?;
        found.map(|sealed| self.unseal(key, sealed)).transpose()
    }

    /// Sets the value of a key.
    pub(crate) fn put(&self, key: &[u8], mut content: Vec<u8>) -> Result<(), ViewsFault> {
        let checksum = self.checksum(key, &content);
        content.extend_from_slice(&checksum);
        let put = self
            .tree
            .insert(key, content)
            .map_err(ViewsFault::sled("write the views"));
        put.map(drop)
    }

    /// Removes a key.
    pub(crate) fn remove(&self, key: &[u8]) -> Result<(), ViewsFault> {
        self.tree
            .remove(key)
            .map(drop)
            .map_err(ViewsFault::sled("write the views"))
    }

    /// The value of a key as a message.
    pub(crate) fn get_as<T: DeserializeOwned>(&self, key: &[u8]) -> Result<Option<T>, ViewsFault> {
        self.get(key)?
            .map(|content| self.decode(&content))
            .transpose()
    }

    /// Sets the value of a key to a message.
    pub(crate) fn put_as<T: Serialize>(&self, key: &[u8], value: &T) -> Result<(), ViewsFault> {
        let content =
            postcard::to_extend(value, Vec::new()).map_err(|source| ViewsFault::Database {
                step: "encode a value of the views",
                source: source.into(),
            })?;
        self.put(key, content)
    }

    /// Decodes a message.
    pub(crate) fn decode<T: DeserializeOwned>(&self, content: &Content) -> Result<T, ViewsFault> {
        postcard::from_bytes(content.bytes()).map_err(|_| self.damaged())
    }

    /// Keys and values under a prefix, in order of key.
    pub(crate) fn under(&self, prefix: &[u8]) -> impl Iterator<Item = Found> {
        self.unsealed(self.tree.scan_prefix(prefix))
    }

    /// Keys and values in a range, in order of key.
    pub(crate) fn range<K: AsRef<[u8]>>(
        &self,
        range: impl RangeBounds<K>,
    ) -> impl DoubleEndedIterator<Item = Found> {
        self.unsealed(self.tree.range(range))
    }

    fn unsealed(
        &self,
        found: impl DoubleEndedIterator<Item = sled::Result<(IVec, IVec)>>,
    ) -> impl DoubleEndedIterator<Item = Found> {
        found.map(|entry| {
            let (key, sealed) = entry.map_err(ViewsFault::sled("read the views"))?;
            let content = self.unseal(&key, sealed)?;
            Ok((key, content))
        })
    }

    /// What to report when a value of this tree does not make sense.
    pub(crate) fn damaged(&self) -> ViewsFault {
        ViewsFault::damaged(format!(
            "a value of the tree `{}` does not check",
            self.name
        ))
    }

    fn unseal(&self, key: &[u8], sealed: IVec) -> Result<Content, ViewsFault> {
        let len = sealed
            .len()
            .checked_sub(CHECKSUM_LEN)
            .ok_or_else(|| self.damaged())?;
        let (content, checksum) = sealed.split_at(len);
        if self.checksum(key, content) != *checksum {
            return Err(self.damaged());
        }
        Ok(Content(sealed))
    }

    fn checksum(&self, key: &[u8], content: &[u8]) -> [u8; CHECKSUM_LEN] {
        let mut hasher = blake3::Hasher::new();
        hasher.update(self.name.as_bytes());
        hasher.update(&[0]);
        hasher.update(&key.len().to_be_bytes());
        hasher.update(key);
        hasher.update(content);
        let mut checksum = [0; CHECKSUM_LEN];
        hasher.finalize_xof().fill(&mut checksum);
        checksum
    }
}

/// A key and its value, or why there is none to show.
pub(crate) type Found = Result<(IVec, Content), ViewsFault>;

/// A value that checked, still with its checksum behind it.
#[derive(Debug)]
pub(crate) struct Content(IVec);

impl Content {
    /// The value.
    pub(crate) fn bytes(&self) -> &[u8] {
        self.0
            .get(..self.0.len().saturating_sub(CHECKSUM_LEN))
            .unwrap_or_default()
    }
}
