//! A judge that re-hashes every byte of the segments, and knows nothing of events.
//!
//! Apart from recovery, which it must not share a line with: it reads pieces and decides by itself.

use std::path::Path;

use chain::{BLOCK_BYTES_MAX, Block, Head, Position, is_zero};
use durable::{File, Fs};

use crate::scan::{self, Piece, Scan};
use crate::width::offset;

/// The head up to which every byte checks; what does not, otherwise. A torn tail checks.
///
/// # Errors
/// The first thing that is neither what a writer leaves nor what a crash leaves.
pub fn rehash<F: Fs>(fs: &F, dir: &Path) -> Result<Head, String> {
    let segments = match scan::segments(fs, dir) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Head::EMPTY),
        other => other.map_err(|e| e.to_string())?,
    };
    let half_erased = scan::half_erased(fs, dir).map_err(|e| e.to_string())?;
    let mut head = Head::EMPTY;
    let n_segments = offset(segments.len());
    for (segment, number) in segments.iter().zip(0..) {
        if segment.number != number {
            return Err(format!(
                "expected segment {number}, found {}",
                segment.number
            ));
        }
        let mut scan = Scan::open(fs, &segment.path).map_err(|e| e.to_string())?;
        let header = scan.header().map_err(ToString::to_string)?;
        if header.number != number || header.head != head {
            return Err(format!("segment {number} does not continue {head}"));
        }
        head = segment_end(&mut scan, head, number + 1 == n_segments, &half_erased)
            .map_err(|e| format!("segment {number}: {e}"))?;
    }
    Ok(head)
}

fn segment_end<R: File>(
    scan: &mut Scan<R>,
    start: Head,
    is_last: bool,
    half_erased: &[Position],
) -> Result<Head, String> {
    let mut head = start;
    // A block with missing bodies, and whether anything with a checksum came after it.
    let mut doubtful: Option<(Head, String, bool)> = None;
    while let Some(piece) = scan.next_piece().map_err(|e| e.to_string())? {
        match piece {
            Piece::Block { block, bytes, .. } => {
                if block.prev() != head {
                    return Err(format!("a block after {} where {head} is", block.prev()));
                }
                match (&mut doubtful, block.is_mark()) {
                    (Some((_, what, _)), _) if !what.is_empty() => return Err(what.clone()),
                    (Some((_, _, is_marked)), true) => *is_marked = true,
                    (_, true) => {}
                    (_, false) => {
                        doubtful = doubt(&block, half_erased).map(|what| (head, what, false))
                    }
                }
                debug_assert_eq!(block.encoded_len(), bytes.len());
                head = block.head();
            }
            Piece::Gap {
                first_nonzero: None,
                ..
            } => {}
            Piece::Gap {
                first_nonzero: Some(at),
                ..
            } => return Err(format!("not zero at {at}")),
            Piece::Bad(bad) => {
                let is_tail = is_last
                    && bad.resumes_at.is_none()
                    && bad.nonzero_end - bad.offset <= offset(BLOCK_BYTES_MAX);
                if !is_tail || doubtful.is_some() {
                    return Err(format!("at {}: {}", bad.offset, bad.error));
                }
            }
        }
    }
    match doubtful {
        None => Ok(head),
        Some((before, _, false)) if is_last => Ok(before),
        Some((_, what, _)) if !is_last && what.is_empty() => Ok(head),
        Some((_, what, _)) => Err(format!("bodies are missing in the last block: {what}")),
    }
}

/// What is wrong with the bodies of a block; empty when some are only zero.
fn doubt(block: &Block, half_erased: &[Position]) -> Option<String> {
    let missing = block
        .records()
        .iter()
        .filter(|record| !record.commitment_holds());
    let mut is_doubtful = false;
    for record in missing {
        is_doubtful = true;
        let is_begun = half_erased.contains(&record.leaf.position);
        let is_zeroed = is_zero(&record.salt.0) && is_zero(&record.body);
        if !(is_begun || is_zeroed) {
            return Some(format!("another body at {}", record.leaf.position));
        }
    }
    is_doubtful.then(String::new)
}
