//! Erasure: salt and body overwritten with zeros where they lie.
//!
//! Apart from the log because it is the one change to bytes that were acknowledged
//! (`ledger-data/README.md` section 11).
//!
//! Order:
//! 1. the erasing record is durable: the caller's append (a crash leaves the bodies; the caller erases
//!    again);
//! 2. the keys that only the bodies gave leave the index (a crash leaves bodies that cannot be found by
//!    them until the index is made again; the caller erases again);
//! 3. the positions are written to `erasing`, atomically (from here on recovery finishes the erasure by
//!    itself, before anything is served: a half erased body would look like corruption);
//! 4. salts and bodies are overwritten and synced, segment by segment (a crash leaves some half erased);
//! 5. `erased-through` is replaced atomically (a crash leaves both files; erasing again changes nothing);
//! 6. `erasing` is removed.
//!
//! `erasing` is text: the position of the erasing record and then each position to erase, decimal, one
//! a line; the last line is the BLAKE3 of all lines before, hexadecimal. Verifiers need not read it.

use std::io;
use std::path::Path;
use std::sync::Arc;

use chain::Position;
use durable::{File, Fs, read_file, write_atomic};
use store::{Corruption, Fault, ReadError};

use crate::catalog::OpenSegment;
use crate::error::OpenError;
use crate::layout;
use crate::reader::Reader;

/// Bytes to overwrite.
pub(crate) struct Erasable<R: File> {
    pub(crate) segment: Arc<OpenSegment<R>>,
    pub(crate) offset: u64,
    pub(crate) len: usize,
}

/// Finds what to overwrite, and refuses what the contract forbids.
pub(crate) fn plan<F: Fs>(
    reader: &Reader<F>,
    positions: &[Position],
    through: Position,
) -> Result<Vec<Erasable<F::File>>, Fault> {
    if through.0 >= reader.head().size {
        let reason = "the erasure event is not in the ledger";
        return Err(Fault::NotErasable {
            position: through,
            reason,
        });
    }
    let block_of_through = reader
        .block_with(through)
        .map_err(fault)?
        .prev()
        .next_position();
    if let Some(position) = positions
        .iter()
        .find(|position| **position >= block_of_through)
    {
        let reason = "it is not in a block before its erasure event";
        return Err(Fault::NotErasable {
            position: *position,
            reason,
        });
    }
    locate(reader, positions).map_err(fault)
}

/// Finds what to overwrite.
pub(crate) fn locate<F: Fs>(
    reader: &Reader<F>,
    positions: &[Position],
) -> Result<Vec<Erasable<F::File>>, ReadError> {
    let mut sorted = positions.to_vec();
    sorted.sort();
    sorted.dedup();
    sorted
        .into_iter()
        .map(|position| reader.erasable(position))
        .collect()
}

/// Step 3: from now on the erasure will be finished, whatever happens.
pub(crate) fn intend<F: Fs>(
    fs: &F,
    dir: &Path,
    positions: &[Position],
    through: Position,
) -> io::Result<()> {
    let mut text = format!("{through}\n");
    for position in positions {
        text.push_str(&format!("{position}\n"));
    }
    let hash = blake3::hash(text.as_bytes());
    text.push_str(&format!("{hash}\n"));
    write_atomic(fs, dir, layout::ERASING, text.as_bytes())
}

/// Step 4: overwrites and syncs. The ranges are in the order of the segments.
pub(crate) fn overwrite<R: File>(planned: &[Erasable<R>]) -> io::Result<()> {
    let same_segment = |a: &Erasable<R>, b: &Erasable<R>| Arc::ptr_eq(&a.segment, &b.segment);
    for in_segment in planned.chunk_by(same_segment) {
        for Erasable {
            segment,
            offset,
            len,
        } in in_segment
        {
            segment.file.write_all_at(&vec![0; *len], *offset)?;
        }
        // Durability: zeros count as written only when they are on the disk.
        in_segment
            .iter()
            .take(1)
            .try_for_each(|first| first.segment.file.sync_data())?;
    }
    Ok(())
}

/// Step 5: the mark.
pub(crate) fn mark<F: Fs>(fs: &F, dir: &Path, through: Position) -> io::Result<()> {
    write_atomic(
        fs,
        dir,
        layout::ERASED_THROUGH,
        format!("{through}\n").as_bytes(),
    )
}

/// Step 6. Not synced: a name that comes back leads to an erasure that is already carried out.
pub(crate) fn done<F: Fs>(fs: &F, dir: &Path) -> io::Result<()> {
    fs.remove(&dir.join(layout::ERASING))
}

/// An erasure that was begun and not finished: its positions, and the erasing record's.
pub(crate) type Unfinished = (Vec<Position>, Position);

/// What a crash may have left of an erasure.
pub(crate) fn unfinished<F: Fs>(fs: &F, dir: &Path) -> Result<Option<Unfinished>, OpenError> {
    let path = dir.join(layout::ERASING);
    let bytes = match read_file(fs, &path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        other => other.map_err(|source| OpenError::Read {
            path: path.clone(),
            source,
        })?,
    };
    let corrupt = || Corruption {
        position: Position(0),
        expected: format!("positions and their hash in {}", path.display()),
        found: "something else".to_owned(),
    };
    // A wrong position here would erase what nobody asked to erase.
    parse(&bytes)
        .ok_or_else(corrupt)
        .map(Some)
        .map_err(OpenError::from)
}

fn parse(bytes: &[u8]) -> Option<Unfinished> {
    let text = std::str::from_utf8(bytes).ok()?;
    let (lines, hash) = text.strip_suffix('\n')?.rsplit_once('\n')?;
    let checked = text.get(..lines.len() + 1)?;
    if blake3::hash(checked.as_bytes()).to_string() != hash {
        return None;
    }
    let mut positions = lines.lines().map(|line| line.parse().ok().map(Position));
    let through = positions.next()??;
    Some((positions.collect::<Option<_>>()?, through))
}

/// The fault behind a failed read of records below the head.
pub(crate) fn fault(error: ReadError) -> Fault {
    match error {
        ReadError::Fault(fault) => fault,
        past_head => Fault::backend("read a record", past_head),
    }
}
