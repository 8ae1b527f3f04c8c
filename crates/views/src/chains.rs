//! Which records are on whose chain: learner to positions.
//!
//! Tree `chains`: handle and number of the chunk (u32) to a [`Chunk`]. Apart from `issued` because a
//! leaf says the revision, so that a position's chunk and place in it are known without a search, a gap
//! is noticed, and replaying a record is noticed in its very place.

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
    /// Whether the two are in the same chunk.
    pub(crate) fn shares_chunk(&self, other: &Link) -> bool {
        let chunk = |link: &Link| (link.handle, link.revision / CHUNK_LEN_U64);
        chunk(self) == chunk(other)
    }

    fn chunk_number(&self) -> Result<u32, ViewsFault> {
        u32::try_from(self.revision / CHUNK_LEN_U64)
            .map_err(|_| ViewsFault::damaged("a revision is beyond all chunks"))
    }
}

const CHUNK_LEN_U64: u64 = 128;
const _: () = assert!(CHUNK_LEN == 128);

/// Takes in links of one chunk, along the chain.
pub(crate) fn extend(chains: &Sealed, links: &[Link]) -> Result<(), ViewsFault> {
    let Some(first) = links.first() else {
        return Ok(());
    };
    let key = key(first.handle, first.chunk_number()?);
    let mut chunk = match chains.get(&key)? {
        Some(content) => decode(chains, &content)?,
        None => Chunk::default(),
    };
    let len_before = chunk.positions().len();
    for link in links {
        place(chains, &mut chunk, link)?;
    }
    if chunk.positions().len() > len_before {
        chains.put(&key, chunk.encode())?;
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

/// The positions on one chain below `size`, ascending, appended to `out`; `waiting` are the links of that
/// chain that were not written before this was called.
pub(crate) fn read(
    chains: &Sealed,
    handle: Handle,
    waiting: &[Link],
    size: u64,
    out: &mut Vec<u64>,
) -> Result<(), ViewsFault> {
    let mut len = 0_u64;
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
        len += u64::from(chunk.len());
    }
    for link in waiting {
        if link.revision < len {
            continue;
        }
        if link.revision != len {
            return Err(chains.damaged());
        }
        len += 1;
        out.extend((link.position < size).then_some(link.position));
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
