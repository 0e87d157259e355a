//! The gateway's configuration file. Every key but `storage.bucket` has a default; unknown keys are errors.

mod check;
mod error;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use tritondeploy_wire::v1::Quality;

pub use error::Error;

use crate::{image, storage, triton};

/// The whole file.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Where WebSockets and the two health paths are served.
    pub listen: String,
    /// Where models are released; no Service exposes it.
    pub admin: String,
    /// Where the two health paths alone are served, for the kubelet's probes.
    pub health: String,
    /// Where the gateway's metrics are served, and Triton's beside them; absent: nowhere.
    pub metrics: Option<String>,
    /// Where what reads on Triton's HTTP port is served; absent: nowhere.
    pub triton_http: Option<String>,
    /// Where Triton's metrics are served; absent: nowhere.
    pub triton_metrics: Option<String>,
    /// How long requests may take to finish after SIGTERM.
    pub drain_seconds: u64,
    /// Threads that serve sockets; decoding has its own. By default one for every four cores: one alone never waits for
    /// another, and fills a network card.
    pub threads: usize,
    /// Triton's address and our patience with it.
    pub triton: triton::Config,
    /// The bucket, and what of it clients may name.
    pub storage: storage::Config,
    /// What images may cost.
    pub image: image::Limits,
    /// Other ways to make tensors of pixels, by name; `unit` and `imagenet` are there without.
    pub preset: BTreeMap<String, image::Preset>,
    /// Where models come from and go to.
    pub repository: Repository,
    /// The models that a reference to an image runs, in the order of the answer.
    pub pipeline: Vec<Pipeline>,
    /// What clients may cost.
    pub limits: Limits,
}

/// Where models come from and go to.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Repository {
    /// Triton's `--model-repository`.
    pub directory: PathBuf,
    /// Where models lie in the bucket.
    pub prefix: String,
    /// The key of the release manifest in the bucket.
    pub manifest: String,
}

/// One model of a pipeline; those of the pipeline `default` are what v0's references run.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pipeline {
    /// What the answer calls it.
    pub alias: String,
    /// The model's name in Triton.
    pub model: String,
    /// The pipeline that it belongs to.
    #[serde(default = "default_pipeline")]
    pub pipeline: String,
    /// What the model's output is.
    #[serde(default)]
    pub scores: Scores,
    /// How pixels become the model's input.
    #[serde(default = "default_preset")]
    pub preset: String,
    /// How exactly images are decoded; protocol v0 is always exact.
    #[serde(default)]
    pub quality: Quality,
    /// Whether the gateway is ready only when this model is.
    #[serde(default = "yes")]
    pub required: bool,
}

fn default_pipeline() -> String {
    DEFAULT.to_owned()
}

fn default_preset() -> String {
    "unit".to_owned()
}

fn yes() -> bool {
    true
}

/// What the numbers of a classifier are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scores {
    /// Softmax makes probabilities of them.
    #[default]
    Logits,
    /// They are probabilities already.
    Probabilities,
}

/// What clients may cost. The defaults are safe on an open port.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// The longest message of a client; a longer one closes the connection with 1009.
    pub message_bytes: usize,
    /// Bytes of messages that are not whole yet, of all connections; who would go over it is closed with 1013.
    pub incoming_bytes: usize,
    /// Longest time from a message's first byte to its last.
    pub message_seconds: u64,
    /// Open WebSockets; one more is answered with 503.
    pub connections: usize,
    /// Connections that have not sent a WebSocket upgrade; one more is closed.
    pub handshakes: usize,
    /// Of these, so many from one IPv4 address or IPv6 /64 network; one more is closed.
    pub handshakes_per_address: usize,
    /// Longest wait for the headers of a request.
    pub header_seconds: u64,
    /// Requests of one connection that run at once.
    pub running: usize,
    /// Requests of one connection that wait; then reading stops.
    pub waiting: usize,
    /// Bytes of requests of one connection that wait; then reading stops.
    pub waiting_bytes: usize,
    /// Requests of one connection of protocol v1 that may be open; one more is refused.
    pub window_requests: u32,
    /// Bytes of requests of one connection of protocol v1 that may be open; more is refused.
    pub window_bytes: usize,
    /// Requests that run at once, of all connections.
    pub requests: usize,
    /// Bytes of the messages of requests that wait or run, of all connections; more is refused.
    pub bytes: usize,
    /// Bytes of answers that no socket has taken yet, of all connections; a request whose answer would be more fails.
    pub answer_bytes: usize,
    /// Bytes of answers that one connection of protocol v1 does not read; then it neither reads nor works on more.
    pub unread_bytes: usize,
    /// Requests that one model may have in flight; as many as it answers without a growing queue, but never more.
    pub model_requests: usize,
    /// Requests that one model may have in flight however slow it is.
    pub model_requests_least: usize,
    /// Longest time for one request from its start.
    pub request_seconds: u64,
    /// Longest time for writing one answer.
    pub write_seconds: u64,
    /// How often the server pings.
    pub ping_seconds: u64,
    /// Without any frame for this long, a connection is dropped.
    pub idle_seconds: u64,
}

