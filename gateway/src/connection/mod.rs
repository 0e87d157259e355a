//! One WebSocket: reads while work runs, pings, and closes at once. What is said on it is its [`Session`]'s.

mod end;
mod frames;
mod incoming;
mod queue;
mod session;

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures::stream::SplitSink;
use futures::{FutureExt, Sink, SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at, sleep_until};
use tokio_tungstenite::WebSocketStream;
use tokio_util::sync::CancellationToken;
use tungstenite::protocol::{Role, WebSocketConfig};
use tungstenite::{Error, Message};

pub use end::End;
pub use incoming::Budget;
pub use queue::Queue;
pub use session::Session;

use crate::config::Limits;
use incoming::{Incoming, Watch};

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

type Socket = WebSocketStream<Incoming>;

/// Speaks with one client until either side ends it; the TCP connection is closed when this returns.
///
/// `early` is what the client sent behind its upgrade request; `budget` is shared by all connections.
pub async fn serve<S: Session>(
    stream: TcpStream,
    early: Vec<u8>,
    session: S,
    limits: &Limits,
    budget: &Arc<Budget>,
    shutdown: &Shutdown,
) -> Summary {
    let config = WebSocketConfig::default()
        // The default of 128 KiB would be most of an idle connection's memory; big frames get room of their own.
        .read_buffer_size(8 << 10)
        .write_buffer_size(8 << 10)
        .max_message_size(Some(limits.message_bytes))
        .max_frame_size(Some(limits.message_bytes));
    let watch = Watch::default();
    let stream = Incoming::new(stream, &early, watch.clone(), budget, Duration::from_secs(limits.message_seconds));
    let socket = WebSocketStream::from_partially_read(stream, early, Role::Server, Some(config)).await;
    let (sink, mut source) = socket.split();
    let mut talk =
        Talk { sink, writing: None, control: 0, heard: Instant::now(), draining: false, watch, paused: false, limits, session };
    let end = talk.run(&mut source, shutdown).await;
    let requests = talk.session.count();
    let Talk { sink, session, .. } = talk;
    // Closing must not wait for work that nobody will read.
    drop(session);
    if let Ok(socket) = sink.reunite(source) {
        end::close(socket, &end).await;
    }
    Summary { end, requests }
}

/// What became of a connection.
#[derive(Debug)]
pub struct Summary {
    /// Why it ended.
    pub end: End,
    /// Requests received.
    pub requests: u64,
}

struct Talk<'l, S> {
    sink: SplitSink<Socket, Message>,
    /// Since when something is on its way to the client.
    writing: Option<Instant>,
    /// Control frames received since the last time that nothing was on its way.
    control: usize,
    /// When the last frame came.
    heard: Instant,
    draining: bool,
    watch: Watch,
    /// Whether we did not read just now.
    paused: bool,
    limits: &'l Limits,
    session: S,
}

impl<S: Session> Talk<'_, S> {
    async fn run(&mut self, source: &mut futures::stream::SplitStream<Socket>, shutdown: &Shutdown) -> End {
        let mut ping = self.pings();
        loop {
            if self.draining && self.session.is_empty() && self.writing.is_none() {
                return End::Drained;
            }
            let reading = self.control < CONTROL_FRAMES && self.session.has_room();
            if reading && self.paused {
                self.watch.resume();
            }
            self.paused = !reading;
            let deadline = self.deadline(reading);
            tokio::select! {
                frame = source.next(), if reading => {
                    if let Some(end) = self.hear(frame) {
                        return end;
                    }
                }
                answer = self.session.next(), if self.writing.is_none() => {
                    if let Err(e) = self.send_all(answer) {
                        return End::from(e);
                    }
                }
                flushed = self.sink.flush(), if self.writing.is_some() => {
                    if let Err(e) = flushed {
                        return End::from(e);
                    }
                    self.writing = None;
                    self.control = 0;
                    // Only now does a client that we kept waiting get the blame for being silent.
                    if !reading {
                        self.heard = Instant::now();
                    }
                }
                _ = ping.tick(), if self.writing.is_none() => {
                    if let Err(e) = self.send(Message::Ping(Default::default())) {
                        return End::from(e);
                    }
                }
                () = sleep_until(deadline) => return self.overdue(),
                () = shutdown.drain.cancelled(), if !self.draining => {
                    self.draining = true;
                    self.session.drain();
                }
                () = shutdown.kill.cancelled() => return End::Drained,
            }
        }
    }

    fn pings(&self) -> Interval {
        let every = Duration::from_secs(self.limits.ping_seconds);
        let mut ping = interval_at(Instant::now() + every, every);
        ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
        ping
    }

    /// When silence or a stuck write ends the connection.
    fn deadline(&self, reading: bool) -> Instant {
        let write = self.writing.map(|since| since + Duration::from_secs(self.limits.write_seconds));
        // While we do not read we cannot tell silence.
        let idle = reading.then(|| self.heard + Duration::from_secs(self.limits.idle_seconds));
        let far = || Instant::now() + Duration::from_secs(3600);
        write.into_iter().chain(idle).min().unwrap_or_else(far)
    }

    fn overdue(&self) -> End {
        if self.writing.is_some_and(|since| since.elapsed() >= Duration::from_secs(self.limits.write_seconds)) {
            End::Stuck
        } else {
            End::Idle
        }
    }

    /// Takes one frame; says when it was the last.
    fn hear(&mut self, frame: Option<Result<Message, Error>>) -> Option<End> {
        let message = match frame {
            None => return Some(End::Lost),
            Some(Err(e)) => return Some(End::from(e)),
            Some(Ok(message)) => message,
        };
        self.heard = Instant::now();
        match message {
            Message::Text(_) | Message::Binary(_) => self.session.push(message),
            Message::Close(_) => return Some(End::Closed),
            // tungstenite has queued the pong; the flush sends it even while reading pauses.
            Message::Ping(_) => {
                self.control += 1;
                self.writing.get_or_insert_with(Instant::now);
            }
            Message::Pong(_) | Message::Frame(_) => {}
        }
        None
    }

    /// Begins to write this answer and those that are ready with it, so that many small ones leave in one packet.
    fn send_all(&mut self, first: Message) -> Result<(), Error> {
        let mut bytes = first.len();
        self.send(first)?;
        while bytes < TOGETHER {
            // The sink holds one message; another in its place before it is ready would be the first one's loss.
            match poll_fn(|cx| self.sink.poll_ready_unpin(cx)).now_or_never() {
                None => break,
                Some(ready) => ready?,
            }
            let Some(answer) = self.session.next().now_or_never() else { break };
            bytes += answer.len();
            self.send(answer)?;
        }
        Ok(())
    }

    /// Begins to write; `flush` finishes it.
    fn send(&mut self, message: Message) -> Result<(), Error> {
        Pin::new(&mut self.sink).start_send(message)?;
        self.writing.get_or_insert_with(Instant::now);
        Ok(())
    }
}
