//! Folders, prefixes and lists of images: what is asked for, and what is left of it.

use crate::user::User;
use crate::world::{BUCKET, World, models};

const PHOTO: &[u8] = include_bytes!("../../assets/cat.png");
const LITE: &str = "efficientnet_lite0";

#[tokio::test(flavor = "multi_thread")]
async fn a_prefix_and_a_folder_become_one_table() {
    let mut world = World::start().await;
    world.publish("release/manifest.json", &models(&["densenet_onnx", "resnet50_onnx", LITE])).await;
    for key in ["images/a.png", "images/b.png", "images/note.jpg", "images/readme.txt", "images/tritondeploy-proof.png"] {
        world.put(key, if key.ends_with("note.jpg") { b"no picture" } else { PHOTO }).await;
    }
    let (synced, said) = world.sync();
    assert!(synced, "{said}");
    world.start_triton();
    world.start_gateway();
    world.wait_ready(200);
    let user = User::of(&world);
    user.write("photos/x.png", PHOTO);
    user.write("photos/notes.md", b"no picture");

    let ran = user.infer(&[&format!("s3://{BUCKET}/images/"), "photos", "--model", LITE, "--json"]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    let csv = user.csv();
    let head = ["image_key", "status", "efficientnet_lite0_top1_class", "efficientnet_lite0_top1_confidence", "processing_time"];
    assert_eq!(csv[0], head);
    let told: Vec<[&str; 3]> = csv[1..].iter().map(|row| [&*row[0], &*row[1], &*row[2]]).collect();
    let wanted = [
        ["images/a.png", "success", "285"],
        ["images/b.png", "success", "285"],
        ["images/note.jpg", "error", ""],
        ["photos/x.png", "success", "285"],
    ];
    assert_eq!(told, wanted);
    let end = ran.json();
    assert_eq!((&end["total"], &end["successful"], &end["failed"]), (&4.into(), &3.into(), &1.into()), "{end}");
    assert_eq!(end["skipped"], serde_json::json!({"neither image nor video": 2, "the deployment's own check": 1}), "{end}");
    assert_eq!(ran.out.lines().count(), 5, "{}", ran.out);
}
