//! Rows are conserved: what is read is sent, rejected or passed over, whatever the bytes are.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};

use proptest::prelude::*;

use super::reading::Reading;
use crate::mapping::{Document, Kind, Mapping};
use crate::tabular::{Broken, Encoding, Layout, Report, Rows, Source};

fn source(bytes: &[u8]) -> Source {
    let bytes = std::io::Cursor::new(bytes.to_vec());
    Source::of(Box::new(bytes), "f".to_owned(), None).unwrap()
}

const MAPPING: &str = "\
[[only]]
column = \"id\"
not_in = [\"skip\"]
[learner]
student = { number = \"{id}\" }
[record]
record_id = \"{id}\"
awarded = \"{day}\"
code = { from = \"{code}\", map = { a = \"A\", b = \"B\" } }
";

fn mapping() -> Mapping {
    let document = Document {
        path: PathBuf::from("m.toml"),
        text: MAPPING.to_owned(),
    };
    Mapping::parse(document, Kind::Achievements).unwrap()
}

const COLUMNS: [&str; 3] = ["id", "day", "code"];

/// How many rows were sent, rejected, passed over; and where it broke off.
fn import(bytes: &[u8], encoding: Encoding, layout: Layout) -> Option<([u64; 3], Option<Broken>)> {
    let wanted: Vec<String> = COLUMNS.map(str::to_owned).into();
    let rows = Rows::open(source(bytes), encoding, layout, &wanted).ok()?;
    let bound = mapping().bind(rows.columns(), "f", None).ok()?;
    let mut reading = Reading {
        rows,
        bound,
        ahead: VecDeque::new(),
        batch: 3,
        register: true,
        signed: false,
        broken: None,
    };
    let mut counts = [0; 3];
    loop {
        match reading.chunk() {
            Ok(None) => return Some((counts, None)),
            Err(broken) => return Some((counts, Some(broken))),
            Ok(Some((chunk, batch))) => {
                let sent = chunk
                    .slots
                    .iter()
                    .filter(|slot| slot.problem.is_none())
                    .count();
                assert_eq!(sent, batch.achievements.len());
                assert!(batch.new_learners.len() <= sent);
                counts[0] += u64::try_from(sent).unwrap();
                counts[1] += u64::try_from(chunk.slots.len() - sent).unwrap();
                counts[2] += chunk.skipped;
            }
        }
    }
}

#[test]
fn long_lines_are_not_read_far_ahead() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("long.jsonl");
    let long = "x".repeat(1024 * 1024);
    let line = |more: &str| {
        format!("{{\"id\":\"1\",\"day\":\"2025-06-30\",\"code\":\"a\",\"more\":\"{more}\"}}\n")
    };
    std::fs::write(&path, line("") + &line(&long).repeat(20)).unwrap();
    let opened = super::opening::open(&path, mapping(), None).unwrap();
    // 8 MiB are enough to know the keys; the rest is still to be read.
    assert_eq!(opened.ahead.len(), 1 + 8);
}

/// The rows, and where they break off.
fn rows(bytes: &[u8], encoding: Encoding, layout: Layout) -> Option<(u64, Option<Broken>)> {
    let wanted: Vec<String> = COLUMNS.map(str::to_owned).into();
    let mut rows = Rows::open(source(bytes), encoding, layout, &wanted).ok()?;
    let mut count = 0;
    loop {
        match rows.next() {
            Ok(None) => return Some((count, None)),
            Err(broken) => return Some((count, Some(broken))),
            Ok(Some(_)) => count += 1,
        }
    }
}

/// Cells that are hard on a reader.
fn cell() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => "[a-c0-9]{0,4}",
        1 => Just("skip".to_owned()),
        2 => Just("2025-06-30".to_owned()),
        2 => "[a,\"\r\n;\t ]{0,6}",
        1 => "[样本é\u{1F600}]{1,3}",
        1 => Just("\0".to_owned()),
    ]
}

fn csv_of(rows: &[Vec<String>], delimiter: u8) -> String {
    let mut writer = csv::WriterBuilder::new()
        .delimiter(delimiter)
        .flexible(true)
        .from_writer(Vec::new());
    writer.write_record(COLUMNS).unwrap();
    for row in rows {
        writer.write_record(row).unwrap();
    }
    String::from_utf8(writer.into_inner().unwrap()).unwrap()
}

