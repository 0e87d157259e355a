//! What means harm, through both protocols, against all of the real thing: it is refused or bounded, and nobody else notices.
#![allow(clippy::print_stdout, reason = "figures")]

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use futures::future::join_all;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use tritondeploy_client::v1::{self, Code, Outcome, Request};
use tritondeploy_client::{Client, Error, Object, Request as V0};
use tritondeploy_wire::echo::Echo;

use tritondeploy_support::world::{BUCKET, World, cache, models};

const PHOTO: &[u8] = include_bytes!("../../assets/cat.png");
const LITE: &str = "efficientnet_lite0";

/// The most that large images may take while they are decoded, by the configuration's defaults, and 256 MiB for all the rest.
const MEMORY_KIB: u64 = (89_478_485 * 12 + (256 << 20)) / 1024;

/// An object as long as they may be, and how many at once are asked for: together as much as may never be held.
const LONG: usize = 64 << 20;
const MANY: usize = 16;

/// Asks for the same photo again and again.
struct Neighbour {
    stop: Arc<AtomicBool>,
    talking: JoinHandle<(u32, Duration)>,
}

impl Neighbour {
    async fn of(world: &World) -> Self {
        let client = v1::Client::connect(&world.address()).await.unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let talking = tokio::spawn(async move {
            let (mut count, mut slowest) = (0, Duration::ZERO);
            while !stopped.load(Ordering::Relaxed) || count < 10 {
                let start = Instant::now();
                let reply = client.ask(Request::object("images/cat.png").models([LITE]).top(1)).await.unwrap();
                assert!(matches!(&reply.results[0].outcome, Outcome::Top { top, .. } if top[0].index == 285), "{reply:?}");
                (count, slowest) = (count + 1, slowest.max(start.elapsed()));
            }
            (count, slowest)
        });
        Self { stop, talking }
    }

    async fn unharmed(self, within: Duration) {
        self.stop.store(true, Ordering::Relaxed);
        let (count, slowest) = self.talking.await.unwrap();
        println!("the neighbour: {count} answers, the slowest after {slowest:?}");
        assert!(count >= 10 && slowest < within, "{count} answers, the slowest after {slowest:?}");
    }
}

fn code(answer: Result<v1::Reply, v1::Error>) -> (Code, String) {
    match answer {
        Err(v1::Error::Refused(failure)) => (failure.code, failure.message),
        other => panic!("not refused: {other:?}"),
    }
}

fn image(name: &str) -> Request {
    Request::image(std::fs::read(bombs().join(name)).unwrap()).models([LITE]).top(1)
}

