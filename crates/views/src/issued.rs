//! Which achievements an institution recorded: issuer to positions, for paging.
//!
//! Tree `issued`: length of the issuer's id (u8), the id and the chunk's first position (u64) to a
//! [`Chunk`]. Unlike a learner's chain there is no revision, but positions ascend: replay is noticed by
//! comparing with the last one.

use std::collections::BTreeMap;

use chain::{Institution, Position};

use crate::chunk::Chunk;
use crate::fault::ViewsFault;
use crate::sealed::{Content, Found, Sealed};

/// Takes in positions, ascending for each issuer.
pub(crate) fn extend(
    issued: &Sealed,
    new: &BTreeMap<Institution, Vec<u64>>,
) -> Result<(), ViewsFault> {
    for (issuer, positions) in new {
        let Some(prefix) = prefix(issuer.as_str()) else {
            continue;
        };
        let mut chunk = match chunks_down_from(issued, &prefix, u64::MAX).next() {
            Some(last) => decode(issued, &last?.1)?,
            None => Chunk::default(),
        };
        let last = chunk.positions().last().copied();
        let new = positions.iter().filter(|position| Some(**position) > last);
        let mut changed = false;
        for position in new {
            if chunk.is_full() {
                put(issued, &prefix, &chunk, changed)?;
                chunk = Chunk::default();
            }
            changed = chunk.push(*position);
        }
        put(issued, &prefix, &chunk, changed)?;
    }
    Ok(())
}

/// Positions after `after` and below `size`, ascending, at most `limit`; `waiting` are positions after
/// `after` that were not written before this was called.
pub(crate) fn page(
    issued: &Sealed,
    issuer: &str,
    after: Option<Position>,
    limit: usize,
    size: u64,
    waiting: Vec<u64>,
) -> Result<Vec<Position>, ViewsFault> {
    let mut page = written(issued, issuer, after, limit, size)?;
    page.extend(waiting.into_iter().filter(|position| *position < size));
    page.sort_unstable();
    page.dedup();
    page.truncate(limit);
    Ok(page.into_iter().map(Position).collect())
}

fn written(
    issued: &Sealed,
    issuer: &str,
    after: Option<Position>,
    limit: usize,
    size: u64,
) -> Result<Vec<u64>, ViewsFault> {
    let Some(prefix) = prefix(issuer) else {
        return Ok(Vec::new());
    };
    let from = after.map_or(0, |after| after.0);
    // The first wanted position may be within the chunk that begins before it.
    let begins = match chunks_down_from(issued, &prefix, from).next() {
        Some(entry) => entry?.0.to_vec(),
        None => key(&prefix, 0),
    };
    let mut page = Vec::new();
    let mut full = true;
    for entry in issued.range(begins..=key(&prefix, u64::MAX)) {
        if page.len() >= limit {
            break;
        }
        let chunk = decode(issued, &entry?.1)?;
        // Every chunk but the last is full, or one has been lost.
        if !full {
            return Err(issued.damaged());
        }
        full = chunk.is_full();
        let wanted =
            |position: &&u64| **position < size && after.is_none_or(|after| after.0 < **position);
        let room = limit.saturating_sub(page.len());
        page.extend(chunk.positions().iter().filter(wanted).take(room));
    }
    Ok(page)
}

/// Chunks that begin at or before `position`, the last one first.
fn chunks_down_from(issued: &Sealed, prefix: &[u8], position: u64) -> impl Iterator<Item = Found> {
    issued.range(key(prefix, 0)..=key(prefix, position)).rev()
}

fn put(issued: &Sealed, prefix: &[u8], chunk: &Chunk, changed: bool) -> Result<(), ViewsFault> {
    match chunk.positions().first() {
        Some(first) if changed => issued.put(&key(prefix, *first), chunk.encode()),
        _ => Ok(()),
    }
}

fn decode(issued: &Sealed, content: &Content) -> Result<Chunk, ViewsFault> {
    Chunk::decode(content.bytes()).ok_or_else(|| issued.damaged())
}

/// `None` for an id that is too long to be one.
fn prefix(issuer: &str) -> Option<Vec<u8>> {
    let mut prefix = vec![u8::try_from(issuer.len()).ok()?];
    prefix.extend_from_slice(issuer.as_bytes());
    Some(prefix)
}

fn key(prefix: &[u8], first: u64) -> Vec<u8> {
    [prefix, &first.to_be_bytes()].concat()
}
