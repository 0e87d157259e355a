//! What of the configuration is about Triton.

use std::time::Duration;

use http::Uri;
use http::uri::{Authority, Scheme};
use serde::Deserialize;

/// Where Triton listens and how patient we are with it.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Triton's gRPC endpoint, as a URL.
    pub grpc: String,
    /// Triton's HTTP endpoint, as a URL, for the port `triton_http`.
    pub http: String,
    /// Where Triton's metrics are, as a URL without a path, for the port `triton_metrics`.
    pub metrics: String,
    /// The largest message either way, in bytes.
    pub message_bytes: usize,
    /// Longest wait for the TCP connection.
    pub connect_seconds: u64,
    /// Longest wait for one inference.
    pub infer_seconds: u64,
    /// Longest wait for a model to load: building a TensorRT plan inside ONNX Runtime takes minutes.
    pub load_seconds: u64,
    /// How input tensors get to Triton.
    pub transport: Transport,
    /// The longest tensor that goes through shared memory, in bytes; a longer one goes inline.
    pub slot_bytes: usize,
    /// Tensors in shared memory at once, each of `slot_bytes` taken from `/dev/shm` when first needed; with none left, tensors
    /// go inline.
    pub slots: usize,
}

/// How input tensors get to Triton.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Transport {
    /// In memory that both map, where Triton takes it: it sees the same `/dev/shm`, and (from 2.69 on) was started with
    /// `--allow-client-shm=true`. Inline otherwise.
    #[default]
    SharedMemory,
    /// In the gRPC messages.
    Inline,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            grpc: "http://127.0.0.1:8001".to_owned(),
            http: "http://127.0.0.1:8000".to_owned(),
            metrics: "http://127.0.0.1:8002".to_owned(),
            message_bytes: 128 << 20,
            connect_seconds: 2,
            infer_seconds: 60,
            load_seconds: 600,
            transport: Transport::default(),
            // An image of 512 x 512 as FP16, or 295 x 295 as FP32; 256 MiB in all, of the pod's 1 GiB of /dev/shm.
            slot_bytes: 1 << 20,
            slots: 256,
        }
    }
}

/// The host and port of `http://HOST:PORT`; None where `url` is anything else.
#[must_use]
pub fn authority(url: &str) -> Option<Authority> {
    let uri: Uri = url.parse().ok()?;
    let plain = uri.scheme() == Some(&Scheme::HTTP) && matches!(uri.path(), "" | "/") && uri.query().is_none();
    let authority = uri.into_parts().authority.filter(|_| plain)?;
    (authority.port_u16().is_some() && !authority.as_str().contains('@')).then_some(authority)
}

impl Config {
    pub(super) fn connect_timeout(&self) -> Duration {
        Duration::from_secs(self.connect_seconds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_is_a_host_and_a_port_and_nothing_more() {
        for url in ["http://127.0.0.1:8000", "http://[::1]:8000/", "http://localhost:1"] {
            assert!(authority(url).is_some(), "{url}");
        }
        for url in ["", "127.0.0.1:8000", "https://a:1", "http://a", "http://a:1/v2", "http://a:1?x", "http://u@a:1", "unix:/x"] {
            assert!(authority(url).is_none(), "{url}");
        }
    }
}
