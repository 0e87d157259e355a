//! Servers that do what a test wants of them, in raw messages of protocol v1.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{Request, Response};
use tritondeploy_client::v1::Client;

/// A gateway's end of a connection.
pub(crate) struct Peer {
    pub(crate) socket: WebSocketStream<TcpStream>,
    /// Connections before this one.
    pub(crate) number: usize,
}

/// What a server saw.
#[derive(Clone, Default)]
pub(crate) struct Seen(Arc<AtomicUsize>);

impl Seen {
    pub(crate) fn one(&self) -> usize {
        self.0.fetch_add(1, Ordering::SeqCst)
    }

    pub(crate) fn count(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

/// Serves each connection of a WebSocket with the subprotocol, until the test ends.
pub(crate) async fn server<F: Future<Output = ()> + Send + 'static>(serve: impl Fn(Peer) -> F + Send + Sync + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}/", listener.local_addr().unwrap());
    tokio::spawn(async move {
        for number in 0.. {
            let (stream, _) = listener.accept().await.unwrap();
            if let Some(socket) = websocket(stream).await {
                tokio::spawn(serve(Peer { socket, number }));
            }
        }
    });
    url
}

#[allow(clippy::result_large_err, reason = "the callback's type is tungstenite's")]
async fn websocket(stream: TcpStream) -> Option<WebSocketStream<TcpStream>> {
    let agree = |_: &Request, mut response: Response| {
        response.headers_mut().insert("sec-websocket-protocol", "triton-ws.v1".parse().unwrap());
        Ok(response)
    };
    tokio_tungstenite::accept_hdr_async(stream, agree).await.ok()
}

/// A server that greets with a window of 64 requests, and a client of it.
pub(crate) async fn connected<F: Future<Output = ()> + Send + 'static>(
    serve: impl Fn(Peer) -> F + Send + Sync + 'static,
) -> Client {
    let serve = Arc::new(serve);
    let url = server(move |mut peer| {
        let serve = serve.clone();
        async move {
            peer.greet(64).await;
            serve(peer).await;
        }
    });
    Client::connect(&url.await).await.unwrap()
}

impl Peer {
    pub(crate) async fn say(&mut self, message: Value) {
        // The client may have gone, which is its right.
        let _ = self.socket.send(Message::text(message.to_string())).await;
    }

    pub(crate) async fn greet(&mut self, requests: u32) {
        self.say(json!({
            "type": "hello", "protocol": "triton-ws.v1", "server": "test", "features": [],
            "window": {"requests": requests, "bytes": 1_000_000},
            "limits": {"message_bytes": 2_000_000, "object_bytes": 1, "pixels": 1, "deadline_ms": 60_000,
                "header_bytes": 65_536, "models": 16},
            "models": [], "pipelines": [],
        }))
        .await;
    }

    /// The next message's JSON; None when the client closes.
    pub(crate) async fn hear(&mut self) -> Option<Value> {
        loop {
            match self.socket.next().await?.ok()? {
                Message::Text(text) => return Some(serde_json::from_str(&text).unwrap()),
                Message::Binary(frame) => {
                    let length = u32::from_le_bytes(*frame.first_chunk().unwrap()) as usize;
                    return Some(serde_json::from_slice(&frame[4..4 + length]).unwrap());
                }
                Message::Close(_) => return None,
                _ => {}
            }
        }
    }

    /// The next message, which must be a request: its id and its key.
    pub(crate) async fn request(&mut self) -> Option<(u64, String)> {
        let message = self.hear().await?;
        assert_eq!(message["type"], "infer", "{message}");
        let key = message["source"]["s3"]["key"].as_str().unwrap_or_default();
        Some((message["id"].as_u64().unwrap(), key.to_owned()))
    }

    /// A result whose one model is called as the request's object was.
    pub(crate) async fn answer(&mut self, (id, key): &(u64, String)) {
        let timings = json!({"fetch": 0, "decode": 0, "prepare": 0, "queue": 0, "infer": 0, "encode": 0, "total": 0});
        let results = json!([{"alias": key, "model": "m", "version": "1", "top": []}]);
        self.say(json!({"type": "result", "id": id, "results": results, "timings": timings})).await;
    }

    pub(crate) async fn refuse(&mut self, id: Option<u64>, code: &str) {
        let retryable = ["draining", "flow_control", "overloaded"].contains(&code);
        self.say(json!({"type": "error", "id": id, "code": code, "message": "because", "retryable": retryable})).await;
    }

    /// Answers whatever comes, until the client closes.
    pub(crate) async fn answer_all(mut self) {
        while let Some(request) = self.request().await {
            self.answer(&request).await;
        }
    }

    /// Stays open without a word, and reads nothing.
    pub(crate) async fn hold(self) {
        tokio::time::sleep(Duration::from_secs(60)).await;
    }
}
