//! What the gateway needs around it: a bucket, a real Triton, folders and ports of its own.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use aws_sdk_s3::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_s3::primitives::ByteStream;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tempfile::TempDir;
use tokio::net::TcpStream as AsyncStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

use crate::ending;
use crate::local_aws::LocalAws;
use crate::metrics::Metrics;
use crate::triton::Process;

pub const BUCKET: &str = "models-of-a-test";

pub type Socket = WebSocketStream<MaybeTlsStream<AsyncStream>>;

/// As the deployment writes them.
const PIPELINES: &str = r#"
pipeline = [
    { alias = "densenet", model = "densenet_onnx" },
    { alias = "resnet", model = "resnet50_onnx" },
    { alias = "efficientnet_lite0", model = "efficientnet_lite0", scores = "probabilities", pipeline = "proof", required = false },
]
"#;

/// How often Triton may crash by itself before it is ready. It did so three times in a row once, at the same instruction:
/// what crashed at once after a start may do so after the next one too, so that each start waits longer, as the kubelet's do.
const CRASHES: u32 = 6;

/// Kills what it holds.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

pub struct World {
    aws: LocalAws,
    s3: aws_sdk_s3::Client,
    folder: TempDir,
    triton_ports: [u16; 3],
    listen: u16,
    admin: u16,
    health: u16,
    /// Triton's HTTP port and its metrics, as the gateway relays them.
    relays: [u16; 2],
    triton: Option<Process>,
    gateway: Option<Running>,
}

/// Files of models by `NAME/PATH`.
pub type Files = BTreeMap<String, Vec<u8>>;

pub fn cache() -> PathBuf {
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    cache.unwrap_or_else(|| PathBuf::from(std::env::var_os("HOME").expect("HOME")).join(".cache")).join("tritondeploy")
}

/// The models that the sandbox brings.
pub fn models(names: &[&str]) -> Files {
    let mut files = Files::new();
    for name in names {
        for path in ["config.pbtxt", "labels.txt", "1/model.onnx"] {
            let from = cache().join("models").join(name).join(path);
            let content = fs::read(&from).unwrap_or_else(|e| panic!("{} (made by sandbox/models/build): {e}", from.display()));
            files.insert(format!("{name}/{path}"), content);
        }
    }
    files
}

/// The ONNX file of `graph`: Python that makes a variable of this name from `helper` as `h` and `TensorProto` as `T`.
pub fn onnx(graph: &str) -> Vec<u8> {
    let script = format!(
        "import sys\nfrom onnx import TensorProto as T, helper as h\n{graph}\n\
         model = h.make_model(graph, opset_imports=[h.make_opsetid('', 13)], ir_version=8)\n\
         sys.stdout.buffer.write(model.SerializeToString())"
    );
    let python = cache().join("venv-models/bin/python");
    let made = Command::new(&python).args(["-c", &script]).output();
    let made = made.unwrap_or_else(|e| panic!("{} (made by sandbox/models/build): {e}", python.display()));
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    made.stdout
}

/// A model that loads, and answers with what is no number: log(x - 2) of values below 2.
pub fn numberless(name: &str) -> Files {
    let graph = "x, y = (h.make_tensor_value_info(n, T.FLOAT, [1, 4]) for n in 'xy')\n\
        two = h.make_tensor('two', T.FLOAT, [1], [2.0])\n\
        nodes = [h.make_node('Sub', ['x', 'two'], ['z']), h.make_node('Log', ['z'], ['y'])]\n\
        graph = h.make_graph(nodes, 'g', [x], [y], [two])";
    let side = |what: &str, tensor: &str| format!("{what} [{{ name: {tensor:?} data_type: TYPE_FP32 dims: [ 1, 4 ] }}]\n");
    let config = format!(
        "name: {name:?}\nplatform: \"onnxruntime_onnx\"\nmax_batch_size: 0\n{}{}",
        side("input", "x"),
        side("output", "y")
    );
    Files::from([(format!("{name}/config.pbtxt"), config.into()), (format!("{name}/1/model.onnx"), onnx(graph))])
}

