//! The main job, from nothing to a classified photo and back to nothing.

use std::path::Path;

use serde_json::Value;

use crate::crashes::{holds, kill};
use crate::looking;
use crate::user::{Ran, User};
use tritondeploy_support::sandbox::{Sandbox, USER, root};

#[test]
fn the_main_job_from_nothing_to_a_classified_photo_and_back_to_nothing() {
    let sandbox = Sandbox::start();
    let before = sandbox.dump();
    let user = User::of(&sandbox);
    somebodys_ca_is_trusted(&user);
    every_port_is_exposed(&user);
    tags_are_asked_for(&user);

    let up = user.does(&["up", "--yes", "--json"]).json();
    let label = up["facts"]["label"].as_str().unwrap_or_default().to_lowercase();
    assert!(label.contains("cat") || label.contains("tabby"), "{up}");
    let score: f64 = up["facts"]["score"].as_str().unwrap_or_default().parse().unwrap_or_default();
    assert!((0.73..0.81).contains(&score), "{up}");

    a_photo_of_ones_own_is_classified(&user);
    a_photo_is_classified_where_it_is(&sandbox, &user, &up);
    status_says_that_it_is_healthy(&user);
    looking::the_logs_of_all_containers_are_one(&user);
    looking::the_logs_are_followed_until_ctrl_c(&user);
    looking::the_report_for_support_has_everything_but_secrets(&user);
    the_test_of_todays_users_passes(&user, &up);
    every_check_from_outside_passes(&user);
    the_balancer_and_the_nodes_have_the_users_tags(&sandbox, &user);
    a_port_that_closes_is_planned_in_place(&user);
    kubectl_works_with_our_kubeconfig(&user);
    looking::the_metrics_of_both_programs_can_be_scraped_in_the_cluster(&user);
    the_pod_has_the_ca(&user);
    up_twice_changes_nothing(&sandbox);
    a_newer_gateway_is_planned_in_words(&user);
    what_was_changed_by_hand_is_told_and_put_back(&user);
    a_changed_model_is_pushed_and_answers(&user);
    a_broken_model_is_refused_and_the_former_still_answers(&user);
    a_pod_that_serves_what_nobody_published_is_told_and_served_the_release_again(&sandbox, &user);

    let down = user.does(&["down", "--yes", "--json"]).json();
    assert_eq!(down["left"], Value::Array(Vec::new()));
    looking::the_report_of_nothing_says_what_could_not_be_read(&user);
    let after = sandbox.dump();
    assert_eq!(before, after, "down has left something, or taken something that was there before");
}

fn tags_are_asked_for(user: &User) {
    user.edit(|text| format!("{text}\n[tags]\n\"Cost Centre\" = \"4711\"\nformula = \"a=b\"\n"));
}

/// What others make for us has them too, the second of which the Service's annotation cannot carry.
fn the_balancer_and_the_nodes_have_the_users_tags(sandbox: &Sandbox, user: &User) {
    let region = &user.env["AWS_REGION"];
    let of = |kind: &str| -> usize {
        let dump = sandbox.dump();
        let tagged = [&dump[format!("elbv2/{region}")]["tagging_service"], &dump[format!("ec2/{region}")]["tags"]];
        let all = tagged.into_iter().filter_map(Value::as_object).flatten();
        let all = all.filter(|(id, _)| id.starts_with(kind) || (kind.starts_with(':') && id.contains(kind)));
        all.filter(|(_, tags)| tags["Cost Centre"] == "4711" && tags["formula"] == "a=b").count()
    };
    // Three ports, and a target group for each.
    assert_eq!((of(":loadbalancer/net/"), of(":targetgroup/")), (1, 3), "{}", sandbox.dump());
    assert!(of("i-") == 1 && of("vol-") == 1 && of("eni-") > 0, "{}", sandbox.dump());
}

