//! Pages: opaque tokens, and how much fits on one.
//!
//! A token says after what the next page begins, never how many entries there were, so it stays right
//! while the ledger grows. It is bound to the list it was given for.

use ledger::Rejection;
use prost::Message;

use crate::from_proto::malformed;
use crate::limits;

/// Which list a token belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum List {
    Records,
    Statement,
    Pending,
    Institutions,
    Courses,
}

impl List {
    fn letter(self) -> char {
        match self {
            Self::Records => 'r',
            Self::Statement => 's',
            Self::Pending => 'p',
            Self::Institutions => 'i',
            Self::Courses => 'c',
        }
    }
}

/// Bytes of a page: well below the 4 MiB that clients take by default.
const PAGE_BYTES_MAX: usize = 2 << 20;

/// A page while it is filled.
#[derive(Debug)]
pub(super) struct Page<T> {
    entries: Vec<T>,
    entries_max: usize,
    bytes: usize,
}

impl<T: Message> Page<T> {
    /// An empty page of the size asked for.
    pub(super) fn new(asked: u32) -> Result<Self, Rejection> {
        let entries_max = limits::page_size(asked)?;
        Ok(Page {
            entries: Vec::new(),
            entries_max,
            bytes: 0,
        })
    }

    /// Most entries it may have.
    pub(super) fn entries_max(&self) -> usize {
        self.entries_max
    }

    /// Adds an entry, unless the page is full: then it belongs on the next one.
    pub(super) fn add(&mut self, entry: T) -> bool {
        let bytes = self.bytes.saturating_add(entry.encoded_len());
        let full = self.entries.len() >= self.entries_max;
        if full || (bytes > PAGE_BYTES_MAX && !self.entries.is_empty()) {
            return false;
        }
        self.bytes = bytes;
        self.entries.push(entry);
        true
    }

    /// What it holds.
    pub(super) fn into_entries(self) -> Vec<T> {
        self.entries
    }
}

/// The token of the page after a text.
pub(super) fn token(list: List, after: &str) -> String {
    let mut token = String::from(list.letter());
    for byte in after.bytes() {
        token.push_str(&format!("{byte:02x}"));
    }
    token
}

/// The text that a token says; `None` for the first page.
pub(super) fn after(list: List, token: &str) -> Result<Option<String>, Rejection> {
    if token.is_empty() {
        return Ok(None);
    }
    let after = token.strip_prefix(list.letter()).and_then(unhex);
    after
        .map(Some)
        .ok_or_else(|| malformed("page_token", "is not a token of this list"))
}

/// The same for lists that go by number.
pub(super) fn after_number(list: List, token: &str) -> Result<Option<u64>, Rejection> {
    let number = |text: String| {
        text.parse()
            .map_err(|_| malformed("page_token", "is not a token of this list"))
    };
    after(list, token)?.map(number).transpose()
}

fn unhex(digits: &str) -> Option<String> {
    let digits = digits.as_bytes();
    if !digits.len().is_multiple_of(2) || !digits.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    let pairs = digits.chunks_exact(2).map(|pair| {
        let pair = std::str::from_utf8(pair).ok()?;
        u8::from_str_radix(pair, 16).ok()
    });
    String::from_utf8(pairs.collect::<Option<Vec<u8>>>()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_says_where_it_left() {
        let given = token(List::Courses, "CS-1 ü");
        assert_eq!(after(List::Courses, &given), Ok(Some("CS-1 ü".to_owned())));
        assert_eq!(after(List::Courses, ""), Ok(None));
        assert_eq!(
            after_number(List::Records, &token(List::Records, "41")),
            Ok(Some(41))
        );
    }

    #[test]
    fn other_tokens_are_refused() {
        for bad in ["x", "c1", "czz", "cff", &token(List::Records, "41"), "c+1"] {
            assert!(after(List::Courses, bad).is_err(), "{bad}");
        }
        assert!(after_number(List::Records, &token(List::Records, "x")).is_err());
    }

    #[test]
    fn a_page_is_bounded_in_entries_and_bytes() {
        let text = |len| api::v1::Text {
            value: "x".repeat(len),
            language: String::new(),
        };
        let mut page = Page::new(2).unwrap();
        assert!(page.add(text(1)) && page.add(text(1)) && !page.add(text(1)));
        let mut page = Page::new(0).unwrap();
        assert!(page.add(text(PAGE_BYTES_MAX)), "one entry always fits");
        assert!(!page.add(text(1)));
        assert_eq!(page.into_entries().len(), 1);
    }
}
