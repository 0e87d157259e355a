//! Videos of a run: a bar for each that is taken apart, and one for all of their frames.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use serde_json::{Value, json};

use super::batch::{Batch, errors};
use super::words::harmless;

/// What became of videos.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// That are through.
    pub videos: u64,
    /// Of these, those without any answer.
    pub failed: u64,
    /// With answers, and an error that ended them early.
    pub partly: u64,
    /// Sampled frames of all of them.
    pub frames: u64,
    /// Of these, those without an answer.
    pub failed_frames: u64,
}

impl Totals {
    /// For scripts.
    #[must_use]
    pub fn json(&self) -> Value {
        let Self { videos, failed, partly, frames, failed_frames } = self;
        json!({"total": videos, "successful": videos - failed, "failed": failed, "partly": partly, "frames": frames,
            "failed_frames": failed_frames})
    }

    /// For people.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        if self.videos == 0 {
            return Vec::new();
        }
        let Self { videos, failed, partly, frames, failed_frames } = self;
        let partly = if *partly > 0 { format!(", {partly} of them only in part") } else { String::new() };
        vec![
            format!("Total videos: {videos}"),
            format!("Successful videos: {}{partly}", videos - failed),
            format!("Failed videos: {failed}"),
            format!("Frames: {} of {frames} successful", frames - failed_frames),
        ]
    }
}

/// Frames while they come.
#[derive(Default)]
pub(super) struct Progress {
    bar: Option<ProgressBar>,
    pub(super) frames: u64,
    pub(super) failed: u64,
    pub(super) videos: u64,
}

impl Progress {
    fn begin(&mut self, screen: &MultiProgress) {
        self.bar.get_or_insert_with(|| {
            let bar = screen.add(ProgressBar::new(0));
            bar.set_style(style("  videos [{bar:32}] {human_pos}/{human_len} frames  {wide_msg}  {elapsed}"));
            bar.enable_steady_tick(Duration::from_millis(250));
            bar
        });
    }

    pub(super) fn end(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// One video that is taken apart.
pub struct VideoBar {
    batch: Arc<Batch>,
    uri: String,
    bar: Option<ProgressBar>,
    begun: Instant,
    /// Its frames are counted into the bar of all.
    counted: AtomicBool,
}

impl Batch {
    /// A video begins.
    #[must_use]
    pub fn video(self: &Arc<Self>, uri: &str) -> VideoBar {
        let bar = self.screen().map(|screen| {
            let bar = screen.add(ProgressBar::new(0));
            bar.set_style(style("  {prefix} [{bar:32}] {human_pos}/{human_len}  {wide_msg}"));
            bar.set_prefix(short(&harmless(uri)));
            bar.set_message("looking at it");
            self.videos().begin(screen);
            bar
        });
        VideoBar { batch: self.clone(), uri: uri.to_owned(), bar, begun: Instant::now(), counted: AtomicBool::new(false) }
    }
}

impl VideoBar {
    /// It comes from the bucket.
    pub fn downloaded(&self, bytes: u64, total: u64) {
        if let Some(bar) = &self.bar {
            bar.set_length(total);
            bar.set_position(bytes);
            bar.set_message("bytes downloaded");
        }
    }

    /// Its frames come: about so many.
    pub fn expect(&self, frames: Option<u64>) {
        if let Some(bar) = &self.bar {
            bar.set_position(0);
            bar.set_length(frames.unwrap_or(0));
            bar.set_message("frames");
        }
        if let Some(all) = &self.batch.videos().bar {
            all.inc_length(frames.unwrap_or(0));
            self.counted.store(frames.is_some(), Ordering::Relaxed);
        }
    }

    /// A frame that a former run has the answer of.
    pub fn known(&self) {
        self.step();
    }

    /// A frame has its answer, and the journal has it.
    pub fn answered(&self, frame: u64, failure: Option<&str>, line: impl FnOnce() -> Value) {
        let (frames, failed) = {
            let mut videos = self.batch.videos();
            videos.frames += 1;
            videos.failed += u64::from(failure.is_some());
            (videos.frames, videos.failed)
        };
        self.step();
        if let Some(all) = &self.batch.videos().bar {
            let rate = frames as f64 / self.batch.elapsed().as_secs_f64().max(0.001);
            all.set_message(format!("{rate:.1}/s  {}", errors(failed)));
        }
        if let Some(why) = failure {
            self.batch.told_failure(&format!("{}, frame {frame}", self.uri), why);
        }
        self.batch.tell(line);
    }

    fn step(&self) {
        if let Some(bar) = &self.bar {
            bar.inc(1);
        }
        if let Some(all) = &self.batch.videos().bar {
            if !self.counted.load(Ordering::Relaxed) {
                all.inc_length(1);
            }
            all.inc(1);
        }
    }

    /// It is through, and the journal has it.
    pub fn end(&self, frames: u64, failed: u64, error: Option<&str>, line: impl FnOnce() -> Value) {
        self.batch.videos().videos += 1;
        let seconds = self.begun.elapsed().as_secs_f64();
        let through = format!("{frames} frames, {}, {seconds:.1} s", errors(failed));
        match error {
            None => self.batch.passed(&format!("{}: {through}", self.uri), line),
            Some(why) => {
                let why = if frames == 0 { why.to_owned() } else { format!("{through}; {why}") };
                self.batch.told_failure(&self.uri, &why);
                self.batch.tell(line);
            }
        }
    }
}

impl Drop for VideoBar {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("=> ")
}

/// The end of a long name, which tells one video from another.
fn short(name: &str) -> String {
    const MOST: usize = 30;
    let letters = name.chars().count();
    if letters <= MOST { name.to_owned() } else { format!("…{}", name.chars().skip(letters - MOST + 1).collect::<String>()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_name_keeps_its_end() {
        assert_eq!(short("a.mp4"), "a.mp4");
        let long = format!("s3://bucket/videos/{}/ümlaut.mp4", "x".repeat(50));
        assert!(short(&long).ends_with("x/ümlaut.mp4") && short(&long).chars().count() == 30, "{}", short(&long));
    }

    #[test]
    fn what_became_of_videos_is_told_only_where_there_were_any() {
        assert_eq!(Totals::default().lines(), Vec::<String>::new());
        let totals = Totals { videos: 3, failed: 1, partly: 1, frames: 70, failed_frames: 2 };
        let lines = totals.lines();
        assert_eq!(lines[1], "Successful videos: 2, 1 of them only in part");
        assert_eq!(lines[3], "Frames: 68 of 70 successful");
    }
}
