//! A chunk: up to 128 ascending positions in one value.
//!
//! One value per position would cost an insert and some 230 bytes each; a chunk is rewritten whole, but
//! holds most learners' history in one value. Layout: the number of positions (u8), the first one, then
//! the distances to the next ones, all as LEB128 of 64 bits.

/// Positions in a full chunk.
pub(crate) const CHUNK_LEN: usize = 128;

/// Ascending positions, at most [`CHUNK_LEN`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Chunk(Vec<u64>);

impl Chunk {
    /// The positions.
    pub(crate) fn positions(&self) -> &[u64] {
        &self.0
    }

    /// How many there are.
    pub(crate) fn len(&self) -> u8 {
        u8::try_from(self.0.len()).expect("a chunk has at most 128 positions")
    }

    /// Whether no position fits in any more.
    pub(crate) fn is_full(&self) -> bool {
        self.0.len() >= CHUNK_LEN
    }

    /// Appends a position; false when the chunk is full or holds a later one.
    pub(crate) fn push(&mut self, position: u64) -> bool {
        let fits = !self.is_full() && self.0.last().is_none_or(|last| *last < position);
        if fits {
            self.0.push(position);
        }
        fits
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(4 + self.0.len() * 4);
        out.push(self.len());
        let mut previous = 0;
        for position in &self.0 {
            // Distances fit, because positions ascend.
            write_number(&mut out, position - previous);
            previous = *position;
        }
        out
    }

    /// `None` when the bytes are no chunk.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Chunk> {
        let (count, mut rest) = bytes.split_first()?;
        let mut chunk = Chunk(Vec::with_capacity(usize::from(*count)));
        let mut previous = 0_u64;
        for _ in 0..*count {
            previous = previous.checked_add(read_number(&mut rest)?)?;
            if !chunk.push(previous) {
                return None;
            }
        }
        rest.is_empty().then_some(chunk)
    }
}

fn write_number(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(0x80 | low_bits(number));
        number >>= 7;
    }
    out.push(low_bits(number));
}

fn low_bits(number: u64) -> u8 {
    u8::try_from(number & 0x7f).expect("seven bits fit into a byte")
}

fn read_number(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0_u64;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        let bits = u64::from(byte & 0x7f);
        if bits.checked_shl(shift)? >> shift != bits {
            return None;
        }
        number |= bits << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_chunk_holds_128_ascending_positions() {
        let mut chunk = Chunk::default();
        for position in 0..128 {
            assert!(!chunk.is_full());
            assert!(chunk.push(position * 3));
            assert!(!chunk.push(position * 3), "equal is not later");
        }
        assert!(chunk.is_full());
        assert!(!chunk.push(u64::MAX));
        assert_eq!(Chunk::decode(&chunk.encode()), Some(chunk));
    }

    #[test]
    fn other_bytes_are_no_chunk() {
        for bytes in [
            &[][..],
            &[1],
            &[1, 0x80],
            &[0, 0],
            &[2, 5, 0],
            &[129],
            &[1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2],
        ] {
            assert_eq!(Chunk::decode(bytes), None, "{bytes:?}");
        }
    }

    proptest! {
        #[test]
        fn decoding_undoes_encoding(mut positions: Vec<u64>) {
            positions.sort_unstable();
            positions.dedup();
            let chunk = Chunk(positions);
            prop_assume!(chunk.0.len() <= CHUNK_LEN);
            prop_assert_eq!(Chunk::decode(&chunk.encode()), Some(chunk));
        }

        #[test]
        fn decoding_never_panics(bytes: Vec<u8>) {
            let _ = Chunk::decode(&bytes);
        }
    }
}
