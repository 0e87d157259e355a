//! Why a gateway is not ready, in its own words and Triton's: its `/readyz`, by port-forward.

use std::collections::BTreeMap;
use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use kube::Client;
use serde::Deserialize;
use tokio::time::timeout;

use super::gateway_config::GatewayConfig;
use crate::cloud::kube::Serving;

/// A pod that does not say why in this time is told of without.
const PATIENCE: Duration = Duration::from_secs(4);

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
        serde_json::from_slice(&body).ok()
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
    fn told(&self, name: &str) -> String {
        let reason = if self.reason.is_empty() { String::new() } else { format!(": {}", self.reason) };
        format!("{name} is {}{reason}", self.state)
    }

    /// Triton gives a reason once a load has failed; "unloaded" is what it says of one that nobody asked for.
    fn is_hopeless(&self) -> bool {
        match self.state.as_str() {
            "ABSENT" => true,
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
