//! Protocol v0: reads a request, has it run, writes its answer.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use tritondeploy_wire::v0::{self as wire, Object, Request, View};
use tritondeploy_wire::v1::Timings;
use tungstenite::Message;

use crate::config::DEFAULT;
use crate::protocol::{Protocol, RequestId, Room, Version};
use crate::request::{Done, Engine, Error, Job, Report, Source, Target, Until, micros};
use crate::triton::{Inference, Input, Tensor};

/// Below this, reading a message takes less than handing it to another thread.
const SMALL: usize = 16 << 10;

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

    async fn try_answer(&self, message: Message, report: &mut Report<'_>) -> Result<(String, Timings), Error> {
        let arrived = Instant::now();
        let _turn = self.engine.turn().await?;
        let queue = micros(arrived);
        // v0's clients know no deadline; a request's time begins with its turn.
        let begun = Instant::now();
        let until = Until::after(begun, Duration::from_secs(self.engine.config.limits.request_seconds));
        let read = move || Ok(Request::parse(message.to_text().map_err(|_| Error::Message("the message is not UTF-8".into()))?)?);
        let request = if report.bytes < SMALL { read()? } else { self.engine.off_thread(read).await? };
        report.parse = Some(micros(begun));
        let object = |object: Object| Source::Object { bucket: object.bucket, key: object.key };
        let (form, source, targets) = match request {
            Request::Pipelines(of) => ("pipelines", object(of), self.engine.pipeline(DEFAULT)?),
            Request::Image { model, object: of } => ("image", object(of), vec![self.named(model, report)]),
            Request::Tensors { model, inputs } => ("tensors", tensors(inputs), vec![self.named(model, report)]),
        };
        report.form = form;
        let job = Job { source, targets, thumbnail: None, until, may_refuse: false };
        let Done { models, timings, .. } = self.engine.run(&job).await?;
        let answers = models.into_iter().collect::<Result<Vec<_>, _>>()?;
        let start = Instant::now();
        let text = self.engine.off_thread(move || written(&job.targets, &answers, form == "pipelines")).await?;
        Ok((text, Timings { queue, encode: micros(start), ..timings }))
    }

    /// v0 names models as Triton does.
    fn named(&self, model: String, report: &mut Report<'_>) -> Target {
        report.model = Some(model.clone());
        let target = self.engine.target(&model);
        Target { alias: model.clone(), model, ..target }
    }
}

impl Protocol for V0 {
    async fn answer(&self, id: RequestId, message: Message) -> Message {
        let mut report = Report::begin(Version::V0, id, Instant::now());
        report.bytes = message.len();
        let answer = self.try_answer(message, &mut report).await;
        report.end(answer.as_ref().map(|(text, timings)| (timings, text.len())));
        Message::text(answer.map_or_else(|e| wire::error(&e.to_string()), |(text, _)| text))
    }

    fn room(&self, bytes: usize) -> Option<Room> {
        self.engine.room(bytes).map(Some)
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
