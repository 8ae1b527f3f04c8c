//! Which achievements an institution recorded, and which under each of its codes: positions with the day
//! of award.
//!
//! Tree `lists`: length of the issuer's id (u8), the id, 0 or 1 and a [`CodeHash`], and a position at or
//! before the chunk's first (u64), to a [`Chunk`]. Positions ascend, so replay is noticed by comparing
//! with the last one that is there, or else with where the last chunk begins.

use std::ops::Bound;

use chain::Institution;
use ledger::KeySecret;

use crate::chunk::{Chunk, Entry};
use crate::fault::ViewsFault;
use crate::sealed::{Content, Found, Sealed};

/// A keyed hash of a course's code: no view holds what the issuer wrote.
pub(crate) type CodeHash = [u8; 16];

/// The hash of a code.
pub(crate) fn hash_of(secret: &KeySecret, code: &str) -> CodeHash {
    let mut hasher = blake3::Hasher::new_keyed(&secret.0);
    hasher.update(b"creditbank views code");
    hasher.update(code.as_bytes());
    let mut hash = [0; 16];
    hasher.finalize_xof().fill(&mut hash);
    hash
}

/// Whose list, and of which code; all when there is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ListKey {
    pub(crate) issuer: Institution,
    pub(crate) code: Option<CodeHash>,
}

impl ListKey {
    fn prefix(&self) -> Vec<u8> {
        let mut prefix = of_issuer(self.issuer);
        match &self.code {
            None => prefix.push(0),
            Some(code) => {
                prefix.push(1);
                prefix.extend_from_slice(code);
            }
        }
        prefix
    }
}

/// What all keys of an issuer begin with.
pub(crate) fn of_issuer(issuer: Institution) -> Vec<u8> {
    let text = issuer.as_str();
    let len = u8::try_from(text.len()).expect("an institution's id is short");
    [&[len], text.as_bytes()].concat()
}

/// Takes in entries, ascending.
pub(crate) fn extend(lists: &Sealed, key: &ListKey, entries: &[Entry]) -> Result<(), ViewsFault> {
    let prefix = key.prefix();
    let (mut begins, mut chunk, last) = match chunks_down_from(lists, &prefix, u64::MAX).next() {
        Some(last) => {
            let (key, content) = last?;
            let (begins, chunk) = (begins(lists, &key)?, decode(lists, &content)?);
            // Of a chunk whose entries have all been struck, its place still tells what came before it.
            let last = chunk.entries().last().map_or(begins, |last| last.position);
            (begins, chunk, Some(last))
        }
        None => (0, Chunk::default(), None),
    };
    let mut changed = false;
    for entry in entries.iter().filter(|entry| Some(entry.position) > last) {
        if chunk.is_full() {
            put(lists, &prefix, begins, &chunk, changed)?;
            chunk = Chunk::default();
        }
        if chunk == Chunk::default() {
            begins = entry.position;
        }
        changed = chunk.push(*entry);
    }
    put(lists, &prefix, begins, &chunk, changed)
}

/// What a scan came across.
#[derive(Debug, Default)]
pub(crate) struct Scanned {
    /// Positions that match, ascending.
    pub(crate) positions: Vec<u64>,
    /// The last position that was looked at when the scan ended early.
    pub(crate) until: Option<u64>,
}

/// The written entries from `from` on and below `below` that match: looks at about `look_max`, and ends
/// after `limit` that match.
pub(crate) fn scan(
    lists: &Sealed,
    key: &ListKey,
    (from, below): (u64, u64),
    matches: impl Fn(&Entry) -> bool,
    (look_max, limit): (usize, usize),
) -> Result<Scanned, ViewsFault> {
    let prefix = key.prefix();
    // The first wanted position may be within the chunk that begins before it.
    let first = match chunks_down_from(lists, &prefix, from).next() {
        Some(entry) => entry?.0.to_vec(),
        None => at(&prefix, 0),
    };
    let mut scanned = Scanned::default();
    let (mut looked, mut full) = (0, true);
    for found in lists.range(first..at(&prefix, below)) {
        let chunk = decode(lists, &found?.1)?;
        // Every chunk but the last is full, or one has been lost.
        if !full {
            return Err(lists.damaged());
        }
        full = chunk.is_full();
        for entry in chunk.entries() {
            if entry.position < from {
                continue;
            }
            if entry.position >= below {
                return Ok(scanned);
            }
            looked += 1;
            if matches(entry) {
                scanned.positions.push(entry.position);
            }
            if looked >= look_max || scanned.positions.len() >= limit {
                scanned.until = Some(entry.position);
                return Ok(scanned);
            }
        }
    }
    Ok(scanned)
}

