//! One connection, from its greeting to its end.

use std::collections::VecDeque;
use std::pin::Pin;
use std::time::Duration;

use futures::stream::{SplitSink, SplitStream};
use futures::{Sink, SinkExt, StreamExt};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::{self, Bytes, Message};
use tritondeploy_wire::v1::{Cancel, ClientMessage, Code, Frame, Greeting, SUBPROTOCOL, ServerMessage};

use super::reconnector::Command;
use super::requests::{Asked, Requests};
use super::{BULK, Error, Reply};
use crate::socket::{self, CONNECT, Failed, Socket};

/// With requests open and nothing heard for so long, the gateway is pinged; after as long again it is taken for gone.
const SILENCE: Duration = if cfg!(test) { Duration::from_millis(200) } else { Duration::from_secs(20) };

/// For one message to leave; the gateway gives it no longer either.
const WRITING: Duration = Duration::from_secs(120);

/// For the Close handshake.
const CLOSE: Duration = Duration::from_secs(2);

/// A connection on which the gateway has said hello.
pub(super) struct Opened {
    pub(super) socket: Socket,
    pub(super) greeting: Greeting,
}

/// # Errors
/// When nothing at `url` says hello in protocol v1 within ten seconds.
pub(super) async fn open(url: &str) -> Result<Opened, Error> {
    let failed = |why: String| Error::Connect { url: socket::address_without_secrets(url), why };
    let unspoken = |why: String| Error::UnsupportedSubprotocol { url: socket::address_without_secrets(url), why };
    let mut request = url.into_client_request().map_err(|e| failed(e.to_string()))?;
    request.headers_mut().insert("sec-websocket-protocol", HeaderValue::from_static(SUBPROTOCOL));
    let mut socket = socket::connect(request).await.map_err(|why| match why {
        Failed::UnsupportedSubprotocol(why) => unspoken(why),
        Failed::Otherwise(why) => failed(why),
    })?;
    let hello = timeout(CONNECT, socket.next()).await;
    let hello = hello.map_err(|_| failed(format!("no greeting within {} s", CONNECT.as_secs())))?;
    match hello {
        Some(Ok(Message::Text(text))) => match serde_json::from_str(&text) {
            Ok(ServerMessage::Hello(greeting)) => Ok(Opened { socket, greeting }),
            Ok(_) => Err(unspoken("its first message is no greeting".to_owned())),
            Err(e) => Err(unspoken(format!("its greeting cannot be read: {e}"))),
        },
        Some(Err(e)) => Err(failed(e.to_string())),
        _ => Err(failed("closed without a greeting".to_owned())),
    }
}

/// What a connection tells its line.
pub(super) enum ConnectionEvent {
    /// It takes nothing new.
    Goaway {
        /// What was not sent.
        unsent: Vec<Asked>,
        /// Whether it answered anything.
        was_of_use: bool,
    },
    /// It is no more.
    Ended {
        /// The cause.
        why: String,
        /// What it still owes.
        unanswered: Vec<Asked>,
        /// Whether it answered anything.
        was_of_use: bool,
    },
}

/// Why a connection ends.
enum End {
    /// It was cut, or closed.
    Lost(String),
    /// What came is no protocol v1: the same would come of the same requests again.
    Garbage(String),
}

pub(super) struct Connection {
    sink: SplitSink<Socket, Message>,
    requests: Requests,
    /// Cancels, and other small words.
    words: VecDeque<Message>,
    /// Since when a message is on its way, and whether a large one.
    writing: Option<(Instant, bool)>,
    /// Since when nothing was heard that could have been.
    quiet: Instant,
    pinged: bool,
    /// Nothing new is taken.
    going: bool,
    was_of_use: bool,
    told: mpsc::UnboundedSender<(u64, ConnectionEvent)>,
    number: u64,
}

impl Connection {
    /// Runs until the connection ends or nobody asks any more.
    pub(super) async fn run(
        opened: Opened,
        mut commands: mpsc::UnboundedReceiver<Command>,
        number: u64,
        told: mpsc::UnboundedSender<(u64, ConnectionEvent)>,
    ) {
        let (sink, mut source) = opened.socket.split();
        let mut connection = Self {
            sink,
            requests: Requests::new(opened.greeting.window),
            words: VecDeque::new(),
            writing: None,
            quiet: Instant::now(),
            pinged: false,
            going: false,
            was_of_use: false,
            told,
            number,
        };
        let end = connection.talk(&mut source, &mut commands).await;
        let mut unanswered = connection.requests.sent();
        let why = match end {
            End::Lost(why) => why,
            End::Garbage(why) => {
                unanswered.drain(..).for_each(|asked| asked.done(Err(Error::Protocol(why.clone()))));
                why
            }
        };
        unanswered.extend(connection.requests.unsent());
        commands.close();
        while let Some(command) = commands.recv().await {
            if let Command::Ask(asked) = command {
                unanswered.push(asked);
            }
        }
        connection.tell(ConnectionEvent::Ended { why, unanswered, was_of_use: connection.was_of_use });
        let closing = async {
            if connection.sink.close().await.is_ok() {
                while let Some(Ok(_)) = source.next().await {}
            }
        };
        // Whoever does not answer a Close has been told enough.
        drop(timeout(CLOSE, closing).await);
    }

    fn tell(&self, told: ConnectionEvent) {
        // Without a line there is nobody left who waits.
        drop(self.told.send((self.number, told)));
    }

