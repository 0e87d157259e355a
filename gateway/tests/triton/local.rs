//! A Triton of a test's own, with one model that gives back what it gets.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use tritondeploy_support::ending;
use tritondeploy_support::triton::Process;

/// Reads its input only after the sleep that the input's second value asks for.
const MODEL: &str = "\
import time
import triton_python_backend_utils as pb
class TritonPythonModel:
    def execute(self, requests):
        answers = []
        for request in requests:
            x = pb.get_input_tensor_by_name(request, 'x').as_numpy()
            time.sleep(float(x[1]) / 1000)
            answers.append(pb.InferenceResponse([pb.Tensor('y', x.copy())]))
        return answers
";

const CONFIG: &str = "name: \"echo\"\nbackend: \"python\"\nmax_batch_size: 0\n\
    input [{ name: \"x\" data_type: TYPE_FP32 dims: [ -1 ] }]\noutput [{ name: \"y\" data_type: TYPE_FP32 dims: [ -1 ] }]\n\
    instance_group [{ kind: KIND_CPU count: 2 }]\n\
    dynamic_batching {}\n"; // Its queue is what looks at cancels.

pub(crate) struct Local {
    // Before the folder, where its log is.
    process: Option<Process>,
    ports: [u16; 3],
    folder: TempDir,
}

impl Local {
    /// Ready, with the model loaded.
    pub(crate) async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("echo/1")).unwrap();
        fs::write(folder.path().join("echo/1/model.py"), MODEL).unwrap();
        fs::write(folder.path().join("echo/config.pbtxt"), CONFIG).unwrap();
        let listeners = [(); 3].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
        let ports = listeners.map(|l| l.local_addr().unwrap().port());
        let mut local = Self { process: None, ports, folder };
        local.restart().await;
        local
    }

    pub(crate) async fn restart(&mut self) {
        self.stop();
        let folder = self.folder.path();
        self.process = Some(Process::start(folder, self.ports, &["-a"], folder.join("triton.log")));
        let start = Instant::now();
        while !self.get(self.ports[0], "/v2/models/echo/ready").starts_with("HTTP/1.1 200") {
            let ended = self.process.as_mut().unwrap().ended();
            assert!(ended.is_none(), "Triton is made by sandbox/triton/build: {ended:?}");
            assert!(start.elapsed() < Duration::from_secs(300), "Triton is not ready");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    pub(crate) fn stop(&mut self) {
        self.process = None;
    }

    /// How it ended, if it has. It may be a moment until that can be told.
    pub(crate) async fn end(&mut self) -> Option<String> {
        let start = Instant::now();
        loop {
            let ended = self.process.as_mut().unwrap().ended();
            if ended.is_some() || start.elapsed() > Duration::from_secs(10) {
                return ended;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    pub(crate) fn signal(&self, name: &str) {
        assert!(ending::signal(&self.process.as_ref().unwrap().child, name));
    }

    pub(crate) fn grpc(&self) -> String {
        format!("http://127.0.0.1:{}", self.ports[1])
    }

    /// Requests that Triton counts as cancelled.
    pub(crate) fn cancelled(&self) -> u64 {
        let metrics = self.get(self.ports[2], "/metrics");
        let counts = metrics.lines().filter(|l| l.starts_with("nv_inference_request_failure") && l.contains("CANCELED"));
        counts.filter_map(|l| l.rsplit(' ').next()?.parse::<u64>().ok()).sum()
    }

    fn get(&self, port: u16, path: &str) -> String {
        let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)) else { return String::new() };
        let mut answer = String::new();
        let asked = write!(stream, "GET {path} HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n");
        asked.and_then(|()| stream.read_to_string(&mut answer)).map_or_else(|_| String::new(), |_| answer)
    }
}

/// The files under /dev/shm that are of an owner in this process; other gateways may run beside it.
pub(crate) fn regions() -> Vec<PathBuf> {
    let paths = |folder: &str| fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let held = paths("/proc/self/fd").filter_map(|fd| fs::read_link(fd).ok()).map(|file| file.display().to_string());
    let owners: Vec<_> = held.filter(|file| file.starts_with("/dev/shm/tritondeploy-gateway-")).collect();
    paths("/dev/shm").filter(|file| owners.iter().any(|owner| file.display().to_string().starts_with(owner))).collect()
}
