//! Protocol v1 through the Rust client: the same photo by every way in, many at once, and what goes wrong.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use futures::{SinkExt, StreamExt};
use serde_json::Value;
use tokio_tungstenite::tungstenite::Message;
use tritondeploy_client::v1::{Client, Code, Error, Outcome, Reply, Request};
use tritondeploy_wire::v1::{ModelSight, TensorHeader};

use tritondeploy_support::world::{Socket, World, models};

const PHOTO: &[u8] = include_bytes!("../../assets/cat.png");
const LITE: &str = "efficientnet_lite0";

fn best(reply: &Reply) -> (u32, Option<&str>) {
    match &reply.results[0].outcome {
        Outcome::Top { top, .. } => (top[0].index, top[0].label.as_deref()),
        other => panic!("no classes: {other:?}"),
    }
}

fn refused(answer: Result<Reply, Error>) -> (Code, String) {
    match answer {
        Err(Error::Refused(failure)) => (failure.code, failure.message),
        other => panic!("not refused: {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_photo_by_every_way_in_many_at_once_and_what_goes_wrong() {
    let mut world = World::start().await;
    world.publish("release/manifest.json", &models(&["densenet_onnx", "resnet50_onnx", LITE])).await;
    world.put("images/cat.png", PHOTO).await;
    let (synced, said) = world.sync();
    assert!(synced, "{said}");
    world.start_triton();
    world.start_gateway();
    world.wait_ready(200);
    let client = Client::connect(&world.address()).await.unwrap();
    let greeting = client.greeting();
    assert_eq!(greeting.pipelines[0].name, "default");
    let sizes = |models: &[ModelSight]| -> BTreeMap<String, _> {
        let size = |model: &ModelSight| (model.ready, model.image.map(|i| (i.width, i.height)));
        models.iter().map(|model| (model.name.clone(), size(model))).collect()
    };
    let said = sizes(&greeting.models);
    assert_eq!(["densenet_onnx", "resnet50_onnx"].map(|model| said[model]), [(true, Some((224, 224))); 2]);

    // By reference and by its bytes: the same classes; the pair answers with tensors, in order.
    let by_key = client.ask(Request::object("images/cat.png").models([LITE]).top(5)).await.unwrap();
    assert_eq!(best(&by_key), (285, Some("Egyptian cat")));
    // Softmax of what is a probability already would make 0.002 of it.
    let Outcome::Top { top, .. } = &by_key.results[0].outcome else { panic!("no classes") };
    assert!((0.73..0.81).contains(&top[0].score), "{top:?}");
    // What no pod waits for is said, too, once it was seen to be there.
    let later = Instant::now();
    while !sizes(&Client::connect(&world.address()).await.unwrap().greeting().models).contains_key(LITE) {
        assert!(later.elapsed() < Duration::from_secs(60), "{LITE} answers, and no greeting says so");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let by_pipeline = client.ask(Request::object("images/cat.png").pipeline("proof").top(5)).await.unwrap();
    assert_eq!(by_pipeline.results, by_key.results);
    let by_bytes = client.ask(Request::image(PHOTO).models([LITE]).top(5).thumbnail(64)).await.unwrap();
    assert_eq!(by_bytes.results, by_key.results);
    let thumbnail = by_bytes.thumbnail.unwrap();
    assert_eq!((thumbnail.width, thumbnail.height), (64, 43));
    assert_eq!(by_bytes.parts[thumbnail.part as usize][..3], [0xff, 0xd8, 0xff]);
    let pair = client.ask(Request::object("images/cat.png")).await.unwrap();
    assert_eq!(pair.results.iter().map(|r| r.alias.as_str()).collect::<Vec<_>>(), ["densenet", "resnet"]);
    let Outcome::Outputs { outputs, .. } = &pair.results[0].outcome else { panic!("no tensors") };
    assert_eq!((outputs[0].name.as_str(), &outputs[0].shape[..]), ("fc6_1", &[1, 1000, 1, 1][..]));
    assert_eq!(pair.parts[outputs[0].part as usize].len(), 4000);
    let grey = client.ask(Request::rgb8(2, 2, vec![127; 12]).models([LITE]).top(1)).await;
    assert!(grey.is_ok(), "{grey:?}");

    // By the example, on the pipeline.
    let said = world.run_example("classify", &[&world.address(), concat!(env!("CARGO_MANIFEST_DIR"), "/assets/cat.png")]);
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(lines.len(), 10, "{said}");
    assert!(lines[..5].iter().all(|line| line.starts_with("densenet: 0.")), "{said}");
    assert!(lines[5..].iter().all(|line| line.starts_with("resnet: 0.")), "{said}");

    // More at once than the window allows; each gets its own answer.
    let name = world.input_of(LITE);
    let tensor = |value: f32| {
        let header = TensorHeader { name: name.clone(), datatype: "FP32".to_owned(), shape: vec![1, 3, 224, 224] };
        Request::tensors([(header, value.to_le_bytes().repeat(3 * 224 * 224).into())]).models([LITE])
    };
    let values: Vec<f32> = (0..100).map(|i| (i % 5) as f32 / 4.0).collect();
    let asking = client.ask_all(values.iter().map(|v| tensor(*v)), 100).collect::<Vec<_>>();
    let watching = async {
        loop {
            let seen = world.metrics();
            let in_flight = seen.of("requests_in_flight{protocol=\"v1\"}");
            if in_flight > 0.0 && seen.of("window_requests") >= in_flight {
                return seen.of("window_bytes");
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    let (replies, open_bytes) = tokio::join!(asking, tokio::time::timeout(Duration::from_secs(60), watching));
    assert!(open_bytes.unwrap() > 4.0 * 3.0 * 224.0 * 224.0);
    let replies: Vec<Reply> = replies.into_iter().map(Result::unwrap).collect();
    for (i, reply) in replies.iter().enumerate() {
        assert_eq!(reply.parts[0], replies[i % 5].parts[0], "{i}");
    }
    assert_ne!(replies[0].parts[0], replies[1].parts[0]);

    // One model fails, the other does not; all fail; what cannot be.
    let half = client.ask(Request::object("images/cat.png").models([LITE, "unheard_of"]).top(1)).await.unwrap();
    assert!(matches!(&half.results[1].outcome, Outcome::Error { error } if error.code == Code::UnknownModel), "{half:?}");
    assert_eq!(best(&half).0, 285);
    for (request, code) in [
        (Request::object("images/cat.png").models(["unheard_of"]), Code::UnknownModel),
        (Request::object("images/cat.png").pipeline("unheard_of"), Code::UnknownModel),
        (Request::object("images/none.png"), Code::NotFoundOrForbidden),
        (Request::object("images/../release/manifest.json"), Code::NotFoundOrForbidden),
        (Request::image(&b"no picture"[..]), Code::UnsupportedImage),
        (Request::rgb8(2, 2, vec![1; 11]), Code::BadRequest),
        (Request::image(PHOTO).top(0), Code::BadRequest),
        (Request::object("images/cat.png").within(Duration::from_millis(1)), Code::Deadline),
    ] {
        // The client waits for its own clock too; here the gateway's word is wanted.
        let said = match client.ask(request.clone()).await {
            Err(Error::TimedOut(_)) if code == Code::Deadline => continue,
            answer => refused(answer),
        };
        assert_eq!(said.0, code, "{said:?}");
    }

    // Nobody waits any more: the connection and its other requests go on.
    let dropped = tokio::time::timeout(Duration::from_millis(1), client.ask(Request::object("images/cat.png"))).await;
    assert!(dropped.is_err());
    assert!(client.ask(tensor(0.5)).await.is_ok());

    // What was measured of all this; the two that were given up early ended this way or that.
    let settled = async {
        loop {
            let seen = world.metrics();
            if seen.of("window_requests") == 0.0 && seen.of("requests_in_flight{protocol=\"v1\"}") == 0.0 {
                return seen;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let seen = tokio::time::timeout(Duration::from_secs(30), settled).await.unwrap();
    assert_eq!(seen.ended("v1", "ok"), 108.0);
    let mut failures = seen.failures("v1");
    // The client asks these again.
    failures.remove("overloaded");
    let early = failures.remove("deadline").unwrap_or(0.0) + failures.remove("cancelled").unwrap_or(0.0);
    assert!((0.0..=2.0).contains(&early), "{early}");
    let wanted = [("bad_request", 2.0), ("not_found_or_forbidden", 2.0), ("unknown_model", 2.0), ("unsupported_image", 1.0)];
    assert_eq!(failures, BTreeMap::from(wanted));
    for (stage, count) in [("fetch", 4.0), ("decode", 7.0), ("infer", 108.0), ("total", 108.0)] {
        assert_eq!(seen.stage("v1", stage), count, "{stage}");
    }
    assert_eq!(seen.of("window_bytes"), 0.0);
    assert!(seen.of("received_bytes_total{protocol=\"v1\"}") > 101.0 * 4.0 * 3.0 * 224.0 * 224.0);
    assert!(seen.of("sent_bytes_total{protocol=\"v1\"}") > 101.0 * 4.0 * 1000.0);
    assert!(seen.of("connections{protocol=\"v1\"}") >= 1.0);
    assert_eq!(seen.of("connections{protocol=\"v0\"}"), 0.0);

    asked_for_too_much(&world, &client).await;

    // The gateway restarts: the client connects again, and what is asked meanwhile is answered.
    assert!(world.terminate_gateway());
    world.start_gateway();
    let answer = client.ask(Request::object("images/cat.png").models([LITE]).top(1)).await;
    assert_eq!(best(&answer.unwrap()).0, 285);
}

/// What is more than a request may ask for is refused by its id, before anything is done for it, and in few words.
async fn asked_for_too_much(world: &World, client: &Client) {
    let (name, long) = (world.input_of(LITE), "\u{e9}".repeat(5000));
    let tensor = |name: &str, datatype: &str, shape: Vec<i64>| {
        let header = TensorHeader { name: name.to_owned(), datatype: datatype.to_owned(), shape };
        Request::tensors([(header, vec![0; 4].into())]).models([LITE])
    };
    let many = |count: usize| Request::image(PHOTO).models((0..count).map(|i| format!("none-{i}"))).top(1);
    for (request, code, says) in [
        (many(17), Code::BadRequest, "between 1 and 16 models"),
        (many(16), Code::UnknownModel, "none-0"),
        (many(16).thumbnail(2049), Code::BadRequest, "2049"),
        (Request::object("images/cat.png").models([LITE, LITE]), Code::BadRequest, "asked for twice"),
        // By its alias, and by its name.
        (
            Request::object("images/cat.png").models(["resnet", "resnet50_onnx"]),
            Code::BadRequest,
            "\"resnet\" is asked for twice",
        ),
        // The object is not there, and nobody looks for it.
        (Request::object("images/none.png").models(["none"]), Code::UnknownModel, "none"),
        (Request::object("images/cat.png").models([&long]), Code::UnknownModel, "is not found"),
        (Request::object("images/cat.png").pipeline(&long), Code::UnknownModel, "there is: default, proof"),
        (Request::object(format!("images/{long}")).models([LITE]), Code::NotFoundOrForbidden, "s3://"),
        (tensor(&name, "FP32", vec![1; 17]), Code::BadRequest, "at most 16 dimensions"),
        (tensor(&name, &long, vec![1]), Code::BadRequest, "is no datatype"),
        (tensor(&long, "FP32", vec![1]), Code::BadRequest, "a name has at most 1024 bytes"),
        (tensor(&long[..1000], "FP32", vec![1]), Code::BadRequest, "model efficientnet_lite0"),
    ] {
        let (found, why) = refused(client.ask(request).await);
        assert!(found == code && why.contains(says), "{found}: {why} instead of {code}: {says}");
        assert!(why.len() < 2100 && why.matches('\u{e9}').count() <= 1000, "{} bytes: {why}", why.len());
    }
    // Whatever a trace context says that is none, and whatever is not known, costs nothing and fails nothing.
    let mut socket = world.socket("triton-ws.v1").await;
    let image = r#""source":{"s3":{"key":"images/cat.png"}},"models":["efficientnet_lite0"],"top_k":1"#;
    let unknown = format!("[{}0]", "0,".repeat(25_000));
    let text = format!(r#"{{"x":{unknown},"type":"infer","id":1,{image},"traceparent":"{}"}}"#, "\\n".repeat(1000));
    socket.send(Message::text(text)).await.unwrap();
    let answer = said(&mut socket).await;
    assert_eq!(
        (&answer["type"], &answer["id"], &answer["results"][0]["top"][0]["index"]),
        (&"result".into(), &1.into(), &285.into())
    );
    // A frame's header has an end, and its message is answered; a text has one, and ends the connection.
    let header = format!(r#"{{"type":"infer","id":2,{image},"x":"{}"}}"#, "x".repeat(64 << 10));
    let frame = [&(header.len() as u32).to_le_bytes()[..], header.as_bytes()].concat();
    socket.send(Message::binary(frame)).await.unwrap();
    let answer = said(&mut socket).await;
    assert_eq!((&answer["code"], &answer["id"]), (&"bad_request".into(), &Value::Null), "{answer}");
    assert!(answer["message"].as_str().unwrap().contains("at most 65536 bytes"), "{answer}");
    socket.send(Message::text(header)).await.unwrap();
    match socket.next().await {
        Some(Ok(Message::Close(Some(frame)))) => assert_eq!(u16::from(frame.code), 1009),
        other => panic!("not closed: {other:?}"),
    }
}

/// The next text of a connection of protocol v1, after its greeting.
async fn said(socket: &mut Socket) -> Value {
    loop {
        let message = socket.next().await.unwrap().unwrap();
        let said: Value = serde_json::from_str(message.to_text().unwrap()).unwrap();
        if said["type"] != "hello" {
            return said;
        }
    }
}
