//! Journals of all kinds, and the pages that are made of them.

use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use super::super::results::record::{Class, Failure, Frame, Record, Video};
use super::in_browser::{hostile, many};
use super::made::{answer, failed, image, item, journal, pictured, run, video};
use super::{check, page, write};

/// What the page has as data, and the page.
fn made(records: &[Record]) -> (Value, String) {
    let folder = tempfile::tempdir().unwrap();
    of(&journal(folder.path(), records))
}

fn of(journal: &Path) -> (Value, String) {
    let to = journal.with_extension("html");
    write(journal, &to, Duration::from_secs(2)).unwrap();
    let page = std::fs::read_to_string(to).unwrap();
    let (_, data) = page.split_once(r#"<script type="application/json" id="data">"#).unwrap();
    (serde_json::from_str(data.split_once("</script>").unwrap().0).unwrap(), page.clone())
}

#[test]
fn the_last_record_of_an_item_counts() {
    let lost = |place| image(place, &format!("{place}.jpg"), failed("lost", "the connection was lost", true));
    let good = |place| image(place, &format!("{place}.jpg"), answer(1, place));
    let (data, _) = made(&[run(), lost(0), good(1), lost(2), run(), good(0)]);
    assert_eq!((data["about"]["images"].as_u64(), data["about"]["answered"].as_u64()), (Some(3), Some(2)));
    assert_eq!(data["about"]["failures"]["causes"][0]["count"], 1);
    assert_eq!(data["about"]["runs"], 2);
    assert_eq!(data["about"]["seconds"], Value::Null, "the pause between two runs is no time of ours");
    let names: Vec<&str> = data["rows"].as_array().unwrap().iter().map(|row| row["n"].as_str().unwrap()).collect();
    assert_eq!(names, ["0.jpg", "1.jpg", "2.jpg"], "in the order of the sources");
}

#[test]
fn a_torn_tail_and_damaged_lines_lose_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let path = journal(folder.path(), &[run(), image(0, "a.jpg", answer(1, 1))]);
    let mut lines = std::fs::read_to_string(&path).unwrap();
    lines += "\n{\"record\":\"image\"}\n{\"record\":\"image\",\"uri\":\"\\ud800\"}\nnot json\n";
    lines += &"x".repeat(9 << 20);
    lines += "\n";
    lines += &(serde_json::to_string(&image(1, "b.jpg", answer(2, 2))).unwrap() + "\n");
    lines += r#"{"record":"image","uri":"a.jpg","version":"1","pla"#;
    std::fs::write(&path, lines).unwrap();
    let (data, _) = of(&path);
    assert_eq!(data["about"]["answered"], 2);
    assert_eq!(data["about"]["left_out"]["lines"], 4);
}

#[test]
fn frames_of_a_videos_earlier_content_are_not_shown() {
    let frame = |version: &str, number| {
        let mut video = item("a.mp4");
        video.version = version.to_owned();
        Record::Frame(Frame { item: video, frame: number, at: None, answer: answer(1, number) })
    };
    let mut changed = item("a.mp4");
    changed.version = "2".to_owned();
    let end = Record::Video(Video { item: changed, place: 0, frames: 2, failed: 0, seconds: 1.0, error: None });
    let (data, _) = made(&[run(), frame("1", 0), frame("1", 30), frame("1", 60), frame("2", 0), frame("2", 30), end]);
    assert_eq!(data["about"]["frames"], 2);
    assert_eq!(data["videos"][0]["starts"], serde_json::json!([0, 30]));
}

#[test]
fn a_video_that_cannot_be_read_is_an_error_among_the_others() {
    let error = Some(Failure::new("unreadable", "clip.mp4: moov atom not found", false));
    let broken = Record::Video(Video { item: item("clip.mp4"), place: 0, frames: 0, failed: 0, seconds: 0.1, error });
    let (data, _) = made(&[run(), broken]);
    let about = &data["about"];
    assert_eq!((&about["videos"], &about["failed"]), (&1.into(), &1.into()));
    assert_eq!(about["failures"]["causes"][0]["message"], "…: moov atom not found");
    assert_eq!(data["videos"][0]["error"], "unreadable: clip.mp4: moov atom not found");
}

#[test]
fn a_long_video_has_as_many_columns_as_a_screen() {
    let mut records = vec![run()];
    records.extend(video(0, "long.mp4", 5_000, true));
    let (data, _) = made(&records);
    let columns = data["videos"][0]["starts"].as_array().unwrap().len();
    assert!((300..=400).contains(&columns), "{columns}");
    assert_eq!(data["videos"][0]["models"][1].as_array().unwrap().len(), columns);
    let shown: Vec<u64> = data["pictures"].as_array().unwrap().iter().map(|one| one[1].as_u64().unwrap()).collect();
    assert_eq!(shown.len(), 12);
    let last = shown.last().unwrap();
    assert!(shown.is_sorted() && shown[0] == 0 && *last > columns as u64 * 9 / 10, "spread over it: {shown:?}");
}

#[test]
fn a_score_that_is_no_number_costs_nothing_but_itself() {
    let mut odd = answer(1, 1);
    odd.results[0].top[0].score = f64::NAN;
    odd.results[1].top = vec![Class { index: 7, score: f64::INFINITY, label: None }];
    let (data, _) = made(&[run(), image(0, "a.jpg", odd)]);
    assert_eq!(data["about"]["left_out"]["lines"], 0);
    assert_eq!(data["rows"][0]["r"][0][0][1], Value::Null);
    assert_eq!(data["labels"][data["rows"][0]["r"][1][0][0].as_u64().unwrap() as usize], "class 7");
}

