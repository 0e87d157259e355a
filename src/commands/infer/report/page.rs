//! One page of everything that a journal holds, and what is left out so that it stays small.

use std::collections::BTreeMap;
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::Serialize;
use sha2::{Digest, Sha256};
use tritondeploy_client::address_without_secrets;

use super::super::results::record::{Answer, Failure, Frame, Image, Record, Run};
use super::failures::{self, Failures};
use super::labels::{self, MODELS, Model, Names, Scored};
use super::latency::{self, Latency};
use super::text::{jpeg, json, visible};
use super::videos::{self, Videos};
use crate::report::words::quoted;

/// The whole file, in bytes.
pub(super) const PAGE: usize = 15_000_000;
/// Of these at most for the images' rows, so that there is space for thumbnails.
const ROWS: usize = 6_000_000;
/// And for the strips of videos.
const STRIPS: usize = 3_000_000;
/// Rows that are held while the journal is read: more than fit on the page.
const HELD: usize = 60_000;
/// Images with a thumbnail.
pub(super) const THUMBNAILS: usize = 500;
/// Sources and models that are named; of more, how many there are.
const NAMED: usize = 20;

/// What is known of the run so far.
#[derive(Default)]
pub(super) struct Page {
    runs: u32,
    first: Option<Run>,
    run: Option<Run>,
    names: Names,
    models: Vec<Model>,
    latency: Latency,
    failures: Failures,
    videos: Videos,
    images: u64,
    frames: u64,
    answered: u64,
    video_count: u64,
    /// By place in the order of the sources; those that come last go first.
    rows: BTreeMap<(u64, u64), Row>,
    thumbnails: BTreeMap<(u64, u64), String>,
}

/// An image, as its card or its row shows it.
#[derive(Serialize)]
struct Row {
    /// Name.
    n: String,
    /// Seconds.
    s: f32,
    /// For each model its classes, best first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    r: Vec<Vec<Scored>>,
    /// Why there is no result, or one is missing.
    #[serde(skip_serializing_if = "Option::is_none")]
    e: Option<String>,
}

/// What the page says about itself.
#[derive(Serialize)]
struct About {
    version: String,
    started: String,
    runs: u32,
    server: String,
    protocol: String,
    /// None where the pipeline was asked.
    asked: Vec<String>,
    sources: Vec<String>,
    more_sources: usize,
    sampling: String,
    images: u64,
    videos: u64,
    frames: u64,
    /// Of the images and frames those that every model answered.
    answered: u64,
    /// Images, frames and videos.
    failed: u64,
    /// Of the whole run, in seconds; none where it was interrupted and went on later.
    seconds: Option<f64>,
    /// What the same command is given to ask again for what failed.
    again: String,
    latency: Option<latency::Shown>,
    models: Vec<labels::Shown>,
    failures: failures::Shown,
    left_out: LeftOut,
}

/// What is not on the page, and why not: it would be too large, or the journal is damaged.
#[derive(Default, Serialize)]
struct LeftOut {
    /// Images without a row.
    rows: u64,
    /// Images with their best class only.
    details: usize,
    /// Thumbnails of the first [`THUMBNAILS`] images.
    thumbnails: usize,
    /// Videos without a strip.
    strips: usize,
    /// Frames that no strip shows.
    frames: u64,
    /// Lines of the journal.
    lines: u64,
}

impl Page {
    /// Takes an item's last record.
    pub(super) fn take(&mut self, record: Record) {
        match record {
            Record::Run(run) => {
                self.runs += 1;
                if self.runs == 1 {
                    self.models = run.aliases.iter().take(MODELS).map(|alias| Model::new(alias)).collect();
                    self.first = Some(run.clone());
                }
                self.run = Some(run);
            }
            Record::Image(image) if image.answer.is_no_image() => {}
            Record::Image(image) => self.image(image),
            Record::Frame(frame) => self.frame(frame),
            Record::Video(video) => {
                self.video_count += 1;
                if let Some(why) = &video.error {
                    self.failures.add(&visible(&video.item.uri), &video.item.uri, why);
                }
                self.videos.end(video);
            }
        }
    }

    fn image(&mut self, image: Image) {
        let Image { item, place, mut answer } = image;
        self.images += 1;
        let name = visible(&item.uri);
        let thumbnail = answer.thumbnail.take();
        let (results, why) = self.answer(&answer, &name, &item.uri);
        let error = why.map(|why| visible(&format!("{}: {}", why.code, why.message)));
        // Two items at one place would be a fault of the journal; none is lost by it.
        let key = (place, self.images);
        self.rows.insert(key, Row { n: name, s: labels::rounded(answer.seconds).unwrap_or_default(), r: results, e: error });
        if self.rows.len() > HELD {
            self.rows.pop_last();
        }
        if let Some(jpeg) = thumbnail.and_then(jpeg) {
            self.thumbnails.insert(key, jpeg);
            if self.thumbnails.len() > THUMBNAILS {
                self.thumbnails.pop_last();
            }
        }
    }

