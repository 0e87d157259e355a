//! The report that support would ask for: everything that can be read of a deployment, without secrets.

use std::path::Path;

use serde_json::Value;

use super::cluster::{Cluster, Inside, Read};
use super::page::Page;
use super::{redact, rows};
use crate::cloud::Cloud;
use crate::config::Config;
use crate::engine::Report;
use crate::replace;
use crate::report::show;

/// What is known: each part may be missing, with the reason.
pub(super) struct Known<'a> {
    pub(super) config: &'a Config,
    /// Who and where we are.
    pub(super) cloud: Read<&'a Cloud>,
    pub(super) survey: Read<&'a Report>,
    pub(super) cluster: Read<Cluster>,
    /// In a few words.
    pub(super) health: String,
}

/// The report's text.
pub(super) fn text(known: &Known<'_>) -> String {
    let mut page = Page::default();
    page.heading("tritondeploy status report");
    page.line("Credentials are taken out, and the account's number but for its last digits. Names, ids and addresses are in it.");
    page.line("");
    page.point("made", jiff::Timestamp::now().strftime("%Y-%m-%d %H:%M:%S UTC"));
    page.point("deployment", &known.config.name);
    page.point("health", &known.health);
    match &known.cloud {
        Ok(cloud) => {
            page.point("region", &cloud.aws.region);
            page.point("account", &cloud.aws.account);
            page.point("as", &cloud.aws.caller);
        }
        Err(why) => page.missing("AWS", why),
    }
    let facts = known.survey.iter().flat_map(|survey| &survey.nodes).flat_map(|seen| &seen.facts);
    show::values(facts).iter().for_each(|(key, value)| page.point(key, value));
    match &known.cluster {
        Ok(cluster) => sections(&mut page, known, cluster),
        Err(why) => {
            page.heading("Versions");
            page.point("tritondeploy", env!("CARGO_PKG_VERSION"));
            page.heading("Cluster, pods, ports, models, logs");
            page.missing("the cluster", why);
        }
    }
    page.heading("Every part");
    match &known.survey {
        Ok(survey) => {
            page.table(&["part", "stands", "differs", "evidence"], &survey.nodes.iter().map(rows::part).collect::<Vec<_>>())
        }
        Err(why) => page.missing("the parts", why),
    }
    page.heading("Configuration");
    match toml::to_string(known.config) {
        Ok(text) => page.code(&text),
        Err(why) => page.missing("the configuration", &why.to_string()),
    }
    redact::safe(&page.end(), known.cloud.as_ref().ok().map(|cloud| cloud.aws.account.as_str()))
}

fn sections(page: &mut Page, known: &Known<'_>, cluster: &Cluster) {
    page.heading("Versions");
    page.point("tritondeploy", env!("CARGO_PKG_VERSION"));
    page.point("Kubernetes", cluster.version.as_ref().unwrap_or_else(|why| why));
    page.point("node image (AMI type)", known.config.nodes.ami_type.as_deref().unwrap_or("goes with the instance type"));
    for (image, containers) in rows::images(cluster.pods.as_deref().unwrap_or_default()) {
        page.point(&containers, image);
    }
    for (pod, inside) in &cluster.inside {
        let version = inside.server.as_ref().map(|server| server["version"].as_str().unwrap_or("?").to_owned());
        page.point(&format!("Triton in {pod}"), version.unwrap_or_else(Clone::clone));
    }

    page.heading("What listens where");
    match &cluster.service {
        Ok(service) => page.line(&rows::service(service.as_ref())),
        Err(why) => page.missing("the Service", why),
    }
    for (pod, inside) in &cluster.inside {
        page.line("");
        page.line(&format!("In the pod {pod}, whose containers share one network:"));
        page.line("");
        match &inside.ports {
            Ok(ports) => page.table(&["port", "listens on", "what"], &rows::listeners(ports)),
            Err(why) => page.missing(&format!("ports of {pod}"), why),
        }
    }

    page.heading("Pods and containers");
    let head = ["pod", "node", "container", "state", "ready", "restarts", "ended last"];
    table(page, "the pods", &head, &cluster.pods, |pods| pods.iter().flat_map(rows::containers).collect());

    page.heading("Nodes and GPUs");
    let head = ["node", "type", "ready", "nvidia.com/gpu allocatable", "system", "kernel", "kubelet", "runtime"];
    table(page, "the nodes", &head, &cluster.nodes, |nodes| nodes.iter().map(rows::node).collect());
    page.line("");
    for (pod, inside) in &cluster.inside {
        match inside.gpus() {
            Ok(gpus) => page.point(&format!("GPUs that Triton sees in {pod}"), gpus),
            Err(why) => page.missing(&format!("Triton's metrics in {pod}"), &why),
        }
    }

    page.heading("Models");
    for (pod, inside) in &cluster.inside {
        models(page, pod, inside);
    }

    page.heading("Last errors and warnings in the logs");
    for (pod, inside) in &cluster.inside {
        for (log, errors) in &inside.errors {
            match errors {
                Ok(errors) if errors.is_empty() => page.line(&format!("{pod}, {log}: none.")),
                Ok(errors) => {
                    page.line(&format!("{pod}, {log}:"));
                    page.code(&errors.join("\n"));
                }
                Err(why) => page.missing(&format!("the log of {pod}, {log}"), why),
            }
        }
    }

    page.heading("Warnings of Kubernetes");
    table(page, "the events", &["last", "times", "about", "reason", "message"], &cluster.warnings, |events| {
        rows::warnings(events)
    });
}

