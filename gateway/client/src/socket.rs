//! From an address to an open WebSocket.

use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, protocol::WebSocketConfig};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async_with_config};

/// From the first packet to the end of the upgrade.
pub(crate) const CONNECT: Duration = Duration::from_secs(10);

/// As large as the gateway's own default.
const LARGEST: usize = 64 << 20;

pub(crate) type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// # Errors
/// Why there is no WebSocket, in words.
pub(crate) async fn connect(request: impl IntoClientRequest + Unpin) -> Result<Socket, String> {
    let config = WebSocketConfig::default().max_message_size(Some(LARGEST)).max_frame_size(Some(LARGEST));
    match timeout(CONNECT, connect_async_with_config(request, Some(config), true)).await {
        Ok(Ok((socket, _))) => Ok(socket),
        Ok(Err(Error::Http(answer))) => Err(format!("HTTP {}", answer.status())),
        Ok(Err(why)) => Err(why.to_string()),
        Err(_) => Err(format!("nothing within {} s", CONNECT.as_secs())),
    }
}
