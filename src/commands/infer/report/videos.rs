//! Videos: each one's answers over time, in as many columns as a screen shows.

use std::collections::{BTreeMap, HashMap};

use serde::Serialize;

use super::super::results::record::Video;
use super::labels::{Scored, rounded};
use super::text::visible;

/// Videos whose frames are kept.
const VIDEOS: usize = 500;
/// Frames of all videos that are kept; 40 bytes each for two models.
const FRAMES: usize = 1_000_000;
/// Columns of a strip. With more frames than this, several share one.
const COLUMNS: usize = 400;
/// Thumbnails beside a strip, spread over its frames.
pub(super) const PICTURES: usize = 12;

/// All videos of the run.
#[derive(Default)]
pub(super) struct Videos {
    known: HashMap<String, Kept>,
    frames: usize,
    /// Frames that no strip shows, as there are too many.
    pub(super) without_strip: u64,
    /// Videos that are counted only.
    pub(super) left_out: u64,
}

#[derive(Default)]
struct Kept {
    end: Option<Video>,
    frames: Vec<Frame>,
    /// One for each twelfth of the frames, as the journal has them: number and JPEG.
    pictures: BTreeMap<u64, String>,
}

struct Frame {
    number: u64,
    at: Option<f64>,
    /// Each model's best class.
    best: Vec<Option<Scored>>,
}

/// A video as the page shows it.
#[derive(Serialize)]
pub(super) struct Shown {
    #[serde(skip)]
    pub(super) place: u64,
    name: String,
    frames: u64,
    failed: u64,
    seconds: Option<f64>,
    error: Option<String>,
    /// Of each column its first frame, and when that is shown.
    starts: Vec<u64>,
    times: Vec<Option<f64>>,
    /// The last frame of all.
    last: u64,
    /// For each model each column's label with its score; none where every frame of it failed.
    models: Vec<Vec<Option<Scored>>>,
    /// Thumbnails: a column's number and a JPEG.
    #[serde(skip)]
    pub(super) pictures: Vec<(usize, String)>,
}

impl Videos {
    /// A frame's best classes, one for each model.
    pub(super) fn frame(&mut self, uri: &str, number: u64, at: Option<f64>, best: Vec<Option<Scored>>, jpeg: Option<String>) {
        let full = self.frames >= FRAMES;
        let Some(kept) = self.kept(uri) else { return };
        if full {
            self.without_strip += 1;
            return;
        }
        kept.frames.push(Frame { number, at, best });
        if let Some(jpeg) = jpeg {
            kept.pictures.insert(number, jpeg);
            thin(&mut kept.pictures);
        }
        self.frames += 1;
    }

    pub(super) fn end(&mut self, video: Video) {
        match self.kept(&video.item.uri) {
            Some(kept) => kept.end = Some(video),
            None => self.left_out += 1,
        }
    }

    fn kept(&mut self, uri: &str) -> Option<&mut Kept> {
        if self.known.len() >= VIDEOS && !self.known.contains_key(uri) {
            return None;
        }
        Some(self.known.entry(uri.to_owned()).or_default())
    }

    /// In the order of the sources; those that are not through come last.
    pub(super) fn shown(self, models: usize) -> Vec<Shown> {
        let mut shown: Vec<Shown> = self.known.into_iter().map(|(uri, kept)| kept.shown(&uri, models)).collect();
        shown.sort_by(|a, b| (a.place, &a.name).cmp(&(b.place, &b.name)));
        shown
    }
}

/// Pictures stay spread over the video: of too many, the one goes that leaves the smallest gap.
fn thin(pictures: &mut BTreeMap<u64, String>) {
    if pictures.len() <= PICTURES {
        return;
    }
    let numbers: Vec<u64> = pictures.keys().copied().collect();
    let gap = |three: &&[u64]| three[2] - three[0];
    if let Some(three) = numbers.windows(3).min_by_key(gap) {
        pictures.remove(&three[1]);
    }
}

impl Kept {
    fn shown(mut self, uri: &str, models: usize) -> Shown {
        self.frames.sort_by_key(|frame| frame.number);
        let size = self.frames.len().div_ceil(COLUMNS).max(1);
        let columns: Vec<&[Frame]> = self.frames.chunks(size).collect();
        let failed = self.frames.iter().filter(|frame| frame.best.iter().any(Option::is_none)).count();
        let end = self.end.as_ref();
        let column = |number: u64| columns.partition_point(|frames| frames[0].number <= number).saturating_sub(1);
        Shown {
            place: end.map_or(u64::MAX, |video| video.place),
            name: visible(uri),
            frames: end.map_or(self.frames.len() as u64, |video| video.frames),
            failed: end.map_or(failed as u64, |video| video.failed),
            seconds: end.map(|video| video.seconds),
            error: match end {
                Some(video) => video.error.as_ref().map(|why| visible(&format!("{}: {}", why.code, why.message))),
                None => Some("the run ended before the video did".to_owned()),
            },
            starts: columns.iter().map(|frames| frames[0].number).collect(),
            times: columns.iter().map(|frames| frames[0].at.filter(|at| at.is_finite())).collect(),
            last: self.frames.last().map_or(0, |frame| frame.number),
            models: (0..models).map(|model| columns.iter().map(|frames| majority(frames, model)).collect()).collect(),
            pictures: self.pictures.into_iter().map(|(number, jpeg)| (column(number), jpeg)).collect(),
        }
    }
}

/// The label that most of these frames have, with the mean of their scores.
fn majority(frames: &[Frame], model: usize) -> Option<Scored> {
    let mut labels: Vec<(u32, u32, f64, u32)> = Vec::new();
    for (label, score) in frames.iter().filter_map(|frame| frame.best.get(model).copied().flatten()) {
        let at = labels.iter().position(|known| known.0 == label).unwrap_or_else(|| {
            labels.push((label, 0, 0.0, 0));
            labels.len() - 1
        });
        labels[at].1 += 1;
        if let Some(score) = score {
            labels[at].2 += f64::from(score);
            labels[at].3 += 1;
        }
    }
    let (label, _, sum, scores) = labels.into_iter().reduce(|most, next| if next.1 > most.1 { next } else { most })?;
    Some((label, (scores > 0).then(|| rounded(sum / f64::from(scores))).flatten()))
}
