//! Inference by protocol v0, as the first clients speak it.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use http::Method;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use tokio::time::timeout;
use tritondeploy_client::v1::Client as V1;
use tritondeploy_client::{Answer, Client, Error, Object, Output, Request, Tensor, Values};
use tritondeploy_wire::Datatype;
use tritondeploy_wire::datatype::elements;

use super::super::target::Target;
use super::inference::{INFERENCE, told_times};
use super::side::Side;
use super::stream;
use super::tally::{Found, Not, Tally};

/// All but RFC 3986's unreserved characters: Triton takes an escape of one of them for a part of the name.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The most elements of a tensor that is made up: an image of 1,024 x 1,024.
const LARGEST: usize = 3 << 20;

/// Models that are asked for their inputs.
const MODELS: usize = 8;

/// The lengths that images have where a model takes any.
const ANY: i64 = 224;

/// A model that can be asked with a tensor that is made up, and its one input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Sample {
    pub(super) model: String,
    input: String,
    shape: Vec<i64>,
}

impl Sample {
    /// None where a tensor cannot be made up: more inputs than one, other numbers than FP32, or too many.
    fn of(model: &str, inputs: &[(&str, &str, &[i64])]) -> Option<Self> {
        let [(input, "FP32", shape)] = inputs else { return None };
        let length = |(place, length): (usize, &i64)| match (*length, place) {
            (-1, 0) => 1,
            (-1, _) => ANY,
            (length, _) => length,
        };
        let shape: Vec<i64> = shape.iter().enumerate().map(length).collect();
        let fits = elements(&shape).is_some_and(|count| (1..=LARGEST).contains(&count));
        fits.then(|| Self { model: model.to_owned(), input: (*input).to_owned(), shape })
    }

    /// The same number everywhere: grey, as an image.
    fn request(&self) -> Request {
        let count = elements(&self.shape).unwrap_or(0);
        let data = 0.5f32.to_le_bytes().repeat(count);
        let tensor = Tensor { name: self.input.clone(), datatype: Datatype::Fp32, shape: self.shape.clone(), data };
        Request::Tensors { model: self.model.clone(), inputs: vec![tensor] }
    }
}

/// The first of the greeting's models that can be asked so.
pub(super) fn of_greeting(client: &V1) -> Option<Sample> {
    client.greeting().models.iter().filter(|model| model.ready).find_map(|model| {
        let inputs = model.inputs.iter().map(|input| (input.name.as_str(), input.datatype.as_str(), input.shape.as_slice()));
        Sample::of(&model.name, &inputs.collect::<Vec<_>>())
    })
}

/// `GET /v2/models/NAME`: KServe's predict protocol v2, "Model Metadata".
#[derive(Deserialize)]
struct Metadata {
    inputs: Vec<Input>,
}

#[derive(Deserialize)]
struct Input {
    name: String,
    datatype: String,
    shape: Vec<i64>,
}

/// Those of Triton's READY models, asked on its own port, that can be asked so.
pub(super) async fn of_triton(ready: &[String], ip: IpAddr, target: &Target) -> Vec<Sample> {
    let mut samples = Vec::new();
    for model in ready.iter().take(MODELS) {
        let path = format!("/v2/models/{}", utf8_percent_encode(model, ESCAPED));
        let Ok(stream) = stream::connect((ip, 8000).into()).await else { break };
        let page = stream::ask(Box::new(stream), &target.authority(8000), Method::GET, &path).await;
        let Some(metadata) = page.ok().and_then(|page| serde_json::from_slice::<Metadata>(&page.body).ok()) else { continue };
        let inputs = metadata.inputs.iter().map(|input| (input.name.as_str(), input.datatype.as_str(), input.shape.as_slice()));
        samples.extend(Sample::of(model, &inputs.collect::<Vec<_>>()));
    }
    samples
}

/// What protocol v0 is asked.
pub(super) enum Question {
    /// The pipeline, for an image in the bucket.
    Image(Object),
    /// A model, with a tensor.
    Tensor(Sample),
    /// No model is known: a model that does not exist, to see how the server refuses.
    Nothing,
}

impl Question {
    fn request(&self) -> Request {
        match self {
            Self::Image(object) => Request::Pipelines(object.clone()),
            Self::Tensor(sample) => sample.request(),
            Self::Nothing => Request::Tensors { model: "tritondeploy-test".to_owned(), inputs: Vec::new() },
        }
    }
}

/// One request by protocol v0.
pub(super) async fn once(target: &Target, question: &Question, side: &Side) -> Found<()> {
    let asking = async {
        let mut client = Client::connect(&target.url).await?;
        let answer = client.ask(&question.request()).await;
        client.close().await;
        answer
    };
    let answer = timeout(INFERENCE, asking).await.unwrap_or(Err(Error::TimedOut(INFERENCE)));
    match (question, answer) {
        (Question::Nothing, Err(Error::Refused(why))) => {
            Ok(((), format!("it refuses a model that does not exist, as it should: {why}")))
        }
        (_, Ok(answer)) => described(&answer).map(|told| ((), told)).map_err(|why| wrong(why, side)),
        (_, Err(why)) => Err(not_answered(&why, side)),
    }
}

