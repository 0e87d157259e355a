//! Servers that speak something else.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_tungstenite::tungstenite::Message;
use tritondeploy_client::v1::{Client, Error};

use futures::SinkExt;

use crate::server::server;

/// A server that answers an upgrade with this HTTP, once.
async fn http(answer: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}/", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        assert!(stream.read(&mut [0; 1024]).await.unwrap() > 0);
        stream.write_all(answer.as_bytes()).await.unwrap();
        // What it was is read before the end is seen.
        drop(stream.read(&mut [0; 1024]).await);
    });
    url
}

#[tokio::test]
async fn who_refuses_the_subprotocol_does_not_speak_it() {
    for (answer, said) in [
        ("HTTP/1.1 400 Bad Request\r\ncontent-length: 13\r\n\r\noffer others\n", "400 Bad Request: offer others"),
        ("HTTP/1.1 426 Upgrade Required\r\ncontent-length: 0\r\n\r\n", "426"),
    ] {
        let url = http(answer).await;
        let Err(error) = Client::connect(&url).await else { panic!("connected") };
        assert!(!error.is_retryable());
        let Error::UnsupportedSubprotocol { url: at, why } = error else { panic!("{error:?}") };
        assert!(at == url && why.contains(said), "{why}");
    }
}

#[tokio::test]
async fn who_takes_the_connection_without_the_subprotocol_does_not_speak_it() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}/", listener.local_addr().unwrap());
    // As gateways of protocol v0 did.
    tokio::spawn(async move { tokio_tungstenite::accept_async(listener.accept().await.unwrap().0).await.map(drop) });
    let answer = Client::connect(&url).await;
    assert!(matches!(answer, Err(Error::UnsupportedSubprotocol { .. })), "{answer:?}");
}

#[tokio::test]
async fn whose_first_message_is_no_greeting_does_not_speak_it() {
    for first in ["hello", r#"{"type":"window","requests":1,"bytes":1}"#] {
        let url = server(move |mut peer| async move {
            peer.socket.send(Message::text(first)).await.unwrap();
            peer.hold().await;
        });
        let answer = Client::connect(&url.await).await;
        assert!(matches!(answer, Err(Error::UnsupportedSubprotocol { .. })), "{answer:?}");
    }
}

#[tokio::test]
async fn who_is_full_or_not_there_may_be_tried_again() {
    let full = http("HTTP/1.1 503 Service Unavailable\r\ncontent-length: 5\r\n\r\nfull\n").await;
    let Err(error) = Client::connect(&full).await else { panic!("connected") };
    assert!(matches!(&error, Error::Connect { why, .. } if why.contains("503") && why.contains("full")), "{error:?}");
    assert!(error.is_retryable());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let closed = format!("ws://{}/", listener.local_addr().unwrap());
    drop(listener);
    assert!(matches!(Client::connect(&closed).await, Err(Error::Connect { .. })));
}
