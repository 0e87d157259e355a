//! Folders, prefixes and lists of images: what is asked for, and what is left of it.

use std::io::Write;
use std::process::Stdio;

use serde_json::{Value, json};

use crate::broken;
use crate::pictures::{mean, picture};
use crate::report;
use crate::user::{User, finish};
use tritondeploy_support::world::{BUCKET, World, models};

const PHOTO: &[u8] = include_bytes!("../../assets/cat.png");
const LITE: &str = "efficientnet_lite0";

/// A model that costs little.
pub(crate) const MODEL: &str = "mean";

#[tokio::test(flavor = "multi_thread")]
async fn folders_prefixes_and_lists_become_tables() {
    let mut world = World::start().await;
    let mut files = models(&["densenet_onnx", "resnet50_onnx", LITE]);
    files.extend(mean(MODEL));
    world.publish("release/manifest.json", &files).await;
    for key in ["images/a.png", "images/b.png", "images/note.jpg", "images/readme.txt", "images/tritondeploy-proof.png"] {
        world.put(key, if key.ends_with("note.jpg") { b"no picture" } else { PHOTO }).await;
    }
    world.put("images/sub/data", b"no picture").await;
    world.put("images/sub/picture", &picture()).await;
    let (synced, said) = world.sync();
    assert!(synced, "{said}");
    world.start_triton();
    world.start_gateway();
    world.wait_ready(200);
    let fresh = || {
        let user = User::of(&world);
        user.write("photos/x.png", PHOTO);
        user.write("photos/notes.md", b"no picture");
        user
    };
    a_prefix_and_a_folder_become_one_table(&fresh());
    what_is_asked_for_is_told_before(&fresh());
    a_list_is_read_from_standard_input(&fresh());
    a_single_image_leaves_no_files(&fresh());
    older_servers_are_asked_by_protocol_v0(&fresh());
    report::a_run_leaves_a_page(&fresh());
    broken::a_folder_of_broken_files(&fresh(), &picture());
    broken::hostile_names(&world, &fresh(), &picture()).await;
}

