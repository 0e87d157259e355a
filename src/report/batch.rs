//! A run of many images and videos: bars, lines or JSON while it goes on, and the closing summary.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};
use serde_json::Value;

use super::videos::{Progress, Totals};
use super::words::harmless;
use super::{Mode, show};
use crate::engine::format_duration;

/// Failures that are told while it goes on; all of them are in the journal.
const FAILURES: u64 = 20;

/// Where nobody watches, a line tells how far it is this often.
const LINE: Duration = Duration::from_secs(10);

/// A server that says nothing for longer is worth a word.
const SILENT: Duration = Duration::from_secs(5);

/// A run that is told.
pub struct Batch {
    mode: Mode,
    quiet: bool,
    begun: Instant,
    screen: Option<MultiProgress>,
    images: Option<ProgressBar>,
    state: Mutex<State>,
    videos: Mutex<Progress>,
}

#[derive(Default)]
struct State {
    /// Images that were found, videos that were, and whether that is all.
    totals: (u64, u64, bool),
    /// Answers of this run.
    done: u64,
    failed: u64,
    /// Answered by a former run.
    known: u64,
    at_once: usize,
    lines: u64,
    /// Failures that were told.
    told: u64,
    /// For so long nothing was heard of the server that owes answers, where that is worth a word.
    silent: Option<Duration>,
}

/// What a run ends with.
pub struct Summary {
    /// Images in the CSV.
    pub total: u64,
    /// Of these, those that every model answered.
    pub successful: u64,
    /// The others.
    pub failed: u64,
    /// The failed ones by code.
    pub codes: BTreeMap<String, u64>,
    /// What was passed over, by reason.
    pub skipped: Vec<(String, u64)>,
    /// What became of videos.
    pub videos: Totals,
    /// Of this run.
    pub took: Duration,
    /// Images that this run asked for.
    pub asked: u64,
    /// Files that were written, each with what it is.
    pub files: Vec<(&'static str, String)>,
}

impl Summary {
    /// Seconds for each image that this run asked for: wall-clock time, as many at once as there were.
    #[must_use]
    pub fn average(&self) -> f64 {
        if self.asked == 0 { 0.0 } else { self.took.as_secs_f64() / self.asked as f64 }
    }

    /// For scripts.
    #[must_use]
    pub fn json(&self) -> Value {
        let skipped: serde_json::Map<_, _> = self.skipped.iter().map(|(why, count)| (why.clone(), (*count).into())).collect();
        let mut value = serde_json::json!({
            "total": self.total, "successful": self.successful, "failed": self.failed, "errors": self.codes, "skipped": skipped,
            "seconds": self.took.as_secs_f64(), "average": self.average(),
        });
        if let (true, Some(value)) = (self.videos.videos > 0, value.as_object_mut()) {
            value.insert("videos".to_owned(), self.videos.json());
        }
        if let Some(value) = value.as_object_mut() {
            value.extend(self.files.iter().map(|(what, path)| ((*what).to_owned(), path.clone().into())));
        }
        value
    }
}

impl Batch {
    /// Begins to tell.
    #[must_use]
    pub fn start(mode: Mode, quiet: bool) -> Self {
        let screen = (mode == Mode::Bars && !quiet).then(MultiProgress::new);
        let images = screen.as_ref().map(|_| {
            // Shown with the first image: there may be videos only.
            let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::hidden());
            bar.set_style(style(false));
            bar
        });
        Self { mode, quiet, begun: Instant::now(), screen, images, state: Mutex::default(), videos: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How videos stand.
    pub(super) fn videos(&self) -> MutexGuard<'_, Progress> {
        self.videos.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Images and videos that were found so far, and whether that is all.
    pub fn totals(&self, totals: (u64, u64, bool)) {
        let mut state = self.lock();
        if let (Some(bar), Some(screen)) = (&self.images, &self.screen) {
            if totals.0 > 0 && state.totals.0 == 0 {
                screen.insert(0, bar.clone()).enable_steady_tick(Duration::from_millis(250));
            }
            bar.set_length(totals.0);
            if totals.2 && !state.totals.2 {
                bar.set_style(style(true));
            }
        }
        state.totals = totals;
    }

    /// An item that a former run has the answer of.
    pub fn known(&self) {
        self.lock().known += 1;
        if let Some(bar) = &self.images {
            // It is done, and says nothing of the rate.
            bar.inc(1);
            bar.reset_eta();
        }
    }

    /// An image has its answer, and the journal has it.
    pub fn image(&self, uri: &str, failure: Option<&str>, at_once: usize, line: impl FnOnce() -> Value) {
        let mut state = self.lock();
        state.done += 1;
        state.at_once = at_once;
        if let Some(why) = failure {
            state.failed += 1;
            self.failure(&mut state, uri, why);
        }
        match self.mode {
            Mode::Json if !self.quiet => show::json(&line()),
            Mode::Json => {}
            Mode::Bars => {
                if let Some(bar) = &self.images {
                    bar.set_message(state.message());
                    bar.inc(1);
                }
            }
            Mode::Lines => self.line(&mut state),
        }
    }

    /// How far it is, from time to time.
    fn line(&self, state: &mut State) {
        let lines = (self.begun.elapsed().as_secs() / LINE.as_secs().max(1)).max(state.lines);
        if lines > state.lines && !self.quiet {
            state.lines = lines;
            if state.totals.0 > 0 || state.totals.1 == 0 {
                errln!("  {}", state.line(self.begun.elapsed()));
            }
            let Progress { frames, failed, videos, .. } = &*self.videos();
            if state.totals.1 > 0 {
                let silence = state.silence();
                errln!("  {videos} of {} videos, {frames} frames, {}{silence}", state.totals.1, errors(*failed));
            }
        }
    }

    fn failure(&self, state: &mut State, what: &str, why: &str) {
        state.told += 1;
        if state.told <= FAILURES {
            if self.mode != Mode::Json {
                self.note(&format!("{what}: {why}"));
            }
        } else if state.told == FAILURES + 1 {
            self.note("more failures: all of them are in the journal");
        }
    }

    /// A video, or a frame of one, failed.
    pub(super) fn told_failure(&self, what: &str, why: &str) {
        self.failure(&mut self.lock(), what, why);
    }

    /// A frame of a video has its answer.
    pub(super) fn tell(&self, line: impl FnOnce() -> Value) {
        match self.mode {
            Mode::Json if !self.quiet => show::json(&line()),
            Mode::Json | Mode::Bars => {}
            Mode::Lines => self.line(&mut self.lock()),
        }
    }

    /// Time passes, and the server that owes answers has said nothing for `silent`.
    pub fn tick(&self, silent: Duration) {
        let mut state = self.lock();
        let was_silent = state.silent.is_some();
        state.silent = (silent >= SILENT).then_some(silent);
        if self.mode == Mode::Lines {
            self.line(&mut state);
        }
        if let Some(bar) = self.images.as_ref().filter(|_| was_silent || state.silent.is_some()) {
            bar.set_message(state.message());
            bar.set_style(style(state.totals.2 && state.silent.is_none()));
        }
    }

    /// A video is through.
    pub(super) fn passed(&self, text: &str, line: impl FnOnce() -> Value) {
        match self.mode {
            _ if self.quiet => {}
            Mode::Json => show::json(&line()),
            Mode::Bars | Mode::Lines => self.note(text),
        }
    }

    /// A line beside the bars.
    pub fn note(&self, line: &str) {
        let line = harmless(line);
        match (&self.screen, self.mode) {
            (Some(screen), _) => drop(screen.println(format!("  {line}"))),
            (None, Mode::Json) => {}
            (None, _) => errln!("  {line}"),
        }
    }

    /// Images that this run has answers of.
    pub fn asked(&self) -> u64 {
        self.lock().done
    }

    /// Where to draw more bars, on a terminal.
    #[must_use]
    pub fn screen(&self) -> Option<&MultiProgress> {
        self.screen.as_ref()
    }

    /// How long it goes on already.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.begun.elapsed()
    }

