//! What Kubernetes, the gateways and Triton say of themselves, for the report.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1::{Event, Node, Pod, Service};
use kube::api::ListParams;
use kube::{Api, Client};
use serde_json::{Value, json};
use tokio::time::timeout;

use super::{ports, redact};
use crate::cloud::Cloud;
use crate::cloud::kube::{OrFault, Serving, exec};
use crate::engine::{Fault, FaultKind, format_duration};
use crate::resources::eks::ClusterOutput;
use crate::resources::kube::logs::{Asked, Merge, News, Reading, Source};
use crate::resources::kube::{GatewayConfig, named};

/// Who does not answer in this time is left out, with a word of it.
const PATIENCE: Duration = Duration::from_secs(10);
/// Lines of each log that are searched for errors.
const SEARCHED: u32 = 1000;
/// Errors of each log that are shown.
const SHOWN: usize = 20;
/// Characters of each of them that are shown.
const WIDEST: usize = 1000;

/// What was read, or why it was not.
pub(super) type Read<T> = Result<T, String>;

/// All that is asked for.
pub(super) struct Cluster {
    pub(super) version: Read<String>,
    pub(super) nodes: Read<Vec<Node>>,
    pub(super) pods: Read<Vec<Pod>>,
    pub(super) service: Read<Option<Service>>,
    pub(super) warnings: Read<Vec<Event>>,
    /// By pod.
    pub(super) inside: Vec<(String, Inside)>,
}

/// What a pod says.
pub(super) struct Inside {
    /// Which ports listen where.
    pub(super) ports: Read<BTreeMap<u16, Vec<IpAddr>>>,
    /// The gateway's `/readyz`.
    pub(super) readiness: Read<Value>,
    /// Triton's `/v2`.
    pub(super) server: Read<Value>,
    /// Triton's repository index.
    pub(super) models: Read<Value>,
    /// Triton's `/metrics`.
    pub(super) metrics: Read<String>,
    /// The last errors of each log.
    pub(super) errors: Vec<(String, Read<Vec<String>>)>,
}

/// In time, or why not.
async fn soon<T>(asked: impl Future<Output = Result<T, Fault>>) -> Read<T> {
    match timeout(PATIENCE, asked).await {
        Ok(answer) => answer.map_err(|why| why.to_string()),
        Err(_) => Err(format!("no answer within {}", format_duration(PATIENCE))),
    }
}

impl Cluster {
    /// Asks for everything at once.
    pub(super) async fn read(cloud: &Arc<Cloud>) -> Read<Self> {
        let found = soon(ClusterOutput::find(&cloud.aws, &cloud.config.name)).await?;
        let cluster = found.ok_or_else(|| format!("there is no cluster {} that answers", cloud.config.name))?;
        let client = soon(cloud.kube.client(&cloud.aws, &cluster)).await?;
        let workload = &cloud.config.workload;
        let space = &workload.namespace;
        let (nodes, services, events) = (
            Api::<Node>::all(client.clone()),
            Api::<Service>::namespaced(client.clone(), space),
            Api::<Event>::namespaced(client.clone(), space),
        );
        let every = ListParams::default().limit(100);
        let warns = ListParams::default().fields("type=Warning").limit(500);
        let (version, nodes, pods, service, warnings) = tokio::join!(
            soon(async { client.apiserver_version().await.fault() }),
            soon(async { nodes.list(&every).await.fault() }),
            soon(named(&client, space, &workload.service)),
            soon(async { services.get(&workload.service).await.fault_or_absent() }),
            soon(async { events.list(&warns).await.fault() }),
        );
        let mut inside = Vec::new();
        for pod in pods.iter().flatten() {
            let name = pod.metadata.name.clone().unwrap_or_default();
            let told = Inside::read(cloud, &cluster, &client, pod, &name).await;
            inside.push((name, told));
        }
        Ok(Self {
            version: version.map(|version| version.git_version),
            nodes: nodes.map(|nodes| nodes.items),
            pods,
            service,
            warnings: warnings.map(|events| events.items),
            inside,
        })
    }
}

impl Inside {
    async fn read(cloud: &Arc<Cloud>, cluster: &ClusterOutput, client: &Client, pod: &Pod, name: &str) -> Self {
        let space = &cloud.config.workload.namespace;
        let port = |port| Serving::new(client.clone(), space, name, port);
        let (health, triton, scraped) = (port(GatewayConfig::HEALTH_PORT), port(8000), port(8002));
        let index = json!({});
        let sources = crate::resources::kube::logs::Sources::of(std::slice::from_ref(pod), &Default::default());
        let errors = sources.logs.into_iter().map(|source| errors(cloud, cluster, source));
        let (ports, readiness, server, models, metrics, errors) = tokio::join!(
            listening(client, space, name),
            soon(async { object(health.get("/readyz").await?.1) }),
            soon(async { object(triton.get("/v2").await?.1) }),
            soon(async { object(triton.post("/v2/repository/index", &index).await?.1) }),
            soon(async { Ok(String::from_utf8_lossy(&scraped.get("/metrics").await?.1).into_owned()) }),
            futures::future::join_all(errors),
        );
        Self { ports, readiness, server, models, metrics, errors }
    }

