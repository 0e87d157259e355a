//! Protocol v1: one question after another over the client's connections.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tritondeploy_client::v1::{self, Client, Code, ModelResult, Reply, Request};

use super::super::results::record::{Answer, Class, Failure, NO_RESULT, Outcome};
use super::server::{ANY, Payload, Question, Refusal};
use crate::report::words::brief;

/// What the gateway reads of its bucket (`storage.prefixes`).
const READABLE: [&str; 2] = ["images/", "temp_frames/"];

pub(super) struct V1 {
    client: Client,
    question: Question,
}

impl V1 {
    pub(super) async fn connect(question: Question) -> Result<Self, v1::Error> {
        Ok(Self { client: Client::connect(&question.url).await?, question })
    }

    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    /// One try.
    pub(super) async fn ask(&self, payload: &Payload, thumbnail: Option<u32>) -> Result<Answer, Refusal> {
        let request = match payload.clone() {
            Payload::Object { bucket, key } => Request::object_of(bucket, key),
            Payload::Image(bytes) => Request::image(bytes),
            Payload::Rgb8 { width, height, pixels } => Request::rgb8(width, height, pixels),
        };
        // How often is decided by who counts the refusals.
        let request = request.top(u32::from(self.question.top)).once();
        let request = if self.question.models.is_empty() { request } else { request.models(&self.question.models) };
        let request = if let Some(longest) = thumbnail { request.thumbnail(longest) } else { request };
        match self.client.ask(request).await {
            Ok(reply) => Ok(answer(reply)),
            Err(why) => Err(self.refusal(why, payload)),
        }
    }

    fn refusal(&self, why: v1::Error, payload: &Payload) -> Refusal {
        let (code, retryable) = match &why {
            v1::Error::Connect { .. } | v1::Error::Lost { .. } => ("lost", true),
            v1::Error::TimedOut(_) => ("timed_out", true),
            v1::Error::UnsupportedSubprotocol { .. } | v1::Error::Protocol(_) => ("not_the_protocol", false),
            v1::Error::Refused(failure) => {
                let message = format!("{}{}", failure.message, self.hint(failure, payload));
                let error = Failure::new(failure.code.as_str(), message, failure.retryable);
                let is_overload = matches!(failure.code, Code::Overloaded | Code::RateLimited | Code::FlowControl);
                return Refusal { error, retry_after_ms: failure.retry_after_ms, is_overload, is_silence: false, tries: ANY };
            }
        };
        Refusal {
            error: Failure::new(code, why.to_string(), retryable),
            retry_after_ms: None,
            is_overload: false,
            is_silence: retryable,
            tries: ANY,
        }
    }

    /// What to do about an object that the gateway may not read, or a model that it does not have.
    fn hint(&self, failure: &v1::Failure, payload: &Payload) -> String {
        if failure.code == Code::UnknownModel {
            let known: Vec<&str> = self.client.greeting().models.iter().map(|model| model.name.as_str()).collect();
            return if known.is_empty() { String::new() } else { format!("; the server has {}", brief(&known)) };
        }
        let Payload::Object { bucket, key } = payload else { return String::new() };
        let is_other = self.question.bucket.as_ref().is_some_and(|own| own != bucket);
        let is_readable = READABLE.iter().any(|prefix| key.starts_with(prefix));
        if failure.code != Code::NotFoundOrForbidden || is_readable && !is_other {
            return String::new();
        }
        ". The gateway reads only images/ and temp_frames/ of the deployment's bucket: copy the object there, or download it and \
         name the file"
            .to_owned()
    }
}

fn answer(reply: Reply) -> Answer {
    let thumbnail = reply.thumbnail.and_then(|thumbnail| reply.parts.get(thumbnail.part as usize));
    let thumbnail = thumbnail.map(|bytes| STANDARD.encode(bytes));
    let results: Vec<Outcome> = reply.results.into_iter().map(outcome).collect();
    let error = results.is_empty().then(|| Failure::new(NO_RESULT, "the server answered without any model's result", false));
    Answer { results, error, seconds: 0.0, thumbnail }
}

fn outcome(result: ModelResult) -> Outcome {
    let version = result.version().map(str::to_owned);
    let (top, error) = match result.classes() {
        Ok([]) => (Vec::new(), Some(Failure::new(NO_RESULT, "the model answered without classes", false))),
        Ok(classes) => {
            let class = |class: &v1::Class| Class { index: class.index, score: class.score, label: class.label.clone() };
            (classes.iter().map(class).collect(), None)
        }
        Err(why) => (Vec::new(), Some(Failure::new(why.code.as_str(), why.message, why.retryable))),
    };
    Outcome { alias: result.alias, model: result.model, version, top, error }
}
