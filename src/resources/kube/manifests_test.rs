//! Every manifest of the reference deployment is what the Kubernetes API takes, field by field.

use k8s_openapi::api::{apps::v1 as apps, core::v1 as core};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use super::*;
use crate::cloud::machine::Machine;
use crate::config::Config;
use crate::engine::{Given, Given::Known};
use crate::resources::eks::ClusterOutput;
use crate::resources::iam::RoleOutput;
use crate::resources::registry::ImageOutput;

fn cluster() -> ClusterOutput {
    let text = String::new;
    ClusterOutput {
        name: "c".to_owned(),
        arn: "arn:aws:eks:us-east-1:123456789012:cluster/c".to_owned(),
        endpoint: text(),
        certificate_authority: text(),
        issuer: text(),
        version: text(),
        security_group: text(),
    }
}

fn namespace() -> Given<NamespaceOutput> {
    Known(NamespaceOutput { cluster: cluster(), name: "triton".to_owned() })
}

/// The manifest, once it is sure that the API's own type knows every field of it.
fn known<K: Serialize + DeserializeOwned>(manifest: Given<Result<Value, super::manifest::Error>>) -> Value {
    let Known(manifest) = manifest else { panic!("not known") };
    let manifest = manifest.unwrap();
    let typed: K = serde_json::from_value(manifest.clone()).unwrap();
    let again = serde_json::to_value(typed).unwrap();
    assert_eq!(crate::engine::differences(&manifest, &again), [], "fields that Kubernetes does not know");
    manifest
}

fn deployment(config: &Config) -> Value {
    manifest_of(Deployment::new(config))
}

fn manifest_of(deployment: Deployment) -> Value {
    let image = ImageOutput { reference: "r/w:t@sha256:0".to_owned() };
    let (account, config_map) = ("triton-service-account".to_owned(), "gateway".to_owned());
    let uses = (Known(account), Known(config_map), Known("bucket".to_owned()), Known(image), ());
    known::<apps::Deployment>(deployment.manifest(&namespace(), &uses))
}

#[test]
fn the_pod_keeps_triton_to_itself() {
    let manifest = deployment(&Config::default());
    let pod = &manifest["spec"]["template"]["spec"];
    let triton = &pod["containers"][0];
    for service in ["http", "grpc", "metrics"] {
        let flag = format!("--{service}-address=127.0.0.1");
        assert!(triton["args"].as_array().unwrap().contains(&flag.clone().into()), "{flag}");
    }
    assert_eq!(triton["ports"], Value::Null);
    let ports = pod["containers"][1]["ports"].as_array().unwrap().iter().map(|port| port["name"].as_str().unwrap());
    assert_eq!(ports.collect::<Vec<_>>(), ["ws", "health", "scrape"]);
    assert_eq!(manifest["spec"]["strategy"]["rollingUpdate"]["maxSurge"], 0);
    let grace = pod["terminationGracePeriodSeconds"].as_u64().unwrap();
    assert!(grace > triton["lifecycle"]["preStop"]["sleep"]["seconds"].as_u64().unwrap());
}

#[test]
fn a_pod_on_a_node_without_a_gpu_asks_for_none_and_fits() {
    let config = Config::default();
    let pod = |deployment| manifest_of(deployment)["spec"]["template"]["spec"].clone();
    let gpu = pod(Deployment::new(&config));
    assert_eq!(gpu["containers"][0]["resources"]["limits"]["nvidia.com/gpu"], "1");
    assert!(gpu["tolerations"].is_array() && gpu["nodeSelector"]["nvidia-gpu"] == "true", "{gpu}");
    for machine in [Machine::cpu(2, 8, 29), Machine::cpu(4, 8, 58), Machine::cpu(4, 16, 58), Machine::cpu(192, 768, 737)] {
        let cpu = pod(Deployment::new(&config).on(&machine));
        assert!(!["nvidia.com", "nvidia-gpu", "tolerations"].iter().any(|word| cpu.to_string().contains(word)), "{cpu}");
        let amount = |container: usize, what: &str, key: &str| {
            let quantity = cpu["containers"][container]["resources"][what][key].as_str().unwrap().to_owned();
            let unit = quantity.trim_start_matches(|c: char| c.is_ascii_digit());
            let number: i64 = quantity.trim_end_matches(unit).parse().unwrap();
            if unit == "Gi" { number * 1024 } else { number }
        };
        let [cores, memory] = ["cpu", "memory"].map(|key| [0, 1].map(|container| amount(container, "requests", key)));
        assert!(cores.iter().sum::<i64>() <= machine.free_millicores(), "{cores:?} {machine:?}");
        assert!(2 * cores.iter().sum::<i64>() > machine.free_millicores(), "two pods on one node: {cores:?} {machine:?}");
        assert!(memory.iter().sum::<i64>() <= machine.free_mib(), "{memory:?} {machine:?}");
        let limits: i64 = [0, 1].map(|container| amount(container, "limits", "memory")).iter().sum();
        assert!(limits <= machine.free_mib() && amount(0, "limits", "memory") >= 2 * 1024, "{limits} {machine:?}");
    }
}

