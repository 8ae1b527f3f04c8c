//! An error with what caused it, for the log.
//!
//! Apart from the status that a client sees, because the engine says it too and knows no gRPC.

/// An error and what caused it, on one line.
#[must_use]
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(": ")
}
