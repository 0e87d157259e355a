//! Everything that is counted and measured, for Prometheus. Labels are few and fixed: nothing that a client says becomes
//! one, and none is made while requests run.

mod live;

use std::sync::LazyLock;
use std::time::Duration;

use metrics::{Counter, Gauge, Histogram, Key, KeyName, Label, Level, Metadata, Recorder, SharedString, Unit};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle, PrometheusRecorder};
use tritondeploy_wire::v1::Code;

pub use live::{Connection, Running, Window};

use crate::peer::Version;
use crate::triton::Slots;
use crate::triton::models::Readiness;

/// The content type of what [`render`] gives.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Samples wait in memory for the next upkeep, 16 bytes each.
const UPKEEP: Duration = Duration::from_secs(1);

/// Upper ends of the histograms' buckets in seconds: from what a cached object costs to the longest request.
const BUCKETS: [f64; 18] =
    [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.02, 0.035, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];

/// Every metric: name, unit, what it says.
mod name {
    use super::Unit;

    pub(super) type Described = (&'static str, Unit, &'static str);

    pub(super) const STAGE: Described = (
        "tritondeploy_gateway_stage_duration_seconds",
        Unit::Seconds,
        "Time that answered requests spent in a stage; a stage that a request did not need is not counted.",
    );
    pub(super) const IN_FLIGHT: Described =
        ("tritondeploy_gateway_requests_in_flight", Unit::Count, "Requests that were begun and have no answer yet.");
    pub(super) const REQUESTS: Described =
        ("tritondeploy_gateway_requests_total", Unit::Count, "Requests by what became of them.");
    pub(super) const RECEIVED: Described =
        ("tritondeploy_gateway_received_bytes_total", Unit::Bytes, "Bytes of clients' messages.");
    pub(super) const SENT: Described = ("tritondeploy_gateway_sent_bytes_total", Unit::Bytes, "Bytes of messages to clients.");
    pub(super) const CONNECTIONS: Described = ("tritondeploy_gateway_connections", Unit::Count, "Open WebSockets.");
    pub(super) const REFUSED: Described =
        ("tritondeploy_gateway_connections_refused_total", Unit::Count, "Connections that did not become a WebSocket.");
    pub(super) const WINDOW_REQUESTS: Described =
        ("tritondeploy_gateway_window_requests", Unit::Count, "Open requests of all sessions of protocol v1.");
    pub(super) const WINDOW_BYTES: Described =
        ("tritondeploy_gateway_window_bytes", Unit::Bytes, "Bytes of the open requests of all sessions of protocol v1.");
    pub(super) const REACHABLE: Described =
        ("tritondeploy_gateway_triton_reachable", Unit::Count, "1 when Triton answered at the last look, else 0.");
    pub(super) const READY: Described =
        ("tritondeploy_gateway_model_ready", Unit::Count, "1 when the pipelines' model was READY at the last look, else 0.");
    pub(super) const SLOTS: Described = (
        "tritondeploy_gateway_shared_memory_slots",
        Unit::Count,
        "Slots of shared memory with Triton; those in quarantine may still be read by it, and are not used again until then.",
    );
}

static METRICS: LazyLock<All> = LazyLock::new(All::new);

/// Why a connection did not become a WebSocket.
#[derive(Clone, Copy, Debug)]
pub enum Refusal {
    /// Too many connections that have not sent an upgrade.
    Handshakes,
    /// Too many of them from one address.
    HandshakesPerAddress,
    /// Too many WebSockets.
    Connections,
    /// The gateway stops.
    Draining,
    /// Only subprotocols that are not ours.
    Subprotocol,
    /// No WebSocket handshake.
    Handshake,
}

impl Refusal {
    const ALL: [Self; 6] =
        [Self::Handshakes, Self::HandshakesPerAddress, Self::Connections, Self::Draining, Self::Subprotocol, Self::Handshake];

