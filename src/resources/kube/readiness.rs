//! Why a gateway is not ready, in its own words and Triton's: its `/readyz`, by port-forward.

use std::collections::BTreeMap;
use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use kube::Client;
use serde::Deserialize;
use tokio::time::timeout;

use super::gateway_config::GatewayConfig;
use super::pods;
use crate::cloud::kube::Serving;

/// A pod that does not say why in this time is told of without.
const PATIENCE: Duration = Duration::from_secs(4);
/// So many of the last lines of Triton's log have what it says of its models: the gateway asks for them again and again.
const LINES: i64 = 200;

/// The gateway's answer.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Readiness {
    /// Why Triton could not be asked.
    triton: Option<String>,
    models: BTreeMap<String, Model>,
}

#[derive(Debug, Deserialize)]
struct Model {
    state: String,
    #[serde(default)]
    reason: String,
}

impl Readiness {
    /// Asks the pod; None where it does not say.
    pub(super) async fn of(client: &Client, namespace: &str, pod: &Pod) -> Option<Self> {
        let port = Serving::new(client.clone(), namespace, pod.metadata.name.as_deref()?, GatewayConfig::HEALTH_PORT);
        let (_, body) = timeout(PATIENCE, port.get("/readyz")).await.ok()?.ok()?;
        let mut told: Self = serde_json::from_slice(&body).ok()?;
        if told.models.values().any(Model::is_silent) {
            let log = pods::log(client, namespace, pod, "triton", LINES).await;
            told.with_reasons_of(&log.unwrap_or_default());
        }
        Some(told)
    }

    /// Of a model whose configuration Triton refuses its index has no state and no reason: only its log says why.
    fn with_reasons_of(&mut self, log: &str) {
        for (name, model) in self.models.iter_mut().filter(|(_, model)| model.is_silent()) {
            let mark = format!("Poll failed for model directory '{name}': ");
            let last = log.lines().rev().find_map(|line| line.split_once(&mark));
            model.reason = last.map(|(_, why)| why.trim_end_matches('"').to_owned()).unwrap_or_default();
        }
    }

    /// What it waits for.
    pub(super) fn why(&self) -> Option<String> {
        if let Some(triton) = &self.triton {
            return Some(format!("its gateway waits for Triton: {triton}"));
        }
        let missing = self.models.iter().filter(|(_, model)| model.state != "READY");
        let missing: Vec<String> = missing.map(|(name, model)| model.told(name)).collect();
        (!missing.is_empty()).then(|| format!("its gateway waits for models: {}", missing.join(", ")))
    }

    /// What will not come by itself: a model that Triton refuses, or does not have.
    pub(super) fn hopeless(&self) -> Option<String> {
        self.models.iter().find(|(_, model)| model.is_hopeless()).map(|(name, model)| model.told(name))
    }
}

impl Model {
    /// Never loaded since Triton started, and nothing said of it.
    fn is_silent(&self) -> bool {
        self.state == "UNKNOWN" && self.reason.is_empty()
    }

    fn told(&self, name: &str) -> String {
        if self.state == "UNKNOWN" && !self.reason.is_empty() {
            return format!("Triton refuses {name}: {}", self.reason);
        }
        let reason = if self.reason.is_empty() { String::new() } else { format!(": {}", self.reason) };
        format!("{name} is {}{reason}", self.state)
    }

    /// Triton gives a reason once a load has failed; "unloaded" is what it says of one that nobody asked for.
    fn is_hopeless(&self) -> bool {
        match self.state.as_str() {
            "ABSENT" => true,
            "UNKNOWN" => !self.is_silent(),
            "UNAVAILABLE" => !self.reason.is_empty() && self.reason != "unloaded",
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn readiness(json: serde_json::Value) -> Readiness {
        serde_json::from_value(json).unwrap()
    }

    #[test]
    fn a_model_that_triton_refuses_is_told_with_its_reason() {
        let refused = readiness(serde_json::json!({"ready": false, "models": {
            "a": {"state": "READY"}, "b": {"state": "UNAVAILABLE", "reason": "Internal: no such input"}}}));
        assert_eq!(refused.hopeless().unwrap(), "b is UNAVAILABLE: Internal: no such input");
        assert!(refused.why().unwrap().contains("b is UNAVAILABLE"));
    }

    #[test]
    fn a_model_whose_configuration_triton_refuses_is_told_with_what_its_log_says() {
        let mut silent = readiness(serde_json::json!({"ready": false, "models": {
            "a": {"state": "READY"}, "b": {"state": "UNKNOWN"}, "bb": {"state": "UNKNOWN"}}}));
        silent.with_reasons_of("I1130 21:33:20.1 1 server.cc:604] Started\n");
        assert_eq!(silent.hopeless(), None);
        silent.with_reasons_of(
            "E1130 21:33:22.6 1 model_repository_manager.cc:1460] \"Poll failed for model directory 'b': an older reason\"\n\
             E1130 21:33:32.8 1 model_repository_manager.cc:1460] \"Poll failed for model directory 'b': too large for b\"\n",
        );
        assert_eq!(silent.hopeless().unwrap(), "Triton refuses b: too large for b");
        assert_eq!(silent.why().unwrap(), "its gateway waits for models: Triton refuses b: too large for b, bb is UNKNOWN");
    }

    #[test]
    fn what_is_on_its_way_is_waited_for() {
        let loading = readiness(serde_json::json!({"ready": false, "models": {
            "a": {"state": "LOADING"}, "b": {"state": "UNAVAILABLE", "reason": "unloaded"}}}));
        assert_eq!(loading.hopeless(), None);
        assert!(loading.why().unwrap().contains("a is LOADING"));
        let starting = readiness(serde_json::json!({"ready": false, "triton": "connection refused", "models": {}}));
        assert_eq!(starting.hopeless(), None);
        assert!(starting.why().unwrap().contains("connection refused"));
    }
}
