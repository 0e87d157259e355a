//! The report in a real browser: `tests/infer/report/pages.py` looks at pages that are made here.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::super::results::record::{Class, Record};
use super::made::{answer, failed, image, journal, pictured, run, usual, video};

/// Would run where a page takes text for markup; each sets `hacked`.
const HOSTILE: [&str; 9] = [
    "</script><script>window.hacked='script'</script>.jpg",
    "<img src=x onerror=\"window.hacked='img'\">.jpg",
    "\"><svg onload=window.hacked='svg'>.jpg",
    "javascript:window.hacked='url'",
    "<!--<script>.jpg",
    "{{data}}{{script}}.jpg",
    "evil\u{202e}gpj.exe",
    "tab\there\nnewline\0nul\u{7f}.jpg",
    "${window.hacked='template'}'+window.hacked+'.jpg",
];

/// Images whose names, labels and messages are hostile.
pub(super) fn hostile() -> Vec<Record> {
    let mut records = vec![run()];
    for (place, text) in HOSTILE.iter().enumerate() {
        let mut answer = answer(place, place as u64);
        answer.results[0].top[0].label = Some((*text).to_owned());
        answer.results[1].top[0] = Class { index: 1, score: f64::NAN, label: None };
        answer.thumbnail = Some("iVBORw0KGgo=\" onerror=\"window.hacked='thumbnail'".to_owned());
        records.push(image(place as u64 * 2, &format!("images/{text}"), answer));
        records.push(image(place as u64 * 2 + 1, &format!("images/failed {text}"), failed(text, text, false)));
        records.extend(video(place as u64 + 100, &format!("videos/{text}"), 3, false));
    }
    records.push(image(99, &format!("images/{}.jpg", "long-".repeat(2_000)), answer(3, 3)));
    records
}

/// As many as the page must open quickly with.
pub(super) fn many() -> Vec<Record> {
    let mut records = vec![run()];
    records.extend((0..500).map(|place| pictured(place, 8_000)));
    records.extend((500..10_000).map(|place| match place % 100 {
        7 => image(place, &format!("s3://bucket/images/{place:05}.jpg"), failed("lost", "the connection was lost", true)),
        _ => image(place, &format!("s3://bucket/images/{place:05}.jpg"), answer(place as usize % 14, place)),
    }));
    (0..20).for_each(|number| records.extend(video(10_000 + number, &format!("videos/{number}.mp4"), 300, false)));
    records
}

fn page(folder: &Path, name: &str, records: &[Record]) -> PathBuf {
    let to = folder.join(name).with_extension("html");
    super::write(&journal(folder, records), &to, Duration::from_millis(6_400)).unwrap();
    to
}

#[test]
fn a_browser_shows_the_report_as_it_was_drawn_and_runs_nothing_that_is_in_it() {
    let folder = tempfile::tempdir().unwrap();
    page(folder.path(), "usual", &usual());
    page(folder.path(), "hostile", &hostile());
    page(folder.path(), "many", &many());
    page(folder.path(), "empty", &[run()]);
    // For who wants to look at them.
    if let Some(kept) = std::env::var_os("KEEP_REPORTS") {
        for name in ["usual", "hostile", "many", "empty"] {
            let name = Path::new(name).with_extension("html");
            std::fs::copy(folder.path().join(&name), Path::new(&kept).join(&name)).unwrap();
        }
    }
    let checks = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/infer/report/pages.py");
    let done = Command::new("python3").arg("-B").arg(checks).arg(folder.path()).output().unwrap();
    let said = String::from_utf8_lossy(&done.stdout) + String::from_utf8_lossy(&done.stderr);
    println!("{said}");
    assert!(done.status.success(), "{said}");
}
