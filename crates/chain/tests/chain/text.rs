//! What people and log files see: one spelling per value, and no secrets.

use chain::{
    CHAIN_CONTEXT, ChecksumKey, Handle, Hash, Head, Institution, InstitutionError, ParseError,
    Position, Salt, chain_hash,
};

#[test]
fn texts_have_one_spelling() {
    let hash = Hash([0xab; 32]);
    assert_eq!(hash.to_string(), "ab".repeat(32));
    assert_eq!("ab".repeat(32).parse(), Ok(hash));
    assert_eq!(
        "AB".repeat(32).parse::<Hash>(),
        Err(ParseError::HexDigit { index: 0 })
    );
    assert_eq!(
        "ab".parse::<Hash>(),
        Err(ParseError::HexLength {
            expected: 64,
            found: 2
        })
    );
    let handle: Handle = "000102030405060708090a0b0c0d0e0f".parse().unwrap();
    assert_eq!(handle.to_string(), "000102030405060708090a0b0c0d0e0f");
    assert_eq!(
        "0001ß".parse::<Handle>(),
        Err(ParseError::HexLength {
            expected: 32,
            found: 6
        })
    );

    let head = Head { size: 70, hash };
    assert_eq!(head.to_string().parse(), Ok(head));
    assert_eq!(Head::EMPTY.to_string().parse(), Ok(Head::EMPTY));
    let text = |size: &str, byte: &str| format!("{size}:{}", byte.repeat(32)).parse::<Head>();
    assert_eq!(text("070", "ab"), Err(ParseError::HeadSize));
    assert_eq!(text("+70", "ab"), Err(ParseError::HeadSize));
    assert_eq!(text("0", "ab"), Err(ParseError::HeadZero { size: 0 }));
    assert_eq!(text("70", "00"), Err(ParseError::HeadZero { size: 70 }));
    assert_eq!("70".parse::<Head>(), Err(ParseError::HeadSeparator));
}

#[test]
fn institutions_are_short_graphic_and_ordered_as_text() {
    let id = |text: &str| Institution::try_from(text);
    assert_eq!(id("").unwrap(), Institution::OPERATOR);
    assert_eq!(id("ou.example").unwrap().as_str(), "ou.example");
    assert_eq!(id(&"x".repeat(64)).unwrap().as_bytes(), [b'x'; 64]);
    assert_eq!(
        id(&"x".repeat(65)),
        Err(InstitutionError::Length { found: 65, max: 64 })
    );
    assert_eq!(
        id(&"x".repeat(300)),
        Err(InstitutionError::Length {
            found: 300,
            max: 64
        })
    );
    assert_eq!(
        id("a b"),
        Err(InstitutionError::Byte {
            index: 1,
            found: b' '
        })
    );
    assert_eq!(
        id("大"),
        Err(InstitutionError::Byte {
            index: 0,
            found: 0xe5
        })
    );
    let mut ids: Vec<_> = ["b", "", "a1", "a", "ab", "B"]
        .map(|text| id(text).unwrap())
        .into();
    ids.sort();
    let texts: Vec<_> = ids.iter().map(Institution::as_str).collect();
    assert_eq!(texts, ["", "B", "a", "a1", "ab", "b"]);
}

#[test]
fn secrets_are_not_printed() {
    let shown = format!(
        "{:?} {:?} {:?}",
        Salt([0xab; 32]),
        Salt::ZERO,
        ChecksumKey([0xab; 32])
    );
    assert_eq!(shown, "Salt(..) Salt(zero) ChecksumKey(..)");
}

#[test]
fn errors_are_lower_case_and_say_what_was_expected() {
    let error = chain::Leaf::decode(&[0, 9]).unwrap_err();
    assert_eq!(error.to_string(), "expected leaf version 1, found 9");
    let error = chain::BlockError::Position {
        expected: Position(1),
        found: Position(2),
    };
    assert_eq!(error.to_string(), "expected position 1, found 2");
}

#[test]
fn the_chain_hash_is_derive_key_of_the_context() {
    for len in [0, 150, 278, 5000] {
        let bytes = vec![7; len];
        assert_eq!(
            chain_hash(&bytes).0,
            blake3::derive_key(CHAIN_CONTEXT, &bytes)
        );
    }
}
