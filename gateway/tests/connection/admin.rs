//! The admin port: for whom it answers, and which keys of the bucket it fetches.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use crate::program::{Program, ask};

/// A bucket that gives one manifest under every key. Returns its port, and the paths it was asked for.
fn bucket(manifest: String) -> (u16, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let asked = Arc::<Mutex<Vec<String>>>::default();
    let paths = asked.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                stream.read_exact(&mut byte).unwrap();
                head.push(byte[0]);
            }
            let head = String::from_utf8(head).unwrap();
            paths.lock().unwrap().push(head.split(' ').nth(1).unwrap().to_owned());
            let length = manifest.len();
            write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{manifest}").unwrap();
        }
    });
    (port, asked)
}

/// A gateway with a bucket at this port, and its admin address.
fn start(bucket: u16) -> (Program, String) {
    let mut program = Program::start(":", &format!("storage.endpoint_url = \"http://127.0.0.1:{bucket}\""));
    let line = program.line(|line| line.get("admin").is_some()).unwrap();
    let address = line["admin"].as_str().unwrap().to_owned();
    (program, address)
}

/// The headers are those of `Host` and whatever follows it.
fn post(address: &str, hosts: &str, body: &str) -> (u16, Value) {
    let length = body.len();
    let head = format!("POST /v1/release HTTP/1.1\r\n{hosts}Connection: close\r\nContent-Type: application/json");
    let (status, answer) = ask(address, &format!("{head}\r\nContent-Length: {length}\r\n\r\n{body}"));
    (status, serde_json::from_str(&answer).unwrap_or_else(|e| panic!("{status} {answer:?}: {e}")))
}

fn release(address: &str, key: &str) -> (u16, String) {
    let (status, answer) = post(address, "Host: 127.0.0.1\r\n", &json!({ "manifest": key }).to_string());
    (status, answer["error"].as_str().unwrap_or_default().to_owned())
}

/// One model with one file, which lies at `key`.
fn manifest(key: &str) -> String {
    let file = json!({"size": 1, "sha256": "0".repeat(64), "key": key});
    json!({"version": 1, "models": {"m": {"digest": "d", "files": {"config.pbtxt": file}}}}).to_string()
}

#[test]
fn requests_for_another_host_are_refused_before_they_are_looked_at() {
    let (bucket, asked) = bucket(manifest("release/files/0"));
    let (_program, address) = start(bucket);
    let body = r#"{"manifest":"release/manifest.json"}"#;
    for hosts in [
        "Host: evil.example\r\n",
        "Host: evil.example:8081\r\n",
        "Host: 127.0.0.1.evil.example\r\n",
        "Host: t\r\n",
        "Host: \r\n",
        "",
        "Host: 127.0.0.1\r\nHost: evil.example\r\n",
        "Host: 127.0.0.1\r\nHost: 127.0.0.1\r\n",
    ] {
        let (status, answer) = post(&address, hosts, body);
        let why = answer["error"].as_str().unwrap();
        assert!(status == 403 && why.contains("127.0.0.1, localhost and [::1]"), "{hosts:?}: {status} {why}");
        let (status, _) = ask(&address, &format!("GET /metrics HTTP/1.1\r\n{hosts}Connection: close\r\n\r\n"));
        assert_eq!(status, 403, "{hosts:?}");
    }
    let elsewhere = "GET http://evil.example/metrics HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n";
    assert_eq!(ask(&address, elsewhere).0, 403);
    assert_eq!(*asked.lock().unwrap(), [""; 0]);
    for host in ["127.0.0.1", "127.0.0.1:8081", "localhost", "localhost:1", "[::1]", "[::1]:8081"] {
        let (status, text) = ask(&address, &format!("GET /metrics HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"));
        assert_eq!(status, 200, "{host}: {text}");
    }
}

#[test]
fn a_key_outside_of_releases_and_models_is_refused_and_nothing_is_fetched() {
    let (bucket, asked) = bucket(manifest("release/files/0"));
    let (_program, address) = start(bucket);
    for key in ["images/cat.png", "manifest.json", "release/../images/x", "models//m", "models\\m", "release/\0", ""] {
        let (status, why) = release(&address, key);
        assert!(status == 400 && why.contains("may not be released"), "{key:?}: {status} {why}");
    }
    let (status, why) = release(&address, &format!("release/{}", "x".repeat(100_000)));
    assert!(status == 400 && why.contains("1024 bytes") && why.len() < 500, "{status} {why}");
    assert_eq!(*asked.lock().unwrap(), [""; 0]);
    // What may be named is asked for.
    release(&address, "release/drafts/1.json");
    assert!(asked.lock().unwrap()[0].starts_with("/b/release/drafts/1.json"), "{asked:?}");
}

#[test]
fn a_manifest_that_names_a_file_outside_of_releases_and_models_is_refused_before_any_file_is_fetched() {
    let (bucket, asked) = bucket(manifest("images/private.png"));
    let (_program, address) = start(bucket);
    let (status, why) = release(&address, "release/drafts/1.json");
    assert!(status == 400 && why.contains("\"images/private.png\""), "{status} {why}");
    assert_eq!(asked.lock().unwrap().len(), 1, "{asked:?}");
}

#[test]
fn a_body_that_is_no_request_is_told_so_without_all_of_it() {
    let (_program, address) = start(1);
    let long = "x".repeat(10_000);
    for body in [format!("{{\"{long}\":1}}"), format!("\"{long}\""), long] {
        let (status, answer) = post(&address, "Host: localhost\r\n", &body);
        let why = answer["error"].as_str().unwrap();
        assert!(matches!(status, 400 | 422) && why.contains("{\"manifest\":\"KEY\"}"), "{status} {why}");
        assert!(why.len() < 500, "{why}");
    }
}
