//! The EventStore contract, its conformance suite and an in-memory reference.
