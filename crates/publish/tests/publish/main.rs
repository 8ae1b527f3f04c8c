//! The crate seen from outside: one binary, so that it links once.

mod crashes;
mod interoperability;
