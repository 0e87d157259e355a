//! A deployment without a GPU, and a second administrator of it who has never run `up`.

use serde_json::Value;

use crate::main_job::kubectl;
use crate::user::{Ran, User, aws};
use tritondeploy_support::sandbox::{Sandbox, cache, root};

/// The policy that the documentation gives to whoever is listed.
fn documented_policy() -> String {
    let page = std::fs::read_to_string(root().join("docs/operations.md")).unwrap();
    let (_, after) = page.split_once("### What a listed admin needs in IAM").expect("the section");
    let (_, json) = after.split_once("```json\n").expect("a policy");
    json.split_once("\n```").expect("its end").0.to_owned()
}

/// An IAM user who may do what the documentation says, and nothing more: the keys and the ARN.
async fn alice(sandbox: &Sandbox) -> ([(String, String); 2], String) {
    let iam = aws(sandbox).await.iam;
    let arn = iam.create_user().user_name("alice").send().await.unwrap().user.unwrap().arn;
    let policy = documented_policy();
    iam.put_user_policy().user_name("alice").policy_name("admin").policy_document(policy).send().await.unwrap();
    let key = iam.create_access_key().user_name("alice").send().await.unwrap().access_key.unwrap();
    let keys = [("AWS_ACCESS_KEY_ID", key.access_key_id), ("AWS_SECRET_ACCESS_KEY", key.secret_access_key)];
    (keys.map(|(name, value)| (name.to_owned(), value)), arn)
}

#[tokio::test]
async fn a_deployment_without_a_gpu_from_nothing_to_a_classified_photo_and_back_with_a_second_admin() {
    let sandbox = Sandbox::start();
    let (keys, arn) = alice(&sandbox).await;
    let before = sandbox.dump();
    let user = User::of(&sandbox);
    let listed = format!("[access]\nadmins = [{arn:?}]\n");
    user.edit(|text| format!("{text}\n{listed}\n[nodes]\ninstance_type = \"t3.xlarge\"\n"));

    let plan = user.does(&["plan"]).out;
    assert!(plan.contains("about $0.36 an hour") && !plan.contains("device-plugin"), "{plan}");
    assert!(plan.contains("+ access-entry/user/alice") && plan.contains("+ access-policy/user/alice"), "{plan}");
    let up = user.does(&["up", "--yes", "--json"]).json();
    let label = up["facts"]["label"].as_str().unwrap_or_default().to_lowercase();
    assert!(label.contains("cat") || label.contains("tabby"), "{up}");

    user.does(&["kubeconfig", "--output", "kubeconfig"]);
    the_node_offers_no_gpu_and_the_pod_asks_for_none(&user);
    let status = user.does(&["status", "--json"]).json();
    assert_eq!(status["healthy"], true, "{status}");

    let mut hers = User::of(&sandbox);
    hers.edit(|_| std::fs::read_to_string(user.path("tritondeploy.toml")).unwrap());
    hers.env.extend(keys);
    the_second_admin_works_without_up(&hers);
    // What she has released is what the other one has, too: only her entry will differ.
    let model = "models/efficientnet_lite0/1/model.onnx";
    std::fs::copy(hers.path(model), user.path(model)).unwrap();

    user.edit(|text| text.replace(&listed, ""));
    let plan = user.does(&["plan"]).out;
    assert!(plan.contains("- access-entry/user/alice") && plan.contains("1 to delete"), "{plan}");
    let again = user.does(&["up", "--yes", "--json"]).json();
    assert_eq!(again["outcome"]["changed"], 1, "{again}");
    let status = user.does(&["status", "--json"]).json();
    assert_eq!(status["healthy"], true, "{status}");
    let refused = asks_kubectl(&hers);
    assert_ne!(refused.code, Some(0), "who is listed no more still gets in: {}", refused.out);
    let refused = hers.run(&["status", "--json"]).json();
    assert_ne!(refused["healthy"], true, "{refused}");

    let down = user.does(&["down", "--yes", "--json"]).json();
    assert_eq!(down["left"], Value::Array(Vec::new()));
    assert_eq!(sandbox.dump(), before, "down has left something, or taken something that was there before");
}

fn the_node_offers_no_gpu_and_the_pod_asks_for_none(user: &User) {
    let nodes = kubectl(user, &["get", "nodes", "-o", "json"]);
    let node = &nodes["items"][0];
    assert_eq!(node["metadata"]["labels"]["node.kubernetes.io/instance-type"], "t3.xlarge", "{node}");
    assert!(node["status"]["allocatable"]["cpu"].is_string(), "{node}");
    assert_eq!(node["status"]["allocatable"]["nvidia.com/gpu"], Value::Null, "{node}");
    assert_eq!(node["spec"]["taints"], Value::Null, "{node}");
    let sets = kubectl(user, &["get", "daemonsets", "-A", "-o", "json"]).to_string();
    assert!(!sets.contains("nvidia-device-plugin"), "{sets}");
    let pods = kubectl(user, &["get", "pods", "-n", "triton", "-o", "json"]);
    let spec = pods["items"][0]["spec"].to_string();
    assert!(!spec.contains("nvidia.com/gpu") && !spec.contains("nvidia-gpu"), "{spec}");
}

fn the_second_admin_works_without_up(hers: &User) {
    let status = hers.does(&["status", "--json"]).json();
    assert_eq!((&status["healthy"], &status["drift"]), (&true.into(), &Value::Array(Vec::new())), "{status}");
    hers.does(&["kubeconfig", "--output", "kubeconfig"]);
    let ran = asks_kubectl(hers);
    assert!(ran.code == Some(0) && ran.out.contains("\"kind\": \"Pod\""), "{}{}", ran.out, ran.err);
    hers.changes_a_model();
    let pushed = hers.does(&["push-models", "--json"]).json();
    assert_eq!(pushed["changed"], serde_json::json!(["efficientnet_lite0"]), "{pushed}");
    let status = hers.does(&["status", "--json"]).json();
    assert_eq!(status["healthy"], true, "{status}");
}

fn asks_kubectl(user: &User) -> Ran {
    let config = user.path("kubeconfig");
    let args = ["kubectl", "--kubeconfig", config.to_str().unwrap(), "get", "pods", "-A", "-o", "json"];
    user.other(cache().join("bin/cluster"), &args)
}
