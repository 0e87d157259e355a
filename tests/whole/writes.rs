//! kill -9 while something is written to Kubernetes or by Docker, with real pods: the next `up` or `down` goes on from there.
//!
//! What the killed run was waiting for is held where it can be, so that each kill hits its moment; where it cannot be, what is
//! there after the kill shows that it has.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;

use crate::crashes::{down_leaves_nothing, holds, kill, up_again_changes_nothing};
use crate::user::{User, aws};
use tritondeploy_support::faults::{Effect, Fault};
use tritondeploy_support::sandbox::Sandbox;

/// The cloud controller's user: it makes the balancer of a Service, and takes it away.
const CONTROLLER: &str = ":user/eks";
const SERVICE: [&str; 5] = ["get", "service", "triton-server", "-n", "triton"];
const DEPLOYMENT: [&str; 5] = ["get", "deployment", "triton-server", "-n", "triton"];

/// Kills this while the cloud controller waits for the answer to its call.
fn kill_while_the_controller_calls(sandbox: &Sandbox, user: &User, args: &[&str], action: &str) {
    sandbox.ask("POST", &format!("hold?nth=1&when=after&who={CONTROLLER}&action={action}"));
    kill(user, args, || holds(sandbox));
}

/// Where the registry keeps our repository's images; None: nothing was pushed to it yet.
fn repository(sandbox: &Sandbox) -> Option<PathBuf> {
    let all = std::fs::read_dir(sandbox.folder().join("registry/storage/docker/registry/v2/repositories")).ok()?;
    all.flatten().map(|repository| repository.path()).find(|path| !path.ends_with("mirror"))
}

#[test]
fn down_after_a_kill_while_the_image_is_pushed_leaves_nothing() {
    let sandbox = Sandbox::start();
    let before = sandbox.dump();
    let user = User::of(&sandbox);
    let uploads = || {
        let uploads = repository(&sandbox).and_then(|repository| std::fs::read_dir(repository.join("_uploads")).ok());
        uploads.into_iter().flatten().count()
    };
    kill(&user, &["up", "--yes"], || uploads() > 0);
    let manifests = repository(&sandbox).unwrap().join("_manifests");
    assert!(uploads() > 0 && !manifests.exists(), "the image was there already");
    down_leaves_nothing(&sandbox, &user, &before);
}

#[test]
#[ignore = "`make matrix` runs it"]
fn up_after_a_kill_right_after_the_deployment_is_written_ends_with_one_of_each() {
    let sandbox = Sandbox::start();
    let before = sandbox.dump();
    let user = User::of(&sandbox);
    let written = || sandbox.kubernetes_writes().iter().any(|write| write["objectRef"]["resource"] == "deployments");
    kill(&user, &["up", "--yes"], written);
    let deployment = sandbox.kubectl(&DEPLOYMENT);
    assert_eq!(deployment["status"]["readyReplicas"], Value::Null, "its pod was ready already: {deployment}");
    user.does(&["up", "--yes"]);
    up_again_changes_nothing(&sandbox, &user);
    down_leaves_nothing(&sandbox, &user, &before);
}

#[test]
fn down_after_a_kill_while_the_service_s_balancer_is_made_leaves_nothing() {
    let sandbox = Sandbox::start();
    let before = sandbox.dump();
    let user = User::of(&sandbox);
    kill_while_the_controller_calls(&sandbox, &user, &["up", "--yes"], "elasticloadbalancing:CreateLoadBalancer");
    let service = sandbox.kubectl(&SERVICE);
    assert_eq!(service["status"]["loadBalancer"], serde_json::json!({}), "it had its balancer already: {service}");
    sandbox.ask("POST", "release");
    down_leaves_nothing(&sandbox, &user, &before);
}

#[tokio::test]
#[ignore = "`make matrix` runs it"]
async fn up_after_a_kill_while_pods_load_a_release_serves_it() {
    let sandbox = Sandbox::start();
    let before = sandbox.dump();
    let user = User::of(&sandbox);
    let up = user.does(&["up", "--yes", "--json"]).json();
    let bucket = up["facts"]["bucket"].as_str().unwrap();
    let s3 = aws(&sandbox).await.s3;
    let published = async || {
        let object = s3.get_object().bucket(bucket).key("release/manifest.json").send().await.unwrap();
        String::from_utf8(object.body.collect().await.unwrap().to_vec()).unwrap()
    };
    let former = published().await;

    user.changes_a_model();
    let weights = "models/efficientnet_lite0/2/model.onnx";
    sandbox.fault(&Fault::of(Effect::Hang).on("s3:GetObject").with("Key", weights));
    kill(&user, &["push-models"], || sandbox.ask("GET", "faults")["faults"][0]["fired"] != 0);
    assert_eq!(published().await, former, "it was published already");
    let mut up = user.start(&["up", "--yes"]);
    // No place is written by two releases: the second version is the killed one's.
    let third = "models/efficientnet_lite0/3/model.onnx";
    while s3.head_object().bucket(bucket).key(third).send().await.is_err() {
        assert_eq!(up.try_wait().unwrap(), None, "up ended without a release of its own");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    // It asks the pod next, which is still at the killed one's.
    tokio::time::sleep(Duration::from_millis(1000)).await;
    sandbox.ask("DELETE", "faults");
    let status = up.wait().unwrap();
    assert!(status.success(), "{}", std::fs::read_to_string(user.path("out")).unwrap());
    let release = published().await;
    assert!(release.contains("\"3/model.onnx\""), "{release}");
    up_again_changes_nothing(&sandbox, &user);
    down_leaves_nothing(&sandbox, &user, &before);
}

#[test]
#[ignore = "`make matrix` runs it"]
fn up_after_a_kill_of_down_while_the_balancer_goes_ends_with_one_of_each() {
    let sandbox = Sandbox::start();
    let before = sandbox.dump();
    let user = User::of(&sandbox);
    user.does(&["up", "--yes"]);
    kill_while_the_controller_calls(&sandbox, &user, &["down", "--yes"], "elasticloadbalancing:DeleteLoadBalancer");
    let service = sandbox.kubectl(&SERVICE);
    assert!(service["metadata"]["deletionTimestamp"].is_string(), "it is not going: {service}");
    sandbox.ask("POST", "release");
    user.does(&["up", "--yes"]);
    up_again_changes_nothing(&sandbox, &user);
    down_leaves_nothing(&sandbox, &user, &before);
}
