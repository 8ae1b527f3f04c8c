//! Ten thousand encodings hashed into one constant per format: any change to a byte that is written
//! shows here, even one that decoder and encoder agree on.

use chain::{Hash, Leaf, decode_block};

use crate::samples::{Draw, KEY};

const ENCODINGS: u64 = 10_000;

/// Leaf format 1. A change needs a new version number, never a new constant.
const LEAVES: &str = "ed9a57a8194c938cb0b5a8e4ea677253038848dd5918b40b60ed998d8bd759fc";

/// Block format 1. A change needs a new version number, never a new constant.
const BLOCKS: &str = "95a5d01580ba3489a10cff1216770df6755a4f9f6878804eb92078bb873661dc";

#[test]
fn leaves_are_written_as_ever() {
    let mut draw = Draw::new(1);
    let mut hasher = blake3::Hasher::new();
    for _ in 0..ENCODINGS {
        let leaf = draw.leaf();
        let bytes = leaf.encode();
        assert_eq!(Leaf::decode(&bytes), Ok(leaf));
        hasher.update(&bytes);
    }
    assert_eq!(Hash(*hasher.finalize().as_bytes()).to_string(), LEAVES);
}

#[test]
fn blocks_are_written_as_ever() {
    let mut draw = Draw::new(2);
    let mut hasher = blake3::Hasher::new();
    for _ in 0..ENCODINGS {
        let block = draw.block(5, 100);
        let bytes = block.encode(&KEY);
        assert_eq!(decode_block(&bytes, &KEY), Ok((block, bytes.len())));
        hasher.update(&bytes);
    }
    assert_eq!(Hash(*hasher.finalize().as_bytes()).to_string(), BLOCKS);
}
