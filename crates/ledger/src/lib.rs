//! The credit bank as a pure state machine: commands, events, state, invariants.
//!
//! What the ledger decides is a function of its arguments: no clock, no file, no socket, no randomness,
//! no floats. So it can be tested as tables, replayed, and re-executed by an auditor. It does not know
//! that it is hashed, stored or served.
//!
//! Read in this order: [`words`] (what it speaks about), [`event`] (the facts), [`state`] (what
//! decisions need), [`admit`](mod@admit) (the rules), [`decide`](mod@decide) (from a command to events),
//! [`account`] (what a learner holds).

#![allow(
    clippy::missing_errors_doc,
    reason = "every error is a Rejection, documented there"
)]

pub mod account;
pub mod admit;
pub mod amount;
pub mod codec;
pub mod command;
pub mod decide;
pub mod event;
pub mod ids;
pub mod invariants;
mod keyed;
pub mod keys;
mod needs;
mod ready;
pub mod registry;
pub mod rejection;
pub mod shape;
pub mod signature;
pub mod state;
pub mod words;

pub use account::Account;
pub use admit::{admit, admit_keyed};
pub use amount::Credits;
pub use command::{Action, Actor, Command, Decision};
pub use decide::{carry_out, carry_out_ready, decide, find_learner};
pub use event::{Body, Event, EventKind};
pub use ids::{Date, Handle, InstitutionId, Key, Position, Revision, Timestamp};
pub use keyed::Keyed;
pub use keys::{KeySecret, keys_of};
pub use needs::{likely_needs, likely_needs_of};
pub use ready::Ready;
pub use rejection::{Rejection, Violation};
pub use signature::{IssuerSignature, IssuerStatement};
pub use state::{Refusal, Savepoint, State};

/// Version of the admission rules that a new ledger opens with.
pub const RULES_VERSION: u32 = 1;

/// The bodies of records as protobuf messages, generated from `proto/creditbank/event/v1`.
#[allow(
    missing_docs,
    clippy::all,
    clippy::as_conversions,
    clippy::wildcard_imports,
    clippy::allow_attributes_without_reason,
    unreachable_pub,
    reason = "generated code"
)]
mod generated {
    include!("generated/creditbank.event.v1.rs");
}
