//! An async client for the gateway.
