//! What can be asked, and what comes back.

use std::time::Duration;

use tokio_tungstenite::tungstenite::{Bytes, Message};
use tritondeploy_wire::v1::{
    self as wire, Answer, ClientMessage, Infer, ModelResult, Quality, Source, TensorHeader, Thumbnail, Timings,
};

use super::Error;

/// From a request to its answer: a model's first inference may take some seconds.
const TIME: Duration = Duration::from_secs(60);

/// What to ask. Without more, every model of the default pipeline answers with its tensors.
#[derive(Clone, Debug)]
pub struct Request {
    infer: Infer,
    parts: Vec<Bytes>,
    time: Duration,
    once: bool,
}

impl Request {
    fn of(source: Source, parts: Vec<Bytes>) -> Self {
        Self { infer: Infer { source, ..Infer::default() }, parts, time: TIME, once: false }
    }

    /// An image in the deployment's bucket.
    #[must_use]
    pub fn object(key: impl Into<String>) -> Self {
        Self::of(Source::S3 { bucket: None, key: key.into() }, Vec::new())
    }

    /// An image in a bucket by its name: the deployment's, there is no other that the gateway reads.
    #[must_use]
    pub fn object_of(bucket: impl Into<String>, key: impl Into<String>) -> Self {
        Self::of(Source::S3 { bucket: Some(bucket.into()), key: key.into() }, Vec::new())
    }

    /// An encoded image.
    #[must_use]
    pub fn image(bytes: impl Into<Bytes>) -> Self {
        Self::of(Source::Image {}, vec![bytes.into()])
    }

    /// Rows of red, green and blue bytes: `3 * width * height` of them.
    #[must_use]
    pub fn rgb8(width: u32, height: u32, pixels: impl Into<Bytes>) -> Self {
        Self::of(Source::Rgb8 { width, height }, vec![pixels.into()])
    }

    /// Tensors, little-endian.
    #[must_use]
    pub fn tensors(tensors: impl IntoIterator<Item = (TensorHeader, Bytes)>) -> Self {
        let (headers, parts) = tensors.into_iter().unzip();
        Self::of(Source::Tensors(headers), parts)
    }

    /// These models, by alias or name, in place of the default pipeline.
    #[must_use]
    pub fn models<S: Into<String>>(mut self, models: impl IntoIterator<Item = S>) -> Self {
        self.infer.models = Some(models.into_iter().map(Into::into).collect());
        self
    }

    /// This pipeline.
    #[must_use]
    pub fn pipeline(mut self, name: impl Into<String>) -> Self {
        self.infer.pipeline = Some(name.into());
        self
    }

    /// The best classes, with labels, in place of the tensors.
    #[must_use]
    pub fn top(mut self, k: u32) -> Self {
        self.infer.top_k = Some(k);
        self
    }

    /// How exactly a JPEG is decoded.
    #[must_use]
    pub fn quality(mut self, quality: Quality) -> Self {
        self.infer.quality = Some(quality);
        self
    }

    /// A JPEG of the image too, its longer side at most so many pixels.
    #[must_use]
    pub fn thumbnail(mut self, longest: u32) -> Self {
        self.infer.thumbnail = Some(longest);
        self
    }

    /// How long to wait; the gateway is told too. A minute without this.
    #[must_use]
    pub fn within(mut self, time: Duration) -> Self {
        self.time = time;
        self.infer.deadline_ms = Some(u64::try_from(time.as_millis()).unwrap_or(u64::MAX));
        self
    }

    /// Once: a refusal for the moment (overloaded, a model that loads) is told, not waited out. What the connection
    /// and not the request is refused for (draining) is asked a few times all the same.
    #[must_use]
    pub fn once(mut self) -> Self {
        self.once = true;
        self
    }

    pub(super) fn is_once(&self) -> bool {
        self.once
    }

    pub(super) fn time(&self) -> Duration {
        self.time
    }

    pub(super) fn encode(mut self, id: u64) -> Result<Message, Error> {
        self.infer.id = id;
        let message = ClientMessage::Infer(self.infer);
        let written = |e: serde_json::Error| Error::Protocol(e.to_string());
        if self.parts.is_empty() {
            return Ok(Message::text(serde_json::to_string(&message).map_err(written)?));
        }
        let parts: Vec<&[u8]> = self.parts.iter().map(|part| &part[..]).collect();
        Ok(Message::binary(wire::encode(&message, &parts).map_err(written)?))
    }
}

/// What came back.
#[derive(Clone, Debug)]
pub struct Reply {
    /// One for each model.
    pub results: Vec<ModelResult>,
    /// Where one was asked for.
    pub thumbnail: Option<Thumbnail>,
    /// Where the gateway's time went.
    pub timings: Timings,
    /// What outputs and thumbnail point to.
    pub parts: Vec<Bytes>,
}

impl Reply {
    pub(super) fn of(answer: Answer, parts: Vec<Bytes>) -> Self {
        let Answer { results, thumbnail, timings, .. } = answer;
        Self { results, thumbnail, timings, parts }
    }
}
