//! The files of a ledger as bytes in memory, laid out by `ledger-data/README.md` and by nothing else, so
//! that a test can damage any of them and hand the result to the verifier.

use std::path::Path;

use chain::{Block, ChecksumKey, Head, SEGMENT_HEADER_LEN, SegmentHeader};
use creditbank_verify::{Admissions, FINDINGS_MAX, Finding, Options, Report};
use durable::{File, Fs, Mode, SimFs};

use crate::bank::Bank;

/// Where a block lies.
#[derive(Debug, Clone, Copy)]
pub(crate) struct At {
    pub(crate) segment: usize,
    pub(crate) start: usize,
    pub(crate) len: usize,
}

/// The files of a data directory.
#[derive(Debug, Clone)]
pub(crate) struct Image {
    /// By number.
    pub(crate) segments: Vec<Option<Vec<u8>>>,
    pub(crate) spare: Option<Vec<u8>>,
    pub(crate) erased_through: Option<String>,
    /// Where the blocks and marks were put, in order.
    pub(crate) places: Vec<At>,
}

/// How blocks are laid out.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Layout {
    pub(crate) segment_bytes: usize,
    pub(crate) align: u32,
    /// Whether a head mark stands at the end: without one the last block may be torn.
    pub(crate) mark: bool,
}

impl Default for Layout {
    fn default() -> Layout {
        Layout {
            segment_bytes: 4096,
            align: 1,
            mark: true,
        }
    }
}

pub(crate) fn key(segment: usize) -> ChecksumKey {
    ChecksumKey([u8::try_from(segment).unwrap() + 1; 32])
}

impl Image {
    pub(crate) fn of(bank: &Bank) -> Image {
        Image::laid_out(&bank.blocks, Layout::default())
    }

    /// Lays blocks out in the order given, whatever they say about each other.
    pub(crate) fn laid_out(blocks: &[Block], layout: Layout) -> Image {
        let mut blocks = blocks.to_vec();
        if layout.mark {
            blocks.push(Block::mark(blocks.last().map_or(Head::EMPTY, Block::head)));
        }
        let mut image = Image {
            segments: Vec::new(),
            spare: None,
            erased_through: None,
            places: Vec::new(),
        };
        let mut current: Vec<u8> = Vec::new();
        let align = usize::try_from(layout.align).unwrap();
        for block in &blocks {
            let start = current.len().next_multiple_of(align);
            if current.is_empty() || start + block.encoded_len() > layout.segment_bytes {
                image.seal(&mut current, layout);
                current = image.header(block.prev(), layout.align);
            }
            current.resize(current.len().next_multiple_of(align), 0);
            let (segment, start) = (image.segments.len(), current.len());
            image.places.push(At {
                segment,
                start,
                len: block.encoded_len(),
            });
            block.encode_into(&key(segment), &mut current);
        }
        if blocks.is_empty() {
            current = image.header(Head::EMPTY, layout.align);
        }
        image.seal(&mut current, layout);
        image
    }

    fn header(&self, head: Head, block_align: u32) -> Vec<u8> {
        let segment = self.segments.len();
        let number = u64::try_from(segment).unwrap();
        let checksum_key = key(segment);
        let mut bytes = SegmentHeader {
            number,
            head,
            block_align,
            checksum_key,
        }
        .encode()
        .to_vec();
        bytes.resize(
            SEGMENT_HEADER_LEN.next_multiple_of(usize::try_from(block_align).unwrap()),
            0,
        );
        bytes
    }

    fn seal(&mut self, current: &mut Vec<u8>, layout: Layout) {
        if !current.is_empty() {
            let mut bytes = std::mem::take(current);
            bytes.resize(bytes.len().max(layout.segment_bytes), 0);
            self.segments.push(Some(bytes));
        }
    }

    pub(crate) fn segment(&mut self, number: usize) -> &mut Vec<u8> {
        self.segments[number].as_mut().unwrap()
    }

    /// The bytes of a block or mark.
    pub(crate) fn block(&mut self, index: usize) -> &mut [u8] {
        let At {
            segment,
            start,
            len,
        } = self.places[index];
        &mut self.segment(segment)[start..start + len]
    }

    /// Writes the files below `dir`.
    pub(crate) fn put<F: Fs>(&self, fs: &F, dir: &Path) {
        let log = dir.join("log");
        fs.create_dir_all(&log).unwrap();
        let write = |path: &Path, bytes: &[u8]| {
            fs.open(path, Mode::Create)
                .unwrap()
                .write_all_at(bytes, 0)
                .unwrap();
        };
        for (number, bytes) in self.segments.iter().enumerate() {
            if let Some(bytes) = bytes {
                write(&log.join(format!("{number:08}.seg")), bytes);
            }
        }
        if let Some(bytes) = &self.spare {
            write(&log.join("spare"), bytes);
        }
        if let Some(text) = &self.erased_through {
            write(&dir.join("erased-through"), text.as_bytes());
        }
    }

