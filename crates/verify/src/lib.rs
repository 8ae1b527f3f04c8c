//! The auditor's verifier: no network, no async, no sled.
