//! gRPC services, wiring, configuration and the clock.
//!
//! The one crate where the ledger's rules, a store, the read models and the network meet. A request
//! goes one way: `access` (may this role call this?), `from_proto` (what does it say?), a service,
//! `engine` (the writer) or the views, `to_proto`. What is refused is explained in `status`.

pub mod access;
mod causes;
pub mod clock;
pub mod config;
pub mod engine;
pub mod from_proto;
mod http;
pub mod identity;
pub mod limits;
mod metrics;
mod ready;
pub mod reference;
mod run;
pub mod services;
pub mod status;
pub mod to_proto;
mod transport;
mod web;

pub use config::{Config, ConfigError};
pub use metrics::{Measured, Metrics};
pub use run::{Recovery, Running, StartError, Store, start, start_on};
pub use views::{FORMAT as VIEWS_FORMAT, Left as ViewsLeft, look as look_at_views};