#[test]
fn health_and_metrics_have_listeners_of_their_own_which_the_service_does_not_open() {
    let config = Config::default();
    let manifest = deployment(&config);
    let gateway = &manifest["spec"]["template"]["spec"]["containers"][1];
    for (probe, path) in [("startupProbe", "/healthz"), ("livenessProbe", "/healthz"), ("readinessProbe", "/readyz")] {
        assert_eq!(gateway[probe]["httpGet"], serde_json::json!({"path": path, "port": "health"}), "{probe}");
    }
    let ports = gateway["ports"].as_array().unwrap();
    let number = &ports.iter().find(|port| port["name"] == "health").unwrap()["containerPort"];
    assert_eq!(number, GatewayConfig::HEALTH_PORT);
    let file: toml::Table = toml::from_str(&GatewayConfig::new(&config).toml("b")).unwrap();
    assert_eq!(file["health"].as_str(), Some(&*format!("0.0.0.0:{number}")));
    let scraped = &ports.iter().find(|port| port["name"] == "scrape").unwrap()["containerPort"];
    assert_eq!((scraped, file["metrics"].as_str()), (&GatewayConfig::METRICS_PORT.into(), Some("0.0.0.0:8083")));
    assert_eq!(
        service(&config)["spec"]["ports"],
        serde_json::json!([{"name": "ws", "port": 8080, "targetPort": "ws", "protocol": "TCP"}])
    );
}

#[test]
fn an_endpoint_of_ones_own_reaches_the_pod() {
    let env = |config: &Config| deployment(config)["spec"]["template"]["spec"]["initContainers"][0]["env"].to_string();
    let mut config = Config::default();
    assert!(!env(&config).contains("AWS_ENDPOINT_URL"));
    config.endpoint_url = Some("http://192.0.2.1:4566".to_owned());
    assert!(env(&config).contains("http://192.0.2.1:4566"));
}

#[test]
fn another_configuration_is_another_pod() {
    let hash = |config: &Config| deployment(config)["spec"]["template"]["metadata"]["annotations"].to_string();
    let mut config = Config::default();
    let one = hash(&config);
    config.pipeline.pop();
    assert_ne!(one, hash(&config));
}

#[test]
fn a_ca_bundle_reaches_the_pod_and_another_one_is_another_pod() {
    let map = |config: &Config| {
        let map = ConfigMap { name: "gateway".to_owned(), gateway: GatewayConfig::new(config) };
        known::<core::ConfigMap>(map.manifest(&namespace(), &Known("bucket".to_owned())))["data"].clone()
    };
    let hash = |config: &Config| deployment(config)["spec"]["template"]["metadata"]["annotations"].to_string();
    let without = Config::default();
    assert_eq!(map(&without)["ca.pem"], Value::Null);
    assert!(!map(&without)["gateway.toml"].as_str().unwrap().contains("ca_bundle"));
    let with = |roots: &str| Config { roots: Some(roots.to_owned()), ..Config::default() };
    let pem = "-----BEGIN CERTIFICATE-----\nYQ==\n-----END CERTIFICATE-----\n";
    assert_eq!(map(&with(pem))["ca.pem"], pem);
    let file: toml::Table = toml::from_str(map(&with(pem))["gateway.toml"].as_str().unwrap()).unwrap();
    let path = file["storage"]["ca_bundle"].as_str().unwrap();
    let pod = &deployment(&with(pem))["spec"]["template"]["spec"];
    for container in [&pod["initContainers"][0], &pod["containers"][1]] {
        let mounts = container["volumeMounts"].as_array().unwrap();
        let mount = mounts.iter().find(|mount| mount["name"] == "config").unwrap();
        assert_eq!(path.strip_prefix(mount["mountPath"].as_str().unwrap()), Some("/ca.pem"));
    }
    assert!(hash(&with(pem)) != hash(&without) && hash(&with(pem)) != hash(&with("other")));
}

