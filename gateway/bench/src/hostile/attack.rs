//! The attacker: one row against one gateway, from one address, for a bounded time; and what it delivered.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use clap::Args;
use serde::{Deserialize, Serialize};
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{sleep, timeout};
use tritondeploy_wire::v1::{SUBPROTOCOL, ServerMessage};

use super::peer;
use super::rows::{self, Row};
use crate::failure::{Doing, Failure};
use crate::path::v1::{greeting, read};
use crate::report::say;
use crate::socket::{Event, Reader, Socket, Writer};

/// The line that says that all is prepared and the attack begins.
pub(super) const BEGUN: &str = "begun";

/// Bytes of a long message that are written, and counted, at once.
const PIECE: usize = 256 << 10;

/// Kinds of answers that are told apart: texts of v0's errors are the gateway's own, and may be many.
const KINDS: usize = 20;

/// No attack goes on for longer.
const LONGEST: f64 = 600.0;

/// One attack.
#[derive(Args, Debug)]
pub(crate) struct Arguments {
    /// Which attack.
    row: String,
    /// The gateway, an address of this machine.
    #[arg(long)]
    address: SocketAddr,
    /// The address that the attack comes from.
    #[arg(long, default_value_t = peer::ATTACKER)]
    from: Ipv4Addr,
    /// What is chosen by chance is the same for the same seed.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    #[arg(long, default_value_t = 10.0)]
    seconds: f64,
    /// Holds the objects that are named.
    #[arg(long, default_value = crate::world::BUCKET)]
    bucket: String,
}

/// What an attack did, and what became of it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Delivered {
    pub(crate) row: String,
    pub(crate) seed: u64,
    pub(crate) seconds: f64,
    /// Made: TCP connections that say nothing, or WebSockets.
    pub(crate) connections: u64,
    /// Not made: refused, or ended before the upgrade or the greeting.
    pub(crate) refused: u64,
    /// Sent whole.
    pub(crate) messages: u64,
    /// Begun, and ended by the gateway.
    pub(crate) cut: u64,
    /// Of messages, masks and frames included.
    pub(crate) bytes: u64,
    /// By their kind: "result", "error CODE", "success", "error: TEXT".
    pub(crate) answers: BTreeMap<String, u64>,
    /// How the gateway ended connections: by the code of its Close, or "lost".
    pub(crate) closes: BTreeMap<String, u64>,
}

/// What the rows attack with.
#[derive(Debug)]
pub(crate) struct Attack {
    pub(super) bucket: String,
    pub(super) seed: u64,
    to: SocketAddr,
    from: Ipv4Addr,
    begun: Cell<Option<Instant>>,
    delivered: RefCell<Delivered>,
}

/// Which protocol a connection speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    V0,
    V1,
}

/// Attacks, and says as one line of JSON what was delivered.
pub(crate) async fn run(arguments: Arguments) -> Result<bool, Failure> {
    let Arguments { row, address, from, seed, seconds, bucket } = arguments;
    let row = Row::named(&row)?;
    if !(address.ip().is_loopback() && from.is_loopback()) {
        return Err(Failure(format!("{address} from {from} is not attacked: only 127.0.0.0/8 is")));
    }
    if !(0.0..=LONGEST).contains(&seconds) {
        return Err(Failure(format!("an attack lasts 0 to {LONGEST} s, not {seconds}")));
    }
    let delivered = RefCell::new(Delivered { row: row.name.to_owned(), seed, ..Delivered::default() });
    let attack = Attack { bucket, seed, to: address, from, begun: Cell::default(), delivered };
    let mut terminate = signal(SignalKind::terminate()).doing("signals")?;
    tokio::select! {
        // The rows themselves end only when something that they need is missing.
        ended = timeout(Duration::from_secs_f64(seconds), (row.run)(&attack)) => ended.unwrap_or(Ok(()))?,
        _ = terminate.recv() => {}
    }
    let mut delivered = attack.delivered.into_inner();
    delivered.seconds = attack.begun.get().map_or(0.0, |begun| begun.elapsed().as_secs_f64());
    say(&serde_json::to_string(&delivered).doing("writing what was delivered")?);
    Ok(true)
}

impl Attack {
    /// Says that all is prepared.
    pub(super) fn begin(&self) {
        self.begun.set(Some(Instant::now()));
        say(BEGUN);
    }

    /// A connection that has said nothing.
    pub(super) async fn silent(&self) -> Option<tokio::net::TcpStream> {
        self.counted(peer::connect(self.from, self.to, None).await).await
    }

    /// An upgraded connection, of v1 a greeted one. A small receive buffer is for those who do not read: of them, nothing
    /// after the upgrade is read.
    pub(super) async fn connect(&self, protocol: Protocol, receive_buffer: Option<u32>) -> Option<Socket> {
        let connecting = async {
            let stream = peer::connect(self.from, self.to, receive_buffer).await?;
            match protocol {
                Protocol::V0 => Socket::upgrade(stream, None).await,
                Protocol::V1 if receive_buffer.is_some() => Socket::upgrade(stream, Some(SUBPROTOCOL)).await,
                Protocol::V1 => greeting(Socket::upgrade(stream, Some(SUBPROTOCOL)).await?).await,
            }
        };
        self.counted(connecting.await).await
    }

    async fn counted<T>(&self, made: Result<T, Failure>) -> Option<T> {
        match made {
            Ok(connection) => {
                self.delivered.borrow_mut().connections += 1;
                Some(connection)
            }
            Err(_) => {
                self.delivered.borrow_mut().refused += 1;
                // Who is refused does not spin.
                sleep(Duration::from_millis(50)).await;
                None
            }
        }
    }

