//! The three streams through gRPC, as a client that is cut off now and then sees them.
//!
//! Each file holds one stream, and `random` all of them at once: whatever is cut, restarted and written
//! meanwhile, everything comes exactly once and in order.

mod random;
mod submit;
mod subscribe;
mod watch;