fn a_photo_of_ones_own_is_classified(user: &User) {
    let photo = root().join("assets/cat.png");
    let photo = photo.to_str().unwrap();
    let answer = user.does(&["infer", photo, "--model", "efficientnet_lite0", "--json"]).json();
    let best = &answer["models"][0]["top"][0];
    let top = best["label"].as_str().unwrap_or_default().to_lowercase();
    assert!(top.contains("cat") || top.contains("tabby"), "{answer}");
    assert!((0.73..0.81).contains(&best["score"].as_f64().unwrap_or_default()), "{answer}");
    let pair = user.does(&["infer", photo, "--json"]).json();
    let aliases: Vec<_> = pair["models"].as_array().unwrap().iter().map(|model| &model["alias"]).collect();
    assert_eq!(aliases, ["efficientnet_lite0", "densenet", "resnet"], "{pair}");
    assert_eq!(pair["models"][2]["top"].as_array().map(Vec::len), Some(5), "{pair}");
}

/// Nothing is put into the bucket for it.
fn a_photo_is_classified_where_it_is(sandbox: &Sandbox, user: &User, up: &Value) {
    sandbox.ask("POST", "reset-calls");
    let own = root().join("assets/cat.png");
    let own = user.does(&["infer", own.to_str().unwrap(), "--top", "2", "--json"]).json();
    let bucket = up["facts"]["bucket"].as_str().unwrap();
    let object = |key: &str| format!("s3://{bucket}/{key}");
    let theirs = user.does(&["infer", &object("images/tritondeploy-proof.png"), "--top", "2", "--json"]).json();
    assert_eq!(own["models"], theirs["models"]);
    let told = user.does(&["infer", &object("images/tritondeploy-proof.png"), "--model", "efficientnet_lite0"]).out;
    assert!(told.contains("efficientnet_lite0\n") && told.contains("285  Egyptian cat"), "{told}");
    let none = user.run(&["infer", &object("images/none.png")]);
    assert!(none.code == Some(1) && none.err.contains("not_found_or_forbidden"), "{}", none.err);
    assert!(none.err.contains("name another photo"), "{}", none.err);
    let calls = sandbox.mutating_calls();
    assert!(calls.is_empty(), "{calls:?}");
}

fn status_says_that_it_is_healthy(user: &User) {
    let status = user.does(&["status", "--json"]).json();
    assert_eq!(status["healthy"], true, "{status}");
    for key in [
        "vpc_id",
        "vpc_cidr",
        "public_subnet_id",
        "private_subnet_id",
        "nat_public_ip",
        "cluster_name",
        "cluster_endpoint",
        "oidc_issuer",
        "websocket",
        "http",
        "metrics",
    ] {
        assert!(status["facts"][key].as_str().is_some_and(|value| !value.is_empty()), "{key} is missing in {}", status["facts"]);
    }
}

/// The sandbox speaks plain HTTP: any certificate will do.
fn somebodys_ca_is_trusted(user: &User) {
    let system = std::fs::read_to_string("/etc/ssl/certs/ca-certificates.crt").unwrap();
    let (first, _) = system.split_once("-----END CERTIFICATE-----").unwrap();
    std::fs::write(user.path("roots.pem"), format!("{first}-----END CERTIFICATE-----\n")).unwrap();
    user.edit(|text| format!("ca_bundle = \"roots.pem\"\n{text}"));
}

fn every_port_is_exposed(user: &User) {
    user.edit(|text| text.replace("[workload]\n", "[workload]\nexpose = [\"ws\", \"http\", \"metrics\"]\n"));
}

