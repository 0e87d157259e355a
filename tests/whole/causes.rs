//! What goes wrong with pods, provoked one after another: `up` and `status` tell each by its cause, and by no other.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::main_job::{kubectl, with_kubectl};
use crate::registry::push_for_arm;
use crate::user::{User, aws};
use tritondeploy_support::faults::{Effect, Fault, Mode};
use tritondeploy_support::sandbox::Sandbox;

/// How each cause is told.
const TOLD: [&str; 11] = [
    "is not reached from the node (",
    "does not exist (",
    "is not made for the node's processor (",
    "does not let the node pull its image",
    "no node has as many free GPUs as it asks for (",
    "no node has as much memory as it asks for (",
    "takes more memory than its limit (",
    "may not be read",
    "Triton refuses ",
    "offers no GPU: ",
    "pods_without_role",
];

/// No other cause is named beside this one.
fn names_only(told: &str, cause: &str) {
    let named: Vec<&str> = TOLD.into_iter().filter(|one| told.contains(one)).collect();
    assert_eq!(named, [cause], "{told}");
}

/// `up` ends for this cause of a node, in the first line that it prints of it.
fn up_fails(user: &User, node: &str, cause: &str) {
    let up = user.run(&["up", "--yes"]);
    assert_eq!(up.code, Some(1), "{}", up.err);
    let first = up.err.lines().find(|line| line.starts_with("error: ")).unwrap_or_else(|| panic!("{}", up.err));
    assert!(first.starts_with(&format!("error: {node}: ")) && !first.contains("gave up"), "{}", up.err);
    names_only(first, cause);
}

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
        if told.contains(cause) {
            return names_only(&told, cause);
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

/// Whether the API server has answered 401.
fn was_unknown_to_kubernetes(sandbox: &Sandbox) -> bool {
    let clusters = std::fs::read_dir(sandbox.folder().join("clusters")).unwrap().flatten();
    let mut logs = clusters.map(|cluster| std::fs::read_to_string(cluster.path().join("audit.log")).unwrap_or_default());
    logs.any(|log| log.contains(r#""code":401"#))
}

#[tokio::test]
async fn each_failure_of_a_pod_and_of_its_gpu_is_told_by_its_cause_and_by_no_other() {
    let sandbox = Sandbox::start();
    let before = sandbox.dump();
    let user = User::of(&sandbox);

    // A batch that is larger than the largest: no check of ours knows that Triton refuses it.
    let config = user.path("models/efficientnet_lite0/config.pbtxt");
    let good = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, good.replace("dynamic_batching { }", "dynamic_batching { preferred_batch_size: [ 99 ] }")).unwrap();
    // Who has just been let in is not known to Kubernetes at once, and nodes that get no token for ECR pull as nobody.
    sandbox.mode(Mode::SlowAccessEntry { seconds: 600 });
    let denied = Effect::Error { code: "AccessDeniedException", status: 400 };
    sandbox.fault(&Fault::of(denied).on("ecr:GetAuthorizationToken").by(":user/eks"));
    up_fails(&user, "kube/rollout", "does not let the node pull its image");
    assert!(was_unknown_to_kubernetes(&sandbox), "the access entry had its effect at once");
    sandbox.ask("DELETE", "faults");
    sandbox.ask("DELETE", "modes");
    user.does(&["kubeconfig", "--output", "kubeconfig"]);
    // Or the kubelet waits with the next try, up to five minutes.
    anew(&user);
    up_fails(&user, "kube/rollout", "Triton refuses ");
    std::fs::write(&config, good).unwrap();
    user.does(&["up", "--yes", "--json"]);

    // A pod that is made while the webhook does not know its account has no role, until it is made anew.
    sandbox.mode(Mode::CachedServiceAccount);
    the_account_is_made_anew(&user);
    anew(&user);
    tells(&user, "kube/pod-role", "pods_without_role");
    sandbox.ask("DELETE", "modes");
    let up = user.does(&["up", "--yes", "--json"]).out;
    assert!(up.contains("was made before EKS knew its role, and is made anew"), "{up}");

    let ours = kubectl(&user, &["get", "deployment", "triton-server", "-n", "triton", "-o", "json"]);
    let containers = ours["spec"]["template"]["spec"]["containers"].as_array().unwrap();
    let of = |name: &str| containers.iter().find(|container| container["name"] == name).unwrap();
    let (gateway, triton) = (of("gateway")["image"].as_str().unwrap(), of("triton")["image"].clone());
    // REPOSITORY:TAG@DIGEST
    let (repository, _) = gateway.split('@').next().unwrap().rsplit_once(':').unwrap();
    // Nobody listens there.
    with_triton(&user, &json!({"image": "127.0.0.1:1/tritonserver:24.10-py3"}));
    tells(&user, "kube/rollout", "is not reached from the node (");
    for missing in ["nvcr.io/nvidia/tritonserver:0.0-none".to_owned(), format!("{repository}:none")] {
        with_triton(&user, &json!({"image": missing}));
        tells(&user, "kube/rollout", "does not exist (");
    }
    push_for_arm(&sandbox, repository, "arm").await;
    with_triton(&user, &json!({"image": format!("{repository}:arm")}));
    tells(&user, "kube/rollout", "is not made for the node's processor (");

    let resources = |kind: &str, size: &str| json!({"resources": {"requests": {kind: size}, "limits": {kind: size}}});
    with_triton(&user, &resources("nvidia.com/gpu", "8"));
    tells(&user, "kube/rollout", "no node has as many free GPUs as it asks for (");
    with_triton(&user, &resources("nvidia.com/gpu", "1"));
    with_triton(&user, &resources("memory", "900Gi"));
    tells(&user, "kube/rollout", "no node has as much memory as it asks for (");
    let mut little = resources("memory", "24Mi");
    little["image"] = triton;
    with_triton(&user, &little);
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

    let up = user.does(&["up", "--yes", "--json"]).json();
    assert!(up["facts"]["label"].is_string(), "{up}");
    let status = user.does(&["status", "--json"]).json();
    assert_eq!(status["healthy"], true, "{status}");
    let down = user.does(&["down", "--yes", "--json"]).json();
    assert_eq!(down["left"], Value::Array(Vec::new()));
    assert_eq!(sandbox.dump(), before);
}
