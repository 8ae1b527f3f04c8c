//! The test vectors of `ledger-data/README.md`, read from that file: the description and the code cannot
//! drift apart.

use std::fmt::Write;

use chain::{
    Block, BlockBuilder, ChecksumKey, Handle, Head, Institution, Position, Salt, SegmentHeader,
    Timestamp, chain_hash, commit, decode_block,
};

const README: &str = include_str!("../../../../ledger-data/README.md");

/// The opening of the one fenced block that holds the vectors.
const FENCE: &str = "```vectors\n";

/// What the README's section "Test vectors" says in words.
const KEY: ChecksumKey = ChecksumKey([0x40; 32]);
const LEARNER: Handle = Handle([0x0a; 16]);
const SALTS: [Salt; 3] = [Salt([0x11; 32]), Salt([0x12; 32]), Salt([0x13; 32])];
const BODIES: [&[u8]; 3] = [
    b"ledger opened",
    b"learner registered",
    b"achievement recorded",
];

fn block() -> Block {
    let id = |text| Institution::try_from(text).expect("short and graphic");
    let (operator, university, college) = (id(""), id("ou.example"), id("college-7"));
    let mut builder = BlockBuilder::new(Head::EMPTY, Timestamp(1_795_219_200_000_000));
    let mut tip = None;
    let rows = [
        (1, operator, operator, None),
        (30, university, university, Some(LEARNER)),
        (50, college, university, Some(LEARNER)),
    ];
    for ((kind, issuer, submitter, handle), (salt, body)) in
        rows.into_iter().zip(SALTS.into_iter().zip(BODIES))
    {
        let learner = handle.map(|handle| (handle, tip));
        let pushed = builder.push(kind, issuer, submitter, learner, salt, body.to_vec());
        tip = pushed.expect("three short records").tip;
    }
    builder.finish()
}

/// All vectors with their names, in the README's order.
fn computed() -> Vec<(String, String)> {
    let block = block();
    let header = SegmentHeader {
        number: 0,
        head: Head::EMPTY,
        block_align: 1,
        checksum_key: KEY,
    };
    let mut vectors = vec![];
    let mut add = |name: String, bytes: &[u8]| {
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        vectors.push((name, hex));
    };
    add("segment-header".into(), &header.encode());
    for ((index, record), (salt, body)) in block
        .records()
        .iter()
        .enumerate()
        .zip(SALTS.iter().zip(BODIES))
    {
        let leaf = record.leaf.encode();
        add(format!("commitment-{index}"), &commit(salt, body).0);
        add(format!("leaf-{index}"), &leaf);
        add(format!("chain-hash-{index}"), &chain_hash(&leaf).0);
    }
    add("block".into(), &block.encode(&KEY));
    add("head-mark".into(), &Block::mark(block.head()).encode(&KEY));
    vectors
}

/// The vectors as the README prints them: a name, then hex in lines of 64 digits.
fn printed(vectors: &[(String, String)]) -> String {
    let mut text = String::new();
    for (name, hex) in vectors {
        writeln!(text, "{name}").expect("a string takes any text");
        for line in hex.as_bytes().chunks(64) {
            writeln!(text, "  {}", String::from_utf8_lossy(line)).expect("a string takes any text");
        }
    }
    text
}

#[test]
fn the_readme_prints_the_vectors_that_the_code_computes() {
    let (_, after) = README
        .split_once(FENCE)
        .expect("the README has a block of vectors");
    let (found, _) = after.split_once("```").expect("the block of vectors ends");
    let expected = printed(&computed());
    assert_eq!(found, expected, "\nthe README should say:\n{expected}");
}

#[test]
fn the_readme_names_the_context_string() {
    assert!(README.contains(chain::CHAIN_CONTEXT));
}

#[test]
fn the_vectors_read_back() {
    let block = block();
    let mut erased = block.clone();
    erased.erase(Position(2));
    let bytes = erased.encode(&KEY);
    assert_eq!(decode_block(&bytes, &KEY), Ok((erased, bytes.len())));
    // The bytes that the README says an erasure overwrites.
    assert_eq!(block.erasable_range(Position(2)), Some(658..710));
    // Erasure leaves the checksum, and with it every proof, as it was.
    assert!(block.encode(&KEY).ends_with(&bytes[bytes.len() - 32..]));
}
