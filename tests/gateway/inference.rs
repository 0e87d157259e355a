//! A photo's way through the gateway: bucket, pixels, a real Triton, numbers.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::sleep;
use tritondeploy_client::{Answer, Client, Error, Object, Output, Request, Tensor, Values};
use tritondeploy_wire::Datatype;

use tritondeploy_support::world::{BUCKET, World, models};

/// Chelsea, a cat: class 285 of ImageNet's 1,000 is "Egyptian cat".
const PHOTO: &[u8] = include_bytes!("../../assets/cat.png");
const EGYPTIAN_CAT: usize = 285;

fn object(key: &str) -> Object {
    Object { bucket: BUCKET.to_owned(), key: key.to_owned() }
}

fn numbers(output: &Output) -> &[f64] {
    match &output.values {
        Values::Numbers(numbers) => numbers,
        other => panic!("no numbers: {other:?}"),
    }
}

fn shapes(outputs: &[Output]) -> Vec<(&str, &[usize])> {
    outputs.iter().map(|o| (o.name.as_str(), o.shape.as_slice())).collect()
}

async fn refusal(client: &mut Client, request: Request) -> String {
    match client.ask(&request).await {
        Err(Error::Refused(why)) => why,
        other => panic!("not refused: {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_photo_is_classified_by_reference_by_model_and_as_tensors() {
    let mut world = World::start().await;
    world.publish("release/manifest.json", &models(&["densenet_onnx", "resnet50_onnx", "efficientnet_lite0"])).await;
    world.put("images/cat.png", PHOTO).await;
    world.put("images/note.jpg", b"no picture").await;
    world.put("private/cat.png", PHOTO).await;
    let (synced, said) = world.sync();
    assert!(synced, "{said}");
    world.start_triton();
    world.start_gateway();
    world.wait_ready(200);
    let mut client = Client::connect(&world.address()).await.unwrap();

    // By reference: the pair, in the configured order, in the models' own shapes.
    let Ok(Answer::Pipelines(pair)) = client.ask(&Request::Pipelines(object("images/cat.png"))).await else {
        panic!("no pair");
    };
    assert_eq!(pair.iter().map(|(alias, _)| alias.as_str()).collect::<Vec<_>>(), ["densenet", "resnet"]);
    assert_eq!(shapes(&pair[0].1), [("fc6_1", &[1, 1000, 1, 1][..])]);
    assert_eq!(shapes(&pair[1].1), [("resnetv24_dense0_fwd", &[1, 1000][..])]);

    // By model: the photo is what it is.
    let image = Request::Image { model: "efficientnet_lite0".to_owned(), object: object("images/cat.png") };
    let Ok(Answer::Model(outputs)) = client.ask(&image).await else { panic!("no answer") };
    let cat = numbers(&outputs[0])[EGYPTIAN_CAT];
    assert!((0.73..0.81).contains(&cat), "{cat}");

    // By tensors: the very numbers that Triton gives when it is asked without us.
    let grey: Vec<u8> = 0.5f32.to_le_bytes().repeat(3 * 224 * 224);
    let name = world.input_of("efficientnet_lite0");
    let shape = vec![1, 3, 224, 224];
    let data = vec![0.5; 3 * 224 * 224];
    let inputs = json!([{"name": name, "datatype": "FP32", "shape": shape, "data": data}]);
    let direct = world.ask_triton("efficientnet_lite0/infer", &json!({ "inputs": inputs }).to_string());
    let tensor = Tensor { name, datatype: Datatype::Fp32, shape, data: grey };
    let asked = Request::Tensors { model: "efficientnet_lite0".to_owned(), inputs: vec![tensor] };
    let Ok(Answer::Model(outputs)) = client.ask(&asked).await else { panic!("no answer") };
    let wanted: Vec<f64> = direct["outputs"][0]["data"].as_array().unwrap().iter().filter_map(Value::as_f64).collect();
    // Triton writes fewer digits than a double has; both must round to the same f32.
    let as_f32 = |all: &[f64]| all.iter().map(|v| *v as f32).collect::<Vec<_>>();
    assert_eq!(as_f32(numbers(&outputs[0])), as_f32(&wanted));
    assert!(numbers(&outputs[0]).iter().all(|v| f64::from(*v as f32) == *v), "each is the double of an f32");

    // Refusals, on the same connection.
    let by_name = |model: &str| Request::Image { model: model.to_owned(), object: object("images/cat.png") };
    for (request, told) in [
        (Request::Pipelines(object("images/none.png")), "does not exist or may not be read"),
        (Request::Pipelines(object("private/cat.png")), "does not exist or may not be read"),
        (Request::Pipelines(object("images/../private/cat.png")), "does not exist or may not be read"),
        (Request::Pipelines(Object { bucket: "other".to_owned(), key: "images/cat.png".to_owned() }), "s3://other/"),
        (Request::Pipelines(object("images/note.jpg")), "no image"),
        (by_name("unheard_of"), "unheard_of"),
    ] {
        let why = refusal(&mut client, request).await;
        assert!(why.contains(told), "{why}");
    }

    // What was measured of all this.
    assert_eq!(world.offer("chat, superchat"), 400);
    let seen = world.metrics();
    assert_eq!(seen.ended("v0", "ok"), 3.0);
    let failures = BTreeMap::from([("not_found_or_forbidden", 4.0), ("unsupported_image", 1.0), ("unknown_model", 1.0)]);
    assert_eq!(seen.failures("v0"), failures);
    for (stage, count) in [("fetch", 2.0), ("decode", 2.0), ("prepare", 3.0), ("infer", 3.0), ("encode", 3.0), ("total", 3.0)] {
        assert_eq!(seen.stage("v0", stage), count, "{stage}");
    }
    let seconds = |stage: &str| seen.of(&format!("stage_duration_seconds_sum{{protocol=\"v0\",stage=\"{stage}\"}}"));
    assert!(seconds("infer") > 0.001 && seconds("infer") < seconds("total") && seconds("total") < 60.0);
    assert_eq!(seen.of("requests_in_flight{protocol=\"v0\"}"), 0.0);
    assert_eq!(seen.of("connections{protocol=\"v0\"}"), 1.0);
    assert_eq!(seen.of("connections_refused_total{reason=\"subprotocol\"}"), 1.0);
    // A tensor's numbers as text, and three answers of a thousand numbers or two.
    assert!(seen.of("received_bytes_total{protocol=\"v0\"}") > 3.0 * 224.0 * 224.0);
    assert!(seen.of("sent_bytes_total{protocol=\"v0\"}") > 4.0 * 1000.0);
    assert_eq!(seen.of("triton_reachable"), 1.0);
    for model in ["densenet_onnx", "resnet50_onnx"] {
        assert_eq!(seen.of(&format!("model_ready{{model=\"{model}\"}}")), 1.0);
    }

    // Triton goes and comes back: errors meanwhile, the connection stays.
    world.stop_triton();
    let why = refusal(&mut client, image.clone()).await;
    assert!(why.contains("Triton"), "{why}");
    world.wait_ready(503);
    let seen = world.metrics();
    assert_eq!((seen.of("triton_reachable"), seen.of("model_ready{model=\"densenet_onnx\"}")), (0.0, 0.0));
    assert_eq!(seen.ended("v0", "model_unavailable"), 1.0);
    world.start_triton();
    world.wait_ready(200);
    let mut answered = false;
    for _ in 0..20 {
        answered = client.ask(&image).await.is_ok();
        if answered {
            break;
        }
        sleep(Duration::from_millis(500)).await;
    }
    assert!(answered, "efficientnet_lite0 is loaded again");

    // SIGTERM: what was received is finished, the connection closed, the process gone with 0.
    let asking = tokio::spawn(async move {
        let answer = client.ask(&image).await;
        (answer.is_ok(), client)
    });
    sleep(Duration::from_millis(30)).await;
    let ended = world.terminate_gateway();
    let (answered, mut client) = asking.await.unwrap();
    assert!(answered);
    assert!(ended, "exit code 0");
    assert!(matches!(client.ask(&by_name("efficientnet_lite0")).await, Err(Error::Lost(_))));
}
