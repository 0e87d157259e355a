//! Buckets and servers that behave oddly: nothing is lost by them, nothing passes for a result, nothing is told that
//! should not be.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write;
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::task::block_in_place;

use crate::stand_in::{bucket, gateway, last_page, old_server, seven};
use crate::user::{Ran, User, finish};
use tritondeploy_support::ending::signal;

const PHOTO: &[u8] = include_bytes!("../../assets/cat.png");

/// Somebody with three photos and no AWS.
fn user(url: &str) -> User {
    let user = User::of_url(url, &BTreeMap::new());
    ["1", "2", "3"].iter().for_each(|name| user.write(format!("d/{name}.png"), PHOTO));
    user
}

fn infer(user: &User, args: &[&str]) -> Ran {
    block_in_place(|| user.infer(args))
}

/// Waits until the journal has so many lines.
fn wait_for_records(user: &User, count: usize) {
    let begun = Instant::now();
    let lines = || user.results(".jsonl").first().map_or(0, |path| std::fs::read_to_string(path).unwrap().lines().count());
    while lines() < count {
        assert!(begun.elapsed() < Duration::from_secs(30), "{} records", lines());
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_s_marker_hides_nothing_of_the_folder() {
    let env = bucket(|_| last_page(&["images/", "images/a.jpg", "images/b.jpg"])).await;
    let user = User::of_url(&gateway(&["a"], |_| Some(seven("a"))).await, &env);
    for source in ["s3://bucket/images/", "s3://bucket/images", "s3://bucket"] {
        let told = infer(&user, &[source, "--dry-run", "--json"]).json();
        assert_eq!((&told["images"], &told["skipped"]), (&2.into(), &json!({"folder marker": 1})), "{source}: {told}");
    }
    // Only what is on the command line says that AWS is needed.
    let mut run = user.command(&["-", "s3://bucket/images/a.jpg", "--json"]).stdin(Stdio::piped()).spawn().unwrap();
    run.stdin.take().unwrap().write_all(b"s3://bucket/images/\n").unwrap();
    let ran = block_in_place(|| finish(run));
    assert_eq!((ran.code, &ran.json()["successful"]), (Some(0), &2.into()), "{ran:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_named_twice_is_counted_once_however_it_is_spelled() {
    let user = user(&gateway(&["a"], |_| Some(seven("a"))).await);
    let whole = user.path("d").to_str().unwrap().to_owned();
    let sources = ["d", "./d", "d/../d/1.png", &whole];
    let told = infer(&user, &[&sources[..], &["--dry-run", "--json"]].concat()).json();
    assert_eq!((&told["images"], &told["bytes"]), (&4.into(), &(4 * PHOTO.len()).into()), "`..` may lead elsewhere: {told}");
    let ran = infer(&user, &[&sources[..], &["--json"]].concat());
    assert_eq!((&ran.json()["total"], &ran.json()["skipped"]["named twice"]), (&4.into(), &6.into()), "{ran:?}");
    assert_eq!(user.csv().len(), 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_in_which_nothing_is_is_no_success() {
    let nothing = |_: &str| Some(String::new());
    let no_classes = |_: &str| Some(r#"{"alias":"a","model":"a","version":"1","top":[]}"#.to_owned());
    for url in [gateway(&["a"], nothing).await, gateway(&["a"], no_classes).await] {
        let user = user(&url);
        let ran = infer(&user, &["d", "--json"]);
        let end = ran.json();
        assert_eq!((ran.code, &end["successful"], &end["errors"]), (Some(1), &0.into(), &json!({"no_result": 3})), "{ran:?}");
        let rows = user.csv();
        assert!(rows[1..].iter().all(|row| row[1] == "error" && row[2].is_empty()), "{rows:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_not_resumed_with_other_models_than_it_began_with() {
    let mut user = user(&gateway(&["a"], |_| Some(seven("a"))).await);
    assert_eq!(infer(&user, &["d/1.png", "d/2.png", "--quiet"]).code, Some(0));
    let journal = user.results(".jsonl").pop().unwrap();
    let before = std::fs::read_to_string(&journal).unwrap();
    // The same address, as a deployment keeps it while its pipeline changes.
    let old = std::mem::replace(&mut user.url, gateway(&["b"], |_| Some(seven("b"))).await);
    std::fs::write(&journal, before.replace(&old, &user.url)).unwrap();
    let ran = infer(&user, &["d/1.png", "d/2.png", "--quiet", "--resume"]);
    assert!(ran.code == Some(2) && ran.err.contains("has answers of a, and the server now has b"), "{ran:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_newest_run_that_asked_the_same_is_gone_on_with() {
    let user = user(&gateway(&["a"], |_| Some(seven("a"))).await);
    assert_eq!(infer(&user, &["d/1.png", "d/2.png", "--quiet"]).code, Some(0));
    assert_eq!(infer(&user, &["d/2.png", "d/3.png", "--quiet"]).code, Some(0));
    let ran = infer(&user, &["d/1.png", "d/2.png", "--json", "--resume"]);
    assert_eq!((ran.code, ran.out.lines().count(), &ran.json()["total"]), (Some(0), 1, &2.into()), "{ran:?}");
    // What finds nothing leaves nothing to go on with.
    std::fs::create_dir(user.path("empty")).unwrap();
    let ran = infer(&user, &["empty"]);
    assert!(ran.code == Some(1) && ran.err.contains("neither images nor videos"), "{ran:?}");
    assert_eq!(user.results(".jsonl").len(), 2);
    user.write("notes.txt", b"a token");
    let ran = infer(&user, &["d", "--resume=notes.txt"]);
    assert!(ran.code == Some(1) && ran.err.contains("line 1 of the journal notes.txt"), "{ran:?}");
    assert_eq!(std::fs::read(user.path("notes.txt")).unwrap(), b"a token");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_resumed_run_that_is_stopped_keeps_the_older_result_of_what_has_changed() {
    let quiet = gateway(&["a"], |_| None).await;
    let mut user = user(&gateway(&["a"], |_| Some(seven("a"))).await);
    assert_eq!(infer(&user, &["d", "--quiet"]).code, Some(0));
    let journal = user.results(".jsonl").pop().unwrap();
    let before = std::fs::read_to_string(&journal).unwrap();
    std::fs::write(&journal, before.replace(&user.url, &quiet)).unwrap();
    user.url = quiet;
    user.write("d/1.png", &[PHOTO, b"more"].concat());
    let run = user.command(&["d", "--quiet", "--resume"]).spawn().unwrap();
    std::thread::sleep(Duration::from_secs(1));
    assert!(signal(&run, "INT"));
    let ran = block_in_place(|| finish(run));
    assert_eq!(ran.code, Some(130), "{ran:?}");
    assert_eq!(user.csv().len(), 4, "{:?}", user.csv());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_some_models_answered_is_kept_when_the_run_is_stopped() {
    let away = r#"{"alias":"b","model":"b","error":{"code":"model_unavailable","message":"away","retryable":true}}"#;
    let user = user(&gateway(&["a", "b"], move |_| Some(format!("{},{away}", seven("a")))).await);
    let run = user.command(&["d", "--quiet"]).spawn().unwrap();
    wait_for_records(&user, 1);
    std::thread::sleep(Duration::from_secs(1));
    assert!(signal(&run, "INT"));
    let ran = block_in_place(|| finish(run));
    assert_eq!(ran.code, Some(130), "{ran:?}");
    let rows = user.csv();
    assert!(rows.len() == 4 && rows[1..].iter().all(|row| row[1..5] == ["error", "7", "0.5", ""]), "{rows:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn older_servers_have_the_models_that_they_answer_with_and_say_not_whether_an_error_passes() {
    let served = r#"{"status":"success","outputs":{"served":{"out":[[0.5,3.5,0.25]]}}}"#;
    let list = |user: &User| {
        let mut run = user.command(&["-", "--protocol", "v0", "--json"]).stdin(Stdio::piped()).spawn().unwrap();
        run.stdin.take().unwrap().write_all(b"s3://bucket/images/a.png\ns3://bucket/images/b.png\n").unwrap();
        block_in_place(|| finish(run))
    };
    let user = user(&old_server(served).await);
    let ran = list(&user);
    assert_eq!((ran.code, &ran.json()["successful"]), (Some(0), &2.into()), "{ran:?}");
    let rows = user.csv();
    assert_eq!(rows[0], ["image_key", "status", "served_top1_class", "served_top1_confidence", "processing_time"]);
    assert_eq!(rows[1][..3], ["images/a.png", "success", "1"]);

    let user = User::of_url(&old_server(r#"{"status":"error","message":"Triton is restarting"}"#).await, &BTreeMap::new());
    let ran = list(&user);
    assert_eq!((ran.code, &ran.json()["errors"]), (Some(1), &json!({"refused": 2})), "{ran:?}");
    assert!(ran.json()["next"].as_str().unwrap().contains("--resume="), "{ran:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_asks_to_stop_ends_a_single_image_that_nobody_answers() {
    let user = user(&gateway(&["a"], |_| None).await);
    // Ctrl-C, the end of a job or a pod, a terminal that is closed.
    for name in ["INT", "TERM", "HUP"] {
        let run = user.command(&["d/1.png"]).spawn().unwrap();
        std::thread::sleep(Duration::from_secs(1));
        let begun = Instant::now();
        assert!(signal(&run, name));
        let ran = block_in_place(|| finish(run));
        assert!(ran.code == Some(130) && begun.elapsed() < Duration::from_secs(10), "{name}: {ran:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_far_too_large_is_refused_by_its_size() {
    let user = user(&gateway(&["a"], |_| Some(seven("a"))).await);
    user.write("big.png", PHOTO);
    File::options().write(true).open(user.path("big.png")).unwrap().set_len(10 << 40).unwrap();
    let ran = infer(&user, &["big.png"]);
    assert!(ran.code == Some(2) && ran.err.contains("big.png: the file has"), "{ran:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_secret_in_an_address_is_told_nowhere() {
    let served = gateway(&["a"], |_| Some(seven("a"))).await;
    let url = format!("{served}path?token=SECRET");
    let user = user(&url);
    let page = "r.html";
    assert_eq!(infer(&user, &["d", "--report", page]).code, Some(0));
    let journal = std::fs::read_to_string(user.results(".jsonl").pop().unwrap()).unwrap();
    assert!(journal.contains("/path\"") && !journal.contains("SECRET"), "{journal}");
    assert!(!std::fs::read_to_string(user.path(page)).unwrap().contains("SECRET"));
    assert_eq!(infer(&user, &["d", "--resume", "--quiet"]).code, Some(0), "with the same address");
    for gone in ["ws://127.0.0.1:9/?token=SECRET", "ws://localhost.invalid/?token=SECRET"] {
        let user = User::of_url(gone, &BTreeMap::new());
        user.write("1.png", PHOTO);
        let [single, batch] = [infer(&user, &["1.png"]), infer(&user, &[".", "--json"])];
        for ran in [single, batch] {
            assert!(ran.code == Some(1) && !format!("{ran:?}").contains("SECRET"), "{ran:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_whose_output_nobody_reads_any_more_stops() {
    let slow = gateway(&["a"], |_| {
        std::thread::sleep(Duration::from_millis(50));
        Some(seven("a"))
    });
    let user = user(&slow.await);
    (0..200).for_each(|number| user.write(format!("many/{number}.png"), PHOTO));
    let mut run = user.command(&["many", "--json", "--concurrency", "1"]).spawn().unwrap();
    let mut line = String::new();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(run.stdout.take().unwrap()), &mut line).unwrap();
    assert_eq!(serde_json::from_str::<Value>(&line).unwrap()["status"], "success");
    let ran = block_in_place(|| finish(run));
    assert!(ran.code == Some(130) && !ran.err.contains("panicked"), "{ran:?}");
    let answered = std::fs::read_to_string(user.results(".jsonl").pop().unwrap()).unwrap().lines().count();
    assert!(answered < 100, "{answered} were asked for all the same");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_others_wrote_is_not_obeyed_by_a_terminal() {
    let hostile =
        r#"{"alias":"a","model":"a","version":"1","top":[{"index":1,"score":0.5,"label":"x\u001b]0;PWNED\u0007\u202e"}]}"#;
    let user = user(&gateway(&["a"], move |_| Some(hostile.to_owned())).await);
    std::os::unix::fs::symlink("nowhere", user.path("d/x\u{1b}]0;PWNED\u{7}")).unwrap();
    let runs = [
        infer(&user, &["d/1.png"]),
        infer(&user, &["d/1.png", "--json"]),
        infer(&user, &["d"]),
        infer(&user, &["d", "--dry-run"]),
    ];
    for ran in runs {
        let told = format!("{}{}", ran.out, ran.err);
        assert!(!told.contains(['\u{1b}', '\u{7}', '\u{202e}']), "{told:?}");
    }
}