    fn as_str(self) -> &'static str {
        match self {
            Self::Handshakes => "too_many_handshakes",
            Self::HandshakesPerAddress => "too_many_handshakes_per_address",
            Self::Connections => "too_many_connections",
            Self::Draining => "draining",
            Self::Subprotocol => "subprotocol",
            Self::Handshake => "handshake",
        }
    }
}

/// All handles, made once: recording is an atomic addition or two.
struct All {
    recorder: PrometheusRecorder,
    handle: PrometheusHandle,
    protocols: [Spoken; 2],
    refused: Vec<Counter>,
    window_requests: Gauge,
    window_bytes: Gauge,
    reachable: Gauge,
}

/// Those of one protocol.
struct Spoken {
    stages: [Histogram; 7],
    in_flight: Gauge,
    ok: Counter,
    cancelled: Counter,
    /// In the order of [`Code::ALL`].
    codes: Vec<Counter>,
    received: Counter,
    sent: Counter,
    connections: Gauge,
}

impl All {
    fn new() -> Self {
        // It fails only without buckets.
        let builder = PrometheusBuilder::new().set_buckets(&BUCKETS).unwrap_or_else(|_| PrometheusBuilder::new());
        let recorder = builder.build_recorder();
        let (stage, unit, says) = name::STAGE;
        recorder.describe_histogram(KeyName::from_const_str(stage), Some(unit), SharedString::const_str(says));
        for (name, unit, says) in [name::REQUESTS, name::RECEIVED, name::SENT, name::REFUSED] {
            recorder.describe_counter(KeyName::from_const_str(name), Some(unit), SharedString::const_str(says));
        }
        let gauges = [
            name::IN_FLIGHT,
            name::CONNECTIONS,
            name::WINDOW_REQUESTS,
            name::WINDOW_BYTES,
            name::REACHABLE,
            name::READY,
            name::SLOTS,
        ];
        for (name, unit, says) in gauges {
            recorder.describe_gauge(KeyName::from_const_str(name), Some(unit), SharedString::const_str(says));
        }
        let refused = Refusal::ALL.iter().map(|why| counter(&recorder, name::REFUSED, &[("reason", why.as_str())])).collect();
        Self {
            protocols: [Version::V0, Version::V1].map(|version| Spoken::new(&recorder, version.as_str())),
            refused,
            window_requests: gauge(&recorder, name::WINDOW_REQUESTS, Vec::new()),
            window_bytes: gauge(&recorder, name::WINDOW_BYTES, Vec::new()),
            reachable: gauge(&recorder, name::REACHABLE, Vec::new()),
            handle: recorder.handle(),
            recorder,
        }
    }

    fn of(&self, protocol: Version) -> &Spoken {
        &self.protocols[protocol as usize]
    }
}

impl Spoken {
    fn new(recorder: &PrometheusRecorder, protocol: &'static str) -> Self {
        let stages = ["fetch", "decode", "prepare", "queue", "infer", "encode", "total"];
        let spoken = || vec![Label::from_static_parts("protocol", protocol)];
        let outcome = |word| counter(recorder, name::REQUESTS, &[("protocol", protocol), ("outcome", word)]);
        Self {
            stages: stages.map(|stage| {
                let mut labels = spoken();
                labels.push(Label::from_static_parts("stage", stage));
                recorder.register_histogram(&Key::from_parts(name::STAGE.0, labels), &METADATA)
            }),
            in_flight: gauge(recorder, name::IN_FLIGHT, spoken()),
            ok: outcome("ok"),
            cancelled: outcome("cancelled"),
            codes: Code::ALL.iter().map(|code| outcome(code.as_str())).collect(),
            received: counter(recorder, name::RECEIVED, &[("protocol", protocol)]),
            sent: counter(recorder, name::SENT, &[("protocol", protocol)]),
            connections: gauge(recorder, name::CONNECTIONS, spoken()),
        }
    }
}

/// What the facade wants to know of the place that records.
static METADATA: Metadata<'static> = Metadata::new(module_path!(), Level::INFO, Some(module_path!()));

