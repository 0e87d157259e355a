//! The proof, watched: a real photograph goes through the public WebSocket, as a client's would, by both protocols.
//! The pair must answer with whole outputs of finite numbers; a model with real labels, where one is
//! configured, must see what is in the picture.

use std::time::{Duration, Instant};

use serde::Serialize;
use tokio::time::timeout;
use tritondeploy_client::v1::{self, Class, ModelResult};
use tritondeploy_client::{Answer, Client, Error as ClientError, Object, Output, Request, Values};

use super::kube::{Balancer, Endpoint, GatewayConfig};
use super::storage::{ProofImage, ProofImageOutput};
use crate::cloud::{Cloud, Cx};
use crate::config::Config;
use crate::engine::{Action, Fact, Fault, Found, Given, Node, Observation, Observe, Remedy, format_duration};

/// From the first packet to the last answer, in one look.
const PATIENCE: Duration = Duration::from_secs(45);

/// The proof.
pub struct Proof;

/// Nothing of it is compared.
#[derive(Serialize)]
pub struct State;

/// What the deployment answered.
#[derive(Clone, Debug, PartialEq)]
pub struct ProofOutput {
    /// What a model with real labels saw; None where none is configured.
    pub class: Option<Class>,
    /// The pair's answer, from the request to the last byte.
    pub took: Duration,
}

/// Why it is not proved.
#[derive(Debug)]
enum Not {
    /// It may be, a little later.
    Yet(String),
    /// It was answered, and wrongly.
    Right(String),
}

impl From<ClientError> for Not {
    fn from(error: ClientError) -> Self {
        Self::Yet(error.to_string())
    }
}

impl From<v1::Error> for Not {
    fn from(error: v1::Error) -> Self {
        Self::Yet(error.to_string())
    }
}

async fn prove(config: &Config, endpoint: &Endpoint, photo: &ProofImageOutput) -> Result<ProofOutput, Not> {
    let took = by_protocol_v0(config, endpoint, photo).await?;
    let class = by_protocol_v1(config, endpoint, photo).await?;
    Ok(ProofOutput { class, took })
}

/// As the first clients do: every number of the pair.
async fn by_protocol_v0(config: &Config, endpoint: &Endpoint, photo: &ProofImageOutput) -> Result<Duration, Not> {
    let object = Object { bucket: photo.bucket.clone(), key: photo.key.clone() };
    let mut client = Client::connect(&endpoint.url()).await?;
    let begun = Instant::now();
    let answer = client.ask(&Request::Pipelines(object)).await?;
    let took = begun.elapsed();
    client.close().await;
    whole(config, answer).map_err(Not::Right)?;
    Ok(took)
}

/// Classes: the best one of the model with real labels, where there is one, else of the pair.
async fn by_protocol_v1(config: &Config, endpoint: &Endpoint, photo: &ProofImageOutput) -> Result<Option<Class>, Not> {
    let client = v1::Client::connect(&endpoint.url()).await?;
    let request = v1::Request::object_of(&photo.bucket, &photo.key).top(1).once();
    let request = if config.proof.model.is_some() { request.pipeline(GatewayConfig::PROOF) } else { request };
    let results = client.ask(request).await?.results;
    let mut classes = Vec::new();
    for result in &results {
        let top = result.classes().map_err(|why| Not::Yet(format!("{}: {why}", result.model)))?;
        let class = top.first().ok_or_else(|| Not::Right(format!("{} answered with no class", result.model)))?;
        classes.push((result, class));
    }
    let Some((result, class)) = classes.first().filter(|_| config.proof.model.is_some()) else { return Ok(None) };
    recognised(config, result, class).map_err(Not::Right)?;
    Ok(Some((*class).clone()))
}

/// Every model of the pair answers, in its order, with as many finite numbers as its shape says.
fn whole(config: &Config, answer: Answer) -> Result<(), String> {
    let Answer::Pipelines(models) = answer else { return Err("the pair was asked, one model answered".to_owned()) };
    let aliases: Vec<&str> = models.iter().map(|(alias, _)| alias.as_str()).collect();
    let wanted: Vec<&str> = config.pipeline.iter().map(|model| model.alias.as_str()).collect();
    if aliases != wanted {
        return Err(format!("the models {} answered, wanted are {}", aliases.join(", "), wanted.join(", ")));
    }
    for (alias, outputs) in &models {
        if outputs.is_empty() {
            return Err(format!("{alias} answered without an output"));
        }
        outputs.iter().try_for_each(finite).map_err(|why| format!("{alias}: {why}"))?;
    }
    Ok(())
}

fn finite(output: &Output) -> Result<(), String> {
    let Output { name, shape, values } = output;
    let Values::Numbers(numbers) = values else { return Ok(()) };
    let wanted: usize = shape.iter().product();
    if numbers.len() != wanted || numbers.is_empty() {
        return Err(format!("{name} of shape {shape:?} has {} numbers", numbers.len()));
    }
    match numbers.iter().position(|number| !number.is_finite()) {
        Some(at) => Err(format!("{name} has {} at {at}", numbers[at])),
        None => Ok(()),
    }
}

