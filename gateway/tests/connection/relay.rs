//! Triton's ports, read-only: what comes to Triton, what comes back, and what happens when Triton does not answer.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};
use tritondeploy_gateway::relay::{self, Port};

use crate::http::ask;
use crate::{SOON, until};

/// A server that says the same to everybody and remembers what it was asked.
struct Triton {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Triton {
    /// `says` nothing: it takes the request and stays silent.
    async fn saying(says: Vec<u8>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (heard, says) = (asked.clone(), Arc::new(says));
        tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let (heard, says) = (heard.clone(), says.clone());
                tokio::spawn(async move {
                    let mut request = Vec::new();
                    while !request.ends_with(b"\r\n\r\n") && stream.read_buf(&mut request).await.is_ok_and(|n| n > 0) {}
                    heard.lock().unwrap().push(String::from_utf8(request).unwrap());
                    if says.is_empty() {
                        sleep(Duration::from_secs(3600)).await;
                    }
                    drop(stream.write_all(&says).await);
                });
            }
        });
        Self { address, asked }
    }

    fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.asked.lock().unwrap())
    }
}

fn start(port: Port, triton: SocketAddr, patience: Duration) -> SocketAddr {
    relay::start(port, "127.0.0.1:0", triton.to_string().parse().unwrap(), patience, None).unwrap()
}

/// Status, headers in lower case, body.
async fn send(address: SocketAddr, request: &str) -> (u16, String, String) {
    ask(&mut TcpStream::connect(address).await.unwrap(), request).await
}

fn answer(status: &str, kind: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nX-Secret: s\r\nContent-Length: {length}\r\n\r\n{body}").into()
}

