//! A line to the local AWS on which calls get lost, or that is cut.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

/// What gets lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lost {
    /// AWS never sees the call.
    Call,
    /// AWS does it, and its answer never arrives.
    Answer,
    /// S3 answers that another conditional write is going on, and does not do it.
    Conflict,
}

const CONFLICT: &str = "<Error><Code>ConditionalRequestConflict</Code><Message>At the same time</Message></Error>";

/// The line, and what is still to go wrong on it.
pub struct Line {
    pub host: String,
    faults: Arc<Faults>,
}

#[derive(Default)]
struct Faults {
    /// The first call of each of these is lost: an EC2 action, or method and key of an object ("PUT release/manifest.json").
    actions: Vec<(String, Lost)>,
    done: Mutex<HashSet<String>>,
    /// At this mutating call the line is cut for good.
    cut: Option<(usize, Lost)>,
    mutating: Mutex<usize>,
    cut_now: Notify,
}

impl Line {
    pub async fn losing(upstream: &str, lost: &[(&str, Lost)]) -> Self {
        let actions = lost.iter().map(|(action, lost)| ((*action).to_owned(), *lost)).collect();
        Self::with(upstream, Faults { actions, ..Faults::default() }).await
    }

    pub async fn cut_at(upstream: &str, call: usize, lost: Lost) -> Self {
        Self::with(upstream, Faults { cut: Some((call, lost)), ..Faults::default() }).await
    }

    /// Returns when the line is cut.
    pub async fn until_cut(&self) {
        self.faults.cut_now.notified().await;
    }

    async fn with(upstream: &str, faults: Faults) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let host = listener.local_addr().expect("an address").to_string();
        let (faults, upstream) = (Arc::new(faults), upstream.to_owned());
        let ours = faults.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (faults, upstream) = (faults.clone(), upstream.clone());
                tokio::spawn(async move { serve(client, &upstream, &faults).await });
            }
        });
        Self { host, faults: ours }
    }
}

impl Faults {
    fn strike(&self, action: &str) -> Option<Lost> {
        if !action.starts_with("Describe") && !action.starts_with("Get") && !action.is_empty() {
            let mut count = self.mutating.lock().expect("the count");
            *count += 1;
            match self.cut {
                Some((at, lost)) if *count == at => return Some(lost),
                Some((at, _)) if *count > at => return Some(Lost::Call),
                _ => {}
            }
        }
        self.first(action)
    }

    fn first(&self, action: &str) -> Option<Lost> {
        let lost = self.actions.iter().find(|(lost, _)| lost == action).map(|(_, lost)| *lost);
        lost.filter(|_| self.done.lock().expect("the list").insert(action.to_owned()))
    }
}

/// One call a connection; the local AWS closes after each answer, and so do we.
async fn serve(mut client: TcpStream, upstream: &str, faults: &Faults) {
    let Some(request) = request(&mut client).await else { return };
    let text = String::from_utf8_lossy(&request).into_owned();
    let action = text.split_once("Action=").map_or("", |(_, action)| action.split('&').next().unwrap_or(""));
    let lost = if action.is_empty() { faults.first(&object(&text)) } else { faults.strike(action) };
    if lost == Some(Lost::Conflict) {
        let length = CONFLICT.len();
        let head = format!("HTTP/1.1 409 Conflict\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n");
        let _ = client.write_all((head + CONFLICT).as_bytes()).await;
        return;
    }
    if lost != Some(Lost::Call) {
        let mut server = TcpStream::connect(upstream).await.expect("the local AWS");
        server.write_all(&request).await.expect("forwarded");
        let mut answer = Vec::new();
        server.read_to_end(&mut answer).await.expect("an answer");
        if lost.is_none() {
            let _ = client.write_all(&answer).await;
        }
    }
    if lost.is_some() && faults.cut.is_some() {
        faults.cut_now.notify_one();
        std::future::pending::<()>().await;
    }
}

/// Method and key of an object: `PUT /BUCKET/KEY?x-id=... HTTP/1.1`.
fn object(request: &str) -> String {
    let mut line = request.lines().next().unwrap_or_default().split(' ');
    let (method, path) = (line.next().unwrap_or_default(), line.next().unwrap_or_default());
    let key = path.trim_start_matches('/').split_once('/').map_or("", |(_, key)| key.split('?').next().unwrap_or(""));
    format!("{method} {key}")
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
