//! Journals that are made up for tests, the same each time.

use std::path::{Path, PathBuf};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;

use super::super::results::record::{Answer, Class, Failure, Frame, Image, Item, Outcome, Record, Run, Video};

/// Labels as models have them.
const LABELS: [&str; 14] = [
    "tabby cat",
    "golden retriever",
    "sports car",
    "espresso",
    "grand piano",
    "umbrella",
    "lighthouse",
    "mountain bike",
    "red fox",
    "sailboat",
    "acoustic guitar",
    "pizza",
    "street sign",
    "hot-air balloon",
];

pub(super) fn run() -> Record {
    Record::Run(Run {
        version: "0.1.0".to_owned(),
        started: "2026-11-30T09:30:00Z".to_owned(),
        url: "ws://k8s-tritonde-gateway-0a1b2c3d4e.elb.eu-west-1.amazonaws.com:8080".to_owned(),
        protocol: "v1".to_owned(),
        models: Vec::new(),
        aliases: vec!["densenet".to_owned(), "resnet".to_owned()],
        top: 5,
        sources: vec!["s3://tritondeploy-demo-images/images/".to_owned(), "s3://tritondeploy-demo-images/videos/".to_owned()],
        sampling: "every 30".to_owned(),
    })
}

/// Numbers that only look like chance.
pub(super) fn dice(seed: u64) -> u64 {
    let mixed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 31)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 29)
}

fn share(seed: u64) -> f64 {
    (dice(seed) % 10_000) as f64 / 10_000.0
}

pub(super) fn item(uri: &str) -> Item {
    Item { uri: uri.to_owned(), version: "1".to_owned() }
}

/// Five classes whose first is `label`.
fn top(label: usize, sure: f64, seed: u64) -> Vec<Class> {
    let mut left = 1.0 - sure;
    (0..5)
        .map(|at| {
            let index = (label + at * (1 + dice(seed) as usize % 5)) % LABELS.len();
            let score = if at == 0 { sure } else { left * 0.55 };
            if at > 0 {
                left -= score;
            }
            Class { index: index as u32 * 37, score, label: Some(LABELS[index].to_owned()) }
        })
        .collect()
}

/// Two models, which mostly agree.
pub(super) fn answer(label: usize, seed: u64) -> Answer {
    let outcome = |alias: &str, model: &str, seed: u64| {
        let label = if dice(seed).is_multiple_of(9) { label + 3 } else { label };
        let top = top(label % LABELS.len(), 0.35 + 0.64 * share(seed + 7).powf(0.4), seed);
        Outcome { alias: alias.to_owned(), model: model.to_owned(), version: Some("1".to_owned()), top, error: None }
    };
    let results = vec![outcome("densenet", "densenet_onnx", seed * 3 + 1), outcome("resnet", "resnet50_onnx", seed * 5 + 2)];
    let slow = if dice(seed).is_multiple_of(60) { 0.2 } else { 0.0 };
    let seconds = 0.018 + 0.012 * share(seed + 1) + 0.03 * share(seed + 2).powi(6) + slow;
    Answer { results, error: None, seconds, thumbnail: None }
}

pub(super) fn failed(code: &str, message: &str, retryable: bool) -> Answer {
    Answer::failed(Failure::new(code, message, retryable), 0.004)
}

pub(super) fn image(place: u64, uri: &str, answer: Answer) -> Record {
    Record::Image(Image { item: item(uri), place, answer })
}

/// An image that was answered, with a thumbnail of so many bytes at least.
pub(super) fn pictured(place: u64, thumbnail: usize) -> Record {
    let label = (dice(place) % 90).isqrt() as usize;
    let mut answer = answer(label, place);
    answer.thumbnail = Some(BASE64_STANDARD.encode(jpeg(place, thumbnail)));
    image(place, &format!("s3://tritondeploy-demo-images/images/holiday-{place:04}.jpg"), answer)
}

/// A video's frames and its end. What it shows changes now and then.
pub(super) fn video(place: u64, uri: &str, frames: u64, with_pictures: bool) -> Vec<Record> {
    let mut records = Vec::new();
    for number in 0..frames {
        let scene = number / 11;
        let seed = place * 1_000_003 + number;
        let mut answer = answer((dice(place + scene) % 14) as usize, seed);
        if number % 41 == 40 {
            answer = failed("timed_out", "no answer within 30 s", true);
        } else if with_pictures {
            answer.thumbnail = Some(BASE64_STANDARD.encode(jpeg(place + scene, 0)));
        }
        let at = Some(number as f64);
        records.push(Record::Frame(Frame { item: item(uri), frame: number * 30, at, answer }));
    }
    let failed = frames / 41;
    records.push(Record::Video(Video { item: item(uri), place, frames, failed, seconds: frames as f64 * 0.031, error: None }));
    records
}

