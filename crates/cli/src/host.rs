//! The server, as this program starts and stops it.
//!
//! Apart from `serve` and `demo` so that what the crate `server` is called by is in one place.

/// Every setting with its default, as commented TOML.
pub(crate) fn default_settings() -> String {
    String::new()
}
