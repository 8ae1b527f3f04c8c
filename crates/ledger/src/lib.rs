//! The credit bank as a pure state machine: commands, events, state, invariants.