    fn frame(&mut self, frame: Frame) {
        let Frame { item, frame, at, mut answer } = frame;
        self.frames += 1;
        let thumbnail = answer.thumbnail.take();
        let name = format!("{}, frame {frame}", visible(&item.uri));
        let (results, _) = self.answer(&answer, &name, &item.uri);
        let best = (0..self.models.len()).map(|model| results.get(model).and_then(|top| top.first()).copied()).collect();
        self.videos.frame(&item.uri, frame, at, best, thumbnail.and_then(jpeg));
    }

    /// Counts an answer; the classes of each model, and the first cause where something failed.
    fn answer<'a>(&mut self, answer: &'a Answer, name: &str, uri: &str) -> (Vec<Vec<Scored>>, Option<&'a Failure>) {
        let mut results = Vec::new();
        for outcome in &answer.results {
            let known = self.models.iter().position(|model| model.is(outcome));
            if known.is_none() && self.models.len() >= MODELS {
                continue;
            }
            let at = known.unwrap_or_else(|| {
                self.models.push(Model::new(&outcome.alias));
                self.models.len() - 1
            });
            let scored = self.names.scored(&outcome.top);
            self.models[at].count(outcome, &scored);
            results.resize_with(results.len().max(at + 1), Vec::new);
            results[at] = scored;
        }
        let why = answer.error.as_ref().or_else(|| answer.results.iter().find_map(|outcome| outcome.error.as_ref()));
        match why {
            Some(why) => self.failures.add(name, uri, why),
            None => {
                self.answered += 1;
                self.latency.add(answer.seconds);
            }
        }
        (results, why)
    }

    /// The page, at most [`PAGE`] bytes, and how many thumbnails are in it. `journal` is what `--resume` is to be
    /// given, `took` what this run took.
    pub(super) fn html(mut self, journal: &str, took: Duration, unreadable: u64) -> (String, usize) {
        let mut left_out = LeftOut { lines: unreadable, frames: self.videos.without_strip, ..LeftOut::default() };
        left_out.strips = usize::try_from(self.videos.left_out).unwrap_or(usize::MAX);
        let labels = json(&self.names.names);
        let videos = std::mem::take(&mut self.videos).shown(self.models.len());
        let (strips, pictures) = strips(videos, &mut left_out);
        let (images, thumbnails) = (self.images, std::mem::take(&mut self.thumbnails));
        let (rows, places) = rows(std::mem::take(&mut self.rows), &mut left_out);
        left_out.rows = images - places.len() as u64;
        let fixed = |about: &About| STYLE.len() + SCRIPT.len() + TEMPLATE.len() + json(about).len() + 2_000;
        let mut about = self.about(journal, took, left_out);
        let used = fixed(&about) + labels.len() + strips.len() + rows.len();
        let (encoded, count, dropped) = pictured(&thumbnails, &places, &pictures, PAGE.saturating_sub(used));
        about.left_out.thumbnails = dropped;
        let title = format!("Inference report, {}", about.started);
        let data = format!(r#"{{"about":{},"labels":{labels},"rows":{rows},"videos":{strips},{encoded}}}"#, json(&about),);
        (filled(&title, &data), count)
    }

    fn about(self, journal: &str, took: Duration, left_out: LeftOut) -> About {
        let Self { runs, first, run, models, latency, failures, images, frames, answered, video_count, .. } = self;
        let named = |names: &[String]| names.iter().take(NAMED).map(|name| visible(name)).collect::<Vec<_>>();
        let asked = run.as_ref().map(|run| named(&run.models)).unwrap_or_default();
        let sources = run.as_ref().map(|run| named(&run.sources)).unwrap_or_default();
        let more_sources = run.as_ref().map_or(0, |run| run.sources.len().saturating_sub(NAMED));
        let of = |field: fn(&Run) -> &str| run.as_ref().map(|run| visible(field(run))).unwrap_or_default();
        About {
            version: of(|run| &run.version),
            started: first.map(|run| visible(&run.started)).unwrap_or_default(),
            runs,
            server: address_without_secrets(&of(|run| &run.url)),
            protocol: of(|run| &run.protocol),
            asked,
            sources,
            more_sources,
            sampling: of(|run| &run.sampling),
            images,
            videos: video_count,
            frames,
            answered,
            failed: failures.count,
            seconds: (runs <= 1).then_some(took.as_secs_f64()),
            again: format!("--resume={}", visible(&quoted(journal))),
            latency: latency.shown(),
            models: models.into_iter().map(Model::shown).collect(),
            failures: failures.shown(),
            left_out,
        }
    }
}

