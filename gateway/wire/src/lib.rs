//! The messages of the wire protocols.
