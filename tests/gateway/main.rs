//! The gateway beside a real Triton and a bucket: models come to the disk, into Triton, and go.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod attacks;
mod inference;
mod multiplexed;
mod relay;

use std::fs;

use serde_json::Value;
use tritondeploy_support::world::{World, models, numberless};

const MANIFEST: &str = "release/manifest.json";
const PAIR: [&str; 2] = ["densenet_onnx", "resnet50_onnx"];

fn outcome<'a>(report: &'a Value, name: &str) -> &'a Value {
    report["models"].as_array().unwrap().iter().find(|m| m["name"] == name).unwrap_or_else(|| panic!("{name} in {report}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn models_are_synced_loaded_released_and_taken_back() {
    let mut world = World::start().await;

    // Nothing to sync yet: said, with where it looked.
    let (done, said) = world.sync();
    assert!(!done && said.contains("s3://models-of-a-test/release/manifest.json"), "{said}");

    let mut files = models(&["densenet_onnx", "resnet50_onnx", "efficientnet_lite0"]);
    world.publish(MANIFEST, &files).await;
    let (done, said) = world.sync();
    assert!(done, "{said}");
    for (place, content) in &files {
        assert!(&fs::read(world.repository().join(place)).unwrap() == content, "{place}");
    }

    // The gateway first: it waits for Triton, and says so.
    world.start_gateway();
    world.wait_ready(503);
    assert!(world.get("/readyz").1.contains("Triton"), "{:?}", world.get("/readyz"));
    assert_eq!(world.get("/healthz").0, 200);
    assert_eq!(world.get_health("/healthz").0, 200);
    assert_eq!(world.get_health("/readyz").0, 503);
    assert_eq!(world.release().0, 502);
    world.start_triton();
    world.wait_ready(200);
    assert_eq!(world.get_health("/readyz").0, 200);
    let (status, release) = world.release();
    assert_eq!(status, 200);
    for name in PAIR {
        assert_eq!(release["models"][name]["state"], "READY", "{release}");
    }

    // The same release again changes nothing.
    let (status, report) = world.post(MANIFEST);
    assert_eq!((status, &report["ok"]), (200, &Value::Bool(true)), "{report}");
    assert!(report["models"].as_array().unwrap().iter().all(|m| m["action"] == "unchanged"), "{report}");

    // Another version of one model, and one model less.
    let weights = files.remove("densenet_onnx/1/model.onnx").unwrap();
    files.insert("densenet_onnx/2/model.onnx".to_owned(), weights);
    files.retain(|place, _| !place.starts_with("efficientnet_lite0/"));
    world.publish("release/second.json", &files).await;
    let (status, report) = world.post("release/second.json");
    assert_eq!((status, &report["ok"]), (200, &Value::Bool(true)), "{report}");
    let densenet = outcome(&report, "densenet_onnx");
    assert_eq!((&densenet["action"], &densenet["version"]), (&"loaded".into(), &"2".into()), "{report}");
    assert!(densenet["infer_ms"].as_u64().unwrap() > 0, "{report}");
    assert_eq!(outcome(&report, "resnet50_onnx")["action"], "unchanged");
    assert_eq!(outcome(&report, "efficientnet_lite0")["action"], "removed");
    assert!(!world.repository().join("densenet_onnx/1").exists());
    assert!(!world.repository().join("efficientnet_lite0").exists());
    let second = world.release().1;
    assert_eq!(second["releasing"], false, "{second}");

    // A model that does not load, and a new one beside it: Triton's reason, and everything as before.
    let mut broken = files.clone();
    broken.insert("densenet_onnx/3/model.onnx".to_owned(), b"no graph".to_vec());
    for (place, content) in models(&["efficientnet_lite0"]) {
        broken.insert(place.replace("efficientnet_lite0", "newcomer"), content);
    }
    let config = String::from_utf8(broken["newcomer/config.pbtxt"].clone()).unwrap();
    broken.insert("newcomer/config.pbtxt".to_owned(), config.replace("efficientnet_lite0", "newcomer").into());
    world.publish("release/third.json", &broken).await;
    let (status, report) = world.post("release/third.json");
    assert_eq!((status, &report["ok"]), (200, &Value::Bool(false)), "{report}");
    let densenet = outcome(&report, "densenet_onnx");
    assert_eq!(densenet["action"], "failed");
    assert!(!densenet["reason"].as_str().unwrap().is_empty(), "{report}");
    assert!(!world.repository().join("densenet_onnx/3").exists());
    assert!(!world.repository().join("newcomer").exists());
    let after = world.release().1;
    assert_eq!(after, second, "as before");
    world.wait_ready(200);

    // Files that are not what the manifest says never come near Triton.
    world.put("models/densenet_onnx/3/model.onnx", b"no grapH").await;
    let (status, report) = world.post("release/third.json");
    assert_eq!(status, 502, "{report}");
    assert!(report["error"].as_str().unwrap().contains("SHA-256"), "{report}");
    world.put("release/wrong.json", br#"{"version":1,"models":{"../x":{"digest":"","files":{}}}}"#).await;
    assert_eq!(world.post("release/wrong.json").0, 400);
    assert_eq!(world.post("release/none.json").0, 502);
    assert_eq!(world.post("images/manifest.json").0, 400);
    assert_eq!(world.release().1, second, "as before");

    // READY is not enough: a model must answer with numbers.
    let mut wrong = files.clone();
    wrong.extend(numberless("newcomer"));
    world.publish("release/fourth.json", &wrong).await;
    // Of two at once, one is refused; while the other one goes on, what is on disk may change soon.
    let (mut answers, releasing) = std::thread::scope(|scope| {
        let asked = [(); 2].map(|()| scope.spawn(|| world.post("release/fourth.json")));
        let mut releasing = false;
        while !asked.iter().all(std::thread::ScopedJoinHandle::is_finished) {
            releasing |= world.release().1["releasing"] == true;
        }
        (asked.map(|a| a.join().unwrap()), releasing)
    });
    assert!(releasing, "a release went on, and nobody was told");
    answers.sort_by_key(|a| a.0);
    let [(status, report), (refused, _)] = answers;
    assert_eq!(refused, 409);
    assert_eq!((status, &report["ok"]), (200, &Value::Bool(false)), "{report}");
    assert!(outcome(&report, "newcomer")["reason"].as_str().unwrap().contains("not finite"), "{report}");
    assert!(!world.repository().join("newcomer").exists());
    assert_eq!(world.release().1, second, "as before");

    // Triton restarts: its models come back without anybody's doing.
    world.stop_triton();
    world.wait_ready(503);
    world.start_triton();
    world.wait_ready(200);
    assert_eq!(world.release().1["models"]["densenet_onnx"]["version"], "2");

    // The gateway restarts: it still knows what is on disk.
    world.stop_gateway();
    world.start_gateway();
    world.wait_ready(200);
    assert_eq!(world.release().1, second);
}