    /// Nothing more comes.
    pub fn end(&self) {
        if let Some(bar) = &self.images {
            bar.finish_and_clear();
        }
        self.videos().end();
    }

    /// The closing summary; `--json` ends with an object, which is not told here.
    pub fn summary(&self, summary: &Summary) {
        if self.mode == Mode::Json {
            return;
        }
        let has_images = summary.total > 0 || summary.videos.videos == 0;
        if has_images {
            outln!("Total images: {}", summary.total);
            outln!("Successful: {}", summary.successful);
            outln!("Failed: {}", summary.failed);
        }
        summary.codes.iter().for_each(|(code, count)| outln!("  {code}: {count}"));
        let skipped: u64 = summary.skipped.iter().map(|(_, count)| count).sum();
        if skipped > 0 {
            outln!("Skipped: {skipped}");
            summary.skipped.iter().for_each(|(why, count)| outln!("  {why}: {count}"));
        }
        summary.videos.lines().iter().for_each(|line| outln!("{line}"));
        outln!("Total time: {:.2}s", summary.took.as_secs_f64());
        if has_images {
            outln!("Average time per image: {:.3}s", summary.average());
        }
        summary.files.iter().for_each(|(what, path)| outln!("{what}: {path}"));
    }
}

impl State {
    fn silence(&self) -> String {
        self.silent.map_or_else(String::new, |silent| format!(", no answer for {}", format_duration(silent)))
    }

    fn message(&self) -> String {
        format!("{}, {} at once{}", errors(self.failed), self.at_once, self.silence())
    }

    fn line(&self, elapsed: Duration) -> String {
        let (images, _, is_all) = self.totals;
        let rate = self.done as f64 / elapsed.as_secs_f64().max(0.001);
        let left = images.saturating_sub(self.done + self.known);
        let eta = if is_all && rate > 0.0 && self.silent.is_none() {
            format!(", about {:.0} s left", left as f64 / rate)
        } else {
            String::new()
        };
        let more = if is_all { "" } else { " or more" };
        let (done, failed) = (self.done + self.known, self.failed);
        let (failed, silence) = (errors(failed), self.silence());
        format!("{done} of {images}{more} images, {rate:.1}/s, {failed}, {} at once{eta}{silence}", self.at_once)
    }
}

/// The time that is left is only told when all is counted.
fn style(is_all: bool) -> ProgressStyle {
    let template = if is_all {
        "  images [{bar:32}] {human_pos}/{human_len}  {rate}  {wide_msg}  {elapsed}, {eta} left"
    } else {
        "  images [{bar:32}] {human_pos}/{human_len} or more  {rate}  {wide_msg}  {elapsed}"
    };
    let rate = |state: &ProgressState, out: &mut dyn std::fmt::Write| {
        let _ = write!(out, "{:.1}/s", state.per_sec());
    };
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    style.with_key("rate", rate).progress_chars("=> ")
}

/// `no errors`, `1 error`, `2 errors`.
pub(super) fn errors(count: u64) -> String {
    match count {
        0 => "no errors".to_owned(),
        1 => "1 error".to_owned(),
        count => format!("{count} errors"),
    }
}
