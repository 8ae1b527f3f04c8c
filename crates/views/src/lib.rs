//! Read models: events folded into sled, disposable.
