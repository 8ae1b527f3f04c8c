//! Ledgers that are as they must be.

use std::path::Path;

use creditbank_verify::{Options, Progress};
use durable::{File, Fs, Mode, SimFs};
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
        issuer-signed none
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

#[test]
fn a_ledger_that_does_not_fit_the_memory_is_read_several_times_and_gets_the_same_report() {
    let image = Image::of(&Bank::sample());
    let expected = image.verify_once();
    let (fs, dir) = (SimFs::new(), Path::new("/bank"));
    image.put(&fs, dir);
    let options = Options {
        memory_bytes: 10_000,
        ..Options::default()
    };
    let mut seen = Vec::new();
    let report = creditbank_verify::verify(&fs, dir, &options, &mut |progress| seen.push(progress));
    assert_eq!(report.unwrap(), expected);
    let last = seen.last().unwrap();
    assert_eq!(last.bytes_done, last.bytes_total);
    assert!(last.bytes_total > 2 * expected.counts.bytes, "{last:?}");
    assert!(seen.is_sorted_by_key(|progress| progress.bytes_done));
}

/// A server goes on while it is verified: in several passes, each sees more than the one before.
#[test]
fn what_is_appended_meanwhile_is_not_this_reports() {
    let bank = Bank::sample();
    let layout = Layout {
        segment_bytes: 1 << 16,
        align: 1,
        mark: false,
    };
    let whole = Image::laid_out(&bank.blocks, layout);
    for n_blocks in [2, 5, 7] {
        let before = Image::laid_out(&bank.blocks[..n_blocks], layout);
        let expected = before.verify_once();
        let (fs, dir) = (SimFs::new(), Path::new("/bank"));
        before.put(&fs, dir);
        let options = Options {
            shares: Some(3),
            ..Options::default()
        };
        let mut n_written = n_blocks;
        let mut append = |progress: Progress| {
            // Once for each pass: at its end.
            let is_end = progress.bytes_done.is_multiple_of(1 << 16);
            if let (true, Some(at)) = (is_end, whole.places.get(n_written)) {
                let bytes = &whole.segments[0].as_ref().unwrap()[at.start..at.start + at.len];
                let file = fs.open(&dir.join("log/00000000.seg"), Mode::Write).unwrap();
                file.write_all_at(bytes, u64::try_from(at.start).unwrap())
                    .unwrap();
                n_written += 1;
            }
        };
        let report = creditbank_verify::verify(&fs, dir, &options, &mut append).unwrap();
        assert_eq!(report, expected, "{n_blocks}");
        assert!(n_written > n_blocks);
    }
}
