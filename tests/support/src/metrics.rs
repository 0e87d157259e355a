//! Reads what the gateway measures.

use std::collections::BTreeMap;

/// Samples by name and labels, as Prometheus reads them.
pub struct Metrics(BTreeMap<String, f64>);

impl Metrics {
    pub fn parse(text: &str) -> Self {
        let samples = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
        let sample = |line: &str| {
            let (name, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("no sample: {line}"));
            (name.to_owned(), value.parse().unwrap_or_else(|e| panic!("{line}: {e}")))
        };
        Self(samples.map(sample).collect())
    }

    /// The sample of this name behind `tritondeploy_gateway_`, with its labels in braces.
    pub fn of(&self, name: &str) -> f64 {
        let found = self.0.get(&format!("tritondeploy_gateway_{name}"));
        *found.unwrap_or_else(|| panic!("no {name} in {:#?}", self.0.keys()))
    }

    /// Requests with this outcome.
    pub fn ended(&self, protocol: &str, outcome: &str) -> f64 {
        self.of(&format!("requests_total{{protocol=\"{protocol}\",outcome=\"{outcome}\"}}"))
    }

    /// All outcomes that ever happened but `ok`.
    pub fn failures(&self, protocol: &str) -> BTreeMap<&str, f64> {
        let head = format!("tritondeploy_gateway_requests_total{{protocol=\"{protocol}\",outcome=\"");
        let outcomes = self.0.iter().filter_map(|(name, count)| Some((name.strip_prefix(&head)?.strip_suffix("\"}")?, *count)));
        outcomes.filter(|(outcome, count)| *outcome != "ok" && *count > 0.0).collect()
    }

    /// How many answered requests went through a stage.
    pub fn stage(&self, protocol: &str, stage: &str) -> f64 {
        self.of(&format!("stage_duration_seconds_count{{protocol=\"{protocol}\",stage=\"{stage}\"}}"))
    }
}