#[tokio::test(flavor = "multi_thread")]
async fn triton_gets_the_path_and_nothing_of_the_client_s_headers() {
    let triton = Triton::saying(answer("400 Bad Request", "application/json", "{\"error\":\"x\"}")).await;
    let relay = start(Port::Http, triton.address, SOON);
    let request = "GET /v2/models/m/versions/1/stats HTTP/1.1\r\nHost: evil.example\r\nCookie: a\r\nAccept-Encoding: gzip\r\n\
        Inference-Header-Content-Length: 7\r\nX-Forwarded-For: 1.2.3.4\r\nContent-Length: 0\r\n\r\n";
    let (status, head, body) = send(relay, request).await;
    assert_eq!((status, body.as_str()), (400, "{\"error\":\"x\"}"));
    assert!(head.contains("content-type: application/json") && !head.contains("x-secret"), "{head}");
    let to = triton.address;
    let wanted = format!("GET /v2/models/m/versions/1/stats HTTP/1.1\r\nhost: {to}\r\nconnection: close\r\n\r\n");
    assert_eq!(triton.asked(), [wanted]);

    let (status, _, body) = send(relay, "HEAD /v2 HTTP/1.1\r\nHost: t\r\n\r\n").await;
    assert_eq!((status, body.as_str()), (400, ""));
    assert!(triton.asked()[0].starts_with("GET /v2 HTTP/1.1\r\n"));

    // With and without a length, as curl and Python send it.
    for length in ["", "Content-Length: 0\r\n"] {
        send(relay, &format!("POST /v2/repository/index HTTP/1.1\r\nHost: t\r\n{length}\r\n")).await;
        let wanted =
            format!("POST /v2/repository/index HTTP/1.1\r\nhost: {to}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n");
        assert_eq!(triton.asked(), [wanted]);
    }

    let metrics = start(Port::Metrics, triton.address, SOON);
    send(metrics, "GET /metrics HTTP/1.1\r\nHost: t\r\n\r\n").await;
    assert!(triton.asked()[0].starts_with("GET /metrics HTTP/1.1\r\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_scrapes_pods_gets_the_metrics_of_both_programs_and_nothing_else() {
    let triton = Triton::saying(answer("200 OK", "text/plain", "nv_inference_count 1\n")).await;
    let own: relay::Measure = |_| "tritondeploy_gateway_x 2\n".to_owned();
    let client = tritondeploy_gateway::triton::Triton::connect(&Default::default()).unwrap();
    let to = triton.address.to_string().parse().unwrap();
    let port = relay::start(Port::Scrape, "127.0.0.1:0", to, SOON, Some((own, client))).unwrap();
    let get = |path: &'static str| send(port, path);
    let (status, head, body) = get("GET /metrics HTTP/1.1\r\nHost: t\r\n\r\n").await;
    assert_eq!((status, body.as_str()), (200, "tritondeploy_gateway_x 2\n"));
    assert!(head.contains("content-type: text/plain; version=0.0.4"), "{head}");
    assert_eq!(triton.asked(), Vec::<String>::new());
    let (status, _, body) = get("GET /triton/metrics HTTP/1.1\r\nHost: t\r\n\r\n").await;
    assert_eq!((status, body.as_str()), (200, "nv_inference_count 1\n"));
    assert!(triton.asked()[0].starts_with("GET /metrics HTTP/1.1\r\n"));
    for path in ["GET /v1/release", "GET /v2", "POST /metrics", "GET /metrics?a", "GET /triton/metrics/", "DELETE /metrics"] {
        let (status, _, body) = send(port, &format!("{path} HTTP/1.1\r\nHost: t\r\n\r\n")).await;
        assert_eq!(status, 404, "{path}: {body}");
    }
    assert_eq!(triton.asked(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn no_trick_brings_anything_else_to_triton() {
    let triton = Triton::saying(answer("200 OK", "text/plain", "never")).await;
    let relay = start(Port::Http, triton.address, SOON);
    let load = "POST /v2/repository/models/m/load HTTP/1.1\r\nHost: t\r\nContent-Length: 2\r\n\r\n{}";
    let with = |line: &str, rest: &str| format!("{line} HTTP/1.1\r\nHost: t\r\n{rest}");
    for (request, wanted) in [
        (load.to_owned(), 404),
        (with("POST /v2/repository/index", "Content-Length: 14\r\n\r\n{\"ready\":true}"), 404),
        (with("POST /v2/repository/index", "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"), 404),
        (with("POST /v2/repository/index", "Expect: 100-continue\r\nContent-Length: 2\r\n\r\n"), 404),
        // A body that would be the next request to whoever does not read it.
        (with("GET /v2", &format!("Content-Length: {}\r\n\r\n{load}", load.len())), 404),
        (with("GET /v2", &format!("Transfer-Encoding: chunked\r\n\r\n{:x}\r\n{load}\r\n0\r\n\r\n", load.len())), 404),
        (with("GET /v2", &format!("Content-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{load}")), 404),
        (with("GET /v2", &format!("Content-Length: 0\r\nContent-Length: {}\r\n\r\n{load}", load.len())), 400),
        (with("GET /v2", "Transfer-Encoding: x\r\n\r\n"), 400),
        (with("GET /v2", "Connection: Upgrade\r\nUpgrade: h2c\r\n\r\n"), 404),
        (with("GET /v2", "Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n"), 404),
        (with("CONNECT 127.0.0.1:8000", "\r\n"), 404),
        (with("OPTIONS *", "\r\n"), 404),
        (with("get /v2", "\r\n"), 404),
        (with("GET http://127.0.0.1:8000/v2", "\r\n"), 404),
        (with("GET http://127.0.0.1:8000/v2/repository/models/m/load", "\r\n"), 404),
        (with("GET /v2/../v2", "\r\n"), 404),
        (with("GET //v2", "\r\n"), 404),
        (with("GET /v2/models/%2e%2e/repository/index", "\r\n"), 404),
        (with("GET /v2?x=%0d%0a", "\r\n"), 404),
        (with("GET /v2\r\n HTTP/1.1", "\r\n"), 400),
        (with("GET /v2/\u{e9}", "\r\n"), 404),
        ("GET /v2\r\n\r\n".to_owned(), 400),
        // HTTP/2: closed.
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned(), 0),
        (with("GET /v2", &format!("X: {}\r\n\r\n", "x".repeat(20_000))), 431),
    ] {
        let (status, _, body) = send(relay, &request).await;
        assert_eq!(status, wanted, "{request}: {body}");
        assert!(wanted != 404 || body.starts_with("{\"error\":\""), "{request}: {body}");
    }
    assert_eq!(triton.asked(), Vec::<String>::new());

    // What follows a good request is never read.
    let mut stream = TcpStream::connect(relay).await.unwrap();
    stream.write_all(with("GET /v2", &format!("\r\n{load}")).as_bytes()).await.unwrap();
    let mut answers = Vec::new();
    drop(timeout(SOON, stream.read_to_end(&mut answers)).await.expect("it is closed"));
    assert_eq!(String::from_utf8_lossy(&answers).matches("HTTP/1.1 ").count(), 1);
    assert_eq!(triton.asked().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_triton_that_does_not_answer_is_a_503_that_says_why() {
    let get = "GET /v2/health/ready HTTP/1.1\r\nHost: t\r\n\r\n";
    // Nobody listens there any more.
    let gone = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let (status, head, body) = send(start(Port::Http, gone, SOON), get).await;
    assert!(status == 503 && body.contains("Triton does not answer: Connection refused"), "{status} {body}");
    assert!(head.contains("retry-after: 1"), "{head}");

    let silent = Triton::saying(Vec::new()).await;
    let (status, _, body) = send(start(Port::Http, silent.address, Duration::from_millis(50)), get).await;
    assert!(status == 503 && body.contains("no whole answer within 0.05 s"), "{status} {body}");

    let half = Triton::saying(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf".to_vec()).await;
    let (status, _, body) = send(start(Port::Http, half.address, SOON), get).await;
    assert!(status == 503 && body.contains("Triton does not answer"), "{status} {body}");

    let long = Triton::saying(answer("200 OK", "text/plain", &"x".repeat((4 << 20) + 1))).await;
    let (status, _, body) = send(start(Port::Http, long.address, SOON), get).await;
    assert!(status == 503 && body.contains("longer than 4 MiB"), "{status} {body}");

    let other = Triton::saying(b"SSH-2.0-x\r\n\r\n".to_vec()).await;
    let (status, _, body) = send(start(Port::Http, other.address, SOON), get).await;
    assert!(status == 503 && body.contains("Triton does not answer"), "{status} {body}");
}

#[tokio::test(flavor = "multi_thread")]
async fn many_askers_make_four_connections_to_triton_and_silent_ones_keep_nobody_out() {
    let silent = Triton::saying(Vec::new()).await;
    let relay = start(Port::Http, silent.address, Duration::from_secs(3600));
    let mut askers = Vec::new();
    for _ in 0..16 {
        let mut stream = TcpStream::connect(relay).await.unwrap();
        stream.write_all(b"GET /v2 HTTP/1.1\r\nHost: t\r\n\r\n").await.unwrap();
        askers.push(stream);
    }
    // One more of the same address is closed; another address is served, and so has its request refused in words.
    let (status, _, _) = send(relay, "GET /v2 HTTP/1.1\r\nHost: t\r\n\r\n").await;
    assert_eq!(status, 0);
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.2:0".parse().unwrap()).unwrap();
    let mut elsewhere = socket.connect(relay).await.unwrap();
    assert_eq!(ask(&mut elsewhere, "GET / HTTP/1.1\r\nHost: t\r\n\r\n").await.0, 404);
    until("Triton has been asked", || silent.asked.lock().unwrap().len() >= 4).await;
    assert_eq!(silent.asked.lock().unwrap().len(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asks_without_a_pause_is_slowed_down() {
    let triton = Triton::saying(answer("200 OK", "text/plain", "ok")).await;
    let relay = start(Port::Metrics, triton.address, SOON);
    let start = Instant::now();
    // Refused ones take their turn, too.
    for path in ["/metrics", "/"].repeat(10) {
        send(relay, &format!("GET {path} HTTP/1.1\r\nHost: t\r\n\r\n")).await;
    }
    // Never less, on any machine.
    assert!(start.elapsed() >= Duration::from_millis(200), "{:?}", start.elapsed());
    assert_eq!(triton.asked().len(), 10);
}
