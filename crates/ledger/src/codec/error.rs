//! Why bytes are no event: one variant per way of being wrong.
//!
//! Apart from the decoding so that this list can be read as the decoder's contract.

use crate::event::EventKind;

/// Why bytes are no event.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CodecError {
    /// No event has this kind.
    #[error("no event has kind {kind}")]
    UnknownKind {
        /// The number in the leaf.
        kind: u16,
    },
    /// The kind is always about a learner, and the leaf names none.
    #[error("{} names no learner", .kind.as_str_name())]
    LearnerMissing {
        /// The kind.
        kind: EventKind,
    },
    /// The kind is never about a learner, and the leaf names one.
    #[error("{} names a learner", .kind.as_str_name())]
    LearnerUnexpected {
        /// The kind.
        kind: EventKind,
    },
    /// No erasure covers this kind, so its body may not be missing.
    #[error("the body of {} cannot be erased", .kind.as_str_name())]
    NotErasable {
        /// The kind.
        kind: EventKind,
    },
    /// The bytes are no message of the kind.
    #[error("the body is not the protobuf message of its kind")]
    Protobuf(#[source] prost::DecodeError),
    /// The bytes are not those that encoding gives.
    #[error("the body is not encoded canonically")]
    NotCanonical,
    /// A message that must be there is not.
    #[error("{field} is missing")]
    Missing {
        /// Which.
        field: &'static str,
    },
    /// A field stands where its kind has none.
    #[error("{field} does not belong here")]
    Misplaced {
        /// Which.
        field: &'static str,
    },
    /// An enumeration is unspecified or has a number that is not in it.
    #[error("{field} is unspecified or unknown")]
    Unspecified {
        /// Which.
        field: &'static str,
    },
    /// A date is not a day of the years 0000 to 9999 written `2026-11-21`.
    #[error("{field} is no date")]
    Date {
        /// Which.
        field: &'static str,
    },
    /// An institution id is ill-formed, or empty where it may not be.
    #[error("{field} is no institution id")]
    Institution {
        /// Which.
        field: &'static str,
    },
    /// A handle has not 16 bytes, or is zero.
    #[error("{field} is no learner handle")]
    Handle {
        /// Which.
        field: &'static str,
    },
    /// Bytes of fixed length have another one.
    #[error("{field} has not its fixed length")]
    Length {
        /// Which.
        field: &'static str,
    },
    /// An amount is above the limit, which is what keeps every sum of amounts within 64 bits.
    #[error("{field} is above the limit")]
    Amount {
        /// Which.
        field: &'static str,
    },
    /// What an issuer signed is no statement.
    #[error("signature.statement is no statement")]
    Statement(#[source] Box<CodecError>),
}
