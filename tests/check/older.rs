//! A server that speaks protocol v0 only, as today's users have them.

use futures::{SinkExt, StreamExt};
use serde_json::{Value, json as object};
use tokio_tungstenite::tungstenite::Message;

use crate::host::Host;
use crate::user::json;

/// A WebSocket without subprotocols: a model `grey` that adds up its input, and an error for every other.
async fn v0_server(host: &Host) {
    let listener = host.listen(8080).await;
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            tokio::spawn(async move {
                let Ok(mut socket) = tokio_tungstenite::accept_async(stream).await else { return };
                while let Some(Ok(message)) = socket.next().await {
                    let Message::Text(text) = message else { continue };
                    let request: Value = serde_json::from_str(&text).unwrap();
                    let answer = if request["model_name"] == "grey" {
                        let rows = request["inputs"][0]["data"].to_string();
                        let sum = rows.matches("0.5").count() as f64 * 0.5;
                        object!({"status": "success", "outputs": {"y": [[sum]]}})
                    } else {
                        object!({"status": "error", "message": "no such model"})
                    };
                    if socket.send(Message::text(answer.to_string())).await.is_err() {
                        return;
                    }
                }
            });
        }
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_speaks_v0_only_is_told_so_and_has_not_failed() {
    let host = Host::new();
    v0_server(&host).await;
    let checks = json(&host.url(), &[]).await;
    assert_eq!(checks.names("failed"), [""; 0], "{}", checks.told);
    assert!(checks.of("greeting", "detail").contains("speaks v0 only"), "{}", checks.told);
    assert_eq!(checks.names("passed"), ["dns", "tcp", "websocket", "protocol/v0"]);
    assert!(checks.of("protocol/v0", "detail").contains("as it should: "), "{}", checks.told);
    assert!(checks.of("inference", "detail").contains("no model is known"), "{}", checks.told);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_models_of_an_older_server_are_those_that_its_triton_names() {
    let host = Host::new();
    v0_server(&host).await;
    // One answer for all: what is not read of it is passed over.
    let body = r#"{"name":"triton","version":"2.51.0","inputs":[{"name":"x","datatype":"FP32","shape":[-1,3,2,2]}]}"#;
    let index = r#"[{"name":"grey","version":"1","state":"READY"}]"#;
    let listener = host.listen(8000).await;
    tokio::spawn(async move {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        loop {
            let (mut client, _) = listener.accept().await.unwrap();
            let mut request = vec![0; 2000];
            let count = client.read(&mut request).await.unwrap();
            let body = if request[..count].starts_with(b"POST /v2/repository/index") { index } else { body };
            let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len());
            let _ = client.write_all(answer.as_bytes()).await;
        }
    });
    let checks = json(&host.url(), &[]).await;
    let wanted = [
        "dns",
        "tcp",
        "websocket",
        "triton/health",
        "triton/metadata",
        "triton/index",
        "protocol/v0",
        "inference/grey",
        "round-trips",
    ];
    assert_eq!(checks.names("passed"), wanted, "{}", checks.told);
    assert_eq!(checks.of("inference/grey", "detail"), "y [1, 1]");
    assert_eq!((checks.names("closed"), checks.code), (vec!["triton/metrics"], Some(0)));
}
