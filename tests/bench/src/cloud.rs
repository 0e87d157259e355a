//! When the cloud was done: AWS's part by the sandbox's timeline, Kubernetes' by the audit log of the API server, whose
//! conditions have whole seconds only.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use serde_json::Value;
use tritondeploy_support::sandbox::Sandbox;

use crate::log::{Moment, moment};

/// Something that was done.
#[derive(Debug)]
struct Done {
    at: Moment,
    what: What,
}

#[derive(Debug)]
enum What {
    /// AWS: kind and name.
    Aws(String, String),
    /// A write by somebody else than us: verb, resource and part of it.
    Kubernetes(String, String),
}

/// All of it, in the order of time.
#[derive(Debug, Default)]
pub(crate) struct Cloud(Vec<Done>);

impl Cloud {
    /// What this sandbox has to tell from this moment on.
    pub(crate) fn read(sandbox: &Sandbox, from: Moment) -> Result<Self, String> {
        let mut done = Vec::new();
        let told = sandbox.ask("GET", "timeline");
        for entry in told["entries"].as_array().into_iter().flatten() {
            let text = |name: &str| entry[name].as_str().unwrap_or_default().to_owned();
            done.push(Done { at: entry["at"].as_f64().unwrap_or_default(), what: What::Aws(text("kind"), text("name")) });
        }
        let clusters = std::fs::read_dir(sandbox.folder().join("clusters")).into_iter().flatten().flatten();
        for cluster in clusters {
            audit(&cluster.path().join("audit.log"), &mut done)?;
        }
        done.retain(|done| done.at >= from);
        done.sort_by(|one, other| one.at.total_cmp(&other.at));
        Ok(Self(done))
    }

    /// The last that the cloud did for this node after the one moment and up to the other.
    pub(crate) fn done(&self, node: &str, after: Moment, until: Moment) -> Option<Moment> {
        let between = self.0.iter().rev().filter(|done| done.at > after && done.at <= until);
        between.filter(|done| done.what.is_for(node)).map(|done| done.at).next()
    }

    /// The last that it did for anybody.
    pub(crate) fn any(&self, after: Moment, until: Moment) -> Option<Moment> {
        self.0.iter().rev().map(|done| done.at).find(|at| *at > after && *at <= until)
    }
}

#[cfg(test)]
impl Cloud {
    pub(crate) fn of_aws(done: &[(&str, Moment)]) -> Self {
        let one = |(kind, at): &(&str, Moment)| Done { at: *at, what: What::Aws((*kind).to_owned(), String::new()) };
        Self(done.iter().map(one).collect())
    }
}

impl What {
    /// What a node waits for is written here, once: by names of `src/deployment.rs`.
    fn is_for(&self, node: &str) -> bool {
        match self {
            Self::Aws(kind, name) => match node {
                "cluster" | "node-group" | "nat-gateway" => kind == node,
                "s3-endpoint" => kind == "vpc-endpoint",
                "leftovers" => kind == "balancer-interface",
                "balancer" => kind == "balancer" || kind == "target",
                _ => kind == "addon" && node.strip_prefix("addon/") == Some(name),
            },
            Self::Kubernetes(verb, resource) => match node {
                // What is ready is what the controller has counted as ready.
                "kube/rollout" => resource == "deployments/status",
                // Its pods end with it.
                "kube/deployment" => resource == "deployments" || resource == "pods" && verb == "delete",
                "kube/service" => resource == "services",
                "balancer" => resource == "services/status",
                "kube/namespace" => resource.starts_with("namespaces"),
                _ => false,
            },
        }
    }
}

/// Writes that were applied to what is ours, but for those by us: they are in our log.
fn audit(path: &Path, done: &mut Vec<Done>) -> Result<(), String> {
    let file = File::open(path).map_err(|why| format!("{}: {why}", path.display()))?;
    for line in BufReader::new(file).lines() {
        let line = line.map_err(|why| format!("{}: {why}", path.display()))?;
        // Reading each of them as JSON would take longer than the walk: most are leases, or only look.
        let writes = ["create", "update", "patch", "delete"].iter().any(|verb| line.contains(&format!("\"verb\":\"{verb}\"")));
        if !writes || line.contains("\"resource\":\"leases\"") {
            continue;
        }
        let Ok(event) = serde_json::from_str::<Value>(&line) else { continue };
        let (object, text) = (&event["objectRef"], |value: &Value| value.as_str().unwrap_or_default().to_owned());
        let applied = event["stage"] == "ResponseComplete" && event["responseStatus"]["code"].as_u64() < Some(300);
        let ours = text(&event["user"]["username"]).starts_with("arn:aws:");
        if !applied || ours || object["namespace"] == "kube-system" {
            continue;
        }
        let Some(at) = event["stageTimestamp"].as_str().and_then(moment) else { continue };
        let part = object["subresource"].as_str().map(|part| format!("/{part}")).unwrap_or_default();
        let resource = text(&object["resource"]) + &part;
        done.push(Done { at, what: What::Kubernetes(text(&event["verb"]), resource) });
    }
    Ok(())
}