/// A client that knows Triton's ports, the WebSocket and the bucket, and nothing of ours.
fn the_test_of_todays_users_passes(user: &User, up: &Value) {
    let fact = |key: &str| up["facts"][key].as_str().unwrap_or_else(|| panic!("no {key} in {up}"));
    let host = fact("websocket").trim_start_matches("ws://").trim_end_matches(":8080/");
    assert_eq!(fact("http"), format!("http://{host}:8000"));
    assert_eq!(fact("metrics"), format!("http://{host}:8002/metrics"));
    let packages = std::fs::read_dir(tritondeploy_support::sandbox::cache().join("venv/lib")).unwrap().next().unwrap().unwrap();
    let (script, packages) = (root().join("tests/whole/users_checks.py"), packages.path().join("site-packages"));
    let script = ["14.2", script.to_str().unwrap(), host, fact("bucket"), "images/tritondeploy-proof.png"];
    let ran = user.other(root().join("gateway/bench/websockets"), &[&script[..], &[packages.to_str().unwrap()]].concat());
    eprintln!("{}{}", ran.out, ran.err);
    assert!(ran.code == Some(0) && ran.out.contains("Connection successful!"), "{}{}", ran.out, ran.err);
    assert_eq!(ran.out.matches(": passed").count(), 7, "{}", ran.out);
    // The balancer opens nothing else, and nobody changes a model through what it opens.
    let curl = |path: &str| {
        let url = format!("http://{host}{path}");
        user.other("curl", &["-sS", "-m", "20", "-o", "/dev/null", "-w", "%{http_code}", "-d", "{}", &url]).out
    };
    assert_eq!(curl(":8000/v2/repository/models/densenet_onnx/unload"), "404");
    assert_eq!(curl(":8002/v2/repository/models/densenet_onnx/unload"), "404");
    for closed in [":8001/", ":8081/metrics", ":8082/healthz", ":8083/metrics", ":8084/v2", ":8085/metrics"] {
        assert_eq!(curl(closed), "000", "{closed}");
    }
}

/// With every port open, and as the configuration is by itself, where what answers all the same is a finding.
fn every_check_from_outside_passes(user: &User) {
    let open = user.does(&["test", "--json"]).json();
    let names = |verdict: &str, told: &Value| -> Vec<String> {
        let checks = told["checks"].as_array().unwrap_or_else(|| panic!("{told}"));
        let of = checks.iter().filter(|check| check["verdict"] == verdict);
        of.filter_map(|check| check["name"].as_str()).map(str::to_owned).collect()
    };
    assert_eq!((&open["failed"], &open["skipped"], &open["closed"]), (&0.into(), &0.into(), &0.into()), "{open}");
    let passed = names("passed", &open);
    for name in ["address", "triton/index", "bucket/list", "bucket/read", "inference/densenet_onnx", "protocol/v0", "round-trips"]
    {
        assert!(passed.iter().any(|passed| passed == name), "{name}: {open}");
    }
    let told = user.does(&["test"]).out;
    assert!(told.contains("Connection successful!") && told.contains("you can list it: 1 object in"), "{told}");
    assert!(told.contains("the gateway can read it: images/tritondeploy-proof.png"), "{told}");
    assert!(told.ends_with("\nAll is well: 18 passed.\n"), "{told}");

    user.edit(|text| text.replace(", \"http\", \"metrics\"]", "]"));
    let drifted = user.run(&["test", "--level", "extended", "--json"]);
    let told = drifted.json();
    assert_eq!(drifted.code, Some(1), "{told}");
    assert_eq!(names("failed", &told), ["triton/health", "triton/metrics"], "{told}");
    assert_eq!(told["next"], "tritondeploy up (it puts back what differs)", "{told}");
    user.edit(|text| text.replace("[\"ws\"]", "[\"ws\", \"http\", \"metrics\"]"));
}

fn a_port_that_closes_is_planned_in_place(user: &User) {
    user.edit(|text| text.replace(", \"metrics\"]", "]"));
    let plan = user.does(&["plan"]).out;
    let told = ["~ kube/config-map", "~ kube/deployment", "~ kube/service", "3 to change."];
    assert!(told.iter().all(|words| plan.contains(words)) && !plan.contains("cannot be changed"), "{plan}");
    user.edit(|text| text.replace("\"http\"]", "\"http\", \"metrics\"]"));
}

/// The pod is ready, so that its gateway has read it.
fn the_pod_has_the_ca(user: &User) {
    let map = kubectl(user, &["get", "configmap", "gateway", "-n", "triton", "-o", "json"]);
    assert!(map["data"]["ca.pem"].as_str().unwrap_or_default().starts_with("-----BEGIN CERTIFICATE-----"), "{map}");
    assert!(map["data"]["gateway.toml"].as_str().unwrap_or_default().contains("ca_bundle"), "{map}");
}