/// The folder that they are in, made once.
fn bombs() -> std::path::PathBuf {
    let folder = cache().join("bombs");
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

#[tokio::test(flavor = "multi_thread")]
async fn bombs_and_key_tricks_are_refused_or_bounded_and_the_neighbours_go_on() {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/gateway/bombs.py");
    let python = cache().join("venv-models/bin/python");
    assert!(Command::new(python).arg("-B").arg(script).arg(bombs()).status().unwrap().success());
    let mut world = World::start().await;
    world.publish("release/manifest.json", &models(&["densenet_onnx", "resnet50_onnx", LITE])).await;
    world.put("images/cat.png", PHOTO).await;
    world.put("private/cat.png", PHOTO).await;
    for name in ["huge.png", "huge.jpg"] {
        world.put(&format!("images/{name}"), &std::fs::read(bombs().join(name)).unwrap()).await;
    }
    let mut long = PHOTO.to_vec();
    // Behind the picture's end: nobody looks at it.
    long.resize(LONG, 0);
    world.put("images/long.png", &long).await;
    let (synced, said) = world.sync();
    assert!(synced, "{said}");
    world.start_triton();
    world.start_gateway();
    world.wait_ready(200);
    keys(&world).await;
    headers(&world).await;
    pixels(&world).await;
    objects(&world).await;
}

/// What lies elsewhere, is missing, or cannot be is refused in the same words.
async fn keys(world: &World) {
    let neighbour = Neighbour::of(world).await;
    let v1 = v1::Client::connect(&world.address()).await.unwrap();
    let mut v0 = Client::connect(&world.address()).await.unwrap();
    let long = format!("images/{}", "a/".repeat(3000));
    let keys = [
        "private/cat.png",
        "private/none.png",
        "models/efficientnet_lite0/1/model.onnx",
        "release/manifest.json",
        "images/none.png",
        "images/../private/cat.png",
        "images/./cat.png",
        "images/x/../../private/cat.png",
        "../models-of-a-test/images/cat.png",
        "images/%2e%2e/private/cat.png",
        "images/..%2fprivate/cat.png",
        "images%2fcat.png",
        "images/cat.png%00",
        "images/cat.png\0",
        "\0images/cat.png",
        "images/\0/../cat.png",
        "/images/cat.png",
        "//images/cat.png",
        "/etc/passwd",
        "file:///etc/passwd",
        "http://127.0.0.1/images/cat.png",
        "images\\..\\private\\cat.png",
        "images",
        "images/",
        "",
        " ",
        " images/cat.png",
        "Images/cat.png",
        "images/cat.png?versionId=null",
        "images/cat.png#",
        "images/\u{202e}gnp.tac",
        "images/\r\nx-amz-acl: public-read",
        &long,
    ];
    let here = keys.map(|key| (BUCKET, key));
    let elsewhere = [
        "",
        "another-bucket",
        "MODELS-OF-A-TEST",
        "models-of-a-test/",
        "models-of-a-test/images",
        "arn:aws:s3:::models-of-a-test",
        "..",
        "127.0.0.1:1",
    ];
    let there = elsewhere.map(|bucket| (bucket, "images/cat.png"));
    for (bucket, key) in here.into_iter().chain(there) {
        let wanted = format!("s3://{}/{} does not exist or may not be read", Echo(bucket), Echo(key));
        let object = Object { bucket: bucket.to_owned(), key: key.to_owned() };
        for request in [V0::Pipelines(object.clone()), V0::Image { model: LITE.to_owned(), object }] {
            match v0.ask(&request).await {
                Err(Error::Refused(why)) => assert_eq!(why, wanted),
                other => panic!("{bucket} {key:?}: {other:?}"),
            }
        }
        let said = code(v1.ask(Request::object_of(bucket, key).models([LITE]).top(1)).await);
        assert_eq!(said, (Code::NotFoundOrForbidden, wanted));
    }
    neighbour.unharmed(Duration::from_secs(10)).await;
}

/// Headers that say too much are refused before they cost anything.
async fn headers(world: &World) {
    let neighbour = Neighbour::of(world).await;
    let v1 = v1::Client::connect(&world.address()).await.unwrap();
    let mut v0 = Client::connect(&world.address()).await.unwrap();
    let (before, _) = world.gateway_memory();
    for name in ["huge.png", "huge.jpg", "huge.webp", "huge.gif", "huge.bmp"] {
        for request in [image(name), image(name).thumbnail(64)] {
            let (code, why) = code(v1.ask(request).await);
            assert!(code == Code::TooLarge && why.contains("the limit is 89478485 pixels"), "{name}: {code} {why}");
        }
    }
    for name in ["huge.png", "huge.jpg"] {
        let object = Object { bucket: BUCKET.to_owned(), key: format!("images/{name}") };
        match v0.ask(&V0::Pipelines(object)).await {
            Err(Error::Refused(why)) => assert!(why.contains("the limit is 89478485 pixels"), "{name}: {why}"),
            other => panic!("{name}: {other:?}"),
        }
    }
    let (_, peak) = world.gateway_memory();
    assert!(peak < before + (128 << 10), "{before} KiB before, {peak} KiB at most");
    neighbour.unharmed(Duration::from_secs(10)).await;
}

/// Images that are just small enough, several at once, wanted or given up: together they take what one may.
async fn pixels(world: &World) {
    let neighbour = Neighbour::of(world).await;
    let (before, _) = world.gateway_memory();
    let address = world.address();
    let attackers: Vec<_> = join_all((0..3).map(|_| v1::Client::connect(&address))).await;
    let attackers: Vec<_> = attackers.into_iter().map(Result::unwrap).collect();
    let given_up = ["cap-cmyk.jpg", "cap-rgba16.png", "cap-rgb.png", "cap-cmyk.jpg"];
    for (attacker, name) in attackers.iter().cycle().zip(given_up) {
        assert!(timeout(Duration::from_millis(200), attacker.ask(image(name))).await.is_err(), "{name}");
    }
    let names = ["cap-cmyk.jpg", "cap-rgba16.png", "cap.webp", "cap.gif", "cap-cmyk.jpg"];
    // Each waits for those before it, on a machine that may have more to do.
    let patient = |name: &str| image(name).within(Duration::from_secs(600));
    let asked = attackers.iter().cycle().zip(names).map(async |(attacker, name)| attacker.ask(patient(name)).await);
    for (answer, name) in join_all(asked).await.into_iter().zip(names) {
        assert!(answer.is_ok(), "{name}: {answer:?}");
    }
    let (mut after, peak) = world.gateway_memory();
    for _ in 0..100 {
        // Those given up may not be done yet, and the allocator gives memory back a little later.
        if after < before + (128 << 10) {
            break;
        }
        sleep(Duration::from_millis(100)).await;
        after = world.gateway_memory().0;
    }
    println!("{before} KiB before, {peak} KiB at most, {after} KiB after");
    assert!(peak < MEMORY_KIB, "{peak} KiB, where {MEMORY_KIB} are allowed");
    // More than one of them, or this has tried nothing.
    assert!(peak > before + (700 << 10), "{before} KiB before, {peak} KiB at most");
    assert!(after < before + (128 << 10), "{before} KiB before, {after} KiB after");
    neighbour.unharmed(Duration::from_secs(10)).await;
}

/// Long objects, many at once: they wait for each other.
async fn objects(world: &World) {
    let neighbour = Neighbour::of(world).await;
    let (before, _) = world.gateway_memory();
    let address = world.address();
    let asked = (0..MANY).map(async |_| {
        let client = v1::Client::connect(&address).await.unwrap();
        client.ask(Request::object("images/long.png").models([LITE]).top(1).within(Duration::from_secs(600))).await
    });
    for answer in join_all(asked).await {
        assert!(answer.is_ok(), "{answer:?}");
    }
    let (after, peak) = world.gateway_memory();
    println!("{before} KiB before, {peak} KiB at most, {after} KiB after");
    assert!(peak < before + (512 << 10), "{before} KiB before, {peak} KiB at most");
    assert!(peak > before + (128 << 10), "{before} KiB before, {peak} KiB at most");
    neighbour.unharmed(Duration::from_secs(20)).await;
}
