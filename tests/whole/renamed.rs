//! Another Service in another namespace: the old one goes, and nobody's things with it.

use serde_json::Value;

use crate::main_job::{kubectl, with_kubectl};
use crate::user::User;
use tritondeploy_support::sandbox::Sandbox;

#[test]
fn a_renamed_service_and_namespace_leave_no_old_balancer_and_no_old_pod_and_take_nothing_of_others() {
    let sandbox = Sandbox::start();
    let before = sandbox.dump();
    let user = User::of(&sandbox);
    let first = user.does(&["up", "--yes", "--json"]).json();
    let old = first["facts"]["websocket"].as_str().unwrap().to_owned();
    user.does(&["kubeconfig", "--output", "kubeconfig"]);
    assert!(with_kubectl(&user, &["create", "configmap", "notes", "-n", "triton"]).code == Some(0));

    let copy = ["create", "deployment", "copy", "--image=busybox", "--replicas=0", "-n", "default"];
    assert!(with_kubectl(&user, &copy).code == Some(0));
    let label = format!("tritondeploy/deployment={}", first["facts"]["cluster_name"].as_str().unwrap());
    assert!(with_kubectl(&user, &["label", "deployment", "copy", &label, "-n", "default"]).code == Some(0));

    user.edit(|text| text.replace("[workload]\n", "[workload]\nnamespace = \"seeing\"\nservice = \"vision\"\n"));
    let plan = user.does(&["plan"]).out;
    let service = format!(
        "  - kube/service/triton/triton-server: {old} (not in the configuration any more: workload.namespace was triton, \
         workload.service was triton-server)"
    );
    for told in [
        &*service,
        "  - kube/deployment/triton/triton-server (not in",
        "  - kube/config-map/triton/gateway (not in",
        "Left, though it is not in the configuration any more: namespace triton, which holds what is not ours: ConfigMap notes.",
        "4 to delete",
    ] {
        assert!(plan.contains(told), "no {told:?} in {plan}");
    }
    let status = user.run(&["status"]);
    assert!(status.code == Some(1) && status.out.contains(&service), "{}{}", status.out, status.err);

    // The one GPU goes from the old pod to the new one, and the old Service last.
    let up = user.does(&["up", "--yes", "--json"]);
    let (last, label) = (up.json(), up.json()["facts"]["label"].as_str().unwrap_or_default().to_lowercase());
    assert!(label.contains("cat") || label.contains("tabby"), "{last}");
    let events: Vec<Value> = up.out.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let at = |event: &str, node: &str| {
        let is_it = |told: &Value| told["event"] == event && told["node"] == node;
        events.iter().position(is_it).unwrap_or_else(|| panic!("no {event} of {node} in {}", up.out))
    };
    assert!(at("started", "kube/deployment/triton/triton-server") > at("finished", "kube/deployment"));
    assert!(at("started", "kube/deployment/triton/triton-server") < at("finished", "kube/rollout"));
    assert!(at("started", "kube/service/triton/triton-server") > at("finished", "proof"));
    let new = last["facts"]["websocket"].as_str().unwrap();
    let balancers = sandbox.dump()["elbv2/us-east-1"]["load_balancers"].to_string();
    let host = |url: &str| url.trim_start_matches("ws://").split(':').next().unwrap().to_owned();
    assert!(balancers.contains(&host(new)) && !balancers.contains(&host(&old)), "{balancers}");

    // What somebody else put there, or copied from us, is still there, and so is its namespace, until they take it away.
    assert_eq!(kubectl(&user, &["get", "configmap", "notes", "-n", "triton", "-o", "json"])["metadata"]["name"], "notes");
    assert_eq!(kubectl(&user, &["get", "deployment", "copy", "-n", "default", "-o", "json"])["metadata"]["name"], "copy");
    let again = user.does(&["up", "--yes", "--json"]).json();
    assert_eq!(again["outcome"]["changed"], 0, "{again}");
    let status = user.does(&["status", "--json"]).json();
    assert_eq!((&status["healthy"], status["orphans_kept"].as_array().map(Vec::len)), (&true.into(), Some(1)), "{status}");
    assert!(with_kubectl(&user, &["delete", "configmap", "notes", "-n", "triton"]).code == Some(0));
    let plan = user.does(&["plan"]).out;
    assert!(plan.contains("  - kube/namespace/triton (not in") && plan.contains("1 to delete"), "{plan}");
    let again = user.does(&["up", "--yes", "--json"]).json();
    assert_eq!(again["outcome"]["changed"], 1, "{again}");

    let down = user.does(&["down", "--yes", "--json"]).json();
    assert_eq!(down["left"], Value::Array(Vec::new()));
    assert_eq!(sandbox.dump(), before, "down has left something, or taken something that was there before");
}
