//! Types generated from `proto/creditbank/v1`, and nothing else.
//!
//! They stand apart so that a client needs neither the server nor the ledger. The generated files are
//! committed; a test in `tests/it/generated.rs` makes them again and fails when they are stale.

/// Messages, clients and servers of `creditbank.v1`; the comments are those of the proto files.
#[allow(
    missing_docs,
    clippy::all,
    clippy::as_conversions,
    clippy::wildcard_imports,
    clippy::allow_attributes_without_reason,
    clippy::too_many_lines,
    unreachable_pub,
    reason = "generated code"
)]
pub mod v1 {
    include!("generated/creditbank.v1.rs");
}

/// The encoded `FileDescriptorSet` of `creditbank.v1`, for server reflection.
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!("generated/creditbank.v1.bin");
