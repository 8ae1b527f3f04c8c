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
//! 3. salts and bodies are overwritten and synced, segment by segment (a crash leaves some half erased;
//!    the caller erases again);
//! 4. `erased-through` is replaced atomically (the erasure is done).

use std::io;
use std::path::Path;
use std::sync::Arc;

use chain::Position;
use durable::{File, Fs, write_atomic};
use store::{Fault, ReadError};

use crate::catalog::OpenSegment;
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
    let mut sorted = positions.to_vec();
    sorted.sort();
    sorted.dedup();
    let mut planned = Vec::with_capacity(sorted.len());
    for position in sorted {
        planned.push(reader.erasable(position).map_err(fault)?);
    }
    Ok(planned)
}

/// Step 3: overwrites and syncs. The ranges are in the order of the segments.
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

/// Step 4: the mark.
pub(crate) fn mark<F: Fs>(fs: &F, dir: &Path, through: Position) -> io::Result<()> {
    write_atomic(
        fs,
        dir,
        layout::ERASED_THROUGH,
        format!("{through}\n").as_bytes(),
    )
}

fn fault(error: ReadError) -> Fault {
    match error {
        ReadError::Fault(fault) => fault,
        past_head => Fault::backend("read a record", past_head),
    }
}
