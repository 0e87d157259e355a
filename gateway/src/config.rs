//! The gateway's configuration file. Every key but `storage.bucket` has a default; unknown keys are errors.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use tritondeploy_wire::v1::Quality;

use crate::{image, storage, triton};

/// The whole file.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Where WebSockets and the two health paths are served.
    pub listen: String,
    /// Where models are released; no Service exposes it.
    pub admin: String,
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

/// The pipeline of protocol v0, and of requests that name none.
pub const DEFAULT: &str = "default";

/// The most that `limits.message_bytes` may be.
const MESSAGE_BYTES: usize = 1 << 30;

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
            drain_seconds: 20,
            threads: std::thread::available_parallelism().map_or(1, |cores| cores.get().div_ceil(4)),
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
            header_seconds: 10,
            running: 4,
            waiting: 1_024,
            waiting_bytes: 1 << 20,
            window_requests: 64,
            window_bytes: 64 << 20,
            requests: 256,
            bytes: 512 << 20,
            model_requests: 256,
            model_requests_least: 4,
            request_seconds: 60,
            write_seconds: 120,
            ping_seconds: 60,
            idle_seconds: 120,
        }
    }
}

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file cannot be read.
    #[error("the configuration {path} cannot be read: {source}")]
    Read {
        /// The file.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// The file is no TOML, or holds something else than it may.
    #[error("the configuration is wrong: {0}")]
    Parse(String),
    /// A value that cannot be.
    #[error("the configuration is wrong: {0}")]
    Value(&'static str),
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
        let config: Self = toml::from_str(text).map_err(|e| Error::Parse(told(&e)))?;
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

    fn check(&self) -> Result<(), Error> {
        let limits = &self.limits;
        let least = [
            limits.message_bytes,
            limits.incoming_bytes,
            limits.connections,
            limits.handshakes,
            limits.running,
            limits.waiting,
            limits.waiting_bytes,
            limits.window_requests as usize,
            limits.window_bytes,
            limits.requests,
            limits.bytes,
            limits.model_requests,
            limits.model_requests_least,
        ];
        let seconds = [
            limits.header_seconds,
            limits.message_seconds,
            limits.request_seconds,
            limits.write_seconds,
            limits.ping_seconds,
            limits.idle_seconds,
        ];
        let aliases: std::collections::BTreeSet<_> = self.pipeline.iter().map(|p| (&p.pipeline, &p.alias)).collect();
        let has_default = self.pipeline.iter().any(|p| p.pipeline == DEFAULT);
        let has_presets = self.pipeline.iter().all(|p| self.preset(&p.preset).is_some());
        let wrong = if self.storage.bucket.is_empty() {
            "storage.bucket is missing; name the bucket that holds images and models"
        } else if self.threads == 0 {
            "threads is 0; at least one must serve the sockets"
        } else if least.contains(&0) || seconds.contains(&0) {
            "a limit is 0; each must be at least 1"
        } else if limits.message_bytes > MESSAGE_BYTES {
            "limits.message_bytes is over 1 GiB (1073741824)"
        } else if limits.incoming_bytes < limits.message_bytes {
            "limits.incoming_bytes is less than limits.message_bytes, so the longest message could never come"
        } else if self.storage.bytes_at_once < self.storage.object_bytes {
            "storage.bytes_at_once is less than storage.object_bytes, so the largest object could never be read"
        } else if self.image.pixels_at_once < self.image.pixels {
            "image.pixels_at_once is less than image.pixels, so the largest image could never be decoded"
        } else if limits.bytes < limits.message_bytes {
            "limits.bytes is less than limits.message_bytes, so the longest message could never be taken"
        } else if limits.idle_seconds <= limits.ping_seconds {
            "limits.idle_seconds must be longer than limits.ping_seconds, or clients that only answer pings are dropped"
        } else if self.pipeline.is_empty() {
            "there is no [[pipeline]]"
        } else if !has_default {
            "no [[pipeline]] belongs to the pipeline \"default\", which requests that name none ask for"
        } else if !has_presets {
            "a [[pipeline]] names a preset that is not there; write a [preset.NAME], or name unit or imagenet"
        } else if aliases.len() != self.pipeline.len() {
            "two models of a pipeline have the same alias"
        } else {
            return Ok(());
        };
        Err(Error::Value(wrong))
    }
}

/// The parser's words, with the key that was probably meant.
fn told(error: &toml::de::Error) -> String {
    let text = error.to_string().trim_end().to_owned();
    let mut words = error.message().split('`').skip(1).step_by(2);
    let nearest = || {
        if !error.message().starts_with("unknown field") {
            return None;
        }
        let unknown = words.next()?;
        let near = words.map(|known| (strsim::damerau_levenshtein(unknown, known), known));
        near.filter(|(distance, known)| *distance <= known.len() / 3 + 1).min().map(|(_, known)| known.to_owned())
    };
    match nearest() {
        Some(known) => format!("{text}\ndid you mean `{known}`?"),
        None => text,
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

    #[test]
    fn an_unknown_key_is_told_with_the_nearest_known_one() {
        let told = |text: &str| Config::parse(text).unwrap_err().to_string();
        let error = told("[storage]\nbucket = \"b\"\n[limits]\nmesage_bytes = 5");
        assert!(error.contains("line 4") && error.contains("did you mean `message_bytes`?"), "{error}");
        let error = told("[storage]\nbuckets = \"b\"");
        assert!(error.contains("did you mean `bucket`?"), "{error}");
        let error = told("lisen = \"x\"");
        assert!(error.contains("did you mean `listen`?"), "{error}");
        let error = told("quite_other = 1");
        assert!(!error.contains("did you mean"), "{error}");
    }

    #[test]
    fn what_cannot_be_is_refused() {
        for (text, wanted) in [
            ("", "storage.bucket"),
            ("storage.bucket = \"b\"\nthreads = 0", "threads"),
            ("storage.bucket = \"b\"\nlimits.running = 0", "at least 1"),
            ("storage.bucket = \"b\"\nlimits.message_bytes = 1073741825", "1 GiB"),
            ("storage.bucket = \"b\"\nlimits.incoming_bytes = 9", "incoming_bytes"),
            ("storage.bucket = \"b\"\nlimits.bytes = 9", "limits.bytes"),
            ("storage.bucket = \"b\"\nstorage.bytes_at_once = 9", "bytes_at_once"),
            ("storage.bucket = \"b\"\nimage.pixels_at_once = 9", "pixels_at_once"),
            ("storage.bucket = \"b\"\nlimits.idle_seconds = 60", "idle_seconds"),
            ("storage.bucket = \"b\"\npipeline = []", "pipeline"),
            ("storage.bucket = \"b\"\npipeline = [{alias=\"a\", model=\"m\"}, {alias=\"a\", model=\"n\"}]", "alias"),
        ] {
            let error = Config::parse(text).unwrap_err().to_string();
            assert!(error.contains(wanted), "{text}: {error}");
        }
    }
}
