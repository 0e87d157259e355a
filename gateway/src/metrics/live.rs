//! What is open or runs: it counts while it lives.

use tritondeploy_wire::v1::{Code, Timings};

use super::{METRICS, cancelled, failed};
use crate::peer::Version;

/// An open WebSocket, until it is dropped.
#[derive(Debug)]
pub struct Connection(Version);

impl Connection {
    /// From now on it is open.
    #[must_use]
    pub fn open(protocol: Version) -> Self {
        METRICS.of(protocol).connections.increment(1.0);
        Self(protocol)
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        METRICS.of(self.0).connections.decrement(1.0);
    }
}

/// A request in flight. Dropped without an end it was cancelled, or its client vanished; one that panicked is counted by
/// whoever tells its client.
#[derive(Debug)]
pub struct Running {
    protocol: Version,
    ended: bool,
}

impl Running {
    /// From now on it is in flight.
    #[must_use]
    pub fn begin(protocol: Version) -> Self {
        METRICS.of(protocol).in_flight.increment(1.0);
        Self { protocol, ended: false }
    }

    /// It has an answer; `total` in microseconds, as the timings are.
    pub fn answered(mut self, timings: &Timings, total: u64) {
        self.ended = true;
        let spoken = METRICS.of(self.protocol);
        spoken.ok.increment(1);
        let Timings { fetch, decode, prepare, queue, infer, encode, .. } = *timings;
        for (stage, micros) in spoken.stages.iter().zip([fetch, decode, prepare, queue, infer, encode, total]) {
            if micros > 0 {
                stage.record(micros as f64 / 1e6);
            }
        }
    }

    /// It has an error.
    pub fn failed(mut self, code: Code) {
        self.ended = true;
        failed(self.protocol, code);
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        METRICS.of(self.protocol).in_flight.decrement(1.0);
        if !self.ended && !std::thread::panicking() {
            cancelled(self.protocol);
        }
    }
}

/// What the open requests of one session take of its window.
#[derive(Debug, Default)]
pub struct Window {
    requests: u64,
    bytes: u64,
}

impl Window {
    /// One more.
    pub fn open(&mut self, bytes: u64) {
        self.requests += 1;
        self.bytes += bytes;
        METRICS.window_requests.increment(1.0);
        METRICS.window_bytes.increment(bytes as f64);
    }

    /// One less.
    pub fn close(&mut self, bytes: u64) {
        self.requests -= 1;
        self.bytes -= bytes;
        METRICS.window_requests.decrement(1.0);
        METRICS.window_bytes.decrement(bytes as f64);
    }

    /// Bytes of all that are open.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }
}

impl Drop for Window {
    fn drop(&mut self) {
        METRICS.window_requests.decrement(self.requests as f64);
        METRICS.window_bytes.decrement(self.bytes as f64);
    }
}
