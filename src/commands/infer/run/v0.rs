//! Protocol v0, for older servers: a connection for each request that runs, and the classes made here.

use std::sync::{Mutex, PoisonError};

use tritondeploy_client::{Answer as Said, Client, Error, Object, Output, Request, Values};

use super::super::results::record::{Answer, Failure, Outcome};
use super::scores;
use super::server::{ANY, Payload, Question, Refusal};

/// So often something is asked for that the server refuses: over a third of a second.
const REFUSED: u32 = 4;

pub(super) struct V0 {
    question: Question,
    /// Connections that nobody uses.
    idle: Mutex<Vec<Client>>,
}

/// What is known of a model beside its numbers.
#[derive(Clone, Debug, Default)]
pub(crate) struct Meaning {
    pub(crate) is_in_pipeline: bool,
    /// In answers.
    pub(crate) alias: String,
    /// In Triton.
    pub(crate) model: String,
    pub(crate) are_probabilities: bool,
    /// By index; empty where there are none.
    pub(crate) labels: Vec<String>,
}

impl V0 {
    pub(super) async fn connect(question: Question) -> Result<Self, Error> {
        let first = Client::connect(&question.url).await?;
        Ok(Self { question, idle: Mutex::new(vec![first]) })
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Client>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One try. An object only: this protocol has no way for an image's bytes.
    pub(super) async fn ask(&self, payload: &Payload) -> Result<Answer, Refusal> {
        let Payload::Object { bucket, key } = payload else {
            let error = Failure::new("bad_request", "protocol v0 takes objects of the bucket only", false);
            return Err(Refusal { error, retry_after_ms: None, is_overload: false, is_silence: false, tries: 1 });
        };
        let object = Object { bucket: bucket.clone(), key: key.clone() };
        if self.question.models.is_empty() {
            let said = self.say(&Request::Pipelines(object)).await.map_err(refusal)?;
            let Said::Pipelines(pipelines) = said else { return Err(unknown()) };
            let outcome = |(alias, outputs): (String, Vec<Output>)| self.outcome(self.meaning(&alias, &alias), &outputs);
            return Ok(made(pipelines.into_iter().map(outcome).collect()));
        }
        let mut results = Vec::new();
        for model in &self.question.models {
            let meaning = self.meaning(model, model);
            let request = Request::Image { model: meaning.model.clone(), object: object.clone() };
            let said = self.say(&request).await.map_err(refusal)?;
            let Said::Model(outputs) = said else { return Err(unknown()) };
            results.push(self.outcome(meaning, &outputs));
        }
        Ok(made(results))
    }

    async fn say(&self, request: &Request) -> Result<Said, Error> {
        let idle = self.idle().pop();
        let mut client = match idle {
            Some(client) => client,
            None => Client::connect(&self.question.url).await?,
        };
        let answer = client.ask(request).await;
        // After anything else, the connection is of no further use.
        if matches!(answer, Ok(_) | Err(Error::Refused(_))) {
            self.idle().push(client);
        }
        answer
    }

    fn meaning(&self, alias: &str, model: &str) -> Meaning {
        let known = self.question.meanings.iter().find(|known| known.alias == alias || known.model == model);
        known.cloned().unwrap_or_else(|| Meaning { alias: alias.to_owned(), model: model.to_owned(), ..Meaning::default() })
    }

    /// The classes are in the first output.
    fn outcome(&self, meaning: Meaning, outputs: &[Output]) -> Outcome {
        let Meaning { alias, model, are_probabilities, labels, .. } = meaning;
        let top = usize::from(self.question.top);
        let best = match outputs.first().map(|output| &output.values) {
            Some(Values::Numbers(numbers)) => scores::best(numbers, are_probabilities, &labels, top),
            _ => Err("the model's first output has no numbers".to_owned()),
        };
        let (top, error) = match best {
            Ok(top) => (top, None),
            Err(why) => (Vec::new(), Some(Failure::new("model_error", why, false))),
        };
        Outcome { alias, model, version: None, top, error }
    }
}

fn made(results: Vec<Outcome>) -> Answer {
    Answer { results, error: None, seconds: 0.0, thumbnail: None }
}

fn unknown() -> Refusal {
    let error = Failure::new("not_the_protocol", "the answer does not belong to this request", false);
    Refusal { error, retry_after_ms: None, is_overload: false, is_silence: false, tries: 1 }
}

fn refusal(why: Error) -> Refusal {
    let (code, retryable, tries) = match &why {
        Error::Connect { .. } | Error::Lost(_) => ("lost", true, ANY),
        Error::TimedOut(_) => ("timed_out", true, ANY),
        // This protocol does not say whether it may pass: a few tries, and again when the run is resumed.
        Error::Refused(_) => ("refused", true, REFUSED),
        Error::Protocol(_) => ("not_the_protocol", false, 1),
    };
    let is_silence = matches!(why, Error::Connect { .. } | Error::Lost(_) | Error::TimedOut(_));
    let message = if let Error::Refused(why) = &why { why.clone() } else { why.to_string() };
    Refusal { error: Failure::new(code, message, retryable), retry_after_ms: None, is_overload: false, is_silence, tries }
}
