//! The client of protocol v1 among servers that are broken, slow, draining or odd.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod endings;
mod refusals;
mod server;
mod subprotocol;

use tritondeploy_client::v1::{Code, Error, Reply, Request};

/// What a request was answered with: the name that its object has.
fn told(answer: Result<Reply, Error>) -> String {
    answer.unwrap().results[0].alias.clone()
}

fn refused(answer: Result<Reply, Error>) -> Code {
    match answer {
        Err(Error::Refused(failure)) => failure.code,
        other => panic!("not refused: {other:?}"),
    }
}

fn object(key: &str) -> Request {
    Request::object(key)
}
