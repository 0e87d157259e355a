//! What the types cannot say: ranges, names, and values that must fit together.

use std::collections::HashSet;
use std::net::Ipv4Addr;

use tritondeploy_wire::v1::MODELS;

use super::{Config, Workload};

/// Every problem found, each naming its key.
pub(super) fn problems(config: &Config) -> Vec<String> {
    let mut problems = Vec::new();
    let mut say = |wrong: bool, why: &str| {
        if wrong {
            problems.push(why.to_owned());
        }
    };
    say(!is_name(&config.name, 40), "name: 1 to 40 of a-z, 0-9 and -, beginning with a letter");
    // The bucket is called NAME-ACCOUNT-REGION, and S3 allows 63.
    let long = config.storage.bucket.is_none() && config.name.len() > 35 && config.name.len() <= 40;
    say(long, "name: more than 35 characters need a storage.bucket, since the bucket's own name would be too long");
    for (key, name) in [
        ("workload.namespace", &config.workload.namespace),
        ("workload.service_account", &config.workload.service_account),
        ("workload.service", &config.workload.service),
    ] {
        say(!is_name(name, 63), &format!("{key}: 1 to 63 of a-z, 0-9 and -, beginning with a letter"));
    }
    say(config.nodes.disk_gib < 50, "nodes.disk_gib: at least 50 (the Triton image alone takes 16)");
    say(config.workload.replicas < 1, "workload.replicas: at least 1");
    if let Some(repository) = &config.registry.repository {
        let why = "2 to 256 of a-z and 0-9, with single . _ - / between them";
        say(!is_repository(repository), &format!("registry.repository: {repository:?} is no ECR name: {why}"));
    }
    let bucket = config.storage.bucket.as_deref().unwrap_or("bucket");
    say(!is_bucket(bucket), "storage.bucket: no S3 bucket name");
    for (key, ranges) in [
        ("workload.source_ranges", &config.workload.source_ranges),
        ("cluster.public_access_cidrs", &config.cluster.public_access_cidrs),
    ] {
        for range in ranges.iter().filter(|range| cidr(range).is_none()) {
            say(true, &format!("{key}: {}", no_cidr(range)));
        }
    }
    problems.extend(expose(&config.workload));
    problems.extend(super::access::problems(&config.access));
    problems.extend(super::tags::problems(&config.tags));
    problems.extend(size(config));
    problems.extend(network(config));
    problems.extend(pipeline(config));
    problems
}

/// What will work and should not stay so, each naming its key.
#[must_use]
pub fn warnings(config: &Config) -> Vec<String> {
    let mut warnings = Vec::new();
    if triton_release(&config.workload.triton_image).is_some_and(|release| release < (25, 7)) {
        let why = "releases before 25.07 have CVE-2025-23310, -23311, -23319, -23320 and -23334";
        warnings.push(format!("workload.triton_image: {} is old; {why}", config.workload.triton_image));
    }
    if config.workload.public_without_auth {
        let others = config.workload.expose.iter().any(|name| name != "ws");
        let what = if others { "the WebSocket and what Triton's ports tell" } else { "the WebSocket" };
        warnings.push(format!("workload.public_without_auth: anybody may reach {what}"));
    }
    warnings
}

/// Year and month of NVIDIA's tags, as in `24.11-py3`.
fn triton_release(image: &str) -> Option<(u32, u32)> {
    let tag = image.rsplit_once(':')?.1;
    let (year, month) = tag.split('-').next()?.split_once('.')?;
    Some((year.parse().ok()?, month.parse().ok()?))
}

/// What the Service opens.
fn expose(workload: &Workload) -> Vec<String> {
    let Workload { expose: names, namespace, service, .. } = workload;
    let grpc = format!("{GRPC} `kubectl --namespace {namespace} port-forward deployment/{service} 8001`");
    let mut problems = Vec::new();
    if !names.iter().any(|name| name == "ws") {
        let why = "without \"ws\" nobody reaches the gateway, and `up` could not prove that it answers; write [\"ws\"]";
        problems.push(format!("workload.expose: {why}, with \"http\" and \"metrics\" where they are wanted"));
    }
    for (i, name) in names.iter().enumerate() {
        let why = match name.as_str() {
            "ws" | "http" | "metrics" if names[..i].contains(name) => "is there twice",
            "ws" | "http" | "metrics" => continue,
            "grpc" => &*grpc,
            _ => "is no endpoint; there are \"ws\", \"http\" and \"metrics\"",
        };
        problems.push(format!("workload.expose: {name:?} {why}"));
    }
    problems
}

