//! A million objects: S3 and the gateway are stand-ins that answer at once, so that what is measured is the run itself.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use futures::{SinkExt, StreamExt};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{Request as Upgrade, Response};

use crate::user::User;

/// Objects that are listed. A debug build takes three minutes for a million: `OBJECTS=1000000` asks for them all.
fn objects() -> u64 {
    std::env::var("OBJECTS").ok().map_or(200_000, |objects| objects.parse().expect("a number of objects"))
}

/// What a run may hold: 200 MB for a million objects.
fn allowed_kib(objects: u64) -> u64 {
    (67_000_000 + 133 * objects) / 1024
}

/// S3's own.
const PAGE: u64 = 1000;

/// What was done so far.
#[derive(Default)]
struct Counts {
    pages: AtomicU64,
    /// Pages that were listed when the first image was answered.
    pages_before_first: AtomicU64,
    answered: AtomicU64,
}

#[tokio::test(flavor = "multi_thread")]
async fn very_many_objects_are_classified_while_they_are_listed_in_little_memory() {
    let objects = objects();
    let counts = Arc::new(Counts::default());
    let s3 = serve(counts.clone(), list).await;
    let gateway = serve(counts.clone(), classify).await;
    let env = [
        ("AWS_ENDPOINT_URL", format!("http://127.0.0.1:{s3}")),
        ("AWS_REGION", "us-east-1".to_owned()),
        ("AWS_ACCESS_KEY_ID", "a".to_owned()),
        ("AWS_SECRET_ACCESS_KEY", "b".to_owned()),
    ];
    let env: BTreeMap<String, String> = env.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    let user = User::of_url(&format!("ws://127.0.0.1:{gateway}/"), &env);
    let run = user.command(&["s3://bucket/images/", "--quiet", "--json"]).spawn().unwrap();
    let status = format!("/proc/{}/status", run.id());
    let ended = tokio::task::spawn_blocking(move || crate::user::finish(run));
    let mut peak_kib = 0;
    while !ended.is_finished() {
        // Gone, when it has just ended.
        let text = std::fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        peak_kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok()).unwrap_or(peak_kib);
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    let ran = ended.await.unwrap();
    let end = ran.json();
    assert_eq!((ran.code, &end["total"], &end["successful"]), (Some(0), &objects.into(), &objects.into()), "{ran:?}");
    assert!((1..allowed_kib(objects)).contains(&peak_kib), "{peak_kib} KiB at most");
    let before = counts.pages_before_first.load(Ordering::SeqCst);
    assert!(before < objects / PAGE / 10, "the first answer came after {before} pages");
    assert_eq!(counts.answered.load(Ordering::SeqCst), objects, "asked twice, or not at all");
    let csv = BufReader::new(std::fs::File::open(user.results(".csv").pop().unwrap()).unwrap());
    let rows =
        csv.lines().skip(1).enumerate().map(|(at, line)| assert!(line.unwrap().starts_with(&format!("{},", key(at as u64)))));
    assert_eq!(rows.count() as u64, objects, "in the order of the keys");
    println!("{peak_kib} KiB at most; the first answer after {before} pages; {} s", end["seconds"]);
}

fn key(number: u64) -> String {
    format!("images/{number:07}.jpg")
}

/// Serves each connection by `one`; the port.
async fn serve<F: Future<Output = ()> + Send + 'static>(counts: Arc<Counts>, one: fn(TcpStream, Arc<Counts>) -> F) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            stream.set_nodelay(true).unwrap();
            tokio::spawn(one(stream, counts.clone()));
        }
    });
    port
}

/// STS and ListObjectsV2. The token is the number of the next object.
async fn list(stream: TcpStream, counts: Arc<Counts>) {
    let mut stream = tokio::io::BufReader::new(stream);
    loop {
        let (mut head, mut length) = (String::new(), 0);
        loop {
            let mut line = String::new();
            if stream.read_line(&mut line).await.unwrap_or(0) == 0 {
                return;
            }
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
            if line == "\r\n" {
                break;
            }
            head += &line;
        }
        stream.read_exact(&mut vec![0; length]).await.unwrap();
        let body = if head.starts_with("POST") { WHO.to_owned() } else { page(&head, &counts) };
        let answer = format!("HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        stream.write_all(answer.as_bytes()).await.unwrap();
    }
}

const WHO: &str = "<GetCallerIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><GetCallerIdentityResult>\
    <Arn>arn:aws:iam::123456789012:user/a</Arn><UserId>A</UserId><Account>123456789012</Account>\
    </GetCallerIdentityResult></GetCallerIdentityResponse>";

fn page(head: &str, counts: &Counts) -> String {
    let token = head.split_once("continuation-token=").map_or("0", |(_, rest)| rest.split(['&', ' ']).next().unwrap());
    let first: u64 = token.parse().unwrap();
    let next = first + PAGE;
    counts.pages.fetch_add(1, Ordering::SeqCst);
    let object =
        |number| format!("<Contents><Key>{}</Key><ETag>&quot;{number:032x}&quot;</ETag><Size>9</Size></Contents>", key(number));
    let listed: String = (first..next).map(object).collect();
    let more = if next < objects() { format!("<NextContinuationToken>{next}</NextContinuationToken>") } else { String::new() };
    let is_more = next < objects();
    format!("<ListBucketResult><IsTruncated>{is_more}</IsTruncated>{more}<KeyCount>{PAGE}</KeyCount>{listed}</ListBucketResult>")
}

const HELLO: &str = r#"{"type":"hello","protocol":"triton-ws.v1","server":"test","features":[],"models":[],
    "pipelines":[{"name":"default","models":[{"alias":"a","model":"a","quality":"exact"}]}],
    "window":{"requests":64,"bytes":67108864},"limits":{"message_bytes":67108864,"object_bytes":1,"pixels":1,"deadline_ms":60000}}"#;

/// Protocol v1: the same classes for whatever is asked.
async fn classify(stream: TcpStream, counts: Arc<Counts>) {
    #[allow(clippy::result_large_err, reason = "the callback's type is tungstenite's")]
    let agree = |_: &Upgrade, mut response: Response| {
        response.headers_mut().insert("sec-websocket-protocol", "triton-ws.v1".parse().unwrap());
        Ok(response)
    };
    let mut socket = tokio_tungstenite::accept_hdr_async(stream, agree).await.unwrap();
    socket.send(Message::text(HELLO)).await.unwrap();
    while let Some(Ok(message)) = socket.next().await {
        let Message::Text(text) = message else { continue };
        let id = text.split_once("\"id\":").and_then(|(_, rest)| rest.split([',', '}']).next()).unwrap();
        if counts.answered.fetch_add(1, Ordering::SeqCst) == 0 {
            counts.pages_before_first.store(counts.pages.load(Ordering::SeqCst), Ordering::SeqCst);
        }
        let top = r#"[{"index":7,"score":0.5,"label":"seven"},{"index":1,"score":0.25,"label":"one"}]"#;
        let answer = format!(
            r#"{{"type":"result","id":{},"results":[{{"alias":"a","model":"a","version":"1","top":{top}}}],
            "timings":{{"fetch":0,"decode":0,"prepare":0,"queue":0,"infer":0,"encode":0,"total":0}}}}"#,
            id
        );
        if socket.send(Message::text(answer)).await.is_err() {
            return;
        }
    }
}
