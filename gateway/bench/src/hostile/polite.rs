//! A client as every client should be: one photograph at a time, a pause, and patience with whoever is busy.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::time::{sleep, timeout};
use tritondeploy_wire::v1::{Code, SUBPROTOCOL, ServerMessage};

use super::peer;
use crate::failure::Failure;
use crate::frame::Opcode;
use crate::path::v1::{Request, greeting, read};
use crate::socket::Socket;
use crate::statistics::quantile;

/// From an answer to the next request.
const PAUSE: Duration = Duration::from_millis(20);

/// Longer than the gateway lets a request take.
const PATIENCE: Duration = Duration::from_secs(70);

/// After a lost connection.
const RECONNECT: Duration = Duration::from_millis(200);

/// What became of its requests.
#[derive(Debug, Default)]
pub(super) struct Asked {
    /// Of right answers.
    latencies: RefCell<Vec<Duration>>,
    /// Other ends by their kind: codes of errors, "lost", "wrong: ...".
    errors: RefCell<BTreeMap<String, u64>>,
}

/// The client.
#[derive(Debug)]
pub(super) struct Polite {
    gateway: SocketAddr,
    requests: Vec<Request>,
    messages: Vec<(Opcode, Vec<u8>)>,
}

enum Ended {
    Right,
    Refused(Code, Option<u64>),
    /// The connection cannot be used any more.
    Broken(String),
}

impl Polite {
    /// Asks with all of these in turn.
    pub(super) fn new(port: u16, requests: Vec<Request>) -> Result<Self, Failure> {
        let messages = requests.iter().enumerate().map(|(id, request)| request.message(id as u64)).collect::<Result<_, _>>()?;
        Ok(Self { gateway: ([127, 0, 0, 1], port).into(), requests, messages })
    }

    /// Asks until it has so many answers; any other end of a request is an error.
    pub(super) async fn ask_alone(&self, answers: usize) -> Result<Asked, Failure> {
        let asked = Asked::default();
        let enough = || asked.answers() >= answers || !asked.errors.borrow().is_empty();
        self.ask_until(&asked, enough).await;
        if let Some((kind, _)) = asked.errors.borrow().first_key_value() {
            return Err(Failure(format!("a client that is alone got {kind:?}")));
        }
        Ok(asked)
    }

    /// Asks until told to stop; the last request is waited for.
    pub(super) async fn ask_while(&self, asked: &Asked, over: &Cell<bool>) {
        self.ask_until(asked, || over.get()).await;
    }

    async fn ask_until(&self, asked: &Asked, over: impl Fn() -> bool) {
        let mut number = 0;
        while !over() {
            match timeout(PATIENCE, self.connect()).await {
                Ok(Ok(mut socket)) => {
                    while !over() && self.one(&mut socket, asked, number % self.requests.len()).await {
                        number += 1;
                        sleep(PAUSE).await;
                    }
                }
                Ok(Err(Failure(_))) => asked.error("not connected".to_owned()),
                Err(_) => asked.error("not connected in time".to_owned()),
            }
            if !over() {
                sleep(RECONNECT).await;
            }
        }
    }

    async fn connect(&self) -> Result<Socket, Failure> {
        let stream = peer::connect(peer::POLITE, self.gateway, None).await?;
        greeting(Socket::upgrade(stream, Some(SUBPROTOCOL)).await?).await
    }

    /// One request; whether the connection is still good.
    async fn one(&self, socket: &mut Socket, asked: &Asked, number: usize) -> bool {
        let start = Instant::now();
        match timeout(PATIENCE, self.exchange(socket, number)).await {
            Ok(Ended::Right) => asked.latencies.borrow_mut().push(start.elapsed()),
            Ok(Ended::Refused(code, after)) => {
                asked.error(code.to_string());
                sleep(Duration::from_millis(after.unwrap_or_default())).await;
            }
            Ok(Ended::Broken(why)) => {
                asked.error(why);
                return false;
            }
            Err(_) => {
                asked.error("no answer in time".to_owned());
                return false;
            }
        }
        true
    }

    async fn exchange(&self, socket: &mut Socket, number: usize) -> Ended {
        let (opcode, message) = &self.messages[number];
        let answer = match socket.send(*opcode, message).await {
            Ok(()) => socket.receive().await,
            Err(why) => Err(why),
        };
        let Ok(answer) = answer else { return Ended::Broken("lost".to_owned()) };
        match read(&answer) {
            Ok((ServerMessage::Result(result), parts)) if result.id == number as u64 => {
                match self.requests[number].differs(&result, &parts) {
                    None => Ended::Right,
                    Some(what) => Ended::Broken(format!("wrong: {what}")),
                }
            }
            Ok((ServerMessage::Error { id: Some(id), failure }, _)) if id == number as u64 => {
                Ended::Refused(failure.code, failure.retry_after_ms)
            }
            Ok((other, _)) => Ended::Broken(format!("wrong: {other:?}")),
            Err(Failure(why)) => Ended::Broken(format!("wrong: {why}")),
        }
    }
}

impl Asked {
    fn error(&self, kind: String) {
        *self.errors.borrow_mut().entry(kind.chars().take(200).collect()).or_default() += 1;
    }

    /// Right ones so far.
    pub(super) fn answers(&self) -> usize {
        self.latencies.borrow().len()
    }

    /// Other ends so far, by their kind.
    pub(super) fn errors(&self) -> BTreeMap<String, u64> {
        self.errors.borrow().clone()
    }

    /// The latency that a share of the answers does not exceed, in ms.
    pub(super) fn quantile(&self, share: f64) -> Option<f64> {
        let mut sorted = self.latencies.borrow().clone();
        sorted.sort_unstable();
        quantile(&sorted, share).map(|latency| latency.as_secs_f64() * 1e3)
    }
}
