//! What goes away while a run goes on: the run itself, the gateway, Triton, the network.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Child;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::pictures::{mean, picture};
use crate::proxy::Proxy;
use crate::user::{Ran, User, finish};
use tritondeploy_support::world::{BUCKET, World, models};

const MODEL: &str = "mean";

/// Of each source: half of the images are objects, half are files.
const HALF: usize = 60;

/// The journal's images, by their URIs: in the order in which they were answered.
fn answered(journal: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(journal).unwrap_or_default();
    let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
    let records = whole.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    records.filter(|record| record["record"] == "image").map(|record| record["uri"].as_str().unwrap().to_owned()).collect()
}

/// The run, when its journal has so many images.
fn at(world: &mut World, user: &User, images: usize, mut run: Child) -> Child {
    let begun = Instant::now();
    loop {
        let journal = user.results(".jsonl").pop();
        if journal.is_some_and(|journal| answered(&journal).len() >= images) {
            return run;
        }
        world.revive_triton();
        if run.try_wait().unwrap().is_some() {
            panic!("it ended before {images} images: {:?}", run.wait_with_output());
        }
        assert!(begun.elapsed() < Duration::from_secs(120), "no {images} images within 120 s");
        std::thread::sleep(Duration::from_millis(3));
    }
}

/// Waits for a run's end. What it prints fits into a pipe.
fn ended(world: &mut World, mut run: Child) -> Ran {
    while run.try_wait().unwrap().is_none() {
        world.revive_triton();
        std::thread::sleep(Duration::from_millis(20));
    }
    finish(run)
}

fn every_image_is_there_once(user: &User) {
    let csv = user.csv();
    let keys: Vec<&str> = csv[1..].iter().map(|row| &*row[0]).collect();
    let objects = (0..HALF).map(|i| format!("images/{i:03}.bmp"));
    let wanted: Vec<String> = objects.chain((0..HALF).map(|i| format!("photos/{i:03}.bmp"))).collect();
    assert_eq!(keys, wanted);
    assert!(csv[1..].iter().all(|row| row[1] == "success" && !row[2].is_empty()), "{csv:?}");
}