fn counter(recorder: &PrometheusRecorder, (name, ..): name::Described, labels: &[(&'static str, &'static str)]) -> Counter {
    let labels: Vec<Label> = labels.iter().map(|(key, value)| Label::from_static_parts(key, value)).collect();
    recorder.register_counter(&Key::from_parts(name, labels), &METADATA)
}

fn gauge(recorder: &PrometheusRecorder, (name, ..): name::Described, labels: Vec<Label>) -> Gauge {
    recorder.register_gauge(&Key::from_parts(name, labels), &METADATA)
}

/// Keeps the samples of the histograms from piling up. Runs for ever.
pub async fn upkeep() {
    loop {
        tokio::time::sleep(UPKEEP).await;
        METRICS.handle.run_upkeep();
    }
}

/// Everything, in Prometheus's text format, with the slots of shared memory as they are now.
#[must_use]
pub fn render(slots: &Slots) -> String {
    for (state, count) in [("free", slots.free), ("used", slots.used), ("quarantined", slots.quarantined)] {
        gauge(&METRICS.recorder, name::SLOTS, vec![Label::new("state", state)]).set(count as f64);
    }
    METRICS.handle.render()
}

/// A message came.
pub fn received(protocol: Version, bytes: usize) {
    METRICS.of(protocol).received.increment(bytes as u64);
}

/// A message goes.
pub fn sent(protocol: Version, bytes: usize) {
    METRICS.of(protocol).sent.increment(bytes as u64);
}

/// A connection did not become a WebSocket.
pub fn refused(why: Refusal) {
    METRICS.refused[why as usize].increment(1);
}

/// A request was refused before it began, or a message that is none.
pub fn failed(protocol: Version, code: Code) {
    // Ours are all known.
    if let Some(counter) = METRICS.of(protocol).codes.get(code as usize) {
        counter.increment(1);
    }
}

/// A request was given up before it began.
pub fn cancelled(protocol: Version) {
    METRICS.of(protocol).cancelled.increment(1);
}

/// What the last look at Triton's models saw; `needed` are those that readiness waits for.
pub fn triton(readiness: &Readiness, needed: &[String]) {
    METRICS.reachable.set(if readiness.triton.is_none() { 1.0 } else { 0.0 });
    for model in needed {
        let ready = readiness.models.get(model).is_some_and(crate::triton::models::ModelState::is_ready);
        let labels = vec![Label::new("model", model.clone())];
        gauge(&METRICS.recorder, name::READY, labels).set(if ready { 1.0 } else { 0.0 });
    }
}

#[cfg(test)]
mod tests {
    use tritondeploy_wire::v1::Timings;

    use super::*;

    #[test]
    fn codes_and_refusals_count_as_themselves() {
        for (at, code) in Code::ALL.into_iter().enumerate() {
            assert_eq!(code as usize, at);
        }
        for (at, why) in Refusal::ALL.into_iter().enumerate() {
            assert_eq!(why as usize, at);
        }
        assert_eq!((Version::V0 as usize, Version::V1 as usize), (0, 1));
    }

    #[test]
    fn a_request_that_is_given_up_was_cancelled() {
        let cancelled = || {
            render(&Slots::default())
                .lines()
                .find(|line| line.contains("protocol=\"v0\",outcome=\"cancelled\""))
                .map(str::to_owned)
        };
        drop(Running::begin(Version::V0));
        assert!(cancelled().unwrap().ends_with("} 1"), "{:?}", cancelled());
    }

    #[test]
    fn every_metric_is_described() {
        Running::begin(Version::V1).answered(&Timings { infer: 10, ..Timings::default() }, 20);
        triton(&Readiness::default(), &["m".to_owned()]);
        let text = render(&Slots::default());
        let named = |line: &str| line.split(' ').nth(2).map(str::to_owned);
        let types: Vec<_> = text.lines().filter(|line| line.starts_with("# TYPE")).filter_map(named).collect();
        let helps: Vec<_> = text.lines().filter(|line| line.starts_with("# HELP")).filter_map(named).collect();
        assert_eq!(types.len(), 12, "{text}");
        assert_eq!(helps, types);
    }
}
