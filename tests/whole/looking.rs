//! Looking into a deployment that runs: the logs of its pods, and the report for support.

use std::collections::BTreeSet;
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::main_job::{kubectl, with_kubectl};
use crate::user::User;
use tritondeploy_support::sandbox::root;

const PROGRAM: &str = env!("CARGO_BIN_EXE_tritondeploy");

/// Those of all containers, by time.
pub fn the_logs_of_all_containers_are_one(user: &User) {
    let all = lines(&user.does(&["logs", "--json", "--since", "2h"]).out);
    let containers: BTreeSet<&str> = all.iter().filter_map(|line| line["container"].as_str()).collect();
    assert_eq!(containers, BTreeSet::from(["gateway", "sync", "triton"]));
    for (container, known) in [
        ("sync", "the models are on disk"),
        ("triton", "Started HTTPService at 127.0.0.1:8000"),
        ("gateway", "ready: every required model is READY"),
    ] {
        let says =
            |line: &Value| line["container"] == container && line["line"].as_str().is_some_and(|text| text.contains(known));
        assert!(all.iter().any(says), "{container} does not say {known:?}");
    }
    let times: Vec<jiff::Timestamp> = all.iter().map(|line| line["time"].as_str().unwrap().parse().unwrap()).collect();
    assert!(times.is_sorted(), "{all:?}");

    let one = user.does(&["logs", "--container", "gateway", "--tail", "1"]).out;
    assert!(one.lines().count() == 1 && one.contains("/gateway  {"), "{one}");
    let no_container = user.run(&["logs", "--container", "nobody"]);
    assert!(no_container.code == Some(2) && no_container.err.contains("gateway"), "{}", no_container.err);
    let no_pod = user.run(&["logs", "--pod", "nobody"]);
    assert!(no_pod.code == Some(1) && no_pod.err.contains("there is no pod nobody"), "{}", no_pod.err);
    let head = user.other("bash", &["-c", "set -o pipefail; \"$0\" logs | head -n 1", PROGRAM]);
    assert!(head.code == Some(0) && head.out.lines().count() == 1 && head.err.is_empty(), "{:?}: {}", head.code, head.err);
}

/// What is logged from now on, until Ctrl-C.
pub fn the_logs_are_followed_until_ctrl_c(user: &User) {
    let shown = || lines(&std::fs::read_to_string(user.path("out")).unwrap_or_default());
    let mut following = user.start(&["logs", "--follow", "--tail", "0", "--container", "gateway", "--json"]);
    let photo = root().join("assets/cat.png");
    let photo = photo.to_str().unwrap();
    let begun = Instant::now();
    let answered = || shown().iter().any(|line| line["line"].as_str().is_some_and(|text| text.contains(r#""answered""#)));
    while !answered() {
        assert!(begun.elapsed() < Duration::from_secs(120), "the request is not shown");
        user.does(&["infer", photo, "--json"]);
        sleep(Duration::from_millis(500));
    }
    assert!(shown().iter().all(|line| line["container"] == "gateway"), "{:?}", shown());
    let begun = Instant::now();
    assert!(Command::new("kill").args(["-INT", &following.id().to_string()]).status().unwrap().success());
    let ended = loop {
        match following.try_wait().unwrap() {
            Some(ended) => break ended,
            None if begun.elapsed() > Duration::from_secs(20) => {
                following.kill().unwrap();
                panic!("it does not end at Ctrl-C");
            }
            None => sleep(Duration::from_millis(50)),
        }
    };
    assert_eq!(ended.code(), Some(130));
}

/// Of a pod, by those who reach its ports: here by way of the API server.
pub fn the_metrics_of_both_programs_can_be_scraped_in_the_cluster(user: &User) {
    let pods = kubectl(user, &["get", "pods", "-n", "triton", "-o", "json"]);
    let (name, spec) = (pods["items"][0]["metadata"]["name"].as_str().unwrap(), &pods["items"][0]["spec"]);
    let ports = spec["containers"].as_array().unwrap().iter().flat_map(|c| c["ports"].as_array().cloned().unwrap_or_default());
    let port = ports.into_iter().find(|port| port["name"] == "scrape").unwrap()["containerPort"].clone();
    for (path, series) in [("metrics", "tritondeploy_gateway_model_ready"), ("triton/metrics", "nv_inference_request_success")] {
        let raw = format!("/api/v1/namespaces/triton/pods/{name}:{port}/proxy/{path}");
        let ran = with_kubectl(user, &["get", "--raw", &raw]);
        assert!(ran.out.contains(series), "{path}: {} {}", ran.out, ran.err);
    }
}

/// It has everything of a deployment that is well, and nothing that must not be pasted.
pub fn the_report_for_support_has_everything_but_secrets(user: &User) {
    let status = user.does(&["status", "--report", "report.md", "--json"]).json();
    assert_eq!((&status["healthy"], &status["report"]), (&true.into(), &"report.md".into()), "{status}");
    let report = std::fs::read_to_string(user.path("report.md")).unwrap();
    for told in [
        "- health: healthy\n",
        "| 8080 | 0.0.0.0 | gateway",
        "| 8081 | 127.0.0.1 | gateway",
        "| 8082 | 0.0.0.0 | gateway",
        "| 8083 | 0.0.0.0 | gateway",
        "| 8084 | 0.0.0.0 | gateway",
        "| 8085 | 0.0.0.0 | gateway",
        "| 8000 | 127.0.0.1 | Triton",
        "| 8001 | 127.0.0.1 | Triton",
        "| 8002 | 127.0.0.1 | Triton",
        "| efficientnet_lite0 | 1 | READY |",
        "- Kubernetes: v1.",
        "- GPUs that Triton sees in triton-server-",
        "| kube/deployment | ready |",
        "    instance_type = ",
        "## What could not be read\n\nNothing: all of it was read.\n",
    ] {
        assert!(report.contains(told), "no {told:?} in {report}");
    }
    let account = status["account"].as_str().unwrap();
    for secret in [account, &user.env["AWS_SECRET_ACCESS_KEY"], &user.env["AWS_ACCESS_KEY_ID"]] {
        assert!(!report.contains(secret), "{secret:?} is in {report}");
    }
    let screen = user.does(&["status", "--report", "-"]).out;
    assert!(screen.starts_with("# tritondeploy status report\n"), "{screen}");
}

/// It is written of what does not exist, too, and says so.
pub fn the_report_of_nothing_says_what_could_not_be_read(user: &User) {
    user.does(&["status", "--report", "nothing.md"]);
    let report = std::fs::read_to_string(user.path("nothing.md")).unwrap();
    let (_, missing) = report.split_once("## What could not be read\n").unwrap_or_else(|| panic!("{report}"));
    assert!(missing.contains("- the cluster: there is no cluster triton-streaming-cluster that answers\n"), "{report}");
    assert!(
        report.contains("- health: no resource of this deployment exists\n") && report.contains("    instance_type = "),
        "{report}"
    );
}

fn lines(text: &str) -> Vec<Value> {
    // The last one may not be whole yet.
    text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}
