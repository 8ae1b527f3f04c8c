//! Runs every fuzz body over its corpus and a bounded search around it, the same on every run.
//!
//! The search is no match for cargo-fuzz (`tests/fuzz/`), but it runs with every test and finds what a
//! careless change breaks.

use std::path::Path;

use creditbank_tests::{fuzz_chain, fuzz_ledger};

/// Mutations tried per seed input.
const ROUNDS: u64 = 10_000;

#[test]
fn leaves_are_refused_or_canonical() {
    search("chain_leaf", fuzz_chain::leaf);
}

#[test]
fn blocks_are_refused_or_canonical() {
    search("chain_block", fuzz_chain::block);
}

#[test]
fn headers_are_refused_or_canonical() {
    search("chain_header", fuzz_chain::header);
}

#[test]
fn event_bodies_are_refused_or_canonical() {
    search("ledger_event", fuzz_ledger::event);
}

#[test]
fn submissions_are_explained_or_understood() {
    search("ledger_submission", fuzz_ledger::submission);
}

#[test]
fn statements_are_refused_or_canonical() {
    search("ledger_statement", fuzz_ledger::statement);
}

#[test]
fn the_corpus_holds_inputs_that_decode() {
    // Otherwise the search would only ever knock on the first check.
    let accepted = |target: &str, accepts: fn(&[u8]) -> bool| {
        assert!(
            corpus(target).iter().any(|(_, input)| accepts(input)),
            "{target}"
        );
    };
    accepted("chain_leaf", |input| chain::Leaf::decode(input).is_ok());
    accepted("chain_block", |input| {
        chain::decode_block(input, &fuzz_chain::KEY).is_ok()
    });
    accepted("chain_header", |input| {
        chain::SegmentHeader::decode(input).is_ok()
    });
    accepted("ledger_event", |input| {
        let learner = Some(ledger::Handle([7; 16]));
        ledger::codec::decode(50, "uni", "uni", learner, &input[2..]).is_ok()
    });
    accepted("ledger_statement", |input| {
        ledger::codec::decode_statement(input).is_ok()
    });
    accepted("ledger_submission", |input| {
        let wire = <api::v1::Achievement as prost::Message>::decode(input);
        wire.is_ok_and(|wire| !wire.record_id.is_empty())
    });
}

fn search(target: &str, body: fn(&[u8])) {
    for (name, input) in corpus(target) {
        body(&input);
        let mut random = Random(0x9e37_79b9_7f4a_7c15);
        for round in 0..ROUNDS {
            let mutated = mutate(&input, &mut random);
            let outcome = std::panic::catch_unwind(|| body(&mutated));
            assert!(
                outcome.is_ok(),
                "{target}: {name}, round {round}: {mutated:02x?}"
            );
        }
    }
}

fn corpus(target: &str) -> Vec<(String, Vec<u8>)> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fuzz/corpus")
        .join(target);
    let mut inputs: Vec<_> = std::fs::read_dir(&dir)
        .unwrap_or_else(|error| panic!("{}: {error}", dir.display()))
        .map(|entry| entry.expect("a readable directory"))
        .map(|entry| {
            let input = std::fs::read(entry.path()).expect("a readable file");
            (entry.file_name().to_string_lossy().into_owned(), input)
        })
        .collect();
    inputs.sort();
    inputs
}

/// Changes a few bytes, a length or the end: what a bad disk or a careless writer would.
fn mutate(input: &[u8], random: &mut Random) -> Vec<u8> {
    let mut bytes = input.to_vec();
    for _ in 0..=random.up_to(3) {
        let at = random.up_to(bytes.len());
        match random.up_to(6) {
            0 => bytes.truncate(at),
            1 => bytes.insert(at, random.byte()),
            2 if at < bytes.len() => drop(bytes.remove(at)),
            3 if at < bytes.len() => bytes[at] = [0, 1, 0x7f, 0x80, 0xff][random.up_to(4)],
            _ if at < bytes.len() => bytes[at] ^= random.byte(),
            _ => bytes.push(random.byte()),
        }
    }
    bytes
}

/// Xorshift (Marsaglia, 2003): enough to pick bytes to change, and the same everywhere.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn byte(&mut self) -> u8 {
        self.next().to_be_bytes()[0]
    }

    /// From 0 to `last`, inclusive.
    fn up_to(&mut self, last: usize) -> usize {
        usize::try_from(self.next() % 1_000_000_007).expect("fits 32 bits") % (last + 1)
    }
}
