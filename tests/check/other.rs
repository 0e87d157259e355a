//! What is no gateway: each is told in words, in seconds.

use std::time::{Duration, Instant};

use crate::host::Host;
use crate::user::{Ran, finish, json, start, test};
use tritondeploy_support::ending::signal;

const PAGE: &[u8] = b"HTTP/1.1 404 Not Found\r\nContent-Length: 8\r\nConnection: close\r\n\r\nnot here";

#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_needs_the_gateway_runs_where_nothing_listens() {
    let host = Host::new();
    let checks = json(&host.url(), &[]).await;
    assert_eq!(checks.names("failed"), ["tcp"]);
    assert_eq!(checks.of("tcp", "detail"), format!("{}:8080: connection refused", host.0));
    assert!(checks.of("tcp", "meaning").contains("nothing listens"), "{}", checks.told);
    assert_eq!(checks.of("round-trips", "detail"), "because tcp failed");
    assert_eq!(checks.of("bucket/read", "detail"), "--url names no bucket");
    assert_eq!(checks.told["next"], checks.of("tcp", "next"));
    let told = test(&["--level", "simple", "--url", &host.url()]).await;
    assert_eq!(told.code, Some(1));
    assert!(told.out.contains("\n  ✗ tcp ") && told.out.contains("\n      next: check the port"), "{}", told.out);
    assert!(told.out.contains("Not all is well: 1 passed, 1 failed, 3 skipped."), "{}", told.out);
    assert!(told.err.contains("error: 1 check failed: tcp\nnext: "), "{}", told.err);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_does_not_exist_is_told_as_such() {
    let checks = json("ws://no-such-host.invalid:8080/", &[]).await;
    assert_eq!((checks.names("failed"), checks.names("passed")), (vec!["dns"], vec![]), "{}", checks.told);
    assert_eq!(checks.of("tcp", "detail"), "because dns failed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_web_server_is_told_from_a_gateway() {
    let host = Host::new();
    host.answer(8080, PAGE, false).await;
    host.answer(8000, PAGE, false).await;
    let checks = json(&host.url(), &[]).await;
    assert_eq!(checks.names("failed"), ["websocket", "triton/health"], "{}", checks.told);
    assert_eq!(checks.of("websocket", "meaning"), "there is no WebSocket at this path");
    assert_eq!(checks.of("websocket", "detail"), "HTTP 404 Not Found: not here");
    assert!(checks.of("readyz", "detail").contains("404"), "{}", checks.told);
    assert_eq!(checks.of("greeting", "detail"), "because websocket failed");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_http_is_told_by_how_it_begins() {
    let ssh = Host::new();
    ssh.answer(8080, b"SSH-2.0-OpenSSH_9.2\x1b[2J\r\n", false).await;
    let checks = json(&ssh.url(), &["--level", "simple"]).await;
    assert_eq!(checks.names("failed"), ["websocket"]);
    let detail = checks.of("websocket", "detail");
    assert!(detail.contains("SSH-2.0-OpenSSH_9.2") && !detail.contains('\x1b'), "{detail}");

    let tls = Host::new();
    tls.answer(8080, &[21, 3, 1, 0, 2, 2, 70], false).await;
    let checks = json(&tls.url(), &["--level", "simple"]).await;
    assert_eq!(checks.of("websocket", "next"), format!("try wss://{}:8080/", tls.0));
    // And the other way round.
    let plain = Host::new();
    plain.answer(8080, PAGE, false).await;
    let checks = json(&plain.url().replace("ws://", "wss://"), &["--level", "simple"]).await;
    assert_eq!((checks.names("failed"), checks.of("tls", "meaning")), (vec!["tls"], "the port does not speak TLS"));
    assert_eq!(checks.of("websocket", "detail"), "because tls failed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_web_server_of_http_1_0_is_told_as_one() {
    let host = Host::new();
    host.answer(8080, b"HTTP/1.0 200 OK\r\nServer: SimpleHTTP/0.6 Python/3.11.7\r\nContent-Length: 2\r\n\r\nhi", false).await;
    let checks = json(&host.url(), &["--level", "simple"]).await;
    assert_eq!(checks.names("failed"), ["websocket"], "{}", checks.told);
    assert_eq!(checks.of("websocket", "detail"), "it answers with HTTP/1.0");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_without_end_is_cut_off() {
    let host = Host::new();
    host.answer(
        8080,
        b"HTTP/1.1 101 Switching Protocols\r\nx: yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy",
        true,
    )
    .await;
    host.answer(8000, b"HTTP/1.1 200 OK\r\n\r\n0000000000000000000000000000000000000000000000000000000000000000", true).await;
    let checks = json(&host.url(), &["--level", "extended"]).await;
    assert_eq!(checks.names("failed"), ["websocket", "triton/health"], "{}", checks.told);
    assert_eq!(checks.of("triton/health", "detail"), "its answer is longer than 4 MiB");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_takes_a_connection_and_says_nothing_has_failed_in_seconds_and_ctrl_c_ends_it_at_once() {
    let host = Host::new();
    let listener = host.listen(8080).await;
    let silent = tokio::spawn(async move {
        let mut kept = Vec::new();
        loop {
            kept.push(listener.accept().await.unwrap().0);
        }
    });
    let begun = Instant::now();
    let checks = json(&host.url(), &[]).await;
    assert_eq!(checks.names("failed"), ["websocket"]);
    assert_eq!(checks.of("websocket", "detail"), "no answer to the upgrade within 10 s");
    assert!(begun.elapsed() < Duration::from_secs(60), "{:?}", begun.elapsed());

    let (child, _folder) = start(&["--json", "--url", &host.url()]);
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(signal(&child, "INT"));
    let Ran { code, out, err } = tokio::task::spawn_blocking(|| finish(child)).await.unwrap();
    assert_eq!(code, Some(130), "{out} {err}");
    let told: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!((&told["passed"], &told["checks"][1]["name"]), (&2.into(), &"tcp".into()), "{told}");
    silent.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_address_is_refused_before_anything_is_tried() {
    for (url, next) in [("http://a:8080/", "did you mean ws://a:8080/?"), ("a:8080", "did you mean ws://a:8080?")] {
        let ran = test(&["--url", url]).await;
        assert!(ran.code == Some(2) && ran.err.contains(next), "{} {}", ran.out, ran.err);
    }
}
