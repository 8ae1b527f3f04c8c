//! The header of a segment file: which one it is, where its chain starts, how its blocks are aligned and
//! the key of their checksums.
//!
//! Apart from `block` because it is written once per file and is not part of the chain. Layout
//! (`ledger-data/README.md` section 9):
//!
//! ```text
//!   0 "CBSEGMNT"             24 u64 head size       96 [32] checksum: keyed BLAKE3
//!   8 u16 format = 1         32 [32] head hash              of bytes 0 to 64
//!  10 u16 reserved = 0       64 [32] checksum key  128 the first block
//!  12 u32 block alignment
//!  16 u64 segment number
//! ```

use crate::bytes::Reader;
use crate::checksum::ChecksumKey;
use crate::error::SegmentError;
use crate::hash::Hash;
use crate::head::Head;

/// The first eight bytes of a segment.
pub const SEGMENT_MAGIC: [u8; 8] = *b"CBSEGMNT";

/// The version of the segment format written and read here.
pub const SEGMENT_FORMAT: u16 = 1;

/// Bytes of a segment header; the first block starts here.
pub const SEGMENT_HEADER_LEN: usize = 128;

/// Bytes of the header that its checksum covers.
const CHECKED_LEN: usize = 64;

/// Blocks that follow each other without a gap.
pub const BLOCK_ALIGN_DEFAULT: u32 = 1;

/// The largest block alignment in bytes.
pub const BLOCK_ALIGN_MAX: u32 = 65_536;

/// What a segment file opens with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SegmentHeader {
    /// The number in the file's name, from 0, without gaps.
    pub number: u64,
    /// The head before the segment's first record.
    pub head: Head,
    /// Every block starts at a multiple of this many bytes: a power of two from 1 to 65,536.
    pub block_align: u32,
    /// The key of the checksums of this segment's blocks.
    pub checksum_key: ChecksumKey,
}

impl SegmentHeader {
    /// The header's bytes. Only a header that passes [`check`](SegmentHeader::check) decodes again.
    #[must_use]
    pub fn encode(&self) -> [u8; SEGMENT_HEADER_LEN] {
        let mut bytes = Vec::with_capacity(SEGMENT_HEADER_LEN);
        bytes.extend_from_slice(&SEGMENT_MAGIC);
        bytes.extend_from_slice(&SEGMENT_FORMAT.to_be_bytes());
        bytes.extend_from_slice(&[0; 2]);
        bytes.extend_from_slice(&self.block_align.to_be_bytes());
        bytes.extend_from_slice(&self.number.to_be_bytes());
        bytes.extend_from_slice(&self.head.size.to_be_bytes());
        bytes.extend_from_slice(&self.head.hash.0);
        let checksum = blake3::keyed_hash(&self.checksum_key.0, &bytes);
        bytes.extend_from_slice(&self.checksum_key.0);
        bytes.extend_from_slice(checksum.as_bytes());
        bytes.try_into().expect("the fields add up to 128 bytes")
    }

    /// Reads a header from the start of `bytes`.
    ///
    /// # Errors
    /// Too few bytes, another magic or format, a broken rule, or a checksum that differs.
    pub fn decode(bytes: &[u8]) -> Result<SegmentHeader, SegmentError> {
        let mut reader = Reader::new(bytes);
        let magic = reader.array()?;
        if magic != SEGMENT_MAGIC {
            return Err(SegmentError::Magic {
                expected: SEGMENT_MAGIC,
                found: magic,
            });
        }
        let format = reader.u16()?;
        if format != SEGMENT_FORMAT {
            return Err(SegmentError::Format {
                expected: SEGMENT_FORMAT,
                found: format,
            });
        }
        let reserved = reader.u16()?;
        if reserved != 0 {
            return Err(SegmentError::Reserved { found: reserved });
        }
        let block_align = reader.u32()?;
        let number = reader.u64()?;
        let head = Head {
            size: reader.u64()?,
            hash: Hash(reader.array()?),
        };
        let checksum_key = ChecksumKey(reader.array()?);
        let found = Hash(reader.array()?);
        let checked = Reader::new(bytes).slice(CHECKED_LEN)?;
        let expected = Hash(*blake3::keyed_hash(&checksum_key.0, checked).as_bytes());
        if found != expected {
            return Err(SegmentError::Checksum { expected, found });
        }
        let header = SegmentHeader {
            number,
            head,
            block_align,
            checksum_key,
        };
        header.check()?;
        Ok(header)
    }

    /// Checks the rules that a header's own fields must keep.
    ///
    /// # Errors
    /// The first rule that is broken.
    pub fn check(&self) -> Result<(), SegmentError> {
        if !self.block_align.is_power_of_two() || self.block_align > BLOCK_ALIGN_MAX {
            return Err(SegmentError::Alignment {
                found: self.block_align,
                max: BLOCK_ALIGN_MAX,
            });
        }
        if !self.head.is_consistent() {
            return Err(SegmentError::Head { found: self.head });
        }
        Ok(())
    }

    /// Where the next block starts when the header or the last block ends at `end`, in bytes from the
    /// start of the file. `None` past the number range, or if the alignment is zero.
    #[must_use]
    pub fn next_block_start(&self, end: u64) -> Option<u64> {
        end.checked_next_multiple_of(u64::from(self.block_align))
    }
}
