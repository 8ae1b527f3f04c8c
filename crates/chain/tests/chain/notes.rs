//! Notes, checkpoints, receipts and tile paths: the published vectors, and everything that is not one.

#![allow(
    clippy::unwrap_used,
    clippy::as_conversions,
    reason = "a test stops at what it did not expect"
)]

use creditbank_chain::{
    Checkpoint, CheckpointError, KeyType, Note, NoteError, NoteSigner, Receipt, ReceiptError, Tile,
    TileKind, TilePathError, TreeHash, VerifierKey, bundled_entries, entry_bundle,
};
use proptest::prelude::{any, prop, prop_assert_eq, proptest};

const EXAMPLE_KEY: &str = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k";
const EXAMPLE: &str = "This is an example message.\n\n\u{2014} example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n";
const NEUMANN_KEY: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
const NEUMANN: &str = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n\n\u{2014} PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";
const BANK_KEY: &str = "ledger.example/bank1+44585cd7+AQOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4";
const WITNESS_KEY: &str =
    "witness.example/w1+20324abe+BCmsuuFBvMrwsi4alNNNC8c2HlJtC/4SyJeUvJMilm3X";
const CHECKPOINT: &str = "ledger.example/bank1\n8\nXcnaeacGWamtVZy3Ad7ZoqudgjqtL0lgz+Nw7/RgQyg=\n\n\
    \u{2014} ledger.example/bank1 RFhc1/cOPH5eKP6rbAMv1QYpFCJouSkgPqvKmQUL4izQVny7V+JcMAQoATr0U3GL5x9rnuReNwPKwDg1NLHPbpKPkQ4=\n\
    \u{2014} witness.example/w1 IDJKvgAAAABkGFDLqwX+LT46AvAm0e50TxpmqSs9IiLxJv9zs4BN+8UhAii8+XBW1WxLK4jySqMcQf4Gg61RR0XJGImFtQ12r00fCw==\n";

fn key(text: &str) -> VerifierKey {
    text.parse().unwrap()
}

fn bank() -> NoteSigner {
    let secret = std::array::from_fn(|idx| u8::try_from(idx).unwrap());
    NoteSigner::new("ledger.example/bank1", &secret).unwrap()
}

#[test]
fn the_published_notes_are_read_and_their_keys_written_back() {
    for (note, text) in [(EXAMPLE, EXAMPLE_KEY), (NEUMANN, NEUMANN_KEY)] {
        let note = Note::read(note.as_bytes()).unwrap();
        let signed = note.check(&key(text)).unwrap();
        assert_eq!(signed.time, None);
        assert_eq!(key(text).to_string(), text);
    }
}

#[test]
fn a_secret_of_anothers_tool_signs_as_it_does() {
    let secret = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz";
    let signer = NoteSigner::from_secret_text(secret).unwrap();
    assert_eq!(signer.verifier().to_string(), NEUMANN_KEY);
    assert_eq!(signer.to_secret_text(), secret);
    let (text, _) = NEUMANN.rsplit_once("\n\n").unwrap();
    assert_eq!(signer.sign(&format!("{text}\n")), NEUMANN);
    assert!(!format!("{signer:?}").contains("AYEK"));
    for bad in [
        "",
        NEUMANN_KEY,
        "PRIVATE+KEY+PeterNeumann+c74f20a3",
        "PRIVATE+KEY+PeterNeumann+c74f20a4+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz",
        "PRIVATE+KEY+PeterNeumann+c74f20a3+BIEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz",
        "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEK",
    ] {
        let refused = NoteSigner::from_secret_text(bad).unwrap_err();
        assert!(matches!(refused, NoteError::Key { .. }), "{bad}");
    }
}

#[test]
fn a_checkpoint_is_signed_and_cosigned_as_published() {
    let signer = bank();
    assert_eq!(signer.verifier().to_string(), BANK_KEY);
    let checkpoint = Checkpoint::open(CHECKPOINT.as_bytes(), &key(BANK_KEY)).unwrap();
    assert_eq!(checkpoint.size, 8);
    let signed = signer.sign(&checkpoint.to_string());
    assert_eq!(
        Some(signed.as_str()),
        CHECKPOINT
            .split_inclusive('\n')
            .take(5)
            .collect::<String>()
            .as_str()
            .into()
    );
    let note = Note::read(CHECKPOINT.as_bytes()).unwrap();
    let witness = note.check(&key(WITNESS_KEY)).unwrap();
    assert_eq!(witness.time, Some(1_679_315_147));
}

