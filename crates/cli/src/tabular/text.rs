//! Bytes to text: UTF-8 or GB18030, strictly, and the line in which they stop being so.
//!
//! Apart from the rows because an encoding is never guessed: a wrong one would record names that nobody
//! can read, for ever.

use encoding_rs::{Decoder, DecoderResult, GB18030, UTF_8};

use super::Broken;
use super::source::Source;

const RAW_BYTES: usize = 64 * 1024;
const UTF_8_MARK: &[u8] = &[0xef, 0xbb, 0xbf];
const GB18030_MARK: &[u8] = &[0x84, 0x31, 0x95, 0x33];

/// What a mapping says of the encoding.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Encoding {
    /// As the byte order mark says, otherwise UTF-8; never guessed.
    #[default]
    Auto,
    /// UTF-8, with or without a byte order mark.
    Utf8,
    /// GB18030, which GBK and GB2312 are part of.
    Gb18030,
}

impl Encoding {
    /// Its names in a mapping.
    pub(crate) const NAMES: [(&'static str, Encoding); 3] = [
        ("auto", Encoding::Auto),
        ("utf-8", Encoding::Utf8),
        ("gb18030", Encoding::Gb18030),
    ];
}

/// How a file turned out to be encoded, so that what is written beside it is encoded alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Form {
    /// GB18030 rather than UTF-8.
    pub(crate) gb18030: bool,
    /// It begins with a byte order mark.
    pub(crate) marked: bool,
}

impl Form {
    /// Text in this encoding.
    pub(crate) fn encode(self, text: &str) -> Vec<u8> {
        if self.gb18030 {
            GB18030.encode(text).0.into_owned()
        } else {
            text.as_bytes().to_vec()
        }
    }

    /// What the file begins with.
    pub(crate) fn mark(self) -> &'static [u8] {
        match (self.marked, self.gb18030) {
            (false, _) => &[],
            (true, false) => UTF_8_MARK,
            (true, true) => GB18030_MARK,
        }
    }
}

/// Text of a source, piece by piece.
pub(crate) struct Text {
    source: Source,
    decoder: Decoder,
    form: Form,
    raw: Vec<u8>,
    from: usize,
    until: usize,
    /// The source has no more bytes.
    ended: bool,
    /// The decoder has given all text.
    done: bool,
    /// Where the text stops being any, said once what comes before it has been given.
    broken: Option<Broken>,
    /// Line of the next character.
    line: u64,
}

impl Text {
    /// Looks at the first bytes.
    ///
    /// # Errors
    ///
    /// [`Broken`] when the byte order mark contradicts what was said, or says UTF-16.
    pub(crate) fn new(mut source: Source, said: Encoding) -> Result<Self, Broken> {
        let mut raw = vec![0; RAW_BYTES];
        let mut until = 0;
        let mut ended = false;
        while until < GB18030_MARK.len() && !ended {
            let room = raw.get_mut(until..).unwrap_or_default();
            let count = source
                .read(room)
                .map_err(|sentence| Broken::at(1, sentence))?;
            until += count;
            ended = count == 0;
        }
        let first = raw.get(..until).unwrap_or_default();
        let (form, from) = form(first, said).map_err(|sentence| Broken::at(1, sentence))?;
        let encoding = if form.gb18030 { GB18030 } else { UTF_8 };
        Ok(Self {
            source,
            decoder: encoding.new_decoder_without_bom_handling(),
            form,
            raw,
            from,
            until,
            ended,
            done: false,
            broken: None,
            line: 1,
        })
    }

    /// How it is encoded.
    pub(crate) fn form(&self) -> Form {
        self.form
    }

    /// Where it comes from.
    pub(crate) fn source(&self) -> &Source {
        &self.source
    }

    /// Adds more text; false at the end.
    ///
    /// # Errors
    ///
    /// [`Broken`] when the bytes are not in that encoding, or cannot be read.
    pub(crate) fn more(&mut self, into: &mut String) -> Result<bool, Broken> {
        if let Some(broken) = &self.broken {
            return Err(broken.clone());
        }
        while !self.done {
            if self.from == self.until && !self.ended {
                let count = self.source.read(&mut self.raw);
                let count = count.map_err(|sentence| Broken::at(self.line, sentence))?;
                (self.from, self.until, self.ended) = (0, count, count == 0);
            }
            into.reserve(RAW_BYTES);
            let before = into.len();
            let raw = self.raw.get(self.from..self.until).unwrap_or_default();
            let (result, read) = self
                .decoder
                .decode_to_string_without_replacement(raw, into, self.ended);
            self.from += read;
            let new = into.get(before..).unwrap_or_default();
            self.line += lines_in(new.as_bytes());
            match result {
                DecoderResult::Malformed(bad, after) => {
                    let broken = self.malformed(usize::from(bad), usize::from(after));
                    if into.len() == before {
                        return Err(broken);
                    }
                    self.broken = Some(broken);
                }
                DecoderResult::InputEmpty => self.done = self.ended,
                DecoderResult::OutputFull => {}
            }
            if into.len() > before {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn malformed(&self, bad: usize, after: usize) -> Broken {
        let culprit = self
            .from
            .checked_sub(bad + after)
            .and_then(|at| self.raw.get(at))
            .map_or_else(|| "a byte".to_owned(), |byte| format!("byte 0x{byte:02x}"));
        let sentence = if self.form.gb18030 {
            format!(
                "{culprit} is not GB18030; save the file as UTF-8, and say encoding = \"utf-8\""
            )
        } else {
            format!(
                "{culprit} is not UTF-8; if the file is GBK or GB18030, say encoding = \"gb18030\" in \
                 [input] of the mapping, otherwise save it as UTF-8"
            )
        };
        Broken::at(self.line, sentence)
    }
}

/// Line ends in some bytes.
pub(crate) fn lines_in(bytes: &[u8]) -> u64 {
    let count = bytes.iter().filter(|byte| **byte == b'\n').count();
    u64::try_from(count).unwrap_or(u64::MAX)
}

/// The encoding by what was said and the first bytes, and how many of these are a mark.
fn form(first: &[u8], said: Encoding) -> Result<(Form, usize), String> {
    let contradicts = |mark: &str, said: &str| {
        Err(format!(
            "the file begins with the byte order mark of {mark}, but the mapping says {said}"
        ))
    };
    if first.starts_with(&[0xff, 0xfe]) || first.starts_with(&[0xfe, 0xff]) {
        return Err("the file is UTF-16; save it as UTF-8".to_owned());
    }
    let (gb18030, mark) = if first.starts_with(UTF_8_MARK) {
        if said == Encoding::Gb18030 {
            return contradicts("UTF-8", "gb18030");
        }
        (false, UTF_8_MARK.len())
    } else if first.starts_with(GB18030_MARK) {
        if said == Encoding::Utf8 {
            return contradicts("GB18030", "utf-8");
        }
        (true, GB18030_MARK.len())
    } else {
        (said == Encoding::Gb18030, 0)
    };
    let marked = mark > 0;
    Ok((Form { gb18030, marked }, mark))
}
