//! The crate seen from outside: one binary, so that it links once.

#![allow(
    clippy::unwrap_used,
    clippy::as_conversions,
    reason = "a test stops when anything fails"
)]

mod crashes;
mod interoperability;