proptest! {
    #[test]
    fn any_bytes_are_rows_or_a_sentence(
        bytes in prop::collection::vec(any::<u8>(), 0..300),
        text in "[id,aycode\"\n\r{}:0-9]{0,200}",
        gb in any::<bool>(),
    ) {
        let encoding = if gb { Encoding::Gb18030 } else { Encoding::Auto };
        let with_header = [b"id,day,code\n", bytes.as_slice()].concat();
        for layout in [Layout::Csv(b','), Layout::Csv(b'\t'), Layout::Json] {
            for bytes in [&bytes, &with_header, text.as_bytes()] {
                let found = import(bytes, encoding, layout);
                if let (Some(([sent, rejected, skipped], broken)), Some((rows, breaks))) =
                    (found, rows(bytes, encoding, layout))
                {
                    prop_assert_eq!(sent + rejected + skipped, rows);
                    prop_assert_eq!(broken, breaks);
                }
            }
        }
    }

    #[test]
    fn every_cell_is_read_as_it_was_written(
        rows in prop::collection::vec(prop::collection::vec(cell(), 3), 0..12),
        delimiter in prop::sample::select(&b",;\t|"[..]),
        gb in any::<bool>(),
    ) {
        let text = csv_of(&rows, delimiter);
        let (bytes, encoding) = if gb {
            (encoding_rs::GB18030.encode(&text).0.into_owned(), Encoding::Gb18030)
        } else {
            (text.into_bytes(), Encoding::Utf8)
        };
        let mut read = Rows::open(source(&bytes), encoding, Layout::Csv(delimiter), &[]).unwrap();
        for expected in &rows {
            let row = read.next().unwrap().unwrap();
            prop_assert_eq!(&row.cells.iter().map(str::to_owned).collect::<Vec<_>>(), expected);
        }
        prop_assert!(read.next().unwrap().is_none());
        let (counts, broken) = import(&bytes, encoding, Layout::Csv(delimiter)).unwrap();
        prop_assert_eq!(broken, None);
        prop_assert_eq!(counts.iter().sum::<u64>(), u64::try_from(rows.len()).unwrap());
    }

    #[test]
    fn a_rejected_row_comes_back_as_it_was(
        rows in prop::collection::vec(prop::collection::vec(cell(), 1..5), 1..8),
        gb in any::<bool>(),
        json in any::<bool>(),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let layout = if json { Layout::Json } else { Layout::Csv(b';') };
        let encoding = if gb { Encoding::Gb18030 } else { Encoding::Auto };
        let text = if json {
            let object = |row: &Vec<String>| {
                let pairs = COLUMNS.iter().zip(row).map(|(key, cell)| ((*key).to_owned(), cell.clone().into()));
                serde_json::Value::Object(pairs.collect()).to_string() + "\n"
            };
            rows.iter().map(object).collect()
        } else {
            csv_of(&rows, b';')
        };
        let bytes = if gb { encoding_rs::GB18030.encode(&text).0.into_owned() } else { text.into_bytes() };
        let first = reject_all(&bytes, encoding, layout, &dir.path().join("one"));
        let second = reject_all(&first, encoding, layout, &dir.path().join("two"));
        // Rejected twice, a row is the same but for its line.
        let cells = |bytes: &[u8]| {
            let wanted: Vec<String> = COLUMNS.map(str::to_owned).into();
            let mut read = Rows::open(source(bytes), encoding, layout, &wanted).unwrap();
            let mut all = Vec::new();
            while let Some(row) = read.next().unwrap() {
                let ours = if json { 0 } else { 4 };
                let kept = row.cells.len() - ours;
                all.push(row.cells.iter().take(kept).map(str::to_owned).collect::<Vec<_>>());
            }
            all
        };
        prop_assert_eq!(cells(&first), cells(&second));
        if !json {
            prop_assert_eq!(cells(&first), rows);
        }
    }
}

fn reject_all(bytes: &[u8], encoding: Encoding, layout: Layout, path: &Path) -> Vec<u8> {
    let wanted: Vec<String> = COLUMNS.map(str::to_owned).into();
    let mut rows = Rows::open(source(bytes), encoding, layout, &wanted).unwrap();
    let columns = rows.columns().to_vec();
    let mut report = Report::begin_rejected(path, rows.form(), layout, &columns).unwrap();
    let problem = crate::tabular::Problem::new("BAD_DATE", "day", "=1+1");
    while let Some(row) = rows.next().unwrap() {
        report.reject(&row, &problem).unwrap();
    }
    report.finish().unwrap();
    std::fs::read(path).unwrap()
}
