//! From what the data path gave to the terminal message of a request.

use std::sync::Arc;

use bytes::Bytes;
use tokio::time::{Instant, timeout_at};
use tritondeploy_wire::v1::{self as wire, Answer, ModelResult, Outcome, OutputHeader, ServerMessage, Timings};
use tungstenite::{Message, Utf8Bytes};

use super::{PendingRequest, Runner};
use crate::admission::memory::{self, MessageRoom};
use crate::inference::{Engine, Error, InferenceJob, InferenceResult, Report, Source, Target, micros, top};
use crate::peer::{Client, RequestId, Version};
use crate::triton::{Buffer, Inference, Metadata, TensorMetadata};

/// More classes than anybody looks at; who wants more asks for the tensors.
const CLASSES: u32 = 1000;

/// Bytes of one class with its label: about, of usual ones.
const CLASS: u64 = 100;

/// What an answer takes of what its connection may leave unread.
type Unread = Option<memory::Room>;

impl Runner for Engine {
    fn greeting(&self) -> wire::Greeting {
        self.hello()
    }

    fn room(&self, client: Client, bytes: usize) -> Option<MessageRoom> {
        Engine::room(self, client, bytes).map(Some)
    }

    fn count(&self, client: Client, message: Message) -> Option<Message> {
        match message {
            Message::Text(text) => {
                let counted = self.count_answer(client, Bytes::from(text), ()).ok()?;
                Utf8Bytes::try_from(counted).ok().map(Message::Text)
            }
            other => Some(other),
        }
    }

    fn place(&self, bytes: usize) -> Option<Buffer> {
        Engine::place(self, bytes)
    }

    async fn run(&self, id: RequestId, asked: PendingRequest) -> Message {
        let mut report = Report::begin(Version::V1, id, asked.received);
        report.client_id = Some(asked.infer.id);
        report.trace = asked.infer.traceparent.as_deref();
        report.form = form(&asked.infer.source);
        report.bytes = asked.parts.iter().map(|part| part.len()).sum();
        let answered = self.answered(&asked).await;
        report.end(answered.as_ref().map(|(message, timings)| (timings, message.len())));
        match answered {
            Ok((message, _)) => message,
            Err(e) => self.error(asked.client, Some(asked.infer.id), e.failure()),
        }
    }
}

impl Engine {
    /// Waits until the connection's client has read so much that this answer may be made.
    async fn wait_until_read(&self, asked: &PendingRequest, job: &InferenceJob) -> Result<Unread, Error> {
        let expected = self.expected(asked, job).min(self.config.limits.unread_bytes as u64);
        let unread = timeout_at(job.deadline.at, asked.unread.wait(expected)).await;
        unread.map_err(|_| Error::Unread(job.deadline.millis()))
    }

    /// The bytes of the answer, as far as they can be told beforehand.
    fn expected(&self, asked: &PendingRequest, job: &InferenceJob) -> u64 {
        let batch = match &job.source {
            Source::Tensors(tensors) => {
                tensors.first().and_then(|tensor| tensor.shape.first()).map_or(1, |batch| (*batch).max(1))
            }
            _ => 1,
        };
        let each = |target: &Target| match asked.infer.top_k {
            Some(k) => u64::from(k) * CLASS,
            None => self.models.known(&target.model).map_or(0, |metadata| outputs(&metadata, batch as u64)),
        };
        // A picture of noise takes nearly a byte for each pixel.
        let thumbnail = job.thumbnail.map_or(0, |longest| u64::from(longest).pow(2));
        job.targets.iter().map(each).fold(thumbnail, u64::saturating_add)
    }