/// The videos as JSON, and their pictures: number of the video, column, JPEG.
fn strips(videos: Vec<videos::Shown>, left_out: &mut LeftOut) -> (String, Vec<(usize, usize, String)>) {
    let (mut strips, mut pictures) = (Vec::new(), Vec::new());
    let mut bytes = 0;
    for (number, mut video) in videos.into_iter().enumerate() {
        let strip = json(&video);
        if bytes + strip.len() > STRIPS {
            left_out.strips += 1;
            continue;
        }
        bytes += strip.len() + 1;
        pictures.extend(std::mem::take(&mut video.pictures).into_iter().map(|(column, jpeg)| (number, column, jpeg)));
        strips.push(strip);
    }
    (format!("[{}]", strips.join(",")), pictures)
}

/// The images as JSON, in the order of the sources, and each one's place. Of too many the last lose their further
/// classes first, then themselves.
fn rows(rows: BTreeMap<(u64, u64), Row>, left_out: &mut LeftOut) -> (String, Vec<(u64, u64)>) {
    let mut shown: Vec<String> = Vec::with_capacity(rows.len());
    let (mut brief, mut places) = (Vec::with_capacity(rows.len()), Vec::with_capacity(rows.len()));
    for (place, mut row) in rows {
        places.push(place);
        shown.push(json(&row));
        row.r.iter_mut().for_each(|top| top.truncate(1));
        brief.push(json(&row));
    }
    let mut bytes: usize = shown.iter().map(|row| row.len() + 1).sum();
    for (row, brief) in shown.iter_mut().zip(brief).rev() {
        if bytes <= ROWS {
            break;
        }
        if row.len() > brief.len() {
            bytes -= row.len() - brief.len();
            *row = brief;
            left_out.details += 1;
        }
    }
    while bytes > ROWS {
        bytes -= shown.pop().map_or(bytes, |row| row.len() + 1);
        left_out.details = left_out.details.min(shown.len());
    }
    places.truncate(shown.len());
    (format!("[{}]", shown.join(",")), places)
}

/// The pictures as JSON, as many as fit: a quarter of the space for those of videos, the rest for the images', of which
/// the last are dropped. How many there are, and how many thumbnails of images were dropped.
fn pictured(
    thumbnails: &BTreeMap<(u64, u64), String>,
    places: &[(u64, u64)],
    pictures: &[(usize, usize, String)],
    space: usize,
) -> (String, usize, usize) {
    let mut left = if thumbnails.is_empty() { space } else { space / 4 };
    let mut of_videos = Vec::new();
    for (video, column, jpeg) in pictures.iter().take(THUMBNAILS) {
        let entry = format!(r#"[{video},{column},"{jpeg}"]"#);
        let Some(rest) = left.checked_sub(entry.len() + 1) else { break };
        left = rest;
        of_videos.push(entry);
    }
    let of_videos = of_videos.join(",");
    let mut left = space - of_videos.len();
    let mut of_images = Vec::new();
    for (place, jpeg) in thumbnails {
        let Ok(row) = places.binary_search(place) else { break };
        let entry = format!(r#""{row}":"{jpeg}""#);
        let Some(rest) = left.checked_sub(entry.len() + 1) else { break };
        left = rest;
        of_images.push(entry);
    }
    let count = of_images.len();
    (format!(r#""pictures":[{of_videos}],"thumbnails":{{{}}}"#, of_images.join(",")), count, thumbnails.len() - count)
}

const TEMPLATE: &str = include_str!("page.html");
const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// The template with its parts, each put in once: what is in one of them is never taken for a place of another.
fn filled(title: &str, data: &str) -> String {
    let hash = |part: &str| BASE64_STANDARD.encode(Sha256::digest(part));
    let policy = format!(
        "default-src 'none'; img-src data:; style-src 'sha256-{}'; script-src 'sha256-{}'; base-uri 'none'; \
         form-action 'none'; require-trusted-types-for 'script'",
        hash(STYLE),
        hash(SCRIPT)
    );
    let title = title.replace('&', "&amp;").replace('<', "&lt;");
    let parts =
        [("{{policy}}", &*policy), ("{{title}}", &title), ("{{style}}", STYLE), ("{{data}}", data), ("{{script}}", SCRIPT)];
    let (mut page, mut rest) =
        (String::with_capacity(data.len() + SCRIPT.len() + STYLE.len() + TEMPLATE.len() + 1_000), TEMPLATE);
    for (mark, part) in parts {
        let (before, after) = rest.split_once(mark).unwrap_or((rest, ""));
        page.push_str(before);
        page.push_str(part);
        rest = after;
    }
    page + rest
}
