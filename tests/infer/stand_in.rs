//! A bucket and gateways that are stand-ins: they answer at once, or in ways in which the real ones never do.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::{SinkExt, StreamExt};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{Request as Upgrade, Response};

const WHO: &str = "<GetCallerIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><GetCallerIdentityResult>\
    <Arn>arn:aws:iam::123456789012:user/a</Arn><UserId>A</UserId><Account>123456789012</Account>\
    </GetCallerIdentityResult></GetCallerIdentityResponse>";

/// Serves each connection by `one`; the port.
async fn serve<F: Future<Output = ()> + Send + 'static>(one: impl Fn(TcpStream) -> F + Send + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            stream.set_nodelay(true).unwrap();
            tokio::spawn(one(stream));
        }
    });
    port
}

/// STS, and what ListObjectsV2 says to a request line; the environment that leads there.
pub(crate) async fn bucket(page: impl Fn(&str) -> String + Send + Sync + 'static) -> BTreeMap<String, String> {
    let page = Arc::new(page);
    let port = serve(move |stream| listing(stream, page.clone())).await;
    let env = [
        ("AWS_ENDPOINT_URL", format!("http://127.0.0.1:{port}")),
        ("AWS_REGION", "us-east-1".to_owned()),
        ("AWS_ACCESS_KEY_ID", "a".to_owned()),
        ("AWS_SECRET_ACCESS_KEY", "b".to_owned()),
    ];
    env.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

async fn listing(stream: TcpStream, page: Arc<impl Fn(&str) -> String>) {
    let mut stream = BufReader::new(stream);
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
        let body = if head.starts_with("POST") { WHO.to_owned() } else { page(&head) };
        let answer = format!("HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        if stream.write_all(answer.as_bytes()).await.is_err() {
            return;
        }
    }
}

/// One object of a page.
pub(crate) fn object(key: &str) -> String {
    format!("<Contents><Key>{key}</Key><ETag>&quot;{:032x}&quot;</ETag><Size>9</Size></Contents>", key.len())
}

/// A page with nothing behind it.
pub(crate) fn last_page(keys: &[&str]) -> String {
    let listed: String = keys.iter().map(|key| object(key)).collect();
    format!("<ListBucketResult><IsTruncated>false</IsTruncated><KeyCount>{}</KeyCount>{listed}</ListBucketResult>", keys.len())
}

/// What a gateway of protocol v1 says first, whose pipeline has these aliases.
fn hello(aliases: &[&str]) -> String {
    let models: Vec<String> =
        aliases.iter().map(|alias| format!(r#"{{"alias":"{alias}","model":"{alias}","quality":"exact"}}"#)).collect();
    format!(
        r#"{{"type":"hello","protocol":"triton-ws.v1","server":"test","features":[],"models":[],
        "pipelines":[{{"name":"default","models":[{}]}}],"window":{{"requests":64,"bytes":67108864}},
        "limits":{{"message_bytes":67108864,"object_bytes":1,"pixels":1,"deadline_ms":60000}}}}"#,
        models.join(",")
    )
}

/// A gateway of protocol v1: the results that it gives each request, as JSON; None: no answer. Its URL.
pub(crate) async fn gateway(aliases: &[&str], results: impl Fn(&str) -> Option<String> + Send + Sync + 'static) -> String {
    let (hello, results) = (hello(aliases), Arc::new(results));
    let port = serve(move |stream| classify(stream, hello.clone(), results.clone())).await;
    format!("ws://127.0.0.1:{port}/")
}

async fn classify(stream: TcpStream, hello: String, results: Arc<impl Fn(&str) -> Option<String>>) {
    #[allow(clippy::result_large_err, reason = "the callback's type is tungstenite's")]
    let agree = |_: &Upgrade, mut response: Response| {
        response.headers_mut().insert("sec-websocket-protocol", "triton-ws.v1".parse().unwrap());
        Ok(response)
    };
    let Ok(mut socket) = tokio_tungstenite::accept_hdr_async(stream, agree).await else { return };
    let _ = socket.send(Message::text(hello)).await;
    while let Some(Ok(message)) = socket.next().await {
        // A file's bytes are in a binary message, behind a header of text.
        let bytes = message.into_data();
        let text = String::from_utf8_lossy(&bytes[..bytes.len().min(2000)]);
        let Some(id) = text.split_once("\"id\":").and_then(|(_, rest)| rest.split([',', '}']).next()) else { continue };
        let Some(results) = results(&text) else { continue };
        let answer = format!(
            r#"{{"type":"result","id":{id},"results":[{results}],
            "timings":{{"fetch":0,"decode":0,"prepare":0,"queue":0,"infer":0,"encode":0,"total":0}}}}"#
        );
        if socket.send(Message::text(answer)).await.is_err() {
            return;
        }
    }
}

/// A model's result of protocol v1.
pub(crate) fn seven(alias: &str) -> String {
    let top = r#"[{"index":7,"score":0.5,"label":"seven"},{"index":1,"score":0.25,"label":"one"}]"#;
    format!(r#"{{"alias":"{alias}","model":"{alias}","version":"1","top":{top}}}"#)
}

/// A server of protocol v0 that gives each request this answer. Its URL.
pub(crate) async fn old_server(answer: &'static str) -> String {
    let port = serve(move |stream| async move {
        let Ok(mut socket) = tokio_tungstenite::accept_async(stream).await else { return };
        while let Some(Ok(message)) = socket.next().await {
            if message.is_text() && socket.send(Message::text(answer)).await.is_err() {
                return;
            }
        }
    });
    format!("ws://127.0.0.1:{}/", port.await)
}