/// Each model of the samples once, and then the first of them again and again: a server that speaks v0 only.
pub(super) async fn models(tally: &mut Tally, target: &Target, samples: &[Sample], side: &Side) {
    if samples.is_empty() {
        tally.skip("inference", "no model is known: protocol v0 names none, and neither does port 8000");
    }
    let mut answers = None;
    for sample in samples {
        let question = Question::Tensor(sample.clone());
        let asked = once(target, &question, side);
        if tally.check(&format!("inference/{}", sample.model), asked).await.is_some() {
            answers = answers.or(Some(sample));
        }
    }
    match answers {
        Some(sample) => drop(tally.check("round-trips", round_trips(target, sample, side)).await),
        None if samples.is_empty() => tally.skip("round-trips", "no model is known"),
        None => tally.skip_all(&["round-trips"], "inference"),
    }
}

async fn round_trips(target: &Target, sample: &Sample, side: &Side) -> Found<()> {
    let request = sample.request();
    let mut took = Vec::new();
    let asking = async {
        let mut client = Client::connect(&target.url).await?;
        while took.len() < 20 {
            let sent = Instant::now();
            client.ask(&request).await?;
            took.push(sent.elapsed());
        }
        client.close().await;
        Ok(())
    };
    match timeout(Duration::from_secs(60), asking).await {
        Ok(Err(why)) => Err(not_answered(&why, side)),
        Ok(Ok(())) | Err(_) => told_times(took, &sample.model, "a tensor", side),
    }
}

/// Names and shapes of what was answered.
fn described(answer: &Answer) -> Result<String, String> {
    match answer {
        Answer::Pipelines(models) => {
            let one =
                |(alias, outputs): &(String, Vec<Output>)| described_outputs(outputs).map(|told| format!("{alias}: {told}"));
            models.iter().map(one).collect::<Result<Vec<_>, _>>().map(|all| all.join("; "))
        }
        Answer::Model(outputs) => described_outputs(outputs),
        Answer::Error(why) => Err(why.clone()),
    }
}

fn described_outputs(outputs: &[Output]) -> Result<String, String> {
    if outputs.is_empty() {
        return Err("an answer without outputs".to_owned());
    }
    let one = |output: &Output| match &output.values {
        Values::Numbers(numbers) if numbers.iter().any(|number| !number.is_finite()) => {
            Err(format!("{} holds numbers that are not finite", output.name))
        }
        _ => Ok(format!("{} {:?}", output.name, output.shape)),
    };
    outputs.iter().map(one).collect::<Result<Vec<_>, _>>().map(|all| all.join(", "))
}

fn wrong(why: String, side: &Side) -> Not {
    Not::failed(why, "the server answers, and not with what models give", side.next(|ours| ours.logs.as_str(), "look at its log"))
}

fn not_answered(why: &Error, side: &Side) -> Not {
    let meaning = match why {
        Error::Refused(_) => "the gateway refuses what it should take",
        Error::TimedOut(_) => "the gateway took the request and does not answer",
        Error::Protocol(_) => "what it answers is not protocol v0",
        Error::Connect { .. } | Error::Lost(_) => "the connection broke",
    };
    Not::failed(why, meaning, side.next(|ours| ours.status.as_str(), "look at the server's log"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tensor_is_made_up_for_one_input_of_numbers_that_is_not_too_long() {
        let of = |inputs: &[(&str, &str, &[i64])]| Sample::of("m", inputs).map(|sample| sample.shape);
        assert_eq!(of(&[("x", "FP32", &[-1, 3, -1, -1])]), Some(vec![1, 3, 224, 224]));
        assert_eq!(of(&[("x", "FP32", &[3, 224, 224])]), Some(vec![3, 224, 224]));
        assert_eq!(of(&[("x", "INT8", &[3])]), None);
        assert_eq!(of(&[("x", "FP32", &[1]), ("y", "FP32", &[1])]), None);
        assert_eq!(of(&[("x", "FP32", &[i64::MAX, 8])]), None);
        assert_eq!(of(&[("x", "FP32", &[1, LARGEST as i64 + 1])]), None);
        let Request::Tensors { inputs, .. } = Sample::of("m", &[("x", "FP32", &[2])]).unwrap().request() else { panic!() };
        assert_eq!(inputs[0].data, [0, 0, 0, 63, 0, 0, 0, 63]);
    }

    #[test]
    fn an_answer_is_told_by_names_and_shapes_and_must_be_finite() {
        let output =
            |numbers: &[f64]| Output { name: "y".to_owned(), shape: vec![1, 2], values: Values::Numbers(numbers.to_vec()) };
        let pair = Answer::Pipelines(vec![("a".to_owned(), vec![output(&[0.0, 1.0])])]);
        assert_eq!(described(&pair).unwrap(), "a: y [1, 2]");
        assert!(described(&Answer::Model(vec![output(&[0.0, f64::NAN])])).unwrap_err().contains("not finite"));
        assert!(described(&Answer::Model(Vec::new())).is_err());
    }
}
