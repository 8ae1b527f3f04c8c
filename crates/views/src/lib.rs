//! Read models: events folded into sled, disposable.
//!
//! The log can answer by position and by key. What a learner holds, what an institution has recorded
//! and which accounts wait to be bound are questions across records; their answers are folded here as
//! the log grows. Views are never the truth: they may lag, they are built anew whenever they are missing
//! or do not check, and nothing is decided by them. Only this crate names sled.
//!
//! Invariant: no view holds a name, a title, a record id or a number of a person, only positions,
//! handles, ids of institutions, codes, amounts and dates; sled keeps deleted bytes for a while, so what
//! is not there need not be erased. Texts are read from the bodies in the store.
//!
//! Invariant: an answer reflects exactly the records below the size that it names. Values may be ahead of
//! that size, while a batch is taken in or replayed; positions from that size on are left out.
//!
//! Calls into sled block for microseconds, or a read of a page from disk, and are made inline, also from
//! async functions. [`Views::apply`] works for as long as its batch is long, so [`follow`] belongs on a
//! thread of its own.
//!
//! Read in this order: [`Views`], `apply` (a batch), `buffer` (when it is written), `open` (what a crash leaves), [`follow`].

mod account;
mod apply;
mod buffer;
mod chains;
mod chunk;
mod fault;
mod files;
mod follow;
mod issued;
mod joins;
mod mark;
mod open;
mod pending;
mod sealed;
mod summary;
mod views;

pub use account::AccountBalance;
pub use fault::{ViewsFault, Why};
pub use follow::follow;
pub use views::{Opened, Options, Views};
