//! The ways from a client to a model.

pub(crate) mod direct;
pub(crate) mod v0;
pub(crate) mod v1;

use futures::future::LocalBoxFuture;

use crate::failure::Failure;

/// One client that asks one thing at a time.
pub(crate) trait Client {
    /// Asks with one of the payloads, and holds the answer against the one expected.
    fn ask(&mut self, payload: usize) -> LocalBoxFuture<'_, Result<(), Failure>>;
}

/// Clients that ask at once.
pub(crate) type Clients = Vec<Box<dyn Client>>;

/// An answer that is not the one expected: what was measured is worth nothing.
fn wrong(payload: usize, what: &str) -> Failure {
    Failure(format!("payload {payload} was answered wrongly: {what}"))
}
