//! Inference by protocol v1: the greeting, every model once, the pipeline, and round trips.

use std::time::{Duration, Instant};

use tritondeploy_client::v1::{Class, Client, Code, Error, ModelResult, Reply, Request};

use super::super::target::Target;
use super::readiness::Readiness;
use super::side::Side;
use super::tally::{Found, Not, Tally, because};
use crate::engine::format_duration;
use crate::report::checks::milliseconds;
use crate::report::words;
use crate::resources::storage::photo::PHOTO;

/// For one answer: a model's first inference may take some seconds.
pub(super) const INFERENCE: Duration = Duration::from_secs(30);

/// Requests one after another.
const ROUND_TRIPS: usize = 20;

/// For all of them.
const ROUND_TRIPS_TIME: Duration = Duration::from_secs(60);

/// Models that are asked one by one. More are counted: whoever answers decides how many it has.
pub(super) const MODELS: usize = 256;

/// What the gateway speaks.
pub(super) enum Spoken {
    /// Both protocols.
    V1(Client),
    /// Only the older one.
    V0,
}

/// What models are asked for.
pub(super) enum Picture {
    /// An image in the bucket, by reference.
    Object(String),
    /// The built-in photo, inline.
    BuiltIn,
}

impl Picture {
    fn request(&self) -> Request {
        let request = match self {
            Self::Object(key) => Request::object(key.clone()),
            Self::BuiltIn => Request::image(PHOTO),
        };
        request.within(INFERENCE).once()
    }

    pub(super) fn name(&self) -> &str {
        match self {
            Self::Object(key) => key,
            Self::BuiltIn => "the built-in photo",
        }
    }
}

/// The connection by protocol v1. A server that speaks v0 only is told in `spoken`.
pub(super) async fn greeting(target: &Target, side: &Side, spoken: &mut Option<Spoken>) -> Found<()> {
    match Client::connect(&target.url).await {
        Ok(client) => {
            let greeting = client.greeting();
            let names: Vec<&str> = greeting.models.iter().map(|model| model.name.as_str()).collect();
            let told = format!("{}, protocol v1, models: {}", greeting.server, words::brief(&names));
            *spoken = Some(Spoken::V1(client));
            Ok(((), told))
        }
        Err(Error::UnsupportedSubprotocol { why, .. }) => {
            *spoken = Some(Spoken::V0);
            Err(v0_only(&why, side))
        }
        Err(why) => {
            let meaning = "the WebSocket opens, and protocol v1 does not begin on it";
            Err(Not::failed(why, meaning, side.next(|ours| ours.status.as_str(), "look at the server's log")))
        }
    }
}

/// A finding of our own deployment, whose gateway is as old as its last `up`; nothing wrong of any other server.
pub(super) fn v0_only(why: &str, side: &Side) -> Not {
    match side.ours() {
        Some(ours) => {
            Not::failed(format!("it speaks v0 only: {why}"), "the running gateway is older than this tritondeploy", &ours.up)
        }
        None => Not::Skipped(format!("the server speaks v0 only: {why}")),
    }
}

/// What it means that v1 gave no answer.
pub(super) fn not_answered(why: &Error, side: &Side) -> Not {
    let status = |any| side.next(|ours| ours.status.as_str(), any);
    let (meaning, next) = match why {
        Error::Refused(failure) => match failure.code {
            Code::ModelUnavailable => ("Triton has the model not READY, or is gone", status("look at Triton's log")),
            Code::ModelError => {
                ("Triton ran the model, which failed", side.next(|ours| ours.logs.as_str(), "look at Triton's log"))
            }
            Code::Overloaded | Code::RateLimited | Code::FlowControl => {
                ("others keep it busy just now", "run it again in a moment")
            }
            Code::Draining => ("the gateway is about to stop: a pod is being replaced", "run it again in a minute"),
            Code::Deadline => ("the model is far too slow, or hangs", status("look at Triton's log")),
            _ => ("the gateway refuses what it should take", status("look at the gateway's log")),
        },
        Error::TimedOut(_) => ("the gateway took the request and does not answer", status("look at the gateway's log")),
        Error::Protocol(_) | Error::UnsupportedSubprotocol { .. } => {
            ("what it answers is not protocol v1", status("look at the server's log"))
        }
        Error::Connect { .. } | Error::Lost { .. } => ("the connection broke", status("run it again")),
    };
    Not::failed(why, meaning, next)
}

/// Each model of the greeting once, by name. The first that answered.
pub(super) async fn models(
    tally: &mut Tally,
    client: &Client,
    picture: &Picture,
    ready: &Readiness,
    side: &Side,
) -> Option<String> {
    let all = &client.greeting().models;
    let mut first = None;
    for model in all.iter().take(MODELS) {
        let name = format!("inference/{}", model.name);
        if !ready.has(&model.name) {
            tally.skip(&name, because("readyz"));
        } else if model.image.is_none() && model.ready {
            tally.skip(&name, "it takes no image");
        } else if tally.check(&name, one(client, &model.name, picture, side)).await.is_some() {
            first.get_or_insert_with(|| model.name.clone());
        }
    }
    match all.len() {
        0 => tally.skip("inference", "the server has no models"),
        count if count > MODELS => tally.skip("inference", format!("{} more models: only {MODELS} are asked", count - MODELS)),
        _ => {}
    }
    first
}

async fn one(client: &Client, model: &str, picture: &Picture, side: &Side) -> Found<()> {
    let request = || picture.request().models([model]);
    let answer = match client.ask(request().top(1)).await {
        // Not every output is classes.
        Err(Error::Refused(why)) if matches!(why.code, Code::BadRequest | Code::ModelError) => client.ask(request()).await,
        answer => answer,
    };
    let reply = answer.map_err(|why| not_answered(&why, side))?;
    if reply.results.is_empty() {
        return Err(no_results(side));
    }
    let told = reply.results.iter().map(|result| told(result, side)).collect::<Result<Vec<_>, _>>()?;
    Ok(((), format!("{}, of {}{}", told.join(", "), picture.name(), inferred(&reply))))
}