fn table<T>(page: &mut Page, what: &str, head: &[&str], read: &Read<T>, rows: impl Fn(&T) -> Vec<Vec<String>>) {
    match read {
        Ok(found) => page.table(head, &rows(found)),
        Err(why) => page.missing(what, why),
    }
}

/// Models as Triton lists them, with what the gateway waits for beside them.
fn models(page: &mut Page, pod: &str, inside: &Inside) {
    page.line(&format!("In {pod}:"));
    page.line("");
    match &inside.models {
        Ok(index) => {
            let word = |model: &Value, key: &str| model[key].as_str().unwrap_or_default().to_owned();
            let one = |model: &Value| ["name", "version", "state", "reason"].map(|key| word(model, key)).to_vec();
            let rows: Vec<Vec<String>> = index.as_array().into_iter().flatten().map(one).collect();
            page.table(&["model", "version", "state in Triton", "reason"], &rows);
        }
        Err(why) => page.missing(&format!("Triton's models in {pod}"), why),
    }
    page.line("");
    match &inside.readiness {
        Ok(readiness) => page.point("the gateway's /readyz", readiness),
        Err(why) => page.missing(&format!("/readyz of {pod}"), why),
    }
}

/// Writes it whole or not at all; only we may read it.
pub(super) fn write(path: &Path, text: &str) -> std::io::Result<()> {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;
    let path = replace::behind_links(path);
    let options = std::fs::OpenOptions::new().create_new(true).write(true).mode(0o600).clone();
    replace::replace(&path, &replace::draft(&path), &options, |mut file| file.write_all(text.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_deployment_that_cannot_be_reached_the_report_says_why_and_has_the_configuration() {
        let config = Config::default();
        let why = || "no AWS credentials were found".to_owned();
        let known =
            Known { config: &config, cloud: Err(why()), survey: Err(why()), cluster: Err(why()), health: "unknown".to_owned() };
        let text = text(&known);
        assert!(text.contains("\n- AWS: no AWS credentials were found\n- the cluster: no AWS credentials"), "{text}");
        assert!(text.contains("    instance_type = \"g4dn.xlarge\"\n"), "{text}");
        assert!(text.contains("- tritondeploy: 0."), "{text}");
    }

    #[test]
    fn what_kubernetes_does_not_show_is_told_where_it_belongs_and_again_at_the_end() {
        let config = Config::default();
        let denied = |what: &str| format!("{what} is forbidden");
        let cluster = Cluster {
            version: Err(denied("version")),
            nodes: Err(denied("nodes")),
            pods: Err(denied("pods")),
            service: Err(denied("services")),
            warnings: Err(denied("events")),
            inside: Vec::new(),
        };
        let why = || "-".to_owned();
        let known = Known { config: &config, cloud: Err(why()), survey: Err(why()), cluster: Ok(cluster), health: String::new() };
        let text = text(&known);
        let (there, end) = text.split_once("## What could not be read\n").unwrap();
        for (name, what) in [("the Service", "services"), ("the pods", "pods"), ("the nodes", "nodes"), ("the events", "events")]
        {
            assert!(there.contains(&format!("Could not be read: {what} is forbidden\n")), "{what}: {there}");
            assert!(end.contains(&format!("- {name}: {what} is forbidden\n")), "{what}: {end}");
        }
        assert!(there.contains("- Kubernetes: version is forbidden\n"), "{there}");
    }

    #[test]
    fn a_secret_in_the_configuration_is_not_in_the_report() {
        let config = Config { endpoint_url: Some("https://joe:hunter2@proxy.example/".to_owned()), ..Config::default() };
        let why = || "-".to_owned();
        let known = Known { config: &config, cloud: Err(why()), survey: Err(why()), cluster: Err(why()), health: String::new() };
        let text = text(&known);
        assert!(!text.contains("hunter2") && text.contains("https://[redacted]@proxy.example/"), "{text}");
    }

    #[test]
    fn the_file_is_ours_alone_and_replaces_the_former_one_whole() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("report.md");
        std::fs::write(&path, "former").unwrap();
        write(&path, "new").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "new");
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(write(&folder.path().join("none/report.md"), "x").is_err());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
