//! A real gateway: everything passes, and what is missing is told where it is missing.

use crate::host::Host;
use crate::user::{json, test};
use tritondeploy_support::world::{World, models};

const ALL: [&str; 3] = ["inference/densenet_onnx", "inference/efficientnet_lite0", "inference/resnet50_onnx"];

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_passes_every_check_and_tells_what_is_missing_when_triton_stops() {
    let mut world = World::start().await;
    world.publish("release/manifest.json", &models(&["densenet_onnx", "resnet50_onnx", "efficientnet_lite0"])).await;
    let (synced, said) = world.sync();
    assert!(synced, "{said}");
    world.start_triton();
    world.start_gateway();
    world.wait_ready(200);
    let host = Host::new();
    let (_, [http, metrics]) = world.triton_and_relays();
    host.forward(8080, world.open_ports()[0]).await;

    // Only the WebSocket is open.
    let closed = json(&host.url(), &[]).await;
    assert_eq!(closed.names("failed"), [""; 0], "{}", closed.told);
    assert_eq!(closed.names("closed"), ["triton/health", "triton/metadata", "triton/metrics", "triton/index"]);
    assert_eq!(closed.of("triton/metrics", "detail"), "port 8002 is not open (connection refused)");

    host.forward(8000, http).await;
    host.forward(8002, metrics).await;
    let open = json(&host.url(), &[]).await;
    let mut passed = open.names("passed");
    passed.retain(|name| !name.starts_with("inference/"));
    let wanted =
        ["dns", "tcp", "websocket", "readyz", "greeting", "triton/health", "triton/metadata", "triton/metrics", "triton/index"];
    assert_eq!(passed, [&wanted[..], &["protocol/v1", "protocol/v0", "round-trips"]].concat(), "{}", open.told);
    for name in ALL {
        assert!(open.of(name, "detail").contains("the built-in photo"), "{}", open.told);
    }
    // A real model sees what is in the photo.
    assert!(open.of("inference/efficientnet_lite0", "detail").starts_with("class 285, Egyptian cat (0.7"), "{}", open.told);
    assert!(open.of("triton/index", "detail").contains("densenet_onnx version 1 READY"), "{}", open.told);
    assert!(open.of("protocol/v1", "detail").contains("resnet: class "), "{}", open.told);
    assert!(open.of("protocol/v0", "detail").contains("[1, 1000"), "{}", open.told);
    let trips = open.of("round-trips", "detail");
    assert!(trips.starts_with("20 of ") && trips.contains("median"), "{trips}");
    assert_eq!(open.names("skipped"), ["bucket/list", "bucket/read"]);

    let told = test(&["--url", &host.url()]).await;
    assert!(told.code == Some(0) && told.out.contains("Connection successful!"), "{}", told.out);
    assert!(told.out.ends_with("\nAll is well: 15 passed, 2 skipped.\n"), "{}", told.out);
    let simple = json(&host.url(), &["--level", "simple"]).await;
    assert_eq!(simple.names("passed"), ["dns", "tcp", "websocket", "readyz", "greeting"]);

    world.stop_triton();
    world.wait_ready(503);
    let stopped = json(&host.url(), &[]).await;
    assert_eq!(stopped.names("failed"), ["readyz", "triton/health", "triton/metrics"], "{}", stopped.told);
    assert!(stopped.of("readyz", "meaning").contains("Triton does not answer"), "{}", stopped.told);
    assert!(stopped.of("triton/health", "detail").contains("Triton does not answer"), "{}", stopped.told);
    assert_eq!(stopped.of("triton/index", "detail"), "because triton/health failed");
    assert_eq!(stopped.of("inference", "detail"), "because readyz failed");
    assert!(stopped.told["error"].as_str().unwrap().starts_with("3 checks failed: readyz, "), "{}", stopped.told);
}
