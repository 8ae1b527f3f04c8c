//! Fuzz bodies for the formats of `chain`: any bytes are refused or are the one encoding of a value.
//!
//! Functions here rather than in the fuzz targets, so that the ordinary test run executes them too
//! (`tests/it/fuzz.rs`), on a machine without cargo-fuzz.

use chain::{
    BLOCK_CHECKSUM_LEN, Block, ChecksumKey, Head, Leaf, Record, SegmentHeader, block_checksum,
    decode_block, peek_block_len,
};

/// The key under which fuzzed blocks are sealed.
pub const KEY: ChecksumKey = ChecksumKey([0x46; 32]);

/// A leaf either is refused or encodes to the same bytes.
pub fn leaf(data: &[u8]) {
    let Ok(leaf) = Leaf::decode(data) else { return };
    assert_eq!(leaf.encode(), data, "a second encoding of {leaf:?}");
}

/// A block, as given and with its checksum made right, either is refused or encodes to the same bytes.
///
/// Without the second half the checksum would stop the fuzzer before the leaves.
pub fn block(data: &[u8]) {
    one_block(data);
    let Ok(checksum) = block_checksum(data, &KEY) else {
        return;
    };
    let len = peek_block_len(data).expect("the checksum needed the header");
    let mut sealed = data[..len].to_vec();
    sealed.truncate(len - BLOCK_CHECKSUM_LEN);
    sealed.extend_from_slice(&checksum.0);
    one_block(&sealed);
}

fn one_block(data: &[u8]) {
    let Ok((block, len)) = decode_block(data, &KEY) else {
        return;
    };
    assert_eq!(block.encode(&KEY), data[..len], "a second encoding");
    assert_eq!(block.encoded_len(), len);
    let bad = block.bad_commitment();
    assert!(
        bad.is_none_or(|at| block.record(at).is_some()),
        "{bad:?} is not in the block"
    );
    for range in block.frame_ranges() {
        let frame = &data[range];
        let (_, frame_len) = Record::decode_frame(frame).expect("the block decoded");
        assert_eq!(frame_len, frame.len());
    }
    let again = Block::new(block.prev(), block.records().to_vec());
    assert_eq!(
        again.as_ref(),
        Ok(&block),
        "the decoder and the constructor disagree"
    );
}

/// A segment header or a head's text either is refused or is written the same.
pub fn header(data: &[u8]) {
    if let Ok(header) = SegmentHeader::decode(data) {
        assert_eq!(header.encode(), data[..chain::SEGMENT_HEADER_LEN]);
    }
    let text = String::from_utf8_lossy(data);
    if let Ok(head) = text.parse::<Head>() {
        assert_eq!(head.to_string(), text);
    }
}
