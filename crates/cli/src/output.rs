//! Standard output and standard error: where lines go, and in which form.
//!
//! Apart because `println!` panics when the reader has gone (`creditbank ... | head`), and because
//! every command writes either tables or JSON, never both.

use std::io::{self, Write};

use serde::Serialize;

use crate::error::Failure;

/// Writes a text and a line end to standard output.
pub(crate) fn line(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())
        .and_then(|()| out.write_all(b"\n"))
        .map_err(Failure::Output)
}

/// Writes a value as one line of JSON to standard output.
pub(crate) fn json<T: Serialize>(value: &T) -> Result<(), Failure> {
    let text = serde_json::to_string(value).map_err(|e| Failure::Output(e.into()))?;
    line(&text)
}

/// Writes a text and a line end to standard error; when nobody reads it there is nobody to tell.
pub(crate) fn note(text: &str) {
    let mut err = io::stderr().lock();
    let _ = err
        .write_all(text.as_bytes())
        .and_then(|()| err.write_all(b"\n"));
}