fn a_newer_gateway_is_planned_in_words(user: &User) {
    let program = Path::new(env!("CARGO_BIN_EXE_tritondeploy"));
    let newer = user.path("newer");
    std::fs::create_dir(&newer).unwrap();
    std::fs::copy(program, newer.join("tritondeploy")).unwrap();
    let mut gateway = std::fs::read(program.with_file_name("tritondeploy-gateway")).unwrap();
    gateway.push(0);
    std::fs::write(newer.join("tritondeploy-gateway"), gateway).unwrap();
    let plan = user.other(newer.join("tritondeploy"), &["plan"]).out;
    let told = ["+ gateway-image", "~ kube/deployment\n      manifest: known after gateway-image\n", "1 to create, 1 to change."];
    assert!(told.iter().all(|words| plan.contains(words)), "{plan}");
}

fn what_was_changed_by_hand_is_told_and_put_back(user: &User) {
    let open = r#"{"spec": {"loadBalancerSourceRanges": ["0.0.0.0/0"]}}"#;
    kubectl(user, &["patch", "service", "triton-server", "-n", "triton", "--type", "merge", "-p", open, "-o", "json"]);
    let told = user.run(&["status"]);
    let field = r#"spec.loadBalancerSourceRanges: ["0.0.0.0/0"] -> ["198.18.0.0/15"]"#;
    assert!(told.code == Some(1) && told.out.contains(field) && !told.out.contains("Healthy"), "{}", told.out);
    assert!(told.err.contains("not as configured: kube/service") && told.err.contains("next: tritondeploy up"), "{}", told.err);
    let status = user.run(&["status", "--json"]).json();
    assert_eq!((&status["healthy"], &status["drift"][0]["node"]), (&false.into(), &"kube/service".into()), "{status}");
    let mended = user.does(&["up", "--yes", "--json"]).json();
    assert_eq!(mended["outcome"]["changed"], 1, "{mended}");
    status_says_that_it_is_healthy(user);
}

/// What kubectl answers with the user's kubeconfig, as JSON.
pub fn kubectl(user: &User, args: &[&str]) -> Value {
    let ran = with_kubectl(user, args);
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    serde_json::from_str(&ran.out).unwrap()
}

/// How kubectl ends with the user's kubeconfig.
pub fn with_kubectl(user: &User, args: &[&str]) -> Ran {
    let config = user.path("kubeconfig");
    let all = [&["kubectl", "--kubeconfig", config.to_str().unwrap()], args].concat();
    user.other(tritondeploy_support::sandbox::cache().join("bin/cluster"), &all)
}

fn kubectl_works_with_our_kubeconfig(user: &User) {
    user.does(&["kubeconfig", "--output", "kubeconfig"]);
    let items = kubectl(user, &["get", "nodes,pods", "-A", "-o", "json"]);
    let kinds: Vec<&str> = items["items"].as_array().unwrap().iter().filter_map(|item| item["kind"].as_str()).collect();
    assert!(kinds.contains(&"Node") && kinds.contains(&"Pod"), "{kinds:?}");
}

fn up_twice_changes_nothing(sandbox: &Sandbox) {
    sandbox.ask("POST", "reset-calls");
    let writes = sandbox.kubernetes_writes().len();
    let mut offline = User::of(sandbox);
    somebodys_ca_is_trusted(&offline);
    every_port_is_exposed(&offline);
    tags_are_asked_for(&offline);
    offline.env.insert("DOCKER_HOST".to_owned(), "unix:///nonexistent/docker.sock".to_owned());
    let again = offline.does(&["up", "--yes", "--json"]).json();
    assert_eq!(again["outcome"]["changed"], 0, "{again}");
    let calls = sandbox.mutating_calls();
    assert!(calls.is_empty(), "{calls:?}");
    let more = sandbox.kubernetes_writes().split_off(writes);
    assert!(more.is_empty(), "{more:?}");
}