/// Why gRPC is not opened, and what to do instead.
const GRPC: &str = "is not opened: whoever reaches Triton's gRPC port can load and unload models and register shared memory, \
    and there is no read-only part of it; ask models through the WebSocket, read through \"http\", or use";

/// How many nodes: nothing adds any by itself. Whether the pods fit on them depends on the instance type, which EC2 knows
/// (`cloud/machine.rs`).
fn size(config: &Config) -> Vec<String> {
    let (min, max, desired) = (config.nodes.min, config.nodes.max, config.nodes.desired);
    let mut problems = Vec::new();
    if min < 0 {
        problems.push(format!("nodes.min: {min} is no number of nodes; write 0 or more"));
    }
    if desired < 1 {
        let why = "without a node there is no place for the pod; write at least 1 (what costs nothing is `tritondeploy down`)";
        problems.push(format!("nodes.desired: {why}"));
        return problems;
    }
    if min > desired {
        problems
            .push(format!("nodes.min: {min} is more than nodes.desired ({desired}); write min = {desired} or desired = {min}"));
    }
    if max < desired {
        problems.push(format!("nodes.max: {max} is less than nodes.desired ({desired}); write max = {desired}"));
    }
    problems
}

fn network(config: &Config) -> Vec<String> {
    let net = &config.network;
    let mut problems = Vec::new();
    let Some((base, bits)) = cidr(&net.cidr) else {
        return vec![format!("network.cidr: {}", no_cidr(&net.cidr))];
    };
    if !(16..=28).contains(&bits) {
        problems.push("network.cidr: a VPC is from /16 to /28 large".to_owned());
    }
    if net.private.len() < 2 || net.private.len() != net.public.len() {
        problems.push("network: as many private as public subnets, and at least two (EKS wants two zones)".to_owned());
    }
    if !net.zones.is_empty() && net.zones.len() != net.private.len() {
        problems.push("network.zones: one for each private subnet, or none to let us choose".to_owned());
    }
    let mut taken: Vec<(u32, u32)> = Vec::new();
    for subnet in net.private.iter().chain(&net.public) {
        match cidr(subnet) {
            None => problems.push(format!("network: {}", no_cidr(subnet))),
            Some((at, of)) => {
                let (first, last) = (at, at + (u32::MAX.checked_shr(of).unwrap_or(0)));
                let inside = of >= bits && (at ^ base) & mask(bits) == 0;
                if !inside {
                    problems.push(format!("network: {subnet} is not inside {}", net.cidr));
                }
                if taken.iter().any(|(a, b)| first <= *b && *a <= last) {
                    problems.push(format!("network: {subnet} overlaps another subnet"));
                }
                taken.push((first, last));
            }
        }
    }
    problems
}

fn pipeline(config: &Config) -> Vec<String> {
    let mut problems = Vec::new();
    if config.pipeline.is_empty() {
        problems.push("pipeline: at least one model".to_owned());
    }
    if config.pipeline.len() > MODELS {
        problems.push(format!("pipeline: {} models; one request asks for at most {MODELS}", config.pipeline.len()));
    }
    let mut aliases = HashSet::new();
    for model in &config.pipeline {
        if !aliases.insert(&model.alias) {
            problems.push(format!("pipeline: the alias {:?} is there twice", model.alias));
        }
        if !config.models.serve.is_empty() && !config.models.serve.contains(&model.model) {
            problems.push(format!("pipeline: {:?} is not among models.serve", model.model));
        }
    }
    problems
}

/// Address and prefix length, with no bit set beyond the prefix.
fn cidr(text: &str) -> Option<(u32, u32)> {
    parts(text).filter(|(address, bits)| address & !mask(*bits) == 0)
}

/// Address and prefix length.
fn parts(text: &str) -> Option<(u32, u32)> {
    let (address, bits) = text.split_once('/')?;
    let address = u32::from(address.parse::<Ipv4Addr>().ok()?);
    Some((address, bits.parse().ok().filter(|bits| *bits <= 32)?))
}

/// Why it is no CIDR, and what may be meant.
fn no_cidr(text: &str) -> String {
    let meant = match parts(text) {
        Some((address, bits)) => format!("bits are set beyond its prefix; write {}/{bits}", Ipv4Addr::from(address & mask(bits))),
        None if text.parse::<Ipv4Addr>().is_ok() => format!("write {text}/32 for this one address"),
        None => "write it as 203.0.113.7/32".to_owned(),
    };
    format!("{text:?} is no IPv4 CIDR: {meant}")
}

fn mask(bits: u32) -> u32 {
    u32::MAX.checked_shl(32 - bits).unwrap_or(0)
}