#[test]
fn the_same_key_has_another_id_for_another_use() {
    let signer = bank();
    let one = |kind| {
        VerifierKey::new("same.example/k", kind, *signer.verifier().key())
            .unwrap()
            .id()
    };
    assert_eq!(one(KeyType::Ed25519), [0x0c, 0x38, 0x5f, 0xc3]);
    assert_eq!(one(KeyType::Cosignature), [0x45, 0x06, 0x0c, 0x8a]);
}

#[test]
fn others_signatures_are_passed_over_and_a_forged_one_is_not() {
    let note = |lines: &str| format!("{}\n{lines}", "text\n");
    let signer = bank();
    let good = signer.line("text\n");
    let other = NoteSigner::new("ledger.example/bank1", &[9; 32])
        .unwrap()
        .line("text\n");
    let grease = "\u{2014} grease.invalid AAECAwQFBgcICQ==\n";
    let read = |lines: &str| {
        Note::read(note(lines).as_bytes())
            .unwrap()
            .check(signer.verifier())
    };
    assert!(read(&good).is_ok());
    assert!(read(&format!("{grease}{other}{good}{grease}")).is_ok());
    let unsigned = NoteError::Unsigned {
        name: "ledger.example/bank1".to_owned(),
    };
    assert_eq!(read(&other), Err(unsigned.clone()));
    assert_eq!(read(grease), Err(unsigned));
    // Of another text, by the same key.
    let forged = signer.line("other\n");
    let refused = NoteError::Forged {
        name: "ledger.example/bank1".to_owned(),
    };
    assert_eq!(read(&forged), Err(refused.clone()));
    assert_eq!(read(&format!("{good}{forged}")), Err(refused));
}

#[test]
fn what_is_no_note_is_refused() {
    let line = bank().line("a\n");
    let cases: [(String, NoteError); 8] = [
        (String::new(), NoteError::Shape),
        ("a\n".to_owned(), NoteError::Shape),
        (format!("a\n{line}"), NoteError::Shape),
        (format!("a\n\n{}", line.trim_end()), NoteError::Shape),
        (
            "a\n\n- x AAAA\n".to_owned(),
            NoteError::SignatureLine { line: 1 },
        ),
        (
            "a\n\n\u{2014} x AAAA\n".to_owned(),
            NoteError::SignatureLine { line: 1 },
        ),
        (
            format!("a\n\n{line}\u{2014} x !!\n"),
            NoteError::SignatureLine { line: 2 },
        ),
        (format!("a\tb\n\n{line}"), NoteError::Text),
    ];
    for (text, expected) in cases {
        assert_eq!(Note::read(text.as_bytes()), Err(expected), "{text:?}");
    }
    assert_eq!(Note::read(b"\xff\n\n"), Err(NoteError::Text));
    let many = format!("a\n\n{}", line.repeat(1_025));
    let (found, max) = (1_025, 1_024);
    assert_eq!(
        Note::read(many.as_bytes()),
        Err(NoteError::TooMany { found, max })
    );
    let long = "a".repeat((1 << 20) + 1);
    assert!(matches!(
        Note::read(long.as_bytes()),
        Err(NoteError::Length { .. })
    ));
    // A text may have blank lines of its own, and signatures are of all of it.
    let text = "a\n\nb\n";
    let signed = bank().sign(text);
    let note = Note::read(signed.as_bytes()).unwrap();
    assert_eq!(note.text(), text);
    assert!(note.check(bank().verifier()).is_ok());
}

