//! A message's bytes written field by field, without making the message first.
//!
//! Apart from the generated messages because an achievement is encoded for every submission and again
//! for every record that an auditor reads: there, copying each text into a message costs more than the
//! encoding. What is written is what the message would encode to; a test compares.

use crate::ids::Date;

/// Wire types. Source: the protobuf encoding specification.
const VARINT: u64 = 0;
const LEN: u64 = 2;

/// Fields so far.
#[derive(Debug)]
pub(super) struct Writer(Vec<u8>);

impl Writer {
    /// Without fields, with room for an achievement of the usual size.
    pub(super) fn new() -> Self {
        Writer(Vec::with_capacity(256))
    }

    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    /// A number; zero is left out.
    pub(super) fn number(&mut self, field: u64, value: u64) {
        if value != 0 {
            self.varint(field << 3 | VARINT);
            self.varint(value);
        }
    }

    /// A text; empty is left out.
    pub(super) fn text(&mut self, field: u64, text: &str) {
        if !text.is_empty() {
            self.entry(field, text);
        }
    }

    /// One of several texts: each is written, also when it is empty.
    pub(super) fn entry(&mut self, field: u64, text: &str) {
        self.varint(field << 3 | LEN);
        self.length(text.len());
        self.0.extend_from_slice(text.as_bytes());
    }

    /// A date as text, such as `2026-11-21`; none is left out.
    pub(super) fn date(&mut self, field: u64, date: Option<Date>) {
        let Some(date) = date else { return };
        match ymd(date) {
            Some(text) => {
                self.varint(field << 3 | LEN);
                self.length(text.len());
                self.0.extend_from_slice(&text);
            }
            // A year that has not four digits; no rule admits it.
            None => self.text(field, &date.to_string()),
        }
    }

    /// A message.
    pub(super) fn message(&mut self, field: u64, fields: impl FnOnce(&mut Writer)) {
        self.varint(field << 3 | LEN);
        let start = self.0.len();
        fields(self);
        let len = self.0.len() - start;
        // The length stands before the fields, which are moved by the bytes that it takes.
        self.length(len);
        let width = self.0.len() - start - len;
        if let Some(written) = self.0.get_mut(start..) {
            written.rotate_right(width);
        }
    }

    fn length(&mut self, len: usize) {
        self.varint(u64::try_from(len).expect("a length fits 64 bits"));
    }

    /// Seven bits a byte, the lowest first; all but the last have the highest bit set.
    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            let [low, ..] = value.to_le_bytes();
            self.0.push(low | 0x80);
            value >>= 7;
        }
        let [last, ..] = value.to_le_bytes();
        self.0.push(last);
    }
}

/// `2026-11-21`; `None` when the year has not four digits.
fn ymd(date: Date) -> Option<[u8; 10]> {
    use chrono::Datelike;
    let year = u32::try_from(date.year())
        .ok()
        .filter(|year| *year <= 9_999)?;
    let digit = |number: u32, unit: u32| {
        let [digit, ..] = (number / unit % 10).to_le_bytes();
        b'0' + digit
    };
    let (month, day) = (date.month(), date.day());
    let years = [1_000, 100, 10, 1].map(|unit| digit(year, unit));
    let [y0, y1, y2, y3] = years;
    let (m0, m1) = (digit(month, 10), digit(month, 1));
    let (d0, d1) = (digit(day, 10), digit(day, 1));
    Some([y0, y1, y2, y3, b'-', m0, m1, b'-', d0, d1])
}
