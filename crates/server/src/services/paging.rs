//! Pages: opaque tokens, and how much fits on one.
//!
//! A token says as of which moment the first page answered and after what the next one begins, so that all
//! pages together are one answer, whatever is recorded in between. A keyed hash binds it to the ledger,
//! the list and the question that it was given for.

use ledger::{Date, KeySecret, Rejection};
use prost::Message;
use store::EventStore;
use tonic::Status;

use super::as_of::Moment;
use super::{Context, refuse};
use crate::from_proto::malformed;
use crate::limits;
use api::v1;

/// Which list a token belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum List {
    Records,
    Statement,
    Pending,
    Institutions,
    Courses,
    Frameworks,
    Units,
    Codes,
    Windows,
}

impl List {
    fn letter(self) -> char {
        match self {
            Self::Records => 'r',
            Self::Statement => 's',
            Self::Pending => 'p',
            Self::Institutions => 'i',
            Self::Courses => 'c',
            Self::Frameworks => 'f',
            Self::Units => 'u',
            Self::Codes => 'l',
            Self::Windows => 'w',
        }
    }
}

/// What pages are about: the list, and all of the request that decides what is on it.
#[derive(Debug, Clone)]
pub(super) struct Question {
    list: List,
    asked: Vec<u8>,
}

impl Question {
    /// About that list, asked by these parts of the request.
    pub(super) fn new(list: List, asked: &[&[u8]]) -> Self {
        let mut bytes = Vec::new();
        for part in asked {
            bytes.extend_from_slice(&part.len().to_be_bytes());
            bytes.extend_from_slice(part);
        }
        Question { list, asked: bytes }
    }

    /// The token of the page after a place.
    fn token(&self, secret: &KeySecret, moment: Moment, after: &[u8]) -> String {
        let mut bytes = moment.size.to_be_bytes().to_vec();
        bytes.extend_from_slice(&moment.on.to_epoch_days().to_be_bytes());
        bytes.extend_from_slice(after);
        let mut token = String::from(self.list.letter());
        for byte in self.seal(secret, &bytes).iter().chain(&bytes) {
            token.push_str(&format!("{byte:02x}"));
        }
        token
    }

    /// Moment and place that a token says.
    fn read(&self, secret: &KeySecret, token: &str) -> Result<(Moment, Vec<u8>), Rejection> {
        let bytes = token.strip_prefix(self.list.letter()).and_then(unhex);
        let bytes = bytes.ok_or_else(|| malformed("page_token", "is not a token of this list"))?;
        let read = || {
            let (seal, rest) = bytes.split_first_chunk::<16>()?;
            if self.seal(secret, rest) != *seal {
                return None;
            }
            let (size, rest) = rest.split_first_chunk::<8>()?;
            let (day, after) = rest.split_first_chunk::<4>()?;
            let moment = Moment {
                size: u64::from_be_bytes(*size),
                on: Date::from_epoch_days(i32::from_be_bytes(*day))?,
                earlier: true,
            };
            Some((moment, after.to_vec()))
        };
        read().ok_or_else(|| {
            let problem = "was given for another request: send it with the learner, the institution and \
                           the filter of the first page, or leave it out to begin again";
            malformed("page_token", problem)
        })
    }

    fn seal(&self, secret: &KeySecret, bytes: &[u8]) -> [u8; 16] {
        let list = u32::from(self.list.letter()).to_be_bytes();
        let asked_len = self.asked.len().to_be_bytes();
        secret
            .content(&[b"page", &list[..], &asked_len, &self.asked, bytes].concat())
            .0
    }
}

impl<S: EventStore> Context<S> {
    /// As of when a page answers, and after which place it begins; `None` on the first one.
    pub(super) async fn page(
        &self,
        question: &Question,
        token: &str,
        as_of: Option<v1::AsOf>,
    ) -> Result<(Moment, Option<Vec<u8>>), Status> {
        if token.is_empty() {
            return Ok((self.moment(as_of).await?, None));
        }
        let (moment, after) = question.read(self.engine.secret(), token).map_err(refuse)?;
        same_moment(moment, &as_of.unwrap_or_default()).map_err(refuse)?;
        Ok((moment, Some(after)))
    }

    /// The token of the page after a place.
    pub(super) fn page_token(&self, question: &Question, moment: Moment, after: &[u8]) -> String {
        question.token(self.engine.secret(), moment, after)
    }
}

/// A request for a later page may say again what the first one said, and nothing else.
fn same_moment(moment: Moment, as_of: &v1::AsOf) -> Result<(), Rejection> {
    let other = |field| {
        let problem = "is not what the first page was asked for: leave it out with a page token";
        Err(malformed(field, problem))
    };
    if as_of.size > 0 && as_of.size != moment.size {
        return other("as_of.size");
    }
    if !as_of.date.is_empty() && as_of.date != moment.date() {
        return other("as_of.date");
    }
    Ok(())
}

