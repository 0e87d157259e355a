//! What a client is told when things go wrong, by servers that go wrong on purpose.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use futures::{SinkExt, StreamExt};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tritondeploy_client::{Answer, Client, Error, Object, Request};

fn request() -> Request {
    Request::Pipelines(Object { bucket: "b".to_owned(), key: "k".to_owned() })
}

/// A server for one connection.
async fn server<F: Future<Output = ()> + Send + 'static>(serve: impl FnOnce(TcpStream) -> F + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}/", listener.local_addr().unwrap());
    tokio::spawn(async move { serve(listener.accept().await.unwrap().0).await });
    url
}

async fn websocket(stream: TcpStream) -> WebSocketStream<TcpStream> {
    tokio_tungstenite::accept_async(stream).await.unwrap()
}

#[tokio::test]
async fn a_refusal_is_the_gateway_s_own_reason_and_the_connection_goes_on() {
    let url = server(|stream| async move {
        let mut socket = websocket(stream).await;
        for answer in [r#"{"status":"error","message":"no such thing"}"#, r#"{"status":"success","outputs":{"y":[[1.5]]}}"#] {
            assert_eq!(socket.next().await.unwrap().unwrap(), Message::text(r#"{"bucket":"b","key":"k"}"#));
            // Pings between a request and its answer are none of the caller's business.
            socket.send(Message::Ping("p".into())).await.unwrap();
            socket.send(Message::text(answer)).await.unwrap();
            while !matches!(socket.next().await.unwrap().unwrap(), Message::Pong(_)) {}
        }
        while let Some(Ok(_)) = socket.next().await {}
    });
    let mut client = Client::connect(&url.await).await.unwrap();
    assert!(matches!(client.ask(&request()).await, Err(Error::Refused(why)) if why == "no such thing"));
    assert!(matches!(client.ask(&request()).await, Ok(Answer::Model(outputs)) if outputs[0].shape == [1, 1]));
    client.close().await;
}

#[tokio::test]
async fn a_full_gateway_and_a_closed_port_are_told_with_their_address() {
    let full = server(|mut stream| async move {
        assert!(stream.read(&mut [0; 1024]).await.unwrap() > 0);
        stream.write_all(b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n").await.unwrap();
    });
    let full = full.await;
    let Err(Error::Connect { url, why }) = Client::connect(&full).await else { panic!("connected") };
    assert!(url == full && why.contains("503"), "{url}: {why}");
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let closed = format!("ws://{}/", listener.local_addr().unwrap());
    drop(listener);
    assert!(matches!(Client::connect(&closed).await, Err(Error::Connect { .. })));
    assert!(matches!(Client::connect("no address").await, Err(Error::Connect { .. })));
    // TLS is there (a missing provider would panic); this server does not speak it.
    let plain = server(|mut stream| async move { drop(stream.read(&mut [0; 1024]).await) }).await;
    assert!(matches!(Client::connect(&plain.replace("ws://", "wss://")).await, Err(Error::Connect { .. })));
}

#[tokio::test]
async fn a_close_instead_of_an_answer_is_told_with_its_reason() {
    let url = server(|stream| async move {
        let mut socket = websocket(stream).await;
        socket.next().await;
        let frame = CloseFrame { code: 1001.into(), reason: "the gateway stops".into() };
        socket.send(Message::Close(Some(frame))).await.unwrap();
    });
    let mut client = Client::connect(&url.await).await.unwrap();
    let Err(Error::Lost(why)) = client.ask(&request()).await else { panic!("answered") };
    assert!(why.contains("1001") && why.contains("the gateway stops"), "{why}");
    assert!(matches!(client.ask(&request()).await, Err(Error::Lost(_))));
}

#[tokio::test]
async fn what_is_no_answer_is_not_taken_for_one() {
    let url = server(|stream| async move {
        let mut socket = websocket(stream).await;
        for answer in ["hello", r#"{"status":"success"}"#] {
            socket.next().await;
            socket.send(Message::text(answer)).await.unwrap();
        }
    });
    let mut client = Client::connect(&url.await).await.unwrap();
    for _ in 0..2 {
        assert!(matches!(client.ask(&request()).await, Err(Error::Protocol(_))));
    }
}