fn a_changed_model_is_pushed_and_answers(user: &User) {
    user.changes_a_model();
    let pushed = user.does(&["push-models", "--json"]).json();
    assert_eq!(pushed["changed"], serde_json::json!(["efficientnet_lite0"]), "{pushed}");
    let model = &pushed["pods"][0]["models"];
    let loaded = model.as_array().unwrap().iter().find(|model| model["name"] == "efficientnet_lite0").unwrap();
    assert_eq!((&loaded["action"], &loaded["version"]), (&"loaded".into(), &"2".into()), "{pushed}");
    a_photo_of_ones_own_is_classified(user);
    let again = user.does(&["push-models", "--json"]).json();
    assert_eq!(again["changed"], serde_json::json!([]), "{again}");
}

fn a_broken_model_is_refused_and_the_former_still_answers(user: &User) {
    // It reads as ONNX with the right inputs and outputs, and no runtime can load it: an operator that is none.
    let path = user.path("models/efficientnet_lite0/1/model.onnx");
    let good = std::fs::read(&path).unwrap();
    let mut bad = good.clone();
    let at = bad
        .windows(8)
        .position(|window| window == b"\x22\x04Conv\x2a")
        .or_else(|| bad.windows(6).position(|window| window == b"\x22\x04Conv"));
    let at = at.expect("a Conv node");
    bad[at + 2..at + 6].copy_from_slice(b"Conx");
    std::fs::write(&path, &bad).unwrap();
    let refused = user.run(&["push-models"]);
    assert_eq!(refused.code, Some(1));
    assert!(refused.err.contains("efficientnet_lite0") && refused.err.contains("former"), "{}", refused.err);
    a_photo_of_ones_own_is_classified(user);
    std::fs::write(&path, &good).unwrap();
    let again = user.does(&["push-models", "--json"]).json();
    assert_eq!(again["changed"], serde_json::json!([]), "{again}");
}

/// Killed between the answer of the pod and the publication; then the old files are put back.
fn a_draft_is_left_in_the_pod(sandbox: &Sandbox, user: &User) {
    let path = user.path("models/efficientnet_lite0/1/model.onnx");
    let good = std::fs::read(&path).unwrap();
    user.changes_a_model();
    // The lease, the draft, the weights, and what is published.
    sandbox.ask("POST", &format!("hold?nth=4&when=before&who={USER}&action=s3:PutObject"));
    kill(user, &["push-models"], || holds(sandbox));
    sandbox.ask("POST", "release");
    std::fs::write(&path, &good).unwrap();
}

fn a_pod_that_serves_what_nobody_published_is_told_and_served_the_release_again(sandbox: &Sandbox, user: &User) {
    let pods = kubectl(user, &["get", "pods", "-n", "triton", "-o", "json"]);
    let pod = pods["items"][0]["metadata"]["name"].as_str().unwrap();

    a_draft_is_left_in_the_pod(sandbox, user);
    let status = user.run(&["status"]);
    assert_eq!(status.code, Some(1), "{}", status.out);
    assert!(status.out.contains(&format!("the pod {pod} serves the release ")), "{}", status.out);
    assert!(status.err.contains("models/served") && status.err.contains("tritondeploy up"), "{}", status.err);
    let plan = user.does(&["plan"]).out;
    assert!(plan.contains("~ models") && plan.contains(&format!("pods_with_another_release: [\"{pod}\"] -> []")), "{plan}");
    let again = user.does(&["push-models", "--json"]).json();
    assert_eq!((&again["changed"], &again["pods"][0]["pod"]), (&serde_json::json!([]), &pod.into()), "{again}");
    assert_eq!(user.does(&["status", "--json"]).json()["healthy"], true);

    a_draft_is_left_in_the_pod(sandbox, user);
    let up = user.does(&["up", "--yes", "--json"]).json();
    assert_eq!(up["outcome"]["changed"], 1, "{up}");
    assert_eq!(user.does(&["status", "--json"]).json()["healthy"], true);
    a_photo_of_ones_own_is_classified(user);
}
