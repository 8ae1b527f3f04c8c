//! Types generated from proto/, and nothing else.