fn a_prefix_and_a_folder_become_one_table(user: &User) {
    let prefix = format!("s3://{BUCKET}/images/");
    let ran = user.infer(&[&prefix, "photos", "photos/x.png", "--model", LITE, "--json"]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    let csv = user.csv();
    let head = ["image_key", "status", "efficientnet_lite0_top1_class", "efficientnet_lite0_top1_confidence", "processing_time"];
    assert_eq!(csv[0], head);
    let told: Vec<[&str; 3]> = csv[1..].iter().map(|row| [&*row[0], &*row[1], &*row[2]]).collect();
    let wanted = [
        ["images/a.png", "success", "285"],
        ["images/b.png", "success", "285"],
        ["images/note.jpg", "error", ""],
        ["images/sub/picture", "success", told[3][2]],
        ["photos/x.png", "success", "285"],
    ];
    assert_eq!(told, wanted);
    let confidence: f64 = csv[1][3].parse().unwrap();
    assert!((0.73..0.81).contains(&confidence) && csv[1][4].parse::<f64>().unwrap() > 0.0, "{csv:?}");
    let raw = std::fs::read(user.results(".csv").pop().unwrap()).unwrap();
    assert_eq!(raw.iter().filter(|byte| **byte == b'\n').count(), 6);
    assert!(raw.windows(2).filter(|two| two == b"\r\n").count() == 6, "its lines end as they always did");
    let end = ran.json();
    assert_eq!((&end["total"], &end["successful"], &end["failed"]), (&5.into(), &4.into(), &1.into()), "{end}");
    let skipped =
        json!({"neither image nor video": 2, "the deployment's own check": 1, "named twice": 1, "no image, says the gateway": 1});
    assert_eq!(end["skipped"], skipped, "{end}");
    // A line for each, and the end.
    assert_eq!(ran.out.lines().count(), 6, "{}", ran.out);

    // Whoever changes a file gets another answer for it, and only for it.
    user.write("photos/x.png", &picture());
    let again = user.infer(&[&prefix, "photos", "photos/x.png", "--model", LITE, "--json", "--resume"]);
    assert_eq!(again.out.lines().count(), 2, "{}", again.out);
    let changed = user.csv();
    assert_eq!((changed.len(), &changed[1..5]), (6, &csv[1..5]));
    assert!(changed[5][0] == "photos/x.png" && changed[5][2] != "285", "{changed:?}");
}

fn what_is_asked_for_is_told_before(user: &User) {
    let ran = user.infer(&[&format!("s3://{BUCKET}/images/"), "photos", "--dry-run", "--json"]);
    let told = ran.json();
    assert_eq!((ran.code, &told["images"], &told["videos"]), (Some(0), &6.into(), &0.into()), "{ran:?}");
    assert_eq!((&told["s3"]["lists"], &told["s3"]["gets"]), (&1.into(), &5.into()), "{told}");
    let words = user.infer(&[&format!("s3://{BUCKET}/images/"), "--dry-run"]).out;
    assert!(words.contains("1 LIST and 5 GET requests, about $0.0000 (us-east-1 prices"), "{words}");
    let none = user.infer(&[&format!("s3://{BUCKET}-of-nobody/images/"), "--dry-run"]);
    assert!(none.code == Some(1) && none.err.contains("cannot be listed"), "{none:?}");
    assert!(user.results("").is_empty(), "a dry run leaves nothing");
}

fn a_list_is_read_from_standard_input(user: &User) {
    let mut run = user.command(&["-", "--model", MODEL, "--json"]).stdin(Stdio::piped()).spawn().unwrap();
    let list = format!("photos/x.png\0s3://{BUCKET}/images/b.png\0photos/none.png\0s3://{BUCKET}/images/none.png\0");
    run.stdin.take().unwrap().write_all(list.as_bytes()).unwrap();
    let ran = finish(run);
    let rows = user.csv();
    let told: Vec<(&str, &str)> = rows[1..].iter().map(|row| (&*row[0], &*row[1])).collect();
    let wanted =
        [("photos/x.png", "success"), ("images/b.png", "success"), ("photos/none.png", "error"), ("images/none.png", "error")];
    assert_eq!(told, wanted, "{ran:?}");
    assert_eq!(ran.json()["errors"], json!({"not_found_or_forbidden": 1, "unreadable": 1}));
}

/// As it was before there were folders; without AWS, where the server is named.
fn a_single_image_leaves_no_files(user: &User) {
    let mut command = user.command(&["photos/x.png", "--model", LITE, "--top", "2", "--json"]);
    for name in user.env.keys() {
        command.env_remove(name);
    }
    let ran = finish(command.spawn().unwrap());
    let told = ran.json();
    assert_eq!((ran.code, &told["models"][0]["top"][0]["index"]), (Some(0), &285.into()), "{ran:?}");
    assert_eq!(told["models"][0]["top"].as_array().unwrap().len(), 2);
    assert!(user.results("").is_empty(), "nobody asked for files");
    let kept = user.infer(&["photos/x.png", "--model", LITE, "--output", "."]);
    assert_eq!((kept.code, user.csv().len()), (Some(0), 2), "{kept:?}");
}

fn older_servers_are_asked_by_protocol_v0(user: &User) {
    let file = user.infer(&["photos/x.png", "--protocol", "v0"]);
    assert!(file.code == Some(2) && file.err.contains("s3://BUCKET/images/"), "{file:?}");
    let prefix = format!("s3://{BUCKET}/images/");
    let by = |protocol: &str| {
        let user = User::of_url(&user.url, &user.env);
        let ran = user.infer(&[&prefix, "--protocol", protocol, "--json"]);
        let lines = ran.out.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let of_b = lines.clone().find(|line| line["image"].as_str().is_some_and(|uri| uri.ends_with("/b.png"))).unwrap();
        (ran.code, user.csv(), of_b["models"].clone())
    };
    let ((code_of_v0, of_v0, models_of_v0), (code_of_v1, of_v1, models_of_v1)) = (by("v0"), by("v1"));
    assert_eq!((code_of_v0, code_of_v1), (Some(1), Some(1)));
    assert_eq!(of_v0[0], of_v1[0]);
    assert_eq!(of_v0[0][2..4], ["densenet_top1_class", "densenet_top1_confidence"]);
    for key in ["images/a.png", "images/b.png", "images/note.jpg"] {
        let row = |table: &[Vec<String>]| table.iter().find(|row| row[0] == key).unwrap_or_else(|| panic!("{key}")).clone();
        let (v0, v1) = (row(&of_v0), row(&of_v1));
        assert_eq!((&v0[1], &v0[2], &v0[4]), (&v1[1], &v1[2], &v1[4]));
        if v0[1] == "success" {
            let near = |at: usize| (v0[at].parse::<f64>().unwrap() - v1[at].parse::<f64>().unwrap()).abs() < 1e-6;
            assert!(near(3) && near(5), "{v0:?} {v1:?}");
        }
    }
    let indexes = |models: &Value| -> Vec<Vec<Value>> {
        let top = |model: &Value| model["top"].as_array().unwrap().iter().map(|class| class["index"].clone()).collect();
        models.as_array().unwrap().iter().map(top).collect()
    };
    assert_eq!(indexes(&models_of_v0), indexes(&models_of_v1));
}
