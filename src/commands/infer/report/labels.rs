//! What the models answered: each label's name once, how often it came first, and how sure the models were.

use std::collections::HashMap;

use serde::Serialize;

use super::super::results::record::{Class, Outcome};
use super::text::{json, visible};

/// Names that are kept; models with more classes than this share one name for the rest.
const NAMES: usize = 30_000;
/// Of these, as JSON: ImageNet's thousand take 25 kB, and a server may choose names of the greatest length.
const NAMES_BYTES: usize = 2_000_000;
/// Labels that a model's chart shows.
const SHOWN: usize = 12;
/// Of the histogram of confidence, from 0 to 1.
const BINS: usize = 20;
/// Models of a pipeline; what is beyond is not in the report.
pub(super) const MODELS: usize = 16;
/// Classes of an answer that are kept.
pub(super) const CLASSES: usize = 5;

/// A class in the page: its name's number, and the score where it is a number.
pub(super) type Scored = (u32, Option<f32>);

/// Names by their numbers.
#[derive(Default)]
pub(super) struct Names {
    numbers: HashMap<String, u32>,
    pub(super) names: Vec<String>,
    /// Of them, as JSON.
    bytes: usize,
}

impl Names {
    fn number(&mut self, class: &Class) -> u32 {
        let name = class.label.as_deref().map_or_else(|| format!("class {}", class.index), visible);
        let is_kept = self.numbers.contains_key(&name) || self.names.len() < NAMES && self.bytes < NAMES_BYTES;
        self.of(if is_kept { name } else { "(another label)".to_owned() })
    }

    fn of(&mut self, name: String) -> u32 {
        let Self { numbers, names, bytes } = self;
        *numbers.entry(name).or_insert_with_key(|name| {
            *bytes += json(name).len() + 1;
            names.push(name.clone());
            names.len() as u32 - 1
        })
    }

    /// The best classes of an answer. A score that is no number stays none.
    pub(super) fn scored(&mut self, top: &[Class]) -> Vec<Scored> {
        let scored = |class: &Class| (self.number(class), rounded(class.score));
        top.iter().take(CLASSES).map(scored).collect()
    }
}

/// To four decimals; none for what is no number.
pub(super) fn rounded(number: f64) -> Option<f32> {
    number.is_finite().then(|| ((number * 10_000.0).round() / 10_000.0) as f32)
}

/// One model of the pipeline.
#[derive(Default)]
pub(super) struct Model {
    alias: String,
    name: String,
    version: Option<String>,
    answers: u64,
    failed: u64,
    first: HashMap<u32, u64>,
    confidence: [u64; BINS],
    sum: f64,
}

/// A model as the page shows it.
#[derive(Serialize)]
pub(super) struct Shown {
    alias: String,
    name: String,
    version: Option<String>,
    answers: u64,
    failed: u64,
    labels: usize,
    /// The most frequent ones with their counts.
    top: Vec<(u32, u64)>,
    /// Counts for each twentieth of the scores from 0 to 1.
    confidence: [u64; BINS],
    /// Of the scores that are numbers.
    mean: Option<f32>,
}

impl Model {
    pub(super) fn new(alias: &str) -> Self {
        Self { alias: alias.to_owned(), ..Self::default() }
    }

    pub(super) fn is(&self, outcome: &Outcome) -> bool {
        self.alias == outcome.alias
    }

    /// Counts an answer.
    pub(super) fn count(&mut self, outcome: &Outcome, scored: &[Scored]) {
        // The last one: what a run that was resumed met in the end.
        self.name.clone_from(&outcome.model);
        self.version.clone_from(&outcome.version);
        let Some((label, score)) = scored.first().filter(|_| outcome.error.is_none()) else {
            self.failed += 1;
            return;
        };
        self.answers += 1;
        *self.first.entry(*label).or_default() += 1;
        if let Some(score) = score {
            let bin = (f64::from(*score).clamp(0.0, 1.0) * BINS as f64) as usize;
            self.confidence[bin.min(BINS - 1)] += 1;
            self.sum += f64::from(*score);
        }
    }

    pub(super) fn shown(self) -> Shown {
        let Self { alias, name, version, answers, failed, first, confidence, sum } = self;
        let numbers: u64 = confidence.iter().sum();
        let labels = first.len();
        let mut top: Vec<(u32, u64)> = first.into_iter().collect();
        top.sort_by_key(|(label, count)| (std::cmp::Reverse(*count), *label));
        top.truncate(SHOWN);
        let mean = (numbers > 0).then(|| rounded(sum / numbers as f64)).flatten();
        let (alias, name, version) = (visible(&alias), visible(&name), version.as_deref().map(visible));
        Shown { alias, name, version, answers, failed, labels, top, confidence, mean }
    }
}
