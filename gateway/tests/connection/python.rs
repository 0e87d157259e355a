//! The client library that most clients use, in its oldest and newest ways.

use std::path::Path;
use std::process::Command;

use tritondeploy_gateway::config::Limits;

use crate::Running;

/// The old asyncio client, its end, the new one, and the newest that was tried.
const VERSIONS: [&str; 4] = ["10.4", "12.0", "14.2", "17.0"];

/// The bar is 50 ms; a client that waits for its time-out takes 10 s. A busy machine is neither.
const CLOSED_WITHIN_MS: f64 = 5_000.0;

#[tokio::test(flavor = "multi_thread")]
async fn python_s_websockets_talks_and_closes_without_waiting() {
    let running = Running::start(Limits { message_bytes: 1 << 20, ..Limits::default() }).await;
    let gateway = Path::new(env!("CARGO_MANIFEST_DIR"));
    for version in VERSIONS {
        let mut client = Command::new(gateway.join("bench/websockets"));
        client.arg(version).arg(gateway.join("tests/connection/websockets.py")).arg(format!("ws://{}", running.address));
        let output = tokio::task::spawn_blocking(move || client.output().unwrap()).await.unwrap();
        assert!(output.status.success(), "{version}: {}\n{}", output.status, String::from_utf8_lossy(&output.stderr));
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let took: f64 = said.trim().parse().unwrap_or_else(|_| panic!("{version}: {said}"));
        println!("websockets {version}: closing took {took} ms");
        assert!(took < CLOSED_WITHIN_MS, "websockets {version}: closing took {took} ms");
    }
}
