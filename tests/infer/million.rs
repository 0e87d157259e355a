//! A million objects: S3 and the gateway are stand-ins that answer at once, so that what is measured is the run itself.

use std::io::{BufRead, BufReader};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use crate::stand_in;
use crate::user::User;

/// Objects that are listed. A debug build takes three minutes for a million: `OBJECTS=1000000` asks for them all.
fn objects() -> u64 {
    std::env::var("OBJECTS").ok().map_or(200_000, |objects| objects.parse().expect("a number of objects"))
}

/// What a run may hold: 200 MB for a million objects.
fn allowed_kib(objects: u64) -> u64 {
    (67_000_000 + 133 * objects) / 1024
}

/// S3's own.
const PAGE: u64 = 1000;

/// What was done so far.
struct Counts {
    begun: Instant,
    pages: AtomicU64,
    /// Pages that were listed when the first image was answered.
    pages_before_first: AtomicU64,
    answered: AtomicU64,
}

#[tokio::test(flavor = "multi_thread")]
async fn very_many_objects_are_classified_while_they_are_listed_in_little_memory() {
    let objects = objects();
    let counts = Arc::new(Counts {
        begun: Instant::now(),
        pages: AtomicU64::default(),
        pages_before_first: AtomicU64::default(),
        answered: AtomicU64::default(),
    });
    let env = stand_in::bucket({
        let counts = counts.clone();
        move |head| page(head, &counts)
    });
    let url = stand_in::gateway(&["a"], {
        let counts = counts.clone();
        move |_| {
            if counts.answered.fetch_add(1, Ordering::SeqCst) == 0 {
                counts.pages_before_first.store(counts.pages.load(Ordering::SeqCst), Ordering::SeqCst);
                println!("the first request after {:?}", counts.begun.elapsed());
            }
            Some(stand_in::seven("a"))
        }
    });
    let user = User::of_url(&url.await, &env.await);
    let run = user.command(&["s3://bucket/images/", "--quiet", "--json"]).spawn().unwrap();
    let status = format!("/proc/{}/status", run.id());
    let ended = tokio::task::spawn_blocking(move || crate::user::finish(run));
    let mut peak_kib = 0;
    while !ended.is_finished() {
        // Gone, when it has just ended.
        let text = std::fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        peak_kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok()).unwrap_or(peak_kib);
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    let ran = ended.await.unwrap();
    let end = ran.json();
    assert_eq!((ran.code, &end["total"], &end["successful"]), (Some(0), &objects.into(), &objects.into()), "{ran:?}");
    assert!((1..allowed_kib(objects)).contains(&peak_kib), "{peak_kib} KiB at most");
    let before = counts.pages_before_first.load(Ordering::SeqCst);
    assert!(before < objects / PAGE / 10, "the first answer came after {before} pages");
    assert_eq!(counts.answered.load(Ordering::SeqCst), objects, "asked twice, or not at all");
    let csv = BufReader::new(std::fs::File::open(user.results(".csv").pop().unwrap()).unwrap());
    let rows =
        csv.lines().skip(1).enumerate().map(|(at, line)| assert!(line.unwrap().starts_with(&format!("{},", key(at as u64)))));
    assert_eq!(rows.count() as u64, objects, "in the order of the keys");
    println!("{peak_kib} KiB at most; the first answer after {before} pages; {} s", end["seconds"]);
}

fn key(number: u64) -> String {
    format!("images/{number:07}.jpg")
}

fn page(head: &str, counts: &Counts) -> String {
    let token = head.split_once("continuation-token=").map_or("0", |(_, rest)| rest.split(['&', ' ']).next().unwrap());
    let first: u64 = token.parse().unwrap();
    let next = first + PAGE;
    counts.pages.fetch_add(1, Ordering::SeqCst);
    let listed: String = (first..next).map(|number| stand_in::object(&key(number))).collect();
    let more = if next < objects() { format!("<NextContinuationToken>{next}</NextContinuationToken>") } else { String::new() };
    let is_more = next < objects();
    format!("<ListBucketResult><IsTruncated>{is_more}</IsTruncated>{more}<KeyCount>{PAGE}</KeyCount>{listed}</ListBucketResult>")
}
