//! What must hold under every attack.

use serde::Serialize;

use super::measure::Told;
use super::memory::Memory;

/// MiB over what the gateway had before.
pub(super) const ADDED: f64 = 1024.0;

/// MiB over what it had before, after the rest.
pub(super) const KEPT: f64 = 64.0;

/// The polite client's p95 by that when it is alone.
const SLOWER: f64 = 6.0;

/// Of its requests, refused with `overloaded`.
const OVERLOADED: f64 = 0.01;

/// Of health probes, in ms: their p99, and the slowest.
const HEALTH_P99: f64 = 100.0;
const HEALTH_MOST: f64 = 1000.0;

/// A figure, and the most that it may be.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Bar {
    pub(super) what: &'static str,
    /// None: there is nothing to tell it from, which is a miss.
    pub(super) found: Option<f64>,
    pub(super) most: f64,
    pub(super) unit: &'static str,
    pub(super) met: bool,
}

fn bar(what: &'static str, found: Option<f64>, most: f64, unit: &'static str) -> Bar {
    Bar { what, found, most, unit, met: found.is_some_and(|found| found <= most) }
}

/// All of them.
pub(super) fn held(died: bool, memory: &Memory, polite: &Told, alone: &Told, health: &Told, answers: usize) -> Vec<Bar> {
    let errors: u64 = polite.errors.values().sum();
    let overloaded = polite.errors.get("overloaded").copied().unwrap_or_default();
    let asked = (polite.answers as u64 + errors).max(1) as f64;
    // Of too few answers nothing is said.
    let slower = polite.p95.zip(alone.p95).filter(|_| polite.answers >= answers).map(|(p95, alone)| p95 / alone);
    let unhealthy: u64 = health.errors.values().sum();
    vec![
        bar("gateways that ended", Some(f64::from(u8::from(died))), 0.0, ""),
        bar("memory added", Some(memory.added()), ADDED, "MiB"),
        bar("memory kept after the rest", Some(memory.kept()).filter(|_| !died), KEPT, "MiB"),
        bar("polite client's p95 by that alone", slower, SLOWER, "times"),
        bar("polite client's errors but overloaded", Some((errors - overloaded) as f64), 0.0, ""),
        bar("polite client's share of overloaded", Some(overloaded as f64 / asked), OVERLOADED, ""),
        bar("health probes that failed", Some(unhealthy as f64), 0.0, ""),
        bar("health p99", health.p99, HEALTH_P99, "ms"),
        bar("health's slowest", health.most, HEALTH_MOST, "ms"),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(answers: usize, p95: f64, errors: &[(&str, u64)]) -> Told {
        let errors = errors.iter().map(|(kind, count)| ((*kind).to_owned(), *count)).collect();
        Told { answers, p50: Some(p95), p95: Some(p95), p99: Some(p95), most: Some(p95), errors }
    }

    fn missed(polite: &Told) -> Vec<&'static str> {
        let memory = Memory::of(std::process::id()).unwrap();
        let bars = held(false, &memory, polite, &told(100, 10.0, &[]), &told(50, 5.0, &[]), 100);
        bars.into_iter().filter(|bar| !bar.met).map(|bar| bar.what).collect()
    }

    #[test]
    fn a_polite_client_may_be_slower_and_refused_now_and_then() {
        assert_eq!(missed(&told(100, 60.0, &[("overloaded", 1)])), [""; 0]);
        assert_eq!(missed(&told(100, 61.0, &[])), ["polite client's p95 by that alone"]);
        assert_eq!(missed(&told(100, 10.0, &[("overloaded", 2)])), ["polite client's share of overloaded"]);
        assert_eq!(missed(&told(100, 10.0, &[("lost", 1)])), ["polite client's errors but overloaded"]);
    }

    #[test]
    fn too_few_answers_are_a_miss() {
        assert_eq!(missed(&told(99, 10.0, &[])), ["polite client's p95 by that alone"]);
    }
}
