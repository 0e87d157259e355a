//! How a connection ends: the Close frame at once, then TCP, from our side.

use std::fmt;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;
use tungstenite::Message;
use tungstenite::protocol::CloseFrame;
use tungstenite::protocol::frame::coding::CloseCode;

use super::reader::{Event, Reader};
use super::writer::Writer;

/// For the last bytes to leave.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// For the client to answer our Close.
const ANSWER: Duration = Duration::from_secs(2);

/// For what the client is still sending. Closing a socket with unread data resets it, and a reset can overtake the
/// Close frame, so the rest is read and thrown away.
const LINGER: Duration = Duration::from_secs(5);

/// Why a connection ended.
#[derive(Debug)]
pub enum CloseReason {
    /// The client sent Close, with this.
    Closed(Option<CloseFrame>),
    /// The connection broke, or the client left without Close.
    Lost,
    /// The gateway stops.
    Drained,
    /// No frame came for too long.
    Idle,
    /// An answer could not be written for too long.
    Stuck,
    /// A message was over the cap.
    TooLarge,
    /// A message came in too many fragments.
    Fragments,
    /// A message did not end.
    Slow,
    /// All connections together were sending too much.
    Overloaded,
    /// A text message was no UTF-8.
    NotUtf8,
    /// The client broke the WebSocket protocol.
    Protocol(String),
}

impl fmt::Display for CloseReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Closed(_) => "closed by the client",
            Self::Lost => "lost",
            Self::Drained => "drained",
            Self::Idle => "idle",
            Self::Stuck => "the client does not read",
            Self::TooLarge => "message too large",
            Self::Fragments => "message in too many fragments",
            Self::Slow => "message that does not end",
            Self::Overloaded => "too much is being sent",
            Self::NotUtf8 => "text that is not UTF-8",
            Self::Protocol(why) => return write!(f, "protocol error: {why}"),
        })
    }
}

impl CloseReason {
    /// What our Close frame says.
    fn frame(&self) -> Option<CloseFrame> {
        let (code, reason) = match self {
            // The same code again, and nothing to nothing.
            Self::Closed(said) => return said.as_ref().map(|said| CloseFrame { code: said.code, reason: "".into() }),
            Self::Lost | Self::Idle | Self::Stuck => return None,
            Self::Drained => (CloseCode::Away, "the gateway stops; connect again"),
            Self::TooLarge => (CloseCode::Size, "the message is too large"),
            Self::Fragments => (CloseCode::Size, "the message has too many fragments"),
            Self::Slow => (CloseCode::Policy, "the message did not end in time"),
            Self::Overloaded => (CloseCode::Again, "too much is being sent just now; try again later"),
            Self::NotUtf8 => (CloseCode::Invalid, "the text is not UTF-8"),
            Self::Protocol(_) => (CloseCode::Protocol, ""),
        };
        Some(CloseFrame { code, reason: reason.into() })
    }
}

/// Says goodbye as the end demands, and closes TCP.
pub(super) async fn close(mut reader: Reader, mut writer: Writer, end: &CloseReason) {
    let heard_all = match end {
        CloseReason::Lost | CloseReason::Stuck => return,
        CloseReason::Idle => true,
        CloseReason::Closed(_) => {
            say(&mut writer, end).await;
            true
        }
        CloseReason::Drained => {
            if say(&mut writer, end).await {
                drop(timeout(ANSWER, hear_out(&mut reader)).await);
            }
            true
        }
        // What follows cannot be understood, so the client's Close will not be found in it.
        CloseReason::TooLarge
        | CloseReason::Fragments
        | CloseReason::Slow
        | CloseReason::Overloaded
        | CloseReason::NotUtf8
        | CloseReason::Protocol(_) => {
            say(&mut writer, end).await;
            false
        }
    };
    let (mut reader, mut writer) = (reader.into_inner(), writer.into_inner());
    if writer.shutdown().await.is_ok() && !heard_all {
        let rest = async {
            // Of its own: an array here would be part of every connection's memory from its start.
            let mut nothing = vec![0; 16 << 10];
            while matches!(reader.read(&mut nothing).await, Ok(n) if n > 0) {}
        };
        drop(timeout(LINGER, rest).await);
    }
}

async fn say(writer: &mut Writer, end: &CloseReason) -> bool {
    writer.push(Message::Close(end.frame()));
    matches!(timeout(LAST_WORDS, writer.flush()).await, Ok(Ok(())))
}

/// Waits for the client's Close; requests before it are no longer heard.
async fn hear_out(reader: &mut Reader) {
    while !matches!(reader.next().await, Ok(Event::Close(_)) | Err(_)) {}
}
