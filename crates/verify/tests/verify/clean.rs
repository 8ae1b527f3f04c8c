//! Ledgers that are as they must be.

use expect_test::expect;

use crate::bank::Bank;
use crate::image::{Image, Layout, findings, short};

#[test]
fn a_ledger_as_a_server_makes_it_is_clean() {
    let report = Image::of(&Bank::sample()).verify();
    assert_eq!(findings(&report), "");
    expect![[r#"
        CLEAN: everything that can be checked is as it must be

        head          23:d109eee5..
        records       23 (ledger 1, registry 6, learner 8, achievement 8)
        institutions  2
        learners      3
        erased bodies 0
        on disk       8,192 bytes; segments 2, blocks 8, head marks 1
        re-admitted   23 of 23
    "#]]
    .assert_eq(&short(&report.to_string()));
}

#[test]
fn layouts_make_no_difference() {
    let bank = Bank::sample();
    let expected = Image::of(&bank).verify();
    for (segment_bytes, align, mark) in [
        (4096, 1, false),
        (4096, 512, true),
        (1 << 20, 4096, false),
        (2048, 8, true),
    ] {
        let report = Image::laid_out(
            &bank.blocks,
            Layout {
                segment_bytes,
                align,
                mark,
            },
        )
        .verify();
        assert!(report.clean, "{segment_bytes} {align}: {report}");
        assert_eq!(report.head, expected.head);
        assert_eq!(report.admissions, expected.admissions);
    }
}
