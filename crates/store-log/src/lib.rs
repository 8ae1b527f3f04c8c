//! The EventStore on append-only segment files, the embedded default.
