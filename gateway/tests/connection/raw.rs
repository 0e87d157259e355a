//! Bytes as no client library would send them.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use tritondeploy_gateway::protocol::v0::Protocol;

use crate::Running;

pub(crate) const CONTINUATION: u8 = 0;
pub(crate) const TEXT: u8 = 1;
pub(crate) const BINARY: u8 = 2;
pub(crate) const PING: u8 = 9;
/// The last frame of a message.
pub(crate) const FIN: u8 = 0x80;

/// The headers of an upgrade, without the request line and the empty line at the end.
pub(crate) const UPGRADE: &str = "Host: t\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n\
    Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
    Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n";

/// How a frame begins: its first byte, a length, and a mask that changes nothing.
pub(crate) fn header(first: u8, length: u64) -> Vec<u8> {
    let mut bytes = vec![first];
    match length {
        0..126 => bytes.push(0x80 | length as u8),
        126..0x1_0000 => {
            bytes.push(0x80 | 126);
            bytes.extend((length as u16).to_be_bytes());
        }
        _ => {
            bytes.push(0x80 | 127);
            bytes.extend(length.to_be_bytes());
        }
    }
    bytes.extend([0; 4]);
    bytes
}

/// A whole frame.
pub(crate) fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = header(first, payload.len() as u64);
    bytes.extend(payload);
    bytes
}

/// A WebSocket whose frames the test writes itself.
pub(crate) async fn upgraded<P: Protocol>(running: &Running<P>) -> TcpStream {
    upgrade(running.tcp().await).await
}

/// A connection that has become a WebSocket.
pub(crate) async fn upgrade(mut stream: TcpStream) -> TcpStream {
    stream.write_all(format!("GET / HTTP/1.1\r\n{UPGRADE}\r\n").as_bytes()).await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    assert!(head.starts_with(b"HTTP/1.1 101 "), "{}", String::from_utf8_lossy(&head));
    stream
}

/// How the server ends a connection that it must end within `limit`: the code of its Close frame, or None where TCP
/// just ends. What comes before is passed over.
pub(crate) async fn ending(stream: &mut TcpStream, limit: Duration) -> Option<u16> {
    let reading = async {
        loop {
            let Ok(first) = stream.read_u8().await else { return None };
            let length = match stream.read_u8().await.ok()? {
                126 => u64::from(stream.read_u16().await.ok()?),
                127 => stream.read_u64().await.ok()?,
                short => u64::from(short),
            };
            let mut payload = vec![0; length as usize];
            stream.read_exact(&mut payload).await.ok()?;
            if first == 0x88 {
                return payload.first_chunk().map(|code| u16::from_be_bytes(*code));
            }
        }
    };
    timeout(limit, reading).await.unwrap_or_else(|_| panic!("the connection still lives after {limit:?}"))
}
