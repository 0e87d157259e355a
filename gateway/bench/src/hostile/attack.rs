//! The attacker: one row against one gateway, from one address, for a bounded time; and what it delivered.

use std::cell::{Cell, RefCell};
use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use clap::Args;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{sleep, timeout};
use tritondeploy_wire::v1::SUBPROTOCOL;

use super::delivered::Delivered;
use super::peer;
use super::rows::{self, Row};
use crate::failure::{Doing, Failure};
use crate::path::v1::greeting;
use crate::report::say;
use crate::socket::{Event, Reader, Socket, Writer};

/// The line that the attacker prints when its messages are prepared and the attack begins.
pub(super) const BEGUN: &str = "begun";

/// Bytes of a long message that are written, and counted, at once.
const PIECE: usize = 256 << 10;

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
                    self.delivered.borrow_mut().answer(&message, protocol);
                    return true;
                }
                Err(_) => {
                    self.ended("lost".to_owned());
                    return false;
                }
            }
        }
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
        // When the gateway closes a connection it stops reading, so the write fails, too.
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