    async fn talk(&mut self, source: &mut SplitStream<Socket>, commands: &mut mpsc::UnboundedReceiver<Command>) -> End {
        let mut asked_for = true;
        loop {
            if let Err(e) = self.write() {
                return End::Lost(e.to_string());
            }
            let is_idle = self.writing.is_none() && (!asked_for || !self.requests.are_open());
            if is_idle && (self.going || !asked_for) {
                return End::Lost("closed".to_owned());
            }
            let now = Instant::now();
            let stuck = self.writing.map_or(now, |(since, _)| since) + WRITING;
            tokio::select! {
                message = source.next() => match message {
                    Some(Ok(Message::Close(frame))) => {
                        return End::Lost(socket::closed(frame.as_ref()));
                    }
                    Some(Ok(message)) => {
                        (self.quiet, self.pinged) = (Instant::now(), false);
                        // A pong may have to leave.
                        self.writing.get_or_insert((self.quiet, false));
                        if let Err(why) = self.hear(message) {
                            return End::Garbage(why);
                        }
                    }
                    Some(Err(e)) => return End::Lost(e.to_string()),
                    None => return End::Lost("closed without a word".to_owned()),
                },
                flushed = self.sink.flush(), if self.writing.is_some() => match flushed {
                    Ok(()) => self.written(),
                    Err(e) => return End::Lost(e.to_string()),
                },
                command = commands.recv(), if asked_for => match command {
                    Some(Command::Ask(asked)) if self.going => self.go(vec![asked]),
                    Some(Command::Ask(asked)) => self.requests.push(asked),
                    Some(Command::Cancel(id)) => if self.requests.give_up(id) {
                        self.say(&ClientMessage::Cancel(Cancel { id }));
                    },
                    None => asked_for = false,
                },
                () = sleep_until(self.quiet + SILENCE), if self.requests.are_open() && self.writing.is_none() => {
                    if self.pinged {
                        return End::Lost(format!("nothing was heard for {} s, not even a pong", 2 * SILENCE.as_secs()));
                    }
                    (self.quiet, self.pinged) = (Instant::now(), true);
                    self.words.push_back(Message::Ping(Bytes::new()));
                },
                () = sleep_until(stuck), if self.writing.is_some() => {
                    return End::Lost(format!("a message did not leave within {} s", WRITING.as_secs()));
                },
            }
        }
    }

    fn say(&mut self, word: &ClientMessage) {
        // These types have no map with keys that are no strings, the one thing that fails.
        self.words.push_back(Message::text(serde_json::to_string(word).unwrap_or_default()));
    }

    /// Hands to the socket what the window allows.
    fn write(&mut self) -> Result<(), tungstenite::Error> {
        if self.writing.is_some() {
            return Ok(());
        }
        let was_open = self.requests.are_open();
        let next = || if self.going { None } else { self.requests.next() };
        let Some(message) = self.words.pop_front().or_else(next) else { return Ok(()) };
        let now = Instant::now();
        if !was_open {
            self.quiet = now;
        }
        self.writing = Some((now, message.len() > BULK));
        // The socket is ready: its last message has been flushed.
        Pin::new(&mut self.sink).start_send(message)
    }

    fn written(&mut self) {
        // Of a large one, much may still be in buffers on the way, and the gateway silent with reason.
        if self.writing.take().is_some_and(|(_, is_large)| is_large) {
            self.quiet = Instant::now();
        }
    }

    /// # Errors
    /// When it is no protocol v1: why.
    fn hear(&mut self, message: Message) -> Result<(), String> {
        let (said, parts) = match message {
            Message::Text(text) => (serde_json::from_str(&text).map_err(|e| e.to_string())?, Vec::new()),
            Message::Binary(whole) => {
                let frame = Frame::parse(&whole).map_err(|e| e.to_string())?;
                let said = serde_json::from_slice(frame.header).map_err(|e| e.to_string())?;
                (said, frame.parts.into_iter().map(|part| whole.slice(part)).collect::<Vec<Bytes>>())
            }
            _ => return Ok(()),
        };
        match said {
            ServerMessage::Result(answer) => self.end(answer.id, |asked| asked.done(Ok(Reply::of(answer, parts)))),
            ServerMessage::Error { id: Some(id), failure } => {
                if failure.code == Code::Draining {
                    self.go(Vec::new());
                }
                self.end(id, |asked| asked.done(Err(Error::Refused(failure))));
            }
            ServerMessage::Error { id: None, failure } => self.requests.complain(failure),
            ServerMessage::Cancelled(cancelled) => self.end(cancelled.id, |asked| {
                asked.done(Err(Error::Protocol("the gateway cancelled what nobody asked it to".to_owned())));
            }),
            ServerMessage::Window(window) => self.requests.resize(window),
            ServerMessage::Goaway { .. } => self.go(Vec::new()),
            ServerMessage::Hello(_) => {}
        }
        Ok(())
    }

    /// A terminal message. One for an id that is not open is nobody's.
    fn end(&mut self, id: u64, done: impl FnOnce(Asked)) {
        if let Some(asked) = self.requests.close(id) {
            self.was_of_use |= !self.going;
            done(asked);
        }
    }

    /// Takes nothing new from now on, and gives back what was not sent.
    fn go(&mut self, mut unsent: Vec<Asked>) {
        self.going = true;
        unsent.extend(self.requests.unsent());
        self.tell(ConnectionEvent::Goaway { unsent, was_of_use: self.was_of_use });
    }
}
