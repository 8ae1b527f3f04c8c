//! The crate seen from outside: one binary, so that it links once.

// The name that every other crate of the workspace uses.
extern crate creditbank_chain as chain;

mod blocks;
mod builder;
mod conformance;
mod leaves;
mod notes;
mod samples;
mod segments;
mod text;
mod tree;
mod vectors;
