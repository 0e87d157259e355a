//! Videos: every sampled frame is asked for, once, and what cannot be read says why.

use std::time::Duration;

use tritondeploy_client::{Answer, Client, Object, Request, Values};

use crate::studio::{count, ffmpeg, film, frames, journal};
use crate::user::User;
use tritondeploy_support::world::{BUCKET, World, cache, models};

const LITE: &str = "efficientnet_lite0";

async fn world() -> World {
    let mut world = World::start().await;
    world.publish("release/manifest.json", &models(&["densenet_onnx", "resnet50_onnx", LITE])).await;
    let (synced, said) = world.sync();
    assert!(synced, "{said}");
    world.start_triton();
    world.start_gateway();
    world.wait_ready(200);
    world
}

/// Whose temporary files lie in a folder of their own.
fn user(world: &World) -> User {
    let mut user = User::of(world);
    std::fs::create_dir(user.path("tmp")).unwrap();
    let tmp = user.path("tmp").display().to_string();
    user.env.insert("TMPDIR".to_owned(), tmp);
    user
}

fn every_30th(frames: u64) -> Vec<u64> {
    (0..frames).step_by(30).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_sampled_frame_of_videos_of_a_folder_and_of_the_bucket_is_answered_once_also_after_kill_minus_9() {
    let world = world().await;
    let user = user(&world);
    let folder = user.path("clips");
    let long = film(&folder, "160x90", 30, 60, "-c:v libx264 -preset ultrafast -bf 2 long.mp4");
    let short = film(&user.path("elsewhere"), "96x64", 25, 10, "-c:v libx264 -preset ultrafast short.mp4");
    world.put("videos/short.mp4", &std::fs::read(&short).unwrap()).await;
    let (long, short) = (count(&long), count(&short));
    assert_eq!((long, short), (1800, 250));
    let bucket = format!("s3://{BUCKET}/videos/");
    let args = ["clips", &bucket, "--model", LITE];

    // Both at once.
    let ran = user.infer(&[&args[..], &["--json"]].concat());
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let told = journal(&user);
    let both = [("clips/long.mp4".to_owned(), every_30th(long)), (format!("{bucket}short.mp4"), every_30th(short))];
    assert_eq!(frames(&told), both.clone().into());
    let first_of_short = told.iter().position(|record| record["uri"] == both[1].0).unwrap();
    let last_of_long = told.iter().rposition(|record| record["uri"] == both[0].0).unwrap();
    assert!(first_of_short < last_of_long, "at once");
    for record in told.iter().filter(|record| record["record"] == "frame") {
        let rate = if record["uri"] == "clips/long.mp4" { 30.0 } else { 25.0 };
        let wanted = record["frame"].as_f64().unwrap() / rate;
        assert!((record["at"].as_f64().unwrap() - wanted).abs() < 1e-4, "{record}");
        assert_eq!(record["results"][0]["top"].as_array().unwrap().len(), 5, "{record}");
    }
    let csv = user.video_csv();
    let head =
        ["video_key", "status", "frames_processed", "successful_frames", "failed_frames", "processing_time", "error_message"];
    assert_eq!(csv[0], head);
    assert_eq!(csv[1][..5], ["clips/long.mp4", "success", "60", "60", "0"]);
    assert_eq!(csv[2][..5], ["videos/short.mp4", "success", "9", "9", "0"]);
    let videos = &ran.json()["videos"];
    assert_eq!(
        videos,
        &serde_json::json!({"total": 2, "successful": 2, "failed": 0, "partly": 0, "frames": 69, "failed_frames": 0})
    );
    assert_eq!(ran.out.lines().filter(|line| line.contains("\"frame\":")).count(), 69);
    assert_eq!(world.keys("temp_frames/").await, Vec::<String>::new(), "nothing is put into the bucket");
    assert_eq!(std::fs::read_dir(user.path("tmp")).unwrap().count(), 0, "nothing is left on the disk");

    // Killed while both are under way, the downloaded one still on the disk.
    std::fs::remove_dir_all(user.path("inference_results")).unwrap();
    let mut child = user.command(&[&args[..], &["--frames", "1"]].concat()).spawn().unwrap();
    let begun =
        || user.results(".jsonl").pop().map_or(0, |_| frames(&journal(&user)).values().filter(|some| some.len() > 1).count());
    while begun() < 2 {
        assert!(child.try_wait().unwrap().is_none(), "it ended before it was killed");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let before = frames(&journal(&user));
    assert!(before.values().map(Vec::len).sum::<usize>() < 69, "{before:?}");
    assert_eq!(std::fs::read_dir(user.path("tmp")).unwrap().count(), 1);
    let ran = user.infer(&[&args[..], &["--resume"]].concat());
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(frames(&journal(&user)), both.into(), "each once");
    assert_eq!(
        user.video_csv()[1..].iter().map(|row| row[2..5].to_vec()).collect::<Vec<_>>(),
        [["60", "60", "0"], ["9", "9", "0"]]
    );
    assert_eq!(std::fs::read_dir(user.path("tmp")).unwrap().count(), 0, "what the killed run left is removed");
    assert!(ran.out.contains("Total videos: 2") && ran.out.contains("Frames: 69 of 69 successful"), "{}", ran.out);

    what_cannot_be_read_is_told_and_the_rest_is_done(&world).await;
}

async fn what_cannot_be_read_is_told_and_the_rest_is_done(world: &World) {
    let user = user(world);
    let folder = user.path("clips");
    let cut = film(&folder, "160x90", 30, 4, "-c:v libx264 -movflags faststart 1-cut.mp4");
    let bytes = std::fs::read(&cut).unwrap();
    std::fs::write(&cut, &bytes[..bytes.len() * 2 / 3]).unwrap();
    user.write("clips/2-empty.mp4", b"");
    ffmpeg(&folder, "-f lavfi -i sine=duration=1 3-sound.mp4");
    let secret = film(&user.path("secrets"), "64x64", 10, 1, "-c:v mpeg2video -f mpegts secret.ts");
    let playlist = format!("#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfile://{}\n#EXT-X-ENDLIST\n", secret.display());
    user.write("clips/4-list.mp4", playlist.as_bytes());
    film(&folder, "64x48", 10, 4, "-c:v libx264 5-good.mp4");
    std::fs::rename(folder.join("5-good.mp4"), folder.join("=5 ,\"good\n.mp4")).unwrap();
    world.put("videos/gone.mp4", b"").await;

    let ran = user.infer(&["clips", &format!("s3://{BUCKET}/videos/gone.mp4"), "--model", LITE, "--every", "10"]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    let csv = user.video_csv();
    let row = |name: &str| csv.iter().find(|row| row[0].ends_with(name)).unwrap_or_else(|| panic!("{name} in {csv:?}"));
    let cut = row("1-cut.mp4");
    assert_eq!((&*cut[1], &*cut[4]), ("success", "0"), "{cut:?}");
    assert!((3..12).contains(&cut[2].parse().unwrap()) && cut[6].contains("lacks its end"), "{cut:?}");
    for (name, why) in [
        ("2-empty.mp4", "the file is empty"),
        ("3-sound.mp4", "no video stream"),
        ("4-list.mp4", "is not read as a video"),
        ("videos/gone.mp4", "the file is empty"),
    ] {
        let row = row(name);
        assert_eq!(row[1..5], ["failed", "0", "0", "0"], "{row:?}");
        assert!(row[6].contains(why), "{row:?}");
    }
    assert_eq!(row("=5 ,\"good\n.mp4")[1..5], ["success", "4", "4", "0"]);
    assert_eq!(csv.len(), 7, "{csv:?}");
    assert!(
        ran.err.contains("4 of 6 videos failed;") && ran.err.contains("1 of 6 videos could be read only in part"),
        "{}",
        ran.err
    );

    // Nothing is asked where no frame could be taken, or sent.
    let mut without = self::user(world);
    let before = world.metrics().ended("v1", "ok");
    film(&without.path("clips"), "64x64", 10, 1, "-c:v libx264 a.mp4");
    without.write("clips/b.png", include_bytes!("../../assets/cat.png"));
    let v0 = without.infer(&[&format!("s3://{BUCKET}/videos/"), "--protocol", "v0", "--model", LITE]);
    assert_eq!(v0.code, Some(2), "{v0:?}");
    assert!(v0.err.contains("protocol v0 cannot carry the pixels"), "{}", v0.err);
    without.env.insert("PATH".to_owned(), "/nowhere".to_owned());
    let ran = without.infer(&["clips", "--model", LITE]);
    assert_eq!(ran.code, Some(2), "{ran:?}");
    assert!(ran.err.contains("1 video needs it: clips/a.mp4") && ran.err.contains("apt-get install ffmpeg"), "{}", ran.err);
    assert_eq!(world.metrics().ended("v1", "ok"), before);
    let ran = without.infer(&["clips/b.png", "--model", LITE, "--output", "out"]);
    assert_eq!(ran.code, Some(0), "images need no ffmpeg: {ran:?}");
}

/// Photographs that scikit-image brings, with which the models were made.
const PHOTOS: [&str; 6] = ["chelsea.png", "coffee.png", "rocket.jpg", "astronaut.png", "motorcycle_left.png", "coins.png"];

/// Of each.
const FRAMES: u64 = 42;

/// As before tritondeploy: a frame became a picture in the bucket, and was asked for by protocol v0. A PNG here, which is
/// the same frame; with a JPEG (`-q:v 2`), as it was then, 490 of 504 agree (84 of each).
#[tokio::test(flavor = "multi_thread")]
async fn frames_are_classified_as_their_pictures_in_the_bucket_are_by_protocol_v0() {
    let world = world().await;
    let user = user(&world);
    let clips = user.path("clips");
    std::fs::create_dir(&clips).unwrap();
    let venv = cache().join("venv-models/lib/python3.11/site-packages/skimage/data");
    for photo in PHOTOS {
        // The camera comes nearer and moves.
        let zoom = "zoompan=z='1+0.8*on/FRAMES':x='(iw-iw/zoom)*(0.5+0.4*sin(on/7))':y='(ih-ih/zoom)*(0.5+0.4*cos(on/5))':d=1:s=800x600:fps=10";
        let zoom = zoom.replace("FRAMES", &FRAMES.to_string());
        let input = venv.join(photo).display().to_string();
        let output = "-c:v libx264 -preset fast -crf 20 -pix_fmt yuv420p";
        ffmpeg(
            &clips,
            &format!("-loop 1 -framerate 10 -i {input} -vf scale=1600:1200,{zoom} -frames:v {FRAMES} {output} {photo}.mp4"),
        );
    }
    let ran = user.infer(&["clips", "--model", LITE, "--every", "1"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let told = journal(&user);
    let mut client = Client::connect(&world.address()).await.unwrap();
    let (mut agreed, mut asked, mut classes) = (0, 0, std::collections::BTreeSet::new());
    for photo in PHOTOS {
        ffmpeg(&clips, &format!("-i {photo}.mp4 -fps_mode passthrough -start_number 0 frame_%d.png"));
        for number in 0..FRAMES {
            let key = format!("temp_frames/frame_{number}.png");
            world.put(&key, &std::fs::read(clips.join(format!("frame_{number}.png"))).unwrap()).await;
            let request = Request::Image { model: LITE.to_owned(), object: Object { bucket: BUCKET.to_owned(), key } };
            let Ok(Answer::Model(outputs)) = client.ask(&request).await else { panic!("no answer") };
            let Values::Numbers(scores) = &outputs[0].values else { panic!("no numbers") };
            let mut order: Vec<usize> = (0..scores.len()).collect();
            order.sort_by(|a, b| scores[*b].total_cmp(&scores[*a]));
            let margin = scores[order[0]] - scores[order[1]];
            let uri = format!("clips/{photo}.mp4");
            let frame = told.iter().find(|record| record["uri"] == *uri && record["frame"] == number).expect("its record");
            let ours = frame["results"][0]["top"][0]["index"].as_u64().unwrap();
            asked += 1;
            classes.insert(order[0]);
            if ours == order[0] as u64 {
                agreed += 1;
            } else {
                println!("{photo}, frame {number}: v0 says {} by a margin of {margin:.4}, v1 {ours}", order[0]);
                assert!(margin < 0.1, "{photo}, frame {number}: v0 says {} by {margin}, v1 {ours}", order[0]);
            }
        }
    }
    println!("top-1 agrees for {agreed} of {asked} frames of {} classes", classes.len());
    assert!(agreed * 100 >= asked * 95, "{agreed} of {asked}");
    assert!(classes.len() >= 10, "many pictures: {classes:?}");
}