/// A place that is a text.
pub(super) fn text(after: Option<Vec<u8>>) -> Result<Option<String>, Status> {
    let text = after.map(String::from_utf8).transpose();
    text.map_err(|_| Status::internal("a place that was sealed is a text"))
}

/// A place that is a position.
pub(super) fn position(after: Option<Vec<u8>>) -> Result<Option<u64>, Status> {
    let number = |bytes: Vec<u8>| {
        let bytes = <[u8; 8]>::try_from(bytes);
        bytes.map(u64::from_be_bytes)
    };
    let number = after.map(number).transpose();
    number.map_err(|_| Status::internal("a place that was sealed is a position"))
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
        Page::sized(asked, limits::PAGE_SIZE)
    }

    /// The same of a list with another default and maximum.
    pub(super) fn sized(asked: u32, sizes: (u32, u32)) -> Result<Self, Rejection> {
        let entries_max = limits::page_size(asked, sizes)?;
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

    /// Adds entries until it is full; then the name of the last one that it has.
    pub(super) fn fill<'n>(
        &mut self,
        entries: impl Iterator<Item = (&'n str, T)>,
    ) -> Option<&'n str> {
        let mut last = None;
        for (name, entry) in entries {
            if !self.add(entry) {
                return last;
            }
            last = Some(name);
        }
        None
    }

    /// What it holds.
    pub(super) fn into_entries(self) -> Vec<T> {
        self.entries
    }
}

fn unhex(digits: &str) -> Option<Vec<u8>> {
    let digits = digits.as_bytes();
    if !digits.len().is_multiple_of(2) || !digits.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    let pairs = digits.chunks_exact(2).map(|pair| {
        let pair = std::str::from_utf8(pair).ok()?;
        u8::from_str_radix(pair, 16).ok()
    });
    pairs.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: KeySecret = KeySecret([3; 32]);

    fn moment(size: u64) -> Moment {
        let on = "2026-11-21".parse().unwrap();
        Moment {
            size,
            on,
            earlier: true,
        }
    }

    fn said(rejection: Rejection) -> String {
        let text = rejection.to_string();
        text.split(':').next().unwrap_or_default().to_owned()
    }

    #[test]
    fn a_token_says_when_and_where() {
        let question = Question::new(List::Courses, &[b"uni-a"]);
        let token = question.token(&SECRET, moment(41), "CS-1 ü".as_bytes());
        let (when, after) = question.read(&SECRET, &token).unwrap();
        assert_eq!(when, moment(41));
        assert_eq!(text(Some(after)).unwrap().unwrap(), "CS-1 ü");
        let token = question.token(&SECRET, moment(41), &7_u64.to_be_bytes());
        let (_, after) = question.read(&SECRET, &token).unwrap();
        assert_eq!(position(Some(after)).unwrap(), Some(7));
    }

    #[test]
    fn other_tokens_are_refused() {
        let question = Question::new(List::Courses, &[b"uni-a"]);
        let token = question.token(&SECRET, moment(41), b"x");
        let mut other = token.clone();
        let last = if other.pop() == Some('0') { '1' } else { '0' };
        other.push(last);
        for bad in ["x", "c1", "czz", "c+1", "r00"] {
            let refused = question.read(&SECRET, bad).unwrap_err();
            assert!(said(refused).starts_with("page_token"), "{bad}");
        }
        for (asking, secret, token) in [
            (question.clone(), SECRET, other),
            (question, KeySecret([4; 32]), token.clone()),
            (
                Question::new(List::Courses, &[b"uni-b"]),
                SECRET,
                token.clone(),
            ),
            (
                Question::new(List::Courses, &[b"uni-", b"a"]),
                SECRET,
                token.clone(),
            ),
        ] {
            let refused = asking.read(&secret, &token).unwrap_err();
            assert_eq!(said(refused), "page_token was given for another request");
        }
        let list = Question::new(List::Records, &[b"uni-a"]);
        let refused = list.read(&SECRET, &token).unwrap_err();
        assert_eq!(said(refused), "page_token is not a token of this list");
    }

    #[test]
    fn a_later_page_is_asked_for_the_same_moment_or_none() {
        let as_of = |size, date: &str| v1::AsOf {
            size,
            date: date.to_owned(),
            at_least: 99,
        };
        for same in [as_of(0, ""), as_of(41, ""), as_of(41, "2026-11-21")] {
            assert_eq!(same_moment(moment(41), &same), Ok(()));
        }
        for other in [
            as_of(40, ""),
            as_of(0, "2026-11-20"),
            as_of(42, "2026-11-21"),
        ] {
            assert!(same_moment(moment(41), &other).is_err());
        }
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