    /// GPUs that Triton counts.
    pub(super) fn gpus(&self) -> Read<usize> {
        let metrics = self.metrics.as_ref().map_err(Clone::clone)?;
        Ok(metrics.lines().filter(|line| line.starts_with("nv_gpu_memory_total_bytes{")).count())
    }
}

fn object(body: Vec<u8>) -> Result<Value, Fault> {
    serde_json::from_slice(&body).map_err(|why| Fault::fatal(format!("no JSON: {why}")))
}

/// By the kernel's own table; where no container can show it, by knocking.
async fn listening(client: &Client, space: &str, pod: &str) -> Read<BTreeMap<u16, Vec<IpAddr>>> {
    let show = ["cat", "/proc/net/tcp", "/proc/net/tcp6"];
    let table = soon(exec::output(client, space, pod, "triton", &show)).await;
    let why = match table {
        Ok(table) => return Ok(ports::listening(&table)),
        Err(why) => why,
    };
    let knock = ports::MEANT.map(|(port, _)| async move {
        let answer = Serving::new(client.clone(), space, pod, port).get("/").await;
        // Whoever answers nonsense answers.
        (port, answer.map_or_else(|fault| fault.kind == FaultKind::Unsure, |_| true))
    });
    let answers = soon(async { Ok(futures::future::join_all(knock).await) }).await?;
    let open: BTreeMap<u16, Vec<IpAddr>> =
        answers.into_iter().filter(|(_, open)| *open).map(|(port, _)| (port, Vec::new())).collect();
    if open.is_empty() { Err(why) } else { Ok(open) }
}

/// The last lines of a log that tell of something wrong.
async fn errors(cloud: &Arc<Cloud>, cluster: &ClusterOutput, source: Arc<Source>) -> (String, Read<Vec<String>>) {
    let name = format!("{}{}", source.container, if source.previous { " (before its restart)" } else { "" });
    let asked = Asked { tail: Some(SEARCHED), since: None };
    let mut log = Merge::of(vec![Reading::new(cloud, cluster, source, asked)]);
    let read = async {
        let mut errors = std::collections::VecDeque::new();
        while let Some(news) = log.next().await {
            match news {
                News::Entry(entry) if tells_of_trouble(&entry.line.text) => {
                    let at = entry.line.at.map(|at| format!("{at:.3} ")).unwrap_or_default();
                    errors.push_back(format!("{at}{}", short(&entry.line.text)));
                }
                News::Entry(_) => {}
                News::Note(why) => return Err(Fault::fatal(why)),
            }
            if errors.len() > SHOWN {
                errors.pop_front();
            }
        }
        Ok(errors.into())
    };
    (name, soon(read).await)
}

/// First without secrets, then cut: half a key would not be known as one.
fn short(line: &str) -> String {
    let some: String = line.chars().take(4 * WIDEST).collect();
    redact::safe(&some, None).chars().take(WIDEST).collect()
}

/// Levels as the gateway (JSON), Triton (`E1130 04:29:10.123 ...`) and programs that die have them.
fn tells_of_trouble(line: &str) -> bool {
    if let Ok(object) = serde_json::from_str::<Value>(line) {
        return matches!(object["level"].as_str(), Some("ERROR" | "WARN"));
    }
    let mut chars = line.chars();
    let level = matches!(chars.next(), Some('E' | 'W' | 'F')) && chars.next().is_some_and(|c| c.is_ascii_digit());
    level || ["Signal (", "error:", "Error:", "panicked at"].iter().any(|word| line.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_not_cut_in_half_but_taken_out() {
        let key = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
        let told = short(&format!("{} {key} {}", "x ".repeat(490), "y ".repeat(5000)));
        assert!(!told.contains(&key[..8]) && told.contains("[redacted]"), "{told}");
        assert_eq!(told.chars().count(), WIDEST);
    }

    #[test]
    fn lines_that_tell_of_trouble_are_found_in_every_log() {
        for line in [
            r#"{"timestamp":"t","level":"ERROR","fields":{"message":"m"}}"#,
            r#"{"level":"WARN"}"#,
            "E1130 04:29:10.123456 1 model_lifecycle.cc:654] failed to load 'x' version 1",
            "W1130 04:29:10.123456 1 metrics.cc:877] No GPU found",
            "Signal (11) received.",
            "error: creating server: Internal - failed to load all models",
        ] {
            assert!(tells_of_trouble(line), "{line}");
        }
        for line in
            [r#"{"level":"INFO","fields":{"message":"error: none"}}"#, "I1130 04:29:10.1 1 server.cc:604] Started", "Each", ""]
        {
            assert!(!tells_of_trouble(line), "{line}");
        }
    }
}
