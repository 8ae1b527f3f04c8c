//! Segment headers, and the zeros that follow the last block.

use chain::{
    BLOCK_ALIGN_DEFAULT, BLOCK_ALIGN_MAX, ChecksumKey, Hash, Head, SEGMENT_HEADER_LEN,
    SegmentError, SegmentHeader, first_nonzero, is_zero,
};
use proptest::prelude::*;

use crate::samples::Draw;

fn header(seed: u64) -> SegmentHeader {
    let mut draw = Draw::new(seed);
    SegmentHeader {
        number: draw.u64(),
        head: draw.head(),
        block_align: 1 << draw.below(17),
        checksum_key: ChecksumKey(draw.bytes()),
    }
}

proptest! {
    #[test]
    fn a_header_decodes_to_itself_and_no_other_bytes_do(seed: u64, flip in 1_u8..) {
        let header = header(seed);
        let bytes = header.encode();
        let followed = [&bytes[..], b"CBLK"].concat();
        prop_assert_eq!(SegmentHeader::decode(&followed), Ok(header));
        for index in 0..SEGMENT_HEADER_LEN {
            let mut other = bytes;
            other[index] ^= flip;
            prop_assert!(SegmentHeader::decode(&other).is_err(), "byte {}", index);
            prop_assert!(SegmentHeader::decode(&bytes[..index]).is_err());
        }
    }

    #[test]
    fn the_first_byte_that_is_not_zero_is_found(len in 0_usize..1000, at in 0_usize..1000) {
        let mut bytes = vec![0; len];
        prop_assert!(is_zero(&bytes));
        if let Some(byte) = bytes.get_mut(at) {
            *byte = 1;
        }
        prop_assert_eq!(first_nonzero(&bytes), (at < len).then_some(at));
        bytes.fill(1);
        prop_assert_eq!(first_nonzero(&bytes), (len > 0).then_some(0));
    }
}

#[test]
fn alignment_is_a_power_of_two_within_bounds() {
    for found in [0, 3, 4095, BLOCK_ALIGN_MAX * 2] {
        let bytes = SegmentHeader {
            block_align: found,
            ..header(1)
        }
        .encode();
        let expected = SegmentError::Alignment {
            found,
            max: BLOCK_ALIGN_MAX,
        };
        assert_eq!(SegmentHeader::decode(&bytes), Err(expected));
    }
    let head = Head {
        size: 0,
        hash: Hash([1; 32]),
    };
    let bytes = SegmentHeader { head, ..header(1) }.encode();
    assert_eq!(
        SegmentHeader::decode(&bytes),
        Err(SegmentError::Head { found: head })
    );
}

#[test]
fn blocks_start_at_multiples_of_the_alignment() {
    let close = SegmentHeader {
        block_align: BLOCK_ALIGN_DEFAULT,
        ..header(1)
    };
    let apart = SegmentHeader {
        block_align: 4096,
        ..close
    };
    assert_eq!(close.next_block_start(129), Some(129));
    assert_eq!(apart.next_block_start(128), Some(4096));
    assert_eq!(apart.next_block_start(4096), Some(4096));
    assert_eq!(apart.next_block_start(4097), Some(8192));
    assert_eq!(apart.next_block_start(u64::MAX), None);
}
