//! Crash and error sweeps.
