//! A WebSocket client that does no more than it must.

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};

use crate::failure::{Doing, Failure};
use crate::frame::{self, Head, Opcode};

/// The key of RFC 6455's example; the gateway need not be surprised by it.
const KEY: (&str, &str) = ("dGhlIHNhbXBsZSBub25jZQ==", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");

/// Room for reading; grows with the messages.
const ROOM: usize = 16 << 10;

/// An open WebSocket.
#[derive(Debug)]
pub(crate) struct Socket {
    pub(crate) reader: Reader,
    pub(crate) writer: Writer,
}

/// The half that messages come from.
#[derive(Debug)]
pub(crate) struct Reader {
    stream: OwnedReadHalf,
    read: BytesMut,
    /// The beginning of a message in several frames.
    parts: Option<BytesMut>,
}

/// The half that messages go to.
#[derive(Debug)]
pub(crate) struct Writer {
    stream: OwnedWriteHalf,
    out: Vec<u8>,
    random: fastrand::Rng,
}

/// What comes from the gateway.
#[derive(Debug)]
pub(crate) enum Event {
    /// A whole text or binary message.
    Message(Bytes),
    /// Wants a pong with the same payload.
    Ping(Bytes),
    /// The gateway's Close; nothing follows.
    Close { code: Option<u16>, reason: String },
}

impl Socket {
    /// Connects to the root path.
    pub(crate) async fn connect(port: u16, subprotocol: Option<&str>) -> Result<Self, Failure> {
        let stream = TcpStream::connect(("127.0.0.1", port)).await.doing("connecting to the gateway")?;
        Self::upgrade(stream, subprotocol).await
    }

    /// Upgrades a connection, at the root path.
    pub(crate) async fn upgrade(stream: TcpStream, subprotocol: Option<&str>) -> Result<Self, Failure> {
        stream.set_nodelay(true).doing("TCP_NODELAY")?;
        let to = stream.peer_addr().doing("the gateway's address")?;
        let (read, write) = stream.into_split();
        let reader = Reader { stream: read, read: BytesMut::new(), parts: None };
        let mut socket = Self { reader, writer: Writer { stream: write, out: Vec::new(), random: fastrand::Rng::new() } };
        let offer = subprotocol.map(|name| format!("Sec-WebSocket-Protocol: {name}\r\n")).unwrap_or_default();
        let request = format!(
            "GET / HTTP/1.1\r\nHost: {to}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {}\r\n{offer}\r\n",
            KEY.0
        );
        socket.writer.stream.write_all(request.as_bytes()).await.doing("asking for the upgrade")?;
        socket.reader.upgraded(subprotocol).await?;
        Ok(socket)
    }

    /// Sends one message.
    pub(crate) async fn send(&mut self, opcode: Opcode, payload: &[u8]) -> Result<(), Failure> {
        self.writer.send(opcode, payload).await
    }

    /// The next text or binary message; pings are answered meanwhile.
    pub(crate) async fn receive(&mut self) -> Result<Bytes, Failure> {
        loop {
            match self.reader.next().await? {
                Event::Message(message) => return Ok(message),
                Event::Ping(payload) => self.writer.send(Opcode::Pong, &payload).await?,
                Event::Close { code, reason } => return Err(closed(code, &reason)),
            }
        }
    }

    /// Gives back the memory of large messages.
    pub(crate) fn shrink(&mut self) {
        self.writer.out = Vec::new();
        self.reader.read = BytesMut::from(&self.reader.read[..]);
    }
}

/// The failure of who expected more.
pub(crate) fn closed(code: Option<u16>, reason: &str) -> Failure {
    Failure(format!("the gateway closed the WebSocket: {code:?} {reason}"))
}

impl Writer {
    /// Sends bytes as they are: frames that were made beforehand, or a piece of one.
    pub(crate) async fn send_raw(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.stream.write_all(bytes).await.doing("writing to the gateway")
    }

    /// Sends one message.
    pub(crate) async fn send(&mut self, opcode: Opcode, payload: &[u8]) -> Result<(), Failure> {
        self.out.clear();
        let key = self.random.u32(..).to_ne_bytes();
        frame::write(&mut self.out, opcode, payload, key);
        self.stream.write_all(&self.out).await.doing("writing to the gateway")
    }
}

impl Reader {
    async fn upgraded(&mut self, subprotocol: Option<&str>) -> Result<(), Failure> {
        let end = loop {
            if let Some(end) = self.read.windows(4).position(|four| four == b"\r\n\r\n") {
                break end + 4;
            }
            self.more(ROOM).await?;
        };
        let head = self.read.split_to(end);
        let head = String::from_utf8_lossy(&head);
        let has = |name: &str, value: &str| {
            head.lines().filter_map(|line| line.split_once(": ")).any(|(n, v)| n.eq_ignore_ascii_case(name) && v == value)
        };
        let agreed = subprotocol.is_none_or(|name| has("sec-websocket-protocol", name));
        if head.starts_with("HTTP/1.1 101") && has("sec-websocket-accept", KEY.1) && agreed {
            return Ok(());
        }
        let (first, wanted) = (head.lines().next().unwrap_or_default(), subprotocol.unwrap_or("no subprotocol"));
        Err(Failure(format!("the gateway does not upgrade to {wanted}: {first}")))
    }

    async fn more(&mut self, room: usize) -> Result<(), Failure> {
        self.read.reserve(room);
        match self.stream.read_buf(&mut self.read).await.doing("reading from the gateway")? {
            0 => Err(Failure("the gateway closed the connection".to_owned())),
            _ => Ok(()),
        }
    }

    /// What comes next. Cancel safe: what was read stays.
    pub(crate) async fn next(&mut self) -> Result<Event, Failure> {
        loop {
            let (head, payload) = self.frame().await?;
            match head.opcode {
                Opcode::Ping => return Ok(Event::Ping(payload.freeze())),
                Opcode::Pong => {}
                Opcode::Close => {
                    let (code, reason) = (payload.first_chunk::<2>(), payload.get(2..).unwrap_or_default());
                    let code = code.map(|code| u16::from_be_bytes(*code));
                    return Ok(Event::Close { code, reason: String::from_utf8_lossy(reason).into_owned() });
                }
                Opcode::Text | Opcode::Binary if head.last => return Ok(Event::Message(payload.freeze())),
                Opcode::Text | Opcode::Binary => self.parts = Some(payload),
                Opcode::Continuation => {
                    let Some(mut all) = self.parts.take() else { return Err(Failure("a continuation of nothing".to_owned())) };
                    all.extend_from_slice(&payload);
                    if head.last {
                        return Ok(Event::Message(all.freeze()));
                    }
                    self.parts = Some(all);
                }
            }
        }
    }

    async fn frame(&mut self) -> Result<(Head, BytesMut), Failure> {
        loop {
            let missing = match Head::parse(&self.read).map_err(|why| Failure(why.to_owned()))? {
                Some(head) if self.read.len() >= head.size + head.length => {
                    self.read.advance(head.size);
                    let payload = self.read.split_to(head.length);
                    return Ok((head, payload));
                }
                Some(head) => head.size + head.length - self.read.len(),
                None => ROOM,
            };
            self.more(missing.max(ROOM)).await?;
        }
    }
}
