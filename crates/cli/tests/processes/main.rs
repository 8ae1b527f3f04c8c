//! Tests of the program as a process of its own: killed under load, fed with real data, and
//! called from other languages.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a test stops at what it does not expect"
)]

mod clients;
mod doctor;
mod following;
mod importing;
mod killed;
mod real_input;
mod running;
mod signing;
mod submitting;
mod unanswered;