/// Processors that this process may use.
#[must_use]
pub fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// The pipeline of protocol v0, and of requests that name none.
pub const DEFAULT: &str = "default";

impl Default for Config {
    fn default() -> Self {
        let pipeline = |alias: &str, model: &str| Pipeline {
            alias: alias.to_owned(),
            model: model.to_owned(),
            pipeline: default_pipeline(),
            scores: Scores::default(),
            preset: default_preset(),
            quality: Quality::default(),
            required: yes(),
        };
        Self {
            listen: "0.0.0.0:8080".to_owned(),
            admin: "127.0.0.1:8081".to_owned(),
            health: "0.0.0.0:8082".to_owned(),
            metrics: None,
            triton_http: None,
            triton_metrics: None,
            drain_seconds: 20,
            threads: cores().div_ceil(4),
            triton: triton::Config::default(),
            storage: storage::Config::default(),
            image: image::Limits::default(),
            preset: BTreeMap::new(),
            repository: Repository::default(),
            pipeline: vec![pipeline("densenet", "densenet_onnx"), pipeline("resnet", "resnet50_onnx")],
            limits: Limits::default(),
        }
    }
}

impl Default for Repository {
    fn default() -> Self {
        Self {
            directory: PathBuf::from("/models"),
            prefix: "models/".to_owned(),
            manifest: tritondeploy_wire::manifest::KEY.to_owned(),
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            message_bytes: 64 << 20,
            incoming_bytes: 512 << 20,
            message_seconds: 120,
            connections: 10_000,
            handshakes: 1_024,
            handshakes_per_address: 512,
            header_seconds: 10,
            running: 4,
            waiting: 1_024,
            waiting_bytes: 1 << 20,
            window_requests: 64,
            window_bytes: 64 << 20,
            requests: 256,
            bytes: 256 << 20,
            answer_bytes: 128 << 20,
            unread_bytes: 8 << 20,
            model_requests: 256,
            model_requests_least: 4,
            request_seconds: 60,
            write_seconds: 120,
            ping_seconds: 60,
            idle_seconds: 120,
        }
    }
}

impl Config {
    /// The models without which the gateway is not ready.
    pub fn required(&self) -> impl Iterator<Item = &str> {
        self.pipeline.iter().filter(|model| model.required).map(|model| model.model.as_str())
    }

    /// Reads a file.
    ///
    /// # Errors
    /// When it cannot be read, or what it says cannot be.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let text = std::fs::read_to_string(path);
        let text = text.map_err(|source| Error::Read { path: path.display().to_string(), source })?;
        Self::parse(&text)
    }

    /// Reads the text of a file.
    ///
    /// # Errors
    /// When it is no TOML, names an unknown key, or says what cannot be.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let config: Self = toml::from_str(text).map_err(|e| Error::of(&e))?;
        config.check()?;
        Ok(config)
    }

    /// A preset by its name: one of the file, else one of ours.
    #[must_use]
    pub fn preset(&self, name: &str) -> Option<image::Preset> {
        let ours = || match name {
            "unit" => Some(image::Preset::unit()),
            "imagenet" => Some(image::Preset::imagenet()),
            _ => None,
        };
        self.preset.get(name).cloned().or_else(ours)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_is_all_that_must_be_said() {
        let config = Config::parse("[storage]\nbucket = \"b\"").unwrap();
        assert_eq!(config.listen, "0.0.0.0:8080");
        let models: Vec<_> = config.pipeline.iter().map(|p| (p.alias.as_str(), p.model.as_str())).collect();
        assert_eq!(models, [("densenet", "densenet_onnx"), ("resnet", "resnet50_onnx")]);
        assert_eq!(config.repository.manifest, "release/manifest.json");
    }

    #[test]
    fn a_model_is_required_unless_it_says_otherwise() {
        let pair = "[[pipeline]]\nalias = \"a\"\nmodel = \"m\"\n";
        let more = "[[pipeline]]\nalias = \"a\"\nmodel = \"n\"\npipeline = \"proof\"\nrequired = false";
        let config = Config::parse(&format!("storage.bucket = \"b\"\n{pair}{more}")).unwrap();
        assert_eq!(config.required().collect::<Vec<_>>(), ["m"]);
    }
}
