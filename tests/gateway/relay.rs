//! Triton's own ports, as the gateway opens them: what reads is answered by Triton, and whatever would change it is refused at
//! every port.

use serde_json::{Value, json};

use tritondeploy_support::world::{World, ask, models};

const MODEL: &str = "densenet_onnx";

/// Everything that Triton's HTTP API has beside what reads, and its index of models with a body.
fn attacks() -> Vec<(&'static str, String, String)> {
    let get = |path: &str| ("GET", path.to_owned(), String::new());
    let post = |path: &str, body: Value| ("POST", path.to_owned(), body.to_string());
    let model = |what: &str| format!("/v2/models/{MODEL}/{what}");
    let repository = |what: &str| format!("/v2/repository/models/{MODEL}/{what}");
    // As tritonclient sends files: the model that the body brings, in place of the released one.
    let config = json!({"name": MODEL, "backend": "onnxruntime", "max_batch_size": 0}).to_string();
    let file = json!({"parameters": {"config": config, "file:1/model.onnx": "bm8gZ3JhcGg="}});
    let system = json!({"key": "/tritondeploy", "offset": 0, "byte_size": 64});
    let cuda = json!({"raw_handle": {"b64": "AAAA"}, "device_id": 0, "byte_size": 64});
    let tensor = json!({"name": "data_0", "shape": [1, 3, 224, 224], "datatype": "FP32", "data": vec![0.0; 3 * 224 * 224]});
    let trace = json!({"trace_file": "/tmp/owned", "trace_level": ["TENSORS"], "trace_rate": "1"});
    let log = json!({"log_file": "/tmp/owned", "log_verbose_level": 9});
    vec![
        post(&repository("load"), json!({})),
        post(&repository("load"), file),
        post(&repository("unload"), json!({})),
        post(&repository("unload"), json!({"parameters": {"unload_dependents": true}})),
        post("/v2/repository/index", json!({"ready": true})),
        post("/v2/systemsharedmemory/region/r/register", system),
        post("/v2/systemsharedmemory/region/r/unregister", json!({})),
        post("/v2/systemsharedmemory/unregister", json!({})),
        get("/v2/systemsharedmemory/status"),
        post("/v2/cudasharedmemory/region/r/register", cuda),
        post("/v2/cudasharedmemory/region/r/unregister", json!({})),
        post("/v2/cudasharedmemory/unregister", json!({})),
        get("/v2/cudasharedmemory/status"),
        post(&model("infer"), json!({"inputs": [tensor]})),
        post(&model("versions/1/infer"), json!({"inputs": [tensor]})),
        post(&model("generate"), json!({})),
        post(&model("generate_stream"), json!({})),
        post("/v2/trace/setting", trace.clone()),
        post(&model("trace/setting"), trace),
        get("/v2/trace/setting"),
        get(&model("trace/setting")),
        post("/v2/logging", log),
        get("/v2/logging"),
    ]
}

fn send(port: u16, method: &str, path: &str, body: &str) -> (u16, String) {
    let length = if body.is_empty() { String::new() } else { format!("Content-Length: {}\r\n", body.len()) };
    ask(port, &format!("{method} {path} HTTP/1.1\r\nHost: t\r\nConnection: close\r\n{length}\r\n{body}"))
}

/// What an attack could change: the models and what was asked of them, shared memory, trace and log settings.
fn state(triton: u16) -> Vec<String> {
    let mut all = vec![send(triton, "POST", "/v2/repository/index", "").1];
    for path in [
        "/v2/models/stats",
        "/v2/models/densenet_onnx/config",
        "/v2/systemsharedmemory/status",
        "/v2/cudasharedmemory/status",
        "/v2/trace/setting",
        "/v2/models/densenet_onnx/trace/setting",
        "/v2/logging",
    ] {
        let (status, text) = send(triton, "GET", path, "");
        // A Triton without a GPU knows no CUDA memory.
        assert!(status == 200 || path.starts_with("/v2/cuda"), "{path}: {status} {text}");
        all.push(text);
    }
    all
}

/// Status and body of one line of HTTP, with curl's and Python's ways to send nothing.
fn same_answers(relay: u16, triton: u16) {
    let of_models =
        ["", "/config", "/ready", "/stats", "/versions/1", "/versions/1/config", "/versions/1/ready", "/versions/1/stats"];
    let of_models =
        [MODEL, "no_such_model"].into_iter().flat_map(|name| of_models.map(|what| format!("/v2/models/{name}{what}")));
    let others = ["/v2", "/v2/health/live", "/v2/health/ready", "/v2/models/stats"].map(str::to_owned);
    for path in of_models.chain(others) {
        let answer = send(triton, "GET", &path, "");
        assert_eq!(send(relay, "GET", &path, ""), answer, "{path}");
        let there = path.contains("no_such_model") || answer.0 == 200;
        assert!(there, "{path}: {answer:?}");
        assert_eq!(send(relay, "HEAD", &path, ""), (answer.0, String::new()), "{path}");
    }
    let index = send(triton, "POST", "/v2/repository/index", "");
    assert!(index.0 == 200 && index.1.contains("\"state\":\"READY\""), "{index:?}");
    assert_eq!(send(relay, "POST", "/v2/repository/index", ""), index);
    let zero = "POST /v2/repository/index HTTP/1.1\r\nHost: t\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
    assert_eq!(ask(relay, zero), index);
}

/// The names of its metrics: their values go on.
fn names(metrics: &str) -> Vec<&str> {
    metrics.lines().map(|line| line.rsplit_once(' ').map_or(line, |(name, _)| name)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn triton_s_ports_tell_what_triton_tells_and_change_nothing() {
    let mut world = World::start().await;
    world.publish("release/manifest.json", &models(&["densenet_onnx", "resnet50_onnx", "efficientnet_lite0"])).await;
    let (synced, said) = world.sync();
    assert!(synced, "{said}");
    world.start_gateway();
    let ([http, metrics], [relayed_http, relayed_metrics]) = world.triton_and_relays();
    world.wait_ready(503);
    for (port, path) in [(relayed_http, "/v2/health/ready"), (relayed_metrics, "/metrics")] {
        let (status, why) = send(port, "GET", path, "");
        assert!(status == 503 && why.contains("Triton does not answer: Connection refused"), "{path}: {status} {why}");
    }
    world.start_triton();
    world.wait_ready(200);

    let before = state(http);
    for port in world.open_ports() {
        for (method, path, body) in attacks() {
            let (status, answer) = send(port, method, &path, &body);
            // 426 is the WebSocket's port, which has nothing but WebSockets and health.
            assert!([404, 426].contains(&status), "{method} {path} at {port}: {status} {answer}");
        }
    }
    assert_eq!(state(http), before, "an attack has changed Triton");
    // The attacks are attacks: Triton itself does what they ask for.
    assert_eq!(send(http, "POST", "/v2/logging", "{\"log_verbose_level\":1}").0, 200);
    assert_ne!(state(http), before);

    same_answers(relayed_http, http);
    let (theirs, ours) = (send(metrics, "GET", "/metrics", ""), send(relayed_metrics, "GET", "/metrics", ""));
    assert!(ours.0 == 200 && ours.1.contains("nv_inference_request_success"), "{ours:?}");
    assert_eq!(names(&ours.1), names(&theirs.1));
    assert_eq!(send(relayed_metrics, "GET", "/v2", "").0, 404);
    assert_eq!(send(relayed_http, "GET", "/metrics", "").0, 404);
}
