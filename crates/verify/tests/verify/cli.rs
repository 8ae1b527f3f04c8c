//! The command as an auditor runs it: exact output and exit codes.

use std::path::Path;
use std::process::{Command, Output};

use durable::OsFs;
use expect_test::expect;

use crate::bank::{Bank, event, handle};
use crate::forge::recorded;
use crate::image::{Image, Layout, short};

fn verify(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_creditbank-verify"))
        .args(args)
        .output()
        .unwrap()
}

/// Exit code, standard output and standard error, without the temporary directory's name.
fn shown(dir: &Path, args: &[&str]) -> String {
    let path = dir.to_str().unwrap();
    let args: Vec<&str> = args
        .iter()
        .map(|arg| if *arg == "DIR" { path } else { arg })
        .collect();
    let output = verify(&args);
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap().replace(path, "DIR");
    let (out, err) = (text(output.stdout), text(output.stderr));
    short(&format!(
        "exit {}\n{out}{err}",
        output.status.code().unwrap()
    ))
}

fn on_disk(image: &Image) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    image.put(&OsFs, dir.path());
    dir
}

#[test]
fn a_clean_ledger() {
    let dir = on_disk(&Image::of(&Bank::sample()));
    expect![[r#"
        exit 0
        CLEAN: everything that can be checked is as it must be

        head          23:d109eee5..
        records       23 (ledger 1, registry 6, learner 8, achievement 8)
        institutions  2
        learners      3
        erased bodies 0
        on disk       8,192 bytes; segments 2, blocks 8, head marks 1
        re-admitted   23 of 23
        issuer-signed none
    "#]]
    .assert_eq(&shown(dir.path(), &["DIR"]));
    expect![[r#"
        exit 0
        {
          "clean": true,
          "head": "23:d109eee5..",
          "counts": {
            "records": 23,
            "ledger": 1,
            "registry": 6,
            "learner": 8,
            "achievement": 8,
            "unknown": 0,
            "unreadable": 0,
            "learners": 3,
            "institutions": 2,
            "erased_bodies": 0,
            "blocks": 8,
            "head_marks": 1,
            "segments": 2,
            "bytes": 8192
          },
          "hashes_only": false,
          "admissions": {
            "admitted": 23,
            "refused": 0,
            "erased": 0,
            "resting_on_erased": 0,
            "damaged": 0,
            "after_stop": 0
          },
          "signatures": {
            "signed": 0,
            "genuine": 0
          },
          "findings_total": 0,
          "findings": [],
          "notes": []
        }
    "#]]
    .assert_eq(&shown(dir.path(), &["DIR", "--json"]));
}

#[test]
fn hashes_only_of_a_clean_ledger_and_of_a_tampered_one() {
    let dir = on_disk(&Image::of(&Bank::sample()));
    expect![[r#"
        exit 0
        CLEAN as far as hashes go: each is what it must be; what bodies say was not asked

        head          23:d109eee5..
        records       23 (ledger 1, registry 6, learner 8, achievement 8)
        institutions  2
        learners      3
        erased bodies 0
        on disk       8,192 bytes; segments 2, blocks 8, head marks 1
        checked       bytes of the log, the ledger's chain, learners' chains, bodies against their commitments, erasures
        not checked   what bodies say, the rules of admission, issuers' signatures
    "#]].assert_eq(&shown(dir.path(), &["DIR", "--hashes-only"]));
    expect![[r#"
        exit 1
        NOT CLEAN: 2 findings, the first at position 11, segment 0, byte 2915
          broken:   a body is what its leaf commits to
          expected: body commitment c0acc085..
          found:    body commitment 56d04be8..

        head          23:d109eee5..
        records       23 (ledger 1, registry 6, learner 8, achievement 8)
        institutions  2
        learners      3
        erased bodies 0
        on disk       8,192 bytes; segments 2, blocks 8, head marks 1
        checked       bytes of the log, the ledger's chain, learners' chains, bodies against their commitments, erasures
        not checked   what bodies say, the rules of admission, issuers' signatures
        other findings
        at position 13, segment 0, byte 2915
          broken:   a body is what its leaf commits to
          expected: body commitment a2161c01..
          found:    body commitment a209259d..
    "#]].assert_eq(&shown(tampered().path(), &["DIR", "--hashes-only"]));
    let help = verify(&["--help"]);
    let help = String::from_utf8(help.stdout).unwrap();
    assert!(
        help.contains("--hashes-only") && help.contains("Not checked:"),
        "{help}"
    );
}

/// The exit code alone would say too much: programs must see what was not asked.
#[test]
fn hashes_only_says_nothing_of_the_rules() {
    let mut bank = Bank::sample();
    bank.force(&[event("nobody", Some(handle(1)), recorded("F-1", "F"))]);
    let forged = on_disk(&Image::of(&bank));
    expect![[r#"
        exit 0
        {
          "clean": true,
          "head": "24:d428c508..",
          "counts": {
            "records": 24,
            "ledger": 1,
            "registry": 6,
            "learner": 8,
            "achievement": 9,
            "unknown": 0,
            "unreadable": 0,
            "learners": 3,
            "institutions": 2,
            "erased_bodies": 0,
            "blocks": 9,
            "head_marks": 1,
            "segments": 2,
            "bytes": 8192
          },
          "hashes_only": true,
          "admissions": {
            "admitted": 0,
            "refused": 0,
            "erased": 0,
            "resting_on_erased": 0,
            "damaged": 0,
            "after_stop": 0
          },
          "signatures": {
            "signed": 0,
            "genuine": 0
          },
          "findings_total": 0,
          "findings": [],
          "notes": []
        }
    "#]]
    .assert_eq(&shown(forged.path(), &["DIR", "--hashes-only", "--json"]));
}

#[test]
fn a_torn_ledger() {
    let bank = Bank::sample();
    let mut image = Image::laid_out(
        &bank.blocks,
        Layout {
            mark: false,
            ..Layout::default()
        },
    );
    let last = *image.places.last().unwrap();
    image.segment(last.segment)[last.start + 200..].fill(0);
    let dir = on_disk(&image);
    expect![[r#"
        exit 0
        CLEAN: everything that can be checked is as it must be

        head          21:7e4099f6..
        records       21 (ledger 1, registry 6, learner 8, achievement 6)
        institutions  2
        learners      3
        erased bodies 0
        on disk       8,192 bytes; segments 2, blocks 7, head marks 0
        re-admitted   21 of 21
        issuer-signed none
        notes
          torn tail: 200 bytes from byte 2093 of segment 1 on are the rest of a write that was never acknowledged; the next start of the ledger cuts them
    "#]].assert_eq(&shown(dir.path(), &["DIR"]));
    let head = bank.head().to_string();
    expect![[r#"
        exit 1
        NOT CLEAN: 1 finding at position 22
          broken:   the ledger holds the expected head
          expected: head 23:d109eee5..
          found:    only 21 records

        head          21:7e4099f6..
        expected      23:d109eee5..
        records       21 (ledger 1, registry 6, learner 8, achievement 6)
        institutions  2
        learners      3
        erased bodies 0
        on disk       8,192 bytes; segments 2, blocks 7, head marks 0
        re-admitted   21 of 21
        issuer-signed none
        notes
          torn tail: 200 bytes from byte 2093 of segment 1 on are the rest of a write that was never acknowledged; the next start of the ledger cuts them
    "#]].assert_eq(&shown(dir.path(), &["DIR", "--expect-head", &head]));
}

fn tampered() -> tempfile::TempDir {
    let mut image = Image::of(&Bank::sample());
    let at = image.places[3];
    image.segment(at.segment)[at.start + 270] ^= 1;
    image.segment(at.segment)[at.start + 800] ^= 1;
    on_disk(&image)
}

#[test]
fn a_tampered_ledger() {
    let dir = tampered();
    expect![[r#"
        exit 1
        NOT CLEAN: 2 findings, the first at position 11, segment 0, byte 2915
          broken:   a body is what its leaf commits to
          expected: body commitment c0acc085..
          found:    body commitment 56d04be8..

        head          23:d109eee5..
        records       23 (ledger 1, registry 6, learner 8, achievement 8)
        institutions  2
        learners      3
        erased bodies 0
        on disk       8,192 bytes; segments 2, blocks 8, head marks 1
        re-admitted   18 of 23
                      3 not judged: what they rest on is erased or damaged
                      2 not judged: damaged
        issuer-signed none
        other findings
        at position 13, segment 0, byte 2915
          broken:   a body is what its leaf commits to
          expected: body commitment a2161c01..
          found:    body commitment a209259d..
    "#]]
    .assert_eq(&shown(dir.path(), &["DIR"]));
}

#[test]
fn a_tampered_ledger_for_programs() {
    let dir = tampered();
    expect![[r#"
        exit 1
        {
          "clean": false,
          "head": "23:d109eee5..",
          "counts": {
            "records": 23,
            "ledger": 1,
            "registry": 6,
            "learner": 8,
            "achievement": 8,
            "unknown": 0,
            "unreadable": 0,
            "learners": 3,
            "institutions": 2,
            "erased_bodies": 0,
            "blocks": 8,
            "head_marks": 1,
            "segments": 2,
            "bytes": 8192
          },
          "hashes_only": false,
          "admissions": {
            "admitted": 18,
            "refused": 0,
            "erased": 0,
            "resting_on_erased": 3,
            "damaged": 2,
            "after_stop": 0
          },
          "signatures": {
            "signed": 0,
            "genuine": 0
          },
          "findings_total": 2,
          "findings": [
            {
              "position": 11,
              "segment": 0,
              "offset": 2915,
              "invariant": "a_body_is_what_its_leaf_commits_to",
              "expected": "body commitment c0acc085..",
              "found": "body commitment 56d04be8.."
            },
            {
              "position": 13,
              "segment": 0,
              "offset": 2915,
              "invariant": "a_body_is_what_its_leaf_commits_to",
              "expected": "body commitment a2161c01..",
              "found": "body commitment a209259d.."
            }
          ],
          "notes": []
        }
    "#]]
    .assert_eq(&shown(dir.path(), &["DIR", "--json"]));
}

#[test]
fn a_reordered_ledger() {
    let mut blocks = Bank::sample().blocks;
    blocks.swap(3, 4);
    let dir = on_disk(&Image::laid_out(&blocks, Layout::default()));
    expect![[r#"
        exit 1
        NOT CLEAN: 2 findings, the first at position 11, segment 0, byte 2915
          broken:   a block continues the head before it
          expected: head 11:e47f3978..
          found:    head 14:8e44c190..

        head          23:d109eee5..
        records       20 (ledger 1, registry 6, learner 8, achievement 5)
                      and 3 that cannot be read
        institutions  2
        learners      3
        erased bodies 0
        on disk       8,192 bytes; segments 2, blocks 7, head marks 1
        re-admitted   11 of 20
                      9 not judged: after the point where re-admission had to stop
        issuer-signed none
        notes
          re-admission stops at position 11: records cannot be read from here on
        other findings
        at position 16, segment 1, byte 0
          broken:   a segment continues the head before it
          expected: head 16:3ed09d3d..
          found:    head 11:e47f3978..
    "#]]
    .assert_eq(&shown(dir.path(), &["DIR"]));
}

#[test]
fn an_expected_head() {
    let bank = Bank::sample();
    let dir = on_disk(&Image::of(&bank));
    let head = bank.head().to_string();
    expect![[r#"
        exit 0
        CLEAN: everything that can be checked is as it must be

        head          23:d109eee5..
        expected      23:d109eee5..
        records       23 (ledger 1, registry 6, learner 8, achievement 8)
        institutions  2
        learners      3
        erased bodies 0
        on disk       8,192 bytes; segments 2, blocks 8, head marks 1
        re-admitted   23 of 23
        issuer-signed none
    "#]]
    .assert_eq(&shown(dir.path(), &["DIR", "--expect-head", &head]));
    let other = head
        .replace(':', ":00")
        .get(..head.len())
        .unwrap()
        .to_owned();
    assert!(shown(dir.path(), &["DIR", "--expect-head", &other]).starts_with("exit 1\n"));
    expect![[r#"
        exit 2
        error: invalid value '23' for '--expect-head <SIZE:HASH>': expected SIZE:HASH, found no colon

        For more information, try '--help'.
    "#]].assert_eq(&shown(dir.path(), &["DIR", "--expect-head", "23"]));
}

#[test]
fn what_cannot_be_verified() {
    let dir = tempfile::tempdir().unwrap();
    expect![[r#"
        exit 2
        could not verify: DIR holds no ledger: there is no segment in DIR/log; give the directory that holds `log`
    "#]].assert_eq(&shown(dir.path(), &["DIR"]));
    expect![[r#"
        exit 2
        could not verify: there is no directory /nowhere/at/all; give the data directory of a ledger
    "#]]
    .assert_eq(&shown(dir.path(), &["/nowhere/at/all"]));
    expect![[r#"
        exit 2
        error: the following required arguments were not provided:
          <DIR>

        Usage: creditbank-verify <DIR>

        For more information, try '--help'.
    "#]]
    .assert_eq(&shown(dir.path(), &[]));
    let image = Image::of(&Bank::sample());
    let dir = on_disk(&image);
    let log = dir.path().join("log");
    expect![[r#"
        exit 2
        could not verify: DIR is the log of a ledger; give the directory above it
    "#]]
    .assert_eq(&shown(&log, &["DIR"]));
    let file = log.join("00000000.seg");
    assert!(shown(&file, &["DIR"]).starts_with("exit 2\n"));
}

#[test]
fn memory_has_a_lower_bound() {
    let dir = on_disk(&Image::of(&Bank::sample()));
    expect![[r#"
        exit 2
        error: invalid value '15' for '--memory-mib <MIB>': 15 is not in 16..18446744073709551615

        For more information, try '--help'.
    "#]]
    .assert_eq(&shown(dir.path(), &["DIR", "--memory-mib", "15"]));
}
