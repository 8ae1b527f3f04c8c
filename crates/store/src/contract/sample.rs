//! Records for the suite: deterministic, with one key from the leaf and one from the body.
//!
//! Apart from the cases because back ends use them in tests of their own.

use chain::{BlockBuilder, Handle, Head, Institution, Position, Record, Salt, Timestamp};

use crate::{Key, Keys};

/// The first 16 bytes of a sample body are its key; the learner's handle is another.
#[derive(Debug, Clone, Copy, Default)]
pub struct SampleKeys;

impl Keys for SampleKeys {
    fn keys_of(&self, record: &Record) -> Vec<Key> {
        let of_leaf = record.leaf.learner.map(|link| Key(spread(link.handle.0)));
        let of_body = record.body.first_chunk().map(|start| Key(*start));
        let of_body = of_body.filter(|_| !record.is_erased());
        of_leaf.into_iter().chain(of_body).collect()
    }
}

/// The key that the body of every record made with `name` has.
pub fn body_key(name: u64) -> Key {
    let mut bytes = [0xb0; 16];
    bytes[..8].copy_from_slice(&name.to_be_bytes());
    Key(spread(bytes))
}

/// The key that the leaf of every record made with `name` has.
pub fn handle_key(name: u64) -> Key {
    Key(spread(handle(name).0))
}

/// A body of `len` bytes, at least 16, that carries [`body_key`] of `name`.
pub fn record_body(name: u64, len: usize) -> Vec<u8> {
    let mut body = body_key(name).0.to_vec();
    let filler = name.to_le_bytes();
    body.extend(
        filler
            .iter()
            .cycle()
            .map(|b| b | 1)
            .take(len.saturating_sub(body.len())),
    );
    body
}

/// A block after `prev` with one record per name, each with a body of `body_len` bytes.
///
/// # Panics
/// If the records do not fit into a block.
pub fn block(prev: Head, names: &[u64], body_len: usize) -> chain::Block {
    let mut builder = BlockBuilder::new(prev, Timestamp(1_000 + prev.size));
    for name in names {
        let salt = Salt(std::array::from_fn(|i| name.to_be_bytes()[i % 8] ^ 0x5a));
        let (bank, body) = (Institution::OPERATOR, record_body(*name, body_len));
        let learner = Some((handle(*name), None));
        builder
            .push(1, bank, bank, learner, salt, body)
            .expect("a record that fits");
    }
    builder.finish()
}

/// The keys of a block, as [`crate::EventStore::append_keyed`] takes them.
pub fn keys_of_block(block: &chain::Block) -> Vec<(Key, Position)> {
    let of_record = |record: &Record| {
        let position = record.leaf.position;
        let keys = SampleKeys.keys_of(record).into_iter();
        keys.map(move |key| (key, position))
    };
    block.records().iter().flat_map(of_record).collect()
}

fn handle(name: u64) -> Handle {
    let mut bytes = [0xa1; 16];
    bytes[8..].copy_from_slice(&name.to_be_bytes());
    Handle(bytes)
}

/// Real keys are hashes and so uniform; a multiplication by an odd constant is enough like it.
fn spread(bytes: [u8; 16]) -> [u8; 16] {
    const ODD: u128 = 0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835;
    let product = u128::from_be_bytes(bytes).wrapping_mul(ODD);
    (product ^ (product >> 61)).wrapping_mul(ODD).to_be_bytes()
}