fn free_ports<const N: usize>() -> [u16; N] {
    let listeners = [(); N].map(|()| TcpListener::bind("127.0.0.1:0").expect("a port"));
    listeners.map(|l| l.local_addr().expect("its address").port())
}

impl World {
    pub async fn start() -> Self {
        let aws = LocalAws::start(60);
        let config = aws_sdk_s3::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("us-east-1"))
            .endpoint_url(format!("http://{}", aws.host))
            .force_path_style(true)
            .http_client(aws_smithy_http_client::Builder::new().build_http())
            .credentials_provider(Credentials::new(&aws.key, &aws.secret, None, None, "test"))
            .build();
        let s3 = aws_sdk_s3::Client::from_conf(config);
        s3.create_bucket().bucket(BUCKET).send().await.expect("a bucket");
        let [http, grpc, metrics, listen, admin, health, relayed_http, relayed_metrics] = free_ports();
        let relays = [relayed_http, relayed_metrics];
        let folder = tempfile::tempdir().expect("a folder");
        let triton_ports = [http, grpc, metrics];
        let world = Self { aws, s3, folder, triton_ports, listen, admin, health, relays, triton: None, gateway: None };
        fs::create_dir_all(world.repository()).expect("a folder");
        fs::write(world.config(), world.config_text()).expect("the configuration");
        world
    }

    pub fn repository(&self) -> PathBuf {
        self.folder.path().join("disk/models")
    }

    fn config(&self) -> PathBuf {
        self.folder.path().join("gateway.toml")
    }

    fn config_text(&self) -> String {
        let (listen, admin, health) = (self.listen, self.admin, self.health);
        let ([http, grpc, metrics], [relayed_http, relayed_metrics]) = (self.triton_ports, self.relays);
        let directory = self.repository();
        format!(
            "listen = \"127.0.0.1:{listen}\"\nadmin = \"127.0.0.1:{admin}\"\nhealth = \"127.0.0.1:{health}\"\n\
             triton_http = \"127.0.0.1:{relayed_http}\"\ntriton_metrics = \"127.0.0.1:{relayed_metrics}\"\n\
             triton.http = \"http://127.0.0.1:{http}\"\ntriton.metrics = \"http://127.0.0.1:{metrics}\"\n\
             limits.request_seconds = 600\ntriton.grpc = \"http://127.0.0.1:{grpc}\"\nstorage.bucket = {BUCKET:?}\nrepository.directory = {directory:?}\n{PIPELINES}"
        )
    }

    pub async fn put(&self, key: &str, content: &[u8]) {
        let body = ByteStream::from(content.to_vec());
        self.s3.put_object().bucket(BUCKET).key(key).body(body).send().await.expect("an object");
    }

    /// The keys that begin so.
    pub async fn keys(&self, prefix: &str) -> Vec<String> {
        let page = self.s3.list_objects_v2().bucket(BUCKET).prefix(prefix).send().await.expect("a list");
        page.contents().iter().filter_map(|object| object.key().map(str::to_owned)).collect()
    }

    /// Uploads files and the manifest that names them.
    pub async fn publish(&self, key: &str, files: &Files) {
        let mut models: BTreeMap<&str, serde_json::Map<String, Value>> = BTreeMap::new();
        for (place, content) in files {
            self.put(&format!("models/{place}"), content).await;
            let (name, path) = place.split_once('/').expect("a model's file");
            let sha256 = Sha256::digest(content).iter().map(|b| format!("{b:02x}")).collect::<String>();
            models.entry(name).or_default().insert(path.to_owned(), json!({"size": content.len(), "sha256": sha256}));
        }
        let models: serde_json::Map<String, Value> =
            models.into_iter().map(|(name, files)| (name.to_owned(), json!({"digest": "d", "files": files}))).collect();
        self.put(key, json!({"version": 1, "models": models}).to_string().as_bytes()).await;
    }

    fn gateway_command(&self, word: &str) -> Command {
        let tests = std::env::current_exe().expect("this test's path");
        let binary = tests.parent().and_then(Path::parent).expect("target/debug").join("tritondeploy-gateway");
        assert!(binary.exists(), "{} is not there: cargo build -p tritondeploy-gateway", binary.display());
        let mut command = Command::new(binary);
        command.args([word, "--config"]).arg(self.config()).env_clear().stdin(Stdio::null());
        command.envs(self.user_env());
        command
    }

    /// Runs an example of the Rust client, which must end well; what it prints.
    pub fn run_example(&self, name: &str, arguments: &[&str]) -> String {
        let tests = std::env::current_exe().expect("this test's path");
        let example = tests.parent().and_then(Path::parent).expect("target/debug").join("examples").join(name);
        assert!(example.exists(), "{} is not there: cargo build --workspace --examples", example.display());
        let ran = Command::new(example).args(arguments).env_clear().output().expect("the example runs");
        assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
        String::from_utf8_lossy(&ran.stdout).into_owned()
    }

    /// `sync`: whether it succeeded, and what it said.
    pub fn sync(&self) -> (bool, String) {
        let output = self.gateway_command("sync").output().expect("the gateway runs");
        let said = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8_lossy(&said).into_owned())
    }

    pub fn start_gateway(&mut self) {
        self.gateway = Some(Running(self.gateway_command("serve").spawn().expect("the gateway runs")));
    }

    pub fn stop_gateway(&mut self) {
        self.gateway = None;
    }

    pub fn start_triton(&mut self) {
        let log = self.folder.path().join("triton.log");
        self.triton = Some(Process::start(&self.repository(), self.triton_ports, &[], log));
    }

    /// Starts Triton again where it has ended by itself: release 2.51 crashes now and then on a cancelled request and, more
    /// rarely, while several models are loaded at once (in `MetricModelReporter::Create`, by the addresses of its stack). In a
    /// deployment the kubelet starts it again.
    pub fn revive_triton(&mut self) {
        if let Some(ended) = self.triton.as_mut().and_then(Process::ended) {
            eprintln!("Triton is started again. It ended with {ended}");
            self.start_triton();
        }
    }

    pub fn stop_triton(&mut self) {
        self.triton = None;
    }

    /// Asks the public port; the status and the text.
    pub fn get(&self, path: &str) -> (u16, String) {
        ask(self.listen, &format!("GET {path} HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n"))
    }

    /// Asks the health listener; the status and the text.
    pub fn get_health(&self, path: &str) -> (u16, String) {
        ask(self.health, &format!("GET {path} HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n"))
    }

    /// Triton's own ports for HTTP and metrics, and what the gateway relays them at.
    pub fn triton_and_relays(&self) -> ([u16; 2], [u16; 2]) {
        let [http, _, metrics] = self.triton_ports;
        ([http, metrics], self.relays)
    }

    /// What the Service can open, and the port of the health paths.
    pub fn open_ports(&self) -> [u16; 4] {
        [self.listen, self.health, self.relays[0], self.relays[1]]
    }

    /// Asks for a WebSocket of this subprotocol; the status.
    pub fn offer(&self, subprotocol: &str) -> u16 {
        let head = "GET / HTTP/1.1\r\nHost: t\r\nConnection: close, upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13";
        let key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==";
        ask(self.listen, &format!("{head}\r\n{key}\r\nSec-WebSocket-Protocol: {subprotocol}\r\n\r\n")).0
    }

    /// A connection that speaks this subprotocol, frame by frame.
    pub async fn socket(&self, subprotocol: &'static str) -> Socket {
        let mut request = self.address().into_client_request().expect("a request");
        request.headers_mut().insert("sec-websocket-protocol", subprotocol.parse().expect("a header"));
        tokio_tungstenite::connect_async(request).await.expect("a connection").0
    }

    /// What a user of the bucket has set.
    pub fn user_env(&self) -> BTreeMap<String, String> {
        [
            ("AWS_ENDPOINT_URL", format!("http://{}", self.aws.host)),
            ("AWS_REGION", "us-east-1".to_owned()),
            ("AWS_ACCESS_KEY_ID", self.aws.key.clone()),
            ("AWS_SECRET_ACCESS_KEY", self.aws.secret.clone()),
            ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into()
    }

    /// The public WebSocket.
    pub fn address(&self) -> String {
        format!("ws://127.0.0.1:{}/", self.listen)
    }

    /// Asks Triton itself, below `/v2/models/`; without a body it is a GET.
    pub fn ask_triton(&self, path: &str, body: &str) -> Value {
        let verb = if body.is_empty() { "GET" } else { "POST" };
        let length = body.len();
        let head = format!("{verb} /v2/models/{path} HTTP/1.1\r\nHost: t\r\nConnection: close\r\nContent-Length: {length}");
        let (status, answer) = told(ask(self.triton_ports[0], &format!("{head}\r\n\r\n{body}")));
        assert_eq!(status, 200, "{answer}");
        answer
    }

    /// The name of a model's first input.
    pub fn input_of(&self, model: &str) -> String {
        self.ask_triton(model, "")["inputs"][0]["name"].as_str().expect("a name").to_owned()
    }

    /// KiB of the gateway's memory: now, and at most since the last time that this was asked.
    pub fn gateway_memory(&self) -> (u64, u64) {
        let process = PathBuf::from(format!("/proc/{}", self.gateway.as_ref().expect("it runs").0.id()));
        let status = fs::read_to_string(process.join("status")).expect("its status");
        let value = |key: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(key)).expect("a line of memory");
            line.trim().trim_end_matches(" kB").parse().expect("a number")
        };
        // Forgets the peak: proc(5).
        fs::write(process.join("clear_refs"), "5").expect("a new peak");
        (value("VmRSS:"), value("VmHWM:"))
    }

    /// Sends SIGTERM and waits; whether the gateway ended well.
    pub fn terminate_gateway(&mut self) -> bool {
        let mut gateway = self.gateway.take().expect("it runs");
        assert!(ending::signal(&gateway.0, "TERM"));
        gateway.0.wait().expect("it ends").success()
    }

    pub fn release(&self) -> (u16, Value) {
        told(ask(self.admin, "GET /v1/release HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"))
    }

    pub fn metrics(&self) -> Metrics {
        let (status, text) = ask(self.admin, "GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n");
        assert_eq!(status, 200, "{text}");
        Metrics::parse(&text)
    }

    pub fn post(&self, manifest: &str) -> (u16, Value) {
        let body = json!({ "manifest": manifest }).to_string();
        let length = body.len();
        let head = "POST /v1/release HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nContent-Type: application/json";
        told(ask(self.admin, &format!("{head}\r\nContent-Length: {length}\r\n\r\n{body}")))
    }

    /// Waits for `/readyz` to answer `status`.
    pub fn wait_ready(&mut self, status: u16) {
        let start = Instant::now();
        let mut crashes = 0;
        loop {
            let (now, text) = self.get("/readyz");
            if now == status {
                return;
            }
            let ended = self.triton.as_mut().and_then(Process::ended);
            crashes += u32::from(ended.is_some());
            assert!(
                crashes <= CRASHES && start.elapsed() < Duration::from_secs(300),
                "/readyz stays {now}: {text}; Triton ended {crashes} times: {ended:?}"
            );
            if ended.is_some() {
                std::thread::sleep(Duration::from_secs(u64::from(crashes)));
            }
            self.revive_triton();
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

/// One request; the status and the body. Status 0 where nothing listens.
pub fn ask(port: u16, request: &str) -> (u16, String) {
    let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)) else { return (0, String::new()) };
    stream.set_read_timeout(Some(Duration::from_secs(120))).expect("a time-out");
    stream.write_all(request.as_bytes()).expect("asked");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("answered");
    let status = answer.split(' ').nth(1).and_then(|s| s.parse().ok()).unwrap_or(0);
    let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    (status, body.to_owned())
}

fn told((status, text): (u16, String)) -> (u16, Value) {
    (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
}
