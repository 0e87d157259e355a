//! What the journal holds: one JSON object a line, in the order in which things ended.

use serde::{Deserialize, Serialize};

/// One line of the journal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "record", rename_all = "snake_case")]
pub(crate) enum Record {
    /// The first line, and one more for each resumption.
    Run(Run),
    /// An image has its final answer.
    Image(Image),
    /// A sampled frame of a video has its final answer.
    Frame(Frame),
    /// A video is through: every sampled frame has its record, or the video itself failed.
    Video(Video),
}

/// What was asked of whom. A journal is resumed only by a run that asks the same.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Run {
    /// Of tritondeploy.
    pub(crate) version: String,
    /// RFC 3339, UTC.
    pub(crate) started: String,
    /// The WebSocket.
    pub(crate) url: String,
    /// `v1` or `v0`.
    pub(crate) protocol: String,
    /// As given; empty: the pipeline.
    pub(crate) models: Vec<String>,
    /// Aliases in the order of the answers: the CSV's columns.
    pub(crate) aliases: Vec<String>,
    /// Classes kept.
    pub(crate) top: u16,
    /// As given.
    pub(crate) sources: Vec<String>,
    /// How frames were sampled: `every 30` or `fps 2`.
    pub(crate) sampling: String,
}

/// Which item it is: its name, and what tells one content from another under the same name.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Item {
    /// `s3://BUCKET/KEY`, or a path as it was found.
    pub(crate) uri: String,
    /// The ETag; of a file size and modification time.
    pub(crate) version: String,
}

/// An image's answer: the last one in the journal counts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Image {
    #[serde(flatten)]
    pub(crate) item: Item,
    /// Its place in the order of the sources, from 0, as the run that asked for it counted: images and videos together.
    pub(crate) place: u64,
    #[serde(flatten)]
    pub(crate) answer: Answer,
}

/// A sampled frame's final answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Frame {
    /// The video.
    #[serde(flatten)]
    pub(crate) item: Item,
    /// The frame's number in the video, from 0, in the order of presentation.
    pub(crate) frame: u64,
    /// Seconds from the video's start, where the container tells them.
    pub(crate) at: Option<f64>,
    #[serde(flatten)]
    pub(crate) answer: Answer,
}

/// A video that is through.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Video {
    #[serde(flatten)]
    pub(crate) item: Item,
    /// Its place in the order of the sources, from 0.
    pub(crate) place: u64,
    /// Frames that were sampled.
    pub(crate) frames: u64,
    /// Of these without an answer.
    pub(crate) failed: u64,
    /// From its first frame's decoding to its last answer.
    pub(crate) seconds: f64,
    /// Why the video itself, or the rest of it, could not be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<Failure>,
}

impl Video {
    /// As scripts have it: some frame has its answer. It may have an error all the same, from there on.
    pub(crate) fn is_success(&self) -> bool {
        self.failed < self.frames
    }
}

/// What came of one request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Answer {
    /// One for each model, in the order of [`Run::aliases`]; empty where the request failed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) results: Vec<Outcome>,
    /// Why there is no result.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<Failure>,
    /// From asking to the answer, retries included.
    pub(crate) seconds: f64,
    /// A JPEG, base64, where one was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) thumbnail: Option<String>,
}

/// The code of an answer in which nothing is.
pub(crate) const NO_RESULT: &str = "no_result";

/// The code of what is no image as the gateway says, where nothing promised that it is one.
pub(crate) const NO_IMAGE: &str = "not_an_image";

impl Answer {
    /// Why there is no answer at all.
    pub(crate) fn failed(error: Failure, seconds: f64) -> Self {
        Self { results: Vec::new(), error: Some(error), seconds, thumbnail: None }
    }

    /// Why the request, or the first model that has no result, failed.
    pub(crate) fn failure(&self) -> Option<&Failure> {
        self.failures().next()
    }

    fn failures(&self) -> impl Iterator<Item = &Failure> {
        self.error.iter().chain(self.results.iter().filter_map(|outcome| outcome.error.as_ref()))
    }

    /// Every model answered.
    pub(crate) fn is_success(&self) -> bool {
        self.failure().is_none()
    }

    /// Asking again would bring the same.
    pub(crate) fn is_final(&self) -> bool {
        self.failures().all(|failure| !failure.retryable)
    }

    /// The server said nothing.
    pub(crate) fn is_silence(&self) -> bool {
        self.error.as_ref().is_some_and(|error| matches!(&*error.code, "lost" | "timed_out"))
    }

    /// It is skipped, not failed.
    pub(crate) fn is_no_image(&self) -> bool {
        self.error.as_ref().is_some_and(|error| error.code == NO_IMAGE)
    }
}

/// What one model gave.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Outcome {
    pub(crate) alias: String,
    pub(crate) model: String,
    /// The model's version, where the protocol tells it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) version: Option<String>,
    /// Best first; empty where the model failed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) top: Vec<Class>,
    /// Why this model has no result.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<Failure>,
}

/// One class.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Class {
    pub(crate) index: u32,
    /// From 0 to 1. JSON has no NaN: it is written as null, and read back from that.
    #[serde(deserialize_with = "number_or_nan")]
    pub(crate) score: f64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) label: Option<String>,
}

/// Why something has no result.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Failure {
    /// The protocol's code, or one of ours: `unreadable`, `lost`, `timed_out`.
    pub(crate) code: String,
    /// The cause in words.
    pub(crate) message: String,
    /// Whether the same may succeed later: `--resume` asks for these again.
    pub(crate) retryable: bool,
}

fn number_or_nan<'a, D: serde::Deserializer<'a>>(from: D) -> Result<f64, D::Error> {
    Ok(Option::deserialize(from)?.unwrap_or(f64::NAN))
}

impl Failure {
    pub(crate) fn new(code: &str, message: impl Into<String>, retryable: bool) -> Self {
        Self { code: code.to_owned(), message: message.into(), retryable }
    }
}