/// The class must be one of those that the configuration expects.
fn recognised(config: &Config, result: &ModelResult, class: &Class) -> Result<(), String> {
    let label = class.label.clone().unwrap_or_default().to_lowercase();
    let expect = &config.proof.expect;
    if expect.is_empty() || expect.iter().any(|expected| label.contains(&expected.to_lowercase())) {
        return Ok(());
    }
    let saw = class.label.as_deref().unwrap_or("a class without a label");
    let (model, wanted) = (&result.model, expect.join(" or "));
    Err(format!("{model} sees {saw} ({:.3}) in the bundled photo, expected is {wanted}", class.score))
}

impl Observe for Proof {
    type World = Cloud;
    const KIND: &'static str = "proof";
    const ENDS_WITH_PARENT: bool = true;
    type Within = (Node<Balancer>, Node<ProofImage>);
    type Uses = ();
    type State = State;
    type Output = ProofOutput;

    fn want(&self, _: &Cloud, _: &(Given<Endpoint>, Given<ProofImageOutput>), (): &()) -> State {
        State
    }

    async fn observe(&self, cx: &Cx, (endpoint, photo): &(Endpoint, ProofImageOutput)) -> Result<Observation<Self>, Fault> {
        let begun = Instant::now();
        let proved = timeout(PATIENCE, prove(&cx.world.config, endpoint, photo)).await;
        let ms = begun.elapsed().as_millis();
        tracing::info!(target: "proof", ms, proved = matches!(proved, Ok(Ok(_))));
        Ok(match proved {
            Ok(Ok(output)) => Observation::Present(Found::one(output, State)),
            Ok(Err(Not::Yet(why))) => Observation::Changing { why, found: None },
            Ok(Err(Not::Right(why))) => {
                let output = ProofOutput { class: None, took: PATIENCE };
                Observation::Broken { output, why, remedy: Remedy::User }
            }
            Err(_) => Observation::Changing { why: format!("no answer within {}", format_duration(PATIENCE)), found: None },
        })
    }

    /// The balancer's name may take a minute to be known everywhere.
    fn patience(&self, _: Action) -> Duration {
        Duration::from_secs(5 * 60)
    }

    async fn evidence(&self, cx: &Cx, (endpoint, _): &(Endpoint, ProofImageOutput)) -> Vec<String> {
        let ranges = &cx.world.config.workload.source_ranges;
        if ranges.is_empty() {
            return Vec::new();
        }
        let ranges = ranges.join(", ");
        vec![format!("only {ranges} may reach {} (workload.source_ranges): is this machine among them?", endpoint.url())]
    }

    fn facts(&self, found: &ProofOutput) -> Vec<Fact> {
        let seconds = Fact { key: "answered_in", value: format!("{:.3} s", found.took.as_secs_f64()) };
        match &found.class {
            Some(class) => {
                let label = class.label.clone().unwrap_or_else(|| format!("class {}", class.index));
                let score = format!("{:.3}", class.score);
                vec![Fact { key: "label", value: label }, Fact { key: "score", value: score }, seconds]
            }
            None => {
                let why = "none: proof.model names no model with real labels; the pair answers with whole, finite outputs";
                vec![Fact { key: "label", value: why.to_owned() }, seconds]
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn output(shape: &[usize], numbers: &[f64]) -> Output {
        Output { name: "scores".to_owned(), shape: shape.to_vec(), values: Values::Numbers(numbers.to_vec()) }
    }

    fn config() -> Config {
        let mut config = Config::default();
        config.proof.expect = vec!["Cat".to_owned(), "tabby".to_owned()];
        config
    }

    #[test]
    fn the_pair_answers_in_order_with_finite_numbers() {
        let pair = |one: &str, two: Output| {
            let one = (one.to_owned(), vec![output(&[1, 2, 1, 1], &[0.5, 1.5])]);
            whole(&config(), Answer::Pipelines(vec![one, ("resnet".to_owned(), vec![two])]))
        };
        assert_eq!(pair("densenet", output(&[1, 1], &[0.5])), Ok(()));
        assert!(pair("other", output(&[1, 1], &[0.5])).unwrap_err().contains("wanted are densenet, resnet"));
        assert!(pair("densenet", output(&[1, 1], &[f64::NAN])).unwrap_err().contains("NaN"));
        assert!(pair("densenet", output(&[1, 3], &[0.5])).unwrap_err().contains("has 1 numbers"));
    }

    #[test]
    fn a_cat_must_be_seen_as_a_cat() {
        let seen = |label: Option<&str>| {
            let class = Class { index: 1, score: 0.9, label: label.map(str::to_owned) };
            let outcome = v1::Outcome::Top { version: "1".to_owned(), top: vec![class.clone()] };
            let result = ModelResult { alias: "m".to_owned(), model: "m".to_owned(), outcome };
            recognised(&config(), &result, &class)
        };
        assert_eq!(seen(Some("Egyptian cat")), Ok(()));
        assert_eq!(seen(Some("tench")).unwrap_err(), "m sees tench (0.900) in the bundled photo, expected is Cat or tabby");
        assert!(seen(None).unwrap_err().contains("a class without a label"));
    }
}
