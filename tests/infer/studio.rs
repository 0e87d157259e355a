//! Videos, made by a real ffmpeg, and what is known of them without us.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::user::User;

/// Runs ffmpeg in `folder`; `line` is split at spaces.
pub(crate) fn ffmpeg(folder: &Path, line: &str) {
    let mut command = Command::new("ffmpeg");
    let done = command.args(["-v", "error", "-nostdin", "-y"]).args(line.split(' ')).current_dir(folder).output();
    let done = done.expect("sandbox/setup installs ffmpeg");
    assert!(done.status.success(), "{line}: {}", String::from_utf8_lossy(&done.stderr));
}

/// The test picture for so many seconds.
pub(crate) fn film(folder: &Path, size: &str, rate: u32, seconds: u32, line: &str) -> PathBuf {
    std::fs::create_dir_all(folder).unwrap();
    ffmpeg(folder, &format!("-f lavfi -i testsrc=size={size}:rate={rate} -t {seconds} -pix_fmt yuv420p {line}"));
    folder.join(line.rsplit(' ').next().unwrap())
}

/// How many frames ffprobe decodes.
pub(crate) fn count(path: &Path) -> u64 {
    let asked =
        ["-v", "error", "-select_streams", "v:0", "-count_frames", "-show_entries", "stream=nb_read_frames", "-of", "csv=p=0"];
    let told = Command::new("ffprobe").args(asked).arg(path).output().unwrap();
    String::from_utf8_lossy(&told.stdout).trim().parse().unwrap()
}

/// The lines of the newest journal.
pub(crate) fn journal(user: &User) -> Vec<Value> {
    let path = user.results(".jsonl").pop().expect("a journal");
    let text = std::fs::read_to_string(path).unwrap();
    // The last line of a run that is killed may be torn.
    text.split_inclusive('\n').filter(|line| line.ends_with('\n')).map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// By video, the numbers of the frames that have a record, in order; a number that has two stands twice.
pub(crate) fn frames(journal: &[Value]) -> BTreeMap<String, Vec<u64>> {
    let mut frames: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    for record in journal.iter().filter(|record| record["record"] == "frame") {
        frames.entry(record["uri"].as_str().unwrap().to_owned()).or_default().push(record["frame"].as_u64().unwrap());
    }
    frames.values_mut().for_each(|numbers| numbers.sort_unstable());
    frames
}