#[test]
fn ten_thousand_images_have_their_rows_and_five_hundred_thumbnails() {
    let (data, page) = made(&many());
    assert_eq!(data["rows"].as_array().unwrap().len(), 10_000);
    assert_eq!(data["thumbnails"].as_object().unwrap().len(), 500);
    assert_eq!(data["rows"][9_000]["r"][0].as_array().unwrap().len(), 5, "also the last has its five best");
    assert!(page.len() < page::PAGE);
}

#[test]
fn a_page_that_would_be_too_large_drops_the_last_thumbnails_and_details_and_says_so() {
    let mut records = vec![run()];
    records.extend((0..600).map(|place| pictured(place, 20_000)));
    let long = |place: u64| image(place, &format!("images/{}{place}.jpg", "deep/".repeat(40)), answer(3, place));
    records.extend((600..30_000).map(long));
    records.extend(
        (0..1_500).map(|number| image(40_000 + number, &format!("f{number}"), failed("x", &format!("<{number}>"), true))),
    );
    let (data, page) = made(&records);
    assert!(page.len() <= page::PAGE && page.len() > page::PAGE - 200_000, "{}", page.len());
    let (about, rows) = (&data["about"], data["rows"].as_array().unwrap());
    let thumbnails = data["thumbnails"].as_object().unwrap();
    assert!(thumbnails.len() > 200 && thumbnails.len() < 500, "{}", thumbnails.len());
    assert_eq!(about["left_out"]["thumbnails"], 500 - thumbnails.len());
    assert!(thumbnails.keys().map(|row| row.parse::<usize>().unwrap()).eq(0..thumbnails.len()), "the first ones");
    assert_eq!(about["left_out"]["rows"], 31_500 - rows.len());
    assert!(about["left_out"]["details"].as_u64().unwrap() > 10_000);
    assert_eq!(about["images"], 31_500, "the totals count everything");
    assert_eq!(about["failures"]["listed"].as_array().unwrap().len(), 1_000);
    assert_eq!(about["failures"]["causes"].as_array().unwrap().len(), 201);
    assert_eq!(about["failures"]["count"], 1_500);
}

#[test]
fn hostile_text_is_data_only() {
    let (_, page) = made(&hostile());
    let (_, body) = page.split_once("<body>").unwrap();
    assert_eq!(body.matches("<script").count(), 2);
    assert_eq!(body.matches("</script").count(), 2);
    assert!(!body.contains("<img") && !body.contains("<!--") && !body.contains('\u{202e}'));
    assert!(!body.contains("onerror=\\\"window.hacked='thumbnail'"), "what is no JPEG is not in the page");
}

#[test]
fn the_script_makes_no_markup_of_text_and_asks_nobody() {
    let (script, style) = (include_str!("page.js"), include_str!("page.css"));
    let forbidden = [
        "innerHTML",
        "outerHTML",
        "insertAdjacent",
        "document.write",
        "createContextualFragment",
        "DOMParser",
        "eval(",
        "Function(",
        "setTimeout",
        "fetch(",
        "XMLHttp",
        "import(",
        "srcdoc",
        "javascript:",
        "localStorage",
        "</script",
    ];
    for word in forbidden {
        assert!(!script.contains(word), "{word}");
    }
    for word in ["url(", "@import", "</style", "expression("] {
        assert!(!style.contains(word), "{word}");
    }
}

#[test]
fn the_policy_allows_this_script_and_this_style_and_nothing_else() {
    let (_, page) = made(&[run()]);
    let (_, policy) = page.split_once(r#"Content-Security-Policy" content=""#).unwrap();
    let policy = policy.split_once('"').unwrap().0;
    assert!(policy.starts_with("default-src 'none'; img-src data:; style-src 'sha256-"), "{policy}");
    assert!(policy.contains("base-uri 'none'; form-action 'none'") && !policy.contains("unsafe"), "{policy}");
}

#[test]
fn a_report_has_no_password_of_the_server() {
    let Record::Run(mut asked) = run() else { unreachable!() };
    asked.url = "wss://me:secret@host/path?token=secret".to_owned();
    let (data, page) = made(&[Record::Run(asked)]);
    assert_eq!(data["about"]["server"], "wss://host/path");
    assert!(!page.contains("secret"));
}

#[test]
fn a_report_replaces_the_one_before_and_leaves_nothing_beside_it() {
    let folder = tempfile::tempdir().unwrap();
    let (path, to) = (journal(folder.path(), &[run()]), folder.path().join("report.html"));
    std::fs::write(&to, "before").unwrap();
    check(&to).unwrap();
    assert_eq!(std::fs::read_to_string(&to).unwrap(), "before", "to look whether it can be written changes nothing");
    let summary = write(&path, &to, Duration::ZERO).unwrap();
    assert_eq!(std::fs::metadata(&to).unwrap().len(), summary.bytes);
    assert!(write(&folder.path().join("none.jsonl"), &to, Duration::ZERO).is_err());
    assert_eq!(std::fs::metadata(&to).unwrap().len(), summary.bytes, "as it was");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2);
}

#[test]
fn what_cannot_become_a_report_is_an_error_before_anything_is_asked() {
    let folder = tempfile::tempdir().unwrap();
    let why = |path: &Path| check(path).unwrap_err().to_string();
    assert!(why(folder.path()).contains("is a folder"));
    assert!(why(&folder.path().join("none/report.html")).contains("there is no folder"));
    assert!(why(Path::new("/proc/report.html")).contains("cannot write"));
    check(Path::new("report-of-a-test.html")).unwrap();
    assert!(!Path::new("report-of-a-test.html").exists());
}