/// What a user may have: images of which a few fail, and two videos.
pub(super) fn usual() -> Vec<Record> {
    let mut records = vec![run()];
    for place in 0..120 {
        let uri = format!("s3://tritondeploy-demo-images/images/holiday-{place:04}.jpg");
        records.push(match place {
            17 | 46 | 90 => {
                image(place, &uri, failed("decode_failed", "the image is cut off: its last bytes are missing", false))
            }
            30 => image(place, &uri, failed("model_unavailable", "resnet50_onnx is not loaded", true)),
            _ => pictured(place, 0),
        });
    }
    records.extend(video(120, "s3://tritondeploy-demo-images/videos/harbour-morning.mp4", 96, true));
    records.extend(video(121, "s3://tritondeploy-demo-images/videos/street.mp4", 20, false));
    records
}

/// Writes a journal.
pub(super) fn journal(folder: &Path, records: &[Record]) -> PathBuf {
    let path = folder.join("journal.jsonl");
    let lines: String = records.iter().map(|record| serde_json::to_string(record).unwrap() + "\n").collect();
    std::fs::write(&path, lines).unwrap();
    path
}

/// A baseline JPEG of 160x120: tiles of one colour each, and a comment that makes it as large as is asked.
fn jpeg(seed: u64, bytes: usize) -> Vec<u8> {
    let mut file = vec![0xff, 0xd8];
    let segment = |file: &mut Vec<u8>, marker: u8, content: &[u8]| {
        file.extend([0xff, marker]);
        file.extend((content.len() as u16 + 2).to_be_bytes());
        file.extend(content);
    };
    let mut quantization = vec![8; 65];
    quantization[0] = 0;
    segment(&mut file, 0xdb, &quantization);
    segment(&mut file, 0xc0, &[8, 0, 120, 0, 160, 3, 1, 0x11, 0, 2, 0x11, 0, 3, 0x11, 0]);
    // DC: a code of four bits for each length of a difference; AC: "the end" alone.
    segment(&mut file, 0xc4, &[0, 0, 0, 0, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
    segment(&mut file, 0xc4, &[0x10, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    if bytes > 0 {
        segment(&mut file, 0xfe, &vec![b'x'; bytes]);
    }
    segment(&mut file, 0xda, &[3, 1, 0, 2, 0, 3, 0, 0, 63, 0]);
    let (mut bits, mut held, mut before) = (0u64, 0u32, [0i32; 3]);
    for (y, x) in (0..15).flat_map(|y| (0..20).map(move |x| (y, x))) {
        for (channel, value) in scene(seed, x, y).into_iter().enumerate() {
            let change = value - before[channel];
            before[channel] = value;
            let length = 32 - change.unsigned_abs().leading_zeros();
            let rest = if change < 0 { change + (1 << length) - 1 } else { change } as u64;
            bits = (((bits << 4 | u64::from(length)) << length) | rest) << 1;
            held += 5 + length;
            while held >= 8 {
                let byte = (bits >> (held - 8)) as u8;
                file.push(byte);
                if byte == 0xff {
                    file.push(0);
                }
                held -= 8;
            }
        }
    }
    if held > 0 {
        file.push(((bits << (8 - held)) as u8) | (0xff >> held));
    }
    file.extend([0xff, 0xd9]);
    file
}

/// A sun over hills, in the steps of a DC coefficient: Y, Cb and Cr around 0.
fn scene(seed: u64, x: i64, y: i64) -> [i32; 3] {
    let dice = |n: u64| (dice(seed * 31 + n) % 100) as i64;
    let (sun_x, sun_y, size) = (3 + dice(1) % 14, 2 + dice(2) % 5, 2 + dice(3) % 3);
    let hill = 8 + (dice(4) % 3) + ((x + dice(5)) % 11 - 5).abs() / 2;
    let warm = dice(6) as i32 - 50;
    if (x - sun_x).pow(2) + (y - sun_y).pow(2) <= size * size {
        [100, -70, 30 + warm / 4]
    } else if y >= hill {
        [-50 + (y - hill) as i32 * -6, -20 - warm / 3, -30 + warm / 2]
    } else {
        [60 - y as i32 * 6, 40 - warm / 2 - y as i32 * 3, warm / 3]
    }
}