/// As far as it is said here: S3 knows the rest.
pub(crate) fn is_bucket(name: &str) -> bool {
    (3..=63).contains(&name.len()) && !name.contains(['/', '_'])
}

/// As ECR's API reference has it ("CreateRepository", repositoryName).
pub(crate) fn is_repository(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    (2..=256).contains(&name.len()) && name.split(['.', '_', '-', '/']).all(|part| !part.is_empty() && part.chars().all(plain))
}

/// A DNS label, as Kubernetes and AWS names want it.
fn is_name(name: &str, longest: usize) -> bool {
    name.len() <= longest
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && !name.ends_with('-')
        && name.bytes().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong(change: impl FnOnce(&mut Config)) -> String {
        let mut config = Config::default();
        change(&mut config);
        problems(&config).join("\n")
    }

    #[test]
    fn the_defaults_are_in_order() {
        assert_eq!(wrong(|_| {}), "");
    }

    #[test]
    fn each_problem_names_its_key() {
        assert!(wrong(|c| c.name = "Triton".into()).starts_with("name:"));
        assert!(wrong(|c| c.network.private[0] = "192.168.4.0/24".into()).contains("overlaps"));
        assert!(wrong(|c| c.network.public[0] = "10.0.0.0/24".into()).contains("not inside"));
        assert!(wrong(|c| c.network.cidr = "192.168.0.1/20".into()).contains("no IPv4 CIDR"));
        assert!(wrong(|c| c.network.zones = vec!["us-east-1a".into()]).contains("network.zones"));
        assert!(wrong(|c| c.workload.expose.push("grpc".into())).contains("port-forward"));
        assert!(wrong(|c| c.workload.expose.push("tcp".into())).contains("\"tcp\" is no endpoint"));
        assert!(wrong(|c| c.workload.expose.push("ws".into())).contains("twice"));
        assert!(wrong(|c| c.workload.source_ranges = vec!["everyone".into()]).contains("no IPv4 CIDR"));
        assert!(wrong(|c| c.pipeline[1].alias = "densenet".into()).contains("twice"));
        assert!(wrong(|c| c.pipeline = vec![c.pipeline[0].clone(); 17]).contains("at most 16"));
        assert!(wrong(|c| c.registry.repository = Some("Big//name".into())).starts_with("registry.repository:"));
    }

    #[test]
    fn sizes_that_do_not_fit_together_are_told_with_what_to_write() {
        let sizes = |min, desired, max| wrong(|c| (c.nodes.min, c.nodes.desired, c.nodes.max) = (min, desired, max));
        assert_eq!(sizes(0, 2, 3), "");
        assert!(sizes(0, 0, 1).starts_with("nodes.desired: ") && sizes(0, 0, 1).contains("write at least 1"));
        assert!(sizes(2, 1, 2).starts_with("nodes.min: 2 is more than nodes.desired (1); write min = 1 or desired = 2"));
        assert!(sizes(-1, 1, 1).starts_with("nodes.min: -1"));
        assert!(sizes(1, 3, 2).starts_with("nodes.max: 2 is less than nodes.desired (3); write max = 3"));
    }

    #[test]
    fn a_service_opens_the_websocket_and_what_else_is_named() {
        let names = |names: &[&str]| wrong(|c| c.workload.expose = names.iter().map(|name| (*name).to_owned()).collect());
        assert_eq!(names(&["metrics", "ws", "http"]), "");
        for without in [&[][..], &["http", "metrics"]] {
            let told = names(without);
            assert!(told.starts_with("workload.expose: ") && told.contains("write [\"ws\"]"), "{told}");
        }
    }

    #[test]
    fn an_old_triton_and_an_open_door_are_warned_of() {
        let mut config = Config::default();
        assert_eq!(warnings(&config), Vec::<String>::new());
        config.workload.triton_image = "nvcr.io/nvidia/tritonserver:24.11-py3".to_owned();
        config.workload.public_without_auth = true;
        assert!(warnings(&config)[0].contains("CVE-2025-23310") && warnings(&config)[1].contains("anybody"));
        assert!(!warnings(&config)[1].contains("Triton"));
        config.workload.expose.push("http".to_owned());
        assert!(warnings(&config)[1].contains("Triton"));
        config.workload.triton_image = "registry.example/triton@sha256:ab".to_owned();
        assert_eq!(warnings(&config).len(), 1);
    }

    #[test]
    fn several_problems_are_told_at_once() {
        let told = wrong(|c| {
            c.name = String::new();
            c.workload.replicas = 0;
        });
        assert_eq!(told.lines().count(), 2, "{told}");
    }
}