    async fn answered(&self, asked: &PendingRequest) -> Result<(Message, Timings), Error> {
        if asked.infer.top_k.is_some_and(|k| k == 0 || k > CLASSES) {
            return Err(Error::Message(format!("top_k is between 1 and {CLASSES}")));
        }
        let job = self.job(asked)?;
        let mut unread = self.wait_until_read(asked, &job).await?;
        let permit = self.permit_now(asked.client)?;
        let InferenceResult { mut models, thumbnail, mut timings } = Engine::run(self, &job).await?;
        // A request whose every model failed has failed; else what failed is told in its place.
        if models.iter().all(Result::is_err)
            && let Some(Err(first)) = models.drain(..).next()
        {
            return Err(first);
        }
        let start = Instant::now();
        let mut parts: Vec<&[u8]> = Vec::new();
        let results = job.targets.iter().zip(&models).map(|(target, model)| {
            let outcome = match model {
                Ok(inference) => match asked.infer.top_k {
                    Some(k) => {
                        self.classes(target, inference, k as usize).unwrap_or_else(|e| Outcome::Error { error: e.failure() })
                    }
                    None => tensors(inference, &mut parts),
                },
                Err(e) => Outcome::Error { error: e.failure() },
            };
            ModelResult { alias: target.alias.clone(), model: target.model.clone(), outcome }
        });
        let results = results.collect();
        let thumbnail = thumbnail.as_ref().map(|thumbnail| {
            parts.push(&thumbnail.jpeg);
            wire::Thumbnail { part: parts.len() as u32 - 1, width: thumbnail.width, height: thumbnail.height }
        });
        timings.encode = micros(start);
        timings.total = micros(asked.received);
        let answer = ServerMessage::Result(Answer { id: asked.infer.id, results, thumbnail, timings });
        let unwritten = |e: &dyn std::fmt::Display| {
            tracing::error!("an answer cannot be written: {e}");
            Error::Internal
        };
        let is_text = parts.is_empty();
        let bytes = if is_text { serde_json::to_vec(&answer) } else { wire::encode(&answer, &parts) };
        let bytes = bytes.map_err(|e| unwritten(&e))?;
        drop(permit);
        if let Some(unread) = &mut unread {
            let more = (bytes.len() as u64).saturating_sub(unread.bytes());
            // What could not be told beforehand counts, too, as far as there is room for it.
            if let Some(more) = (more > 0).then(|| asked.unread.take(asked.client, more)).flatten() {
                unread.merge(more);
            }
            unread.shrink(bytes.len() as u64);
        }
        let bytes = self.count_answer(asked.client, bytes, unread)?;
        let message = match is_text {
            true => Message::Text(Utf8Bytes::try_from(bytes).map_err(|e| unwritten(&e))?),
            false => Message::Binary(bytes),
        };
        Ok((message, timings))
    }

    fn classes(&self, target: &Target, inference: &Inference, k: usize) -> Result<Outcome, Error> {
        let malformed = |why: String| Error::Malformed { model: target.model.clone(), why };
        let output = inference.outputs.first().ok_or_else(|| malformed("it has no output".to_owned()))?;
        let labels: Option<Arc<Vec<String>>> = self.models.labels(&target.model);
        let top = top(output, target.scores, k, labels.as_ref().map(|labels| labels.as_slice())).map_err(malformed)?;
        Ok(Outcome::Top { version: inference.version.clone(), top })
    }
}

/// Bytes of a model's outputs. A length that is not known counts as the batch's where it is the first, else as 1.
fn outputs(metadata: &Metadata, batch: u64) -> u64 {
    let output = |output: &TensorMetadata| {
        let lengths = output.shape.iter().enumerate().map(|(at, length)| match u64::try_from(*length) {
            Ok(length) => length,
            Err(_) if at == 0 => batch,
            Err(_) => 1,
        });
        lengths.fold(output.datatype.size().unwrap_or(1) as u64, u64::saturating_mul)
    };
    metadata.outputs.iter().map(output).fold(0, u64::saturating_add)
}

fn tensors<'i>(inference: &'i Inference, parts: &mut Vec<&'i [u8]>) -> Outcome {
    let output = |tensor: &'i crate::triton::Tensor| {
        parts.push(&tensor.data);
        OutputHeader {
            name: tensor.name.clone(),
            datatype: tensor.datatype.as_str().to_owned(),
            shape: tensor.shape.clone(),
            part: parts.len() as u32 - 1,
        }
    };
    let outputs = inference.outputs.iter().map(output).collect();
    Outcome::Outputs { version: inference.version.clone(), outputs }
}

fn form(source: &wire::Source) -> &'static str {
    match source {
        wire::Source::S3 { .. } => "s3",
        wire::Source::Image {} => "image",
        wire::Source::Rgb8 { .. } => "rgb8",
        wire::Source::Tensors(_) => "tensors",
    }
}
