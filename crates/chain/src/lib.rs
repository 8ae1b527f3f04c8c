//! Bytes to chain: the record encoding and its two hash chains.
