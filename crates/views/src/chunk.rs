//! A chunk: up to 128 entries in one value, each a position and a day, positions ascending.
//!
//! One value per entry would cost an insert and some 230 bytes each; a chunk is rewritten whole, and
//! its entries take some four bytes. Layout: how many entries were ever put in (u8) and how many are there
//! (u8), then for each the distance to the position and to the day before, as LEB128 of 64 bits, that of
//! the day in zigzag.

/// Entries in a full chunk.
pub(crate) const CHUNK_LEN: u8 = 128;

/// A position and the day that belongs to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Entry {
    pub(crate) position: u64,
    /// In days since 1970-01-01; [`NO_DAY`] when it is gone.
    pub(crate) day: i32,
}

/// The day of an entry whose content has been erased.
pub(crate) const NO_DAY: i32 = i32::MIN;

/// Entries in order of position.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Chunk {
    /// Entries ever put in. What is taken out leaves no room, so that every chunk but the last is full.
    pushed: u8,
    entries: Vec<Entry>,
}

impl Chunk {
    /// The entries.
    pub(crate) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Whether nothing fits in any more.
    pub(crate) fn is_full(&self) -> bool {
        self.pushed >= CHUNK_LEN
    }

    /// Appends an entry; false when the chunk is full or holds a later one.
    pub(crate) fn push(&mut self, entry: Entry) -> bool {
        let last = self.entries.last();
        let fits = !self.is_full() && last.is_none_or(|last| last.position < entry.position);
        if fits {
            self.pushed += 1;
            self.entries.push(entry);
        }
        fits
    }

    /// Takes the entry of a position out, or only its day; false when there was nothing to take.
    pub(crate) fn strike(&mut self, position: u64, only_day: bool) -> bool {
        let Ok(idx) = self
            .entries
            .binary_search_by_key(&position, |entry| entry.position)
        else {
            return false;
        };
        if !only_day {
            self.entries.remove(idx);
            return true;
        }
        let day = self.entries.get_mut(idx).map(|entry| &mut entry.day);
        day.is_some_and(|day| std::mem::replace(day, NO_DAY) != NO_DAY)
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(8 + self.entries.len() * 5);
        let count = u8::try_from(self.entries.len());
        out.push(self.pushed);
        out.push(count.expect("a chunk has at most 128 entries"));
        let (mut position, mut day) = (0, 0);
        for entry in &self.entries {
            // Distances fit, because positions ascend.
            write_number(&mut out, entry.position - position);
            write_number(&mut out, zigzag(i64::from(entry.day) - day));
            (position, day) = (entry.position, i64::from(entry.day));
        }
        out
    }

    /// `None` when the bytes are no chunk.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Chunk> {
        let [pushed, count, rest @ ..] = bytes else {
            return None;
        };
        let (mut rest, mut position, mut day) = (rest, 0_u64, 0_i64);
        let mut entries: Vec<Entry> = Vec::with_capacity(usize::from(*count));
        for _ in 0..*count {
            position = position.checked_add(read_number(&mut rest)?)?;
            day = day.checked_add(unzigzag(read_number(&mut rest)?))?;
            let day = i32::try_from(day).ok()?;
            if entries.last().is_some_and(|last| last.position >= position) {
                return None;
            }
            entries.push(Entry { position, day });
        }
        let whole = rest.is_empty() && *pushed <= CHUNK_LEN && *pushed >= *count;
        let pushed = *pushed;
        whole.then_some(Chunk { pushed, entries })
    }
}

fn zigzag(number: i64) -> u64 {
    u64::from_ne_bytes(((number << 1) ^ (number >> 63)).to_ne_bytes())
}

fn unzigzag(number: u64) -> i64 {
    let half = i64::from_ne_bytes((number >> 1).to_ne_bytes());
    if number & 1 == 0 { half } else { !half }
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

    fn entry(position: u64) -> Entry {
        Entry { position, day: 7 }
    }

    #[test]
    fn a_chunk_holds_128_ascending_positions() {
        let mut chunk = Chunk::default();
        for position in 0..128 {
            assert!(!chunk.is_full());
            assert!(chunk.push(entry(position * 3)));
            assert!(!chunk.push(entry(position * 3)), "equal is not later");
        }
        assert!(chunk.is_full());
        assert!(!chunk.push(entry(u64::MAX)));
        assert_eq!(Chunk::decode(&chunk.encode()), Some(chunk));
    }

    #[test]
    fn what_is_struck_is_gone_and_leaves_no_room() {
        let mut chunk = Chunk::default();
        (0..128).for_each(|position| assert!(chunk.push(entry(position))));
        assert!(chunk.strike(5, true) && !chunk.strike(5, true));
        assert_eq!(chunk.entries()[5].day, NO_DAY);
        assert!(chunk.strike(5, false) && !chunk.strike(5, false) && !chunk.strike(5, true));
        assert_eq!(chunk.entries().len(), 127);
        assert!(chunk.is_full());
        assert_eq!(Chunk::decode(&chunk.encode()), Some(chunk));
    }

    #[test]
    fn other_bytes_are_no_chunk() {
        for bytes in [
            &[][..],
            &[1],
            &[1, 1, 0x80],
            &[0, 0, 0],
            &[0, 1, 5, 0],
            &[2, 2, 5, 0, 0, 0],
            &[129, 0],
            &[
                1, 1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0,
            ],
        ] {
            assert_eq!(Chunk::decode(bytes), None, "{bytes:?}");
        }
    }

    proptest! {
        #[test]
        fn decoding_undoes_encoding(
            found in prop::collection::btree_map(any::<u64>(), any::<i32>(), 0..=128),
        ) {
            let mut chunk = Chunk::default();
            for (position, day) in found {
                let entry = Entry { position, day };
                prop_assert!(chunk.push(entry));
            }
            prop_assert_eq!(Chunk::decode(&chunk.encode()), Some(chunk));
        }

        #[test]
        fn decoding_never_panics(bytes: Vec<u8>) {
            let _ = Chunk::decode(&bytes);
        }
    }
}
