//! Protocol v0: reads a request, has it run, writes its answer.

mod run;

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use tritondeploy_wire::v0::{self as wire, Object, Request, View};
use tungstenite::Message;

use crate::protocol::{Protocol, RequestId};
use crate::request::{DEFAULT, Done, Engine, Error, Job, Source, Target, Until, micros};
use crate::triton::{Inference, Tensor};
use run::Run;

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

    async fn try_answer(&self, message: Message, run: &mut Run) -> Result<String, Error> {
        let _turn = self.engine.turn().await?;
        // v0's clients know no deadline; a request's time begins with its turn.
        let until = Until::after(Instant::now(), Duration::from_secs(self.engine.config.limits.request_seconds));
        let read = move || Ok(Request::parse(message.to_text().map_err(|_| Error::Message("the message is not UTF-8".into()))?)?);
        let request = if run.bytes < SMALL { read()? } else { self.engine.off_thread(read).await? };
        run.parsed();
        let object = |object: Object| Source::Object { bucket: object.bucket, key: object.key };
        let (form, source, targets) = match request {
            Request::Pipelines(of) => ("pipelines", object(of), self.engine.pipeline(DEFAULT)?),
            Request::Image { model, object: of } => ("image", object(of), vec![self.named(model, run)]),
            Request::Tensors { model, inputs } => ("tensors", tensors(inputs), vec![self.named(model, run)]),
        };
        run.form = form;
        let job = Job { source, targets, thumbnail: None, until, may_refuse: false };
        let Done { models, timings, .. } = self.engine.run(&job).await?;
        run.timings = timings;
        let answers = models.into_iter().collect::<Result<Vec<_>, _>>()?;
        let start = Instant::now();
        let text = self.engine.off_thread(move || written(&job.targets, &answers, form == "pipelines")).await?;
        run.timings.encode = micros(start);
        Ok(text)
    }

    /// v0 names models as Triton does.
    fn named(&self, model: String, run: &mut Run) -> Target {
        run.model = Some(model.clone());
        let target = self.engine.target(&model);
        Target { alias: model.clone(), model, ..target }
    }
}

impl Protocol for V0 {
    async fn answer(&self, id: RequestId, message: Message) -> Message {
        let mut run = Run::new(message.len());
        let answer = self.try_answer(message, &mut run).await;
        run.log(id, answer.as_ref().map(String::len));
        Message::text(answer.unwrap_or_else(|e| wire::error(&e.to_string())))
    }
}

fn tensors(inputs: Vec<wire::Tensor>) -> Source {
    let tensor = |t: wire::Tensor| Tensor { name: t.name, datatype: t.datatype, shape: t.shape, data: t.data.into() };
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
