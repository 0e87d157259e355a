//! Real videos, made by ffmpeg here and now.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

use super::super::probe::probe;
use super::super::tool::Programs;
use super::*;

const EVERY_30: Sampling = Sampling::Every(30);

/// A folder for the videos of one test.
struct Studio {
    folder: TempDir,
    tool: Tool,
}

impl Studio {
    async fn new() -> Self {
        let programs = Programs::find(std::env::var_os("PATH").as_deref()).expect("sandbox/setup installs ffmpeg");
        let tool = programs.proven().await.expect("sandbox/setup installs ffmpeg");
        Self { folder: tempfile::tempdir().unwrap(), tool }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Runs ffmpeg in the folder; `line` is split at spaces.
    fn ffmpeg(&self, line: &str) -> Output {
        let done = Command::new("ffmpeg")
            .args(["-v", "error", "-nostdin", "-y"])
            .args(line.split(' '))
            .current_dir(&self.folder)
            .output();
        let done = done.unwrap();
        assert!(done.status.success(), "{line}: {}", String::from_utf8_lossy(&done.stderr));
        done
    }

    /// So many seconds of the test picture, encoded as `line` says.
    fn film(&self, size: &str, rate: u32, seconds: u32, line: &str) -> PathBuf {
        self.ffmpeg(&format!("-f lavfi -i testsrc=size={size}:rate={rate} -t {seconds} {line}"));
        self.path(line.rsplit(' ').next().unwrap())
    }

    /// ffprobe's answer about each decoded frame.
    fn frames(&self, path: &Path, entry: &str) -> Vec<String> {
        let asked = ["-v", "error", "-select_streams", "v:0", "-show_entries", &format!("frame={entry}"), "-of", "csv=p=0"];
        let told = Command::new("ffprobe").args(asked).arg(path).output().unwrap();
        let told = String::from_utf8(told.stdout).unwrap();
        told.lines().map(|line| line.trim_end_matches(',').to_owned()).filter(|line| !line.is_empty()).collect()
    }

    async fn all(&self, path: &Path, sampling: Sampling) -> (Vec<Frame>, Result<(), Failure>) {
        let probe = match probe(&self.tool, path).await {
            Ok(probe) => probe,
            Err(why) => return (Vec::new(), Err(why)),
        };
        let options = Options { sampling, bounds: Bounds { shorter_side: 448, bytes: 64 << 20 }, threads: 1 };
        let mut frames = Frames::open(&self.tool, path, &probe, options).unwrap();
        let mut all = Vec::new();
        let ended = loop {
            match frames.next().await {
                Ok(Some(frame)) => all.push(frame),
                Ok(None) => break Ok(()),
                Err(why) => break Err(why),
            }
        };
        (all, ended)
    }

    async fn refusal(&self, name: &str) -> String {
        let (frames, ended) = self.all(&self.path(name), EVERY_30).await;
        assert!(frames.is_empty(), "{name}");
        ended.unwrap_err().message
    }
}

fn numbers(frames: &[Frame]) -> Vec<u64> {
    frames.iter().map(|frame| frame.number).collect()
}

/// The mean colour of a part of the frame, in eighths of its sides.
fn colour(frame: &Frame, column: u32, row: u32) -> [u8; 3] {
    let (x, y) = (frame.width * (2 * column + 1) / 16, frame.height * (2 * row + 1) / 16);
    let at = (y * frame.width + x) as usize * 3;
    [frame.pixels[at], frame.pixels[at + 1], frame.pixels[at + 2]]
}

#[tokio::test]
async fn every_nth_frame_of_two_videos_at_once_is_numbered_and_timed_as_ffprobe_has_it() {
    let studio = Studio::new().await;
    let long = studio.film("160x90", 30, 60, "-c:v libx264 -preset ultrafast -bf 2 long.mp4");
    let short = studio.film("96x64", 25, 10, "-c:v mpeg4 short.avi");
    let ((of_long, ended), (of_short, _)) = tokio::join!(studio.all(&long, EVERY_30), studio.all(&short, EVERY_30));
    assert_eq!(ended, Ok(()));
    for (path, frames, count) in [(&long, &of_long, 1800), (&short, &of_short, 250)] {
        let times = studio.frames(path, "pts_time");
        assert_eq!(times.len(), count);
        assert_eq!(numbers(frames), (0..count as u64).step_by(30).collect::<Vec<_>>());
        for frame in frames {
            let wanted: f64 = times[frame.number as usize].parse().unwrap();
            assert!((frame.at.unwrap() - wanted).abs() < 1e-5, "frame {}: {:?}, ffprobe: {wanted}", frame.number, frame.at);
        }
    }
}

#[tokio::test]
async fn pixels_are_those_that_ffmpeg_itself_gives_for_the_frame_of_that_number() {
    let studio = Studio::new().await;
    let film = studio.film("640x362", 30, 2, "-c:v libx264 -pix_fmt yuv420p a.mp4");
    let (frames, ended) = studio.all(&film, Sampling::Every(7)).await;
    assert_eq!((ended, frames.len()), (Ok(()), 9));
    for frame in &frames {
        assert_eq!((frame.width, frame.height), (640, 362));
        let exact = "scale=flags=area+accurate_rnd";
        let line = format!(
            "-i a.mp4 -vf trim=start_frame={0}:end_frame={1},{exact} -pix_fmt rgb24 -f rawvideo one.rgb",
            frame.number,
            frame.number + 1
        );
        studio.ffmpeg(&line);
        assert!(frame.pixels == std::fs::read(studio.path("one.rgb")).unwrap(), "frame {}", frame.number);
    }
}

#[tokio::test]
async fn with_a_variable_rate_no_frame_is_repeated_or_dropped() {
    let studio = Studio::new().await;
    // Of 4 s at 30 a second, three of four frames are missing in the second half.
    let gaps = "-vf select='lt(n\\,60)+not(mod(n\\,4))' -fps_mode vfr -c:v libx264 -bf 2";
    let film = studio.film("160x90", 30, 4, &format!("{gaps} vfr.mkv"));
    let (frames, ended) = studio.all(&film, Sampling::Every(10)).await;
    assert_eq!(ended, Ok(()));
    let times: Vec<f64> = studio.frames(&film, "pts_time").iter().map(|time| time.parse().unwrap()).collect();
    assert_eq!(times.len(), 75);
    assert_eq!(numbers(&frames), [0, 10, 20, 30, 40, 50, 60, 70]);
    assert!(frames.iter().all(|frame| (frame.at.unwrap() - times[frame.number as usize]).abs() < 0.001));

    // By time: the first frame of each third of a second.
    let (frames, ended) = studio.all(&film, Sampling::Fps(3.0)).await;
    assert_eq!(ended, Ok(()));
    let part = |time: &f64| (time * 3.0 + 1e-5).floor() as u64;
    let mut first: Vec<(u64, u64)> = times.iter().zip(0..).map(|(time, number)| (part(time), number)).collect();
    first.dedup_by_key(|(part, _)| *part);
    assert_eq!(numbers(&frames), first.iter().map(|(_, number)| *number).collect::<Vec<_>>());
    assert_eq!(frames.len(), 12);
    // More than there are: each of them.
    assert_eq!(studio.all(&film, Sampling::Fps(500.0)).await.0.len(), 75);
}

#[tokio::test]
async fn a_turned_video_stands_upright_as_a_player_shows_it() {
    let studio = Studio::new().await;
    studio.ffmpeg("-f lavfi -i smptebars=size=320x180:rate=10 -t 1 -c:v libx264 flat.mp4");
    for degrees in [90, 180, 270] {
        studio.ffmpeg(&format!("-i flat.mp4 -c copy -metadata:s:v rotate={degrees} turned.mp4"));
        let (frames, ended) = studio.all(&studio.path("turned.mp4"), EVERY_30).await;
        assert_eq!(ended, Ok(()));
        let frame = &frames[0];
        assert_eq!((frame.width, frame.height), if degrees == 180 { (320, 180) } else { (180, 320) }, "{degrees}");
        // ffmpeg turns it by itself.
        studio.ffmpeg("-i turned.mp4 -frames:v 1 -pix_fmt rgb24 -f rawvideo upright.rgb");
        let upright = Frame { pixels: std::fs::read(studio.path("upright.rgb")).unwrap().into(), ..frame.clone() };
        for (column, row) in [(1, 1), (6, 1), (1, 6), (6, 6), (3, 4)] {
            let (ours, theirs) = (colour(frame, column, row), colour(&upright, column, row));
            assert!(ours.iter().zip(theirs).all(|(a, b)| a.abs_diff(b) < 12), "{degrees}: {ours:?}, {theirs:?}");
        }
    }
}

#[tokio::test]
async fn any_pixel_format_size_and_shape_becomes_rows_of_rgb() {
    let studio = Studio::new().await;
    for (size, line, wanted) in [
        ("128x96", "-c:v libx265 -x265-params log-level=error -pix_fmt yuv420p10le ten.mp4", (128, 96)),
        ("127x95", "-c:v ffv1 -pix_fmt yuv444p odd.mkv", (127, 95)),
        ("128x96", "-c:v ffv1 -pix_fmt gray16le grey.mkv", (128, 96)),
        ("128x96", "-c:v png -pix_fmt rgba alpha.mov", (128, 96)),
        ("128x96", "-c:v libvpx-vp9 -deadline realtime -cpu-used 8 nine.webm", (128, 96)),
        ("128x96", "-c:v mpeg2video -f mpegts ts.mp4", (128, 96)),
        ("1280x720", "-c:v mjpeg large.mov", (796, 448)),
        ("128x96", "-vf setsar=2/1 -c:v libx264 wide.mp4", (128, 48)),
        ("2x2", "-c:v ffv1 tiny.mkv", (2, 2)),
    ] {
        let film = studio.film(size, 10, 1, line);
        let (frames, ended) = studio.all(&film, Sampling::Every(4)).await;
        assert_eq!(ended, Ok(()), "{line}");
        assert_eq!(numbers(&frames), [0, 4, 8], "{line}");
        for frame in &frames {
            assert_eq!((frame.width, frame.height), wanted, "{line}");
            assert_eq!(frame.pixels.len(), 3 * (wanted.0 * wanted.1) as usize, "{line}");
        }
        assert!(frames[0].pixels.iter().any(|value| *value != frames[0].pixels[0]), "{line}: a picture");
    }
}

#[tokio::test]
async fn a_size_that_changes_midway_changes_neither_count_nor_frames() {
    let studio = Studio::new().await;
    studio.film("160x90", 10, 2, "-c:v mpeg2video -f mpegts a.ts");
    studio.film("64x128", 10, 2, "-c:v mpeg2video -f mpegts b.ts");
    let both = [std::fs::read(studio.path("a.ts")).unwrap(), std::fs::read(studio.path("b.ts")).unwrap()].concat();
    std::fs::write(studio.path("both.ts"), both).unwrap();
    let (frames, ended) = studio.all(&studio.path("both.ts"), Sampling::Every(7)).await;
    assert_eq!(ended, Ok(()));
    let widths = studio.frames(&studio.path("both.ts"), "width");
    assert_eq!((widths[0].as_str(), widths[38].as_str()), ("160", "64"));
    assert_eq!(numbers(&frames), [0, 7, 14, 21, 28, 35]);
    assert_eq!(studio.all(&studio.path("both.ts"), Sampling::Every(1)).await.0.len(), widths.len());
    assert!(frames.iter().all(|frame| (frame.width, frame.height) == (160, 90)));
}

#[tokio::test]
async fn of_a_cut_video_what_is_there_is_given_and_then_the_cause() {
    let studio = Studio::new().await;
    for line in [
        "-c:v libx264 -movflags faststart a.mp4",
        "-c:v libx264 a.mkv",
        "-c:v libx264 a.ts",
        "-c:v flv1 a.flv",
        "-c:v mpeg4 a.avi",
    ] {
        let whole = studio.film("160x90", 30, 4, line);
        let (frames, ended) = studio.all(&whole, Sampling::Every(10)).await;
        assert_eq!((frames.len(), ended), (12, Ok(())), "{line}");
        let bytes = std::fs::read(&whole).unwrap();
        std::fs::write(&whole, &bytes[..bytes.len() * 2 / 3]).unwrap();
        let (some, ended) = studio.all(&whole, Sampling::Every(10)).await;
        assert!((3..12).contains(&some.len()), "{line}: {}", some.len());
        assert_eq!(numbers(&some), numbers(&frames)[..some.len()], "{line}");
        // A transport stream has no header that says how long it is: a cut one is a shorter one.
        let Err(why) = ended else {
            assert!(line.ends_with(".ts"), "{line}");
            continue;
        };
        assert!(why.code == "unreadable" && why.message.contains("lacks its end"), "{line}: {}", why.message);
    }
}

#[tokio::test]
async fn what_is_no_video_says_why() {
    let studio = Studio::new().await;
    let noise: Vec<u8> = (0..100_000u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    std::fs::write(studio.path("empty.mp4"), b"").unwrap();
    std::fs::write(studio.path("noise.mp4"), noise).unwrap();
    studio.ffmpeg("-f lavfi -i sine=duration=1 sound.m4a");
    studio.ffmpeg("-f lavfi -i testsrc2=size=64x64 -frames:v 1 cover.png");
    studio.ffmpeg("-i sound.m4a -i cover.png -map 0 -map 1 -c:a copy -c:v copy -disposition:v attached_pic song.m4a");
    studio.film("64x64", 10, 1, "-c:v libx264 end.mp4");
    let bytes = std::fs::read(studio.path("end.mp4")).unwrap();
    std::fs::write(studio.path("end.mp4"), &bytes[..bytes.len() / 2]).unwrap();
    // An index, and nothing in it.
    studio.ffmpeg("-f lavfi -i testsrc2=size=64x64 -frames:v 0 -c:v libx264 none.mp4");
    assert_eq!(studio.refusal("empty.mp4").await, "the file is empty");
    assert!(studio.refusal("noise.mp4").await.contains("Invalid data"));
    assert_eq!(studio.refusal("sound.m4a").await, "it has no video stream");
    assert_eq!(studio.refusal("song.m4a").await, "its only video stream is a cover picture");
    assert!(studio.refusal("end.mp4").await.contains("moov atom not found"));
    assert!(!studio.refusal("none.mp4").await.is_empty());
    assert!(studio.refusal("gone.mp4").await.contains("No such file"));
}

/// Each of them makes an unguarded ffmpeg read another file.
#[tokio::test]
async fn a_file_that_names_others_is_refused_and_reads_none_of_them() {
    let studio = Studio::new().await;
    studio.film("64x64", 10, 1, "-c:v mpeg2video -f mpegts secret.ts");
    let secret = studio.path("secret.ts").display().to_string();
    let playlist = |of: &str| format!("#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{of}\n#EXT-X-ENDLIST\n");
    for (name, format, text) in [
        ("far.mp4", "hls", playlist(&format!("file://{secret}"))),
        ("near.mp4", "hls", playlist("secret.ts")),
        ("concat.mp4", "concat", "ffconcat version 1.0\nfile secret.ts\n".to_owned()),
    ] {
        std::fs::write(studio.path(name), text).unwrap();
        let why = studio.refusal(name).await;
        assert!(why.contains("not read"), "{name}: {why}");
        // It is no accident: told the format, ffmpeg reads the other file.
        let unguarded = studio.ffmpeg(&format!("-f {format} -i {name} -pix_fmt gray -f rawvideo pipe:1"));
        assert_eq!(unguarded.stdout.len(), 10 * 64 * 64, "{name}");
    }
}

#[tokio::test]
async fn a_name_is_a_name_whatever_is_in_it() {
    let studio = Studio::new().await;
    let film = std::fs::read(studio.film("64x64", 10, 1, "-c:v libx264 plain.mp4")).unwrap();
    studio.ffmpeg("-f lavfi -i testsrc2=size=64x64:rate=10 -t 1 picture-%03d.png");
    let odd = [
        "-i.mp4",
        "http:example.mp4",
        "concat:plain.mp4|plain.mp4",
        "a b'c\".mp4",
        "neu\nzeile.mp4",
        "ünï 映.mp4",
        "50%d.mp4",
        "$(id);&.mp4",
    ];
    for name in odd {
        std::fs::write(studio.path(name), &film).unwrap();
        let (frames, ended) = studio.all(&studio.path(name), EVERY_30).await;
        assert_eq!((frames.len(), ended), (1, Ok(())), "{name}");
    }
    // There is no file of this name, only those that the pattern would find.
    assert!(!studio.refusal("picture-%03d.png").await.is_empty());
}

#[tokio::test]
async fn a_frame_too_large_to_hold_is_refused_by_its_header() {
    let studio = Studio::new().await;
    std::fs::write(studio.path("large.mp4"), "YUV4MPEG2 W30000 H30000 F25:1 C420\nFRAME\nno more").unwrap();
    let why = studio.refusal("large.mp4").await;
    assert!(why.contains("30000"), "{why}");
}

#[tokio::test]
async fn a_program_that_stops_moving_is_given_up_and_ended() {
    let studio = Studio::new().await;
    let film = studio.film("64x64", 10, 1, "-c:v libx264 a.mp4");
    let probe = probe(&studio.tool, &film).await.unwrap();
    let script = studio.path("stuck");
    std::fs::write(&script, "#!/bin/sh\necho $$ > \"$(dirname \"$0\")/id\"\nexec sleep 600\n").unwrap();
    std::fs::set_permissions(&script, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let tool = Tool { ffmpeg: script, ..studio.tool.clone() };
    let options = Options { sampling: EVERY_30, bounds: Bounds { shorter_side: 448, bytes: 1 << 20 }, threads: 1 };
    let mut frames = Frames::open(&tool, &film, &probe, options).unwrap();
    frames.patience = Duration::from_millis(50);
    let why = frames.next().await.unwrap_err();
    assert_eq!((why.code.as_str(), why.retryable), ("timed_out", true));
    drop(frames);
}
