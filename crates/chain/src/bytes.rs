//! A cursor over untrusted bytes that counts what it has read.
//!
//! Apart from the decoders so that none of them indexes: every read either succeeds or says how many
//! bytes were needed.

/// There were fewer bytes than a read needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Short {
    /// How many bytes, from the start, would have been enough for this read.
    pub(crate) needed: usize,
    /// How many there are.
    pub(crate) found: usize,
}

/// Reads big-endian integers, arrays and slices, front to back.
pub(crate) struct Reader<'a> {
    bytes: &'a [u8],
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Reader<'a> {
        Reader { bytes, rest: bytes }
    }

    /// How many bytes were read.
    pub(crate) fn offset(&self) -> usize {
        self.bytes.len() - self.rest.len()
    }

    pub(crate) fn is_at_end(&self) -> bool {
        self.rest.is_empty()
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], Short> {
        let (array, rest) = self.rest.split_first_chunk().ok_or_else(|| self.short(N))?;
        self.rest = rest;
        Ok(*array)
    }

    pub(crate) fn slice(&mut self, len: usize) -> Result<&'a [u8], Short> {
        let (slice, rest) = self
            .rest
            .split_at_checked(len)
            .ok_or_else(|| self.short(len))?;
        self.rest = rest;
        Ok(slice)
    }

    pub(crate) fn u8(&mut self) -> Result<u8, Short> {
        self.array().map(|[byte]| byte)
    }

    pub(crate) fn u16(&mut self) -> Result<u16, Short> {
        self.array().map(u16::from_be_bytes)
    }

    pub(crate) fn u32(&mut self) -> Result<u32, Short> {
        self.array().map(u32::from_be_bytes)
    }

    pub(crate) fn u64(&mut self) -> Result<u64, Short> {
        self.array().map(u64::from_be_bytes)
    }

    /// The leaf and body lengths that open a frame, left unread so that a checksum can cover them.
    pub(crate) fn peek_frame_head(&self) -> Result<(usize, usize), Short> {
        let mut ahead = Reader {
            bytes: self.bytes,
            rest: self.rest,
        };
        let leaf_len = usize::from(ahead.u16()?);
        let body_len = ahead.u32()?;
        // On a machine whose usize is shorter than the length, no such body can be in memory.
        let body_len = usize::try_from(body_len).map_err(|_| self.short(usize::MAX))?;
        Ok((leaf_len, body_len))
    }

    fn short(&self, len: usize) -> Short {
        Short {
            needed: self.offset().saturating_add(len),
            found: self.bytes.len(),
        }
    }
}
