//! What goes wrong with pods that ran, provoked one after another: `status` tells each by its cause, and by no other.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::main_job::{kubectl, with_kubectl};
use crate::user::{User, aws};
use tritondeploy_support::faults::Mode;
use tritondeploy_support::sandbox::Sandbox;

/// How each cause is told.
const TOLD: [&str; 7] = [
    "is not reached from the node (",
    "does not exist (",
    "no node has as much memory as it asks for (",
    "takes more memory than its limit (",
    "may not be read",
    "offers no GPU: ",
    "pods_without_role",
];

/// What `status` says of a node.
fn of_node(status: &Value, node: &str) -> String {
    let nodes = status["nodes"].as_array().unwrap_or_else(|| panic!("{status}"));
    nodes.iter().find(|seen| seen["node"] == node).map(Value::to_string).unwrap_or_default()
}

/// Asks until a node tells this cause, and holds it to that: no other one may be named beside it.
fn tells(user: &User, node: &str, cause: &str) {
    let begun = Instant::now();
    loop {
        let status = user.run(&["status", "--json"]).json();
        let told = of_node(&status, node);
        let others = TOLD.into_iter().filter(|other| *other != cause && told.contains(other)).collect::<Vec<_>>();
        if told.contains(cause) {
            assert!(others.is_empty(), "{others:?} beside {cause}: {told}");
            return;
        }
        assert!(begun.elapsed() < Duration::from_secs(120), "{node} never told {cause:?}: {told}");
        std::thread::sleep(Duration::from_millis(500));
    }
}

fn does(user: &User, args: &[&str]) {
    let ran = with_kubectl(user, args);
    assert_eq!(ran.code, Some(0), "kubectl {args:?}: {}", ran.err);
}

/// Changes Triton's container behind our back. The pods before it are not waited for: they would drain for minutes.
fn with_triton(user: &User, change: &Value) {
    let mut triton = json!([{"name": "triton"}]);
    triton[0].as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
    let patch = json!({"spec": {"template": {"spec": {"containers": triton}}}}).to_string();
    does(user, &["patch", "deployment", "triton-server", "-n", "triton", "--patch", &patch]);
    anew(user);
}

/// Lets the pods be made anew.
fn anew(user: &User) {
    does(user, &["delete", "pods", "-n", "triton", "--all", "--force", "--grace-period=0"]);
}

/// As it is: of one that another program makes, the webhook hears as late.
fn the_account_is_made_anew(user: &User) {
    let mut accounts = kubectl(user, &["get", "serviceaccounts", "-n", "triton", "-o", "json"]);
    let all = accounts["items"].as_array_mut().unwrap();
    let mut account = all.iter().find(|account| account["metadata"]["name"] != "default").unwrap().clone();
    for read_only in ["uid", "resourceVersion", "creationTimestamp", "managedFields"] {
        account["metadata"].as_object_mut().unwrap().remove(read_only);
    }
    std::fs::write(user.path("account.json"), account.to_string()).unwrap();
    let name = account["metadata"]["name"].as_str().unwrap();
    does(user, &["delete", "serviceaccount", name, "-n", "triton"]);
    does(user, &["create", "-f", user.path("account.json").to_str().unwrap()]);
}

#[tokio::test]
async fn each_failure_of_a_pod_and_of_its_gpu_is_told_by_its_cause_and_by_no_other() {
    let sandbox = Sandbox::start();
    let before = sandbox.dump();
    let user = User::of(&sandbox);
    user.does(&["up", "--yes", "--json"]);
    user.does(&["kubeconfig", "--output", "kubeconfig"]);

    // The sandbox's machine has no way to nvcr.io, and of an image that its mirror has not, that is the truth.
    with_triton(&user, &json!({"image": "nvcr.io/nvidia/tritonserver:0.0-none"}));
    tells(&user, "kube/rollout", "is not reached from the node (");
    let image = "nvcr.io/nvidia/tritonserver:24.10-py3";
    with_triton(&user, &json!({"image": image, "resources": {"requests": {"memory": "900Gi"}, "limits": {"memory": "900Gi"}}}));
    tells(&user, "kube/rollout", "no node has as much memory as it asks for (");
    with_triton(&user, &json!({"resources": {"requests": {"memory": "24Mi"}, "limits": {"memory": "24Mi"}}}));
    tells(&user, "kube/rollout", "takes more memory than its limit (");

    // Of its role no file can be read any more, and so none is: the init step says so.
    let iam = aws(&sandbox).await.iam;
    let roles = iam.list_roles().send().await.unwrap().roles;
    let role = roles.iter().map(|role| role.role_name()).find(|name| name.ends_with("-workload")).expect("the pods' role");
    let policies = iam.list_role_policies().role_name(role).send().await.unwrap().policy_names;
    iam.delete_role_policy().role_name(role).policy_name(&policies[0]).send().await.unwrap();
    with_triton(&user, &json!({"resources": {"requests": {"memory": "1Gi"}, "limits": {"memory": "4Gi"}}}));
    tells(&user, "kube/rollout", "may not be read");

    let crash = json!({"spec": {"template": {"spec": {"containers": [{"name": "device-plugin", "command": ["/none"]}]}}}});
    let plugin = ["patch", "daemonset", "nvidia-device-plugin", "-n", "kube-system", "--patch"];
    does(&user, &[&plugin[..], &[&crash.to_string()]].concat());
    tells(&user, "kube/gpus", "offers no GPU: ");
    // A field that `up` does not set is left to whoever set it: it is for us to mend this one.
    let mended = json!([{"op": "remove", "path": "/spec/template/spec/containers/0/command"}]);
    does(&user, &[&plugin[..], &[&mended.to_string(), "--type", "json"]].concat());

    // A pod that is made while the webhook does not know its account has no role, until it is made anew.
    sandbox.mode(Mode::CachedServiceAccount);
    the_account_is_made_anew(&user);
    anew(&user);
    tells(&user, "kube/pod-role", "pods_without_role");
    sandbox.ask("DELETE", "modes");

    let up = user.does(&["up", "--yes", "--json"]).json();
    assert!(up["facts"]["label"].is_string(), "{up}");
    let status = user.does(&["status", "--json"]).json();
    assert_eq!(status["healthy"], true, "{status}");
    let down = user.does(&["down", "--yes", "--json"]).json();
    assert_eq!(down["left"], Value::Array(Vec::new()));
    assert_eq!(sandbox.dump(), before);
}