/// Takes erased positions of an issuer out of the lists of its codes, and their days out of the list of
/// all.
pub(crate) fn strike(
    lists: &Sealed,
    issuer: Institution,
    positions: &[u64],
) -> Result<(), ViewsFault> {
    let mut key = ListKey { issuer, code: None };
    loop {
        let prefix = key.prefix();
        for position in positions {
            let Some(found) = chunks_down_from(lists, &prefix, *position).next() else {
                continue;
            };
            let (at, content) = found?;
            let mut chunk = decode(lists, &content)?;
            if chunk.strike(*position, key.code.is_none()) {
                lists.put(&at, chunk.encode())?;
            }
        }
        match code_after(lists, &prefix, issuer)? {
            Some(code) => key.code = Some(code),
            None => return Ok(()),
        }
    }
}

/// The code whose list comes after the one with this prefix.
fn code_after(
    lists: &Sealed,
    prefix: &[u8],
    issuer: Institution,
) -> Result<Option<CodeHash>, ViewsFault> {
    let after = Bound::Excluded(at(prefix, u64::MAX));
    let Some(found) = lists.range((after, Bound::Unbounded)).next() else {
        return Ok(None);
    };
    let (key, _) = found?;
    let Some(rest) = key.strip_prefix(&*of_issuer(issuer)) else {
        return Ok(None);
    };
    let code = rest.get(1..17).and_then(|code| code.try_into().ok());
    code.map(Some).ok_or_else(|| lists.damaged())
}

/// Chunks that begin at or before `position`, the last one first.
fn chunks_down_from(lists: &Sealed, prefix: &[u8], position: u64) -> impl Iterator<Item = Found> {
    lists.range(at(prefix, 0)..=at(prefix, position)).rev()
}

fn put(
    lists: &Sealed,
    prefix: &[u8],
    begins: u64,
    chunk: &Chunk,
    changed: bool,
) -> Result<(), ViewsFault> {
    if !changed {
        return Ok(());
    }
    lists.put(&at(prefix, begins), chunk.encode())
}

fn begins(lists: &Sealed, key: &[u8]) -> Result<u64, ViewsFault> {
    let number = key.len().checked_sub(8).and_then(|from| key.get(from..));
    let number = number.and_then(|number| number.try_into().ok());
    number
        .map(u64::from_be_bytes)
        .ok_or_else(|| lists.damaged())
}

fn decode(lists: &Sealed, content: &Content) -> Result<Chunk, ViewsFault> {
    Chunk::decode(content.bytes()).ok_or_else(|| lists.damaged())
}

fn at(prefix: &[u8], position: u64) -> Vec<u8> {
    [prefix, &position.to_be_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Everything on a list, a chunk's positions together.
    fn chunks(lists: &Sealed, key: &ListKey) -> Vec<Vec<u64>> {
        let prefix = key.prefix();
        let chunks = lists
            .under(&prefix)
            .map(|found| decode(lists, &found.unwrap().1).unwrap());
        let positions = |chunk: &Chunk| chunk.entries().iter().map(|it| it.position).collect();
        chunks.map(|chunk| positions(&chunk)).collect()
    }

    #[test]
    fn what_is_replayed_onto_a_chunk_that_was_struck_empty_is_not_taken_in_again() {
        let db = sled::Config::new().temporary(true).open().unwrap();
        let lists = Sealed::open(&db, "lists").unwrap();
        let issuer = Institution::try_from("uni-a").unwrap();
        let code = Some([7; 16]);
        let key = ListKey { issuer, code };
        let entry = |position| Entry { position, day: 1 };
        let full: Vec<u64> = (1..=128).collect();
        // The last chunk holds one entry, or two, and they are erased.
        for last in [vec![200], vec![200, 201]] {
            let entries: Vec<Entry> = full.iter().chain(&last).copied().map(entry).collect();
            extend(&lists, &key, &entries).unwrap();
            assert_eq!(chunks(&lists, &key), [full.clone(), last.clone()]);
            strike(&lists, issuer, &last).unwrap();
            // What has been erased does not come again; all the rest may, from any place on.
            for from in [0, 1, 127] {
                let replayed: Vec<Entry> = full[from..].iter().copied().map(entry).collect();
                extend(&lists, &key, &replayed).unwrap();
                assert_eq!(chunks(&lists, &key), [full.clone(), vec![]]);
            }
            extend(&lists, &key, &[entry(128), entry(300)]).unwrap();
            assert_eq!(chunks(&lists, &key), [full.clone(), vec![300]]);
            for found in lists.under(&key.prefix()) {
                lists.remove(&found.unwrap().0).unwrap();
            }
        }
    }
}
