//! From an address to an open WebSocket.

use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::error::ProtocolError;
use tokio_tungstenite::tungstenite::http::{Response, StatusCode};
use tokio_tungstenite::tungstenite::{Error, protocol::WebSocketConfig};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async_with_config};

/// From the first packet to the end of the upgrade.
pub(crate) const CONNECT: Duration = Duration::from_secs(10);

/// As large as the gateway's own default.
const LARGEST: usize = 64 << 20;

/// Of what a server says of itself, this much is told, in characters.
const TOLD: usize = 200;

pub(crate) type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// Why there is no WebSocket, in words.
#[derive(Debug)]
pub(crate) enum Failed {
    /// Something answered, and does not speak what was offered: another try will not help.
    Unspoken(String),
    /// Anything else.
    Otherwise(String),
}

impl Failed {
    pub(crate) fn into_words(self) -> String {
        match self {
            Self::Unspoken(why) | Self::Otherwise(why) => why,
        }
    }
}

/// # Errors
/// Why there is no WebSocket.
pub(crate) async fn connect(request: impl IntoClientRequest + Unpin) -> Result<Socket, Failed> {
    let config = WebSocketConfig::default().max_message_size(Some(LARGEST)).max_frame_size(Some(LARGEST));
    match timeout(CONNECT, connect_async_with_config(request, Some(config), true)).await {
        Ok(Ok((socket, _))) => Ok(socket),
        Ok(Err(Error::Http(answer))) => Err(match answer.status() {
            StatusCode::BAD_REQUEST | StatusCode::UPGRADE_REQUIRED => Failed::Unspoken(told(&answer)),
            _ => Failed::Otherwise(told(&answer)),
        }),
        // A server that does not know the subprotocol may take the connection without a word on it.
        Ok(Err(why @ Error::Protocol(ProtocolError::SecWebSocketSubProtocolError(_)))) => Err(Failed::Unspoken(why.to_string())),
        Ok(Err(why)) => Err(Failed::Otherwise(why.to_string())),
        Err(_) => Err(Failed::Otherwise(format!("nothing within {} s", CONNECT.as_secs()))),
    }
}

/// The status, and the first line of what was said with it.
fn told(answer: &Response<Option<Vec<u8>>>) -> String {
    let body = answer.body().as_deref().map(String::from_utf8_lossy).unwrap_or_default();
    let said: String = body.lines().next().unwrap_or_default().chars().filter(|c| !c.is_control()).take(TOLD).collect();
    let status = answer.status();
    if said.is_empty() { format!("HTTP {status}") } else { format!("HTTP {status}: {said}") }
}