fn no_results(side: &Side) -> Not {
    let next = side.next(|ours| ours.logs.as_str(), "look at the server's log");
    Not::failed("the answer has no results", "the server answers, and no model did", next)
}

/// Triton's part of the time.
fn inferred(reply: &Reply) -> String {
    format!(" (Triton: {})", milliseconds(Duration::from_micros(reply.timings.infer)))
}

/// What a model saw, or why it saw nothing.
fn told(result: &ModelResult, side: &Side) -> Result<String, Not> {
    let classes = result.classes().map_err(|why| not_answered(&Error::Refused(why), side))?;
    Ok(classes.first().map_or_else(|| "answers with its tensors".to_owned(), class))
}

fn class(class: &Class) -> String {
    let label = class.label.as_deref().unwrap_or("no label");
    format!("class {}, {label} ({:.3})", class.index, class.score)
}

/// The default pipeline, all of its models in one request.
pub(super) async fn pipeline(client: &Client, picture: &Picture, side: &Side) -> Found<()> {
    if !client.greeting().pipelines.iter().any(|pipeline| pipeline.name == "default") {
        return Err(Not::Skipped("the server has no pipeline \"default\"".to_owned()));
    }
    let reply = client.ask(picture.request().top(1)).await.map_err(|why| not_answered(&why, side))?;
    if reply.results.is_empty() {
        return Err(no_results(side));
    }
    let one = |result: &ModelResult| told(result, side).map(|told| format!("{}: {told}", result.alias));
    let told = reply.results.iter().map(one).collect::<Result<Vec<_>, _>>()?;
    Ok(((), told.join("; ")))
}

/// One request after another.
pub(super) async fn round_trips(client: &Client, model: &str, picture: &Picture, side: &Side) -> Found<()> {
    let mut took = Vec::with_capacity(ROUND_TRIPS);
    let begun = Instant::now();
    while took.len() < ROUND_TRIPS && begun.elapsed() < ROUND_TRIPS_TIME {
        let sent = Instant::now();
        let request = picture.request().models([model]).within(INFERENCE.min(ROUND_TRIPS_TIME.saturating_sub(begun.elapsed())));
        let answer = client.ask(request).await.map_err(|why| match not_answered(&why, side) {
            Not::Failed(finding) => {
                Not::failed(format!("after {} of {ROUND_TRIPS}: {}", took.len(), finding.detail), finding.meaning, finding.next)
            }
            not => not,
        })?;
        drop(answer);
        took.push(sent.elapsed());
    }
    told_times(took, model, picture.name(), side)
}

/// The least, the median and the most, when there were enough.
pub(super) fn told_times(mut took: Vec<Duration>, model: &str, picture: &str, side: &Side) -> Found<()> {
    took.sort_unstable();
    if took.len() < ROUND_TRIPS {
        let detail = format!("{} of {ROUND_TRIPS} within {}", took.len(), format_duration(ROUND_TRIPS_TIME));
        return Err(Not::failed(
            detail,
            "the model is far too slow",
            side.next(|ours| ours.status.as_str(), "look at Triton's log"),
        ));
    }
    let [least, median, most] = [took[0], (took[ROUND_TRIPS / 2 - 1] + took[ROUND_TRIPS / 2]) / 2, took[ROUND_TRIPS - 1]];
    let [least, median, most] = [least, median, most].map(milliseconds);
    Ok(((), format!("{ROUND_TRIPS} of {model}, {picture}: min {least}, median {median}, max {most}")))
}

#[cfg(test)]
mod tests {
    use tritondeploy_client::v1::Failure;

    use super::*;
    use crate::commands::test::side::Deployment;
    use crate::config::Config;

    fn ours() -> Side {
        Side::Ours(Box::new(Deployment::new(&Config::default(), |command| format!("tritondeploy {command}"))))
    }

    #[test]
    fn round_trips_are_told_by_the_least_the_median_and_the_most() {
        let times = (1..=20).rev().map(Duration::from_millis).collect();
        let told = told_times(times, "m", "p", &Side::Any).unwrap().1;
        assert_eq!(told, "20 of m, p: min 1.0 ms, median 10.5 ms, max 20.0 ms");
        let Err(Not::Failed(few)) = told_times(vec![Duration::from_secs(30); 2], "m", "p", &Side::Any) else { panic!() };
        assert_eq!(few.detail, "2 of 20 within 60 s");
    }

    #[test]
    fn an_older_gateway_is_a_failure_of_ours_and_none_of_others() {
        let Not::Failed(finding) = v0_only("HTTP 400", &ours()) else { panic!("not failed") };
        assert_eq!(finding.next, "tritondeploy up");
        assert_eq!(v0_only("w", &Side::Any), Not::Skipped("the server speaks v0 only: w".to_owned()));
    }

    #[test]
    fn each_refusal_says_what_to_do_about_it() {
        let next = |code, side: &Side| match not_answered(&Error::Refused(Failure::new(code, "because")), side) {
            Not::Failed(finding) => finding.next,
            other => panic!("{other:?}"),
        };
        assert_eq!(next(Code::ModelUnavailable, &ours()), "tritondeploy status");
        assert_eq!(next(Code::ModelError, &ours()), "tritondeploy logs");
        assert_eq!(next(Code::Overloaded, &ours()), "run it again in a moment");
        assert!(!next(Code::ModelUnavailable, &Side::Any).contains("tritondeploy"));
    }
}
