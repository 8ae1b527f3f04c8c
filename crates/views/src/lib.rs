//! Read models: events folded into sled, disposable.
//!
//! The log can answer by position and by key. What an institution has recorded under which code, and
//! which accounts wait to be bound, are questions across records; their answers are folded here as the
//! log grows. What a learner holds is read from the log itself and summed up here for the next time.
//! Views are never the truth: they may lag, they are built anew whenever they are missing or do not
//! check, and nothing is decided by them. Only this crate names sled.
//!
//! Invariant: no view holds a name, a title, a record id, a code of a course or a number of a person, only
//! positions, handles, ids of institutions, codes of units, levels and fields, hashes of codes, amounts and
//! dates. What of it is about an erased achievement or account is taken out, but sled keeps deleted bytes for
//! a while. Texts are read from the bodies in the store.
//!
//! Invariant: a list reflects exactly the records below the size asked for, up to what has been applied.
//! Values may be ahead of that size; positions from that size on are left out.
//!
//! Calls into sled block for microseconds, or a read of a page from disk, and are made inline, also from
//! async functions. [`Views::apply`] works for as long as its batch is long, so [`follow`] belongs on a
//! thread of its own.
//!
//! Read in this order: [`Views`], `account`, `apply` (a batch), `buffer` (when it is written), `search`,
//! `open` (what a crash leaves), [`follow`].

mod account;
mod apply;
mod buffer;
mod changed;
mod chunk;
mod fault;
mod files;
mod follow;
mod history;
mod lists;
mod look;
mod mark;
mod open;
mod pending;
mod sealed;
mod search;
mod summary;
mod told;
mod views;

pub use account::AccountBalance;
pub use fault::{ViewsFault, Why};
pub use follow::follow;
pub use history::History;
pub use look::{Left, look};
pub use mark::VERSION as FORMAT;
pub use pending::Page as PendingPage;
pub use search::{Candidates, Search};
pub use views::{Opened, Options, Views};
