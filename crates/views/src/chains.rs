//! Which records are on whose chain: learner to positions.
//!
//! Tree `chains`: handle and number of the chunk (u32) to a [`Chunk`]. Apart from `issued` because a
//! leaf says the revision, so that a position's chunk and place in it are known without a search, and
//! replaying a record is noticed in its very place.

use ledger::Handle;

use crate::chunk::{CHUNK_LEN, Chunk};
use crate::fault::ViewsFault;
use crate::sealed::{Content, Sealed};

/// Where a record lies on a learner's chain. Ordered by learner, then along the chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Link {
    pub(crate) handle: [u8; 16],
    pub(crate) revision: u64,
    pub(crate) position: u64,
}

impl Link {
    fn chunk_number(&self) -> Result<u32, ViewsFault> {
        u32::try_from(self.revision / CHUNK_LEN_U64)
            .map_err(|_| ViewsFault::damaged("a revision is beyond all chunks"))
    }
}

const CHUNK_LEN_U64: u64 = 128;
const _: () = assert!(CHUNK_LEN == 128);

/// Takes in the links of a batch, sorted: one read and one write per chunk that it touches.
///
/// Sorted also because neighbours in the tree share a node, which is then in memory already.
pub(crate) fn extend(chains: &Sealed, links: &[Link]) -> Result<(), ViewsFault> {
    let same_chunk = |a: &Link, b: &Link| {
        a.handle == b.handle && a.revision / CHUNK_LEN_U64 == b.revision / CHUNK_LEN_U64
    };
    for of_chunk in links.chunk_by(same_chunk) {
        let Some(first) = of_chunk.first() else {
            continue;
        };
        let key = key(first.handle, first.chunk_number()?);
        let mut chunk = match chains.get(&key)? {
            Some(content) => decode(chains, &content)?,
            None => Chunk::default(),
        };
        let len_before = chunk.positions().len();
        for link in of_chunk {
            place(chains, &mut chunk, link)?;
        }
        if chunk.positions().len() > len_before {
            chains.put(&key, chunk.encode())?;
        }
    }
    Ok(())
}

/// Puts a position in its place, or finds it there.
fn place(chains: &Sealed, chunk: &mut Chunk, link: &Link) -> Result<(), ViewsFault> {
    let index = usize::try_from(link.revision % CHUNK_LEN_U64).map_err(|_| chains.damaged())?;
    let fits = match chunk.positions().get(index) {
        Some(there) => *there == link.position,
        None => index == chunk.positions().len() && chunk.push(link.position),
    };
    if fits { Ok(()) } else { Err(chains.damaged()) }
}

/// The positions on one chain below `size`, ascending, appended to `out`.
pub(crate) fn read(
    chains: &Sealed,
    handle: Handle,
    size: u64,
    out: &mut Vec<u64>,
) -> Result<(), ViewsFault> {
    let mut full = true;
    for (number, entry) in (0_u32..).zip(chains.under(&handle.0)) {
        let (found, content) = entry?;
        // Every chunk but the last is full, or one has been lost.
        if !full || *found != key(handle.0, number) {
            return Err(chains.damaged());
        }
        let chunk = decode(chains, &content)?;
        full = chunk.is_full();
        out.extend(
            chunk
                .positions()
                .iter()
                .take_while(|position| **position < size),
        );
    }
    Ok(())
}

fn decode(chains: &Sealed, content: &Content) -> Result<Chunk, ViewsFault> {
    Chunk::decode(content.bytes()).ok_or_else(|| chains.damaged())
}

fn key(handle: [u8; 16], number: u32) -> [u8; 20] {
    let mut key = [0; 20];
    let (of_handle, of_number) = key.split_at_mut(16);
    of_handle.copy_from_slice(&handle);
    of_number.copy_from_slice(&number.to_be_bytes());
    key
}