#[test]
fn what_is_no_key_is_refused() {
    for bad in [
        "",
        "name",
        "name+00000000",
        "+44585cd7+AQOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4",
        "ledger.example/bank2+44585cd7+AQOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4",
        "ledger.example/bank1+44585CD7+AQOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4",
        "ledger.example/bank1+44585cd7+AQOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG5==",
        "ledger.example/bank1+44585cd7+AgOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4",
        "ledger.example/bank1+44585cd7+AQ==",
        "ledger.example/bank1+44585cd7+",
    ] {
        assert!(
            matches!(bad.parse::<VerifierKey>(), Err(NoteError::Key { .. })),
            "{bad}"
        );
    }
    // The neutral element signs everything.
    let mut weak = [0_u8; 32];
    weak[0] = 1;
    let weak = ed25519_dalek::VerifyingKey::from_bytes(&weak).unwrap();
    let text = VerifierKey::new("weak", KeyType::Ed25519, weak)
        .unwrap()
        .to_string();
    assert!(text.parse::<VerifierKey>().is_err());
}

#[test]
fn what_is_no_checkpoint_is_refused() {
    let root = "XcnaeacGWamtVZy3Ad7ZoqudgjqtL0lgz+Nw7/RgQyg=";
    let empty = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
    let cases = [
        (String::new(), CheckpointError::Lines),
        ("o\n8\n".to_owned(), CheckpointError::Lines),
        (format!("o\n8\n{root}"), CheckpointError::Lines),
        (format!("o\n8\n{root}\n\n"), CheckpointError::Lines),
        (format!("\n8\n{root}\n"), CheckpointError::Origin),
        (format!("o\n08\n{root}\n"), CheckpointError::Size),
        (format!("o\n+8\n{root}\n"), CheckpointError::Size),
        (format!("o\n-1\n{root}\n"), CheckpointError::Size),
        (
            format!("o\n18446744073709551616\n{root}\n"),
            CheckpointError::Size,
        ),
        (format!("o\n8\n{}\n", &root[..42]), CheckpointError::Root),
        (
            format!("o\n8\n{}\n", root.replace("g=", "h=")),
            CheckpointError::Root,
        ),
        (
            format!("o\n8\n{}\n", root.trim_end_matches('=')),
            CheckpointError::Root,
        ),
        (format!("o\n0\n{root}\n"), CheckpointError::RootOfNothing),
    ];
    for (text, expected) in cases {
        assert_eq!(Checkpoint::read(&text), Err(expected), "{text:?}");
    }
    let read = Checkpoint::read(&format!("o\n0\n{empty}\nextension\n")).unwrap();
    assert_eq!(read.root, TreeHash::of_nothing());
    let other = NoteSigner::new("o", &[7; 32]).unwrap();
    let expected = "o".to_owned();
    let found = "ledger.example/bank1".to_owned();
    assert_eq!(
        Checkpoint::open(CHECKPOINT.as_bytes(), other.verifier()),
        Err(CheckpointError::OtherOrigin { expected, found })
    );
}

#[test]
fn a_receipt_stands_alone() {
    let leaves = [b"one", b"two"].map(|leaf| TreeHash::of_leaf(leaf));
    let root = TreeHash::of_node(&leaves[0], &leaves[1]);
    let origin = "ledger.example/bank1".to_owned();
    let checkpoint = bank().sign(
        &Checkpoint {
            origin,
            size: 2,
            root,
        }
        .to_string(),
    );
    let receipt = Receipt {
        extra: None,
        index: 1,
        proof: vec![leaves[0]],
        checkpoint,
    };
    let text = receipt.to_string();
    assert!(text.starts_with("c2sp.org/tlog-proof@v1\nindex 1\n"));
    let read = Receipt::read(&text).unwrap();
    assert_eq!(read, receipt);
    assert_eq!(read.verify(b"two", bank().verifier()).unwrap().size, 2);
    assert!(matches!(
        read.verify(b"one", bank().verifier()),
        Err(ReceiptError::Proof(_))
    ));
    let with = Receipt {
        extra: Some("aGk=".to_owned()),
        ..receipt
    };
    assert_eq!(Receipt::read(&with.to_string()).unwrap(), with);
    for (bad, line) in [
        (text.replace("index 1", "index 01"), Some(2)),
        (text.replace("index 1\n", ""), Some(2)),
        (text.replacen("\n\n", "\n", 1), None),
        (text.replace("@v1", "@v2"), None),
        (text.replacen("index 1\n", "index 1\nAAAA\n", 1), Some(3)),
    ] {
        match Receipt::read(&bad) {
            Err(ReceiptError::Line { line: found, .. }) if line.is_some() => {
                assert_eq!(Some(found), line)
            }
            Err(_) if line.is_none() => {}
            // Without its blank line the checkpoint's own is taken for it, and then a line is no hash.
            other => panic!("{bad:?}: {other:?}"),
        }
    }
}

