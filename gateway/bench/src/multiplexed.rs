//! Many requests at once on one connection of protocol v1.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tritondeploy_wire::v1::{Cancel, ClientMessage, Failure as Refusal, ServerMessage};

use crate::failure::{Doing, Failure};
use crate::frame::Opcode;
use crate::path::v1::{Request, greeted, read};
use crate::socket::{Event, Reader, Writer, closed};

/// How a request ended.
#[derive(Debug)]
pub(crate) enum End {
    /// The whole message with the result.
    Result(Bytes),
    Refused(Refusal),
    Cancelled,
    /// The connection is gone; why is told once, by [`Multiplexed::ended`].
    Lost,
}

type Open = Arc<Mutex<HashMap<u64, oneshot::Sender<End>>>>;

/// A connection that many may use.
pub(crate) struct Multiplexed {
    writer: Arc<tokio::sync::Mutex<Writer>>,
    open: Open,
    next: std::sync::atomic::AtomicU64,
    reading: JoinHandle<Result<(), Failure>>,
}

impl Multiplexed {
    /// Connects.
    pub(crate) async fn connect(gateway: u16) -> Result<Self, Failure> {
        let socket = greeted(gateway).await?;
        let (writer, open) = (Arc::new(tokio::sync::Mutex::new(socket.writer)), Open::default());
        let reading = tokio::spawn(listen(socket.reader, writer.clone(), open.clone()));
        Ok(Self { writer, open, next: 1.into(), reading })
    }

    /// Sends a request; its id, and where its end comes.
    pub(crate) async fn ask(&self, request: &Request) -> Result<(u64, oneshot::Receiver<End>), Failure> {
        let id = self.next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let (opcode, message) = request.message(id)?;
        let (sender, end) = oneshot::channel();
        self.open.lock().unwrap_or_else(PoisonError::into_inner).insert(id, sender);
        self.writer.lock().await.send(opcode, &message).await?;
        Ok((id, end))
    }

    /// Gives a request up.
    pub(crate) async fn cancel(&self, id: u64) -> Result<(), Failure> {
        let message = serde_json::to_vec(&ClientMessage::Cancel(Cancel { id })).doing("writing a cancel")?;
        self.writer.lock().await.send(Opcode::Text, &message).await
    }

    /// What the connection ended with, if it has.
    pub(crate) async fn ended(&mut self) -> Result<(), Failure> {
        if !self.reading.is_finished() {
            return Ok(());
        }
        (&mut self.reading).await.doing("reading")?
    }
}

impl Drop for Multiplexed {
    fn drop(&mut self) {
        self.reading.abort();
    }
}

async fn listen(mut reader: Reader, writer: Arc<tokio::sync::Mutex<Writer>>, open: Open) -> Result<(), Failure> {
    let heard = hear(&mut reader, &writer, &open).await;
    for (_, sender) in open.lock().unwrap_or_else(PoisonError::into_inner).drain() {
        drop(sender.send(End::Lost));
    }
    heard
}

async fn hear(reader: &mut Reader, writer: &tokio::sync::Mutex<Writer>, open: &Open) -> Result<(), Failure> {
    loop {
        let message = match reader.next().await? {
            Event::Message(message) => message,
            Event::Ping(payload) => {
                writer.lock().await.send(Opcode::Pong, &payload).await?;
                continue;
            }
            Event::Close { code, reason } => return Err(closed(code, &reason)),
        };
        let (id, end) = match read(&message)?.0 {
            ServerMessage::Result(answer) => (answer.id, End::Result(message.clone())),
            ServerMessage::Error { id: Some(id), failure } => (id, End::Refused(failure)),
            ServerMessage::Cancelled(cancelled) => (cancelled.id, End::Cancelled),
            ServerMessage::Hello(_) | ServerMessage::Window(_) => continue,
            other => return Err(Failure(format!("the gateway says {other:?}"))),
        };
        let asker = open.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
        let Some(asker) = asker else { return Err(Failure(format!("request {id} was ended twice, or never asked: {end:?}"))) };
        // Who gave up waiting does not mind.
        drop(asker.send(end));
    }
}
