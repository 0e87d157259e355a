//! Protocol v1 through the Rust client: the same photo by every way in, many at once, and what goes wrong.

use std::time::Duration;

use futures::StreamExt;
use tritondeploy_client::v1::{Client, Code, Error, Outcome, Reply, Request};
use tritondeploy_wire::v1::TensorHeader;

use crate::world::{World, models};

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
    let sizes: Vec<_> = greeting.models.iter().map(|model| (model.ready, model.image.map(|i| (i.width, i.height)))).collect();
    assert_eq!(sizes, [(true, Some((224, 224))); 2]);

    // By reference and by its bytes: the same classes; the pair answers with tensors, in order.
    let by_key = client.ask(Request::object("images/cat.png").models([LITE]).top(5)).await.unwrap();
    assert_eq!(best(&by_key), (285, Some("Egyptian cat")));
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

    // More at once than the window allows; each gets its own answer.
    let name = world.input_of(LITE);
    let tensor = |value: f32| {
        let header = TensorHeader { name: name.clone(), datatype: "FP32".to_owned(), shape: vec![1, 3, 224, 224] };
        Request::tensors([(header, value.to_le_bytes().repeat(3 * 224 * 224).into())]).models([LITE])
    };
    let values: Vec<f32> = (0..100).map(|i| (i % 5) as f32 / 4.0).collect();
    let replies: Vec<_> = client.ask_all(values.iter().map(|v| tensor(*v)), 100).collect().await;
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

    // The gateway restarts: the client connects again, and what is asked meanwhile is answered.
    assert!(world.terminate_gateway());
    world.start_gateway();
    let answer = client.ask(Request::object("images/cat.png").models([LITE]).top(1)).await;
    assert_eq!(best(&answer.unwrap()).0, 285);
}
