//! One WebSocket from the upgrade to its end.

use std::pin::pin;
use std::time::Duration;

use futures::FutureExt;
use tokio::net::TcpStream;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at, sleep_until};
use tokio_util::sync::CancellationToken;
use tungstenite::Message;

use super::charge::Charge;
use super::reader::{Event, Longest, Reader};
use super::writer::Writer;
use super::{CloseReason, Session, close};
use crate::admission::memory::Space;
use crate::config::Limits;
use crate::peer::Client;

/// Frames of control that may come while our writes are stuck; each may cost a pong in memory.
const CONTROL_FRAMES: usize = 64;

/// When connections must end for reasons of our own.
#[derive(Clone, Debug, Default)]
pub struct Shutdown {
    /// Take no new request, finish those received, close with 1001.
    pub drain: CancellationToken,
    /// Close with 1001 now.
    pub kill: CancellationToken,
}

/// Bytes of answers that are handed to the socket together.
const TOGETHER: usize = 32 << 10;

/// Speaks with one client until either side ends it; the TCP connection is closed when this returns.
///
/// `early` is what the client sent behind its upgrade request; `incoming` is shared by all connections.
pub async fn serve<S: Session>(
    stream: TcpStream,
    early: Vec<u8>,
    session: S,
    limits: &Limits,
    (incoming, client): (&Space, Client),
    shutdown: &Shutdown,
) -> Summary {
    let (read, write) = stream.into_split();
    let longest = Longest { text: limits.message_bytes.min(session.longest_text()), any: limits.message_bytes };
    let mut reader = Reader::new(read, &early, longest, Charge::new(incoming, client));
    drop(early);
    let writer = Writer::new(write);
    let mut driver =
        Driver { writer, writing: None, control: 0, heard: Instant::now(), draining: false, paused: false, limits, session };
    let end = driver.run(&mut reader, shutdown).await;
    let requests = driver.session.count();
    let Driver { writer, session, .. } = driver;
    // Closing must not wait for work that nobody will read.
    drop(session);
    close::close(reader, writer, &end).await;
    Summary { end, requests }
}

/// What became of a connection.
#[derive(Debug)]
pub struct Summary {
    /// Why it ended.
    pub end: CloseReason,
    /// Requests received.
    pub requests: u64,
}

struct Driver<'l, S> {
    writer: Writer,
    /// Since when something is on its way to the client.
    writing: Option<Instant>,
    /// Control frames received since the last time that nothing was on its way.
    control: usize,
    /// When the last frame came.
    heard: Instant,
    draining: bool,
    /// Whether we did not read just now.
    paused: bool,
    limits: &'l Limits,
    session: S,
}

impl<S: Session> Driver<'_, S> {
    async fn run(&mut self, reader: &mut Reader, shutdown: &Shutdown) -> CloseReason {
        let mut ping = self.pings();
        // Set again only when something is due earlier: on a busy connection, what is due moves away all the time.
        let mut alarm = pin!(sleep_until(self.deadline(None)));
        let (mut drain, mut kill) = (pin!(shutdown.drain.cancelled()), pin!(shutdown.kill.cancelled()));
        loop {
            if self.draining && self.session.is_empty() && self.writing.is_none() {
                return CloseReason::Drained;
            }
            let reading = self.control < CONTROL_FRAMES && self.session.has_room();
            if reading && self.paused {
                reader.resume();
            }
            self.paused = !reading;
            let deadline = self.deadline(reading.then(|| reader.since()));
            if deadline < alarm.deadline() {
                alarm.as_mut().reset(deadline);
            }
            tokio::select! {
                event = reader.next(), if reading => match event {
                    Ok(event) => {
                        if let Some(end) = self.on_event(event, reader) {
                            return end;
                        }
                    }
                    Err(end) => return end,
                },
                answer = self.session.next(), if self.writing.is_none() => self.send_all(answer),
                flushed = self.writer.flush(), if self.writing.is_some() => {
                    if flushed.is_err() {
                        return CloseReason::Lost;
                    }
                    self.writing = None;
                    self.control = 0;
                    // Only now does a client that we kept waiting get the blame for being silent.
                    if !reading {
                        self.heard = Instant::now();
                    }
                }
                _ = ping.tick(), if self.writing.is_none() => self.send(Message::Ping(Default::default())),
                () = &mut alarm => {
                    if Instant::now() >= deadline {
                        return self.overdue(reader);
                    }
                    alarm.as_mut().reset(deadline);
                }
                () = &mut drain, if !self.draining => {
                    self.draining = true;
                    self.session.drain();
                }
                () = &mut kill => return CloseReason::Drained,
            }
        }
    }

    fn pings(&self) -> Interval {
        let every = Duration::from_secs(self.limits.ping_seconds);
        let mut ping = interval_at(Instant::now() + every, every);
        ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
        ping
    }

    /// When silence, a message that does not end, or a stuck write ends the connection. While we do not read we cannot
    /// tell the first two; else `reading` says since when a message is unfinished.
    fn deadline(&self, reading: Option<Option<Instant>>) -> Instant {
        let write = self.writing.map(|since| since + Duration::from_secs(self.limits.write_seconds));
        let idle = reading.map(|_| self.heard + Duration::from_secs(self.limits.idle_seconds));
        let message = reading.flatten().map(|since| since + Duration::from_secs(self.limits.message_seconds));
        let far = || Instant::now() + Duration::from_secs(3600);
        write.into_iter().chain(idle).chain(message).min().unwrap_or_else(far)
    }

    fn overdue(&self, reader: &Reader) -> CloseReason {
        let over = |since: Instant, seconds: u64| since.elapsed() >= Duration::from_secs(seconds);
        if self.writing.is_some_and(|since| over(since, self.limits.write_seconds)) {
            CloseReason::Stuck
        } else if !self.paused && reader.since().is_some_and(|since| over(since, self.limits.message_seconds)) {
            CloseReason::Slow
        } else {
            CloseReason::Idle
        }
    }

    /// Takes what came; says when it was the last.
    fn on_event(&mut self, event: Event, reader: &mut Reader) -> Option<CloseReason> {
        self.heard = Instant::now();
        match event {
            Event::Message(message) => self.session.push(message),
            Event::Long => {
                if let Some(places) = reader.begun().and_then(|(start, length)| self.session.begin(start, length)) {
                    reader.place(places);
                }
            }
            Event::Placed(places, length) => self.session.placed(places, length),
            Event::Close(said) => return Some(CloseReason::Closed(said)),
            // Sent even while reading pauses.
            Event::Ping(payload) => {
                self.control += 1;
                self.send(Message::Pong(payload));
            }
            Event::Pong => {}
        }
        None
    }

    /// Begins to write this answer and those that are ready with it, so that many small ones leave in one packet.
    fn send_all(&mut self, first: Message) {
        let mut bytes = first.len();
        self.send(first);
        while bytes < TOGETHER {
            let Some(answer) = self.session.next().now_or_never() else { break };
            bytes += answer.len();
            self.send(answer);
        }
    }

    /// Begins to write; `flush` finishes it.
    fn send(&mut self, message: Message) {
        self.writer.push(message);
        self.writing.get_or_insert_with(Instant::now);
    }
}