/// xorshift: the moments are others in each round, and the same in each run of the test.
fn random(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_goes_away_nothing_is_lost_and_nothing_repeated() {
    let mut world = World::start().await;
    let mut files = models(&["densenet_onnx", "resnet50_onnx"]);
    files.extend(mean(MODEL));
    world.publish("release/manifest.json", &files).await;
    let picture = picture();
    for i in 0..HALF {
        world.put(&format!("images/{i:03}.bmp"), &picture).await;
    }
    let (synced, said) = world.sync();
    assert!(synced, "{said}");
    world.start_triton();
    world.start_gateway();
    world.wait_ready(200);
    let fresh = |world: &World| {
        let user = User::of(world);
        (0..HALF).for_each(|i| user.write(format!("photos/{i:03}.bmp"), &picture));
        user
    };
    let user = fresh(&world);
    killed_at_ten_moments(&mut world, &user);
    let user = fresh(&world);
    stopped_by_the_user(&mut world, &user);
    the_gateway_restarts(&mut world, &fresh);
    triton_restarts(&mut world, &fresh);
    the_network_is_cut(&mut world, &fresh).await;
}

fn sources() -> String {
    format!("s3://{BUCKET}/images/")
}

fn killed_at_ten_moments(world: &mut World, user: &User) {
    let sources = sources();
    let arguments = [&*sources, "photos", "--model", MODEL, "--concurrency", "3", "--json"];
    let (mut state, mut told) = (0x5eed_u64, Vec::new());
    let mut former = 0;
    for moment in 0..10 {
        let resumed = [&arguments[..], &["--resume"]].concat();
        former += 1 + random(&mut state) as usize % 9;
        let run = user.command(if moment == 0 { &arguments } else { &resumed }).spawn().unwrap();
        let mut run = at(world, user, former, run);
        std::thread::sleep(Duration::from_micros(random(&mut state) % 20_000));
        run.kill().unwrap();
        let ran = finish(run);
        let lines = ran.out.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        told.extend(lines.filter_map(|line| line["image"].as_str().map(str::to_owned)));
        former = former.max(answered(&user.results(".jsonl")[0]).len());
    }
    let resumed = user.command(&[&arguments[..], &["--resume"]].concat()).spawn().unwrap();
    let ran = ended(world, resumed);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(ran.json()["total"], 2 * HALF, "{ran:?}");
    let journals = user.results(".jsonl");
    let asked = answered(&journals[0]);
    let once: BTreeSet<&String> = asked.iter().collect();
    assert_eq!((journals.len(), asked.len(), once.len()), (1, 2 * HALF, 2 * HALF), "asked again, or not at all");
    let kept: BTreeSet<&String> = told.iter().collect();
    assert!(!told.is_empty() && kept.is_subset(&once) && kept.len() == told.len(), "told twice, or told and lost");
    every_image_is_there_once(user);
}

fn stopped_by_the_user(world: &mut World, user: &User) {
    let sources = sources();
    let arguments = [&*sources, "photos", "--model", MODEL, "--concurrency", "2"];
    let run = at(world, user, 10, user.command(&arguments).spawn().unwrap());
    assert!(tritondeploy_support::ending::signal(&run, "INT"));
    let ran = finish(run);
    assert!(ran.code == Some(130) && ran.err.contains("--resume="), "{ran:?}");
    let rows = user.csv().len() - 1;
    assert!((10..2 * HALF).contains(&rows), "{rows} rows of what there is");
    assert!(ran.out.contains(&format!("Total images: {rows}\nSuccessful: {rows}\nFailed: 0\nTotal time: ")), "{ran:?}");
    let other = user.infer(&[&*sources, "--model", MODEL, "--resume"]);
    assert!(other.code == Some(2) && other.err.contains("another question: the sources"), "{other:?}");
    let resumed = user.command(&[&arguments[..], &["--resume", "--quiet"]].concat()).spawn().unwrap();
    let resumed = ended(world, resumed);
    assert_eq!(resumed.code, Some(0), "{resumed:?}");
    every_image_is_there_once(user);
}

fn the_gateway_restarts(world: &mut World, fresh: &dyn Fn(&World) -> User) {
    let user = fresh(world);
    let run =
        at(world, &user, 20, user.command(&[&*sources(), "photos", "--model", MODEL, "--concurrency", "3"]).spawn().unwrap());
    world.stop_gateway();
    std::thread::sleep(Duration::from_secs(1));
    world.start_gateway();
    let ran = ended(world, run);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    every_image_is_there_once(&user);
}

fn triton_restarts(world: &mut World, fresh: &dyn Fn(&World) -> User) {
    world.wait_ready(200);
    let user = fresh(world);
    let arguments = [&*sources(), "photos", "--model", MODEL, "--concurrency", "3"];
    let run = at(world, &user, 20, user.command(&arguments).spawn().unwrap());
    world.stop_triton();
    world.start_triton();
    let ran = ended(world, run);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    every_image_is_there_once(&user);
}

async fn the_network_is_cut(world: &mut World, fresh: &dyn Fn(&World) -> User) {
    let port = world.address().trim_end_matches('/').rsplit(':').next().unwrap().parse().unwrap();
    let mut proxy = Proxy::start(port).await;
    let mut user = fresh(world);
    user.url = proxy.url();
    let run =
        at(world, &user, 20, user.command(&[&*sources(), "photos", "--model", MODEL, "--concurrency", "3"]).spawn().unwrap());
    proxy.cut(Duration::from_secs(10)).await;
    // The proxy has other threads.
    let ran = tokio::task::block_in_place(|| ended(world, run));
    assert_eq!(ran.code, Some(0), "{ran:?}");
    every_image_is_there_once(&user);
}
