//! HTTP as far as setting up wants it: one request, one answer, one connection.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use crate::failure::{Doing, Failure};

/// Everything asked here is answered at once, or never.
const PATIENCE: Duration = Duration::from_secs(10);

/// The status of a GET on this machine.
pub(crate) fn status(port: u16, path: &str) -> Result<u16, Failure> {
    ask(port, &format!("GET {path} HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n")).map(|(status, _)| status)
}

/// POSTs, and wants a 200.
pub(crate) fn post(port: u16, path: &str, body: &str) -> Result<(), Failure> {
    let head = format!("POST {path} HTTP/1.1\r\nHost: bench\r\nConnection: close\r\nContent-Length: {}", body.len());
    match ask(port, &format!("{head}\r\n\r\n{body}"))? {
        (200, _) => Ok(()),
        (status, answer) => Err(Failure(format!("POST {path}: HTTP {status}: {answer}"))),
    }
}

fn ask(port: u16, request: &str) -> Result<(u16, String), Failure> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).doing("connecting")?;
    stream.set_read_timeout(Some(PATIENCE)).doing("a time-out")?;
    stream.write_all(request.as_bytes()).doing("asking")?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).doing("waiting for an answer")?;
    let answer = String::from_utf8_lossy(&answer);
    let status = answer.split(' ').nth(1).and_then(|s| s.parse().ok()).unwrap_or(0);
    let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    Ok((status, body.to_owned()))
}
