//! One connection, from its greeting to its end.

use std::collections::{HashMap, VecDeque};
use std::pin::Pin;

use futures::stream::{SplitSink, SplitStream};
use futures::{Sink, SinkExt, StreamExt};
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::{self, Bytes, Message};
use tritondeploy_wire::v1::{ClientMessage, Code, Frame, Greeting, SUBPROTOCOL, ServerMessage, Window};

use super::line::{Asked, Command};
use super::{Error, Reply};
use crate::socket::{self, CONNECT, Socket};

/// A connection on which the gateway has said hello.
pub(super) struct Opened {
    socket: Socket,
    pub(super) greeting: Greeting,
}

/// # Errors
/// When nothing at `url` says hello in protocol v1 within ten seconds.
pub(super) async fn open(url: &str) -> Result<Opened, Error> {
    let failed = |why: String| Error::Connect { url: url.to_owned(), why };
    let mut request = url.into_client_request().map_err(|e| failed(e.to_string()))?;
    request.headers_mut().insert("sec-websocket-protocol", HeaderValue::from_static(SUBPROTOCOL));
    let mut socket = socket::connect(request).await.map_err(failed)?;
    let hello = timeout(CONNECT, socket.next()).await;
    let hello = hello.map_err(|_| failed(format!("no greeting within {} s", CONNECT.as_secs())))?;
    match hello {
        Some(Ok(Message::Text(text))) => match serde_json::from_str(&text) {
            Ok(ServerMessage::Hello(greeting)) => Ok(Opened { socket, greeting }),
            Ok(_) => Err(failed("its first message is no greeting".to_owned())),
            Err(e) => Err(failed(format!("its greeting cannot be read: {e}"))),
        },
        Some(Err(e)) => Err(failed(e.to_string())),
        _ => Err(failed("closed without a greeting".to_owned())),
    }
}

/// How a connection ended, and what it still owes.
pub(super) struct Ended {
    pub(super) why: String,
    pub(super) unanswered: Vec<Asked>,
}

/// What a connection tells its line before it ends.
pub(super) enum Told {
    /// Nothing new is taken here; these were not sent.
    Goaway(Vec<Asked>),
    /// The end.
    Ended(Ended),
}

pub(super) struct Connection {
    sink: SplitSink<Socket, Message>,
    writing: bool,
    window: Window,
    waiting: VecDeque<Asked>,
    open: HashMap<u64, Asked>,
    open_bytes: u64,
    /// Requests to cancel, and other small words.
    words: VecDeque<ClientMessage>,
    going: bool,
    told: mpsc::UnboundedSender<(u64, Told)>,
    number: u64,
}

impl Connection {
    /// Runs until the connection ends or nobody asks any more.
    pub(super) async fn run(
        opened: Opened,
        mut commands: mpsc::UnboundedReceiver<Command>,
        number: u64,
        told: mpsc::UnboundedSender<(u64, Told)>,
    ) {
        let (sink, mut source) = opened.socket.split();
        let mut connection = Self {
            sink,
            writing: false,
            window: opened.greeting.window,
            waiting: VecDeque::new(),
            open: HashMap::new(),
            open_bytes: 0,
            words: VecDeque::new(),
            going: false,
            told,
            number,
        };
        let why = connection.talk(&mut source, &mut commands).await;
        let mut unanswered: Vec<Asked> =
            connection.open.drain().map(|(_, asked)| asked).chain(connection.waiting.drain(..)).collect();
        commands.close();
        while let Ok(command) = commands.try_recv() {
            if let Command::Ask(asked) = command {
                unanswered.push(asked);
            }
        }
        unanswered.sort_by_key(|asked| asked.id);
        // Without a line there is nobody left who waits.
        drop(connection.told.send((number, Told::Ended(Ended { why, unanswered }))));
    }

    async fn talk(&mut self, source: &mut SplitStream<Socket>, commands: &mut mpsc::UnboundedReceiver<Command>) -> String {
        let mut asked_for = true;
        loop {
            if let Err(e) = self.write() {
                return e.to_string();
            }
            if !asked_for && self.open.is_empty() && self.waiting.is_empty() && !self.writing {
                drop(self.sink.close().await);
                return "closed".to_owned();
            }
            tokio::select! {
                message = source.next() => match message {
                    Some(Ok(Message::Close(frame))) => {
                        return frame.map_or_else(|| "closed".to_owned(), |frame| format!("closed: {frame}"));
                    }
                    Some(Ok(message)) => {
                        // A pong may have to leave.
                        self.writing = true;
                        if let Err(why) = self.hear(message) {
                            return why;
                        }
                    }
                    Some(Err(e)) => return e.to_string(),
                    None => return "closed without a word".to_owned(),
                },
                flushed = self.sink.flush(), if self.writing => match flushed {
                    Ok(()) => self.writing = false,
                    Err(e) => return e.to_string(),
                },
                command = commands.recv(), if asked_for => match command {
                    Some(Command::Ask(asked)) => self.waiting.push_back(asked),
                    Some(Command::Cancel(id)) => self.cancel(id),
                    None => asked_for = false,
                },
            }
        }
    }

    /// Hands to the socket what the window allows.
    fn write(&mut self) -> Result<(), tungstenite::Error> {
        while !self.writing
            && let Some(message) = self.next()
        {
            // The socket is ready: its last message has been flushed.
            Pin::new(&mut self.sink).start_send(message)?;
            self.writing = true;
        }
        Ok(())
    }

    fn next(&mut self) -> Option<Message> {
        if let Some(word) = self.words.pop_front() {
            return Some(Message::text(serde_json::to_string(&word).unwrap_or_default()));
        }
        let bytes = self.waiting.front()?.message.len() as u64;
        let fits = self.open.is_empty() || self.open_bytes + bytes <= self.window.bytes;
        if self.going || self.open.len() >= self.window.requests as usize || !fits {
            return None;
        }
        let mut asked = self.waiting.pop_front()?;
        asked.tries += 1;
        let message = asked.message.clone();
        self.open_bytes += bytes;
        self.open.insert(asked.id, asked);
        Some(message)
    }

    fn cancel(&mut self, id: u64) {
        self.waiting.retain(|asked| asked.id != id);
        if self.open.contains_key(&id) {
            self.words.push_back(ClientMessage::Cancel { id });
        }
    }

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
            ServerMessage::Result(answer) => {
                if let Some(asked) = self.close(answer.id) {
                    asked.done(Ok(Reply::of(answer, parts)));
                }
            }
            ServerMessage::Error { id: Some(id), failure } => {
                let Some(asked) = self.close(id) else { return Ok(()) };
                match failure.code {
                    // Not run: another connection, or a moment later on this one.
                    Code::Draining => drop(self.told.send((self.number, Told::Goaway(vec![asked])))),
                    Code::FlowControl => self.waiting.push_front(asked),
                    _ => asked.done(Err(Error::Refused(failure))),
                }
            }
            // None of our ids: what we sent was no message. Going on would repeat it.
            ServerMessage::Error { id: None, failure } => return Err(failure.message),
            ServerMessage::Cancelled(cancelled) => drop(self.close(cancelled.id)),
            ServerMessage::Window(window) => self.window = window,
            ServerMessage::Goaway { .. } => {
                self.going = true;
                let unsent = self.waiting.drain(..).collect();
                drop(self.told.send((self.number, Told::Goaway(unsent))));
            }
            ServerMessage::Hello(_) => {}
        }
        Ok(())
    }

    fn close(&mut self, id: u64) -> Option<Asked> {
        let asked = self.open.remove(&id)?;
        self.open_bytes -= asked.message.len() as u64;
        Some(asked)
    }
}