#[test]
fn tiles_have_the_published_paths() {
    let hashes = |level, index, width| Tile {
        kind: TileKind::Hashes { level },
        index,
        width,
    };
    let entries = |index, width| Tile {
        kind: TileKind::Entries,
        index,
        width,
    };
    for (tile, path) in [
        (hashes(0, 0, 256), "tile/0/000"),
        (hashes(0, 999, 256), "tile/0/999"),
        (hashes(0, 1_000, 256), "tile/0/x001/000"),
        (hashes(63, 1_234_067, 256), "tile/63/x001/x234/067"),
        (hashes(1, 0, 1), "tile/1/000.p/1"),
        (entries(273, 112), "tile/entries/273.p/112"),
        (entries(1_000_000, 255), "tile/entries/x001/x000/000.p/255"),
    ] {
        assert_eq!(tile.to_string(), path);
        assert_eq!(path.parse(), Ok(tile));
    }
    for (path, problem) in [
        ("", TilePathError::Shape),
        ("tile/0", TilePathError::Shape),
        ("tiles/0/000", TilePathError::Shape),
        ("tile/64/000", TilePathError::Level),
        ("tile/00/000", TilePathError::Level),
        ("tile/-1/000", TilePathError::Level),
        ("tile/data/000", TilePathError::Level),
        ("tile/8/0/000", TilePathError::Index),
        ("tile/0/0", TilePathError::Index),
        ("tile/0/x000/001", TilePathError::Index),
        ("tile/0/001/000", TilePathError::Index),
        ("tile/0/x001/x000", TilePathError::Index),
        ("tile/0/+01", TilePathError::Index),
        (
            "tile/0/x999/x999/x999/x999/x999/x999/999",
            TilePathError::Index,
        ),
        ("tile/0/000.p/0", TilePathError::Width),
        ("tile/0/000.p/256", TilePathError::Width),
        ("tile/0/000.p/01", TilePathError::Width),
        ("tile/0/000.p/", TilePathError::Width),
    ] {
        assert_eq!(path.parse::<Tile>(), Err(problem), "{path}");
    }
}

#[test]
fn a_tree_has_the_tiles_of_its_size() {
    let has = |path: &str, size| path.parse::<Tile>().unwrap().is_in(size);
    for (path, from) in [
        ("tile/0/000.p/1", 1),
        ("tile/0/000", 256),
        ("tile/1/000.p/1", 256),
        ("tile/0/001.p/1", 257),
        ("tile/0/272", 273 * 256),
        ("tile/0/273.p/112", 70_000),
        ("tile/1/000", 65_536),
        ("tile/1/001.p/17", 70_000 - 112),
        ("tile/2/000.p/1", 65_536),
        ("tile/entries/273.p/112", 70_000),
    ] {
        assert!(has(path, from) && !has(path, from - 1), "{path}");
    }
    assert!(!has("tile/9/000.p/1", u64::MAX));
    assert!(!has("tile/0/x018/x446/x744/x073/x709/x551/615", u64::MAX));
}

proptest! {
    #[test]
    fn paths_and_bundles_come_back(
        level in prop::option::of(0_u32..64), index: u64, width in 1_u64..=256,
        entries in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..9),
    ) {
        let kind = level.map_or(TileKind::Entries, |level| TileKind::Hashes { level });
        let tile = Tile { kind, index, width };
        prop_assert_eq!(tile.to_string().parse(), Ok(tile));
        let bundle = entry_bundle(entries.iter().map(Vec::as_slice)).unwrap();
        let back: Vec<Vec<u8>> = bundled_entries(&bundle).unwrap().into_iter().map(<[u8]>::to_vec).collect();
        prop_assert_eq!(back, entries);
    }

    #[test]
    fn bytes_from_outside_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), text: String) {
        let _ = Note::read(&bytes);
        let _ = bundled_entries(&bytes);
        let _ = Checkpoint::open(&bytes, &key(BANK_KEY));
        let _ = (Checkpoint::read(&text), Receipt::read(&text));
        let _ = (text.parse::<Tile>(), text.parse::<VerifierKey>());
    }
}
