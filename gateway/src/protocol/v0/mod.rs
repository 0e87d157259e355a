//! Protocol v0: reads a request, has it run, writes its answer.

mod session;

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use tritondeploy_wire::echo::Echo;
use tritondeploy_wire::v0::{self as wire, Object, Request, View};
use tritondeploy_wire::v1::Timings;
use tungstenite::{Message, Utf8Bytes};

pub use session::{Protocol, Queue};

use crate::admission::memory::{FULL, MessageRoom};
use crate::config::DEFAULT;
use crate::inference::{Deadline, Engine, Error, InferenceJob, InferenceResult, Report, Source, Target, micros};
use crate::inference::{LONGEST_TENSOR_NAME, long_name};
use crate::peer::{Client, RequestId, Version};
use crate::storage::{self, LONGEST_KEY};
use crate::triton::models::{LONGEST_MODEL_NAME, no_model};
use crate::triton::{Inference, Input, Tensor};

/// Below this, reading a message takes less than handing it to another thread.
const SMALL: usize = 16 << 10;

/// Bytes of the widest number.
const WIDEST: u64 = 8;

/// What rounding may add to the room of a message and of its numbers.
const SLACK: u64 = 4 << 10;

/// Answers v0 requests.
#[derive(Debug)]
pub struct V0 {
    engine: Arc<Engine>,
}

impl V0 {
    /// With this data path.
    #[must_use]
    pub fn new(engine: Arc<Engine>) -> Self {
        Self { engine }
    }

    async fn try_answer(
        &self,
        client: Client,
        message: Message,
        room: MessageRoom,
        report: &mut Report<'_>,
    ) -> Result<(Message, Timings), Error> {
        let arrived = Instant::now();
        let _permit = self.engine.permit(client).await?;
        let queue = micros(arrived);
        // v0's clients know no deadline; a request's time begins with its turn.
        let begun = Instant::now();
        let deadline = Deadline::after(begun, Duration::from_secs(self.engine.config.limits.request_seconds));
        let engine = self.engine.clone();
        let read = move || read(&engine, client, message, room);
        let (request, _room) = if report.bytes < SMALL { read()? } else { self.engine.off_thread(client, read).await? };
        report.parse = Some(micros(begun));
        let object = |object: Object| Source::Object { bucket: object.bucket, key: object.key };
        let (form, source, targets) = match request {
            Request::Pipelines(of) => ("pipelines", object(of), self.engine.pipeline(DEFAULT)?),
            Request::Image { model, object: of } => ("image", object(of), vec![self.named(model, report)]),
            Request::Tensors { model, inputs } => ("tensors", tensors(inputs), vec![self.named(model, report)]),
        };
        report.form = form;
        let job = InferenceJob { source, targets, thumbnail: None, deadline, client };
        let InferenceResult { models, timings, .. } = self.engine.run(&job).await?;
        let answers = models.into_iter().collect::<Result<Vec<_>, _>>()?;
        let start = Instant::now();
        let text = self.engine.off_thread(client, move || written(&job.targets, &answers, form == "pipelines")).await?;
        let text = Utf8Bytes::try_from(self.engine.count_answer(client, text, ())?).map_err(|_| Error::Internal)?;
        Ok((Message::Text(text), Timings { queue, encode: micros(start), ..timings }))
    }

    /// v0 names models as Triton does.
    fn named(&self, model: String, report: &mut Report<'_>) -> Target {
        report.model = Some(Echo(&model).to_string());
        let target = self.engine.target(&model);
        Target { alias: model.clone(), model, ..target }
    }
}

impl Protocol for V0 {
    async fn answer(&self, id: RequestId, client: Client, message: Message, room: MessageRoom) -> Message {
        let mut report = Report::begin(Version::V0, id, Instant::now());
        report.bytes = message.len();
        let answer = self.try_answer(client, message, room, &mut report).await;
        report.end(answer.as_ref().map(|(answer, timings)| (timings, answer.len())));
        answer.map_or_else(|e| Message::text(wire::error(&e.text())), |(answer, _)| answer)
    }

    fn room(&self, client: Client, bytes: usize) -> Option<MessageRoom> {
        self.engine.room(client, bytes).map(Some)
    }
}

/// Reads a request, and counts what it holds in place of its message: `0,` takes two bytes, and as a number eight.
fn read(engine: &Engine, client: Client, message: Message, mut room: MessageRoom) -> Result<(Request, MessageRoom), Error> {
    let text = message.to_text().map_err(|_| Error::Message("the message is not UTF-8".into()))?;
    let mut more = None;
    if text.len() >= SMALL {
        let numbers = text.bytes().filter(|byte| *byte == b',').count() + 1;
        // Of a message so long that this is more than its client may have: all of that.
        let left = engine.share_of_bytes().saturating_sub(text.len() as u64 + SLACK);
        let most = (numbers as u64 * WIDEST).min(left);
        more = Some(engine.room(client, most as usize).ok_or(Error::Overloaded(FULL))?);
    }
    let request = Request::parse(text)?;
    // Before they are copied: a name may be as long as a message.
    check_names(&request)?;
    drop(message);
    if let (Some(room), Some(mut more)) = (&mut room, more) {
        let held = match &request {
            Request::Tensors { inputs, .. } => inputs.iter().map(|input| input.data.len()).sum(),
            _ => 0,
        };
        room.shrink(held as u64);
        more.shrink((held as u64).saturating_sub(room.bytes()));
        room.merge(more);
    }
    Ok((request, room))
}

/// Refuses names and keys that nothing has, in the words of those who would be asked for them.
fn check_names(request: &Request) -> Result<(), Error> {
    let (model, object, inputs) = match request {
        Request::Pipelines(object) => ("", Some(object), &[][..]),
        Request::Image { model, object } => (model.as_str(), Some(object), &[][..]),
        Request::Tensors { model, inputs } => (model.as_str(), None, inputs.as_slice()),
    };
    if model.len() > LONGEST_MODEL_NAME {
        return Err(Error::Model { model: Echo(model).to_string(), source: no_model(model) });
    }
    if let Some(Object { bucket, key }) = object
        && bucket.len().max(key.len()) > LONGEST_KEY
    {
        return Err(storage::refused(bucket, key).into());
    }
    match inputs.iter().find(|input| input.name.len() > LONGEST_TENSOR_NAME) {
        Some(long) => Err(long_name(&long.name)),
        None => Ok(()),
    }
}

fn tensors(inputs: Vec<wire::Tensor>) -> Source {
    let tensor = |t: wire::Tensor| Input { name: t.name, datatype: t.datatype, shape: t.shape, data: t.data.into() };
    Source::Tensors(inputs.into_iter().map(tensor).collect())
}

fn written(targets: &[Target], answers: &[Inference], by_alias: bool) -> Result<String, Error> {
    let all = || targets.iter().zip(answers);
    let text = if by_alias {
        wire::aliased(all().map(|(target, answer)| (target.alias.as_str(), answer.outputs.iter().map(view))))
    } else {
        wire::flat(answers.iter().flat_map(|answer| answer.outputs.iter().map(view)))
    };
    text.map_err(|e| Error::Malformed {
        model: targets.iter().map(|target| target.model.as_str()).collect::<Vec<_>>().join(", "),
        why: e.to_string(),
    })
}

fn view(tensor: &Tensor) -> View<'_> {
    View { name: &tensor.name, datatype: tensor.datatype, shape: &tensor.shape, data: &tensor.data }
}