    /// Without the second opinion of [`Image::verify`].
    pub(crate) fn verify_once(&self) -> Report {
        let fs = SimFs::new();
        self.put(&fs, Path::new("/bank"));
        let options = Options::default();
        creditbank_verify::verify(&fs, Path::new("/bank"), &options, &mut |_| {}).unwrap()
    }

    pub(crate) fn verify(&self) -> Report {
        self.verify_with(&Options::default())
    }

    /// Verifies at once and in seven shares; both must say the same.
    pub(crate) fn verify_with(&self, options: &Options) -> Report {
        let fs = SimFs::new();
        let dir = Path::new("/bank");
        self.put(&fs, dir);
        let ops = fs.log();
        let report = creditbank_verify::verify(&fs, dir, options, &mut |_| {}).unwrap();
        let in_shares = Options {
            shares: Some(7),
            ..options.clone()
        };
        let again = creditbank_verify::verify(&fs, dir, &in_shares, &mut |_| {}).unwrap();
        assert_eq!(report, again, "at once, and in shares");
        let hashes = [options, &in_shares].map(|options| {
            let hashes_only = Options {
                hashes_only: true,
                ..options.clone()
            };
            creditbank_verify::verify(&fs, dir, &hashes_only, &mut |_| {}).unwrap()
        });
        for hashes in hashes {
            assert_hashes_alone(&hashes, &report);
        }
        let reads_only = fs.log()[ops.len()..]
            .iter()
            .all(|op| *op == durable::Op::Read);
        assert!(reads_only, "the verifier never writes");
        report
    }
}

/// Hashes alone show the same as everything does, but for what bodies say.
fn assert_hashes_alone(hashes: &Report, everything: &Report) {
    let of_events = [
        "every_event_is_admitted_by_the_rules_of_its_day",
        "a_body_is_the_one_encoding_of_its_event",
        "the_format_and_the_rules_are_known",
    ];
    let mut expected = Report {
        hashes_only: true,
        admissions: Admissions::default(),
        signatures: hashes.signatures,
        ..everything.clone()
    };
    if everything.findings_total > u64::try_from(FINDINGS_MAX).unwrap() {
        assert!(
            !hashes.clean
                || everything
                    .findings
                    .iter()
                    .all(|f| of_events.contains(&f.invariant))
        );
        return;
    }
    let is_of_hashes = |finding: &Finding| !of_events.contains(&finding.invariant);
    expected.findings.retain(is_of_hashes);
    expected.findings_total = u64::try_from(expected.findings.len()).unwrap();
    expected.clean = expected.findings.is_empty();
    expected
        .notes
        .retain(|note| !note.starts_with("re-admission stops"));
    assert_eq!(*hashes, expected, "hashes alone");
    assert_eq!(hashes.signatures.signed, 0);
}

/// The first finding, how many there are, and the notes.
pub(crate) fn first(report: &Report) -> String {
    let mut only_first = report.clone();
    only_first.findings.truncate(1);
    let more = report.findings_total.saturating_sub(1);
    let more = if more > 0 {
        format!("and {more} more\n")
    } else {
        String::new()
    };
    only_first.notes.clear();
    let mut text = findings(&only_first) + &more;
    only_first.findings.clear();
    only_first.notes.clone_from(&report.notes);
    text.push_str(&findings(&only_first));
    text.lines().map(|line| format!("  {line}\n")).collect()
}

/// Findings, one line each, and notes: what snapshots show.
pub(crate) fn findings(report: &Report) -> String {
    let mut text = String::new();
    for finding in &report.findings {
        let (place, invariant) = (finding.place, finding.invariant);
        text.push_str(&format!("{place}: {invariant}\n"));
        text.push_str(&format!("  expected {}\n", short(&finding.expected)));
        text.push_str(&format!("  found {}\n", short(&finding.found)));
    }
    for note in &report.notes {
        text.push_str(&format!("note: {}\n", short(note)));
    }
    text
}

/// Hashes shortened to their first eight digits.
pub(crate) fn short(text: &str) -> String {
    let mut out = String::new();
    let mut run = String::new();
    let flush = |run: &mut String, out: &mut String| {
        if run.len() == 64 {
            out.push_str(&run[..8]);
            out.push_str("..");
        } else {
            out.push_str(run);
        }
        run.clear();
    };
    for c in text.chars() {
        if c.is_ascii_digit() || ('a'..='f').contains(&c) {
            run.push(c);
        } else {
            flush(&mut run, &mut out);
            out.push(c);
        }
    }
    flush(&mut run, &mut out);
    out
}