fn service(config: &Config) -> Value {
    known::<core::Service>(Service::new(config, "kube/service").manifest(&namespace(), &()))
}

#[test]
fn the_service_opens_one_port_to_those_who_may() {
    let mut config = Config::default();
    config.workload.source_ranges = vec!["192.0.2.0/24".to_owned()];
    let manifest = service(&config);
    assert_eq!(manifest["spec"]["loadBalancerSourceRanges"], serde_json::json!(["192.0.2.0/24"]));
    assert_eq!(manifest["spec"]["ports"].as_array().unwrap().len(), 1);
    assert_eq!(manifest["spec"]["ports"][0]["port"], 8080);
    assert!(manifest.to_string().contains("tritondeploy:deployment=triton-streaming-cluster"));
}

#[test]
fn each_exposed_port_leads_to_a_listener_of_the_gateway_and_no_other_is_open() {
    let listeners = [("ws", "listen", 8080), ("http", "triton_http", 8000), ("metrics", "triton_metrics", 8002)];
    for expose in [&["ws"][..], &["ws", "http"], &["metrics", "ws"], &["ws", "http", "metrics"]] {
        let mut config = Config::default();
        config.workload.expose = expose.iter().map(|name| (*name).to_owned()).collect();
        let (service, deployment) = (service(&config), deployment(&config));
        let file: toml::Table = toml::from_str(&GatewayConfig::new(&config).toml("b")).unwrap();
        let of_service = service["spec"]["ports"].as_array().unwrap();
        let of_pod = deployment["spec"]["template"]["spec"]["containers"][1]["ports"].as_array().unwrap();
        assert_eq!((of_service.len(), of_pod.len()), (expose.len(), expose.len() + 2), "{expose:?}");
        for (name, key, port) in listeners {
            let wanted = expose.contains(&name);
            assert_eq!(file.contains_key(key), wanted, "{expose:?} {key}");
            let Some(open) = of_service.iter().find(|open| open["port"] == port) else {
                assert!(!wanted, "{expose:?} {name}");
                continue;
            };
            let container = of_pod.iter().find(|port| port["name"] == open["targetPort"]).unwrap();
            let listener = format!("0.0.0.0:{}", container["containerPort"]);
            assert_eq!(file[key].as_str(), Some(&*listener), "{expose:?} {name}");
        }
    }
}

#[test]
fn a_running_deployment_whose_ports_change_gets_other_pods() {
    let hash = |config: &Config| deployment(config)["spec"]["template"]["metadata"]["annotations"].to_string();
    let mut config = Config::default();
    let before = hash(&config);
    config.workload.expose.push("metrics".to_owned());
    assert_ne!(before, hash(&config));
}

#[test]
fn the_rest_is_known_to_kubernetes_too() {
    let config = Config::default();
    let cluster = Known(cluster());
    known::<core::Namespace>(Namespace { name: "triton".to_owned() }.manifest(&cluster, &()));
    known::<apps::DaemonSet>(DevicePlugin { image: "i".to_owned() }.manifest(&cluster, &()));
    let role = Known(RoleOutput { name: "r".to_owned(), arn: "arn:aws:iam::1:role/r".to_owned() });
    let account = ServiceAccount { name: "a".to_owned() };
    known::<core::ServiceAccount>(account.manifest(&namespace(), &role));
    let map = ConfigMap { name: "gateway".to_owned(), gateway: GatewayConfig::new(&config) };
    let manifest = known::<core::ConfigMap>(map.manifest(&namespace(), &Known("bucket".to_owned())));
    assert!(manifest["data"]["gateway.toml"].as_str().unwrap().contains("bucket = \"bucket\""));
}

#[test]
fn what_is_not_known_yet_names_what_it_waits_for() {
    let after = Given::Unknown { until: "role/workload".into() };
    let account = ServiceAccount { name: "a".to_owned() };
    assert!(matches!(account.manifest(&namespace(), &after), Given::Unknown { until } if &*until == "role/workload"));
}
