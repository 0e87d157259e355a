//! From an address to an open WebSocket.

use std::io::ErrorKind;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Error;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::error::ProtocolError;
use tokio_tungstenite::tungstenite::http::{Response, StatusCode};
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, WebSocketConfig};
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
    UnsupportedSubprotocol(String),
    /// Anything else.
    Otherwise(String),
}

impl Failed {
    pub(crate) fn into_words(self) -> String {
        match self {
            Self::UnsupportedSubprotocol(why) | Self::Otherwise(why) => why,
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
            StatusCode::BAD_REQUEST | StatusCode::UPGRADE_REQUIRED => Failed::UnsupportedSubprotocol(told(&answer)),
            _ => Failed::Otherwise(told(&answer)),
        }),
        // A server that does not know the subprotocol may take the connection without a word on it.
        Ok(Err(why @ Error::Protocol(ProtocolError::SecWebSocketSubProtocolError(_)))) => {
            Err(Failed::UnsupportedSubprotocol(in_words(&why)))
        }
        Ok(Err(why)) => Err(Failed::Otherwise(in_words(&why))),
        Err(_) => Err(Failed::Otherwise(format!("nothing within {} s", CONNECT.as_secs()))),
    }
}

/// The cause without the number that the system has for it.
pub(crate) fn in_words(why: &Error) -> String {
    match why {
        Error::Io(why) => match why.kind() {
            ErrorKind::ConnectionRefused => "connection refused".to_owned(),
            ErrorKind::ConnectionReset => "the connection was reset".to_owned(),
            ErrorKind::UnexpectedEof => "the connection was closed".to_owned(),
            _ => why.to_string(),
        },
        Error::Protocol(ProtocolError::SecWebSocketSubProtocolError(_)) => {
            "it took the connection without the subprotocol".to_owned()
        }
        why => why.to_string(),
    }
}

/// An address without what may be a secret in it: user, password and query.
#[must_use]
pub fn address_without_secrets(url: &str) -> String {
    let url = url.split(['?', '#']).next().unwrap_or_default();
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    let host = rest.split_once('/').map_or(rest, |(host, _)| host);
    let user = host.rfind('@').map_or(0, |at| at + 1);
    format!("{scheme}://{}", &rest[user..])
}

/// How a server ended the connection.
pub(crate) fn closed(frame: Option<&CloseFrame>) -> String {
    let Some(CloseFrame { code, reason }) = frame else { return "the server closed the connection".to_owned() };
    let reason: String = reason.chars().filter(|c| !c.is_control()).take(TOLD).collect();
    let code = u16::from(*code);
    let reason = if reason.is_empty() { String::new() } else { format!(": {reason}") };
    format!("the server closed the connection ({code}{reason})")
}

/// The status, and the first line of what was said with it.
fn told(answer: &Response<Option<Vec<u8>>>) -> String {
    let body = answer.body().as_deref().map(String::from_utf8_lossy).unwrap_or_default();
    let said: String = body.lines().next().unwrap_or_default().chars().filter(|c| !c.is_control()).take(TOLD).collect();
    let status = answer.status();
    if said.is_empty() { format!("HTTP {status}") } else { format!("HTTP {status}: {said}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_told_without_its_secrets() {
        assert_eq!(address_without_secrets("ws://joe:word@h:8080/a?token=x#y"), "ws://h:8080/a");
        assert_eq!(address_without_secrets("wss://h/a@b?x"), "wss://h/a@b");
        assert_eq!(address_without_secrets("ws://h?token=x"), "ws://h");
        assert_eq!(address_without_secrets("nothing"), "nothing");
    }

    #[test]
    fn how_it_was_closed_is_told_with_what_was_said() {
        let frame = |reason: &str| CloseFrame { code: 1000.into(), reason: reason.into() };
        assert_eq!(closed(Some(&frame(""))), "the server closed the connection (1000)");
        assert_eq!(closed(Some(&frame("bye\u{1b}[2J"))), "the server closed the connection (1000: bye[2J)");
        assert_eq!(closed(None), "the server closed the connection");
    }
}
