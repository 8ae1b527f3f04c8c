//! What the ledger promises, as tables that a registrar can read, and as properties of any order of commands.
//!
//! One binary, so that it links once. The tables are the text files in `tables/`: one command a line, the
//! answer below it. `UPDATE_EXPECT=1` writes the answers anew; read the difference before you keep it.

#![allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

// The name that every other crate of the workspace uses.
extern crate creditbank_ledger as ledger;

mod bank;
mod coverage;
mod language;
mod out_of_place;
mod properties;
mod show;
mod signing;
mod table;
mod vocabulary;
