//! Runs every fuzz body over its corpus and a bounded search around it, the same on every run.
//!
//! The search is no match for cargo-fuzz (`tests/fuzz/`), but it runs with every test and finds what a
//! careless change breaks.

use std::path::Path;

use creditbank_tests::{fuzz_chain, fuzz_ledger};

/// Mutations tried per seed input.
const ROUNDS: u64 = 10_000;

const SEED: u64 = 0x9e37_79b9_7f4a_7c15;

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
fn every_fuzz_target_has_seeds_and_is_searched() {
    let here = include_str!("fuzz.rs");
    let names = |directory: &str| -> Vec<String> {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(directory);
        let entries = std::fs::read_dir(path).expect("a readable directory");
        let name = |path: std::path::PathBuf| path.file_stem()?.to_str().map(str::to_owned);
        let mut names: Vec<String> = entries
            .filter_map(|entry| name(entry.ok()?.path()))
            .collect();
        names.sort();
        names
    };
    let targets = names("fuzz/fuzz_targets");
    assert_eq!(targets, names("fuzz/corpus"));
    for target in targets {
        assert!(here.contains(&format!("search(\"{target}\"")), "{target}");
    }
}

#[test]
fn seeds_decode_and_so_does_some_of_what_is_made_of_them() {
    // Otherwise the search would only ever knock on the first check.
    let accepted = |target: &str, accepts: fn(&[u8]) -> bool| {
        let seeds: Vec<_> = corpus(target);
        let (name, seed) = seeds
            .iter()
            .find(|(_, seed)| accepts(seed))
            .unwrap_or_else(|| panic!("{target}"));
        let mut random = Random(SEED);
        let mut made = (0..ROUNDS).map(|_| mutate(seed, &mut random));
        let other = made.any(|made| made != *seed && accepts(&made));
        assert!(other, "{target}: {name}");
    };
    accepted("chain_leaf", |input| chain::Leaf::decode(input).is_ok());
    accepted("chain_header", |input| {
        chain::SegmentHeader::decode(input).is_ok()
    });
    accepted("ledger_event", |input| decoded_achievement(input).is_some());
    accepted("ledger_event", |input| {
        decoded_achievement(input).is_some_and(|recorded| recorded.signature.is_some())
    });
    for reference in ["document", "handle", "student"] {
        let seeds = corpus("ledger_statement");
        assert!(seeds.iter().any(|(name, _)| name == reference));
    }
    accepted("ledger_statement", |input| {
        ledger::codec::decode_statement(input).is_ok()
    });
    accepted("ledger_submission", |input| {
        let wire = <api::v1::Achievement as prost::Message>::decode(input);
        wire.is_ok_and(|wire| !wire.record_id.is_empty())
    });
    // What is made of a block has a checksum that no longer fits; the body makes it right.
    let block = |(_, seed): &(String, Vec<u8>)| chain::decode_block(seed, &fuzz_chain::KEY).is_ok();
    assert!(corpus("chain_block").iter().any(block));
}

fn decoded_achievement(input: &[u8]) -> Option<ledger::event::AchievementRecorded> {
    let learner = Some(ledger::Handle([7; 16]));
    let body = input.strip_prefix(&[0, 50])?;
    match ledger::codec::decode(50, "uni", "uni", learner, body) {
        Ok(event) => match event.body {
            ledger::Body::AchievementRecorded(recorded) => Some(recorded),
            _ => None,
        },
        Err(_) => None,
    }
}

fn search(target: &str, body: fn(&[u8])) {
    for (name, input) in corpus(target) {
        body(&input);
        let mut random = Random(SEED);
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