    /// Sends a frame that was made beforehand; whether it went.
    pub(super) async fn send(&self, writer: &mut Writer, frame: &[u8]) -> bool {
        for piece in frame.chunks(PIECE) {
            if writer.send_raw(piece).await.is_err() {
                self.delivered.borrow_mut().cut += 1;
                return false;
            }
            self.delivered.borrow_mut().bytes += piece.len() as u64;
        }
        self.delivered.borrow_mut().messages += 1;
        true
    }

    /// Waits for an answer; false when the connection has ended.
    pub(super) async fn answered(&self, reader: &mut Reader, protocol: Protocol) -> bool {
        loop {
            match reader.next().await {
                // The gateway ends who does not answer pings after two minutes; no attack is that long without an answer.
                Ok(Event::Ping(_)) => {}
                Ok(Event::Close { code, .. }) => {
                    let code = code.map_or_else(|| "no code".to_owned(), |code| code.to_string());
                    self.ended(code);
                    return false;
                }
                Ok(Event::Message(message)) => {
                    self.answer(match protocol {
                        Protocol::V0 => kind_of_v0(&message),
                        Protocol::V1 => kind_of_v1(&message),
                    });
                    return true;
                }
                Err(_) => {
                    self.ended("lost".to_owned());
                    return false;
                }
            }
        }
    }

    fn answer(&self, kind: String) {
        let answers = &mut self.delivered.borrow_mut().answers;
        let kind = if answers.len() < KINDS || answers.contains_key(&kind) { kind } else { "others".to_owned() };
        *answers.entry(kind).or_default() += 1;
    }

    /// Counts the end of a connection that the gateway has ended.
    pub(super) fn ended(&self, how: String) {
        *self.delivered.borrow_mut().closes.entry(how).or_default() += 1;
    }

    /// Sends frames on a connection and reads meanwhile, until each has its answer; whether the connection is still open.
    pub(super) async fn exchange(&self, socket: &mut Socket, frames: &[Vec<u8>], protocol: Protocol) -> bool {
        let Socket { reader, writer } = socket;
        let sending = async {
            for frame in frames {
                if !self.send(writer, frame).await {
                    return false;
                }
            }
            true
        };
        let reading = async {
            for _ in frames {
                if !self.answered(reader, protocol).await {
                    return false;
                }
            }
            true
        };
        // What the gateway closes it does not read to the end: a write fails then, too.
        let (sent, read) = tokio::join!(sending, reading);
        sent && read
    }

    /// The same exchange again and again, on a new connection when one has ended.
    pub(super) async fn repeat(&self, frames: &[Vec<u8>], protocol: Protocol, pause: Duration) -> Result<(), Failure> {
        loop {
            if let Some(mut socket) = self.connect(protocol, None).await {
                while self.exchange(&mut socket, frames, protocol).await {
                    sleep(pause).await;
                }
            }
            sleep(pause).await;
        }
    }
}

fn kind_of_v0(message: &[u8]) -> String {
    if message.starts_with(b"{\"status\":\"success\"") {
        return "success".to_owned();
    }
    let text = String::from_utf8_lossy(&message[..message.len().min(400)]).into_owned();
    let why = text.strip_prefix("{\"status\":\"error\",\"message\":\"").unwrap_or(&text);
    format!("error: {}", why.chars().take(80).collect::<String>())
}

fn kind_of_v1(message: &[u8]) -> String {
    match read(message) {
        Ok((ServerMessage::Result(_), _)) => "result".to_owned(),
        Ok((ServerMessage::Error { failure, .. }, _)) => format!("error {}", failure.code),
        Ok((ServerMessage::Cancelled(_), _)) => "cancelled".to_owned(),
        Ok(_) => "other".to_owned(),
        Err(_) => "malformed".to_owned(),
    }
}

/// Names and titles, for who asks for one that there is not.
impl Row {
    /// The row of a name.
    pub(crate) fn named(name: &str) -> Result<&'static Self, Failure> {
        rows::ROWS.iter().find(|row| row.name == name).ok_or_else(|| {
            let known: Vec<_> = rows::ROWS.iter().map(|row| row.name).collect();
            Failure(format!("there is no attack {name:?}; there are {}", known.join(", ")))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_of_v0_are_told_apart_by_their_words() {
        assert_eq!(kind_of_v0(b"{\"status\":\"success\",\"outputs\":{}}"), "success");
        let error = b"{\"status\":\"error\",\"message\":\"s3://b/k does not exist or may not be read\"}";
        assert_eq!(kind_of_v0(error), "error: s3://b/k does not exist or may not be read\"}");
    }

    #[test]
    fn answers_of_v1_are_told_apart_by_their_codes() {
        let error = b"{\"type\":\"error\",\"id\":1,\"code\":\"overloaded\",\"message\":\"m\",\"retryable\":true}";
        assert_eq!(kind_of_v1(error), "error overloaded");
        assert_eq!(kind_of_v1(b"{}"), "malformed");
    }

    #[tokio::test]
    async fn only_this_machine_is_attacked() {
        let arguments = |address: &str, from| Arguments {
            row: "silent".to_owned(),
            address: address.parse().unwrap(),
            from,
            seed: 1,
            seconds: 1.0,
            bucket: String::new(),
        };
        for (address, from) in [("192.0.2.1:80", peer::ATTACKER), ("127.0.0.1:80", Ipv4Addr::new(192, 0, 2, 1))] {
            let Err(Failure(why)) = run(arguments(address, from)).await else { panic!("{address} is attacked") };
            assert!(why.contains("only 127.0.0.0/8"), "{why}");
        }
    }
}
