//! A line to the local AWS on which calls get lost.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Where a call gets lost.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lost {
    /// AWS never sees it.
    Call,
    /// AWS does it, and its answer never arrives.
    Answer,
}

/// Starts the line to `upstream`; returns its own address. The first call of each of these EC2
/// actions is lost.
pub(crate) async fn line(upstream: String, lost: &[(&str, Lost)]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address").to_string();
    let lost = lost.iter().map(|(action, lost)| (format!("Action={action}&"), *lost)).collect::<Vec<_>>();
    let (lost, done) = (Arc::new(lost), Arc::new(Mutex::new(HashSet::new())));
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let (lost, done, upstream) = (lost.clone(), done.clone(), upstream.clone());
            tokio::spawn(async move { serve(client, &upstream, &lost, &done).await });
        }
    });
    address
}

/// One call a connection; the local AWS closes after each answer, and so do we.
async fn serve(mut client: TcpStream, upstream: &str, lost: &[(String, Lost)], done: &Mutex<HashSet<String>>) {
    let Some(request) = request(&mut client).await else { return };
    let text = String::from_utf8_lossy(&request).into_owned();
    let hit = lost.iter().find(|(action, _)| text.contains(action.as_str()));
    let hit = hit.filter(|(action, _)| done.lock().expect("the list").insert(action.clone())).map(|(_, lost)| *lost);
    if hit == Some(Lost::Call) {
        return;
    }
    let mut server = TcpStream::connect(upstream).await.expect("the local AWS");
    server.write_all(&request).await.expect("forwarded");
    let mut answer = Vec::new();
    server.read_to_end(&mut answer).await.expect("an answer");
    if hit.is_none() {
        let _ = client.write_all(&answer).await;
    }
}

async fn request(client: &mut TcpStream) -> Option<Vec<u8>> {
    let (mut request, mut length) = (Vec::new(), None);
    loop {
        if client.read_buf(&mut request).await.ok()? == 0 {
            return None;
        }
        if length.is_none() {
            let head = request.windows(4).position(|end| end == b"\r\n\r\n");
            length = head.map(|head| {
                let text = String::from_utf8_lossy(&request[..head]).to_lowercase();
                let body = text.lines().find_map(|line| line.strip_prefix("content-length:"));
                head + 4 + body.map_or(0, |length| length.trim().parse::<usize>().expect("a length"))
            });
        }
        if length.is_some_and(|length| request.len() >= length) {
            return Some(request);
        }
    }
}
